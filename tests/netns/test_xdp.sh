#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# parallel
# Channels and Send indications through native XDP on veth, client and peer on two devices, all four
# combinations of families; the senders' checksum offload is off, as a wire would carry it.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
ns_for_xdp
peer_start "$PEER4" "$PEER6"
ok "turnpiked starts with datapath=xdp" relay_start --datapath=xdp || finish

# 2 clients, each an RTP and an RTCP session of 150 packets, one per 5 ms.
uclient_in_kernel "channels, IPv4 to IPv4" -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER4"
uclient_in_kernel "channels, IPv6 to IPv6" -x -n 260 -m 2 -z 5 -l 160 -e "$PEER6" "$SERVER6"
uclient_in_kernel "channels, IPv4 client, IPv6 peer" -x -n 260 -m 2 -z 5 -l 160 -e "$PEER6" "$SERVER4"
uclient_in_kernel "channels, IPv6 client, IPv4 peer" -X -n 260 -m 2 -z 5 -l 160 -e "$PEER4" "$SERVER6"
uclient_in_kernel "channels, 1200 bytes" -n 260 -m 2 -z 5 -l 1200 -e "$PEER4" "$SERVER4"
uclient_in_kernel "channels, odd length, padded" -D -n 260 -m 2 -z 5 -l 161 -e "$PEER4" "$SERVER4"
uclient_in_kernel "indications, IPv4 to IPv4" -s -n 260 -m 2 -z 5 -l 161 -e "$PEER4" "$SERVER4"
uclient_in_kernel "indications, IPv6 to IPv6" -s -x -n 260 -m 2 -z 5 -l 162 -e "$PEER6" "$SERVER6"
uclient_in_kernel "indications, IPv4 client, IPv6 peer" -s -x -n 260 -m 2 -z 5 -l 163 -e "$PEER6" "$SERVER4"
uclient_in_kernel "indications, IPv6 client, IPv4 peer" -s -X -n 260 -m 2 -z 5 -l 164 -e "$PEER4" "$SERVER6"
uclient_in_kernel "client to client, both relayed here" -y -n 130 -m 4 -z 5 -l 160 "$SERVER4"
ok "turnpiked ends, nothing is left" relay_stop
finish
