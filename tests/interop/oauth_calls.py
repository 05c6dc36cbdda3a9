#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Calls with access tokens of turnutils_oauth; a part of test_oauth.sh."""
import base64
import json
import os
import struct
import subprocess
import sys
import time

import stun
import tap
import wire

SERVER_NAME = "turn.test"
NORTH = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
MAC_KEY = b"0123456789abcdefghij"
ACCESS_TOKEN, THIRD_PARTY_AUTHORIZATION = 0x1B, 0x802E


def make_token(server=SERVER_NAME, lifetime_s=700, age_s=0):
    """What an authorisation server gives to a client."""
    now = int(time.time())
    out = subprocess.run(
        ["turnutils_oauth", "-e", "--server-name", server, "--auth-key-id", "north", "--auth-key", NORTH,
         "--auth-key-timestamp", str(now - 86400), "--auth-key-lifetime", "172800",
         "--token-mac-key", base64.b64encode(MAC_KEY).decode(), "--token-timestamp", str((now - age_s) << 16),
         f"--token-lifetime={lifetime_s}"], check=True, capture_output=True, text=True).stdout
    return base64.b64decode(json.loads(out)["access_token"])


class TokenClient(stun.Client):
    """Brings its token with Allocate and Refresh, and its key id with everything."""

    def __init__(self, token, kid="north"):
        super().__init__("10.90.1.2", (os.environ["SERVER4"], 3478), user=kid)
        self.token = token

    def key(self):
        return MAC_KEY

    def credentials(self):
        return super().credentials() + ([(ACCESS_TOKEN, self.token)] if self.token else [])

    def allocate_for(self, seconds):
        """Allocate with a LIFETIME."""
        return self.allocate((stun.LIFETIME, struct.pack("!I", seconds)))


def code_of(token, kid="north"):
    """The error code of an Allocate with a token."""
    client = TokenClient(token, kid)
    answer = client.allocate()
    client.close()
    return answer.code if answer else None


def main():
    """All of it."""
    with wire.namespace("cl"):
        client = TokenClient(make_token())
        first = client.exchange(stun.build(stun.ALLOCATE, stun.REQUEST, [stun.UDP_TRANSPORT]))
        tap.eq(first.get(THIRD_PARTY_AUTHORIZATION), SERVER_NAME.encode(), "RFC 7635: a 401 names the server")
        answer = client.allocate_for(3600)
        tap.eq(answer.klass, stun.SUCCESS, "RFC 7635: a token of turnutils_oauth makes an allocation")
        tap.ok(600 < (answer.lifetime or 0) <= 705, "RFC 7635: no longer than the token", f"is {answer.lifetime}")
        client.token = None
        tap.eq(client.permit(os.environ["PEER4"]).klass, stun.SUCCESS, "RFC 7635: CreatePermission comes without it")
        client.token = make_token(lifetime_s=2000)
        answer = client.refresh(1800)
        tap.ok(answer.lifetime == 1800, "RFC 7635: a newer token renews the allocation", f"is {answer.lifetime}")
        tap.eq(client.refresh(0).klass, stun.SUCCESS, "and ends it")
        client.close()

        tap.eq(code_of(make_token(server="other.test")), 401, "RFC 7635: a token for another server is refused")
        tap.eq(code_of(make_token(lifetime_s=60, age_s=120)), 401, "RFC 7635: a token that has ended is refused")
        tap.eq(code_of(make_token(), "west"), 401, "RFC 7635: a key id that is not known is refused")
        tap.eq(code_of(make_token(), "union"), 401, "RFC 7635: a token under another key id is refused")
        broken = bytearray(make_token())
        broken[20] ^= 1
        tap.eq(code_of(bytes(broken)), 401, "RFC 7635: a token that was changed is refused")
    return tap.done()


sys.exit(main())
