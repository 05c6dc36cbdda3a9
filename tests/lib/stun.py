# SPDX-License-Identifier: GPL-2.0
"""A small STUN and TURN client for tests (RFC 8489, RFC 8656): it says what it is told to say, wrong or
right, and shows what came back. Written for the suites of tests/; no retransmission but in request()."""
import hashlib
import hmac
import os
import select
import socket
import struct
import time
import zlib

COOKIE = 0x2112A442
REQUEST, INDICATION, SUCCESS, ERROR = 0, 1, 2, 3
BINDING, ALLOCATE, REFRESH, SEND, DATA_METHOD, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9

MAPPED_ADDRESS, CHANGE_REQUEST, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x01, 0x03, 0x06, 0x08, 0x09
UNKNOWN_ATTRIBUTES, CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA = 0x0A, 0x0C, 0x0D, 0x12, 0x13
REALM, NONCE, XOR_RELAYED_ADDRESS, REQUESTED_ADDRESS_FAMILY = 0x14, 0x15, 0x16, 0x17
EVEN_PORT, REQUESTED_TRANSPORT, DONT_FRAGMENT, XOR_MAPPED_ADDRESS = 0x18, 0x19, 0x1A, 0x20
RESERVATION_TOKEN, SOFTWARE, FINGERPRINT = 0x22, 0x8022, 0x8028

UDP_TRANSPORT = (REQUESTED_TRANSPORT, b"\x11\0\0\0")


