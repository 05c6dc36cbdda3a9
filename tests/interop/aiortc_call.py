#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One end of an aiortc call; a part of test_aiortc.sh, which runs both in namespaces that only the relay joins.

usage: aiortc_call.py offer OUT IN URL USER PASSWORD     prints TAP
       aiortc_call.py answer OUT IN

OUT and IN are named pipes: a session description goes out as one line, the other's comes in. The
certificate of a turns: URL is verified, against the authorities in SSL_CERT_FILE.
"""
import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

import tap

MESSAGES = 300


def write_line(path, description):
    """Blocks until the other end reads."""
    with open(path, "w", encoding="utf-8") as pipe:
        print(json.dumps({"sdp": description.sdp, "type": description.type}), file=pipe)


def read_line(path):
    """Blocks until the other end writes."""
    with open(path, encoding="utf-8") as pipe:
        return RTCSessionDescription(**json.loads(pipe.readline()))


async def offer(out, back, url, user, password):
    """Counts what comes back."""
    server = RTCIceServer(urls=[url], username=user, credential=password)
    end = RTCPeerConnection(RTCConfiguration(iceServers=[server]))
    channel = end.createDataChannel("echo")
    opened, echoed = asyncio.Event(), asyncio.Queue()
    channel.on("open", opened.set)
    channel.on("message", echoed.put_nowait)
    await end.setLocalDescription(await end.createOffer())
    tap.ok(" typ relay" in end.localDescription.sdp, f"{url}: a relayed candidate")
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, write_line, out, end.localDescription)
    await end.setRemoteDescription(await loop.run_in_executor(None, read_line, back))
    await asyncio.wait_for(opened.wait(), 30)
    for number in range(MESSAGES):
        channel.send(f"{number}".ljust(900, "."))
    returned = [await asyncio.wait_for(echoed.get(), 30) for _ in range(MESSAGES)]
    tap.eq([int(text.rstrip(".")) for text in returned], list(range(MESSAGES)), f"{url}: {MESSAGES} messages come back")
    await end.close()


async def answer(out, back):
    """Echoes until the other end closes."""
    end, over = RTCPeerConnection(), asyncio.Event()

    @end.on("datachannel")
    def on_channel(channel):
        @channel.on("message")
        def on_message(message):
            channel.send(message)

    @end.on("connectionstatechange")
    def on_state():
        if end.connectionState in ("closed", "failed"):
            over.set()

    loop = asyncio.get_running_loop()
    await end.setRemoteDescription(await loop.run_in_executor(None, read_line, back))
    await end.setLocalDescription(await end.createAnswer())
    await loop.run_in_executor(None, write_line, out, end.localDescription)
    await asyncio.wait_for(over.wait(), 60)
    await end.close()


if __name__ == "__main__":
    role = {"offer": offer, "answer": answer}[sys.argv[1]]
    asyncio.run(asyncio.wait_for(role(*sys.argv[2:]), 90))
    sys.exit(tap.done() if role is offer else 0)
