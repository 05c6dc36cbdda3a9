#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 150
# The daemon as an operator has it, relaying in userspace: DF and ICMP errors on the wire, SIGHUP while a call
# runs, SIGUSR1, another user, what a second one says.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
LOG=$WORK/node.log
ok "turnpiked starts" relay_start --datapath=user --log-file="$LOG" --pidfile="$WORK/node.pid" || finish
is "the pidfile names it" "$(cat "$WORK/node.pid")" "$RELAY_PID"

says() {
	local text=$1
	shift
	if "$@" > "$WORK/says.out" 2>&1; then return 1; fi
	grep -q -- "$text" "$WORK/says.out"
}
second() { in_ns srv timeout 10 turnpiked -c "$WORK/turnpiked.conf" --datapath=user "$@"; }
ok "a second one says whose control socket it is" says "another turnpiked answers" second
ok "with another socket, whose port" says "is in use" second --control-socket="$WORK/other.sock"
ok "and leaves no socket behind" test ! -e "$WORK/other.sock"
ok "and the first one answers" relay_answers

tap_from "$PYTHON" "$TOP/tests/netns/node_calls.py" "$RELAY_PID" "$WORK/turnpiked.conf" "$LOG"
status=0
wait "$RELAY_PID" || status=$?
RELAY_PID=
is "drained: exit status 0" "$status" 0
ok "no control socket and no pidfile is left" test ! -e "$SOCKET" -a ! -e "$WORK/node.pid"

# Another user from the start of the threads on; ports below 1024 stay possible.
chmod 755 "$WORK"
chmod 777 "$WORK/state"
mkdir "$WORK/run" && chmod 777 "$WORK/run"
SOCKET=$WORK/run/turnpike/control.sock
ok "turnpiked starts as nobody, port 443" relay_start --datapath=user --proc-user=nobody --listening-port=443 || finish
is "its threads run as nobody" "$(stat -c %U "/proc/$RELAY_PID/task" | sort -u)" nobody
peer_start "$PEER4"
uclient_passes "a call relayed as nobody" -p 443 -n 50 -m 1 -z 10 -l 160 -e "$PEER4" "$SERVER4" ||
	note_file "$WORK/turnpiked.log"
ok "it ends, nothing is left" relay_stop
ok "nor the folder that it made for its control socket" test ! -e "$WORK/run/turnpike"
finish
