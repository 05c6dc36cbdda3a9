# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # variables are for those who source it
# The namespaces that tests and the demo run in; sourced, never run. Linux only, as root.
#
#   two devices (ns_up two)                    one device (ns_up one)
#
#     cl0           cl1     pe1          pe0      cl0 (client and peer)   cl1
#   client --------- relay ------------ peer       client ---------------- relay
#   10.90.1.2   10.90.1.1  10.90.2.1   10.90.2.2   10.90.1.2, 10.90.1.4    10.90.1.1
#   fd90:1::2   fd90:1::1  fd90:2::1   fd90:2::2   fd90:1::2, fd90:1::4    fd90:1::1
#
# The relay does not forward: what arrives at the peer came by TURN. Every name has
# the shell's process id in it, and everything goes when the shell ends. The daemon
# gets a private bpffs under $WORK: `ip netns exec` would hide one under /sys.

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${O:-$TOP/build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
export PATH=$BUILD:/usr/local/sbin:/usr/sbin:/sbin:$PATH

export TP_NS=tp$$ PYTHONPATH=$TOP/tests/lib PYTHONDONTWRITEBYTECODE=1

PYTHON=/usr/bin/python3 # Debian's, whatever else is in PATH: aioice is its package
USER_NAME=alice
USER_PASSWORD=secret1
REST_SECRET=rest-secret
REALM=turn.test
TAP_RUN=0
TAP_FAILED=0
RELAY_PID=
RELAY_RUN=()
RELAY_EXTRA=()
CHILDREN=()
NAMESPACES=()
WORK=

# --- TAP ---

note() { printf '# %s\n' "$*"; }

# Shows a file as diagnostics, its last N lines.
note_file() { [ -s "$1" ] && tail -n "${2:-15}" "$1" | sed 's/^/# /'; return 0; }

pass() { TAP_RUN=$((TAP_RUN + 1)); printf 'ok %d - %s\n' "$TAP_RUN" "$*"; }

fail() {
	TAP_RUN=$((TAP_RUN + 1))
	TAP_FAILED=$((TAP_FAILED + 1))
	printf 'not ok %d - %s\n' "$TAP_RUN" "$*"
}

skip() { TAP_RUN=$((TAP_RUN + 1)); printf 'ok %d - %s # SKIP %s\n' "$TAP_RUN" "$1" "$2"; }

# ok NAME COMMAND...: the command succeeds; its output is shown where it does not. It runs in this shell:
# it may start processes and set variables.
ok() {
	local name=$1 status=0
	shift
	"$@" > "$WORK/ok.out" 2>&1 || status=$?
	if [ "$status" -eq 0 ]; then
		pass "$name"
	else
		fail "$name"
		note "exit status $status of: $*"
		note_file "$WORK/ok.out" 40
		return 1
	fi
}

# is NAME GOT EXPECTED
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1"
		note "is '$2', expected '$3'"
		return 1
	fi
}

# at_least NAME GOT MINIMUM, both whole numbers
at_least() {
	if [ -n "$2" ] && [ "$2" -ge "$3" ]; then
		pass "$1 ($2)"
	else
		fail "$1"
		note "is '$2', expected at least $3"
		return 1
	fi
}

# tap_from COMMAND...: a program that prints TAP as a part of this suite.
tap_from() {
	local line status=0 failed=$TAP_FAILED
	"$@" > "$WORK/part.tap" 2>&1 || status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "${line#ok *- }" ;;
		"not ok "*) fail "${line#not ok *- }" ;;
		"1.."*) ;;
		"#"*) printf '%s\n' "$line" ;;
		*) note "$line" ;;
		esac
	done < "$WORK/part.tap"
	[ "$status" -eq 0 ] || [ "$failed" -ne "$TAP_FAILED" ] || fail "exit status $status of: $*"
}

finish() {
	printf '1..%d\n' "$TAP_RUN"
	[ "$TAP_FAILED" -eq 0 ]
	exit
}

skip_all() { printf '1..0 # SKIP %s\n' "$*"; exit 0; }

# wait_for SECONDS COMMAND...: until it succeeds. The bound is generous, the usual wait is short.
wait_for() {
	local end=$((SECONDS + $1)) start=$SECONDS
	shift
	until "$@" > /dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			note "waited $((SECONDS - start)) s in vain for: $*"
			return 1
		fi
		sleep 0.05
	done
}

# --- namespaces ---

ns_name() { echo "$TP_NS-$1"; }
in_ns() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$(ns_name "$ns")" -- "$@"
}

ns_begin() {
	[ "$(id -u)" = 0 ] || skip_all "network namespaces need root"
	work_begin
	mkdir "$WORK/bpf" "$WORK/state"
	if mount -t bpf -o mode=0700 bpf "$WORK/bpf" 2> /dev/null; then
		BPFFS=$WORK/bpf/turnpike
	else
		BPFFS=
	fi
}

