#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# parallel
# The same through tc, with the senders as they come: checksum and segmentation offload on, nothing
# set by ethtool, as a container's or another local sender's veth is.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
peer_start "$PEER4" "$PEER6"
ok "turnpiked starts with datapath=tc" relay_start --datapath=tc || finish

uclient_in_kernel "channels, IPv4 to IPv4" -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER4"
uclient_in_kernel "channels, IPv6 to IPv6" -x -n 260 -m 2 -z 5 -l 160 -e "$PEER6" "$SERVER6"
uclient_in_kernel "channels, IPv4 client, IPv6 peer" -x -n 260 -m 2 -z 5 -l 160 -e "$PEER6" "$SERVER4"
uclient_in_kernel "channels, IPv6 client, IPv4 peer" -X -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER6"
uclient_in_kernel "indications, IPv4 to IPv4" -s -n 260 -m 2 -z 5 -l 161 -e "$PEER4" "$SERVER4"
uclient_in_kernel "indications, IPv6 to IPv6" -s -x -n 260 -m 2 -z 5 -l 162 -e "$PEER6" "$SERVER6"
uclient_in_kernel "indications, IPv4 client, IPv6 peer" -s -x -n 260 -m 2 -z 5 -l 163 -e "$PEER6" "$SERVER4"
uclient_in_kernel "indications, IPv6 client, IPv4 peer" -s -X -n 260 -m 2 -z 5 -l 164 -e "$PEER4" "$SERVER6"
uclient_in_kernel "client to client, both relayed here" -y -n 130 -m 4 -z 5 -l 160 "$SERVER4"
ok "turnpiked ends, nothing is left" relay_stop
finish
