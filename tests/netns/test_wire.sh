#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# What leaves the relay, byte for byte at the peer's and the client's device: the relayed address as
# source, the payload, IP and UDP checksums, TTL, DSCP. Every data path, all four families.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# all_families LABEL
all_families() {
	tap_from "$PYTHON" "$TOP/tests/netns/call_on_wire.py" "$1, v4 to v4" "$SERVER4" "$PEER4" 4
	tap_from "$PYTHON" "$TOP/tests/netns/call_on_wire.py" "$1, v6 to v6" "$SERVER6" "$PEER6" 6
	tap_from "$PYTHON" "$TOP/tests/netns/call_on_wire.py" "$1, v4 to v6" "$SERVER4" "$PEER6" 6
	tap_from "$PYTHON" "$TOP/tests/netns/call_on_wire.py" "$1, v6 to v4" "$SERVER6" "$PEER4" 4
}

# Of all the packets that are sent, those of a family pair that the kernel may leave to userspace aside.
in_kernel() { at_least "$1: the kernel relayed" "$(counted_since kernel_packets 0 150)" 150; }

ns_begin
ns_up two
# The relay's devices complete checksums and cut segments in software: the captures are exact.
ns_offload_off srv cl1
ns_offload_off srv pe1

ok "turnpiked starts with datapath=user" relay_start --datapath=user || finish
all_families user
ok "turnpiked ends, nothing is left" relay_stop

ok "turnpiked starts with datapath=tc" relay_start --datapath=tc || finish
all_families "tc, offload on"
in_kernel tc
ok "turnpiked ends, nothing is left" relay_stop

ns_for_xdp
ok "turnpiked starts with datapath=xdp" relay_start --datapath=xdp || finish
all_families xdp
in_kernel xdp
ok "turnpiked ends, nothing is left" relay_stop
finish
