#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Requests that are wrong in one way each, and the error that RFC 8489 and RFC 8656 give them; a part
of test_bad_input.sh, in the client's namespace. The relay has four ports (min-port to max-port).

usage: bad_input.py REST_USER REST_PASSWORD EXPIRED_USER EXPIRED_PASSWORD
"""
import os
import random
import struct
import sys
import time

import stun
import tap

LOCAL = "10.90.1.2"
SERVER = (os.environ["SERVER4"], 3478)
PEER = (os.environ["PEER4"], 3480)
SEED = 20260801


def new_client(**kwargs):
    """A client on a port of its own."""
    return stun.Client(LOCAL, SERVER, **kwargs)


def code_of(answer):
    """An error's code; 0 a success; None no answer."""
    return answer.code if answer else None


def binding_works(name):
    """The daemon still answers."""
    client = new_client()
    answer = client.exchange(stun.build(stun.BINDING, stun.REQUEST, []))
    tap.eq(answer and answer.address(stun.XOR_MAPPED_ADDRESS), client.sock.getsockname(), name)
    client.close()


def garbage():
    """Datagrams that are nothing, or nearly something."""
    client = new_client()
    source = random.Random(SEED)
    names = [(stun.USERNAME, b"alice"), (stun.REALM, b"turn.test"), (stun.NONCE, b"x" * 40)]
    whole = stun.build(stun.ALLOCATE, stun.REQUEST, [stun.UDP_TRANSPORT, *names], key=b"k" * 16)
    for size in range(len(whole)):
        client.send(whole[:size])
    lying = [struct.pack("!H", size) for size in (1, 2, 3, 4, 0xFFFF, len(whole), len(whole) - 16)]
    for size in lying:
        client.send(whole[:2] + size + whole[4:])
    for at in range(20, len(whole) - 4, 4):
        client.send(whole[:at + 2] + b"\xff\xff" + whole[at + 4:])
    for burst in range(30):
        for _ in range(100):
            client.send(source.randbytes(source.randrange(0, 200)))
        time.sleep(0.01)  # a rate, not a wait: the socket's queue is not what is tested
    binding_works(f"Binding is answered after truncated, lying and {100 * (burst + 1)} random datagrams, seed {SEED}")
    client.close()


def wrong_length_is_silent():
    """RFC 8489 section 6.3: malformed messages are discarded without an answer."""
    client = new_client()
    request = stun.build(stun.BINDING, stun.REQUEST, [])
    client.send(request[:2] + b"\0\x04" + request[4:])
    client.send(request[:3] + b"\x01" + request[4:] + b"\0")
    client.send(request + b"\0\0\0\0")
    tap.eq(client.receive(0.5), None, "a wrong length is not answered")
    bad = bytearray(stun.build(stun.BINDING, stun.REQUEST, [], fingerprint=True))
    bad[-1] ^= 1
    client.send(bytes(bad))
    tap.eq(client.receive(0.5), None, "a wrong FINGERPRINT is not answered")
    client.close()


def unknown_attributes():
    """RFC 8489 section 6.3.1: 420 and which."""
    client = new_client()
    answer = client.exchange(stun.build(stun.BINDING, stun.REQUEST, [(0x7777, b"abcd"), (0x8777, b"ab")]))
    tap.eq(code_of(answer), 420, "Binding with an unknown comprehension-required attribute: 420")
    tap.eq(answer and answer.get(stun.UNKNOWN_ATTRIBUTES), b"\x77\x77", "UNKNOWN-ATTRIBUTES names it, and only it")
    answer = client.request(stun.ALLOCATE, [stun.UDP_TRANSPORT, (0x7778, b"abcd")])
    tap.eq(code_of(answer), 420, "Allocate with one: 420")
    client.close()


def credentials():
    """RFC 8489 section 9.2.4."""
    client = new_client()
    answer = client.exchange(stun.build(stun.ALLOCATE, stun.REQUEST, [stun.UDP_TRANSPORT]))
    tap.eq(code_of(answer), 401, "Allocate without credentials: 401")
    tap.ok(answer and answer.get(stun.REALM) and answer.get(stun.NONCE), "with REALM and NONCE")
    client.close()
    for user, password, name in (("alice", "wrong", "a wrong password"), ("mallory", "secret1", "an unknown user"),
                                 (sys.argv[3], sys.argv[4], "REST credentials that have expired")):
        client = new_client(user=user, password=password)
        client.allocate()
        tap.eq(code_of(client.request(stun.ALLOCATE, [stun.UDP_TRANSPORT])), 401, f"{name}: 401")
        client.close()
    client = new_client(user=sys.argv[1], password=sys.argv[2])
    tap.eq(code_of(client.allocate()), 0, "REST credentials: allocation")
    client.refresh(0)
    client.close()
    client = new_client(user=sys.argv[1], password="x" + sys.argv[2])
    tap.eq(code_of(client.allocate()), 401, "REST credentials, wrong password: 401")
    client.close()


