# SPDX-License-Identifier: GPL-2.0
"""stun.Client over a stream: TCP, or TLS where a context is given, with bytes in front where a proxy's header
is to be played (RFC 8489 section 6.2.2, RFC 8656 section 12.5)."""
import select
import socket
import ssl
import struct
import time

import stun


class StreamClient(stun.Client):
    """As stun.Client. `inbox` and the rest are the same; a closed connection raises ConnectionError."""

    def __init__(self, local, server, *, tls=None, name=None, preamble=b"", user="alice", password="secret1"):
        # pylint: disable=super-init-not-called,too-many-arguments
        self.server = server
        self.user, self.password = user, password
        self.realm = self.nonce = self.relayed = None
        self.inbox = []
        self.buffer = b""
        self.sock = socket.create_connection(server, timeout=20, source_address=(local, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if preamble:
            self.sock.sendall(preamble)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name)

    def send(self, data):
        """A message, padded to four bytes."""
        self.sock.sendall(data + b"\0" * (-len(data) % 4))

    def frame(self):
        """The first whole message of the buffer, or None."""
        if len(self.buffer) < 4:
            return None
        size = struct.unpack_from("!H", self.buffer, 2)[0] + (4 if self.buffer[0] & 0xC0 else 20)
        span = size + -size % 4
        if len(self.buffer) < span:
            return None
        data, self.buffer = self.buffer[:size], self.buffer[span:]
        return data

    def read_once(self, seconds):
        """More bytes into the buffer, if any come in time."""
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        if not pending and not select.select([self.sock], [], [], max(0, seconds))[0]:
            return
        self.sock.settimeout(20 if seconds else 0)
        try:
            data = self.sock.recv(65536)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        finally:
            self.sock.settimeout(20)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data

    def receive(self, seconds):
        """One message, or None."""
        end = time.monotonic() + seconds
        while True:
            data = self.frame()
            if data:
                return data
            self.read_once(end - time.monotonic() if seconds else 0)
            if time.monotonic() >= end:
                return self.frame()

    def exchange(self, data, seconds=10.0):
        """Nothing is sent twice on a stream."""
        end = time.monotonic() + seconds
        self.send(data)
        while time.monotonic() < end:
            answer = self.receive(end - time.monotonic())
            message = self.sort(answer) if answer else None
            if message and message.transaction == data[8:20]:
                return message
        return None
