/* SPDX-License-Identifier: GPL-2.0 */
/* CreatePermission: RFC 8656 sections 9 and 10.2. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;

static void begin(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate(&c);
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_several(void)
{
	struct message m;

	begin();
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	check_eq(message_send(&m), 400, "8656 10.2: without XOR-PEER-ADDRESS it is a bad request");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.1");
	put_peer(&m, "203.0.113.2:99");
	put_peer(&m, "203.0.113.1:1234");
	check_eq(message_send(&m), 0, "8656 10.2: several addresses in one request");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_PERMISSION), 2, "8656 9: ports do not count, an address counts once");
	check(send_indication(&c, "203.0.113.2:5", "x"), "8656 9: each of them is permitted");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.3");
	tp_stun_put(&m.w, TP_STUN_ATTR_XOR_PEER_ADDRESS, "\0\1\2", 3);
	check_eq(message_send(&m), 400, "8656 10.2: one that is malformed makes the request bad");
	check(!send_indication(&c, "203.0.113.3:5", "x"), "8656 10.2: and then none is installed");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.3");
	put_peer(&m, "[2001:db8:9::1]:1");
	check_eq(message_send(&m), 443, "8656 10.2: an address of a family without relayed address");
	check(!send_indication(&c, "203.0.113.3:5", "x"), "all or nothing there too");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.3");
	put_peer(&m, "127.0.0.1");
	check_eq(message_send(&m), 403, "8656 10.2: an address that policy forbids is 403");
	check(!send_indication(&c, "203.0.113.3:5", "x"), "and there");
	check_eq(bench_counters(&b).forbidden_peer, 1, "it is counted");
	end("several");
}

static void test_capacity(void)
{
	char text[32];
	struct message m;
	int code = 0;

	begin();
	for (int i = 0; i < 16 && !code; i++) {
		snprintf(text, sizeof(text), "203.0.113.%d", i + 1);
		code = permit(&c, text);
	}
	check_eq(code, 0, "as many permissions as max-permissions");
	check_eq(permit(&c, "203.0.113.100"), 508, "8656 10.2: one more is insufficient capacity");
	check_eq(bench_counters(&b).capacity_reached, 1, "and counted");
	check_eq(permit(&c, "203.0.113.1"), 0, "one that is there is refreshed all the same");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.1");
	put_peer(&m, "203.0.113.200");
	check_eq(message_send(&m), 508, "an old and a new one together: 508");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.100:1"), 508, "8656 12.2: a ChannelBind needs a permission too");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 0, "and then binds nothing");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	for (int i = 0; i < 65; i++)
		put_peer(&m, "203.0.113.1");
	check_eq(message_send(&m), 508, "more addresses in a request than it may have");
	bench_advance(&b, 300 * BENCH_S);
	check_eq(permit(&c, "203.0.113.100"), 0, "8656 9: expired permissions make room");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_PERMISSION), 1, "and left the data path");
	end("capacity");
}

static void test_refresh(void)
{
	struct tp_addr peer = addr_of("203.0.113.5"), addr = relayed(&c, 0);
	const struct tp_flow_life *l;

	begin();
	addr = relayed(&c, 0);
	permit(&c, "203.0.113.5");
	bench_advance(&b, 200 * BENCH_S);
	check_eq(permit(&c, "203.0.113.5"), 0, "8656 9: a permission is refreshed by CreatePermission");
	bench_advance(&b, 299 * BENCH_S);
	check(send_indication(&c, "203.0.113.5:5", "x"), "8656 9: it lives 300 s from then on");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.5:5"), 0, "8656 9: and by ChannelBind");
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_PERMISSION, &peer, 0));
	check(l && l->down_ns == b.now.mono_ns + 101 * BENCH_S, "its end is never past the allocation's");
	refresh(&c, 3600);
	for (int i = 0; i < 10; i++) {
		send_indication(&c, "203.0.113.5:5", "x");
		send_channel(&c, 0x4000, "x");
		peer_sends(&b, &addr, "203.0.113.5:5", "x", 1, NULL);
	}
	bench_advance(&b, 300 * BENCH_S);
	check(!send_indication(&c, "203.0.113.5:5", "x"), "8656 11.2: data does not refresh a permission");
	end("refresh");
}

/* Two clients with the same peer. */
static void test_apart(void)
{
	struct client other;
	struct tp_addr first, second;

	begin();
	first = relayed(&c, 0);
	client_init(&other, &b, "198.51.100.8:40000");
	allocate(&other);
	second = relayed(&other, 0);
	permit(&c, "203.0.113.5");
	check_eq(peer_sends(&b, &second, "203.0.113.5:5", "x", 1, NULL), 0,
		 "8656 9: permissions of one allocation say nothing about another");
	check_eq(peer_sends(&b, &first, "203.0.113.5:5", "x", 1, NULL), 'D', "only about their own");
	check(tp_addr_equal(&b.client.to, &c.path.tuple.client), "whose client gets the data");
	end("apart");
}

int main(void)
{
	test_several();
	test_capacity();
	test_refresh();
	test_apart();
	return done();
}
