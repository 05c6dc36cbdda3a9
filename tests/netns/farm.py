#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Quotas of a farm of two nodes; a part of test_farm.sh.

usage: farm.py FOLDER REDIS-PORT, with a.conf and b.conf in the folder
"""
import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time

import stun
import tap
import wire

FOLDER, PORT = sys.argv[1:3]
PEER = (os.environ["PEER4"], 3480)
QUOTA, TOTAL, LEASE_S = 3, 8, 10
CHANNEL = 0x4001


class Process:
    """A program in the relay's namespace."""

    def __init__(self, name, *command):
        self.log = open(f"{FOLDER}/{name}.log", "ab")  # pylint: disable=consider-using-with
        self.run = subprocess.Popen(  # pylint: disable=consider-using-with
            ["nsenter", f"--net=/run/netns/{os.environ['TP_NS']}-srv", "--", *command], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        atexit.register(self.end, signal.SIGKILL)

    def end(self, number=signal.SIGTERM):
        """Its exit status."""
        if self.run.poll() is None:
            self.run.send_signal(signal.SIGCONT)
            self.run.send_signal(number)
        return self.run.wait(20)


class Node(Process):
    """A turnpiked."""

    def __init__(self, name, address):
        super().__init__(name, "turnpiked", "-c", f"{FOLDER}/{name}.conf")
        self.name, self.address = name, address

    def quotadb(self, key):
        """What it says of the farm's quotas; None while it does not answer."""
        done = subprocess.run(["turnpikectl", "--socket", f"{FOLDER}/{self.name}.sock", "--json", "stats"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
        return json.loads(done.stdout)["quotadb"][key] if done.returncode == 0 else None

    def client(self, user):
        """A client of it without an allocation."""
        with wire.namespace("cl"):
            return stun.Client("10.90.1.2", (self.address, 3478), user)

    def allocate(self, user, into=None):
        """The code of an Allocate's answer, 0 for success; the client goes to a list."""
        client = self.client(user)
        answer = client.allocate()
        if answer and answer.klass == stun.SUCCESS and into is not None:
            into.append(client)
        return None if answer is None else answer.code or 0


def redis_start():
    """A redis-server that remembers nothing."""
    return Process("redis", "redis-server", "--port", PORT, "--bind", "127.0.0.1", "--dir", FOLDER, "--save", "",
                   "--appendonly", "no")


def ready(*nodes):
    """Do all of them count together?"""
    return all(node.quotadb("nodes") == len(nodes) for node in nodes)


def finally_is(code, node, user, into, seconds):
    """Until an Allocate is answered with the code; how long that took, or None."""
    start = time.monotonic()
    if not tap.wait_until(lambda: node.allocate(user, into) == code, seconds, 0.3):
        return None
    return time.monotonic() - start


def one_user(a, b):
    """A user's quota over both nodes; returns its clients."""
    clients = []
    codes = [node.allocate("alice", clients) for node in (a, b, a, b, a)]
    tap.eq(codes, [0, 0, 0, 486, 486], f"user-quota={QUOTA} holds over two nodes")
    clients.pop(0).refresh(0)
    tap.ok(finally_is(0, b, "alice", clients, 15) is not None, "a share given back on one node is there for the other")
    tap.eq(a.allocate("alice"), 486, "and for one only")
    return clients


def race(a, b):
    """Many at once never have more than the quota: the step is atomic. Returns the clients."""
    clients, codes = [node.client("bob") for node in (a, b) * 6], []
    threads = [threading.Thread(target=lambda client: codes.append(client.allocate().code or 0), args=(client,))
               for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.eq((codes.count(0), codes.count(486)), (QUOTA, len(threads) - QUOTA),
           f"of {len(threads)} Allocates at once, over both nodes, {QUOTA} succeed")
    return [client for client in clients if client.relayed]


def node_dies(a, b, clients):
    """What a killed node had is given back when its lease ends."""
    b.end(signal.SIGKILL)
    took = finally_is(0, a, "alice", clients, LEASE_S + 20)
    tap.ok(took is not None, "a killed node's shares are given back")
    tap.note(f"after {took:.1f} s" if took else "never")
    tap.ok(tap.wait_until(lambda: ready(a), 15), "and the farm has one node less")


def echoes(client, count):
    """How many of so many packets come back from the peer."""
    for i in range(count):
        client.channel(CHANNEL, f"packet {i}".encode())
    back = [client.take(5) for _ in range(count)]
    return sum(1 for entry in back if entry and entry[0] == "channel")


def warnings_of(node):
    """How often it has said that it is alone; also at its start, where it was faster than Redis."""
    with open(f"{FOLDER}/{node.name}.log", encoding="utf-8") as log:
        return log.read().count("the quotas of this node alone hold")


def redis_dies(a, redis, call):
    """Calls go on, and the node's own quota decides."""
    call.bind(CHANNEL, PEER)
    tap.eq(echoes(call, 20), 20, "a call relays")
    before, warned = a.quotadb("alone"), warnings_of(a)
    redis.end(signal.SIGKILL)
    tap.ok(tap.wait_until(lambda: a.quotadb("down")), "Redis is killed: the node says so")
    tap.eq(echoes(call, 100), 100, "the call lost nothing")
    clients = []
    codes = [a.allocate("carol", clients) for _ in range(QUOTA + 1)]
    tap.eq(codes, [0] * QUOTA + [486], "the node's own quota decides")
    tap.eq(a.quotadb("alone") - before, QUOTA, "which is counted")
    tap.eq(warnings_of(a) - warned, 1, "and logged once")
    return clients


def redis_hangs(a, redis, clients):
    """A Redis that takes connections and says nothing is a Redis that is down."""
    clients.pop().refresh(0)
    tap.ok(tap.wait_until(lambda: ready(a)), "Redis answers")
    redis.run.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    codes = [a.allocate("carol", clients)]
    tap.eq(codes, [0], "Redis hangs: an Allocate is answered all the same")
    tap.note(f"after {time.monotonic() - start:.1f} s")
    redis.run.send_signal(signal.SIGCONT)


def main():
    """All of it in order: later parts build on the allocations of earlier ones."""
    redis = redis_start()
    a, b = Node("a", "10.90.1.1"), Node("b", "10.90.1.3")
    if not tap.ok(tap.wait_until(lambda: ready(a, b), 30), "two nodes count together"):
        return tap.done()
    alice = one_user(a, b)
    bob = race(a, b)
    carol = []
    codes = [node.allocate("carol", carol) for node in (b, a, b)]
    tap.eq(codes, [0, 0, 486], f"total-quota={TOTAL} holds over two nodes")
    for client in carol + bob:
        client.refresh(0)
    node_dies(a, b, alice)
    carol = redis_dies(a, redis, alice[-1])
    redis = redis_start()
    b = Node("b", "10.90.1.3")
    tap.ok(tap.wait_until(lambda: ready(a, b), 30), "Redis is back, empty, and so is the other node")
    tap.ok(finally_is(486, b, "carol", None, 15) is not None, "what was allocated meanwhile is counted again")
    start = time.monotonic()
    tap.eq(b.end(), 0, "a node ends")
    tap.ok(tap.wait_until(lambda: ready(a), 15), "and gives its shares back at once")
    tap.note(f"after {time.monotonic() - start:.1f} s")
    redis_hangs(a, redis, carol)
    tap.ok(tap.wait_until(lambda: ready(a), 30), "and it counts with Redis again")
    tap.eq(a.end(), 0, "the other node ends")
    redis.end()
    return tap.done()


sys.exit(main())
