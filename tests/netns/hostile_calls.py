#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Packets that must not be relayed, and some that only userspace relays; a part of test_hostile.sh."""
import json
import os
import socket
import struct
import subprocess
import sys
import time

import stun
import tap
import wire

CLIENT, SERVER, PEER, RELAY = "10.90.1.2", os.environ["SERVER4"], os.environ["PEER4"], os.environ["RELAY4"]
CHANNEL = 0x4001
REPEAT = 5


def reasons():
    """The packets of each reason."""
    done = subprocess.run(["turnpikectl", "--socket", os.environ["SOCKET"], "--json", "stats"],
                          stdout=subprocess.PIPE, timeout=20, check=True)
    found = json.loads(done.stdout)["reasons"]
    return {name: value["packets"] if isinstance(value, dict) else value for name, value in found.items()}


def counted(before, *names):
    """How many packets any of the named reasons has counted since."""
    after = reasons()
    return sum(after.get(name, 0) - before.get(name, 0) for name in names)


def mac(device):
    """As netns.sh gives them out."""
    return bytes([2, 0x7A, *device.encode(), 1])


class Call:
    """A client with one channel, its peer, and another socket at the peer's that has no permission."""

    def __init__(self):
        with wire.namespace("cl"):
            self.client = stun.Client(CLIENT, (SERVER, 3478))
            self.other = stun.Client(CLIENT, (SERVER, 3478))
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(PEER)
            self.stranger = stun.udp_socket("10.90.2.3")
        for client, answer in ((self.client, self.client.allocate()), (self.other, self.other.allocate()),
                               (self.client, self.client.bind(CHANNEL, self.peer.getsockname()))):
            tap.ok(answer is not None and answer.klass == stun.SUCCESS, f"set up, {client.relayed}")
        self.port = self.client.sock.getsockname()[1]
        self.up, self.down = wire.packet_socket("cl", "cl0"), wire.packet_socket("pe", "pe0")

    def frame(self, payload, **kwargs):
        """A client's frame by hand."""
        return wire.udp4_frame((mac("cl1"), mac("cl0")), (CLIENT, self.port), (SERVER, 3478), payload, **kwargs)

    def at_peer(self, seconds=0.4):
        """What has arrived at the peer."""
        got, end = [], time.monotonic() + seconds
        self.peer.setblocking(False)
        while time.monotonic() < end:
            try:
                got.append(self.peer.recv(65536))
            except BlockingIOError:
                time.sleep(0.02)
        return got

    def relayed_anything(self):
        """At either end."""
        got = self.at_peer()
        self.client.drain(0.2)
        got += self.client.inbox
        self.client.inbox.clear()
        return got

    def nothing(self, name, send, *names):
        """Sends something several times: nothing comes out, and one of the reasons counts it."""
        before = reasons()
        for _ in range(REPEAT):
            send()
        tap.eq(self.relayed_anything(), [], f"{name}: nothing is relayed")
        if names:
            seen = tap.wait_until(lambda: counted(before, *names) >= REPEAT, 5, 0.2)
            tap.ok(seen, f"{name}: counted as {' or '.join(names)}",
                   str({k: v - before.get(k, 0) for k, v in reasons().items() if v != before.get(k, 0)}))


def channel_data(number, size, data):
    """With a length of its own."""
    return struct.pack("!HH", number, size) + data


def hostile(call):
    """What must not pass."""
    up = call.up.send
    call.nothing("ChannelData longer than its datagram",
                 lambda: up(call.frame(channel_data(CHANNEL, 200, b"x" * 100))), "drop_malformed", "pass_stun")
    whole = call.frame(channel_data(CHANNEL, 100, b"x" * 100))
    call.nothing("a UDP length beyond the IP packet", lambda: up(whole[:38] + b"\x02\x00" + whole[40:]),
                 "drop_malformed")
    call.nothing("a UDP length of 4", lambda: up(whole[:38] + b"\x00\x04" + whole[40:]), "drop_malformed")
    call.nothing("an IP length beyond the frame", lambda: up(whole[:16] + b"\x05\x00" + whole[18:]), "drop_malformed")
    call.nothing("a channel that nobody has", lambda: call.client.channel(0x4FFE, b"x" * 100), "drop_no_channel")
    call.nothing("a channel of another client", lambda: call.other.channel(CHANNEL, b"x" * 100), "drop_no_channel")
    call.nothing("first bytes of no protocol here", lambda: call.client.send(b"\x80" + b"r" * 100), "drop_not_turn")
    call.nothing("a peer without permission",
                 lambda: call.stranger.sendto(b"x" * 100, call.client.relayed), "pass_no_rule", "pass_no_permission")
    call.nothing("a Send indication to a peer without permission",
                 lambda: call.client.indicate(call.stranger.getsockname(), b"x" * 100), "pass_no_permission")
    spoofed = wire.udp4_frame((mac("pe1"), mac("pe0")), (CLIENT, call.port), (SERVER, 3478),
                              channel_data(CHANNEL, 100, b"x" * 100))
    call.nothing("the client's 5-tuple from the peer's side", lambda: call.down.send(spoofed), "pass_other_device")
    own = wire.udp4_frame((mac("pe1"), mac("pe0")), (RELAY, 40000), call.client.relayed, b"x" * 100)
    call.nothing("the node's own address as a source", lambda: call.down.send(own))
    fragments = [bytearray(call.frame(channel_data(CHANNEL, 1000, b"x" * 1000))) for _ in range(2)]
    for number, fragment in enumerate(fragments):  # two that overlap
        fragment[20:22] = struct.pack("!H", 0x2000 if number == 0 else 3)
        fragment[24:26] = b"\0\0"
        fragment[24:26] = struct.pack("!H", wire.checksum(bytes(fragment[14:34])) ^ 0xFFFF)
    call.nothing("overlapping fragments", lambda: [up(bytes(fragment)) for fragment in fragments], "pass_fragment")


def userspace_relays(call):
    """What the kernel leaves to the daemon comes through all the same."""
    before = reasons()
    data = bytes(range(250)) * 12
    call.client.sock.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT: may be fragmented
    call.client.channel(CHANNEL, data)
    tap.eq(tap.wait_until(lambda: call.at_peer(0.2), 5), [data], "3000 bytes in fragments: userspace relays")
    tap.ok(counted(before, "pass_fragment") >= 1, "counted as pass_fragment")
    options = bytearray(call.frame(channel_data(CHANNEL, 8, b"option!!")))
    options[14] = 0x46  # a header of six words: the sixth are no-operations
    options[34:34] = b"\x01\x01\x01\x01"
    options[16:18] = struct.pack("!H", len(options) - 14)
    options[24:26] = b"\0\0"
    options[24:26] = struct.pack("!H", wire.checksum(bytes(options[14:38])) ^ 0xFFFF)
    before = reasons()
    call.up.send(bytes(options))
    tap.eq(tap.wait_until(lambda: call.at_peer(0.2), 5), [b"option!!"], "IP options: userspace relays")
    tap.ok(counted(before, "pass_ip_options") >= 1, "counted as pass_ip_options")


def main():
    """See above."""
    call = Call()
    call.client.channel(CHANNEL, b"first")
    tap.eq(tap.wait_until(call.at_peer, 5), [b"first"], "the call relays")
    hostile(call)
    userspace_relays(call)
    call.client.channel(CHANNEL, b"last")
    tap.eq(tap.wait_until(lambda: call.at_peer(0.2), 5), [b"last"], "the call still relays")
    call.client.refresh(0)
    call.other.refresh(0)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
