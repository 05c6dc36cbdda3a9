#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# turnpikectl: the JSON that other tools depend on, kill, credentials; and that what is ended is ended in
# the kernel at once.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
ns_for_xdp
for datapath in xdp user; do
	by=$([ $datapath = user ] && echo user || echo kernel)
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath || finish
	tap_from "$PYTHON" "$TOP/tests/netns/ctl_calls.py" "$by"
	for command in status list stats rules; do
		ok "$datapath: turnpikectl $command" ctl $command
	done
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done
finish
