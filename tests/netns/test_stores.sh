#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# Users in coturn's databases: SQLite made by turnpikectl and by coturn's turnadmin, Redis and PostgreSQL under
# coturn's names. A store that is killed under load costs no call and no user seen before; allocations are told to
# Redis as coturn does. The servers run as processes of this suite, in the relay's namespace or on a UNIX socket.
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

REDIS_PORT=6399
PG_BIN=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2> /dev/null | sort -V | tail -n 1)
DB=$WORK # set once ns_begin has made it

# The MD5 key of user, realm, password, as every store holds it.
key_of() { printf '%s:%s:%s' "$1" "$REALM" "$2" | md5sum | cut -d' ' -f1; }

# Users come from the store alone.
relay_conf() {
	relay_conf_common | grep -v -e '^user=' -e '^static-auth-secret='
	cat <<-CONF
		listening-ip=$SERVER4
		relay-ip=$RELAY4
		datapath=user
		store-fresh=1
		store-absent=1
	CONF
}

# call USER PASSWORD: 20 packets to the peer and back, none lost.
call() {
	uclient -u "$1" -w "$2" -e "$PEER4" -n 20 -m 1 -c "$SERVER4"
	[ "${UC_LOST:-}" = 0 ] && [ "${UC_RECV:-0}" -ge 20 ]
}

# answered CODE USER PASSWORD: what the user's Allocate and CreatePermission come to.
answered() {
	local code
	code=$(in_ns cl "$PYTHON" "$TOP/tests/netns/login.py" 10.90.1.2 "$SERVER4" "$2" "$3" "$PEER4")
	echo "answered with $code"
	[ "$code" = "$1" ]
}

secret_call() {
	local name password
	name=$(($(date +%s) + 600)):carol
	password=$(printf %s "$name" | openssl dgst -sha1 -hmac "$1" -binary | base64)
	call "$name" "$password"
}

# A range of the store is denied within store-fresh seconds, and no longer when it is gone: deny, allow are commands.
peer_lists() {
	ok "$1: a peer is denied in the store" "$2"
	ok "$1: and no call reaches it any more" wait_for 15 answered 403 "$4" "$5"
	ok "$1: the range is removed" "$3"
	ok "$1: and calls reach it again" wait_for 15 answered 0 "$4" "$5"
}

# realm_quota NAME SET USER PASSWORD: a user-quota of 1 that SET makes in the store holds within store-fresh seconds, and
# no longer when `SET ""` has removed it.
realm_quota() {
	ok "$1: a realm's quota is set in the store" "$2" 1
	ok "$1: it holds" wait_for 15 quota_is 486 "$3" "$4"
	ok "$1: it is removed" "$2" ""
	ok "$1: and no longer holds" wait_for 15 quota_is 0 "$3" "$4"
}

# quota_is CODE USER PASSWORD: what the second of two allocations at once is answered with.
quota_is() {
	local code
	code=$(in_ns cl "$PYTHON" "$TOP/tests/netns/login.py" 10.90.1.2 "$SERVER4" "$2" "$3" "$PEER4" 2)
	echo "answered with $code"
	[ "$code" = "$1" ]
}

store() { stats "d['store']['$1']"; }
store_is() { [ "$(store "$1")" = "$2" ]; }
store_says_up() { store_is down False; }

# --- SQLite ---

users() { turnpikectl user "$@" --db "$DB/users.sqlite"; }

sqlite_made() {
	users add bob --realm "$REALM" --password hunter2 &&
		echo pass3 | users add dave --realm "$REALM" &&
		users secret add s3cret --realm "$REALM"
}

sqlite_suite() {
	ok "turnpikectl user makes a database, with a user and a secret" sqlite_made || return
	is "it lists them" "$(users list | tail -n +2 | tr -s ' ' | paste -sd,)" "$REALM bob,$REALM dave"
	ok "sqlite: turnpiked starts" relay_start --userdb="$DB/users.sqlite" || return
	ok "sqlite: a user relays" call bob hunter2
	ok "sqlite: one whose password came by standard input" answered 0 dave pass3
	ok "sqlite: a secret of the database" secret_call s3cret
	ok "sqlite: a wrong password is refused" answered 401 bob wrong
	ok "sqlite: a name that is not there is refused" answered 401 nobody hunter2
	ok "a password is changed while the relay runs" users password bob --realm "$REALM" --password other
	ok "sqlite: the new one is good" wait_for 10 answered 0 bob other
	ok "sqlite: the old one is not" answered 401 bob hunter2
	peer_lists sqlite sqlite_deny sqlite_allow bob other
	realm_quota sqlite sqlite_quota bob other
	if command -v turnadmin > /dev/null; then
		ok "coturn's turnadmin adds a user to the same file" \
			turnadmin -a -b "$DB/users.sqlite" -u erin -r "$REALM" -p pw5
		ok "sqlite: who relays" call erin pw5
	fi
	ok "turnpiked ends" relay_stop
}

