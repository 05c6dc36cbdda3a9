#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""login.py LOCAL SERVER USER PASSWORD PEER: what an Allocate and then a CreatePermission are answered with, as
"0", or the code of the first error. Ends the allocation."""

import sys

from stun import SUCCESS, Client


def main():
    """Prints the code; "none" where no answer came."""
    local, server, user, password, peer = sys.argv[1:]
    client = Client(local, (server, 3478), user, password)
    answer = client.allocate()
    if answer and answer.klass == SUCCESS:
        answer = client.permit(peer)
        client.refresh(0)
    print("none" if not answer else 0 if answer.klass == SUCCESS else answer.code)


main()
