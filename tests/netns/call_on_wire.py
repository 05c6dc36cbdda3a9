#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One call by channel and by indications, looked at on the wire at both ends; a part of test_wire.sh.

usage: call_on_wire.py LABEL SERVER PEER FAMILY   (FAMILY 4 or 6: of the relayed address)
"""
import socket
import struct
import sys

import stun
import tap
import wire

SIZES = (0, 1, 2, 3, 4, 5, 63, 160, 161, 500, 1001, 1200)
CHANNEL = 0x4001
DSCP = 0xB8


def payload(size):
    """Bytes that differ, so that a wrong sum is not right by chance."""
    return bytes((7 * i + size) & 0xFF for i in range(size))


def set_tos(sock, tos):
    """DSCP and ECN of what the socket sends."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)


class Call:
    """A client, a peer and captures at both."""

    def __init__(self, label, server, peer_host, family):
        self.label = label
        with wire.namespace("cl"):
            self.client = stun.Client("fd90:1::2" if ":" in server else "10.90.1.2", (server, 3478))
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(peer_host)
        self.peer_address = self.peer.getsockname()[:2]
        requested = struct.pack("!I", (2 if family == 6 else 1) << 24)
        answer = self.client.allocate((stun.REQUESTED_ADDRESS_FAMILY, requested))
        tap.ok(answer is not None and answer.klass == stun.SUCCESS, f"{label}: allocation",
               f"error {answer.code}" if answer else "no answer")
        self.at_peer, self.at_client = wire.Capture("pe", "pe0"), wire.Capture("cl", "cl0")

    def check_frames(self, what, frames, source, payloads):
        """Every packet, in any order (senders move between CPUs), from the right place, sums, TTL and DSCP right."""
        name = f"{self.label}: {what}"
        tap.eq(sorted(frame.payload for frame in frames), sorted(payloads),
               f"{name}: {len(payloads)} packets, their bytes unchanged")
        tap.eq({(frame.source, frame.source_port) for frame in frames}, {source}, f"{name}: source address")
        tap.ok(all(frame.ip_ok and frame.udp_ok for frame in frames), f"{name}: IP and UDP checksums",
               " ".join(frame.data.hex() for frame in frames if not (frame.ip_ok and frame.udp_ok))[:400])
        tap.eq({frame.ttl for frame in frames}, {63}, f"{name}: TTL is one less")
        tap.eq({frame.tos for frame in frames}, {DSCP}, f"{name}: DSCP is carried")
        if any(frame.version == 6 for frame in frames):
            tap.ok(all(frame.udp_sum for frame in frames), f"{name}: no IPv6 packet without a checksum")

    def channel(self):
        """ChannelData up, UDP down."""
        answer = self.client.bind(CHANNEL, self.peer_address)
        tap.ok(answer is not None and answer.klass == stun.SUCCESS, f"{self.label}: channel")
        set_tos(self.client.sock, DSCP)
        set_tos(self.peer, DSCP)
        sent = [payload(size) for size in SIZES]
        for data in sent:
            self.client.channel(CHANNEL, data)
        frames = self.at_peer.frames(10, len(sent), lambda f: f.port == self.peer_address[1])
        self.check_frames("ChannelData to the peer", frames, self.client.relayed, sent)
        for data in sent:
            self.peer.sendto(data, self.client.relayed)
        mine = self.client.sock.getsockname()[1]
        frames = self.at_client.frames(10, len(sent), lambda f: f.port == mine and f.source_port == 3478
                                       and f.payload[:1] == b"\x40")
        expected = [struct.pack("!HH", CHANNEL, len(data)) + data for data in sent]
        got = [frame.payload[:4 + struct.unpack_from("!H", frame.payload, 2)[0]] for frame in frames]
        for frame, data in zip(frames, got):
            frame.payload = data  # padding over UDP is optional (RFC 8656 section 12.5)
        self.check_frames("ChannelData to the client", frames, self.client.server, expected)

    def indications(self):
        """The same with a second peer port that has a permission and no channel."""
        with wire.namespace("pe"):
            other = stun.udp_socket(self.peer_address[0])
        set_tos(other, DSCP)
        address = other.getsockname()[:2]
        sent = [payload(size) for size in SIZES]
        for number, data in enumerate(sent):
            extra = [(stun.SOFTWARE, b"a client 1.0")] if number % 3 == 1 else []
            self.client.indicate(address, data, *extra, fingerprint=number % 3 == 2)
        frames = self.at_peer.frames(10, len(sent), lambda f: f.port == address[1])
        self.check_frames("Send indications to the peer", frames, self.client.relayed, sent)
        for data in sent:
            other.sendto(data, self.client.relayed)
        mine = self.client.sock.getsockname()[1]
        frames = self.at_client.frames(10, len(sent), lambda f: f.port == mine and f.source_port == 3478
                                       and f.payload[:2] == b"\0\x17")
        for frame in frames:
            message = stun.Message(frame.payload)
            frame.payload = (message.address(stun.XOR_PEER_ADDRESS), message.get(stun.DATA))
        self.check_frames("Data indications to the client", frames, self.client.server, [(address, d) for d in sent])


def main():
    """See above."""
    label, server, peer, family = sys.argv[1:5]
    call = Call(label, server, peer, int(family))
    if call.client.relayed:
        call.channel()
        call.indications()
        call.client.refresh(0)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
