#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# Permissions, channels and allocations end at their time in the kernel, while the daemon is stopped.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
ns_for_xdp
for datapath in xdp tc; do
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath \
		--permission-lifetime=4 --channel-lifetime=7 --max-allocate-lifetime=12 || finish
	tap_from "$PYTHON" "$TOP/tests/netns/expiry.py" "$RELAY_PID" first
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath \
		--permission-lifetime=8 --channel-lifetime=4 || finish
	tap_from "$PYTHON" "$TOP/tests/netns/expiry.py" "$RELAY_PID" second
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done
finish
