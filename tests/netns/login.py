#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""login.py LOCAL SERVER USER PASSWORD PEER [N]: what an Allocate and then a CreatePermission are answered with, as
"0", or the code of the first error. Of N clients at once the last one's. Ends their allocations."""

import sys

from stun import SUCCESS, Client


def log_in(client, peer):
    """The first answer that is an error, or the last."""
    answer = client.allocate()
    if answer and answer.klass == SUCCESS:
        answer = client.permit(peer)
    return answer


def main():
    """Prints the code; "none" where no answer came."""
    local, server, user, password, peer = sys.argv[1:6]
    clients = [Client(local, (server, 3478), user, password) for _ in range(int(sys.argv[6]) if sys.argv[6:] else 1)]
    answers = [log_in(client, peer) for client in clients]
    for client in clients:
        client.refresh(0)
    answer = answers[-1]
    print("none" if not answer else 0 if answer.klass == SUCCESS else answer.code)


main()