# The scratch folder, and the end of everything.
work_begin() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/turnpike.XXXXXX") || exit 1
	SOCKET=$WORK/turnpiked.sock
	export WORK SOCKET
	trap ns_end EXIT
	trap 'exit 143' TERM INT HUP
}

ns_add() {
	local ns
	ns=$(ns_name "$1")
	ip netns add "$ns" || exit 1
	NAMESPACES+=("$ns")
	in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.accept_ra=0 net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 || exit 1
	ip -n "$ns" link set lo up
}

# ns_link NS DEVICE NS DEVICE: a veth pair, up, with fixed MAC addresses so that captures read well.
ns_link() {
	ip link add "$2" netns "$(ns_name "$1")" address "$(mac_of "$2")" type veth \
		peer name "$4" netns "$(ns_name "$3")" address "$(mac_of "$4")" || exit 1
	ip -n "$(ns_name "$1")" link set "$2" up
	ip -n "$(ns_name "$3")" link set "$4" up
}

mac_of() { printf '02:7a:%02x:%02x:%02x:01' "'${1:0:1}" "'${1:1:1}" "'${1:2:1}"; }

# ns_addr NS DEVICE ADDRESS/LEN...
ns_addr() {
	local ns=$1 dev=$2 address
	shift 2
	for address; do
		case $address in
		*:*) ip -n "$(ns_name "$ns")" addr add "$address" dev "$dev" nodad ;;
		*) ip -n "$(ns_name "$ns")" addr add "$address" dev "$dev" ;;
		esac || exit 1
	done
}

# ns_xdp_pass NS DEVICE: an XDP program that passes everything. What native XDP sends back to a veth
# (XDP_TX) is delivered only where the other end has a program; GRO there is enough for a redirect only.
ns_xdp_pass() {
	if [ ! -e "$WORK/pass.o" ]; then
		printf '%s\n' '#include <linux/bpf.h>' '__attribute__((section("xdp"), used))' \
			'int pass_all(struct xdp_md *ctx) { return XDP_PASS; }' > "$WORK/pass.c"
		clang -O2 -g -target bpf "-I/usr/include/$(gcc -print-multiarch)" -c "$WORK/pass.c" -o "$WORK/pass.o" || return
	fi
	in_ns "$1" ip link set dev "$2" xdp obj "$WORK/pass.o" sec xdp
}

# Senders without checksum offload: what XDP sees is what a wire would carry.
ns_offload_off() {
	in_ns "$1" ethtool -K "$2" tx-checksumming off tso off gso off tx-udp-segmentation off \
		> "$WORK/ethtool.out" 2>&1 || note_file "$WORK/ethtool.out"
}

ns_up() {
	ns_add cl
	ns_add srv
	ns_link cl cl0 srv cl1
	ns_addr cl cl0 10.90.1.2/24 fd90:1::2/64
	ns_addr srv cl1 10.90.1.1/24 10.90.1.3/24 fd90:1::1/64 fd90:1::3/64
	if [ "$1" = two ]; then
		ns_add pe
		ns_link pe pe0 srv pe1
		ns_addr pe pe0 10.90.2.2/24 fd90:2::2/64
		ns_addr srv pe1 10.90.2.1/24 fd90:2::1/64
		ns_route pe 10.90.2.1 fd90:2::1
		PEER_NS=pe PEER4=10.90.2.2 PEER6=fd90:2::2 RELAY4=10.90.2.1 RELAY6=fd90:2::1
	else
		ns_addr cl cl0 10.90.1.4/24 fd90:1::4/64
		PEER_NS=cl PEER4=10.90.1.4 PEER6=fd90:1::4 RELAY4=10.90.1.1 RELAY6=fd90:1::1
	fi
	ns_route cl 10.90.1.1 fd90:1::1
	SERVER4=10.90.1.1 SERVER6=fd90:1::1
	export SERVER4 SERVER6 PEER_NS PEER4 PEER6 RELAY4 RELAY6
}

ns_route() {
	ip -n "$(ns_name "$1")" route add default via "$2" && ip -n "$(ns_name "$1")" -6 route add default via "$3" || exit 1
}

# The devices as the xdp data path wants them: exact checksums from the senders, receivers that poll.
ns_for_xdp() {
	ns_offload_off cl cl0
	ns_xdp_pass cl cl0
	if [ "$PEER_NS" = pe ]; then
		ns_offload_off pe pe0
		ns_xdp_pass pe pe0
	fi
}

# --- processes ---

# child_in NS COMMAND...: in the background, ended with the suite. CHILD is its process id: nsenter
# becomes the command, which in_ns as a function in the background would not.
child_in() {
	nsenter --net="/run/netns/$(ns_name "$1")" -- "${@:2}" &
	CHILD=$!
	CHILDREN+=("$CHILD")
}

