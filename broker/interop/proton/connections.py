"""Links, sessions and connections."""

from proton import ConnectionException, LinkException, Message, ProtonException, Timeout
from proton.utils import LinkDetached
from env import Failure, Receiver, want


def link_stealing(env):
    """A link's name that is attached anew is taken from who had it."""
    def same():
        connection = env.connect(container_id="thief-and-victim")
        return env.receiver(credit=1, connection=connection, name="one-name")
    old = same()
    thief = same()
    try:
        old.connection.wait(lambda: old.inbox.arrived, timeout=5)
    except LinkDetached as detached:
        want(detached.condition, "amqp:link:stolen", "the end of the old link")
    except Timeout:
        raise Failure("the old link was not detached")
    env.put("a")
    thief.take("a")


def many_links(env):
    connection = env.connect()
    queue, receivers = env.queue, []
    for i in range(100):
        env.queue = "%s.%d" % (queue, i)
        env.sender(connection).send(Message(body="to %d" % i))
        receivers.append(env.receiver(credit=1, connection=connection))
    for i, receiver in enumerate(receivers):
        receiver.take("to %d" % i)


def reattach(env):
    connection = env.connect()
    for i in range(10):
        sender = env.sender(connection, name="again")
        sender.send(Message(body=i))
        sender.close()
        receiver = env.receiver(credit=1, connection=connection, name="again too")
        receiver.take(i)
        receiver.detach()


def not_found(env):
    """BlockingConnection closes itself after a refusal, so that the other links
    live on is for the other suites to show."""
    never = env.config["never"]
    for attach in (lambda connection: Receiver(connection, never, 1),
                   lambda connection: connection.create_sender(never)):
        try:
            attach(env.connect())
        except LinkDetached as detached:
            want(detached.condition, "amqp:not-found", "the refusal")
        except LinkException as other:
            raise Failure("refused without a condition: %s" % other)
        else:
            raise Failure("a link was attached where nothing may be")


def sasl_good(env):
    connection = env.connect(env.config["auth_addr"], allowed_mechs="PLAIN",
                             user=env.config["user"], password=env.config["password"])
    env.sender(connection).send(Message(body="a"))
    env.receiver(connection=connection).take("a")


def refused(env, what, **kwargs):
    try:
        env.connect(env.config["auth_addr"], **kwargs)
    except (ConnectionException, ProtonException):
        return
    raise Failure(what + " was let in")


def sasl_bad(env):
    user = env.config["user"]
    refused(env, "a wrong password", allowed_mechs="PLAIN", user=user, password="wrong")
    refused(env, "an unknown user", allowed_mechs="PLAIN", user="nobody", password=env.config["password"])


def sasl_anonymous_refused(env):
    refused(env, "an anonymous client", allowed_mechs="ANONYMOUS")


def idle_timeout(env):
    """The broker announces one second, and so do we; both send empty frames."""
    connection = env.connect(env.config["auth_addr"], allowed_mechs="PLAIN", heartbeat=1,
                             user=env.config["user"], password=env.config["password"])
    try:
        connection.wait(lambda: False, timeout=3)
    except Timeout:
        pass
    env.sender(connection).send(Message(body="a"))
    env.receiver(connection=connection).take("a")


TESTS = {
    "link-stealing": link_stealing,
    "many-links": many_links,
    "reattach": reattach,
}

NEVER_TESTS = {"not-found": not_found}

AUTH_TESTS = {
    "sasl-plain-good": sasl_good,
    "sasl-plain-bad": sasl_bad,
    "sasl-anonymous-refused": sasl_anonymous_refused,
    "idle-timeout": idle_timeout,
}
