#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 180
# Bad input gets the error that the RFCs give it and costs nothing: no crash, no leak, no growth.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

resident_kib() { awk '/^VmRSS:/ { print $2 }' "/proc/$RELAY_PID/status"; }
no_more_descriptors() { [ "$(descriptors)" -le "$1" ]; }
descriptors() { find "/proc/$RELAY_PID/fd" -mindepth 1 | wc -l; }

# conf_line_is_named NAME LINE TEXT: a file with TEXT as its third line is refused, naming line 3.
conf_line_is_named() {
	local status=0
	printf 'listening-ip=%s\n\n%s\n' "$SERVER4" "$2" > "$WORK/bad.conf"
	in_ns srv turnpiked -c "$WORK/bad.conf" --check > "$WORK/bad.out" 2>&1 || status=$?
	is "$1: exit status" "$status" 1
	ok "$1: the line is named" grep -qE '(:|line )3\b' "$WORK/bad.out" || note_file "$WORK/bad.out"
}

ns_begin
ns_up two
peer_start "$PEER4"

conf_line_is_named "an unknown key" "no-such-key=1"
conf_line_is_named "a bad address" "relay-ip=10.90.300.1"
conf_line_is_named "a bad number" "min-port=65536"
conf_line_is_named "a range the wrong way" "denied-peer-ip=10.0.0.9-10.0.0.1"
relay_conf > "$WORK/good.conf"
ok "a good file passes --check" in_ns srv turnpiked -c "$WORK/good.conf" --check

ok "turnpiked starts with four ports" relay_start --min-port=50000 --max-port=50003 \
	--denied-peer-ip=10.90.2.77 --max-allocate-lifetime=20 || finish
read -r user password <<< "$(rest_credentials 3600)"
read -r old_user old_password <<< "$(rest_credentials -3600)"
tap_from in_ns cl "$PYTHON" "$TOP/tests/netns/bad_input.py" "$user" "$password" "$old_user" "$old_password"
ok "no allocation is left" wait_for 30 no_allocations
ok "turnpiked ends, nothing is left" relay_stop

# Growth: once round to warm up, then memory and descriptors stay where they are.
ok "turnpiked starts" relay_start --max-allocate-lifetime=5 || finish
tap_from in_ns cl "$PYTHON" "$TOP/tests/netns/churn.py" 400 20000
ok "every allocation ends" wait_for 30 no_allocations
before_kib=$(resident_kib) before_fds=$(descriptors)
tap_from in_ns cl "$PYTHON" "$TOP/tests/netns/churn.py" 800 21000
ok "every allocation ends" wait_for 30 no_allocations
# Sockets of relayed addresses close a grace period after their allocation.
ok "descriptors do not grow" wait_for 30 no_more_descriptors "$before_fds"
note "measured: resident $before_kib KiB, then $(resident_kib) KiB; descriptors $before_fds, then $(descriptors)"
at_least "memory does not grow: less than 1 KiB for each further allocation" $((before_kib + 800 - $(resident_kib))) 0
ok "turnpiked ends, nothing is left" relay_stop
finish
