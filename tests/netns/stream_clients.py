#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Stream clients that behave badly, and calls beside them that must not notice; parts of test_stream_*.sh.

usage: stream_clients.py proxy|silent|slow|certificates|peers   in any namespace; prints TAP
       stream_clients.py hold COUNT ADDRESS...              opens connections and says nothing until stdin ends
"""
import contextlib
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import time

import stun
import stun_stream
import tap
import wire

SERVER = "10.90.1.1"
LOCAL = "10.90.1.2"
PEER = "10.90.2.2"
TLS_PORT = 443
CHANNEL = 0x4001
EVERY_S = 0.004
SILENT = 10000
# The stated bounds: what a silent connection may cost, and what one that does not read may.
SILENT_KIB = 1.5
SLOW_KIB = 1024
SLACK_KIB = 4096


def ctl(*arguments):
    """turnpikectl's output."""
    return subprocess.run(["turnpikectl", "--socket", os.environ["SOCKET"], *arguments], check=True,
                          capture_output=True, text=True, timeout=20).stdout


def stream_stats():
    """The counters of stream clients."""
    return json.loads(ctl("--json", "stats"))["net"]["streams"]


def rss_kib():
    """Resident memory of the daemon."""
    with open(f"/proc/{os.environ['RELAY_PID']}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def trusting(ca_file, version=ssl.TLSVersion.TLSv1_3):
    """A client's context of one TLS version."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = context.maximum_version = version
    return context


class Call:
    """Numbered packets through one channel, both ways."""

    def __init__(self, name, make):
        self.name = name
        with wire.namespace("cl"):
            self.client = make()
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(PEER)
        for answer in (self.client.allocate(), self.client.bind(CHANNEL, self.peer.getsockname())):
            if not answer or answer.klass != stun.SUCCESS:
                raise RuntimeError(f"{name}: no call: {answer.code if answer else 'no answer'}")
        self.sent = 0
        self.up, self.down = set(), set()

    def send(self):
        """The next number in both directions."""
        number = struct.pack("!I", self.sent)
        self.sent += 1
        self.client.channel(CHANNEL, number)
        self.peer.sendto(number, self.client.relayed)

    def read(self):
        """Whatever has arrived."""
        while True:
            try:
                self.up.add(struct.unpack("!I", self.peer.recv(2048, socket.MSG_DONTWAIT)[:4])[0])
            except BlockingIOError:
                break
        self.client.drain(0.0001)
        for entry in self.client.inbox:
            if entry[0] == "channel":
                self.down.add(struct.unpack("!I", entry[2][:4])[0])
        self.client.inbox.clear()

    def lost(self):
        """Numbers that did not come: up, down."""
        return self.sent - len(self.up), self.sent - len(self.down)


def talk(calls, until, seconds):
    """Keeps the calls talking until the condition holds; false after the bound."""
    start = time.monotonic()
    base = calls[0].sent
    checked = start
    while time.monotonic() - start < seconds:
        while (calls[0].sent - base) * EVERY_S <= time.monotonic() - start:
            for call in calls:
                call.send()
        for call in calls:
            call.read()
        if time.monotonic() - checked > 0.2:
            checked = time.monotonic()
            if until():
                return True
        time.sleep(EVERY_S / 2)
    return False


def settle(calls):
    """What is still under way arrives; then nothing is missing."""
    def complete():
        for call in calls:
            call.read()
        return all(call.lost() == (0, 0) for call in calls)

    tap.wait_until(complete, 10)
    for call in calls:
        tap.eq(call.lost(), (0, 0), f"{call.name}: none of {call.sent} packets is lost, up and down")


def neighbours():
    """Calls by each transport that shares a worker with stream clients."""
    ca_file = os.path.join(os.environ["WORK"], "one.pem")
    return [Call("a call by UDP", lambda: stun.Client(LOCAL, (SERVER, 3478))),
            Call("a call by TCP", lambda: stun_stream.StreamClient(LOCAL, (SERVER, 3478))),
            Call("a call by TLS", lambda: stun_stream.StreamClient(LOCAL, (SERVER, TLS_PORT), tls=trusting(ca_file),
                                                                   name="one.test"))]


# --- PROXY protocol ---

V1 = b"PROXY TCP4 198.51.100.7 192.0.2.9 5555 443\r\n"
V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12 + 7) + socket.inet_aton("198.51.100.8")
      + socket.inet_aton("192.0.2.9") + struct.pack("!HH", 5556, 443) + b"\x04\0\x04\0\0\0\0")


def closed_by_server(*arguments, **options):
    """Whether the connection ends before a Binding is answered."""
    try:
        client = stun_stream.StreamClient(*arguments, **options)
        return client.exchange(stun.build(stun.BINDING, stun.REQUEST, []), 15) is None
    except OSError:
        return True


def proxy():
    """Headers of both versions, in front of TCP and TLS; who may send them."""
    ca_file = os.path.join(os.environ["WORK"], "one.pem")
    port = (SERVER, 5350)
    with wire.namespace("cl"):
        for name, preamble, tls, mapped in (("v1", V1, None, ("198.51.100.7", 5555)),
                                            ("v2", V2, None, ("198.51.100.8", 5556)),
                                            ("v1 in front of TLS", V1, trusting(ca_file), ("198.51.100.7", 5555)),
                                            ("v2 in front of TLS", V2, trusting(ca_file), ("198.51.100.8", 5556))):
            client = stun_stream.StreamClient(LOCAL, port, tls=tls, name="one.test", preamble=preamble)
            answer = client.allocate()
            tap.ok(answer and answer.klass == stun.SUCCESS, f"{name}: an allocation")
            tap.eq(answer and answer.address(stun.XOR_MAPPED_ADDRESS), mapped, f"{name}: by the address it names")
            tap.ok(f"{mapped[0]}:{mapped[1]}" in ctl("--json", "list"), f"{name}: turnpikectl shows that address")
            client.refresh(0)
            client.close()
        tap.ok(closed_by_server(LOCAL, port), "without a header the proxy is refused")
        tap.ok(closed_by_server("10.90.1.4", port, preamble=V1), "with one, but from another address, it is refused")
        tap.ok(closed_by_server(LOCAL, (SERVER, 3478), preamble=V1), "on another port a header is none")
        tap.ok(stream_stats()["refused_proxy"] == 2, "refusals are counted")


# --- clients that say nothing, or little ---

def hold(count, addresses):
    """See above. Prints how many are open."""
    sockets = []
    for number in range(count):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        sock.bind((addresses[number % len(addresses)], 0))
        sock.connect((SERVER, 3478))
        sockets.append(sock)
    print(len(sockets), flush=True)
    sys.stdin.read()


class Trickle:
    """A client that sends a byte a second of a message that never ends."""

    def __init__(self):
        with wire.namespace("cl"):
            self.sock = socket.create_connection((SERVER, 3478), source_address=(LOCAL, 0))
        self.sock.setblocking(False)
        self.next = self.started = time.monotonic()
        self.ended = None

    def step(self):
        """Sends what is due; notices the end."""
        if self.ended:
            return True
        try:
            if time.monotonic() >= self.next:
                self.next += 1
                self.sock.send(b"\0")
            if self.sock.recv(1) == b"":
                self.ended = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            self.ended = time.monotonic()
        return self.ended is not None


def silent():
    """10,000 connections that say nothing, and one that says a byte a second."""
    calls = neighbours()
    before = rss_kib()
    trickle = Trickle()
    addresses = [f"10.90.1.{number}" for number in range(100, 132)]
    command = [sys.executable, __file__, "hold", str(SILENT), *addresses]
    with wire.namespace("cl"):
        # pylint: disable-next=consider-using-with
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    peak = 0

    def all_open():
        nonlocal peak
        trickle.step()
        peak = max(peak, stream_stats()["live"])
        return peak >= SILENT

    tap.ok(talk(calls, all_open, 60), f"{SILENT} silent connections are open at a time", f"most were {peak}")
    cost = rss_kib() - before
    tap.ok(cost <= SILENT * SILENT_KIB + SLACK_KIB, f"they cost no more than {SILENT_KIB} KiB each and {SLACK_KIB} KiB",
           f"{cost} KiB")
    tap.note(f"measured: {SILENT} silent connections cost {cost} KiB")
    with wire.namespace("cl"):
        start = time.monotonic()
        answer = stun_stream.StreamClient(LOCAL, (SERVER, 3478)).allocate()
    tap.ok(answer and answer.klass == stun.SUCCESS, "a new client gets an allocation meanwhile")
    tap.note(f"measured: in {time.monotonic() - start:.3f} s")
    tap.ok(talk(calls, lambda: trickle.step() and stream_stats()["live"] < 10, 40),
           "all of them are ended by time-outs", f"{stream_stats()}")
    tap.ok(trickle.ended and trickle.ended - trickle.started < 20, "so is the one with a byte a second")
    tap.ok(stream_stats()["timed_out"] >= SILENT, "counted")
    child.communicate()
    settle(calls)


# --- a client that does not read ---

def slow():
    """Media for a client that has stopped reading."""
    calls = neighbours()
    with wire.namespace("cl"):
        client = stun_stream.StreamClient(LOCAL, (SERVER, 3478))
    with wire.namespace("pe"):
        peer = stun.udp_socket(PEER)
    client.allocate()
    client.bind(CHANNEL, peer.getsockname())
    before = rss_kib()
    packet = bytes(1000)

    def flood():
        for _ in range(400):
            peer.sendto(packet, client.relayed)
        return stream_stats()["media_dropped_packets"] > 2000

    tap.ok(talk(calls, flood, 60), "media for a client that does not read is dropped and counted", f"{stream_stats()}")
    cost = rss_kib() - before
    tap.ok(cost <= SLOW_KIB + SLACK_KIB, f"it costs no more than {SLOW_KIB} KiB and {SLACK_KIB} KiB", f"{cost} KiB")
    tap.note(f"measured: a client that does not read costs {cost} KiB")
    answer = client.refresh(600)
    tap.ok(answer and answer.klass == stun.SUCCESS, "when it reads again, its Refresh is answered behind the media")
    tap.ok(client.inbox and all(len(entry[2]) == 1000 for entry in client.inbox if entry[0] == "channel"),
           f"and what it got is whole ({len(client.inbox)} packets)")
    settle(calls)


# --- certificates ---

def certificate_name(ca_file):
    """Whose certificate a new connection sees."""
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = False
    with wire.namespace("cl"), socket.create_connection((SERVER, TLS_PORT), timeout=20) as sock:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(sock) as tls:
            return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]
    return None


def certificates():
    """A certificate that is replaced in the middle of calls, once by a good one and once by a bad one."""
    work = os.environ["WORK"]
    calls = neighbours()
    one, three = os.path.join(work, "one.pem"), os.path.join(work, "three.pem")
    tap.eq(certificate_name(one), "one", "before: certificate one")
    tap.ok(not talk(calls, lambda: False, 1), "calls")
    shutil.copy(three, os.path.join(work, "live.pem"))
    shutil.copy(os.path.join(work, "three.key"), os.path.join(work, "live.key"))
    os.kill(int(os.environ["RELAY_PID"]), 12)  # SIGUSR2
    tap.ok(talk(calls, lambda: certificate_name(three) == "three", 20),
           "after SIGUSR2 new connections see certificate three")
    tap.ok(not talk(calls, lambda: False, 1), "calls go on")
    with open(os.path.join(work, "live.pem"), "w", encoding="ascii") as bad:
        bad.write("not a certificate\n")
    os.kill(int(os.environ["RELAY_PID"]), 12)

    def refused():
        with open(os.path.join(work, "turnpiked.log"), encoding="utf-8") as log:
            return "live.pem" in log.read()

    tap.ok(talk(calls, refused, 20), "a bad certificate is refused by name, in the log")
    tap.eq(certificate_name(three), "three", "and changes nothing")
    settle(calls)


# --- TCP allocations: RFC 6062 ---

CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT, CONNECTION_ID = 0x0A, 0x0B, 0x0C, 0x2A
TCP_TRANSPORT = (stun.REQUESTED_TRANSPORT, b"\x06\0\0\0")


def peer_listener():
    """A listening socket of the peer, and its address."""
    with wire.namespace("pe"):
        listener = socket.create_server((PEER, 0))
    listener.settimeout(20)
    return listener, listener.getsockname()


def about_peer(client, method, peer):
    """A request with XOR-PEER-ADDRESS."""
    transaction = os.urandom(12)
    return client.request(method, [(stun.XOR_PEER_ADDRESS, stun.xor_address(peer, transaction))], transaction, 40)


def data_connection(control, connection_id, tls):
    """A stream that ConnectionBind has made the peer's, and what has come behind the answer."""
    with wire.namespace("cl"):
        data = stun_stream.StreamClient(LOCAL, (SERVER, TLS_PORT if tls else 3478), tls=tls, name="one.test")
    data.realm, data.nonce = control.realm, control.nonce
    answer = data.request(CONNECTION_BIND, [(CONNECTION_ID, connection_id)])
    tap.ok(answer and answer.klass == stun.SUCCESS, "ConnectionBind")
    return data.sock, data.buffer


def exchange_bulk(one, other, name):
    """A megabyte each way, told apart by its bytes."""
    for source, sink in ((one, other), (other, one)):
        data = os.urandom(1 << 10) * 64
        got = b""
        for _ in range(16):
            source.sendall(data)
            want = len(got) + len(data)
            while len(got) < want:
                piece = sink.recv(65536)
                if not piece:
                    break
                got += piece
        tap.ok(got == data * 16, f"{name}: a megabyte comes as it was sent ({len(got)} bytes)")


def connect_out(control, tls, name):
    """Connect, ConnectionBind, bytes, the end."""
    listener, address = peer_listener()
    answer = about_peer(control, CONNECT, address)
    connection_id = answer and answer.get(CONNECTION_ID)
    tap.ok(connection_id, f"{name}: Connect is answered with a CONNECTION-ID", answer and answer.code)
    peer, source = listener.accept()
    tap.eq(source, control.relayed, f"{name}: the peer sees the relayed address")
    tap.eq(about_peer(control, CONNECT, address).code, 446, f"{name}: the same peer again is 446")
    peer.sendall(b"early")
    data, early = data_connection(control, connection_id, tls)
    tap.eq(early or data.recv(5), b"early", f"{name}: what the peer said before the ConnectionBind comes first")
    exchange_bulk(data, peer, name)
    peer.settimeout(20)
    data.close()
    tap.eq(peer.recv(1), b"", f"{name}: the client's end is the peer's")
    peer.close()
    listener.close()


def peer_refused(relayed):
    """Whether a peer's connection is closed at once."""
    with contextlib.suppress(ConnectionError):
        with wire.namespace("pe"):
            sock = socket.create_connection(relayed, timeout=20)
        return sock.recv(1) == b""
    return True


def peers():
    """Connections to peers and from peers, with and without permission."""
    tls = trusting(os.path.join(os.environ["WORK"], "one.pem"))
    for name, context, port in (("TCP", None, 3478), ("TLS", tls, TLS_PORT)):
        with wire.namespace("cl"):
            control = stun_stream.StreamClient(LOCAL, (SERVER, port), tls=context, name="one.test")
        answer = control.request(stun.ALLOCATE, [TCP_TRANSPORT])
        control.relayed = answer.address(stun.XOR_RELAYED_ADDRESS)
        tap.eq(answer.klass, stun.SUCCESS, f"{name}: a TCP allocation")
        connect_out(control, context, name)
        tap.eq(about_peer(control, CONNECT, (PEER, 9)).code, 447, f"{name}: a port where nobody listens is 447")
        tap.ok(peer_refused(control.relayed), f"{name}: a peer without permission is closed")
        control.permit(PEER)
        with wire.namespace("pe"):
            peer = socket.create_connection(control.relayed, timeout=20)
        attempt = tap.wait_until(lambda client=control: client.receive(0.5), 20)
        message = stun.Message(attempt) if attempt else None
        tap.ok(message and message.method == CONNECTION_ATTEMPT
               and message.address(stun.XOR_PEER_ADDRESS) == peer.getsockname(),
               f"{name}: a peer with permission is announced by its address")
        data, _ = data_connection(control, message.get(CONNECTION_ID), context)
        exchange_bulk(data, peer, f"{name}, from a peer")
        control.refresh(0)
        tap.eq(peer.recv(1), b"", f"{name}: the allocation's end is every connection's")
    tap.ok(tap.wait_until(lambda: json.loads(ctl("--json", "stats"))["allocations"] == 0), "no allocation is left")


def main():
    """See above."""
    if sys.argv[1] == "hold":
        hold(int(sys.argv[2]), sys.argv[3:])
        return 0
    parts = {"proxy": proxy, "silent": silent, "slow": slow, "certificates": certificates, "peers": peers}
    parts[sys.argv[1]]()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
