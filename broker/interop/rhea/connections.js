'use strict';
// Links, sessions and connections.

const assert = require('node:assert');
const { once, pause } = require('./env');

/** A link's name that is attached anew is taken from who had it. */
async function linkStealing(env) {
  const same = async () => env.receiver(1, await env.connect({ container_id: 'thief-and-victim' }), { name: 'one-name' });
  const old = await same();
  const stolen = once(old.receiver, 'receiver_error');
  const thief = await same();
  await stolen;
  assert.strictEqual(old.receiver.error.condition, 'amqp:link:stolen');
  await env.put('a');
  await thief.take('a');
}

async function manyLinks(env) {
  const connection = await env.connect();
  const { queue } = env;
  const inboxes = [];
  for (let i = 0; i < 100; i++) {
    env.queue = `${queue}.${i}`;
    await env.send(await env.sender(connection), { body: `to ${i}` });
    inboxes.push(await env.receiver(1, connection));
  }
  for (const [i, inbox] of inboxes.entries()) await inbox.take(`to ${i}`);
}

async function reattach(env) {
  const connection = await env.connect();
  for (let i = 0; i < 10; i++) {
    const sender = await env.sender(connection, { name: 'again' });
    await env.send(sender, { body: i });
    sender.close();
    await once(sender, 'sender_close');
    const inbox = await env.receiver(1, connection, { name: 'again too' });
    await inbox.take(i);
    await inbox.detach();
  }
}

async function notFound(env) {
  const connection = await env.connect();
  const sender = await env.sender(connection);
  const address = env.config.never;
  // The refusal is an attach with a null terminus, which rhea takes for an
  // opening, and a detach with the reason.
  for (const [attach, event] of [
    [() => connection.open_receiver({ source: { address } }), 'receiver_error'],
    [() => connection.open_sender({ target: { address } }), 'sender_error'],
  ]) {
    const link = attach();
    await once(link, event);
    assert.strictEqual(link.error.condition, 'amqp:not-found');
  }
  await env.send(sender, { body: 'a' });
  await (await env.receiver(1, connection)).take('a');
}

const asUser = (env, more) => ({
  addr: env.config.auth_addr, username: env.config.user, password: env.config.password, ...more,
});

async function saslGood(env) {
  const connection = await env.connect(asUser(env));
  await env.send(await env.sender(connection), { body: 'a' });
  await (await env.receiver(1, connection)).take('a');
}

async function saslBad(env) {
  await assert.rejects(env.connect(asUser(env, { password: 'wrong' })), 'a wrong password');
  await assert.rejects(env.connect(asUser(env, { username: 'nobody' })), 'an unknown user');
}

async function saslAnonymousRefused(env) {
  await assert.rejects(env.connect({ addr: env.config.auth_addr }), 'an anonymous client');
}

/** The broker announces one second, and so do we; both send empty frames. */
async function idleTimeout(env) {
  const connection = await env.connect(asUser(env, { idle_time_out: 1000 }));
  await pause(3000);
  assert.ok(connection.is_open(), 'the connection ended while it was idle');
  await env.send(await env.sender(connection), { body: 'a' });
  await (await env.receiver(1, connection)).take('a');
}

module.exports = {
  tests: { 'link-stealing': linkStealing, 'many-links': manyLinks, reattach },
  neverTests: { 'not-found': notFound },
  authTests: {
    'sasl-plain-good': saslGood,
    'sasl-plain-bad': saslBad,
    'sasl-anonymous-refused': saslAnonymousRefused,
    'idle-timeout': idleTimeout,
  },
};
