#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A stopped daemon and the ends of permission, channel and allocation; a part of test_expiry.sh.

usage: expiry.py PID first|second   with the lifetimes that test_expiry.sh configures

Packets are sent every 20 ms in both directions; what arrives is noted with its time. A bound of
a second around each expiry allows for coarse clocks, for the time between the daemon's decision
and our noticing the answer, and for a busy machine.
"""
import os
import select
import signal
import sys
import time

import stun
import tap
import wire

SLACK_S = 1.0
EVERY_S = 0.02
CHANNEL = 0x4001


class Call:
    """A client with a channel, its peer, and when something last came through."""

    def __init__(self, port):
        with wire.namespace("cl"):
            self.client = stun.Client("10.90.1.2", (os.environ["SERVER4"], 3478))
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(os.environ["PEER4"], port)
        self.allocated = self.bound = 0.0
        self.last = {"up": 0.0, "channel": 0.0, "data": 0.0}
        self.counts = dict.fromkeys(self.last, 0)

    def allocate(self):
        """Notes the time."""
        self.allocated = time.monotonic()
        answer = self.client.allocate()
        tap.ok(answer is not None and answer.klass == stun.SUCCESS, "allocation")

    def bind(self):
        """Notes the time."""
        self.bound = time.monotonic()
        answer = self.client.bind(CHANNEL, self.peer.getsockname())
        tap.ok(answer is not None and answer.klass == stun.SUCCESS, "channel")

    def send(self):
        """One packet each way."""
        self.client.channel(CHANNEL, b"up")
        self.peer.sendto(b"down", self.client.relayed)

    def arrived(self, kind):
        """Notes one arrival."""
        self.last[kind] = time.monotonic()
        self.counts[kind] += 1

    def read(self, sock):
        """What is there."""
        data = sock.recv(2048)
        if sock is self.peer:
            self.arrived("up")
        else:
            self.client.sort(data)
            while self.client.inbox:
                kind = self.client.inbox.pop(0)[0]
                if kind in self.last:
                    self.arrived(kind)


def run(calls, seconds):
    """Sends and receives for a time."""
    end = time.monotonic() + seconds
    following = time.monotonic()
    owner = {sock: call for call in calls for sock in (call.client.sock, call.peer)}
    while time.monotonic() < end:
        if time.monotonic() >= following:
            following += EVERY_S
            for call in calls:
                call.send()
        for sock in select.select(list(owner), [], [], max(0, following - time.monotonic()))[0]:
            owner[sock].read(sock)


def ended(call, kind, since, lifetime, name):
    """It came through until its time and not after it."""
    after = call.last[kind] - since
    tap.ok(abs(after - lifetime) <= SLACK_S, f"{name} ends after {lifetime} s",
           f"last of {call.counts[kind]} packets after {after:.2f} s")
    tap.note(f"measured: {name}: last packet after {after:.2f} s of {lifetime} s")


def first(pid):
    """permission 4 s, channel 7 s, allocation 12 s."""
    old, young = Call(4001), Call(4002)
    old.allocate()
    tap.wait_until(lambda: time.monotonic() - old.allocated >= 7, 20)
    young.allocate()
    for call in (old, young):
        call.bind()
    os.kill(pid, signal.SIGSTOP)
    run([old, young], 9.5)
    before = [dict(call.counts) for call in (old, young)]
    os.kill(pid, signal.SIGCONT)
    ended(young, "channel", young.bound, 4, "with the daemon stopped, a permission (peer to client)")
    ended(young, "up", young.bound, 7, "with the daemon stopped, a channel (client to peer)")
    ended(old, "up", old.allocated, 12, "with the daemon stopped, an allocation")
    run([old, young], 2)
    tap.eq([dict(call.counts) for call in (old, young)], before, "the daemon goes on and relays nothing that expired")


def second(pid):
    """channel 4 s, permission 8 s, allocation 600 s."""
    call = Call(4003)
    call.allocate()
    call.bind()
    os.kill(pid, signal.SIGSTOP)
    run([call], 9.5)
    os.kill(pid, signal.SIGCONT)
    ended(call, "channel", call.bound, 4, "with the daemon stopped, ChannelData to the client")
    ended(call, "data", call.bound, 8, "with the daemon stopped, Data indications after it")
    ended(call, "up", call.bound, 4, "with the daemon stopped, ChannelData to the peer")


if __name__ == "__main__":
    {"first": first, "second": second}[sys.argv[2]](int(sys.argv[1]))
    sys.exit(tap.done())
