#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Allocations that come and go, with permission, channel and a packet each way; a part of test_growth.sh.

usage: churn.py ROUNDS FIRST_PORT    in the client's namespace, the peer being turnutils_peer
"""
import os
import sys

import stun
import tap

PEER = (os.environ["PEER4"], 3480)


def main():
    """One client socket after another; the first failure ends it."""
    rounds, first = int(sys.argv[1]), int(sys.argv[2])
    for number in range(rounds):
        # A port of its own for each: some allocations outlive their client, and stay on its 5-tuple.
        client = stun.Client("10.90.1.2", (os.environ["SERVER4"], 3478), port=first + number)
        channel = 0x4000 + number % 0x1000
        for method, arguments in ((client.allocate, ()), (client.permit, (PEER[0], "10.90.2.9")),
                                  (client.bind, (channel, PEER))):
            answer = method(*arguments)
            if not answer or answer.klass != stun.SUCCESS:
                tap.ok(False, f"round {number}", f"error {answer.code}" if answer else "no answer")
                return tap.done()
        client.channel(channel, b"x" * 100)
        if client.take(5) is None:
            tap.note(f"round {number}: no echo")
        if number % 4:
            client.refresh(0)  # the fourth is left to its lifetime
        client.close()
    tap.ok(True, f"{rounds} allocations came and went")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
