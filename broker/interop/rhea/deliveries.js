'use strict';
// What happens to one message: outcomes, counts, TTL, settlement.

const assert = require('node:assert');
const rhea = require('rhea');
const { numbered, once, pause } = require('./env');

/** What a header field says when a broker leaves it out [amqp-messaging 3.2.1]. */
const count = (message) => message.delivery_count || 0;
const first = (message) => Boolean(message.first_acquirer);

async function sendReceive(env) {
  await env.put('hello');
  const message = await (await env.receiver()).take('hello');
  assert.strictEqual(count(message), 0, 'delivery-count');
  assert.strictEqual(first(message), true, 'first-acquirer');
}

async function accepted(env) {
  await env.put('a');
  const inbox = await env.receiver();
  await inbox.take('a');
  await inbox.detach();
  await env.empty();
}

/** The first of two messages is given back; resolves to how it comes again. */
async function giveBack(env, outcome) {
  await env.put('a', 'b');
  const connection = await env.connect();
  let inbox = await env.receiver(1, connection);
  const { message, delivery } = await inbox.receive();
  assert.strictEqual(message.body, 'a', 'the first message');
  outcome(delivery);
  await inbox.detach();
  inbox = await env.receiver(10, connection);
  const again = await inbox.take('a');
  await inbox.take('b');
  return again;
}

async function released(env) {
  const again = await giveBack(env, (delivery) => delivery.release());
  assert.strictEqual(count(again), 0, 'delivery-count after released');
  assert.strictEqual(first(again), false, 'first-acquirer after released');
}

async function modifiedFailed(env) {
  const again = await giveBack(env, (delivery) => delivery.modified({ delivery_failed: true }));
  assert.strictEqual(count(again), 1, 'delivery-count');
}

async function modifiedElsewhere(env) {
  await env.put('a');
  const here = await env.receiver();
  (await here.receive()).delivery.modified({ undeliverable_here: true });
  await here.nothing();
  await (await env.receiver()).take('a');
}

async function modifiedAnnotations(env) {
  const again = await giveBack(env, (delivery) => delivery.modified({
    delivery_failed: true, message_annotations: { 'x-opt-added': 'new' },
  }));
  assert.deepStrictEqual(again.message_annotations, { 'x-opt-added': 'new' });
}

async function rejected(env) {
  await env.put('bad', 'good');
  const inbox = await env.receiver();
  (await inbox.receive()).delivery.reject({ condition: 'x:bad', description: 'cannot read it' });
  await inbox.take('good');
  await inbox.detach();
  await env.empty();
}

async function redeliveryCount(env) {
  await env.put('a');
  const connection = await env.connect();
  for (let n = 0; n < 4; n++) {
    const inbox = await env.receiver(1, connection);
    const { message, delivery } = await inbox.receive();
    assert.strictEqual(count(message), n, 'delivery-count');
    delivery.modified({ delivery_failed: true });
    await inbox.detach();
  }
  await (await env.receiver(1, connection)).take('a');
}

async function ttlExpires(env) {
  const sender = await env.sender();
  for (const [body, ttl] of [['a'], ['dies', 300], ['b', 3_600_000], ['dies too', 300], ['c']]) {
    await env.send(sender, ttl ? { body, ttl } : { body });
  }
  await pause(350);
  const inbox = await env.receiver();
  for (const body of ['a', 'b', 'c']) await inbox.take(body);
  await inbox.nothing();
}

async function ttlShrinks(env) {
  await env.send(await env.sender(), { body: 'a', ttl: 20_000 });
  await pause(50);
  const { ttl } = await (await env.receiver()).take('a');
  assert.ok(ttl > 0 && ttl <= 19_950, `ttl: got ${ttl} ms after 50 of 20000`);
}

async function presettledSend(env) {
  const sender = await env.sender(undefined, { snd_settle_mode: 1 });
  for (const body of numbered(100)) {
    if (!sender.sendable()) await once(sender, 'sendable');
    sender.send({ body });
  }
  const inbox = await env.receiver(100);
  for (const body of numbered(100)) await inbox.take(body);
}

async function presettledReceive(env) {
  await env.put(...numbered(20));
  const inbox = await env.receiver(20, undefined, { snd_settle_mode: 1 });
  for (const body of numbered(20)) {
    const { message, delivery } = await inbox.receive();
    assert.strictEqual(message.body, body);
    assert.strictEqual(delivery.remote_settled, true, 'settled by the broker');
  }
  await inbox.detach();
  await env.empty();
}

/** Each outcome is confirmed by the broker's own settling [amqp-transport 2.6.12]. */
async function settleSecond(env) {
  await env.put('accepted', 'rejected', 'released');
  const connection = await env.connect();
  const inbox = await env.receiver(10, connection, { rcv_settle_mode: 1 });
  for (const [body, outcome] of [
    ['accepted', (d) => d.accept()], ['rejected', (d) => d.reject()], ['released', (d) => d.release()],
  ]) {
    const { message, delivery } = await inbox.receive();
    assert.strictEqual(message.body, body);
    assert.strictEqual(delivery.remote_settled, false, 'settled before there is an outcome');
    const settled = once(inbox.receiver, 'settled');
    outcome(delivery);
    assert.strictEqual((await settled).delivery, delivery);
    delivery.update(true);
  }
  await inbox.detach();
  await (await env.receiver(10, connection)).take('released');
  await env.empty();
}

async function large(env) {
  const data = Buffer.alloc(10 << 20, '0123456789abcdef');
  const connection = await env.connect();
  const sender = await env.sender(connection);
  const inbox = await env.receiver(10, connection);
  for (let i = 0; i < 2; i++) {
    await env.send(sender, { body: rhea.message.data_section(data) });
    const { message, delivery } = await inbox.receive();
    assert.ok(data.equals(message.body.content), 'a body of 10 MiB');
    delivery.accept();
  }
}

async function smallFrames(env) {
  const data = Buffer.alloc(100_000, 'x');
  const connection = await env.connect({ max_frame_size: 512 });
  await env.send(await env.sender(connection), { body: rhea.message.data_section(data) });
  const { message, delivery } = await (await env.receiver(1, connection)).receive();
  assert.ok(data.equals(message.body.content), 'a body in frames of 512 bytes');
  delivery.accept();
}

module.exports = {
  'send-receive': sendReceive,
  'outcome-accepted': accepted,
  'outcome-released': released,
  'outcome-modified-failed': modifiedFailed,
  'outcome-modified-elsewhere': modifiedElsewhere,
  'outcome-modified-annotations': modifiedAnnotations,
  'outcome-rejected': rejected,
  'redelivery-count': redeliveryCount,
  'ttl-expires': ttlExpires,
  'ttl-shrinks': ttlShrinks,
  'presettled-send': presettledSend,
  'presettled-receive': presettledReceive,
  'settle-second': settleSecond,
  'large-10MiB': large,
  'small-frames': smallFrames,
};
