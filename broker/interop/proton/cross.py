"""Messages from suite to suite, compared byte by byte. Proton sends and receives
raw bytes here, so that it judges the broker and not its own codec."""

import json
import os

from proton import Delivery
from env import Failure, Inbox, settle

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus", "corpus.json")


def kept(message):
    """What a broker must not touch: all but the header and the
    delivery-annotations at the head of a message [amqp-messaging 3.2]."""
    for descriptor in b"\x00\x53\x70", b"\x00\x53\x71":
        if message.startswith(descriptor):
            message = message[3:]
            code = message[0]
            if code == 0x45:
                size = 1
            elif code in (0xC0, 0xC1):
                size = 2 + message[1]
            else:
                size = 5 + int.from_bytes(message[1:5], "big")
            message = message[size:]
    return message


def exchange_file(env, sender, receiver):
    return os.path.join(env.config["exchange"], "%s-%s.json" % (sender, receiver))


def send(env, to):
    """Sends the corpus as it stands, less what the other side cannot read."""
    env.queue = env.address("interop.cross.proton." + to)
    sender = env.sender()
    log = []
    with open(CORPUS) as f:
        corpus = json.load(f)
    for entry in corpus:
        if to == "goamqp" and not entry["goamqp"]:
            continue
        delivery = sender.link.delivery(sender.link.delivery_tag())
        sender.link.stream(bytes.fromhex(entry["hex"]))
        sender.link.advance()
        sender.connection.wait(lambda: delivery.settled, msg="the outcome of " + entry["name"])
        if delivery.remote_state != Delivery.ACCEPTED:
            raise Failure("%s: the outcome is %s" % (entry["name"], delivery.remote_state))
        delivery.settle()
        log.append({"name": entry["name"], "hex": entry["hex"]})
    with open(exchange_file(env, "proton", to), "w") as f:
        json.dump(log, f)


class RawInbox(Inbox):
    """Keeps the bytes of what comes, undecoded."""

    def on_delivery(self, event):
        delivery = event.delivery
        if event.receiver and delivery.readable and not delivery.partial:
            self.arrived.append((event.receiver.recv(delivery.pending), delivery))
            event.receiver.advance()


def receive(env, sender):
    env.queue = env.address("interop.cross.%s.proton" % sender)
    with open(exchange_file(env, sender, "proton")) as f:
        log = json.load(f)
    receiver = env.receiver(credit=10, inbox=RawInbox())
    wrong = []
    for entry in log:
        got, delivery = receiver.receive()
        settle(delivery, Delivery.ACCEPTED)
        receiver.flow(1)
        expected = kept(bytes.fromhex(entry["hex"]))
        if kept(got) != expected:
            wrong.append("%s: got %s, want %s" % (entry["name"], kept(got).hex(), expected.hex()))
    receiver.nothing()
    if wrong:
        raise Failure("\n".join(wrong))
