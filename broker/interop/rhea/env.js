'use strict';
// What a test works with: a broker, a queue of its own, and short ways to say
// what clients do. Failures are exceptions.

const assert = require('node:assert');
const rhea = require('rhea');

const SOON = 10_000; // ms that a message which must come may take
const QUIET = 300; // ms that a message which must not come is waited for
const TEST_LIMIT = 30_000;

/** Rejects if a promise is not settled in time. */
function limit(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing in ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The event that must come; `unless` is the one that means a refusal. */
function once(emitter, event, unless) {
  let refused;
  const came = new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    refused = (context) => reject(refusal(context));
    if (unless) emitter.once(unless, refused);
  });
  return limit(came, SOON, event).finally(() => unless && emitter.removeListener(unless, refused));
}

/** An error with the condition that the broker gave. */
function refusal(context) {
  const endpoint = context.receiver || context.sender || context.connection;
  const remote = endpoint.error || context.error || {};
  return Object.assign(new Error(remote.description || 'refused'), { condition: remote.condition });
}

/** A receiving link and what has come on it. Outcomes are the test's business. */
class Inbox {
  constructor(receiver) {
    this.receiver = receiver;
    this.arrived = [];
    this.waiting = undefined;
    receiver.on('message', (context) => {
      this.arrived.push(context);
      if (this.waiting) this.waiting();
    });
  }

  /** The next message, which must come: {message, delivery}. */
  async receive(ms = SOON) {
    if (this.arrived.length === 0) {
      await limit(new Promise((resolve) => { this.waiting = resolve; }), ms, 'a message that must come');
    }
    return this.arrived.shift();
  }

  /** Receives the message with this body and accepts it. */
  async take(body) {
    const { message, delivery } = await this.receive();
    assert.deepStrictEqual(message.body, body, 'the next message');
    delivery.accept();
    return message;
  }

  /** Checks that no message comes. */
  async nothing() {
    await pause(QUIET);
    assert.deepStrictEqual(this.arrived.map((c) => c.message.body), [], 'nothing should come');
  }

  flow(credit) { this.receiver.add_credit(credit); }

  /** Detaches, after what was settled has left. */
  async detach() {
    this.receiver.close();
    await once(this.receiver, 'receiver_close');
  }
}

class Env {
  constructor(config, name) {
    this.config = config;
    this.queue = this.address(`interop.rhea.${name}`);
    this.connections = [];
  }

  address(name) { return (this.config.prefix || '') + name; }

  /** Opens a connection, closed at the end of the test. */
  async connect(options = {}) {
    const [host, port] = (options.addr || this.config.addr).split(':');
    const container = rhea.create_container(options.container_id ? { id: options.container_id } : {});
    const connection = container.connect({ host, port, reconnect: false, username: 'anonymous', ...options });
    this.connections.push(connection);
    connection.on('error', () => {}); // shown by what fails next
    connection.on('disconnected', () => {});
    const refused = new Promise((_, reject) => {
      for (const event of ['connection_error', 'disconnected']) {
        connection.once(event, (context) => reject(refusal(context)));
      }
    });
    refused.catch(() => {});
    await Promise.race([once(connection, 'connection_open'), refused]);
    return connection;
  }

  async sender(connection, options = {}) {
    const on = connection || await this.connect();
    const sender = on.open_sender({ target: this.queue, ...options });
    await once(sender, 'sender_open', 'sender_error');
    if (!sender.credit) await once(sender, 'sendable', 'sender_error');
    return sender;
  }

  async receiver(credit = 10, connection = undefined, options = {}) {
    const on = connection || await this.connect();
    const receiver = on.open_receiver({
      source: this.queue, credit_window: 0, autoaccept: false, autosettle: false, ...options,
    });
    const inbox = new Inbox(receiver);
    await once(receiver, 'receiver_open', 'receiver_error');
    if (credit > 0) receiver.add_credit(credit);
    return inbox;
  }

  /** Sends a message and waits until it is accepted. */
  async send(sender, message) {
    if (!sender.sendable()) await once(sender, 'sendable', 'sender_error');
    const delivery = sender.send(message);
    await outcomeOf(sender, delivery);
  }

  /** Sends bodies over a connection of its own. */
  async put(...bodies) {
    const sender = await this.sender();
    for (const body of bodies) await this.send(sender, { body });
    sender.connection.close();
  }

  /** Checks that the queue has nothing for a new consumer. */
  async empty() {
    const inbox = await this.receiver();
    await inbox.nothing();
    inbox.receiver.connection.close();
  }

  close() {
    for (const connection of this.connections) {
      if (connection.is_open()) connection.close();
      if (connection.socket) connection.socket.unref();
    }
  }
}

/** Resolves when a delivery is accepted, rejects on any other outcome. */
function outcomeOf(sender, delivery) {
  const events = ['accepted', 'rejected', 'released', 'modified'];
  let stop;
  const outcome = new Promise((resolve, reject) => {
    const listeners = events.map((event) => (context) => {
      if (context.delivery !== delivery) return;
      if (event === 'accepted') resolve(context);
      else reject(new Error(`the message was ${event}`));
    });
    events.forEach((event, i) => sender.on(event, listeners[i]));
    stop = () => events.forEach((event, i) => sender.removeListener(event, listeners[i]));
  });
  return limit(outcome, SOON, 'the outcome of a message').finally(stop);
}

const numbered = (n) => Array.from({ length: n }, (_, i) => `m${i}`);

module.exports = { Env, Inbox, TEST_LIMIT, limit, numbered, once, outcomeOf, pause };
