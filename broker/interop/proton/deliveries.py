"""What happens to one message: outcomes, counts, TTL, settlement."""

import time

from proton import Delivery, Message, symbol
from env import AtMostOnce, Failure, Second, numbered, settle, want


def send_receive(env):
    env.put("hello")
    message = env.receiver().take("hello")
    want(message.delivery_count, 0, "delivery-count")
    want(message.first_acquirer, True, "first-acquirer")


def blocking_receiver(env):
    """BlockingReceiver with its own fetcher, as most programs use it."""
    env.put("a", "b", "c")
    receiver = env.connect().create_receiver(env.queue, credit=1)
    want(receiver.receive(timeout=5).body, "a", "the first message")
    receiver.accept()
    want(receiver.receive(timeout=5).body, "b", "the second message")
    receiver.reject()
    want(receiver.receive(timeout=5).body, "c", "the third message")
    receiver.accept()
    receiver.close()
    env.empty()


def accepted(env):
    env.put("a")
    receiver = env.receiver()
    receiver.take("a")
    receiver.detach()
    env.empty()


def give_back(env, state, prepare=lambda delivery: None):
    """The first of two messages is given back; returns how it comes again."""
    env.put("a", "b")
    connection = env.connect()
    receiver = env.receiver(credit=1, connection=connection)
    message, delivery = receiver.receive()
    want(message.body, "a", "the first message")
    prepare(delivery)
    settle(delivery, state)
    receiver.detach()
    receiver = env.receiver(connection=connection)
    again = receiver.take("a")
    receiver.take("b")
    return again


def released(env):
    again = give_back(env, Delivery.RELEASED)
    want(again.delivery_count, 0, "delivery-count after released")
    want(again.first_acquirer, False, "first-acquirer after released")


def modified_failed(env):
    def prepare(delivery):
        delivery.local.failed = True
    want(give_back(env, Delivery.MODIFIED, prepare).delivery_count, 1, "delivery-count")


def modified_elsewhere(env):
    env.put("a")
    here = env.receiver()
    _, delivery = here.receive()
    delivery.local.undeliverable = True
    settle(delivery, Delivery.MODIFIED)
    here.nothing()
    env.receiver().take("a")


def modified_annotations(env):
    def prepare(delivery):
        delivery.local.annotations = {symbol("x-opt-added"): "new"}
        delivery.local.failed = True
    again = give_back(env, Delivery.MODIFIED, prepare)
    want(dict(again.annotations), {symbol("x-opt-added"): "new"}, "annotations")


def rejected(env):
    env.put("bad", "good")
    receiver = env.receiver()
    _, delivery = receiver.receive()
    settle(delivery, Delivery.REJECTED)
    receiver.take("good")
    receiver.detach()
    env.empty()


def redelivery_count(env):
    env.put("a")
    connection = env.connect()
    for n in range(4):
        receiver = env.receiver(credit=1, connection=connection)
        message, delivery = receiver.receive()
        want(message.delivery_count, n, "delivery-count")
        delivery.local.failed = True
        settle(delivery, Delivery.MODIFIED)
        receiver.detach()
    env.receiver(connection=connection).take("a")


def ttl_expires(env):
    sender = env.sender()
    for body, ttl in ("a", None), ("dies", 0.3), ("b", 3600), ("dies too", 0.3), ("c", None):
        sender.send(Message(body=body, ttl=ttl) if ttl else Message(body=body))
    time.sleep(0.35)
    receiver = env.receiver()
    for body in "a", "b", "c":
        receiver.take(body)
    receiver.nothing()


def ttl_shrinks(env):
    env.sender().send(Message(body="a", ttl=20))
    time.sleep(0.05)
    left = env.receiver().take("a").ttl
    if not 0 < left <= 19.95:
        raise Failure("ttl: got %s after 0.05 s of 20" % left)


def presettled_send(env):
    connection = env.connect()
    sender = env.sender(connection, options=AtMostOnce())
    for body in numbered(100):
        sender.link.send(Message(body=body))
    receiver = env.receiver(connection=connection)
    for body in numbered(100):
        receiver.take(body)
        receiver.flow(1)


def presettled_receive(env):
    env.put(*numbered(20))
    receiver = env.receiver(credit=20, options=AtMostOnce())
    for body in numbered(20):
        message, delivery = receiver.receive()
        want(message.body, body, "the next message")
        want(delivery.settled, True, "settled by the broker")
    receiver.detach()
    env.empty()


def settle_second(env):
    """Each outcome is confirmed by the broker's own settling."""
    env.put("accepted", "rejected", "released")
    connection = env.connect()
    receiver = env.receiver(connection=connection, options=Second())
    for body, state in (("accepted", Delivery.ACCEPTED), ("rejected", Delivery.REJECTED),
                        ("released", Delivery.RELEASED)):
        message, delivery = receiver.receive()
        want(message.body, body, "the next message")
        want(delivery.settled, False, "settled before there is an outcome")
        delivery.update(state)
        receiver.wait(lambda: delivery.settled, "the broker's settling of " + body)
        delivery.settle()
    receiver.detach()
    env.receiver(connection=connection).take("released")
    env.empty()


def large(env):
    body = b"0123456789abcdef" * (10 * 1024 * 1024 // 16)
    connection = env.connect()
    sender, receiver = env.sender(connection), env.receiver(connection=connection)
    for _ in range(2):
        sender.send(Message(body=body))
        message, delivery = receiver.receive()
        if message.body != body:
            raise Failure("a body of 10 MiB came with %d bytes, or changed" % len(message.body))
        settle(delivery, Delivery.ACCEPTED)


def small_frames(env):
    body = b"x" * 100_000
    connection = env.connect(max_frame_size=512)
    env.sender(connection).send(Message(body=body))
    env.receiver(connection=connection).take(body)


TESTS = {
    "send-receive": send_receive,
    "blocking-receiver": blocking_receiver,
    "outcome-accepted": accepted,
    "outcome-released": released,
    "outcome-modified-failed": modified_failed,
    "outcome-modified-elsewhere": modified_elsewhere,
    "outcome-modified-annotations": modified_annotations,
    "outcome-rejected": rejected,
    "redelivery-count": redelivery_count,
    "ttl-expires": ttl_expires,
    "ttl-shrinks": ttl_shrinks,
    "presettled-send": presettled_send,
    "presettled-receive": presettled_receive,
    "settle-second": settle_second,
    "large-10MiB": large,
    "small-frames": small_frames,
}
