"""What a test works with: a broker, a queue of its own, and short ways to say
what clients do. Failures are exceptions."""

import uuid

from proton import Delivery, Link, Message, Timeout
from proton.handlers import MessagingHandler
from proton.reactor import AtMostOnce, Container, Copy, LinkOption
from proton.utils import BlockingConnection

SOON = 10.0  # seconds that a message which must come may take
QUIET = 0.3  # seconds that a message which must not come is waited for


class Failure(Exception):
    """Ends a test."""


def want(got, expected, what):
    if got != expected or type(got) != type(expected):
        raise Failure("%s: got %r, want %r" % (what, got, expected))


class Second(LinkOption):
    """rcv-settle-mode second: the broker settles last [amqp-transport 2.6.12]."""

    def apply(self, link):
        link.rcv_settle_mode = Link.RCV_SECOND


class Inbox(MessagingHandler):
    """Keeps what comes, in order, and leaves outcomes to the test."""

    def __init__(self):
        super().__init__(prefetch=0, auto_accept=False)
        self.arrived = []

    def on_message(self, event):
        self.arrived.append((event.message, event.delivery))


class Receiver:
    """A receiving link with a queue of what has come."""

    def __init__(self, connection, address, credit, options=None, name=None, inbox=None):
        self.connection = connection
        self.inbox = inbox or Inbox()
        # BlockingConnection names a link by its address, and two would be one.
        name = name or str(uuid.uuid4())
        self.blocking = connection.create_receiver(
            address, credit=credit, handler=self.inbox, options=options, name=name)
        self.link = self.blocking.link

    def receive(self):
        """The next message, which must come, and its delivery."""
        self.wait(lambda: self.inbox.arrived, "a message that must come")
        return self.inbox.arrived.pop(0)

    def wait(self, condition, what):
        try:
            self.connection.wait(condition, timeout=SOON)
        except Timeout:
            raise Failure("%s did not come in %s s" % (what, SOON))

    def take(self, body):
        """Receives the message with this body and accepts it."""
        message, delivery = self.receive()
        want(message.body, body, "the next message")
        settle(delivery, Delivery.ACCEPTED)
        return message

    def nothing(self):
        """Checks that no message comes."""
        try:
            self.connection.wait(lambda: self.inbox.arrived, timeout=QUIET)
        except Timeout:
            return
        raise Failure("%r came, but nothing should" % self.inbox.arrived[0][0].body)

    def flow(self, credit):
        self.link.flow(credit)

    def detach(self):
        self.blocking.close()


def settle(delivery, state):
    delivery.update(state)
    delivery.settle()


class Env:
    def __init__(self, config, name):
        self.config = config
        self.queue = self.address("interop.proton." + name)
        self.connections = []

    def address(self, name):
        return self.config.get("prefix", "") + name

    def connect(self, addr=None, container_id=None, **kwargs):
        container = None
        if container_id:
            container = Container()
            container.container_id = container_id
        kwargs.setdefault("allowed_mechs", "ANONYMOUS")
        url = "amqp://" + (addr or self.config["addr"])
        connection = BlockingConnection(url, timeout=SOON, container=container, **kwargs)
        self.connections.append(connection)
        return connection

    def sender(self, connection=None, options=None, name=None):
        return (connection or self.connect()).create_sender(
            self.queue, options=options, name=name or str(uuid.uuid4()))

    def receiver(self, credit=10, connection=None, **kwargs):
        return Receiver(connection or self.connect(), self.queue, credit, **kwargs)

    def put(self, *bodies):
        """Sends messages over a connection of its own."""
        sender = self.sender()
        for body in bodies:
            sender.send(Message(body=body))
        sender.connection.close()

    def empty(self):
        """Checks that the queue has nothing for a new consumer."""
        receiver = self.receiver()
        receiver.nothing()
        receiver.connection.close()

    def close(self):
        for connection in self.connections:
            try:
                connection.close()
            except Exception:  # it may have been broken on purpose
                pass


def numbered(n):
    return ["m%d" % i for i in range(n)]
