#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make run`: starts turnpiked on this machine with safe defaults, has a client in a temporary namespace
# relay through it, prints iceServers to paste, and stays in front until Ctrl-C.
#
#   client 198.18.N.2 and peer 198.18.N.3 (a namespace) --- veth --- 198.18.N.1 (this machine)
#
# Only time-limited credentials of a secret made for this run are accepted, and nothing is kept. PORT names
# another port than 3478, ADDRESS another address than the default route's.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${O:-$top/build}
case $build in /*) ;; *) build=$top/$build ;; esac
export PATH=$build:/usr/local/sbin:/usr/sbin:/sbin:$PATH PYTHONPATH=$top/tests/lib PYTHONDONTWRITEBYTECODE=1
port=${PORT:-3478}
net=198.18.$(($$ % 250 + 1))
namespace=tp$$-check
device=tpc$$
work=
daemon=

say() { printf '%s\n' "$*"; }

give_up() {
	say "turnpike: $*" >&2
	exit 1
}

# What make run leaves when it ends: nothing.
end() {
	trap - EXIT
	if [ -n "$daemon" ]; then
		kill -TERM "$daemon" 2> /dev/null
		wait "$daemon"
		say "turnpike: ended"
	fi
	remove_check
	[ -z "$work" ] || rm -rf "$work"
}

remove_check() {
	ip netns del "$namespace" 2> /dev/null
	ip link del "$device" 2> /dev/null
	return 0
}

# The address that this machine speaks to the world with, per family; one, both or none.
addresses() {
	if [ -n "${ADDRESS:-}" ]; then
		say "$ADDRESS"
		return
	fi
	ip -4 route get 203.0.113.1 2> /dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p'
	ip -6 route get 2001:db8::1 2> /dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p'
}

device_of() { ip -o addr show to "$1" | awk '{ print $2; exit }'; }

add_check() {
	ip netns add "$namespace" &&
		ip link add "$device" type veth peer name check0 netns "$namespace" &&
		ip addr add "$net.1/29" dev "$device" &&
		ip link set "$device" up &&
		ip -n "$namespace" addr add "$net.2/29" dev check0 &&
		ip -n "$namespace" addr add "$net.3/29" dev check0 &&
		ip -n "$namespace" link set check0 up &&
		ip -n "$namespace" route add default via "$net.1"
}

write_conf() {
	local address
	secret=$(openssl rand -hex 24) || give_up "openssl is missing"
	{
		say "listening-port=$port"
		say "realm=$(hostname)"
		say use-auth-secret
		say "static-auth-secret=$secret"
		say "control-socket=$work/turnpiked.sock"
		say "state-dir=$work"
		say end-calls-on-exit
		say "bpffs=/sys/fs/bpf/turnpike-run-$$"
		say no-tls
		say no-dtls
		for address; do
			say "listening-ip=$address"
			say "relay-ip=$address"
			say "interface=$(device_of "$address")"
		done
		if [ -n "$checking" ]; then
			say "interface=$device"
		fi
	} > "$work/turnpiked.conf"
}

ready() { timeout 5 turnpikectl --socket "$work/turnpiked.sock" status > /dev/null 2>&1; }

wait_until_ready() {
	local tries
	for ((tries = 0; tries < 300; tries++)); do
		ready && return
		kill -0 "$daemon" 2> /dev/null || break
		sleep 0.1
	done
	tail -n 20 "$work/turnpiked.log" >&2
	give_up "turnpiked does not start"
}

# A call from the namespace, by channel: 100 packets and their echoes.
check() {
	local server=$1
	nsenter --net="/run/netns/$namespace" /usr/bin/python3 "$top/tools/deploy/self_check.py" \
		"$net.2" "$net.3" "$server" "$port" <<< "$secret"
}

[ "$(id -u)" = 0 ] || give_up "programs on network devices need root: sudo make run"
# shellcheck disable=SC2207 # addresses have no spaces
mine=($(addresses))
[ ${#mine[@]} -gt 0 ] || give_up "this machine has no route to anywhere: name an address with ADDRESS=..."
trap end EXIT
trap 'exit 0' INT TERM HUP
work=$(mktemp -d "${TMPDIR:-/tmp}/turnpike.XXXXXX") || exit 1
checking=yes
add_check 2> "$work/check.err" || {
	remove_check
	checking=
}
write_conf "${mine[@]}"
turnpiked -c "$work/turnpiked.conf" < /dev/null > "$work/turnpiked.log" 2>&1 &
daemon=$!
wait_until_ready
cat "$work/turnpiked.log"

say
case ${mine[0]}:$checking in
*:*:yes | *:) say "turnpike: not checked: it takes a network namespace and an IPv4 address" ;;
*) check "${mine[0]}" || give_up "the check failed: see above" ;;
esac
remove_check
say
say "Paste into a page, good for a day:"
say
timeout 10 turnpikectl --socket "$work/turnpiked.sock" credentials browser || give_up "no credentials"
say
say "turnpike runs until Ctrl-C. See it work: $build/turnpikectl --socket $work/turnpiked.sock stats"
tail -n 0 -f "$work/turnpiked.log" --pid=$daemon &
wait "$daemon"
status=$?
daemon=
[ $status -eq 0 ] || give_up "turnpiked ended with status $status"
