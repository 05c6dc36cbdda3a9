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
        tap.ok(bound is not None and bound.klass == stun.SUCCESS, f"a call of {self.user}")
        tap.ok(tap.wait_until(self.is_in_kernel), f"the call of {self.user} is in the kernel")

    def is_in_kernel(self):
        """A burst goes through there whole: both legs' next hops are known."""
        before = in_kernel()
        return self.up() + self.down() == 2 * BURST and in_kernel() - before >= 2 * BURST

    def up(self, client=None, patience=2.0):
        """A burst to the peer; how many of it arrive."""
        self.bursts += 1
        mark = struct.pack("!I", self.bursts) + bytes(SIZE - 4)
        for _ in range(BURST):
            (client or self.client).channel(CHANNEL, mark)
            time.sleep(0.001)
        return self.count(lambda: self.peer.recv(2048) == mark, self.peer, patience)

    def down(self, client=None, patience=2.0):
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
        return self.count(ours, to.sock, patience)

    @staticmethod
    def count(ours, sock, patience):
        """Until the whole burst is there, or nothing more has come for `patience` seconds."""
        got, end = 0, time.monotonic() + 10.0
        sock.settimeout(patience)
        while got < BURST and time.monotonic() < end:
            try:
                got += ours()
            except OSError:
                break
        return got

    def silent(self, why):
        """Nothing goes through any more."""
        arrived = self.up(patience=0.3), self.down(patience=0.3)
        tap.eq(arrived, (0, 0), f"{why}: the kernel relays nothing more, in either direction")


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
    old = move(call)
    before = in_kernel()
    tap.eq(call.down(), BURST, "mobility: the peer's next packets reach the new socket")
    tap.eq(call.up(), BURST, "mobility: the client's come from it")
    after = in_kernel()
    tap.ok(after - before >= 1.8 * BURST, "mobility: in the kernel", f"{after - before} of {2 * BURST}")
    tap.eq(call.up(old, 0.3), 0, "mobility: the old 5-tuple relays nothing more")
    move(call)
    tap.eq((call.down(), call.up()), (BURST, BURST), "mobility: once more")
    call.client.refresh(0)
    call.silent("lifetime 0")


def killed():
    """turnpikectl kill."""
    call = Call(4102)
    call.start()
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
    reload_with(path, lambda lines: lines + ["max-bps=2000"])
    before = dropped()
    arrived = call.up(patience=0.3) + call.up(patience=0.3)
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
