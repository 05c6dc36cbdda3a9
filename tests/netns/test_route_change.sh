#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 150
# The gateway's MAC address and then the route change in mid-call: at most one second of media is lost
# at each, nothing afterwards, and the kernel goes on relaying.
#
#   client --- relay ---- switch ---- gateway a --- peer 10.90.9.9 (on its loopback)
#                           \-------- gateway b ---/
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

FAR=10.90.9.9

# gateway NAME NUMBER: between the switch (10.90.2.1NUMBER) and the peer (10.90.1NUMBER.0/24)
gateway() {
	ns_add "gw$1"
	ns_link "gw$1" "g$1s" sw "s$1g"
	ns_link "gw$1" "g$1p" pe "p$1g"
	ip -n "$(ns_name sw)" link set "s$1g" master br0
	ns_addr "gw$1" "g$1s" "10.90.2.1$2/24"
	ns_addr "gw$1" "g$1p" "10.90.1$2.1/24"
	ns_addr pe "p$1g" "10.90.1$2.2/24"
	ip -n "$(ns_name "gw$1")" route add $FAR via "10.90.1$2.2"
	ip -n "$(ns_name "gw$1")" route add 10.90.1.0/24 via 10.90.2.1
	# A gateway that takes another MAC address announces it, as VRRP and its like do.
	in_ns "gw$1" sysctl -qw net.ipv4.ip_forward=1 "net.ipv4.conf.g$1s.arp_notify=1"
}

topology() {
	ns_add cl
	ns_add srv
	ns_add sw
	ns_add pe
	ns_link cl cl0 srv cl1
	ns_addr cl cl0 10.90.1.2/24
	ns_addr srv cl1 10.90.1.1/24
	ns_link srv pe1 sw spr
	ns_addr srv pe1 10.90.2.1/24
	ip -n "$(ns_name sw)" link add br0 type bridge
	ip -n "$(ns_name sw)" link set br0 up
	ip -n "$(ns_name sw)" link set spr master br0
	gateway a 1
	gateway b 2
	ns_addr pe lo $FAR/32
	ip -n "$(ns_name pe)" route add default via 10.90.11.1
	ip -n "$(ns_name srv)" route add $FAR via 10.90.2.11
	PEER_NS=none SERVER4=10.90.1.1 RELAY4=10.90.2.1
	export SERVER4
	ns_offload_off cl cl0
	ns_xdp_pass cl cl0
	ns_offload_off sw spr
	ns_xdp_pass sw spr
	ns_offload_off pe pag
	ns_offload_off pe pbg
}

# In place of the library's: one address each, no IPv6.
relay_conf() {
	relay_conf_common
	echo "listening-ip=$SERVER4"
	echo "relay-ip=$RELAY4"
}

# stream NAME SECONDS [AT:COMMAND...]: sets UP DOWN LATE_UP LATE_DOWN
stream() {
	"$PYTHON" "$TOP/tests/netns/stream.py" "$1" "$FAR" "${@:2}" > "$WORK/stream.out" 2>&1
	grep '^#' "$WORK/stream.out"
	grep -q '^lost ' "$WORK/stream.out" || note_file "$WORK/stream.out"
	read -r _ UP DOWN LATE_UP LATE_DOWN <<< "$(grep '^lost ' "$WORK/stream.out")"
}

# at_most NAME GOT MAXIMUM
at_most() { at_least "$1" "$(($3 - ${2:-1000000}))" 0 || note "is '$2', at most $3 may be"; }

change() {
	local datapath=$1 before
	ok "$datapath: turnpiked starts" relay_start --datapath="$datapath" || return
	stream 5
	note "measured: $datapath, control: lost $UP up, $DOWN down of 1250 each"
	at_most "$datapath: control, nothing happens: nothing is lost" $((UP + DOWN)) 0
	before=$(kernel_packets)
	stream 14 "3:ip -n $(ns_name gwa) link set gas address 02:00:00:00:0a:0$2" \
		"8:ip -n $(ns_name srv) route replace $FAR via 10.90.2.12"
	note "measured: $datapath, MAC then route: lost $UP up, $DOWN down of 3500 each; in the last two seconds $LATE_UP, $LATE_DOWN"
	at_most "$datapath: another MAC and another route cost at most a second each, up" "$UP" 500
	at_most "$datapath: and down" "$DOWN" 500
	at_most "$datapath: nothing is lost afterwards" $((LATE_UP + LATE_DOWN)) 0
	at_least "$datapath: the kernel relayed most of it" "$(counted_since kernel_packets "$before" 6000)" 6000
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
	ip -n "$(ns_name srv)" route replace $FAR via 10.90.2.11
}

ns_begin
topology
change xdp 1
change tc 2
finish
