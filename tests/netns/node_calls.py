#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Calls through a daemon that is told things meanwhile; a part of test_node.sh.

usage: node_calls.py PID CONFIGURATION LOG
"""
import json
import os
import signal
import struct
import subprocess
import sys

import stun
import tap
import wire

CHANNEL = 0x4001
ICMP = 0x8004
CLIENT, SERVER, SECOND = "10.90.1.2", "10.90.1.1", "10.90.1.3"
PEER = os.environ["PEER4"]


def ctl(*arguments):
    """turnpikectl's JSON; None where it says no."""
    command = ["turnpikectl", "--socket", os.environ["SOCKET"], "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def client_at(server):
    """A client without an allocation."""
    with wire.namespace("cl"):
        return stun.Client(CLIENT, (server, 3478))


def listens(address):
    """Does the daemon have a UDP socket there?"""
    command = ["nsenter", f"--net=/run/netns/{os.environ['TP_NS']}-srv", "ss", "-Hlun"]
    out = subprocess.run(command, stdout=subprocess.PIPE, timeout=20, check=True).stdout.decode()
    return f"{address}:3478" in out


def succeeded(answer, name):
    """One test: a success response."""
    return tap.ok(answer is not None and answer.klass == stun.SUCCESS, name, answer and answer.code)


def dont_fragment(client, peer):
    """RFC 8656 sections 11.2 and 14: DF only where DONT-FRAGMENT asks for it."""
    capture = wire.Capture("pe", "pe0")
    for attributes, df in (((), False), (((stun.DONT_FRAGMENT, b""),), True), ((), False)):
        client.indicate(peer.getsockname(), b"df test", *attributes)
        frames = capture.frames(5, 1, lambda f: f.payload == b"df test")
        tap.ok(frames and frames[0].df is df, f"a Send {'with' if df else 'without'} DONT-FRAGMENT: DF is {int(df)}")
    before = ctl("stats")["turn"]["too_big"]
    client.indicate(peer.getsockname(), b"x" * 3000, (stun.DONT_FRAGMENT, b""))
    client.indicate(peer.getsockname(), b"y" * 3000)
    peer.settimeout(5)
    got = peer.recv(4096)
    while got == b"df test":
        got = peer.recv(4096)
    tap.eq(got, b"y" * 3000, "3000 bytes: dropped with DONT-FRAGMENT, fragmented without")
    tap.eq(ctl("stats")["turn"]["too_big"], before + 1, "and what was dropped is counted")
    capture.close()


def unreachable(client):
    """RFC 8656 section 11.5: the peer's ICMP error comes as a Data indication with ICMP and without DATA."""
    succeeded(client.bind(CHANNEL, (PEER, 9)), "a channel to a port where nobody is")
    client.inbox.clear()

    def told():
        client.channel(CHANNEL, b"anybody?")
        data = client.receive(0.5)
        try:
            message = stun.Message(data) if data else None
        except ValueError:
            return None
        return message if message and message.get(ICMP) else None
    message = tap.wait_until(told)
    if tap.ok(message, "its port unreachable comes back"):
        value = struct.unpack("!HHI", message.get(ICMP))
        tap.eq((value[1] >> 9, value[1] & 0x1FF), (3, 3), "as type 3 code 3")
        tap.eq(message.address(stun.XOR_PEER_ADDRESS), (PEER, 9), "of that peer")
        tap.ok(message.get(stun.DATA) is None, "without DATA")


def reload_with(pid, path, text):
    """A new configuration and SIGHUP, taken when `reloads` has moved."""
    before = ctl("status")["reloads"]
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.kill(pid, signal.SIGHUP)
    return tap.wait_until(lambda: ctl("status")["reloads"] > before)


def moved_listener(pid, path, log, client, peer):
    """A listening address goes away under a call."""
    with open(path, encoding="ascii") as f:
        text = f.read()
    os.rename(log, log + ".1")
    tap.ok(reload_with(pid, path, text.replace(f"listening-ip={SERVER}\n", f"listening-ip={SECOND}\n")),
           "SIGHUP: a listening address is exchanged for another")
    tap.ok(os.path.exists(log), "and the log is opened again")
    client.indicate(peer.getsockname(), b"still")
    tap.eq(peer.recv(4096), b"still", "the call at the old address goes on")
    succeeded(client.refresh(600), "its Refresh too")
    other = client_at(SERVER)
    tap.ok(other.exchange(stun.build(stun.BINDING, stun.REQUEST, []), 1.5) is None, "nothing new starts there")
    other.close()
    new = client_at(SECOND)
    succeeded(new.allocate(), "a new call at the new address")
    tap.ok(listens(SERVER), "the old sockets serve while there is a call")
    succeeded(client.refresh(0), "the call ends")
    tap.ok(tap.wait_until(lambda: not listens(SERVER)), "and then they are closed")
    return new


def drained(pid, client):
    """SIGUSR1: no new allocations, the old ones go on, the daemon ends with the last."""
    os.kill(pid, signal.SIGUSR1)
    tap.ok(tap.wait_until(lambda: ctl("status")["draining"]), "SIGUSR1: it drains")
    other = client_at(SECOND)
    answer = other.allocate()
    tap.ok(answer and answer.code == 508, "a new Allocate is refused by 508", answer and answer.code)
    other.close()
    succeeded(client.refresh(600), "the old call goes on")
    succeeded(client.refresh(0), "the last call ends")
    tap.ok(tap.wait_until(lambda: ctl("status") is None), "and with it the daemon")


def main():
    """All of it, in one daemon's life."""
    pid, path, log = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    client = client_at(SERVER)
    with wire.namespace("pe"):
        peer = stun.udp_socket(PEER)
    succeeded(client.allocate(), "a call")
    succeeded(client.permit(PEER), "with a permission")
    dont_fragment(client, peer)
    unreachable(client)
    new = moved_listener(pid, path, log, client, peer)
    drained(pid, new)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
