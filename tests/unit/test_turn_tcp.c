/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP allocations: RFC 6062 sections 5.1 to 5.5, the engine's part. The sections
 * are named as quoted in public implementations.
 */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c, data;	/* the control connection, a data connection */

/* What the engine asked of its io. */
static struct {
	unsigned int listening, connects, closes, joins;
	struct tp_addr connect_to;
	struct tp_tcp_link *link;
	void *closed, *joined;
	struct tp_path joined_with;
	struct tp_allocation *owner;
	struct tp_addr relayed;
	int connect_error, join_error;
} tcp;

static char conns[64];		/* handles of peers' connections */
static unsigned int conns_len;

static int tcp_listen(struct tp_turn_io *io, const struct tp_addr *addr, struct tp_allocation *owner,
		      struct tp_tcp_relay **ret)
{
	tcp.listening++;
	tcp.owner = owner;
	tcp.relayed = *addr;
	*ret = (struct tp_tcp_relay *)&tcp;
	return 0;
}

static void tcp_unlisten(struct tp_turn_io *io, struct tp_tcp_relay *relay)
{
	tcp.listening--;
}

static int tcp_connect(struct tp_turn_io *io, struct tp_tcp_relay *relay, const struct tp_addr *peer,
		       struct tp_tcp_link *link, void **ret_conn)
{
	if (tcp.connect_error)
		return tcp.connect_error;
	tcp.connects++;
	tcp.connect_to = *peer;
	tcp.link = link;
	*ret_conn = &conns[conns_len++];
	return 0;
}

static int tcp_join(struct tp_turn_io *io, void *conn, const struct tp_path *client)
{
	if (tcp.join_error)
		return tcp.join_error;
	tcp.joins++;
	tcp.joined = conn;
	tcp.joined_with = *client;
	return 0;
}

static void tcp_close(struct tp_turn_io *io, void *conn)
{
	tcp.closes++;
	tcp.closed = conn;
}

static void begin(void)
{
	memset(&tcp, 0, sizeof(tcp));
	conns_len = 0;
	bench_init(&b);
	bench_start(&b);
	for (unsigned int i = 0; i < BENCH_WORKERS; i++) {
		b.io[i].io.tcp_listen = tcp_listen;
		b.io[i].io.tcp_unlisten = tcp_unlisten;
		b.io[i].io.tcp_connect = tcp_connect;
		b.io[i].io.tcp_join = tcp_join;
		b.io[i].io.tcp_close = tcp_close;
	}
	client_init(&c, &b, "198.51.100.7:40000");
	c.path.tuple.transport = TP_TCP;
	c.path.conn = &c;
	client_init(&data, &b, "198.51.100.7:40001");
	data.path.tuple.transport = TP_TCP;
	data.path.conn = &data;
	client_challenge(&c);
	memcpy(data.nonce, c.nonce, sizeof(c.nonce));
	data.nonce_size = c.nonce_size;
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind", what);
	check_eq(tcp.listening, 0, "%s: no listener either", what);
}

static int allocate_tcp(struct client *client, uint16_t extra)
{
	struct message m;

	request(&m, client, TP_STUN_ALLOCATE);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 6);
	if (extra == TP_STUN_ATTR_EVEN_PORT)
		tp_stun_put(&m.w, extra, "", 1);
	else if (extra == TP_STUN_ATTR_RESERVATION_TOKEN)
		tp_stun_put(&m.w, extra, "12345678", 8);
	else if (extra)
		tp_stun_put(&m.w, extra, NULL, 0);
	return message_send(&m);
}

static int connect_to(struct client *client, const char *peer)
{
	struct message m;

	request(&m, client, TP_STUN_CONNECT);
	if (peer)
		put_peer(&m, peer);
	return message_send(&m);
}

static int bind_connection(struct client *client, uint32_t id)
{
	struct message m;

	request(&m, client, TP_STUN_CONNECTION_BIND);
	if (id)
		tp_stun_put_u32(&m.w, TP_STUN_ATTR_CONNECTION_ID, id);
	return message_send(&m);
}

/* What the engine has sent since: the answer to a Connect comes late. */
static int late_answer(unsigned int before)
{
	int code = 0;

	if (b.client.count == before || tp_stun_parse(b.client.data, b.client.size, &c.reply))
		return -1;
	return c.reply.class == TP_STUN_ERROR && tp_stun_get_error(&c.reply, &code) ? -1 : code;
}

static uint32_t connection_id(void)
{
	uint32_t id = 0;

	tp_stun_get_u32(&c.reply, TP_STUN_ATTR_CONNECTION_ID, &id);
	return id;
}

