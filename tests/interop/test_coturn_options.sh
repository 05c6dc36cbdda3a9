#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# parallel
# The further habits of coturn's client, its other tools, and the RFC 3489 client of Debian's stun-client.
# The relay has two addresses and two ports for RFC 5780.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# tool_says NAME TEXT COMMAND...: a tool whose exit status means nothing prints TEXT.
tool_says() {
	local name=$1 text=$2
	shift 2
	in_ns cl timeout 60 "$@" < /dev/null > "$WORK/tool.out" 2>&1
	if grep -q "$text" "$WORK/tool.out"; then
		pass "$name"
	else
		fail "$name"
		note_file "$WORK/tool.out" 25
	fi
}

ns_begin
ns_up two
peer_start "$PEER4" "$PEER6"
ns_addr cl cl0 10.90.1.4/24 # natdiscovery's second local address
RELAY_EXTRA=(listening-ip=10.90.1.3 rfc5780 rfc3489 mobility)
ok "turnpiked starts" relay_start || finish

uclient_passes "-g: DONT-FRAGMENT" -g -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-D: padded ChannelData" -D -n 50 -m 1 -l 161 -e "$PEER4" "$SERVER4"
uclient_passes "-G: extra requests" -G -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-M: mobility" -M -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-M -s: mobility, indications" -M -s -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-y -s: client to client, indications" -y -s -n 50 -m 2 -l 160 "$SERVER4"
uclient_passes "-x -s: IPv6" -x -s -n 50 -m 1 -l 160 -e "$PEER6" "$SERVER6"
uclient_passes "-X: IPv6 client, IPv4 peer" -X -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER6"
uclient_passes "-Z: dual allocation" -Z -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-W: REST credentials of its own making" -W "$REST_SECRET" -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"

uclient -B -n 50 -m 2 -l 160 -e "$PEER4" "$SERVER4"
at_least "-B: clients that disconnect at random were served" "${UC_SENT:-0}" 1
uclient_passes "-I: no CreatePermission, a channel is one" -I -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
uclient -I -s -n 20 -m 1 -c -l 160 -e "$PEER4" "$SERVER4"
is "-I -s: without permission nothing is relayed" "$UC_SENT sent, $UC_RECV received" "20 sent, 0 received"
ok "and the daemon still answers" ctl status

tool_says "turnutils_stunclient" "UDP reflexive addr: 10.90.1.2" turnutils_stunclient -L 10.90.1.2 "$SERVER4"
tool_says "turnutils_natdiscovery: mapping" "Endpoint Independent Mapping\|No NAT" turnutils_natdiscovery -m -L 10.90.1.2 "$SERVER4"
tool_says "turnutils_natdiscovery: filtering" "Endpoint Independent Filtering" turnutils_natdiscovery -f -L 10.90.1.2 "$SERVER4"
tool_says "turnutils_natdiscovery: mapping, PADDING" "Endpoint Independent Mapping\|No NAT" \
	turnutils_natdiscovery -m -P -L 10.90.1.2 "$SERVER4"
tool_says "turnutils_natdiscovery: filtering, PADDING" "Endpoint Independent Filtering" \
	turnutils_natdiscovery -f -P -L 10.90.1.2 "$SERVER4"
tool_says "turnutils_natdiscovery: lifetime, RESPONSE-PORT" "UDP reflexive addr: 10.90.1.2" \
	turnutils_natdiscovery -t -T 1 -L 10.90.1.2 "$SERVER4"
tool_says "turnutils_natdiscovery: collision" "UDP reflexive addr: 10.90.1.4" \
	turnutils_natdiscovery -c -L 10.90.1.2 -A 10.90.1.4 "$SERVER4"
tool_says "turnutils_natdiscovery: hairpinning" "successful hairpinning" \
	turnutils_natdiscovery -H -L 10.90.1.2 "$SERVER4"
tool_says "stun: the RFC 3489 client finds no NAT" "Primary: Open" stun "$SERVER4"
ok "turnpiked ends, nothing is left" relay_stop
finish
