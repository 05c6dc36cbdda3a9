#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What turnpikectl says of two calls, and that what it or the client ends is ended in the kernel; a part of
test_ctl.sh.

usage: ctl_calls.py kernel|user    which of the two relays here
"""
import json
import os
import subprocess
import sys
import time

import stun
import tap
import wire

CHANNEL = 0x4005
PACKETS = 50


def ctl(*arguments):
    """turnpikectl's JSON."""
    command = ["turnpikectl", "--socket", os.environ["SOCKET"], "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=20, check=True)
    return json.loads(done.stdout)


class Call:
    """A client with a channel to a peer."""

    def __init__(self):
        with wire.namespace("cl"):
            self.client = stun.Client("10.90.1.2", (os.environ["SERVER4"], 3478))
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(os.environ["PEER4"])
        for answer in (self.client.allocate(), self.client.bind(CHANNEL, self.peer.getsockname())):
            tap.ok(answer is not None and answer.klass == stun.SUCCESS, "a call", answer and answer.code)

    def both_ways(self, packets):
        """Sends, and returns how many came up and down."""
        self.peer.setblocking(False)
        for _ in range(packets):
            self.client.channel(CHANNEL, b"u" * 100)
            self.peer.sendto(b"d" * 100, self.client.relayed)
            time.sleep(0.002)
        return self.received(packets)

    def received(self, expected):
        """What has arrived, waiting for as much as is expected, for 2 s at most."""
        up, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            try:
                while self.peer.recv(2048):
                    up += 1
            except BlockingIOError:
                pass
            self.client.drain(0.05)
            down = sum(1 for entry in self.client.inbox if entry[0] == "channel")
            if min(up, down) >= expected:
                break
        self.client.inbox.clear()
        return up, down

    def find(self):
        """This call in the list, or None."""
        name = ":".join(map(str, self.client.sock.getsockname()))
        return next((entry for entry in ctl("list") if entry["client"] == name), None)


def shapes(call, by):
    """The fixed JSON."""
    key = "userspace" if by == "user" else by

    def counted():
        entry = call.find()
        return entry[key]["packets"] if entry else 0

    def warm():  # the first packets are userspace's, until the kernel has resolved the neighbours
        before = counted()
        return call.both_ways(2) == (2, 2) and counted() - before == 4

    tap.ok(tap.wait_until(warm, 20), f"the {by} relays")
    before = counted()
    tap.eq(call.both_ways(PACKETS), (PACKETS, PACKETS), f"{PACKETS} packets each way")
    entry = call.find()
    if not tap.ok(entry is not None, "the call is in the list"):
        return None
    tap.eq(entry["user"], "alice", "list: user")
    tap.eq(entry["transport"], "udp", "list: transport")
    tap.eq(entry["relayed"], [":".join(map(str, call.client.relayed))], "list: relayed")
    tap.ok(0 < entry["expires_in_s"] <= 600, "list: expires_in_s", entry["expires_in_s"])
    tap.eq([len(entry["permissions"]), len(entry["channels"])], [1, 1], "list: a permission and a channel")
    tap.eq(entry[key]["packets"] - before, 2 * PACKETS, f"list: {by} counted every packet")
    stats = ctl("stats")
    tap.ok(stats["allocations"] >= 1, "stats: allocations")
    tap.ok(stats["relayed"][by]["packets"] >= 2 * PACKETS and stats["relayed"][by]["bytes"] >= 200 * PACKETS,
           f"stats: packets and bytes of the {by}", json.dumps(stats["relayed"]))
    tap.ok(isinstance(stats["reasons"], dict), "stats: reasons")
    tap.ok(ctl("show", str(entry["id"])), "show")
    return entry


def main():
    """See above."""
    by = sys.argv[1]
    first, second, third = Call(), Call(), Call()
    entry = shapes(first, by)
    if entry:
        ctl("kill", str(entry["id"]))
        tap.eq(first.both_ways(PACKETS), (0, 0), "after kill nothing is relayed any more")
        tap.eq(first.find(), None, "and it is not in the list")
    tap.eq(second.both_ways(PACKETS), (PACKETS, PACKETS), "the other calls go on")
    answer = third.client.refresh(0)
    tap.ok(answer is not None and answer.klass == stun.SUCCESS, "Refresh with lifetime 0")
    tap.eq(third.both_ways(PACKETS), (0, 0), "after Refresh 0 nothing is relayed any more")
    second.client.refresh(0)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
