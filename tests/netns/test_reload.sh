#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# A reload in mid-call, over XDP and over tc: a listening address more, a denied peer, another user, another
# certificate. No packet of the call is lost, and what is new holds at once, the kernel path of the new
# address included.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/certificates.sh
. "$TOP/tests/lib/certificates.sh"

NEW_SERVER4=10.90.1.3
DENIED4=10.90.2.9

relay_conf() { relay_conf_tls; }

# What the file becomes in mid-call. stream.py runs the script.
prepare_change() {
	{
		cat "$WORK/turnpiked.conf"
		printf '%s\n' "listening-ip=$NEW_SERVER4" "denied-peer-ip=$DENIED4" user=bob:secret2
	} > "$WORK/new.conf"
	cat > "$WORK/change" <<-CHANGE
		cp $WORK/new.conf $WORK/turnpiked.conf
		cp $WORK/two.pem $WORK/live.pem
		cp $WORK/two.key $WORK/live.key
		kill -HUP $RELAY_PID
	CHANGE
}

served() {
	in_ns cl timeout 10 openssl s_client -connect "$SERVER4:5349" < /dev/null 2> /dev/null |
		openssl x509 -noout -subject -nameopt multiline 2> /dev/null | sed -n 's/.*commonName *= //p'
}
serves_two() { [ "$(served)" = two ]; }

# Prints the code of a CreatePermission for the denied peer, by the user that is new, at the address that is new.
denied_code() {
	"$PYTHON" - "$NEW_SERVER4" "$DENIED4" <<-'PY'
		import sys
		import stun, wire
		with wire.namespace("cl"):
		    client = stun.Client("10.90.1.2", (sys.argv[1], 3478), user="bob", password="secret2")
		client.allocate()
		print(client.permit(sys.argv[2]).code)
	PY
}

refused_reload() {
	! ctl reload > "$WORK/reload.out" 2>&1 && grep -q "turnpiked.conf:[0-9]*" "$WORK/reload.out" "$WORK/turnpiked.log"
}

ns_begin
ns_up two
ns_for_xdp
certificate one
certificate two
peer_start "$PEER4"
for datapath in xdp tc; do
	ok "$datapath: turnpiked starts" relay_start --datapath=$datapath || finish
	is "$datapath: the first certificate" "$(served)" one
	prepare_change
	"$PYTHON" "$TOP/tests/netns/stream.py" 6 "$PEER4" "2:sh $WORK/change" > "$WORK/stream.out" 2>&1
	grep '^#' "$WORK/stream.out"
	is "$datapath: no packet of the call is lost" "$(grep '^lost' "$WORK/stream.out")" "lost 0 0 0 0"
	ok "$datapath: the new certificate is served" wait_for 10 serves_two
	is "$datapath: the new user at the new address; the denied peer is refused" "$(denied_code)" 403
	uclient_in_kernel "$datapath: a call at the new address" -n 100 -m 1 -z 10 -l 160 -e "$PEER4" "$NEW_SERVER4"
	echo "min-port=nonsense" >> "$WORK/turnpiked.conf"
	ok "$datapath: a bad file is refused, with its line" refused_reload
	ok "$datapath: and nothing has changed" serves_two
	ok "$datapath: turnpiked ends, nothing is left" relay_stop
done
finish
