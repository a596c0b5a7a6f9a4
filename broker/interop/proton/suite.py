#!/usr/bin/python3
"""The qpid-proton suite of make interop. Debian's python3-qpid-proton only.

    INTEROP='{"addr":"127.0.0.1:5672"}' /usr/bin/python3 suite.py run
                                                            ... send SUITE
                                                            ... receive SUITE

What INTEROP may say, and what "send" and "receive" do, stands at the go-amqp
suite (../goamqp/main.go). The last line is "proton: N passed, N failed".
"""

import json
import os
import sys
import traceback

import connections
import cross
import deliveries
import flows
import types_carried
from env import Env, Failure


def tests_of(config):
    tests = {}
    tests.update(deliveries.TESTS)
    tests.update(flows.TESTS)
    tests.update(types_carried.TESTS)
    tests.update(connections.TESTS)
    if config.get("auth_addr"):
        tests.update(connections.AUTH_TESTS)
    if config.get("never"):
        tests.update(connections.NEVER_TESTS)
    only = config.get("only", "")
    return {name: run for name, run in tests.items() if only in name}


def chosen(config, mode, args):
    if mode == "run" and not args:
        return tests_of(config)
    if mode == "send" and len(args) == 1:
        return {"send-to-" + args[0]: lambda env: cross.send(env, args[0])}
    if mode == "receive" and len(args) == 1:
        return {"receive-from-" + args[0]: lambda env: cross.receive(env, args[0])}
    sys.exit("usage: INTEROP=... suite.py run | send SUITE | receive SUITE")


def run_one(config, name, run):
    """Says what went wrong, or None."""
    env = Env(config, name)
    try:
        run(env)
    except Failure as failure:
        return str(failure)
    except Exception:  # any other exception is a failure of that test, too
        return traceback.format_exc()
    finally:
        env.close()
    return None


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "hold":
        return flows.hold(sys.argv[2], int(sys.argv[3]))
    config = json.loads(os.environ["INTEROP"])
    tests = chosen(config, sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:])
    failed = 0
    for name, run in tests.items():
        wrong = run_one(config, name, run)
        if wrong:
            failed += 1
            print("FAIL proton %s: %s" % (name, wrong), flush=True)
        else:
            print("ok   proton %s" % name, flush=True)
    print("proton: %d passed, %d failed" % (len(tests) - failed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # proton's finalizers may run in an order that crashes
