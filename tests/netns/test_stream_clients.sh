#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# Stream clients that behave badly, beside calls that must not lose a packet: 10,000 silent connections, a
# byte a second, one that does not read. Certificates that change in mid-call. PROXY headers. TCP allocations
# (RFC 6062) with real peers.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/certificates.sh
. "$TOP/tests/lib/certificates.sh"

relay_conf() {
	relay_conf_tls
	echo "tls-listening-port=443"
	echo "tcp-proxy-port=$SERVER4:5350"
	echo "tcp-proxy-from=10.90.1.2"
}

ns_begin
ns_up two
for number in 4 $(seq 100 131); do
	ns_addr cl cl0 "10.90.1.$number/24"
done
for name in one two three; do
	certificate $name
done
for part in proxy peers certificates slow silent; do
	ok "$part: turnpiked starts" relay_start --datapath=user || finish
	export RELAY_PID
	tap_from "$PYTHON" "$TOP/tests/netns/stream_clients.py" $part
	ok "$part: turnpiked ends, nothing is left" relay_stop
done
finish
