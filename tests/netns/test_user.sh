#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# parallel
# The same clients relayed in userspace: asked for by datapath=user, and where the daemon may not use BPF.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
peer_start "$PEER4" "$PEER6"
ok "turnpiked starts with datapath=user" relay_start --datapath=user || finish
uclient_in_user "user: channels, IPv4" -n 100 -m 2 -z 10 -l 160 -e "$PEER4" "$SERVER4"
uclient_in_user "user: channels, IPv6 client, IPv4 peer" -X -n 100 -m 2 -z 10 -l 160 -e "$PEER4" "$SERVER6"
uclient_in_user "user: indications, IPv6" -s -x -n 100 -m 2 -z 10 -l 161 -e "$PEER6" "$SERVER6"
uclient_in_user "user: client to client" -y -n 100 -m 2 -z 10 -l 160 "$SERVER4"
is "user: the kernel relayed nothing" "$(kernel_packets)" 0
ok "turnpiked ends, nothing is left" relay_stop

# No capability at all, another user: a daemon as an unprivileged container has it.
chmod 755 "$WORK" && chmod 777 "$WORK/state" && touch "$WORK/turnpiked.log" && chmod 666 "$WORK/turnpiked.log"
mkdir -m 777 "$WORK/run"
RELAY_RUN=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs)
SOCKET=$WORK/run/turnpiked.sock
ok "without privileges: turnpiked starts with datapath=auto" relay_start || finish
uclient_in_user "without privileges: channels, IPv4" -n 100 -m 2 -z 10 -l 160 -e "$PEER4" "$SERVER4"
uclient_in_user "without privileges: indications, IPv6" -s -x -n 100 -m 2 -z 10 -l 161 -e "$PEER6" "$SERVER6"
ok "without privileges: it says so, and why" grep -q "datapath: user: .*privilege" "$WORK/turnpiked.log"
ok "turnpiked ends, nothing is left" relay_stop
finish
