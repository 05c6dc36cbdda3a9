#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Numbered packets through one channel while something happens to the network or the daemon.

usage: stream.py SECONDS PEER [AT:COMMAND]...

250 packets a second each way, for SECONDS. COMMAND runs at AT seconds. Prints what each second
lost, and `lost UP DOWN LATE_UP LATE_DOWN`: in all, and in the last two seconds. A packet counts
as lost when it has not arrived two seconds after the end.
"""
import os
import select
import struct
import subprocess
import sys
import time

import stun
import tap
import wire

EVERY_S = 0.004
LATE_S = 2.0
CHANNEL = 0x4001


class Stream:
    """Both ends and what they have seen."""

    def __init__(self, peer_host):
        with wire.namespace("cl"):
            self.client = stun.Client("10.90.1.2", (os.environ["SERVER4"], 3478))
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(peer_host, 4000)
        for answer in (self.client.allocate(), self.client.bind(CHANNEL, self.peer.getsockname())):
            if not answer or answer.klass != stun.SUCCESS:
                sys.exit(f"no call: {answer.code if answer else 'no answer'}")
        self.sent = 0
        self.up, self.down = set(), set()

    def send(self):
        """The next number, both ways. A full or unreachable network is a loss, counted as such."""
        number = struct.pack("!I", self.sent)
        self.sent += 1
        for send in (lambda: self.client.channel(CHANNEL, number),
                     lambda: self.peer.sendto(number, self.client.relayed)):
            try:
                send()
            except OSError:
                continue

    def read(self, seconds):
        """Everything that arrives within the time."""
        end = time.monotonic() + seconds
        while True:
            ready = select.select([self.peer, self.client.sock], [], [], max(0, end - time.monotonic()))[0]
            if not ready:
                return
            for sock in ready:
                try:
                    data = sock.recv(2048)
                except OSError:
                    continue
                if sock is self.peer:
                    self.up.add(struct.unpack("!I", data[:4])[0])
                elif data[:2] == struct.pack("!H", CHANNEL):
                    self.down.add(struct.unpack("!I", data[4:8])[0])


def run(stream, seconds, events):
    """Sends at the rate; a sender that fell behind catches up."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if events and time.monotonic() - start >= events[0][0]:
            subprocess.run(events.pop(0)[1], shell=True, check=True)
        while stream.sent * EVERY_S <= time.monotonic() - start:
            stream.send()
            stream.read(0)
        stream.read(EVERY_S)
    stream.read(2)


def main():
    """See above."""
    seconds = float(sys.argv[1])
    stream = Stream(sys.argv[2])
    events = sorted((float(at), command) for at, command in (text.split(":", 1) for text in sys.argv[3:]))
    run(stream, seconds, events)
    missing = [sorted(set(range(stream.sent)) - seen) for seen in (stream.up, stream.down)]
    rate = round(1 / EVERY_S)
    for name, numbers in zip(("up", "down"), missing):
        tap.note(f"measured: lost {name} by second: "
                 + " ".join(str(sum(1 for n in numbers if n // rate == s)) for s in range(int(seconds))))
    from_late = stream.sent - LATE_S * rate
    late = [[number for number in numbers if number >= from_late] for numbers in missing]
    print("lost", *(len(numbers) for numbers in missing + late))


if __name__ == "__main__":
    main()
