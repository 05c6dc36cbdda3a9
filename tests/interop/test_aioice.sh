#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 150
# aioice: two agents, relayed candidates only; both sides of the call are relayed here. It binds channels
# and never sends CreatePermission.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
"$PYTHON" -c 'import aioice' 2> /dev/null || skip_all "python3-aioice is not installed"
ns_up two
for datapath in auto user; do
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath || finish
	tap_from in_ns cl "$PYTHON" "$TOP/tests/interop/aioice_call.py" "$SERVER4" "$USER_NAME" "$USER_PASSWORD" 500
	if [ $datapath = auto ]; then
		# Each message passes two allocations, there and back; one packet may count for both.
		at_least "auto: the kernel relayed it" "$(counted_since kernel_packets 0 990)" 990
	else
		at_least "user: userspace relayed it" "$(counted_since user_packets 0 990)" 990
	fi
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done
finish
