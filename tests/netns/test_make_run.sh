#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# `make run` as a newcomer sees it, in the relay's namespace: it checks itself, prints iceServers with which
# a client from another machine relays, and leaves nothing when it is interrupted.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

says() { grep -q "$1" "$WORK/run.out"; }
says_or_ended() { says "$1" || not_running "$2"; }
names() { ip netns list | grep -c "^tp$1-"; }

ns_begin
ns_up two
ns_route srv 10.90.2.2 fd90:2::2
peer_start "$PEER4"
links=$(ip -n "$(ns_name srv)" -o link | wc -l)
child_in srv env ADDRESS="$RELAY4" "$TOP/tools/deploy/run.sh" > "$WORK/run.out" 2>&1
run=$CHILD
wait_for 60 says_or_ended "until Ctrl-C" "$run"
note_file "$WORK/run.out" 25
ok "the relay is up" says "until Ctrl-C"
ok "its check passed" says "100 packets, 100 came back"
is "its temporary namespace is gone" "$(names "$run")" 0
USER_NAME=$(sed -n 's/.*"\{0,1\}username"\{0,1\}: "\([^"]*\)".*/\1/p' "$WORK/run.out" | head -n 1)
USER_PASSWORD=$(sed -n 's/.*"\{0,1\}credential"\{0,1\}: "\([^"]*\)".*/\1/p' "$WORK/run.out" | head -n 1)
ok "iceServers with a username" test -n "$USER_NAME"
ok "iceServers with a credential" test -n "$USER_PASSWORD"
# By indications: this relay is strict about channel numbers, and coturn's client is not.
uclient_passes "a client with them relays" -s -c -n 50 -m 1 -l 160 -e "$PEER4" "$RELAY4"
ok "it ends with status 0 when interrupted" end_child "$run"
is "no link is left" "$(ip -n "$(ns_name srv)" -o link | wc -l)" "$links"
finish
