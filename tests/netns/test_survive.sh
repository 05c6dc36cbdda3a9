#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 400
# Calls outlive the daemon: it is killed or ended at random moments and started again, over XDP and tc. The
# number of ends and the packets each way in a second may be given (tests/long).
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

KILLS=${1:-10} ENDS=${2:-5} RATE=${3:-250}
END_CALLS=

pins() { find "$BPFFS" -mindepth 1 2> /dev/null | wc -l; }
sockets() { in_ns srv ss -Hlun | wc -l; }
programs() { in_ns srv bpftool net | grep -c turnpike; }

survive() {
	tap_from "$PYTHON" "$TOP/tests/netns/survive.py" "$2" "$3" "$RATE" "$1" "$WORK/turnpiked.conf"
	is "$1: pins, ports and programs are gone after $3" "$(pins) $(sockets) $(programs)" "0 0 0"
}

# Without a kernel data path nobody answers for what is left there: refused, until it is purged.
user_is_refused() {
	in_ns srv timeout 20 turnpiked -c "$WORK/turnpiked.conf" --datapath=user > "$WORK/user.log" 2>&1 && return 1
	grep -q "turnpikectl purge" "$WORK/user.log" || { cat "$WORK/user.log"; return 1; }
}

left_to_user() {
	ok "turnpiked starts" relay_start --datapath=tc || return
	"$PYTHON" "$TOP/tests/netns/stream.py" 1 "$PEER4" > "$WORK/stream.out" 2>&1
	ok "ends with a call" end_child "$RELAY_PID"
	at_least "and leaves it, pinned" "$(pins)" 10
	ok "datapath=user is refused then" user_is_refused
	ok "purge removes what was left" turnpikectl purge --bpffs "$BPFFS"
	is "all of it" "$(pins) $(programs)" "0 0"
	ok "and datapath=user starts" relay_start --datapath=user || return
	ok "and ends" relay_stop
}

ns_begin
[ -n "$BPFFS" ] || skip_all "no bpffs"
ns_up two
ns_for_xdp
relay_conf > "$WORK/turnpiked.conf"
for datapath in xdp tc; do
	survive $datapath "$KILLS" KILL
	survive $datapath "$ENDS" TERM
done
left_to_user
[ "$TAP_FAILED" -eq 0 ] || note_file "$WORK/turnpiked.log" 30
finish
