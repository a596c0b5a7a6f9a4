'use strict';
// Messages from suite to suite, compared byte by byte. rhea sends and receives
// raw bytes here, so that it judges the broker and not its own codec.

const fs = require('node:fs');
const path = require('node:path');
const message = require('rhea/lib/message.js');
const { once, outcomeOf } = require('./env');

const CORPUS = path.join(__dirname, '..', 'corpus', 'corpus.json');

/**
 * What a broker must not touch: all but the header and the
 * delivery-annotations at the head of a message [amqp-messaging 3.2].
 */
function kept(bytes) {
  for (const descriptor of [0x70, 0x71]) {
    if (bytes[0] !== 0x00 || bytes[1] !== 0x53 || bytes[2] !== descriptor) continue;
    const code = bytes[3];
    let size = 5;
    if (code === 0x45) size = 1;
    else if (code === 0xc0 || code === 0xc1) size = 2 + bytes[4];
    else size += bytes.readUInt32BE(4);
    bytes = bytes.subarray(3 + size);
  }
  return bytes;
}

const exchangeFile = (env, from, to) => path.join(env.config.exchange, `${from}-${to}.json`);

/** Sends the corpus as it stands, less what the other side cannot read. */
async function send(env, to) {
  env.queue = env.address(`interop.cross.rhea.${to}`);
  const sender = await env.sender();
  const log = [];
  for (const { name, hex, goamqp } of JSON.parse(fs.readFileSync(CORPUS))) {
    if (to === 'goamqp' && !goamqp) continue;
    if (!sender.sendable()) await once(sender, 'sendable');
    await outcomeOf(sender, sender.send(Buffer.from(hex, 'hex'), undefined, 0)).catch((error) => {
      throw new Error(`${name}: ${error.message}`);
    });
    log.push({ name, hex });
  }
  fs.writeFileSync(exchangeFile(env, 'rhea', to), JSON.stringify(log));
}

/** Lets rhea hand out the bytes of a message instead of decoding them. */
function withoutDecoding(run) {
  const { decode } = message;
  message.decode = (bytes) => ({ body: bytes });
  return run().finally(() => { message.decode = decode; });
}

async function receive(env, from) {
  env.queue = env.address(`interop.cross.${from}.rhea`);
  const log = JSON.parse(fs.readFileSync(exchangeFile(env, from, 'rhea')));
  const wrong = [];
  await withoutDecoding(async () => {
    const inbox = await env.receiver(10);
    for (const { name, hex } of log) {
      const { message: got, delivery } = await inbox.receive();
      delivery.accept();
      inbox.flow(1);
      const want = kept(Buffer.from(hex, 'hex'));
      const have = kept(got.body);
      if (!want.equals(have)) wrong.push(`${name}: got ${have.toString('hex')}, want ${want.toString('hex')}`);
    }
    await inbox.nothing();
  });
  if (wrong.length) throw new Error(wrong.join('\n'));
}

module.exports = { send, receive };
