#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One short call through the relay inside the virtual machine; run by tests/vm/guest.sh.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
ns_for_xdp
peer_start "$PEER4"
ok "turnpiked starts" relay_start || finish
uclient_in_kernel "channels" -c -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
ok "turnpiked ends, nothing is left" relay_stop
finish
