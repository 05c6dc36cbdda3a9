#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs inside the virtual machine, started by tests/vm/init: each suite's TAP and exit status into
# /results. The verifier and every fixture, and short calls: emulation is too slow for more. TP_TOP and TP_BUILD come by the kernel's command line.
cd "$TP_TOP" || exit 1
export O=$TP_BUILD
uname -a
for suite in "$TP_BUILD"/tests/bpf/test_verifier "$TP_BUILD"/tests/bpf/test_fixtures \
	"$TP_TOP/tests/vm/relay.sh" "$TP_TOP/tests/vm/vlan.sh"; do
	[ -x "$suite" ] || continue
	name=$(basename "$suite" .sh)
	echo "$(cut -d' ' -f1 /proc/uptime) $name"
	timeout 120 "$suite" > "/results/$name.tap" 2>&1 < /dev/null
	echo "$?" > "/results/$name.status"
done
cut -d' ' -f1 /proc/uptime
dmesg | grep -E 'BUG|WARNING|Oops|general protection' > /results/kernel-complaints
exit 0