def message_type(method, klass):
    """Method and class interleaved (RFC 8489 section 5)."""
    bits = (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF
    return bits | (klass & 2) << 7 | (klass & 1) << 4


def xor_address(address, transaction):
    """The value of an XOR-*-ADDRESS attribute."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    raw = socket.inet_pton(family, host)
    mask = struct.pack("!I", COOKIE) + transaction
    raw = bytes(a ^ b for a, b in zip(raw, mask))
    return struct.pack("!BBH", 0, 2 if family == socket.AF_INET6 else 1, port ^ COOKIE >> 16) + raw


def read_xor_address(value, transaction):
    """(host, port) of an XOR-*-ADDRESS attribute."""
    family = socket.AF_INET6 if value[1] == 2 else socket.AF_INET
    mask = struct.pack("!I", COOKIE) + transaction
    raw = bytes(a ^ b for a, b in zip(value[4:], mask))
    return socket.inet_ntop(family, raw), struct.unpack_from("!H", value, 2)[0] ^ COOKIE >> 16


def long_term_key(user, realm, password):
    """RFC 8489 section 9.2.2."""
    return hashlib.md5(f"{user}:{realm}:{password}".encode()).digest()


def build(method, klass, attributes, transaction=None, key=None, fingerprint=False):
    """A message; attributes are (type, bytes) pairs."""
    transaction = transaction or os.urandom(12)
    body = b""
    for kind, value in attributes:
        body += struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)

    def header(size):
        return struct.pack("!HHI", message_type(method, klass), size, COOKIE) + transaction

    if key is not None:
        digest = hmac.new(key, header(len(body) + 24) + body, hashlib.sha1).digest()
        body += struct.pack("!HH", MESSAGE_INTEGRITY, 20) + digest
    if fingerprint:
        crc = zlib.crc32(header(len(body) + 8) + body) ^ 0x5354554E
        body += struct.pack("!HHI", FINGERPRINT, 4, crc)
    return header(len(body)) + body


class Message:
    """A received message, taken apart; raises ValueError on anything malformed."""

    def __init__(self, data):
        if len(data) < 20 or data[0] & 0xC0:
            raise ValueError("not STUN")
        kind, size, cookie = struct.unpack_from("!HHI", data)
        if cookie != COOKIE or size != len(data) - 20:
            raise ValueError("wrong cookie or length")
        self.data = data
        self.klass = (kind >> 7 & 2) | (kind >> 4 & 1)
        self.method = kind >> 2 & 0xF80 | kind >> 1 & 0x70 | kind & 0xF
        self.transaction = data[8:20]
        self.attributes = []
        at = 20
        while at < len(data):
            attribute, length = struct.unpack_from("!HH", data, at)
            if at + 4 + length > len(data):
                raise ValueError("attribute past the end")
            self.attributes.append((attribute, data[at + 4:at + 4 + length]))
            at += 4 + length + -length % 4

    def get(self, kind):
        """The first value of a type, or None."""
        return next((value for attribute, value in self.attributes if attribute == kind), None)

    def address(self, kind):
        """An XOR-*-ADDRESS, or None."""
        value = self.get(kind)
        return read_xor_address(value, self.transaction) if value else None

    @property
    def code(self):
        """The error code, 0 in anything but an error."""
        value = self.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else 0

    @property
    def lifetime(self):
        """LIFETIME in seconds, or None."""
        value = self.get(LIFETIME)
        return struct.unpack("!I", value)[0] if value else None


def udp_socket(host, port=0):
    """Bound, with a receive buffer for bursts."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((host, port))
    return sock


class Client:
    """A TURN client on one UDP socket. What arrives and is not the awaited response is kept in `inbox`
    as ("channel", number, data), ("data", peer, data) or ("other", bytes)."""

    def __init__(self, local, server, user="alice", password="secret1", port=0):
        self.server = server
        self.user, self.password = user, password
        self.sock = udp_socket(local, port)
        self.realm = self.nonce = self.relayed = None
        self.inbox = []

    def close(self):
        """Without a Refresh: as a client that is killed."""
        self.sock.close()

    def send(self, data):
        """Bytes as they are."""
        self.sock.sendto(data, self.server)

    def receive(self, seconds):
        """One datagram, or None."""
        if not select.select([self.sock], [], [], max(0, seconds))[0]:
            return None
        try:
            return self.sock.recv(65536)
        except OSError:  # an ICMP error of an earlier datagram
            return None

    def sort(self, data):
        """A datagram into the inbox; a Message of a response is returned instead."""
        if len(data) >= 4 and 0x40 <= data[0] <= 0x7F:
            number, size = struct.unpack_from("!HH", data)
            self.inbox.append(("channel", number, data[4:4 + size]))
            return None
        try:
            message = Message(data)
        except ValueError:
            self.inbox.append(("other", data))
            return None
        if message.method == DATA_METHOD and message.klass == INDICATION:
            self.inbox.append(("data", message.address(XOR_PEER_ADDRESS), message.get(DATA) or b""))
            return None
        return message

    def exchange(self, data, seconds=10.0):
        """Sends a request until a response of its transaction comes; None after the bound."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(data)
            again = min(end, time.monotonic() + 1.0)
            while time.monotonic() < again:
                answer = self.receive(again - time.monotonic())
                message = self.sort(answer) if answer else None
                if message and message.transaction == data[8:20]:
                    return message
        return None

    def credentials(self):
        """USERNAME, REALM and NONCE."""
        return [(USERNAME, self.user.encode()), (REALM, self.realm), (NONCE, self.nonce)]

    def key(self):
        """The long-term key."""
        return long_term_key(self.user, self.realm.decode(), self.password)

    def request(self, method, attributes, transaction=None, seconds=10.0):
        """An authenticated request; follows a first 401 and a 438. Returns the response or None."""
        for _ in range(3):
            auth = self.realm is not None
            data = build(method, REQUEST, attributes + (self.credentials() if auth else []), transaction,
                         self.key() if auth else None)
            answer = self.exchange(data, seconds)
            if answer and (answer.code == 438 or answer.code == 401 and not auth):
                self.realm, self.nonce = answer.get(REALM), answer.get(NONCE)
                transaction = os.urandom(12) if transaction else None
                continue
            break
        return answer

    def allocate(self, *attributes):
        """Allocate over UDP; sets `relayed` on success."""
        answer = self.request(ALLOCATE, [UDP_TRANSPORT, *attributes])
        if answer and answer.klass == SUCCESS:
            self.relayed = answer.address(XOR_RELAYED_ADDRESS)
        return answer

    def refresh(self, seconds):
        """Refresh with a lifetime; 0 ends the allocation."""
        return self.request(REFRESH, [(LIFETIME, struct.pack("!I", seconds))])

    def permit(self, *hosts):
        """CreatePermission for peer addresses."""
        transaction = os.urandom(12)
        return self.request(CREATE_PERMISSION,
                            [(XOR_PEER_ADDRESS, xor_address((host, 0), transaction)) for host in hosts], transaction)

    def bind(self, number, peer):
        """ChannelBind."""
        transaction = os.urandom(12)
        return self.request(CHANNEL_BIND, [(CHANNEL_NUMBER, struct.pack("!HH", number, 0)),
                                           (XOR_PEER_ADDRESS, xor_address(peer, transaction))], transaction)

    def channel(self, number, data):
        """ChannelData."""
        self.send(struct.pack("!HH", number, len(data)) + data)

    def indicate(self, peer, data, *attributes, fingerprint=False):
        """A Send indication."""
        transaction = os.urandom(12)
        self.send(build(SEND, INDICATION, [(XOR_PEER_ADDRESS, xor_address(peer, transaction)), (DATA, data),
                                           *attributes], transaction, fingerprint=fingerprint))

    def drain(self, seconds):
        """What arrives within the time goes into the inbox."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data = self.receive(end - time.monotonic())
            if data:
                self.sort(data)

    def take(self, seconds=10.0):
        """The next entry of the inbox, or None after the bound."""
        end = time.monotonic() + seconds
        while not self.inbox and time.monotonic() < end:
            data = self.receive(end - time.monotonic())
            if data:
                self.sort(data)
        return self.inbox.pop(0) if self.inbox else None
