#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Clients with credentials that behave badly; parts of test_abuse.sh.

usage: abuse_calls.py streams|names|descriptors
"""
import base64
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import time

import stun
import stun_stream
import tap
import wire

LOCAL, SERVER = "10.90.1.2", (os.environ["SERVER4"], 3478)
REST_SECRET = b"rest-secret"
PAIRS = 12
ALLOCATIONS_MAX = 400


def ctl(*arguments):
    """turnpikectl's JSON, or None where it fails."""
    command = ["turnpikectl", "--socket", os.environ["SOCKET"], "--json", *arguments]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=5, check=True)
    except subprocess.SubprocessError:
        return None
    return json.loads(done.stdout)


def good(answer):
    """A success response."""
    return answer is not None and answer.klass == stun.SUCCESS


def streams():
    """A reserved port belongs to the worker that reserved it, whichever worker has the connection that takes it: when
    that connection ends, so does the allocation (RFC 8656 section 3.1)."""
    first, second = [], []
    with wire.namespace("cl"):
        for _ in range(PAIRS):
            first.append(stun_stream.StreamClient(LOCAL, SERVER))
            answer = first[-1].allocate((stun.EVEN_PORT, b"\x80"))
            token = answer.get(stun.RESERVATION_TOKEN) if good(answer) else b""
            second.append(stun_stream.StreamClient(LOCAL, SERVER))
            if not good(second[-1].allocate((stun.RESERVATION_TOKEN, token))):
                break
    tap.eq(len(ctl("list")), 2 * PAIRS, f"{PAIRS} reservations taken over TCP")
    for client in second:
        client.close()
    tap.ok(tap.wait_until(lambda: len(ctl("list")) == PAIRS, 10), "their connections end, and they with them",
           f"{len(ctl('list'))} are left")
    for client in first:
        client.close()
    tap.ok(tap.wait_until(lambda: not ctl("list"), 10), "the others as well")


class NamedClient(stun.Client):
    """With a name of the REST API that is bytes."""

    def __init__(self, name):
        super().__init__(LOCAL, SERVER)
        self.user = b"%d:%s" % (time.time() + 600, name)
        self.password = base64.b64encode(hmac.new(REST_SECRET, self.user, hashlib.sha1).digest())

    def credentials(self):
        return [(stun.USERNAME, self.user), (stun.REALM, self.realm), (stun.NONCE, self.nonce)]

    def key(self):
        return hashlib.md5(b":".join((self.user, self.realm, self.password))).digest()


def names():
    """JSON takes UTF-8 only; who signs names may sign anything."""
    with wire.namespace("cl"):
        client = NamedClient(b"caf\xe9 \"\\\n\x1b[2J")
        tap.ok(good(client.allocate()), "a name in Latin-1, signed by the application")
    listed = ctl("list") or []
    if not tap.eq([entry["user"].endswith(":caf\\xe9 \"\\\n\x1b[2J") for entry in listed], [True], "is in the list"):
        return
    tap.ok(ctl("show", listed[0]["id"]), "can be shown")
    shown = subprocess.run(["turnpikectl", "--socket", os.environ["SOCKET"], "show", listed[0]["id"]],
                           stdout=subprocess.PIPE, timeout=20, check=False).stdout
    tap.ok(shown and b"\x1b" not in shown, "without its control sequences on a terminal", repr(shown))
    tap.ok(ctl("kill", listed[0]["id"]), "and ended")


def descriptors():
    """Every descriptor is a relay socket: whoever can end allocations must still be heard."""
    clients = []
    with wire.namespace("cl"):
        while len(clients) < ALLOCATIONS_MAX:
            clients.append(stun.Client(LOCAL, SERVER))
            answer = clients[-1].allocate()
            if not good(answer):
                break
    tap.eq(answer and answer.code, 508, "without descriptors Allocate is answered with 508")
    idle = []
    for number in range(3):
        idle.append(socket.socket(socket.AF_UNIX))
        idle[-1].connect(os.environ["SOCKET"])
        tap.ok(ctl("status"), f"turnpikectl is answered, beside {number + 1} connections that say nothing")
    tap.ok(ctl("kill", "--user", "alice"), "and ends allocations")
    with wire.namespace("cl"):
        clients.append(stun.Client(LOCAL, SERVER))
        tap.ok(tap.wait_until(lambda: good(clients[-1].allocate()), 10), "then there is room again")


def main():
    """See above."""
    {"streams": streams, "names": names, "descriptors": descriptors}[sys.argv[1]]()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
