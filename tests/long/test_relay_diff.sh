#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 1200
# Differential fuzzing for long: ten million packets through the native core, XDP and tc.
exec "${O:-build}/tests/bpf/test_relay_diff" --packets "${FUZZ_PACKETS:-10000000}"
