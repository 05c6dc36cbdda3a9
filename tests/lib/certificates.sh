# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Self-signed certificates for suites; sourced after netns.sh.

# certificate NAME: $WORK/NAME.pem and .key, for NAME.test and the server's addresses.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
		-keyout "$WORK/$1.key" -out "$WORK/$1.pem" \
		-addext "subjectAltName=DNS:$1.test,IP:$SERVER4,IP:$SERVER6" 2> "$WORK/openssl.out" ||
		note_file "$WORK/openssl.out"
}

# The shared configuration with TLS and DTLS: certificate `live` (a copy of `one`) first, then `two`.
relay_conf_tls() {
	cp "$WORK/one.pem" "$WORK/live.pem"
	cp "$WORK/one.key" "$WORK/live.key"
	relay_conf_common | grep -v -e '^no-tls$' -e '^no-dtls$'
	printf 'listening-ip=%s\n' "$SERVER4" "$SERVER6"
	printf 'relay-ip=%s\n' "$RELAY4" "$RELAY6"
	printf 'cert=%s\npkey=%s\n' "$WORK/live.pem" "$WORK/live.key" "$WORK/two.pem" "$WORK/two.key"
}
