#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# pylint: disable=protected-access
"""Two ICE agents of aioice that may use their relayed candidates only; a part of test_aioice.sh.

usage: aioice_call.py SERVER USER PASSWORD MESSAGES [udp|tcp|tls [CA-FILE]]

aioice gathers every kind of candidate: the host and server-reflexive ones are taken out before the
checks, on both sides.
"""
import asyncio
import ssl
import sys

import aioice

import tap


def relayed_only(agent):
    """Leaves the protocol of the relayed candidate. The others' sockets stay open, silent."""
    agent._protocols = [protocol for protocol in agent._protocols if protocol.local_candidate.type == "relay"]
    agent._local_candidates = [candidate for candidate in agent.local_candidates if candidate.type == "relay"]


def way_in(server, transport, ca_file):
    """How the agents reach the server."""
    if transport != "tls":
        return {"turn_server": (server, 3478), "turn_transport": transport}
    return {"turn_server": (server, 5349), "turn_transport": "tcp",
            "turn_ssl": ssl.create_default_context(cafile=ca_file)}


async def call(server, user, password, messages, transport="udp", ca_file=None):
    """Gathers, connects, echoes."""
    # pylint: disable=too-many-arguments,too-many-locals
    agents = [aioice.Connection(ice_controlling=controlling, turn_username=user, turn_password=password,
                                **way_in(server, transport, ca_file)) for controlling in (True, False)]
    first, second = agents
    for agent in agents:
        await agent.gather_candidates()
        relayed_only(agent)
    tap.ok(all(agent.local_candidates for agent in agents), f"{transport}: both have a relayed candidate")
    for here, there in ((first, second), (second, first)):
        here.remote_username, here.remote_password = there.local_username, there.local_password
        for candidate in there.local_candidates:
            await here.add_remote_candidate(candidate)
        await here.add_remote_candidate(None)
    await asyncio.gather(*(agent.connect() for agent in agents))
    tap.ok(True, f"{transport}: connected")
    echoed = 0
    for number in range(messages):
        message = b"%06d" % number + bytes(1000)
        await first.send(message)
        await second.send(await asyncio.wait_for(second.recv(), 10))
        echoed += await asyncio.wait_for(first.recv(), 10) == message
    tap.eq(echoed, messages, f"{transport}: {messages} messages there and back")
    for agent in agents:
        await agent.close()


if __name__ == "__main__":
    server_name, user_name, user_password, count = sys.argv[1:5]
    asyncio.run(asyncio.wait_for(call(server_name, user_name, user_password, int(count), *sys.argv[5:7]), 60))
    sys.exit(tap.done())