sqlite_sql() {
	"$PYTHON" -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute(sys.argv[2], sys.argv[3:])' "$DB/users.sqlite" "$@"
}
sqlite_deny() { sqlite_sql 'INSERT INTO denied_peer_ip (realm, ip_range) VALUES (?, ?)' "$REALM" "$PEER4/32"; }
sqlite_quota() {
	if [ -n "$1" ]; then
		sqlite_sql "INSERT INTO turn_realm_option (realm, opt, value) VALUES (?, 'user-quota', ?)" "$REALM" "$1"
	else
		sqlite_sql 'DELETE FROM turn_realm_option'
	fi
}
sqlite_allow() { sqlite_sql 'DELETE FROM denied_peer_ip'; }

# --- Redis ---

redis() { redis-cli -s "$DB/redis.sock" "$@"; }

redis_start() {
	child_in srv redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --unixsocket "$DB/redis.sock" --dir "$DB" \
		--save "" --appendonly no > "$DB/redis.log" 2>&1
	REDIS_PID=$CHILD
	wait_for 20 redis ping
}

redis_fill() {
	redis -n 2 set "turn/realm/$REALM/user/frank/key" "$(key_of frank pw6)" &&
		redis -n 2 set "turn/realm/$REALM/user/grace/key" "$(key_of grace pw7)" &&
		redis -n 2 sadd "turn/realm/$REALM/secret" s3cret
}

told() { grep -qE "$1" "$DB/events.log"; }

redis_events() {
	local status="turn/realm/$REALM/user/frank/allocation/[0-9]+"
	ok "statsdb: a new allocation is told" \
		wait_for 10 told "^new lifetime=[0-9]+, type=UDP, local=$SERVER4:3478, remote=.*, ssl=NONE, cipher=NONE"
	ok "statsdb: under coturn's key" told "^$status/status"
	ok "statsdb: its end" wait_for 20 told '^deleted$'
	ok "statsdb: and its traffic" wait_for 10 told "^$status/total_traffic/peer"
	ok "statsdb: in coturn's words" told '^rcvp=[1-9][0-9]*, rcvb=[0-9]+, sentp=[1-9][0-9]*, sentb=[0-9]+$'
}

# A long call while the store is killed and comes back.
call_over_outage() {
	uclient -u frank -w pw6 -e "$PEER4" -n 400 -m 1 -c -z 20 "$SERVER4" > "$DB/long.out"
	echo "$UC_SENT $UC_LOST" > "$DB/long.count"
}

has_allocation() { ! no_allocations; }

# Within store-fresh no question is asked: the log-ins are what finds that the store is gone.
known_while_down() { answered 0 frank pw6 && store_is down True; }

outage() {
	local long
	call_over_outage &
	long=$!
	wait_for 20 has_allocation
	"$1"
	ok "$2: a user seen before logs in, and the relay says that the store is down" wait_for 15 known_while_down
	ok "$2: it still does" answered 0 frank pw6
	at_least "$2: answered from memory" "$(store stale)" 1
	ok "$2: a user that was never seen is refused" answered 500 grace pw7
	wait "$long"
	is "$2: the call over the outage lost nothing" "$(cut -d' ' -f2 < "$DB/long.count")" 0
	at_least "$2: of so many packets" "$(cut -d' ' -f1 < "$DB/long.count")" 400
}

redis_deny() { redis -n 2 sadd "turn/realm/$REALM/denied-peer-ip" "${PEER4%.*}.0-${PEER4%.*}.255"; }
redis_allow() { redis -n 2 del "turn/realm/$REALM/denied-peer-ip"; }
redis_quota() {
	if [ -n "$1" ]; then
		redis -n 2 set "turn/realm/$REALM/user-quota" "$1"
	else
		redis -n 2 del "turn/realm/$REALM/user-quota"
	fi
}
redis_kill() { kill -KILL "$REDIS_PID" && wait_for 10 not_running "$REDIS_PID"; }

