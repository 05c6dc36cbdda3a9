#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Relays a short stream through a server and says how many packets came back; used by run.sh, in its
temporary namespace. Client and peer are two addresses there.

usage: self_check.py CLIENT PEER SERVER PORT    with the secret as a line of standard input
"""
import base64
import hashlib
import hmac
import sys
import time

import stun

PACKETS = 100
CHANNEL = 0x4000


def main():
    """One allocation, one channel, numbered packets and their echoes."""
    local, peer_host, server, port = sys.argv[1:5]
    secret = sys.stdin.readline().strip()
    user = f"{int(time.time()) + 60}:check"
    password = base64.b64encode(hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()).decode()
    client = stun.Client(local, (server, int(port)), user, password)
    peer = stun.udp_socket(peer_host)
    peer.settimeout(2)
    for answer in (client.allocate(), client.bind(CHANNEL, peer.getsockname())):
        if not answer or answer.klass != stun.SUCCESS:
            print(f"turnpike: check: {f'error {answer.code}' if answer else 'no answer'}")
            return 1
    echoed = 0
    for number in range(PACKETS):
        client.channel(CHANNEL, b"%d" % number)
        try:
            data, relayed = peer.recvfrom(2048)
        except TimeoutError:
            continue
        peer.sendto(data, relayed)
        echoed += client.take(2) == ("channel", CHANNEL, b"%d" % number)
    client.refresh(0)
    print(f"turnpike: check: a client in a temporary namespace sent {PACKETS} packets, {echoed} came back")
    return 0 if echoed == PACKETS else 1


if __name__ == "__main__":
    sys.exit(main())