def stale_nonce():
    """RFC 8489 section 9.2.4: 438 with a fresh nonce; the request passes with it."""
    client = new_client()
    first = client.exchange(stun.build(stun.ALLOCATE, stun.REQUEST, [stun.UDP_TRANSPORT]))
    client.realm, client.nonce = first.get(stun.REALM), b"0123456789abcdef"
    answer = client.exchange(stun.build(stun.ALLOCATE, stun.REQUEST, [stun.UDP_TRANSPORT, *client.credentials()],
                                        key=client.key()))
    tap.eq(code_of(answer), 438, "a nonce that is not ours: 438")
    tap.ok(answer and answer.get(stun.NONCE) not in (None, client.nonce), "with a fresh nonce")
    tap.eq(code_of(client.allocate()), 0, "and the request passes with it")
    client.refresh(0)
    client.close()


def allocation_errors():
    """RFC 8656 section 7.2."""
    client = new_client()
    tap.eq(code_of(client.request(stun.ALLOCATE, [])), 400, "Allocate without REQUESTED-TRANSPORT: 400")
    tap.eq(code_of(client.request(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, b"\x84\0\0\0")])), 442,
           "Allocate for SCTP: 442")
    tap.eq(code_of(client.refresh(600)), 437, "Refresh without an allocation: 437")
    tap.eq(code_of(client.permit(PEER[0])), 437, "CreatePermission without an allocation: 437")
    tap.eq(code_of(client.allocate()), 0, "allocation")
    tap.eq(code_of(client.request(stun.ALLOCATE, [stun.UDP_TRANSPORT])), 437, "a second one on its 5-tuple: 437")
    client.user, client.password, kept = sys.argv[1], sys.argv[2], client.user
    tap.eq(code_of(client.refresh(600)), 441, "Refresh by another user: 441")
    client.user, client.password = kept, "secret1"
    for number in (0x3FFF, 0x8000):
        tap.eq(code_of(client.bind(number, PEER)), 400, f"ChannelBind of 0x{number:x}: 400")
    tap.eq(code_of(client.bind(0x4001, PEER)), 0, "ChannelBind")
    tap.eq(code_of(client.bind(0x4002, PEER)), 400, "another channel to the same peer: 400")
    tap.eq(code_of(client.bind(0x4001, (PEER[0], 3481))), 400, "the channel to another peer: 400")
    tap.eq(code_of(client.permit("fd90:2::2")), 443, "a peer of the other family: 443")
    for host in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "10.90.2.77",
                 "10.90.1.1"):  # policy's defaults, the configured one, the node itself
        tap.eq(code_of(client.permit(host)), 403, f"CreatePermission for {host}: 403")
    tap.eq(code_of(client.bind(0x4003, ("127.0.0.1", 22))), 403, "ChannelBind to loopback: 403")
    tap.eq(code_of(client.refresh(0)), 0, "Refresh 0 ends it")
    client.close()


def ports_exhausted():
    """RFC 8656 section 7.2: 508 when there is no port; they come back."""
    clients = [new_client() for _ in range(8)]
    for client in clients[:4]:  # ports of the tests before are given again after a grace period
        tap.wait_until(lambda c=client: code_of(c.allocate()) == 0, 20, 0.2)
    tap.eq(len({client.relayed for client in clients[:4]} - {None}), 4, "four ports make four allocations")
    tap.eq([code_of(client.allocate()) for client in clients[4:]], [508] * 4, "the others get 508")
    for client in clients[:4]:
        client.refresh(0)
    late = new_client()
    tap.eq(tap.wait_until(lambda: code_of(late.allocate()) == 0, 20, 0.2), True, "a port that was freed is given again")
    late.refresh(0)
    for client in [*clients, late]:
        client.close()


if __name__ == "__main__":
    garbage()
    wrong_length_is_silent()
    unknown_attributes()
    credentials()
    stale_nonce()
    allocation_errors()
    ports_exhausted()
    binding_works("Binding is answered at the end")
    sys.exit(tap.done())