# Ends one process that we started: TERM, and KILL after 10 s. Returns its exit status.
end_child() {
	local pid=$1 status=0
	kill -TERM "$pid" 2> /dev/null
	wait_for 10 not_running "$pid" || kill -KILL "$pid" 2> /dev/null
	wait "$pid" 2> /dev/null || status=$?
	return "$status"
}

not_running() { ! kill -0 "$1" 2> /dev/null || grep -q '^State:.*Z' "/proc/$1/status"; }

ns_end() {
	local pid ns
	trap - EXIT
	set +e
	if [ -n "$RELAY_PID" ]; then
		kill -CONT "$RELAY_PID" 2> /dev/null
		end_child "$RELAY_PID"
	fi
	for pid in "${CHILDREN[@]}"; do
		kill -CONT "$pid" 2> /dev/null
		end_child "$pid"
	done
	for ns in "${NAMESPACES[@]}"; do
		ip netns del "$ns"
	done
	[ -z "$WORK" ] || {
		mountpoint -q "$WORK/bpf" && umount -l "$WORK/bpf"
		rm -rf "$WORK"
	}
} 2> /dev/null

# --- the relay ---

# The configuration that tests share, without the addresses.
relay_conf_common() {
	cat <<-CONF
		listening-port=3478
		realm=$REALM
		lt-cred-mech
		user=$USER_NAME:$USER_PASSWORD
		use-auth-secret
		static-auth-secret=$REST_SECRET
		channel-numbers=rfc5766
		relay-threads=2
		no-tls
		no-dtls
		control-socket=$SOCKET
		state-dir=$WORK/state
		${END_CALLS-end-calls-on-exit}
	CONF
	[ -z "$BPFFS" ] || echo "bpffs=$BPFFS"
	[ ${#RELAY_EXTRA[@]} -eq 0 ] || printf '%s\n' "${RELAY_EXTRA[@]}"
}

relay_conf() {
	relay_conf_common
	cat <<-CONF
		listening-ip=$SERVER4
		listening-ip=$SERVER6
		relay-ip=$RELAY4
		relay-ip=$RELAY6
	CONF
}

# relay_start [--key=value...]: in namespace srv with relay_conf; RELAY_EXTRA may hold more lines for it,
# RELAY_RUN a prefix such as `setpriv ...`. Returns when the control socket answers.
relay_start() {
	relay_conf > "$WORK/turnpiked.conf"
	nsenter --net="/run/netns/$(ns_name srv)" -- "${RELAY_RUN[@]}" turnpiked -c "$WORK/turnpiked.conf" "$@" \
		< /dev/null >> "$WORK/turnpiked.log" 2>&1 &
	RELAY_PID=$!
	wait_for 30 relay_settled
	if ! relay_answers; then
		note "turnpiked did not become ready"
		note_file "$WORK/turnpiked.log" 30
		return 1
	fi
}

relay_answers() { ctl status > /dev/null 2>&1; }
relay_settled() { relay_answers || not_running "$RELAY_PID"; }

ctl() { timeout 10 turnpikectl --socket "$SOCKET" "$@"; }

# stats EXPRESSION: a value out of `turnpikectl --json stats`, in Python: stats 'd["allocations"]'
stats() { ctl --json stats | "$PYTHON" -c "import json,sys; d = json.load(sys.stdin); print($1)"; }
listed() { ctl --json list | "$PYTHON" -c "import json,sys; d = json.load(sys.stdin); print($1)"; }

no_allocations() { [ "$(stats 'd["allocations"]')" = 0 ]; }
kernel_packets() { stats 'd["relayed"]["kernel"]["packets"]'; }
user_packets() { stats 'd["relayed"]["user"]["packets"]'; }

# Ends the relay: exit status 0, and nothing left of it.
relay_stop() {
	local status=0
	end_child "$RELAY_PID" || status=$?
	RELAY_PID=
	if [ "$status" -ne 0 ]; then
		note "turnpiked's exit status is $status"
		note_file "$WORK/turnpiked.log" 40
		return 1
	fi
	if [ -e "$SOCKET" ]; then
		note "the control socket is left behind"
		return 1
	fi
	if [ -n "$BPFFS" ] && [ -n "$(find "$BPFFS" -mindepth 1 2> /dev/null | head -n 1)" ]; then
		note "pins are left behind: $(find "$BPFFS" -mindepth 1 | head -n 5 | tr '\n' ' ')"
		return 1
	fi
}

# --- coturn's client ---

# The echo peer, on every address given.
peer_start() {
	local address
	for address; do
		child_in "$PEER_NS" turnutils_peer -L "$address" -p 3480 > "$WORK/peer.out" 2>&1
		wait_for 20 peer_listens "$address" || return 1
	done
}

peer_listens() { in_ns "$PEER_NS" ss -Hlun | grep -qF -e "$1:3480" -e "[$1]:3480"; }

# uclient ARGUMENTS...: its exit status means nothing, its counts do: UC_SENT, UC_RECV, UC_LOST.
uclient() {
	local status=0
	timeout 100 nsenter --net="/run/netns/$(ns_name cl)" -- turnutils_uclient -u "$USER_NAME" -w "$USER_PASSWORD" "$@" \
		< /dev/null > "$WORK/uclient.out" 2>&1 || status=$?
	UC_SENT=$(sed -n 's/.*tot_send_msgs=\([0-9]*\).*/\1/p' "$WORK/uclient.out" | tail -n 1)
	UC_RECV=$(sed -n 's/.*tot_recv_msgs=\([0-9]*\).*/\1/p' "$WORK/uclient.out" | tail -n 1)
	UC_LOST=$(sed -n 's/.*Total lost packets \([0-9]*\).*/\1/p' "$WORK/uclient.out" | tail -n 1)
	[ "$status" -ne 124 ] || note "turnutils_uclient did not end within 100 s"
}

# uclient_passes NAME ARGUMENTS...: something was sent and nothing lost. UDP may lose where the machine
# stalls for longer than a socket's buffer lasts: a run that lost up to a tenth is repeated, twice at most,
# and said so. A relay that loses does so every time. KERNEL_BEFORE and USER_BEFORE are what was counted
# before the run that passed.
uclient_passes() {
	if uclient_without_loss "$@"; then
		pass "$1 ($UC_SENT sent, none lost)"
	else
		uclient_failed "$@"
		return 1
	fi
}

uclient_without_loss() {
	local name=$1 tries
	shift
	for tries in 1 2 3; do
		KERNEL_BEFORE=$(kernel_packets)
		USER_BEFORE=$(user_packets)
		uclient "$@"
		[ "${UC_SENT:-0}" -eq 0 ] || [ "$UC_LOST" != 0 ] || return 0
		if [ "${UC_SENT:-0}" -eq 0 ] || [ $((${UC_LOST:-UC_SENT} * 10)) -gt "$UC_SENT" ]; then
			return 1
		fi
		note "$name: run $tries lost $UC_LOST of $UC_SENT"
	done
	return 1
}

uclient_failed() {
	fail "$1"
	note "sent ${UC_SENT:-nothing}, received ${UC_RECV:-nothing}, lost ${UC_LOST:-unknown}: turnutils_uclient ${*:2}"
	note_file "$WORK/uclient.out" 12
	note_file "$WORK/turnpiked.log" 12
}

# counted_since COUNTER BEFORE MINIMUM: what kernel_packets or user_packets has counted since; waits for the
# minimum, because an allocation that has just ended is counted when its rules are gone.
counted_since() {
	wait_for 10 counted_enough "$@" > /dev/null
	echo $(($($1) - $2))
}

counted_enough() { [ $(($($1) - $2)) -ge "$3" ]; }

# uclient_in_kernel NAME ARGUMENTS...: as uclient_passes, and at least 99 % of the data packets, both
# ways, are counted as relayed in the kernel. Data follows the ChannelBind or the permission. Until a
# neighbour is resolved, which a busy machine may take its time for, userspace relays: such a run is
# repeated, twice at most, and said so.
uclient_in_kernel() {
	local name=$1 minimum counted tries
	for tries in 1 2 3; do
		uclient_without_loss "$@" || { uclient_failed "$@"; return 1; }
		minimum=$(((UC_SENT + UC_RECV) * 99 / 100))
		counted=$(counted_since kernel_packets "$KERNEL_BEFORE" $minimum)
		[ "$counted" -lt "$minimum" ] || break
		note "$name: run $tries: $counted of $((UC_SENT + UC_RECV)) packets in the kernel"
	done
	pass "$name ($UC_SENT sent, none lost)"
	at_least "$name: 99 % of $((UC_SENT + UC_RECV)) packets in the kernel" "$counted" $minimum || ctl stats | sed 's/^/# /'
}

# uclient_in_user NAME ARGUMENTS...: as uclient_passes, and userspace relayed all of it.
uclient_in_user() {
	local name=$1
	uclient_passes "$@" || return 1
	at_least "$name: userspace relayed $((UC_SENT + UC_RECV)) packets" \
		"$(counted_since user_packets "$USER_BEFORE" $((UC_SENT + UC_RECV)))" $((UC_SENT + UC_RECV))
}

# rest_credentials SECONDS [NAME]: prints "username password" as the TURN REST API makes them.
rest_credentials() {
	local user
	user=$(($(date +%s) + $1)):${2:-$USER_NAME}
	printf '%s %s\n' "$user" "$(printf %s "$user" | openssl dgst -binary -sha1 -hmac "$REST_SECRET" | base64)"
}
