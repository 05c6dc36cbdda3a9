#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 180
# The daemon dies in mid-call: the kernel goes on relaying, no ICMP error leaves the relay's ports, and
# the next daemon starts in the same place.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# Sends requests to the listening port and data to the relay range while nobody listens; prints what ICMP came.
icmp_after_death() {
	"$PYTHON" - <<-'PY'
		import os, socket, time
		import stun, wire
		seen = []
		captures = [wire.Capture("cl", "cl0"), wire.Capture("pe", "pe0")]
		with wire.namespace("cl"):
		    client = stun.udp_socket("10.90.1.2")
		with wire.namespace("pe"):
		    peer = stun.udp_socket(os.environ["PEER4"])
		for _ in range(20):
		    client.sendto(stun.build(stun.BINDING, stun.REQUEST, []), (os.environ["SERVER4"], 3478))
		    peer.sendto(b"nobody", (os.environ["RELAY4"], 50123))
		    time.sleep(0.05)
		for capture in captures:
		    while (got := capture.raw(0.3)):
		        if got[0][12:14] == b"\x08\x00" and got[0][23] == 1:
		            seen.append(got[0][34:36].hex())
		print("icmp", *seen)
	PY
}

ns_begin
ns_up two
ns_for_xdp
peer_start "$PEER4"
for datapath in xdp tc; do
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath || finish
	"$PYTHON" "$TOP/tests/netns/stream.py" 8 "$PEER4" "3:kill -KILL $RELAY_PID" > "$WORK/stream.out" 2>&1
	wait "$RELAY_PID" 2> /dev/null
	grep '^#' "$WORK/stream.out"
	is "$datapath: kill -9 in mid-call loses nothing" "$(grep '^lost' "$WORK/stream.out")" "lost 0 0 0 0"
	is "$datapath: no ICMP error while no daemon lives" "$(icmp_after_death)" "icmp"
	ok "$datapath: the next daemon starts" relay_start --datapath=$datapath || finish
	uclient_in_kernel "$datapath: and relays" -n 100 -m 1 -z 10 -l 160 -e "$PEER4" "$SERVER4"
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done

refused() {
	in_ns srv timeout 20 turnpiked -c "$WORK/turnpiked.conf" --control-socket="$WORK/second.sock" \
		> "$WORK/second.log" 2>&1 && return 1
	grep -q "$1" "$WORK/second.log" || { cat "$WORK/second.log"; return 1; }
}

purge() { turnpikectl purge --bpffs "$BPFFS"; }
pins() { find "$BPFFS" -mindepth 1 2> /dev/null | wc -l; }

ok "turnpiked starts" relay_start || finish
ok "a second daemon on the same port is refused" refused "is in use"
ok "and the first one goes on" relay_answers
before=$(pins)
purge > "$WORK/purge.out" 2>&1
is "purge leaves a living daemon's pins" "$(pins)" "$before"
kill -KILL "$RELAY_PID"
wait "$RELAY_PID" 2> /dev/null
folder=$(find "$BPFFS" -mindepth 1 -maxdepth 1)
rm "$folder/tp1_down4"
ok "pins that are not whole are refused" refused "turnpikectl purge"
ok "purge removes them" purge
is "all of them" "$(pins)" 0
is "no program is left on the devices" "$(in_ns srv bpftool net | grep -c turnpike)" 0
ok "turnpiked starts afresh" relay_start || finish
ok "turnpiked ends, nothing is left" relay_stop
finish
