#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# aiortc over TLS with the server's certificate verified, and over TCP. The two ends are in namespaces that
# nothing but the relay joins, so that what arrives was relayed.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

call() {
	rm -f "$WORK/there" "$WORK/back"
	mkfifo "$WORK/there" "$WORK/back"
	child_in pe timeout 100 "$PYTHON" "$TOP/tests/interop/aiortc_call.py" answer "$WORK/back" "$WORK/there" \
		> "$WORK/answer.log" 2>&1
	tap_from in_ns cl timeout 100 "$PYTHON" "$TOP/tests/interop/aiortc_call.py" offer "$WORK/there" "$WORK/back" "$1" \
		"$USER_NAME" "$USER_PASSWORD"
	end_child "$CHILD"
}

ns_begin
"$PYTHON" -c 'import aiortc' 2> /dev/null || skip_all "python3-aiortc is not installed"
ns_up two
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/key.pem" -out "$WORK/cert.pem" \
	-days 2 -subj /CN=turn.test -addext "subjectAltName=IP:$SERVER4" 2> /dev/null
export SSL_CERT_FILE=$WORK/cert.pem

ok "turnpiked starts" relay_start --channel-numbers=rfc8656 --no-tls=0 --cert="$WORK/cert.pem" --pkey="$WORK/key.pem" ||
	finish
call "turn:$SERVER4:3478?transport=udp"
call "turn:$SERVER4:3478?transport=tcp"
call "turns:$SERVER4:5349?transport=tcp"
ok "turnpiked ends, nothing is left" relay_stop
finish
