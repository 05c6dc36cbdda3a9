#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make demo`: a client and a peer in network namespaces that cannot reach each other, turnpiked between
# them, and coturn's client sending through it. Prints what was relayed where, and leaves nothing behind.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../../tests/lib/netns.sh"

say() { printf '%s\n' "$*"; }

give_up() {
	say "turnpike demo: $*" >&2
	exit 1
}

# stream LABEL ARGUMENTS...: one run of the client as a line of the table.
stream() {
	local label=$1 before_kernel before_user
	before_kernel=$(kernel_packets)
	before_user=$(user_packets)
	uclient "${@:2}"
	[ "${UC_SENT:-0}" -gt 0 ] || { note_file "$WORK/uclient.out" >&2; give_up "the client sent nothing"; }
	printf '  %-38s %6d %9d %5s %8d %10d\n' "$label" "$UC_SENT" "$UC_RECV" "$UC_LOST" \
		$(($(kernel_packets) - before_kernel)) $(($(user_packets) - before_user))
	LOST=$((LOST + UC_LOST))
}

[ "$(id -u)" = 0 ] || give_up "network namespaces need root: sudo make demo"
ns_begin
ns_up two
LOST=0
peer_start "$PEER4" "$PEER6" || give_up "the peer does not start"
relay_start || give_up "turnpiked does not start"

cat <<'PICTURE'

  client 10.90.1.2  <--->  10.90.1.1 turnpiked 10.90.2.1  <--->  10.90.2.2 peer
         fd90:1::2         fd90:1::1           fd90:2::1         fd90:2::2

  Three network namespaces; the one in the middle does not forward. The client is coturn's
  turnutils_uclient, the peer coturn's turnutils_peer, which echoes.

PICTURE
sed -nE 's/^.*: ((interface|datapath)[ :].*)/  turnpiked: \1/p' "$WORK/turnpiked.log"
say
printf '  %-38s %6s %9s %5s %8s %10s\n' "" sent received lost kernel userspace
stream "IPv4, channels" -n 400 -m 1 -z 5 -l 160 -e "$PEER4" "$SERVER4"
stream "IPv6, Send and Data indications" -s -x -n 400 -m 1 -z 5 -l 160 -e "$PEER6" "$SERVER6"
say
say "  Bytes of media relayed: $(stats 'd["relayed"]["kernel"]["bytes"]') in the kernel," \
	"$(stats 'd["relayed"]["user"]["bytes"]') in userspace."
relay_stop || give_up "turnpiked did not end cleanly"
[ "$LOST" = 0 ] || give_up "$LOST packets were lost"
say "  Done; the namespaces, the programs and the processes are gone."
