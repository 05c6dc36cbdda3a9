/* SPDX-License-Identifier: GPL-2.0 */
/* Refresh: RFC 8656 section 8.2, and section 8.1 for dual allocations. */
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
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_lifetimes(void)
{
	begin();
	allocate(&c);
	check(refresh(&c, -1) == 0 && lifetime(&c) == 600, "8656 8.2: without LIFETIME the default");
	check(refresh(&c, 1800) == 0 && lifetime(&c) == 1800, "8656 8.2: a longer one is granted");
	check(refresh(&c, 1000000) == 0 && lifetime(&c) == 3600, "8656 8.2: up to the maximum");
	check(refresh(&c, 1) == 0 && lifetime(&c) == 600, "8656 8.2: a shorter one becomes the default");
	check(reply_has(&c, TP_STUN_ATTR_SOFTWARE), "8656 5: a Refresh response has SOFTWARE");
	bench_advance(&b, 599 * BENCH_S);
	check_eq(refresh(&c, 600), 0, "8656 8.2: a Refresh before the end keeps the allocation");
	bench_advance(&b, 599 * BENCH_S);
	check_eq(b.closed, 0, "its time-to-expiry is set anew");
	bench_advance(&b, BENCH_S);
	check_eq(b.closed, 1, "8656 6: it ends when that has passed");
	check_eq(refresh(&c, 600), 437, "8656 5: then a Refresh is a mismatch");
	end("lifetimes");
}

static void test_delete(void)
{
	struct message m;

	begin();
	allocate(&c);
	check(refresh(&c, 0) == 0 && lifetime(&c) == 0, "8656 8.2: lifetime 0 succeeds with LIFETIME 0");
	check(tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)), "and a protected response");
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "8656 8.2: the allocation is deleted");
	check_eq(refresh(&c, 0), 437, "8656 8.2: again, it is a mismatch, which clients take as success");
	check_eq(allocate(&c), 0, "the 5-tuple is free for a new allocation");
	request(&m, &c, TP_STUN_REFRESH);
	tp_stun_put(&m.w, TP_STUN_ATTR_LIFETIME, "\0\0\0\0\0", 5);
	check_eq(message_send(&m), 400, "a LIFETIME of the wrong length is a bad request, and deletes nothing");
	check_eq(refresh(&c, 600), 0, "the allocation is still there");
	end("delete");
}

static void test_family(void)
{
	struct message m;

	begin();
	allocate(&c);
	check_eq(refresh_family(&c, 600, 4), 0, "8656 8.2: the allocation's own family");
	check_eq(refresh_family(&c, 600, 6), 443, "8656 8.2: another family is a mismatch of families");
	request(&m, &c, TP_STUN_REFRESH);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 9);
	check_eq(message_send(&m), 443, "8656 8.2: and so is one that does not exist");
	end("family");
}

static void test_dual(void)
{
	struct tp_addr v6;

	begin();
	allocate_dual(&c);
	v6 = relayed(&c, 1);
	bind_channel(&c, 0x4000, "203.0.113.5:7000");
	bind_channel(&c, 0x4001, "[2001:db8:9::5]:7000");
	check_eq(refresh_family(&c, 0, 4), 0, "8656 8.1: one address of a dual allocation is deleted");
	bench_tick(&b);
	check_eq(b.closed, 1, "its port is free");
	check(!send_channel(&c, 0x4000, "x"), "8656 8.1: its channels are gone");
	check(!send_indication(&c, "203.0.113.5:7000", "x"), "8656 8.1: its permissions are gone");
	check(send_channel(&c, 0x4001, "x"), "8656 8.1: the other family's are not");
	check_eq(peer_sends(&b, &v6, "[2001:db8:9::5]:7000", "x", 1, NULL), 'C', "and work both ways");
	check_eq(refresh_family(&c, 600, 4), 443, "8656 8.2: the deleted family is a mismatch from now on");
	check_eq(permit(&c, "203.0.113.5"), 443, "8656 10.2: for permissions too");
	check_eq(refresh_family(&c, 0, 6), 0, "the last address");
	check_eq(refresh(&c, 600), 437, "takes the allocation with it");
	end("dual");

	begin();
	allocate_dual(&c);
	refresh_family(&c, 1800, 6);
	bench_advance(&b, 600 * BENCH_S);
	check_eq(b.closed, 1, "8656 8.1: each address has its own lifetime");
	check(refresh(&c, 600) == 0 && refresh_family(&c, 600, 4) == 443, "8656 8.1: the other one lives on");
	end("dual lifetimes");

	begin();
	allocate_dual(&c);
	check_eq(refresh(&c, 0), 0, "8656 8.1: without a family it is about both");
	bench_tick(&b);
	check_eq(b.closed, 2, "and both are gone");
	end("dual delete");
}

int main(void)
{
	test_lifetimes();
	test_delete();
	test_family();
	test_dual();
	return done();
}
