#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Chromium calls itself through the relay, headless; a part of test_chromium.sh.

usage: chromium_call.py URL USER PASSWORD udp|tcp|tls [SPKI]

Speaks WebDriver to a chromedriver that it starts itself. SPKI is the base64 SHA-256 of the public key
of a private certificate that the browser shall accept.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import tap

MESSAGES = 200
FRAMES = 25
READY = "was started successfully"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
         "--autoplay-policy=no-user-gesture-required"]


class Driver:
    """A chromedriver of our own and its one session."""

    def __init__(self, folder, flags):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.STDOUT)
        self.base = f"http://127.0.0.1:{self.wait_for_port()}"
        options = {"args": flags + [f"--user-data-dir={folder}"], "binary": "/usr/bin/chromium"}
        answer = self.post("/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options,
                                                                         "timeouts": {"script": 90000}}}})
        self.session = f"/session/{answer['sessionId']}"
        self.version = answer["capabilities"]["browserVersion"]

    def wait_for_port(self):
        """chromedriver says which port it took."""
        for line in self.process.stdout:
            if READY in line:
                return int(line.rstrip(".\n").rsplit(" ", 1)[1])
        raise RuntimeError("chromedriver ended before it was ready")

    def post(self, path, body):
        """One command, its value."""
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def run(self, script, *arguments):
        """An asynchronous script in the page."""
        return self.post(self.session + "/execute/async", {"script": script, "args": list(arguments)})

    def end(self):
        """The browser first, then the driver."""
        try:
            request = urllib.request.Request(self.base + self.session, method="DELETE")
            with urllib.request.urlopen(request, timeout=30):
                pass
        finally:
            self.process.terminate()
            self.process.wait(20)


def main(url, user, password, protocol, *spki):
    """One call."""
    flags = FLAGS + [f"--ignore-certificate-errors-spki-list={key}" for key in spki]
    script = (pathlib.Path(__file__).parent / "webrtc_page.js").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = Driver(folder, flags)
        try:
            report = driver.run(script, [{"urls": url, "username": user, "credential": password}], MESSAGES, FRAMES)
        finally:
            driver.end()
    print(f"# Chromium {driver.version}: {json.dumps(report)}")
    tap.eq(report["echoed"], MESSAGES, f"{url}: {MESSAGES} messages of the data channel come back")
    tap.ok(report["frames"] >= FRAMES, f"{url}: video arrives and is decoded")
    tap.eq([(pair["type"], pair["protocol"]) for pair in report["pairs"]], [("relay", protocol)] * 2,
           f"{url}: both ends use a relayed candidate, over {protocol}")


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.exit(tap.done())
