#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# Clients with credentials that behave badly: connections that end beside the worker that serves them, names
# that are no UTF-8, and all descriptors taken. The daemon gives everything back, and its tool still works.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up one
for part in streams names descriptors; do
	[ $part != descriptors ] || RELAY_RUN=(prlimit --nofile=160:160)
	ok "$part: turnpiked starts" relay_start --datapath=user --relay-threads=4 --user-quota=0 || finish
	tap_from "$PYTHON" "$TOP/tests/netns/abuse_calls.py" $part
	ok "$part: turnpiked ends, nothing is left" relay_stop
done
finish
