#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# Chromium, headless, iceTransportPolicy "relay": a data channel and video over turn: by UDP and TCP, and
# turns:. getStats() must name relayed candidates and the transport.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# In the client's namespace, with a resolver that refuses at once: the browser looks up its maker's hosts at
# every start, and waits for the machine's own resolver, which is not reachable from there.
browser() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_ns cl unshare --mount sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$WORK/resolv.conf" \
		"$PYTHON" "$TOP/tests/interop/chromium_call.py" "$@"
}

ns_begin
command -v chromedriver > /dev/null || skip_all "the packages chromium and chromium-driver are not installed"
ns_up two
echo 'nameserver 127.0.0.1' > "$WORK/resolv.conf"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/key.pem" -out "$WORK/cert.pem" \
	-days 2 -subj /CN=turn.test -addext "subjectAltName=IP:$SERVER4" 2> /dev/null
spki=$(openssl x509 -in "$WORK/cert.pem" -pubkey -noout | openssl pkey -pubin -outform der |
	openssl dgst -sha256 -binary | base64)

ok "turnpiked starts" relay_start --channel-numbers=rfc8656 --no-tls=0 --cert="$WORK/cert.pem" --pkey="$WORK/key.pem" ||
	finish
before=$(kernel_packets)
tap_from browser "turn:$SERVER4:3478?transport=udp" "$USER_NAME" "$USER_PASSWORD" udp
at_least "the kernel relayed the UDP clients' media" $(($(kernel_packets) - before)) 200
tap_from browser "turn:$SERVER4:3478?transport=tcp" "$USER_NAME" "$USER_PASSWORD" tcp
tap_from browser "turns:$SERVER4:5349?transport=tcp" "$USER_NAME" "$USER_PASSWORD" tls "$spki"
ok "turnpiked ends, nothing is left" relay_stop
finish
