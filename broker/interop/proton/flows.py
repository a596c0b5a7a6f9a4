"""Many messages: order, credit, sharing, browsing."""

import json
import os
import subprocess
import sys
import time

from proton import Delivery, Message
from proton.handlers import MessagingHandler
from proton.reactor import Container
from env import Copy, Env, Failure, SOON, numbered, settle, want


class Pipeline(MessagingHandler):
    """Sends bodies without waiting for each answer, and receives all of them."""

    def __init__(self, url, address, bodies, credit):
        super().__init__(prefetch=credit)
        self.url, self.address, self.bodies = url, address, bodies
        self.sent = self.accepted = 0
        self.received = []

    def on_start(self, event):
        self.connection = event.container.connect(self.url, allowed_mechs="ANONYMOUS", reconnect=False)
        event.container.create_sender(self.connection, self.address)
        event.container.create_receiver(self.connection, self.address)
        self.deadline = event.container.schedule(SOON * 2, self)

    def on_sendable(self, event):
        while event.sender.credit and self.sent < len(self.bodies):
            event.sender.send(Message(body=self.bodies[self.sent]))
            self.sent += 1

    def on_accepted(self, event):
        self.accepted += 1
        self.stop_if_done()

    def on_message(self, event):
        self.received.append(event.message.body)
        self.stop_if_done()

    def on_timer_task(self, event):
        self.connection.close()

    def stop_if_done(self):
        if self.accepted == len(self.bodies) == len(self.received):
            self.deadline.cancel()
            self.connection.close()


def messaging_handler(env, credit=100):
    """MessagingHandler and Container, as event-driven programs use them."""
    bodies = numbered(3000)
    handler = Pipeline("amqp://" + env.config["addr"], env.queue, bodies, credit)
    Container(handler).run()
    want(handler.accepted, len(bodies), "accepted")
    want(handler.received == bodies, True, "all came, in order")


def large_credit(env):
    messaging_handler(env, credit=20_000)


def credit_by_hand(env):
    env.put(*numbered(4))
    receiver = env.receiver(credit=0)
    receiver.nothing()
    receiver.flow(3)
    for body in numbered(3):
        receiver.take(body)
    receiver.nothing()
    receiver.flow(1)
    receiver.take("m3")


def drain(env, bodies):
    """Drains with more credit than there are messages [amqp-transport 2.6.7]."""
    env.put(*bodies)
    receiver = env.receiver(credit=0)
    receiver.link.drain(10)
    receiver.wait(lambda: receiver.link.credit == 0, "the answer to drain")
    want([message.body for message, _ in receiver.inbox.arrived], list(bodies), "came before the answer")
    for body in bodies:
        receiver.take(body)
    env.put("later")
    receiver.nothing()
    receiver.link.drain_mode = False
    receiver.flow(1)
    receiver.take("later")


def drain_empty(env):
    drain(env, ())


def drain_some(env):
    drain(env, numbered(3))


def browse(env):
    bodies = numbered(50)
    env.put(*bodies)
    for _ in range(2):
        receiver = env.receiver(credit=100, options=Copy())
        for body in bodies:
            receiver.take(body)
        receiver.nothing()
    receiver = env.receiver(credit=100)
    for body in bodies:
        message = receiver.take(body)
        want(message.delivery_count, 0, "delivery-count after browsing")
        want(message.first_acquirer, True, "first-acquirer after browsing")
    receiver.nothing()


def competing(env):
    """Two links with the same credit share what is there, each at least a quarter."""
    connection = env.connect()
    receivers = [env.receiver(credit=10, connection=connection) for _ in range(2)]
    sender = env.sender(connection)
    shares = [0, 0]
    for _ in range(200):
        sender.send(Message(body="m"))
        for i, receiver in enumerate(receivers):
            shares[i] += drain_inbox(receiver)
    deadline = time.time() + SOON
    while sum(shares) < 200 and time.time() < deadline:
        connection.wait(lambda: any(r.inbox.arrived for r in receivers), timeout=SOON)
        for i, receiver in enumerate(receivers):
            shares[i] += drain_inbox(receiver)
    want(sum(shares), 200, "messages that came")
    if min(shares) < 50:
        raise Failure("unfair: %s" % shares)


def drain_inbox(receiver):
    """Accepts what has come, renews the credit and says how many there were."""
    count = 0
    while receiver.inbox.arrived:
        _, delivery = receiver.inbox.arrived.pop(0)
        settle(delivery, Delivery.ACCEPTED)
        receiver.flow(1)
        count += 1
    return count


def hold(queue, count):
    """A process that receives and never settles, until it is killed."""
    env = Env(json.loads(os.environ["INTEROP"]), "hold")
    env.queue = queue
    receiver = env.receiver(credit=10)
    for _ in range(count):
        receiver.receive()
    print("holding", flush=True)
    sys.stdin.read()
    return 0


def abrupt_disconnect(env):
    """A client is killed; what it held comes again, in its place."""
    bodies = numbered(20)
    env.put(*bodies)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "suite.py")
    child = subprocess.Popen([sys.executable, script, "hold", env.queue, "5"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        want(child.stdout.readline(), "holding\n", "the child")
    finally:
        child.kill()
        child.wait()
    receiver = env.receiver(credit=30)
    for i, body in enumerate(bodies):
        message = receiver.take(body)
        want(message.delivery_count, 0, "delivery-count of " + body)
        if i < 5:
            want(message.first_acquirer, False, "first-acquirer of " + body)
    receiver.nothing()


TESTS = {
    "messaging-handler": messaging_handler,
    "large-credit": large_credit,
    "credit-by-hand": credit_by_hand,
    "drain-empty": drain_empty,
    "drain-some": drain_some,
    "browse": browse,
    "competing-consumers": competing,
    "abrupt-disconnect": abrupt_disconnect,
}
