#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# parallel
# Every way in: TCP, TLS and DTLS over both families by coturn's client, TCP allocations (RFC 6062), TLS
# versions, names and protocols by openssl, aioice over TCP and TLS with the certificate verified.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/certificates.sh
. "$TOP/tests/lib/certificates.sh"

relay_conf() { relay_conf_tls; }

# s_client ARGUMENTS...: into $WORK/s_client.out; fails where there is no session.
s_client() {
	in_ns cl timeout 20 openssl s_client -verify_return_error "$@" < /dev/null > "$WORK/s_client.out" 2>&1
}
saw() { s_client "$@" && grep -q "$WANTED" "$WORK/s_client.out"; }
no_streams() { [ "$(stats 'd["net"]["streams"]["live"]')" = 0 ]; }
refused() { ! s_client "$@"; }

ns_begin
ns_up two
certificate one
certificate two
peer_start "$PEER4" "$PEER6"
ok "turnpiked starts" relay_start || finish

for transport in -t "-t -S" -S; do
	case $transport in -t) name=TCP ;; -S) name=DTLS ;; *) name=TLS ;; esac
	# shellcheck disable=SC2086 # two options
	uclient_passes "$name, IPv4" $transport -n 100 -m 2 -z 5 -l 161 -e "$PEER4" "$SERVER4"
	# shellcheck disable=SC2086
	uclient_passes "$name, IPv6, indications" $transport -s -x -n 100 -m 2 -z 5 -l 162 -e "$PEER6" "$SERVER6"
	# shellcheck disable=SC2086
	uclient_passes "$name, IPv6 client, IPv4 peer" $transport -X -n 100 -m 2 -z 5 -l 163 -e "$PEER4" "$SERVER6"
done
uclient_passes "TCP allocations (RFC 6062)" -T -y -n 50 -m 1 -z 5 -l 160 "$SERVER4"
uclient_passes "TCP allocations by TLS" -T -S -y -n 50 -m 1 -z 5 -l 160 "$SERVER4"
# In this mode coturn's client counts what only one side sends as sent by both: half is all there is.
uclient -P -L 10.90.1.2 -e "$PEER4" -n 20 -m 1 -z 5 -l 160 "$SERVER4"
is "a peer that connects itself is announced and bound (RFC 6062 5.3)" "${UC_RECV:-none} of ${UC_SENT:-none}" "20 of 40"
at_least "peers' connections were joined" "$(stats 'd["net"]["streams"]["spliced"]')" 5
ok "connections and data connections end with their clients" wait_for 20 no_streams

WANTED='Cipher is TLS_'
ok "TLS 1.3" saw -connect "$SERVER4:5349" -tls1_3 -CAfile "$WORK/one.pem"
ok "TLS on the plain port" saw -connect "$SERVER4:3478" -tls1_3 -CAfile "$WORK/one.pem"
WANTED='Cipher is ECDHE'
ok "TLS 1.2, IPv6" saw -connect "[$SERVER6]:5349" -tls1_2 -CAfile "$WORK/one.pem"
ok "TLS 1.1 is refused" refused -connect "$SERVER4:5349" -tls1_1 -cipher ALL:@SECLEVEL=0 -CAfile "$WORK/one.pem"
WANTED='CN = two'
ok "a name of the second certificate" saw -connect "$SERVER4:5349" -servername two.test -CAfile "$WORK/two.pem" \
	-verify_hostname two.test
WANTED='CN = one'
ok "a name of none: the first" saw -connect "$SERVER4:5349" -servername other.test -CAfile "$WORK/one.pem"
WANTED='ALPN protocol: stun.turn'
ok "ALPN stun.turn" saw -connect "$SERVER4:5349" -alpn stun.turn -CAfile "$WORK/one.pem"
WANTED='ALPN protocol: stun.nat-discovery'
ok "ALPN stun.nat-discovery" saw -connect "$SERVER4:5349" -alpn h2,stun.nat-discovery -CAfile "$WORK/one.pem"
ok "ALPN of another protocol is refused" refused -connect "$SERVER4:5349" -alpn http/1.1 -CAfile "$WORK/one.pem"

for transport in tcp tls; do
	tap_from in_ns cl "$PYTHON" "$TOP/tests/interop/aioice_call.py" "$SERVER4" "$USER_NAME" "$USER_PASSWORD" 200 \
		"$transport" "$WORK/one.pem"
done
ok "turnpiked ends, nothing is left" relay_stop
finish
