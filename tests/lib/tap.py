# SPDX-License-Identifier: GPL-2.0
# pylint: disable=global-statement
"""TAP for the Python parts of suites: ok(), eq(), done() for sys.exit(); wait_until() for conditions."""
import time

_run = _failed = 0


def ok(good, name, detail=""):
    """One test."""
    global _run, _failed
    _run += 1
    _failed += not good
    print(f"{'ok' if good else 'not ok'} {_run} - {name}", flush=True)
    if not good and detail:
        print(f"# {detail}", flush=True)
    return good


def eq(got, expected, name):
    """One test: equal values."""
    return ok(got == expected, name, f"is {repr(got)[:300]}, expected {repr(expected)[:300]}")


def note(text):
    """A diagnostic line."""
    print(f"# {text}", flush=True)


def wait_until(condition, seconds=20.0, every=0.05):
    """Calls condition until it is true; its value, or the last false one after the bound."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(every)


def done():
    """The plan, and the exit status."""
    print(f"1..{_run}", flush=True)
    return 1 if _failed else 0
