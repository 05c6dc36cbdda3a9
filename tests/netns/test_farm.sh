#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 180
# Quotas that hold for a farm: two nodes in the relay's namespace, 10.90.1.1 and 10.90.1.3, and one redis-server on its
# loopback. farm.py has the clients, ends a node, and stops, kills and starts Redis.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

REDIS_PORT=6398

# node_conf NAME ADDRESS FIRST LAST: its relay ports are its own.
node_conf() {
	relay_conf_common | grep -v -e '^control-socket=' -e '^state-dir=' -e '^bpffs='
	cat <<-CONF
		user=bob:secret1
		user=carol:secret1
		listening-ip=$2
		relay-ip=$RELAY4
		min-port=$3
		max-port=$4
		datapath=user
		user-quota=3
		total-quota=8
		redis-quotadb=ip=127.0.0.1 port=$REDIS_PORT dbname=3
		control-socket=$WORK/$1.sock
		state-dir=$WORK/$1
	CONF
}

ns_begin
command -v redis-server > /dev/null || skip_all "there is no redis-server"
ns_up two
peer_start "$PEER4" || finish
node_conf a 10.90.1.1 50000 50099 > "$WORK/a.conf"
node_conf b 10.90.1.3 50100 50199 > "$WORK/b.conf"
tap_from "$PYTHON" "$TOP/tests/netns/farm.py" "$WORK" "$REDIS_PORT"
finish
