'use strict';
// Many messages: order, credit, sharing, browsing.

const assert = require('node:assert');
const { limit, numbered, once } = require('./env');

/** Sends bodies as credit allows, and waits until all are accepted. */
function pipeline(sender, bodies) {
  let sent = 0;
  let accepted = 0;
  const all = new Promise((resolve) => {
    sender.on('accepted', () => {
      accepted++;
      if (accepted === bodies.length) resolve();
    });
  });
  const more = () => {
    while (sent < bodies.length && sender.sendable()) sender.send({ body: bodies[sent++] });
  };
  sender.on('sendable', more);
  more();
  return limit(all, 20_000, 'the outcomes of all messages');
}

/** Credit renewed by rhea itself, as most programs use it. */
async function creditWindow(env, window = 100) {
  const bodies = numbered(2000);
  const connection = await env.connect();
  const inbox = await env.receiver(0, connection, { credit_window: window, autoaccept: true });
  await pipeline(await env.sender(connection), bodies);
  for (const body of bodies) assert.strictEqual((await inbox.receive()).message.body, body);
}

// rhea keeps deliveries in a ring of 2048, so its window ends there.
const largeCredit = (env) => creditWindow(env, 2000);

async function creditByHand(env) {
  await env.put(...numbered(4));
  const inbox = await env.receiver(0);
  await inbox.nothing();
  inbox.flow(3);
  for (const body of numbered(3)) await inbox.take(body);
  await inbox.nothing();
  inbox.flow(1);
  await inbox.take('m3');
}

/** Drains with more credit than there are messages [amqp-transport 2.6.7]. */
async function drain(env, bodies) {
  await env.put(...bodies);
  const inbox = await env.receiver(0);
  const drained = once(inbox.receiver, 'receiver_drained');
  inbox.flow(10);
  inbox.receiver.drain_credit();
  await drained;
  assert.deepStrictEqual(inbox.arrived.map((c) => c.message.body), bodies, 'came before the answer');
  for (const body of bodies) await inbox.take(body);
  await env.put('later');
  await inbox.nothing();
  inbox.receiver.drain = false;
  inbox.flow(1);
  await inbox.take('later');
}

async function browse(env) {
  const bodies = numbered(50);
  await env.put(...bodies);
  for (let i = 0; i < 2; i++) {
    const inbox = await env.receiver(100, undefined, { source: { address: env.queue, distribution_mode: 'copy' } });
    for (const body of bodies) await inbox.take(body);
    await inbox.nothing();
  }
  const inbox = await env.receiver(100);
  for (const body of bodies) {
    const message = await inbox.take(body);
    assert.strictEqual(message.delivery_count || 0, 0, 'delivery-count after browsing');
    assert.strictEqual(Boolean(message.first_acquirer), true, 'first-acquirer after browsing');
  }
  await inbox.nothing();
}

/** Two links with the same credit share what comes, each at least a quarter. */
async function competing(env) {
  const total = 400;
  const shares = [0, 0];
  const all = new Promise((resolve) => {
    shares.forEach(async (_, i) => {
      const inbox = await env.receiver(0, undefined, { credit_window: 10, autoaccept: true });
      inbox.receiver.on('message', () => {
        shares[i]++;
        if (shares[0] + shares[1] === total) resolve();
      });
    });
  });
  await pipeline(await env.sender(), numbered(total));
  await limit(all, 10_000, 'all messages');
  assert.ok(Math.min(...shares) >= total / 4, `unfair: ${shares}`);
}

/** What a consumer had when its connection broke comes again, in its place. */
async function abruptDisconnect(env) {
  const bodies = numbered(20);
  await env.put(...bodies);
  const connection = await env.connect();
  const lost = await env.receiver(10, connection);
  for (const body of bodies.slice(0, 5)) assert.strictEqual((await lost.receive()).message.body, body);
  connection.socket.destroy();
  const inbox = await env.receiver(30);
  for (const [i, body] of bodies.entries()) {
    const message = await inbox.take(body);
    assert.strictEqual(message.delivery_count || 0, 0, `delivery-count of ${body}`);
    if (i < 5) assert.strictEqual(Boolean(message.first_acquirer), false, `first-acquirer of ${body}`);
  }
  await inbox.nothing();
}

module.exports = {
  'credit-window': (env) => creditWindow(env),
  'large-credit': largeCredit,
  'credit-by-hand': creditByHand,
  'drain-empty': (env) => drain(env, []),
  'drain-some': (env) => drain(env, numbered(3)),
  browse,
  'competing-consumers': competing,
  'abrupt-disconnect': abruptDisconnect,
};
