#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What the control plane decides about a live call, the kernel does at once; a part of test_followed.sh.

usage: followed.py CONFIGURATION   the relay's, which is edited and loaded again

Packets are numbered by what they belong to, so that one that is late is never taken for another.
"""
import json
import os
import struct
import subprocess
import sys
import time

import stun
import tap
import wire

MOBILITY_TICKET = 0x8030
CHANNEL = 0x4001
BURST, SIZE = 50, 100


def ctl(*arguments):
    """turnpikectl's JSON, or its text."""
    done = subprocess.run(["turnpikectl", "--socket", os.environ["SOCKET"], "--json", *arguments],
                          check=True, capture_output=True, timeout=20)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return done.stdout


def in_kernel():
    """Packets relayed in the kernel so far."""
    return ctl("stats")["relayed"]["kernel"]["packets"]


class Call:
    """A client, moved or not, and its peer."""

    def __init__(self, port, user="alice", password="secret1"):
        self.user, self.password = user, password
        self.client = self.new_client()
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(os.environ["PEER4"], port)
        self.ticket = None
        self.bursts = 0

    def new_client(self):
        """One more socket of the same user."""
        with wire.namespace("cl"):
            return stun.Client("10.90.1.2", (os.environ["SERVER4"], 3478), self.user, self.password)

    def start(self, *attributes):
        """An allocation with a channel."""
        answer = self.client.allocate(*attributes)
        self.ticket = answer.get(MOBILITY_TICKET) if answer else None
        bound = self.client.bind(CHANNEL, self.peer.getsockname())
        return tap.ok(bound is not None and bound.klass == stun.SUCCESS, f"a call of {self.user}")

    def up(self, client=None):
        """A burst to the peer; how many of it arrive."""
        self.bursts += 1
        mark = struct.pack("!I", self.bursts) + bytes(SIZE - 4)
        for _ in range(BURST):
            (client or self.client).channel(CHANNEL, mark)
            time.sleep(0.001)
        return self.count(lambda: self.peer.recv(2048) == mark, self.peer)

    def down(self, client=None):
        """A burst to the client; how many of it arrive there as ChannelData."""
        to = client or self.client
        self.bursts += 1
        mark = struct.pack("!I", self.bursts) + bytes(SIZE - 4)
        for _ in range(BURST):
            self.peer.sendto(mark, self.client.relayed)
            time.sleep(0.001)

        def ours():
            to.sort(to.sock.recv(2048))
            return bool(to.inbox) and to.inbox.pop(0) == ("channel", CHANNEL, mark)
        return self.count(ours, to.sock)

    @staticmethod
    def count(ours, sock):
        """Until the whole burst is there, or nothing more has come for a while."""
        got, end = 0, time.monotonic() + 3.0
        sock.settimeout(0.3)
        while got < BURST and time.monotonic() < end:
            try:
                got += ours()
            except OSError:
                break
        return got

    def silent(self, why):
        """Nothing goes through any more."""
        tap.eq((self.up(), self.down()), (0, 0), f"{why}: the kernel relays nothing more, in either direction")


def move(call):
    """RFC 8016: the ticket, from a new socket. Returns the old client."""
    old = call.client
    new = call.new_client()
    new.relayed = old.relayed
    answer = new.request(stun.REFRESH, [(stun.LIFETIME, struct.pack("!I", 600)), (MOBILITY_TICKET, call.ticket)])
    tap.ok(answer is not None and answer.klass == stun.SUCCESS, "mobility: the ticket is accepted",
           f"{answer and answer.code}")
    call.ticket = answer.get(MOBILITY_TICKET) if answer else None
    call.client = new
    return old


def mobility():
    """To a new 5-tuple and on, without a request between."""
    call = Call(4101)
    call.start((MOBILITY_TICKET, b""))
    before = in_kernel()
    tap.eq((call.up(), call.down()), (BURST, BURST), "mobility: before, both directions")
    tap.eq(in_kernel() - before, 2 * BURST, "mobility: in the kernel")
    old = move(call)
    before = in_kernel()
    tap.eq(call.down(), BURST, "mobility: the peer's next packets reach the new socket")
    tap.eq(call.up(), BURST, "mobility: the client's come from it")
    tap.eq(in_kernel() - before, 2 * BURST, "mobility: in the kernel, all of them")
    tap.eq(call.up(old), 0, "mobility: the old 5-tuple relays nothing more")
    move(call)
    tap.eq((call.down(), call.up()), (BURST, BURST), "mobility: once more")
    call.client.refresh(0)
    call.silent("lifetime 0")


def killed():
    """turnpikectl kill."""
    call = Call(4102)
    call.start()
    tap.eq((call.up(), call.down()), (BURST, BURST), "kill: before, both directions")
    ctl("kill", ctl("list")[0]["id"])
    call.silent("turnpikectl kill")


def reload_with(path, edit):
    """The configuration, edited, is the relay's from now on."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(edit(lines)) + "\n")
    ctl("reload")


def dropped():
    """Packets beyond max-bps so far."""
    return ctl("stats")["reasons"]["drop_max_bps"]


def policed(path):
    """max-bps by reload: bursts of 5 kB at 2 kB/s."""
    call = Call(4103)
    call.start()
    tap.eq(call.up(), BURST, "max-bps: before, all of a burst")
    reload_with(path, lambda lines: lines + ["max-bps=2000"])
    before = dropped()
    arrived = call.up() + call.up()
    after = dropped()
    tap.ok(arrived < 2 * BURST, "max-bps: a reload limits a live call", f"{arrived} arrived")
    tap.ok(after > before, "max-bps: in the kernel", f"{before} {after}")
    reload_with(path, lambda lines: [line for line in lines if not line.startswith("max-bps")])
    tap.eq((call.up(), call.down()), (BURST, BURST), "max-bps: and a reload lifts it")
    call.client.refresh(0)


def user_gone(path):
    """A user that is taken out of the configuration; the other one's call goes on."""
    gone, stays = Call(4104, "temp", "secret2"), Call(4105)
    gone.start()
    stays.start()
    tap.eq((gone.up(), gone.down()), (BURST, BURST), "user gone: before, both directions")
    reload_with(path, lambda lines: [line for line in lines if not line.startswith("user=temp")])
    gone.silent("a reload without its user")
    tap.eq((stays.up(), stays.down()), (BURST, BURST), "user gone: another user's call goes on")
    reload_with(path, lambda lines: lines + ["denied-peer-ip=" + os.environ["PEER4"]])
    stays.silent("a reload that forbids the peer")


def main():
    """The parts, in order."""
    mobility()
    killed()
    policed(sys.argv[1])
    user_gone(sys.argv[1])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
