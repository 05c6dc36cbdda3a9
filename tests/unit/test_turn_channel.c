/* SPDX-License-Identifier: GPL-2.0 */
/* ChannelBind: RFC 8656 section 12.2; numbers as ruling 1 has them. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;

static void begin(bool rfc5766)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.rfc5766_channels = rfc5766;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate(&c);
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_numbers(void)
{
	struct message m;

	begin(false);
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 0, "8656 12: 0x4000 is the first number");
	check_eq(bind_channel(&c, 0x4fff, "203.0.113.2:1"), 0, "8656 12: 0x4fff the last");
	check_eq(bind_channel(&c, 0x3fff, "203.0.113.3:1"), 400, "8656 12.2: below is a bad request");
	check_eq(bind_channel(&c, 0x5000, "203.0.113.3:1"), 400, "8656 12.2: and above");
	check_eq(bind_channel(&c, 0xffff, "203.0.113.3:1"), 400, "8656 12.2: far above");
	check(!send_channel(&c, 0x5000, "x") && bench_counters(&b).malformed > 0,
	      "8656 12.6: ChannelData of the reserved range is discarded");
	request(&m, &c, TP_STUN_CHANNEL_BIND);
	put_peer(&m, "203.0.113.3:1");
	check_eq(message_send(&m), 400, "8656 12.2: no CHANNEL-NUMBER is a bad request");
	request(&m, &c, TP_STUN_CHANNEL_BIND);
	put_channel(&m, 0x4001);
	check_eq(message_send(&m), 400, "8656 12.2: no XOR-PEER-ADDRESS is a bad request");
	request(&m, &c, TP_STUN_CHANNEL_BIND);
	tp_stun_put(&m.w, TP_STUN_ATTR_CHANNEL_NUMBER, "\x40\x01", 2);
	put_peer(&m, "203.0.113.3:1");
	check_eq(message_send(&m), 400, "8656 18.1: a CHANNEL-NUMBER of the wrong length is a bad request");
	request(&m, &c, TP_STUN_CHANNEL_BIND);
	tp_stun_put(&m.w, TP_STUN_ATTR_CHANNEL_NUMBER, "\x40\x01\xff\xff", 4);
	put_peer(&m, "203.0.113.3:1");
	check_eq(message_send(&m), 0, "8656 18.1: its reserved bits are ignored");
	check_eq(bind_channel(&c, 0x4002, "203.0.113.3:0"), 400, "a peer without a port cannot be sent to");
	end("numbers");

	begin(true);
	check_eq(bind_channel(&c, 0x5000, "203.0.113.1:1"), 0, "ruling 1: channel-numbers=rfc5766 admits 0x5000");
	check_eq(bind_channel(&c, 0x7fff, "203.0.113.2:1"), 0, "ruling 1: to 0x7fff");
	check(send_channel(&c, 0x7fff, "x"), "ruling 1: in ChannelData too");
	check_eq(bind_channel(&c, 0x8000, "203.0.113.3:1"), 400, "ruling 1: and no further");
	end("rfc5766 numbers");
}

static void test_rebinding(void)
{
	begin(false);
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 0, "a channel");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 0, "8656 12.1: bound again to its peer it is refreshed");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:2"), 400, "8656 12.2: the number is bound to another address");
	check_eq(bind_channel(&c, 0x4001, "203.0.113.1:1"), 400, "8656 12.2: the address is bound to another number");
	check_eq(bind_channel(&c, 0x4001, "203.0.113.1:2"), 0, "8656 12: another port is another transport address");
	check_eq(bench_counters(&b).bad_requests, 2, "bad requests are counted");
	refresh(&c, 3600);
	bench_advance(&b, 599 * BENCH_S);
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 0, "8656 12: a rebinding just before the end");
	bench_advance(&b, 599 * BENCH_S);
	check(send_channel(&c, 0x4000, "x"), "8656 12: gives 600 s more");
	check(!send_channel(&c, 0x4001, "x"), "8656 12: what was not refreshed is unbound");
	check_eq(bind_channel(&c, 0x4001, "203.0.113.9:9"), 0, "8656 12: then its number can be bound anew");
	check_eq(bind_channel(&c, 0x4002, "203.0.113.1:2"), 0, "8656 12: and its address too");
	for (int i = 0; i < 5; i++)
		send_channel(&c, 0x4000, "x");
	bench_advance(&b, BENCH_S);
	check(!send_channel(&c, 0x4000, "x"), "8656 12.6: ChannelData refreshes no binding");
	end("rebinding");
}

static void test_refused(void)
{
	char text[32];
	int code = 0;

	begin(false);
	check_eq(bind_channel(&c, 0x4000, "[2001:db8:9::1]:1"), 443, "8656 12.2: a peer of another family is 443");
	check_eq(bind_channel(&c, 0x4000, "127.0.0.1:1"), 403, "8656 12.2: a peer that policy forbids is 403");
	check_eq(bind_channel(&c, 0x4000, "192.0.2.1:3478"), 403, "8656 21.1.7: the server's own listener is no peer");
	for (int i = 0; i < 8 && !code; i++) {
		snprintf(text, sizeof(text), "203.0.113.1:%d", i + 1);
		code = bind_channel(&c, (uint16_t)(0x4000 + i), text);
	}
	check_eq(code, 0, "as many channels as max-channels");
	check_eq(bind_channel(&c, 0x4100, "203.0.113.1:99"), 508, "8656 12.2: one more is insufficient capacity");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 8, "all of them are in the data path");
	end("refused");
}

/* The data path's tables are full. */
static void test_not_accelerated(void)
{
	begin(false);
	tp_dp_mock_fail_add(b.dp, -ENOSPC, 2);
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 0, "a channel that the data path has no room for is bound");
	check_eq(bench_counters(&b).accelerated_full, 2, "and counted");
	check(send_channel(&c, 0x4000, "x"), "userspace relays it");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 0, "alone");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 0, "its next refresh");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 1, "tries the data path again");
	end("not accelerated");
}

int main(void)
{
	test_numbers();
	test_rebinding();
	test_refused();
	test_not_accelerated();
	return done();
}
