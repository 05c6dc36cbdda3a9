#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 150
# Hostile and malformed packets relay nothing and count under a named reason; what the kernel does not take
# is relayed by userspace; what is not turnpike's is not touched; another's XDP program stays.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# A socket of the node itself, on a port in the relay range, talks to the peer's echo as ever.
own_socket_echoes() {
	"$PYTHON" - <<-'PY'
		import os, sys
		import stun, wire
		with wire.namespace("srv"):
		    sock = stun.udp_socket(os.environ["RELAY4"], 61234)
		sock.settimeout(5)
		for number in range(20):
		    sock.sendto(b"own %d" % number, (os.environ["PEER4"], 3480))
		    if sock.recv(100) != b"own %d" % number:
		        sys.exit("another answer")
	PY
}

program_of() { in_ns srv ip link show dev "$1" | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }

ns_begin
ns_up two
ns_addr pe pe0 10.90.2.3/24
in_ns srv sysctl -qw net.ipv4.conf.all.rp_filter=1
peer_start "$PEER4"
ns_for_xdp
for datapath in xdp tc; do
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath || finish
	tap_from "$PYTHON" "$TOP/tests/netns/hostile_calls.py"
	ok "$datapath: the node's own socket in the relay range is left alone" own_socket_echoes
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done

ok "another's program on the relay's device" ns_xdp_pass srv pe1
foreign=$(program_of pe1)
ok "auto: turnpiked starts" relay_start --datapath=auto || finish
uclient_in_kernel "auto: relays beside it" -n 100 -m 1 -z 10 -l 160 -e "$PEER4" "$SERVER4"
is "auto: and it is still there" "$(program_of pe1)" "$foreign"
ok "turnpiked ends, nothing is left" relay_stop
is "the other's program is there afterwards" "$(program_of pe1)" "$foreign"
finish
