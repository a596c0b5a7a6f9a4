'use strict';
// What a message may carry, in the types of rhea. Encodings that rhea never
// makes are the corpus's business (cross.js).

const assert = require('node:assert');
const rhea = require('rhea');

const { types } = rhea;
const uuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

// Each value: [name, as it is sent, as rhea hands it out]. They are made anew for
// each test, because rhea writes its descriptors into what it sends.
const simple = () => [
  ['null', null, null],
  ['true', true, true], ['false', false, false],
  ['ubyte', types.wrap_ubyte(255), 255],
  ['ushort', types.wrap_ushort(65535), 65535],
  ['uint 0', types.wrap_uint(0), 0], ['uint', types.wrap_uint(4294967295), 4294967295],
  ['ulong 0', types.wrap_ulong(0), 0], ['ulong small', types.wrap_ulong(200), 200],
  ['ulong', types.wrap_ulong(2 ** 53 - 1), 2 ** 53 - 1],
  ['byte', types.wrap_byte(-128), -128],
  ['short', types.wrap_short(-32768), -32768],
  ['int', types.wrap_int(-2147483648), -2147483648], ['int small', types.wrap_int(-1), -1],
  ['long', types.wrap_long(-(2 ** 53) + 1), -(2 ** 53) + 1], ['long small', types.wrap_long(-1), -1],
  ['float', types.wrap_float(1.5), 1.5],
  ['double', types.wrap_double(Math.PI), Math.PI],
  ['timestamp', types.wrap_timestamp(1700000000123), new Date(1700000000123)],
  ['uuid', types.wrap_uuid(uuid), uuid],
  ['binary', types.wrap_binary(Buffer.from([0, 255])), Buffer.from([0, 255])],
  ['binary empty', types.wrap_binary(Buffer.alloc(0)), Buffer.alloc(0)],
  ['string', 'zu früh: ☃', 'zu früh: ☃'], ['string empty', '', ''], ['string long', 'x'.repeat(300), 'x'.repeat(300)],
  ['symbol', types.wrap_symbol('x-sym'), 'x-sym'],
];

const compound = () => [
  ['list', [1, 'a', [true]], [1, 'a', [true]]],
  ['list empty', [], []],
  ['map', { a: 1, b: { c: 'd' } }, { a: 1, b: { c: 'd' } }],
  ['array of int', types.wrap_array([1, -1], 0x71), [1, -1]],
  ['array of symbol', types.wrap_array(['a', 'b'], 0xa3), ['a', 'b']],
];

/** A function that sends a message and resolves to what comes. */
async function echo(env) {
  const connection = await env.connect();
  const sender = await env.sender(connection);
  const inbox = await env.receiver(1, connection);
  return async (message) => {
    await env.send(sender, message);
    const { message: got, delivery } = await inbox.receive();
    delivery.accept();
    inbox.flow(1);
    return got;
  };
}

/** Buffers and dates compare by content, numbers by value. */
function same(got, want, what) {
  if (want instanceof Date) assert.strictEqual(new Date(got).getTime(), want.getTime(), what);
  else if (Buffer.isBuffer(want)) assert.ok(Buffer.isBuffer(got) && want.equals(got), what);
  else assert.deepStrictEqual(got, want, what);
}

async function bodyValue(env) {
  const send = await echo(env);
  for (const [name, value, want] of [...simple(), ...compound()]) same((await send({ body: value })).body, want, name);
}

async function bodyData(env) {
  const send = await echo(env);
  for (const size of [0, 1, 70_000]) {
    const data = Buffer.alloc(size, 'd');
    const { body } = await send({ body: rhea.message.data_section(data) });
    assert.strictEqual(body.typecode, 0x75);
    assert.ok(data.equals(body.content), `data of ${size} bytes`);
  }
  const parts = [Buffer.from('a'), Buffer.alloc(0), Buffer.from('b')];
  const { body } = await send({ body: rhea.message.data_sections(parts) });
  assert.deepStrictEqual(body.content.map(String), parts.map(String), 'several data sections');
}

async function bodySequence(env) {
  const send = await echo(env);
  const one = await send({ body: rhea.message.sequence_section([1, 'a', true]) });
  assert.strictEqual(one.body.typecode, 0x76);
  assert.deepStrictEqual(one.body.content, [1, 'a', true]);
  const two = await send({ body: rhea.message.sequence_sections([[1], ['b']]) });
  assert.deepStrictEqual(two.body.content, [[1], ['b']], 'several sequence sections');
}

async function properties(env) {
  const send = await echo(env);
  for (const id of ['id-1', uuid, types.wrap_ulong(7)]) {
    const want = {
      message_id: id, user_id: Buffer.from('user'), to: 'to', subject: 'subject', reply_to: 'reply',
      correlation_id: id, content_type: 'text/plain', content_encoding: 'gzip',
      absolute_expiry_time: 10_729_000_000_000, creation_time: 1_700_000_000_123,
      group_id: 'group', group_sequence: 7, reply_to_group_id: 'rg',
    };
    const got = await send({ body: 'x', ...want });
    for (const [name, value] of Object.entries(want)) {
      if (value instanceof Object && !Buffer.isBuffer(value)) same(got[name], 7, name);
      else if (name.endsWith('_time')) same(got[name], new Date(value), name);
      else if (value === uuid) same(Buffer.from(got[name]), uuid, name);
      else if (name === 'user_id') assert.strictEqual(String(got[name]), 'user');
      else same(got[name], value, name);
    }
  }
}

async function applicationProperties(env) {
  const send = await echo(env);
  for (const [name, value, want] of simple()) {
    same((await send({ body: 'x', application_properties: { k: value } })).application_properties.k, want, name);
  }
}

async function annotations(env) {
  const send = await echo(env);
  for (const [name, value, want] of [...simple(), ...compound()]) {
    const got = await send({ body: 'x', message_annotations: { 'x-opt-a': value } });
    same(got.message_annotations['x-opt-a'], want, name);
  }
}

async function header(env) {
  const send = await echo(env);
  for (const [durable, priority] of [[false, 4], [true, 4], [true, 9], [false, 0]]) {
    const got = await send({ body: 'x', durable, priority });
    assert.strictEqual(Boolean(got.durable), durable, 'durable');
    assert.strictEqual(got.priority === undefined ? 4 : got.priority, priority, 'priority');
  }
}

module.exports = {
  'body-value': bodyValue,
  'body-data': bodyData,
  'body-sequence': bodySequence,
  properties,
  'application-properties': applicationProperties,
  annotations,
  header,
};