static void test_allocate(void)
{
	struct client udp;

	begin();
	check_eq(allocate_tcp(&c, TP_STUN_ATTR_EVEN_PORT), 400, "6062 5.1: EVEN-PORT with TCP");
	check_eq(allocate_tcp(&c, TP_STUN_ATTR_DONT_FRAGMENT), 400, "6062 5.1: DONT-FRAGMENT with TCP");
	check_eq(allocate_tcp(&c, TP_STUN_ATTR_RESERVATION_TOKEN), 400, "6062 5.1: RESERVATION-TOKEN with TCP");
	client_init(&udp, &b, "198.51.100.7:40002");
	client_challenge(&udp);
	check_eq(allocate_tcp(&udp, 0), 400, "6062 5.1: over UDP");
	b.conf.no_tcp_relay = true;
	check_eq(allocate_tcp(&c, 0), 442, "no-tcp-relay: 442");
	b.conf.no_tcp_relay = false;
	check_eq(allocate_tcp(&c, 0), 0, "6062 5.1: a TCP allocation");
	check(tcp.listening == 1 && b.opened == 0, "listens for peers, and has no UDP socket");
	check(tp_addr_same_ip(&tcp.relayed, &b.relays[0].addr), "at its relayed address");
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "the data path is told nothing");
	check_eq(permit(&c, "203.0.113.5"), 0, "it has permissions");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.5:7"), 400, "but no channels");
	check(!send_indication(&c, "203.0.113.5:7", "x"), "and no Send");
	check_eq(refresh(&c, 0), 0, "Refresh ends it");
	check_eq(tcp.listening, 0, "with its listener");
	end("allocate");
}

static void test_connect(void)
{
	unsigned int before;
	struct tp_tcp_link *link;
	uint32_t id;

	begin();
	check_eq(connect_to(&c, "203.0.113.5:80"), 437, "6062 5.2: Connect without an allocation");
	check_eq(allocate_tcp(&c, 0), 0, "an allocation");
	check_eq(connect_to(&c, NULL), 400, "6062 5.2: without XOR-PEER-ADDRESS");
	check_eq(connect_to(&c, "127.0.0.1:80"), 403, "6062 5.2: a peer that policy forbids");
	check_eq(connect_to(&c, "[2001:db8::5]:80"), 443, "a peer of another family");
	check_eq(connect_to(&c, "203.0.113.5:80"), -1, "6062 5.2: Connect is answered when the connection is there");
	check(tcp.connects == 1 && tp_addr_equal(&tcp.connect_to, (struct tp_addr[]){ addr_of("203.0.113.5:80") }),
	      "it is being made");
	link = tcp.link;
	check_eq(connect_to(&c, "203.0.113.5:80"), 446, "6062 5.2: while it is, the same peer again is 446");
	before = b.client.count;
	tp_turn_tcp_connected(b.turn[0], link, 0, &b.now);
	check_eq(late_answer(before), 0, "then it is answered");
	id = connection_id();
	check(id, "with a CONNECTION-ID");
	check(tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)), "and protected");
	check(c.reply.method == TP_STUN_CONNECT, "as a Connect");
	check_eq(connect_to(&c, "203.0.113.5:80"), 446, "6062 5.2: once it is there, 446 as well");

	check_eq(bind_connection(&data, id + 1), 400, "6062 5.4: ConnectionBind with an id of nothing");
	check_eq(bind_connection(&data, 0), 400, "6062 5.4: without one");
	check_eq(bind_connection(&c, id), 400, "6062 5.4: on the control connection");
	data.user = "bob";
	data.password = "builder";
	check_eq(bind_connection(&data, id), 441, "6062 5.4: by another user");
	data.user = "alice";
	data.password = "wonder";
	data.worker = 1;
	check_eq(bind_connection(&data, id), -2, "a data connection that came to another worker is handed over");
	data.worker = 0;
	check_eq(bind_connection(&data, id), 0, "6062 5.4: by its own");
	check(tcp.joins == 1 && tcp.joined == &conns[0] && tcp.joined_with.conn == &data, "joins both");
	check_eq(bind_connection(&data, id), 400, "only once");
	bench_advance(&b, 100 * BENCH_S);
	check_eq(tcp.closes, 0, "no time-out any more");
	tp_turn_tcp_ended(b.turn[0], link, 1000, 2000);
	check_eq(connect_to(&c, "203.0.113.5:80"), -1, "when it is over the same peer can be had again");
	refresh(&c, 0);
	check_eq(tcp.closes, 1, "6062 5.5: what is under way ends with the allocation");
	end("connect");
}

