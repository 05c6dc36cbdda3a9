#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# Third-party authorisation (RFC 7635) as coturn has it: tokens that turnutils_oauth makes, and turnutils_uclient -J
# with its three test keys, of which it takes another one for each token.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

ns_begin
ns_up two
peer_start "$PEER4"
ok "turnpiked starts" relay_start --oauth --server-name=turn.test \
	--oauth-key=north,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK,0,0,A256GCM \
	--oauth-key=union,MTIzNDU2Nzg5MDEyMzQ1Ngo=,0,0,A128GCM \
	--oauth-key=oldempire,MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK,0,0,A256GCM || finish
tap_from "$PYTHON" "$TOP/tests/interop/oauth_calls.py"
uclient_passes "-J: tokens, over channels" -J -n 50 -m 2 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-J -s: tokens, with Send indications" -J -s -n 50 -m 2 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "-J -t: tokens, over TCP" -J -t -n 50 -m 2 -l 160 -e "$PEER4" "$SERVER4"
uclient_passes "users with passwords are served as well" -n 50 -m 1 -l 160 -e "$PEER4" "$SERVER4"
ok "turnpiked ends, nothing is left" relay_stop
finish
