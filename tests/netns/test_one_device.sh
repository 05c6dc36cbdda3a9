#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# parallel
# Client and peer behind the same device of the relay: XDP sends back where it received. And what
# datapath=auto makes of it, with nothing set on the senders.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up one
peer_start "$PEER4" "$PEER6"
ok "turnpiked starts with datapath=auto" relay_start || finish
uclient_in_kernel "auto: channels, IPv4" -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER4"
uclient_in_kernel "auto: channels, IPv6" -x -n 260 -m 2 -z 5 -l 160 -e "$PEER6" "$SERVER6"
ok "turnpiked ends, nothing is left" relay_stop

ns_for_xdp
ok "turnpiked starts with datapath=xdp" relay_start --datapath=xdp || finish
uclient_in_kernel "xdp: channels, IPv4" -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER4"
uclient_in_kernel "xdp: channels, IPv6 client, IPv4 peer" -X -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER6"
uclient_in_kernel "xdp: indications, IPv4" -s -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER4"
ok "turnpiked ends, nothing is left" relay_stop
finish