static void test_failures(void)
{
	unsigned int before;

	begin();
	allocate_tcp(&c, 0);
	connect_to(&c, "203.0.113.5:80");
	before = b.client.count;
	tp_turn_tcp_connected(b.turn[0], tcp.link, -ECONNREFUSED, &b.now);
	check_eq(late_answer(before), 447, "6062 5.2: a connection that fails is 447");
	tcp.connect_error = -ENETUNREACH;
	check_eq(connect_to(&c, "203.0.113.5:80"), 447, "one that fails at once too");
	tcp.connect_error = 0;
	connect_to(&c, "203.0.113.5:80");
	before = b.client.count;
	bench_advance(&b, 29 * BENCH_S);
	check_eq(late_answer(before), -1, "6062 5.2: after 29 s it is still waited for");
	bench_advance(&b, 2 * BENCH_S);
	check(late_answer(before) == 447 && tcp.closes == 1, "after 30 s it is 447 and closed");
	connect_to(&c, "203.0.113.5:80");
	tp_turn_tcp_connected(b.turn[0], tcp.link, 0, &b.now);
	late_answer(0);
	bench_advance(&b, 31 * BENCH_S);
	check_eq(tcp.closes, 2, "6062 5.2: one that nobody binds in 30 s is closed");
	check_eq(bind_connection(&data, connection_id()), 400, "and its id means nothing");
	connect_to(&c, "203.0.113.5:80");
	tp_turn_tcp_connected(b.turn[0], tcp.link, 0, &b.now);
	late_answer(0);
	tcp.join_error = -ENOTCONN;
	bind_connection(&data, connection_id());
	check_eq(connect_to(&c, "203.0.113.5:80"), -1, "a join that fails leaves nothing behind");
	tp_turn_conn_closed(b.turn[0], &c.path, &b.now);
	check_eq(tcp.closes, 3, "the control connection's end ends everything");
	end("failures");
}

static void test_attempt(void)
{
	struct tp_addr peer = addr_of("203.0.113.5:5555"), other = addr_of("203.0.113.6:5555");
	struct tp_tcp_link *link;
	struct tp_stun_attr attr;
	struct tp_addr shown;
	unsigned int before;
	struct tp_conf conf;

	begin();
	allocate_tcp(&c, 0);
	check(!tp_turn_tcp_accepted(b.turn[0], tcp.owner, &tcp.relayed, &peer, &conns[0], &b.now),
	      "6062 5.3: a peer without a permission is closed");
	permit(&c, "203.0.113.5");
	check(!tp_turn_tcp_accepted(b.turn[0], tcp.owner, &tcp.relayed, &other, &conns[0], &b.now),
	      "6062 5.3: one of another address likewise");
	before = b.client.count;
	link = tp_turn_tcp_accepted(b.turn[0], tcp.owner, &tcp.relayed, &peer, &conns[0], &b.now);
	check(link && late_answer(before) == 0 && c.reply.method == TP_STUN_CONNECTION_ATTEMPT &&
		      c.reply.class == TP_STUN_INDICATION,
	      "6062 5.3: one with a permission is told by a ConnectionAttempt");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr) &&
		      !tp_stun_get_xor_addr(&c.reply, &attr, &shown) && tp_addr_equal(&shown, &peer),
	      "with its address and port");
	check_eq(bind_connection(&data, connection_id()), 0, "and can be bound");
	check(tcp.joined == &conns[0], "to it");
	tp_turn_tcp_ended(b.turn[0], link, 0, 0);
	tp_turn_tcp_accepted(b.turn[0], tcp.owner, &tcp.relayed, &peer, &conns[1], &b.now);
	conf = b.conf;
	conf.denied = &(struct tp_range){ .first = addr_of("203.0.113.5"), .last = addr_of("203.0.113.5") };
	conf.denied_len = 1;
	bench_reload(&b, &conf);
	check(tcp.closes == 1 && tcp.closed == &conns[1], "a peer that a reload forbids is closed");
	bench_reload(&b, &b.conf);
	permit(&c, "203.0.113.5");
	bench_advance(&b, 301 * BENCH_S);
	check(!tp_turn_tcp_accepted(b.turn[0], tcp.owner, &tcp.relayed, &peer, &conns[2], &b.now),
	      "a permission that has expired lets nobody in");
	end("attempt");
}

static void test_limit(void)
{
	char peer[32];
	int accepted = 0;

	begin();
	allocate_tcp(&c, 0);
	for (int i = 1; i < 200; i++) {
		conns_len = 0;
		snprintf(peer, sizeof(peer), "203.0.113.5:%d", i);
		accepted += connect_to(&c, peer) == -1;
	}
	check_eq(accepted, 128, "connections of an allocation are bounded");
	check_eq(connect_to(&c, "203.0.113.5:1000"), 508, "beyond it is 508");
	end("limit");
}

int main(void)
{
	test_allocate();
	test_connect();
	test_failures();
	test_attempt();
	test_limit();
	return done();
}
