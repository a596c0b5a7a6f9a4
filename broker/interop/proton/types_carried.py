"""What a message may carry, in the types of proton. Encodings that proton never
makes are the corpus's business (cross.py)."""

import uuid

from proton import (
    Array, Data, Delivery, Described, Message, UNDESCRIBED, byte, char, decimal32, decimal64,
    decimal128, float32, int32, short, symbol, timestamp, ubyte, uint, ulong, ushort)
from env import Failure, settle, want

SIMPLE = [
    None, True, False,
    ubyte(0), ubyte(255), ushort(65535), uint(0), uint(200), uint(2**32 - 1),
    ulong(0), ulong(200), ulong(2**64 - 1),
    byte(-128), short(-32768), int32(-1), int32(-2**31), -1, 2**63 - 1, -2**63,
    float32(1.5), 3.141592653589793, float("-inf"),
    decimal32(0x32800001), decimal64(0x31C0000000000001), decimal128(bytes(range(16))),
    char("\U0001f600"), timestamp(1_700_000_000_123), timestamp(-1),
    uuid.UUID(int=0x00112233445566778899AABBCCDDEEFF),
    b"", b"\x00\xff", "", "zu früh: ☃", "x" * 300, symbol("x-sym"),
]

COMPOUND = [
    [], [1, "a", [True, None]], {}, {"a": 1, "b": {"c": "d"}}, {1: "a", symbol("s"): 2},
    Array(UNDESCRIBED, Data.INT, 1, -1), Array(UNDESCRIBED, Data.SYMBOL, "a", "b"),
    Array(UNDESCRIBED, Data.STRING), Array("x-desc", Data.ULONG, 1, 2),
    Described(symbol("x:y"), "value"), Described(ulong(77), [1, "two"]),
]


def same(got, expected):
    """Equal in value and type. Arrays compare by what they hold."""
    if isinstance(expected, Array):
        return isinstance(got, Array) and got.type == expected.type and list(got.elements) == list(expected.elements)
    if isinstance(expected, dict):
        return got == expected
    return type(got) == type(expected) and got == expected


def want_same(got, expected, what):
    if not same(got, expected):
        raise Failure("%s: got %s %r, want %s %r" % (what, type(got), got, type(expected), expected))


class Echo:
    """Sends a message and gives back what comes."""

    def __init__(self, env):
        connection = env.connect()
        self.sender = env.sender(connection)
        self.receiver = env.receiver(credit=1, connection=connection)

    def __call__(self, message):
        self.sender.send(message)
        got, delivery = self.receiver.receive()
        settle(delivery, Delivery.ACCEPTED)
        self.receiver.flow(1)
        return got


def body_value(env):
    echo = Echo(env)
    for value in SIMPLE + COMPOUND:
        want_same(echo(Message(body=value, inferred=False)).body, value, "value")


def body_data(env):
    echo = Echo(env)
    for data in b"", b"a", bytes(70_000):
        got = echo(Message(body=data, inferred=True))
        want(got.inferred, True, "a data section")
        want(got.body, data, "data of %d bytes" % len(data))


def body_sequence(env):
    got = Echo(env)(Message(body=[1, "a", True, None], inferred=True))
    want(got.inferred, True, "a sequence section")
    want(got.body, [1, "a", True, None], "sequence")


def properties(env):
    echo = Echo(env)
    for ident in ulong(0), ulong(2**64 - 1), uuid.UUID(int=7), b"\x00\x01", "id-1":
        sent = Message(
            body="x", id=ident, correlation_id=ident, user_id=b"user", address="to", subject="subject",
            reply_to="reply", content_type=symbol("text/plain"), content_encoding=symbol("gzip"),
            expiry_time=10_729_000_000, creation_time=1_700_000_000.123, group_id="group",
            group_sequence=7, reply_to_group_id="rg")
        got = echo(sent)
        # proton hands out an id of type ulong as a plain int
        want(got.id == ident, True, "message-id %r, got %r" % (ident, got.id))
        want(got.correlation_id == ident, True, "correlation-id %r, got %r" % (ident, got.correlation_id))
        for field in ("user_id", "address", "subject", "reply_to", "content_type", "content_encoding",
                      "expiry_time", "creation_time", "group_id", "group_sequence", "reply_to_group_id"):
            want(getattr(got, field), getattr(sent, field), field)


def application_properties(env):
    echo = Echo(env)
    for value in SIMPLE:
        got = echo(Message(body="x", properties={"k": value}))
        want_same(got.properties["k"], value, "application-property")


def annotations(env):
    echo = Echo(env)
    for value in SIMPLE + COMPOUND:
        got = echo(Message(body="x", annotations={symbol("x-opt-a"): value}))
        want_same(got.annotations[symbol("x-opt-a")], value, "message-annotation")


def header(env):
    echo = Echo(env)
    for durable, priority in (False, 4), (True, 4), (True, 9), (False, 0):
        got = echo(Message(body="x", durable=durable, priority=priority))
        want(got.durable, durable, "durable")
        want(got.priority, priority, "priority")


TESTS = {
    "body-value": body_value,
    "body-data": body_data,
    "body-sequence": body_sequence,
    "properties": properties,
    "application-properties": application_properties,
    "annotations": annotations,
    "header": header,
}
