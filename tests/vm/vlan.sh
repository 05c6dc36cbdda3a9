#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A client behind a VLAN, with real 8021q devices; run by tests/vm/guest.sh, because kernels for small
# machines often have none. The program is on the device below and sees the tags: cl0 sends them in the frame.
#
#   client cl0.7 10.90.7.2 --- tag 7 --- 10.90.7.1 cl1.7 relay pe1 --- pe0 peer
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# vlan NS DEVICE ADDRESS: a tagged device on another, its tags written by software.
vlan() {
	in_ns "$1" ethtool -K "$2" txvlan off rxvlan off > /dev/null 2>&1
	ip -n "$(ns_name "$1")" link add link "$2" name "$2.7" type vlan id 7 &&
		ns_addr "$1" "$2.7" "$3" && ip -n "$(ns_name "$1")" link set "$2.7" up
}

ns_begin
ns_up two
ns_for_xdp
ok "a VLAN for the client" vlan cl cl0 10.90.7.2/24 || finish
ok "a VLAN for the relay" vlan srv cl1 10.90.7.1/24 || finish
peer_start "$PEER4"
RELAY_EXTRA=(listening-ip=10.90.7.1)
for datapath in xdp tc; do
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath || finish
	uclient_in_kernel "$datapath: channels from tag 7" -c -n 50 -m 1 -l 160 -e "$PEER4" 10.90.7.1
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done
finish
