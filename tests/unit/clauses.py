#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Checks the tables of RFC clauses (tests/fixtures/clauses) against the tests of this run, as TAP.

Runs after the suites, whose output the runner left in its log folder. A row has four
columns between tabs: section, level, clause, and `test: NAME` or `left out: REASON`. The
test has to be among those that passed; NAME is the whole of its TAP line after the number.
"""
import glob
import os
import re
import sys

LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "REQUIRED", "RECOMMENDED", "NOT RECOMMENDED"}
PASSED = re.compile(r"^ok +\d+ - (.*)$")
TABLES = "tests/fixtures/clauses/*.txt"


def passed_tests(log_dir):
    """The names of all tests that passed."""
    names = set()
    for path in glob.glob(os.path.join(log_dir, "*.tap")):
        with open(path, encoding="utf-8", errors="replace") as file:
            names.update(found.group(1) for found in map(PASSED.match, file) if found)
    return {name for name in names if " # SKIP" not in name}


def row_fault(columns, passed):
    """What is wrong with a row, or None."""
    if len(columns) != 4:
        return f"{len(columns)} columns instead of 4"
    if columns[1] not in LEVELS:
        return f"level '{columns[1]}'"
    kind, _, text = columns[3].partition(": ")
    if kind == "left out":
        return None if text else "left out without a reason"
    if kind != "test":
        return f"'{columns[3]}' is neither 'test: ' nor 'left out: '"
    return None if text in passed else f"no such test passed: {text}"


def main():
    """Prints one test for each row of each table."""
    passed = passed_tests(os.path.join(os.environ.get("O", "build"), "test-logs"))
    tests = failed = left_out = 0
    for path in sorted(glob.glob(TABLES)):
        rfc = os.path.splitext(os.path.basename(path))[0].upper()
        with open(path, encoding="utf-8") as file:
            rows = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
        for row in rows:
            columns = row.split("\t")
            fault = row_fault(columns, passed)
            tests += 1
            failed += fault is not None
            left_out += columns[-1].startswith("left out")
            print(f"{'not ' if fault else ''}ok {tests} - {rfc} {' '.join(columns[:3])}")
            if fault:
                print(f"# {fault}")
    print(f"# {tests} clauses, {left_out} left out with their reason")
    print(f"1..{tests}")
    return 1 if failed else 0


sys.exit(main())