redis_suite() {
	command -v redis-server > /dev/null || { skip "Redis" "there is no redis-server"; return; }
	ok "redis-server starts" redis_start || return
	ok "coturn's keys are set" redis_fill
	child_in srv redis-cli -p $REDIS_PORT psubscribe 'turn/*' > "$DB/events.log" 2>&1
	wait_for 10 told psubscribe
	ok "redis: turnpiked starts" relay_start --redis-userdb="ip=127.0.0.1 port=$REDIS_PORT dbname=2 connect_timeout=30" \
		--redis-statsdb="path=$DB/redis.sock dbname=0" || return
	ok "redis: a user relays" call frank pw6
	redis_events
	ok "redis: a secret of the store" secret_call s3cret
	ok "redis: a wrong password is refused" answered 401 frank wrong
	peer_lists redis redis_deny redis_allow frank pw6
	realm_quota redis redis_quota frank pw6
	outage redis_kill redis
	ok "redis-server starts again" redis_start
	ok "coturn's keys are set again" redis_fill
	ok "redis: the user that was refused relays now" wait_for 20 answered 0 grace pw7
	ok "redis: the relay says that it answers" store_says_up
	ok "turnpiked ends" relay_stop
	end_child "$REDIS_PID"
}

# --- PostgreSQL ---

as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
pg_psql() { as_postgres psql -qAt -h "$DB/pg" -U postgres "$@"; }

pg_init() {
	mkdir "$DB/pg" && chown postgres: "$DB/pg" && chmod 755 "$DB" "$DB/pg" &&
		as_postgres "$PG_BIN/initdb" -D "$DB/pg/data" -A trust -U postgres --no-sync
}

pg_start() {
	child_in srv setpriv --reuid=postgres --regid=postgres --clear-groups "$PG_BIN/postgres" -D "$DB/pg/data" \
		-k "$DB/pg" -c listen_addresses= -c fsync=off > "$DB/pg.log" 2>&1
	PG_PID=$CHILD
	wait_for 30 pg_psql -c 'SELECT 1'
}

# coturn's schema, from its package where it is installed.
pg_fill() {
	local schema=/usr/share/coturn/schema.sql
	[ -r "$schema" ] || {
		schema=$DB/schema.sql
		cat > "$schema" <<-SQL
			CREATE TABLE turnusers_lt (realm varchar(127) DEFAULT '', name varchar(512), hmackey char(128),
				PRIMARY KEY (realm, name));
			CREATE TABLE allowed_peer_ip (realm varchar(127) DEFAULT '', ip_range varchar(256));
			CREATE TABLE denied_peer_ip (realm varchar(127) DEFAULT '', ip_range varchar(256));
			CREATE TABLE turn_origin_to_realm (origin varchar(127), realm varchar(127));
			CREATE TABLE turn_realm_option (realm varchar(127) DEFAULT '', opt varchar(32), value varchar(128),
				PRIMARY KEY (realm, opt));
			CREATE TABLE turn_secret (realm varchar(127) DEFAULT '', value varchar(256), PRIMARY KEY (realm, value));
		SQL
	}
	pg_psql < "$schema" > "$DB/schema.out" 2>&1 && pg_psql <<-SQL
		INSERT INTO turnusers_lt (realm, name, hmackey) VALUES ('$REALM', 'frank', '$(key_of frank pw6)'),
			('$REALM', 'grace', '$(key_of grace pw7)');
		INSERT INTO turn_secret (realm, value) VALUES ('$REALM', 's3cret');
	SQL
}

pg_deny() { pg_psql -c "INSERT INTO denied_peer_ip (ip_range) VALUES ('$PEER4')"; }
pg_quota() {
	if [ -n "$1" ]; then
		pg_psql -c "INSERT INTO turn_realm_option (realm, opt, value) VALUES ('$REALM', 'user-quota', '$1')"
	else
		pg_psql -c 'DELETE FROM turn_realm_option'
	fi
}
pg_allow() { pg_psql -c 'DELETE FROM denied_peer_ip'; }
# The whole server: killing one of its processes would only make it start again.
pg_kill() { kill -QUIT "$PG_PID" && wait_for 20 not_running "$PG_PID"; }

pg_suite() {
	if [ -z "$PG_BIN" ] || ! id postgres > /dev/null 2>&1; then
		skip "PostgreSQL" "there is no postgres"
		return
	fi
	ok "a PostgreSQL cluster is made" pg_init || return
	ok "postgres starts" pg_start || return
	ok "coturn's tables are made" pg_fill || return
	ok "pgsql: turnpiked starts" relay_start --psql-userdb="host=$DB/pg user=postgres dbname=postgres" || return
	ok "pgsql: a user relays" call frank pw6
	ok "pgsql: a secret of the store" secret_call s3cret
	ok "pgsql: a wrong password is refused" answered 401 frank wrong
	realm_quota pgsql pg_quota frank pw6
	peer_lists pgsql pg_deny pg_allow frank pw6
	outage pg_kill pgsql
	ok "postgres starts again" pg_start
	ok "pgsql: the user that was refused relays now" wait_for 20 answered 0 grace pw7
	ok "turnpiked ends" relay_stop
	end_child "$PG_PID"
}

ns_begin
DB=$WORK
ns_up two
peer_start "$PEER4" || finish
sqlite_suite
redis_suite
pg_suite
finish
