# SPDX-License-Identifier: GPL-2.0
"""What is on the wire between the namespaces of netns.sh: sockets and captures in any of them from one
process, frames taken apart with their checksums checked, frames made by hand."""
import contextlib
import ctypes
import os
import select
import socket
import struct
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_CSUMNOTREADY = 263, 8, 1 << 3


@contextlib.contextmanager
def namespace(name):
    """Sockets opened inside are the namespace's ("cl", "srv", "pe"), wherever they are used."""
    with open("/proc/self/ns/net", "rb") as home, open(f"/run/netns/{os.environ['TP_NS']}-{name}", "rb") as there:
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(descriptor):
    if _LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def checksum(data):
    """The folded ones' complement sum (RFC 1071), not complemented."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Frame:
    """An Ethernet frame with UDP over IPv4 or IPv6; ValueError where it is none."""

    def __init__(self, data, partial=False):
        self.data = data
        self.tags = []
        kind, at = struct.unpack_from("!H", data, 12)[0], 14
        while kind in (0x8100, 0x88A8):
            self.tags.append(struct.unpack_from("!H", data, at)[0] & 0xFFF)
            kind, at = struct.unpack_from("!H", data, at + 2)[0], at + 4
        if kind == 0x0800:
            at = self._ipv4(data, at)
        elif kind == 0x86DD:
            at = self._ipv6(data, at)
        else:
            raise ValueError("not IP")
        if self.protocol != 17 or at + 8 > len(data):
            raise ValueError("not UDP")
        self.source_port, self.port, self.udp_size, self.udp_sum = struct.unpack_from("!HHHH", data, at)
        udp = data[at:at + self.udp_size]
        self.payload = udp[8:]
        pseudo = checksum(self._addresses + struct.pack("!IHH", self.udp_size, 0, 17))
        if partial:  # left to the device: the field holds the pseudo header's sum
            self.udp_ok = self.udp_sum == pseudo
        else:
            self.udp_ok = checksum(udp + b"\0" * (len(udp) % 2) + struct.pack("!H", pseudo)) == 0xFFFF
            if self.udp_sum == 0:
                self.udp_ok = self.version == 4

    def _ipv4(self, data, at):
        self.version = 4
        size = (data[at] & 15) * 4
        self.tos, self.ttl, self.protocol = data[at + 1], data[at + 8], data[at + 9]
        self.identification, flags = struct.unpack_from("!HH", data, at + 4)
        self.df, self.fragment = bool(flags & 0x4000), bool(flags & 0x3FFF)
        if self.fragment:
            raise ValueError("a fragment")
        self.ip_ok = checksum(data[at:at + size]) == 0xFFFF
        self._addresses = data[at + 12:at + 20]
        self.source, self.destination = (socket.inet_ntoa(data[at + o:at + o + 4]) for o in (12, 16))
        return at + size

    def _ipv6(self, data, at):
        self.version = 6
        word = struct.unpack_from("!I", data, at)[0]
        self.tos, self.flow_label = word >> 20 & 0xFF, word & 0xFFFFF
        self.protocol, self.ttl = data[at + 6], data[at + 7]
        self.df, self.ip_ok = True, True
        self._addresses = data[at + 8:at + 40]
        self.source, self.destination = (socket.inet_ntop(socket.AF_INET6, data[at + o:at + o + 16]) for o in (8, 24))
        return at + 40


class Capture:
    """Frames that arrive at a device of a namespace, from now on."""

    def __init__(self, ns, device, outgoing=False):
        with namespace(ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.sock.bind((device, ETH_P_ALL))
        self.outgoing = outgoing

    def close(self):
        """Ends it."""
        self.sock.close()

    def raw(self, seconds):
        """The next frame as (bytes, checksum still to be filled in), or None."""
        end = time.monotonic() + seconds
        while select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
            data, extra, _, sender = self.sock.recvmsg(65536, 256)
            if (sender[2] == PACKET_OUTGOING) != self.outgoing:
                continue
            status = next((struct.unpack_from("I", value)[0] for level, kind, value in extra
                           if level == SOL_PACKET and kind == PACKET_AUXDATA), 0)
            return data, bool(status & TP_STATUS_CSUMNOTREADY)
        return None

    def frames(self, seconds, count, wanted):
        """UDP frames for which wanted(frame) holds, at most `count`, within the time."""
        end, found = time.monotonic() + seconds, []
        while len(found) < count and time.monotonic() < end:
            got = self.raw(end - time.monotonic())
            if not got:
                break
            try:
                frame = Frame(*got)
            except ValueError:
                continue
            if wanted(frame):
                found.append(frame)
        return found


def udp4_frame(macs, source, destination, payload, ttl=64, zero_checksum=False):
    """An Ethernet frame by hand: macs is (destination, source) as bytes, addresses are (host, port)."""
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    if not zero_checksum:
        total = checksum(udp + b"\0" * (len(udp) % 2) + addresses + struct.pack("!HH", 17, len(udp))) ^ 0xFFFF
        udp = udp[:6] + struct.pack("!H", total or 0xFFFF) + udp[8:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, ttl, 17, 0) + addresses
    header = header[:10] + struct.pack("!H", checksum(header) ^ 0xFFFF) + header[12:]
    return macs[0] + macs[1] + b"\x08\x00" + header + udp


def packet_socket(ns, device):
    """For sending frames as they are."""
    with namespace(ns):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((device, 0))
        return sock
