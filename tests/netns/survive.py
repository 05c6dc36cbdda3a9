#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A daemon that is ended over and over under a steady call, and started again each time; a part of
test_survive.sh and tests/long.

usage: survive.py ENDS SIGNAL PACKETS_PER_S DATAPATH CONFIGURATION

Numbered packets go both ways over a bound channel all the time, in a thread of their own. After each
start, which follows an end at a random moment (SEED is printed, and taken from the environment), a second
client makes its requests with the nonce that it has. After an end that the daemon knew of, requests and
packets to a relay port must find silence at once; after a kill that takes until the heartbeat is old.
"""
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

import stream
import stun
import tap
import wire

LIFETIME_S = 600
READY_S = 60.0


def ctl(*arguments):
    """turnpikectl's JSON; None: nobody answers."""
    done = subprocess.run(["turnpikectl", "--socket", os.environ["SOCKET"], "--json", *arguments],
                          check=False, capture_output=True, timeout=20)
    return json.loads(done.stdout) if done.returncode == 0 else None


class Daemon:
    """turnpiked in its namespace."""

    def __init__(self, configuration, datapath):
        self.command = ["turnpiked", "-c", configuration, f"--datapath={datapath}"]
        self.process = None

    def start(self):
        """Returns when its control socket answers."""
        with open(os.path.join(os.environ["WORK"], "turnpiked.log"), "ab") as log, wire.namespace("srv"):
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not tap.wait_until(lambda: ctl("status") or self.process.poll() is not None, READY_S) or self.process.poll():
            raise RuntimeError("turnpiked does not start")

    def end(self, number):
        """By a signal; how it ended."""
        self.process.send_signal(number)
        return self.process.wait(READY_S)


class Steady(threading.Thread):
    """The call."""

    def __init__(self, rate):
        super().__init__(daemon=True)
        self.every = 1 / rate
        self.call = stream.Stream(os.environ["PEER4"])
        self.allocated = time.monotonic()
        self.over = threading.Event()

    def run(self):
        start = time.monotonic()
        while not self.over.is_set():
            while self.call.sent * self.every <= time.monotonic() - start:
                self.call.send()
                self.call.read(0)
            self.call.read(self.every)
        self.call.read(3)

    def lost(self):
        """Of each direction, after the end."""
        return [self.call.sent - len(seen) for seen in (self.call.up, self.call.down)]


def icmp_errors():
    """Sent by the relay so far, both families."""
    with wire.namespace("srv"):
        with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
            names, values = [line.split() for line in file if line.startswith("Icmp:")]
        with open("/proc/thread-self/net/snmp6", encoding="ascii") as file:
            six = dict(line.split() for line in file)
    return int(dict(zip(names, values))["OutDestUnreachs"]) + int(six["Icmp6OutDestUnreachs"])


class Second:
    """A client that goes on asking with the credentials and the nonce that it had."""

    def __init__(self):
        with wire.namespace("cl"):
            self.client = stun.Client("10.90.1.2", (os.environ["SERVER4"], 3478))
        with wire.namespace("pe"):
            self.peer = stun.udp_socket(os.environ["PEER4"])
            self.nobody = stun.udp_socket(os.environ["PEER4"])
        self.client.allocate()
        self.allocated = time.monotonic()
        self.nonce = self.client.nonce

    def poke(self):
        """Nobody may answer these with an ICMP error while no daemon lives."""
        self.nobody.sendto(b"nobody", (os.environ["RELAY4"], 50123))
        self.client.send(stun.build(stun.BINDING, stun.REQUEST, []))

    def go_on(self):
        """After a restart, all three requests. What failed, or None."""
        for name, answer in (("Refresh", self.client.refresh(LIFETIME_S)),
                             ("CreatePermission", self.client.permit(os.environ["PEER4"])),
                             ("ChannelBind", self.client.bind(0x4000, self.peer.getsockname()))):
            if not answer or answer.klass != stun.SUCCESS:
                return f"{name}: {answer.code if answer else 'no answer'}"
            if name == "Refresh":
                self.allocated = time.monotonic()
        if self.client.nonce != self.nonce:
            return "the nonce was not good any more"
        return None

    def echo(self, number):
        """Userspace and kernel relay for it, too."""
        self.client.channel(0x4000, struct.pack("!I", number))
        if not tap.wait_until(lambda: self.take(number), 10):
            return "its channel does not carry"
        return None

    def take(self, number):
        """Until the number is at the peer."""
        self.peer.settimeout(0.5)
        try:
            return struct.unpack("!I", self.peer.recv(2048)[:4])[0] == number
        except OSError:
            self.client.channel(0x4000, struct.pack("!I", number))
            return False


def wrong_lifetimes(clients):
    """Allocations whose remaining time is not what they were given, within 2 seconds; or that are gone."""
    listed = {entry["client"]: entry for entry in ctl("list") or []}
    wrong = []
    for client, allocated in clients:
        host, port = client.sock.getsockname()[:2]
        entry = listed.get(f"{host}:{port}")
        left = LIFETIME_S - (time.monotonic() - allocated)
        if not entry or abs(entry["expires_in_s"] - left) > 2:
            wrong.append(f"{host}:{port}: {entry and entry['expires_in']} for {left:.0f}")
    return wrong


def ends(daemon, number, count, steady, second):
    """One end and start after the other; what went wrong."""
    problems = []
    for i in range(count):
        time.sleep(random.uniform(0.05, 0.6))
        daemon.end(number)
        if number != signal.SIGKILL:
            second.poke()
        time.sleep(random.uniform(0, 0.3))
        daemon.start()
        problem = second.go_on() or second.echo(i)
        if problem:
            problems.append(f"{i + 1}: {problem}")
        problems += wrong_lifetimes([(steady.call.client, steady.allocated), (second.client, second.allocated)])
    return problems


def main():
    """See above."""
    count, number, rate, datapath, configuration = (int(sys.argv[1]), getattr(signal, "SIG" + sys.argv[2]),
                                                    int(sys.argv[3]), sys.argv[4], sys.argv[5])
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    random.seed(seed)
    start = time.monotonic()
    name = f"{datapath}: {sys.argv[2]} {count} times"
    daemon = Daemon(configuration, datapath)
    daemon.start()
    steady, second = Steady(rate), Second()
    steady.start()
    tap.ok(tap.wait_until(lambda: ctl("stats")["relayed"]["kernel"]["packets"] >= rate), f"{name}: the kernel relays")
    before = icmp_errors()
    problems = ends(daemon, number, count, steady, second)
    steady.over.set()
    steady.join()
    tap.note(f"measured: {name}: seed {seed}, {time.monotonic() - start:.0f} s, {steady.call.sent} packets each way")
    tap.eq(steady.lost(), [0, 0], f"{name}: no packet of {2 * steady.call.sent} is lost")
    tap.eq(problems, [], f"{name}: lifetimes, Refresh, CreatePermission and ChannelBind go on")
    tap.eq(icmp_errors() - before, 0, f"{name}: no ICMP error")
    for client in (steady.call.client, second.client):
        client.refresh(0)
    tap.ok(tap.wait_until(lambda: ctl("stats")["allocations"] == 0), f"{name}: no allocation is left")
    tap.ok(tap.wait_until(lambda: ctl("status")["flows"] == 0), f"{name}: no rule is left")
    tap.eq(daemon.end(signal.SIGTERM), 0, f"{name}: the last one ends")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
