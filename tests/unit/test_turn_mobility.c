/* SPDX-License-Identifier: GPL-2.0 */
/* Mobility: RFC 8016 sections 3.1 and 3.2, and that the data path follows a move at once. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

#define PEER	"203.0.113.5:7000"

static struct bench b;
static struct client c, moved;
static uint8_t ticket[64];
static size_t ticket_size;
static struct tp_addr addr;

static void ticket_learn(struct client *client)
{
	struct tp_stun_attr attr;

	ticket_size = 0;
	if (tp_stun_find(&client->reply, TP_STUN_ATTR_MOBILITY_TICKET, &attr) && attr.size <= sizeof(ticket)) {
		ticket_size = attr.size;
		memcpy(ticket, tp_stun_value(&client->reply, &attr), ticket_size);
	}
}

static int allocate_mobile(struct client *client, size_t size)
{
	struct message m;
	int code;

	allocate_begin(&m, client);
	tp_stun_put(&m.w, TP_STUN_ATTR_MOBILITY_TICKET, "xyz", size);
	code = message_send(&m);
	ticket_learn(client);
	return code;
}

static void refresh_begin(struct message *m, struct client *client, int lifetime_s)
{
	request(m, client, TP_STUN_REFRESH);
	if (lifetime_s >= 0)
		tp_stun_put_u32(&m->w, TP_STUN_ATTR_LIFETIME, (uint32_t)lifetime_s);
	tp_stun_put(&m->w, TP_STUN_ATTR_MOBILITY_TICKET, ticket, ticket_size);
}

static int refresh_ticket(struct client *client, int lifetime_s)
{
	struct message m;

	refresh_begin(&m, client, lifetime_s);
	return message_send(&m);
}

static void begin(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.mobility = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	client_init(&moved, &b, "198.51.100.99:5000");
	client_challenge(&moved);
	allocate_mobile(&c, 0);
	addr = relayed(&c, 0);
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_ticket(void)
{
	uint8_t first[64];
	struct message m;

	begin();
	check(ticket_size > 0 && ticket_size <= 32 && !memchr(ticket, 0, ticket_size),
	      "8016 3.1: an empty MOBILITY-TICKET asks for one, which is a short text");
	memcpy(first, ticket, ticket_size);
	message_begin_id(&m, &c, TP_STUN_ALLOCATE, TP_STUN_REQUEST, &c.last_id);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	tp_stun_put(&m.w, TP_STUN_ATTR_MOBILITY_TICKET, "", 0);
	message_send(&m);
	ticket_learn(&c);
	check(!memcmp(first, ticket, ticket_size), "a retransmitted Allocate gets the same ticket");
	check_eq(allocate_mobile(&moved, 3), 400, "8016 3.1: an Allocate with a ticket in it is a bad request");
	check_eq(allocate(&moved), 0, "an Allocate without MOBILITY-TICKET");
	check(!reply_has(&moved, TP_STUN_ATTR_MOBILITY_TICKET), "gets none");
	end("ticket");

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate_mobile(&c, 0), 405, "8016 3.1: where mobility is off it is 405");
	check_eq(allocate(&c), 0, "an allocation");
	ticket_size = 32;
	check_eq(refresh_ticket(&c, 600), 405, "8016 3.2: and in a Refresh");
	end("mobility off");
}

static void test_move(void)
{
	struct tp_addr peer = addr_of(PEER);
	const struct tp_flow *f;
	uint8_t old[32];

	begin();
	bind_channel(&c, 0x4000, PEER);
	memcpy(old, ticket, sizeof(old));
	check_eq(refresh_ticket(&moved, 600), 0, "8016 3.2: the ticket moves the allocation to a new 5-tuple");
	check(tp_addr_equal(&b.client.to, &moved.path.tuple.client), "the response goes there");
	ticket_learn(&moved);
	check(ticket_size == 32 && memcmp(old, ticket, 32) != 0, "8016 3.2: with a new ticket");
	check_eq(bench_counters(&b).mobility_moves, 1, "the move is counted");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0x4000));
	check(f && tp_addr_equal(&f->tuple.client, &moved.path.tuple.client), "the data path follows at once: the channel");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_PERMISSION, &peer, 0));
	check(f && tp_addr_equal(&f->tuple.client, &moved.path.tuple.client), "the permission");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_SEND, NULL, 0));
	check(f && tp_addr_equal(&f->tuple.client, &moved.path.tuple.client), "and the send flow");
	check_eq(tp_dp_mock_count(b.dp, 0), 3, "and nothing remains under the old 5-tuple");
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 'C', "the peer's data");
	check(tp_addr_equal(&b.client.to, &moved.path.tuple.client), "goes to the new 5-tuple");
	check(send_channel(&c, 0x4000, "x"), "8016 3.2: what is still sent on the old 5-tuple is relayed");
	check(send_channel(&moved, 0x4000, "x"), "8016 3.2: and on the new one at once");
	check(!send_channel(&c, 0x4000, "x"), "8016 3.2: then the old one is over");
	check(send_indication(&moved, PEER, "x"), "Send indications work");
	check_eq(permit(&moved, "203.0.113.6"), 0, "and CreatePermission");
	check_eq(bind_channel(&moved, 0x4001, "203.0.113.6:1"), 0, "and ChannelBind");
	check_eq(refresh(&moved, 600), 0, "and Refresh");
	check_eq(allocate(&c), 0, "the old 5-tuple is free for another allocation");
	end("move");
}

static void test_retransmission(void)
{
	struct message m;
	struct client third;
	uint8_t first[32];

	begin();
	memcpy(first, ticket, 32);
	refresh_begin(&m, &moved, 600);
	put_credentials(&m);
	m.bare = true;
	check_eq(message_send(&m), 0, "a move");
	check_eq(send_raw(&moved, m.buf, m.w.size), 0, "its retransmission is a success again, not a bad request");
	check_eq(bench_counters(&b).mobility_moves, 1, "and no second move");
	check(send_indication(&c, PEER, "x") == false && bench_counters(&b).no_permission == 1,
	      "the old 5-tuple still names the allocation: it is not sure that the client has the answer");
	client_init(&third, &b, "198.51.100.100:6000");
	client_challenge(&third);
	check_eq(refresh_ticket(&third, 600), 0, "8016 3.2: so the ticket before the latest is good once more");
	check_eq(refresh(&third, 600), 0, "the client is heard there");
	memcpy(ticket, first, 32);
	check_eq(refresh_ticket(&c, 600), 400, "8016 3.2: then an old ticket is a bad request");
	check_eq(refresh(&moved, 600), 437, "and the 5-tuple between is over");
	ticket_learn(&third);
	check_eq(refresh_ticket(&third, 600), 0, "a ticket on the allocation's own 5-tuple is a plain Refresh");
	end("retransmission");
}

static void test_refused(void)
{
	struct client other;

	begin();
	client_init(&other, &b, "198.51.100.50:1");
	client_challenge(&other);
	other.user = "bob";
	other.password = "builder";
	check_eq(refresh_ticket(&other, 600), 441, "8016 3.2: another user cannot use the ticket");
	check_eq(bench_counters(&b).mobility_moves, 0, "nothing moved");
	other = moved;
	other.worker = 1;
	check_eq(refresh_ticket(&other, 600), -2, "a ticket that reaches another worker is handed to its own");
	ticket[3] ^= 1;
	check_eq(refresh_ticket(&moved, 600), 400, "8016 3.2: a forged ticket is a bad request");
	ticket[3] ^= 1;
	ticket_size = 31;
	check_eq(refresh_ticket(&moved, 600), 400, "8016 3.2: and a cut one");
	ticket_size = 0;
	check_eq(refresh_ticket(&moved, 600), 400, "8016 3.2: and an empty one");
	ticket_size = 32;
	refresh(&c, 0);
	check_eq(refresh_ticket(&moved, 600), 437, "8016 3.2: the ticket of an allocation that ended is 437");
	end("refused");
}

static void test_bounds(void)
{
	begin();
	check_eq(refresh_ticket(&moved, 600), 0, "a move whose client is not heard");
	bench_advance(&b, 30 * BENCH_S);
	check_eq(refresh(&c, 600), 437, "the old 5-tuple ends by itself");
	check_eq(refresh(&moved, 600), 0, "the allocation does not");
	check_eq(refresh_ticket(&moved, 0), 0, "lifetime 0");
	check_eq(refresh(&moved, 600), 437, "ends it");
	end("bounds");

	begin();
	check_eq(refresh_ticket(&moved, 0), 0, "8016 3.2: lifetime 0 from the new 5-tuple deletes");
	check_eq(refresh(&c, 600), 437, "what was at the old one");
	end("delete by ticket");

	begin();
	refresh_ticket(&moved, 600);
	bench_advance(&b, 600 * BENCH_S);
	check(b.closed == 1 && bench_counters(&b).allocations == 0, "an allocation that moved ends at its time");
	end("no orphan");
}

static void test_quota(void)
{
	struct client more;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.mobility = true;
	b.conf.user_quota = 1;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	client_init(&moved, &b, "198.51.100.99:5000");
	client_challenge(&moved);
	allocate_mobile(&c, 0);
	for (int i = 0; i < 5; i++) {
		struct client *to = i % 2 ? &c : &moved;

		check_eq(refresh_ticket(to, 600), 0, "move %d", i + 1);
		ticket_learn(to);
	}
	client_init(&more, &b, "198.51.100.3:5000");
	check_eq(allocate(&more), 486, "moves neither free nor charge the quota");
	refresh(&moved, 0);
	bench_tick(&b);
	check_eq(allocate(&more), 0, "the end does");
	end("quota");
}

static void test_stream(void)
{
	int conn = 0;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.mobility = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	c.path.tuple.transport = TP_TCP;
	c.path.conn = &conn;
	client_init(&moved, &b, "198.51.100.99:5000");
	client_challenge(&moved);
	allocate_mobile(&c, 0);
	addr = relayed(&c, 0);
	bind_channel(&c, 0x4000, PEER);
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "a stream client's flows are not the data path's");
	tp_turn_conn_closed(b.turn[0], &c.path, &b.now);
	check_eq(bench_counters(&b).allocations, 1, "8016: a lost connection's allocation waits for its ticket");
	check_eq(b.gone, 0, "the connection is known to be gone");
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 0, "nothing can be sent to its client meanwhile");
	check_eq(refresh_ticket(&moved, 600), 0, "8016 3.2: it is taken up over another transport");
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 'C', "and goes on");
	check_eq(tp_dp_mock_count(b.dp, 0), 3, "now in the data path too");
	ticket_learn(&moved);
	check_eq(refresh_ticket(&c, 600), 0, "and back to a stream");
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "which is userspace's");
	ticket_learn(&c);
	send_indication(&c, PEER, "x");
	check_eq(refresh_ticket(&moved, 600), 0, "and away again");
	send_indication(&moved, PEER, "x");
	check_eq(b.gone, 1, "the stream that it left may be closed");
	end("stream");
}

int main(void)
{
	test_ticket();
	test_move();
	test_retransmission();
	test_refused();
	test_bounds();
	test_quota();
	test_stream();
	return done();
}
