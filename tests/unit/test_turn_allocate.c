/* SPDX-License-Identifier: GPL-2.0 */
/* Allocate: RFC 8656 section 7.2, each of its points and error codes. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;

static void begin(void)
{
	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_first(void)
{
	struct tp_addr addr, mapped;
	struct tp_stun_attr attr;
	struct message m;

	begin();
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	check_eq(message_send(&m), 401, "8656 7.2 point 1: a request without credentials is answered with 401");
	check(!reply_has(&c, TP_STUN_ATTR_SOFTWARE), "ruling 3: a 401 carries no SOFTWARE");
	check_eq(b.opened, 0, "no state before authentication");
	check_eq(allocate(&c), 0, "8656 7.2: an authenticated request makes an allocation");
	addr = relayed(&c, 0);
	check(addr.family == 4 && tp_addr_same_ip(&addr, &b.relays[0].addr),
	      "8656 7.2: without REQUESTED-ADDRESS-FAMILY the relayed address is IPv4");
	check(addr.port >= 50000 && addr.port <= 50099, "8656 7.2: its port is in the configured range");
	check(!tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr) ? false :
	      !tp_stun_get_xor_addr(&c.reply, &attr, &mapped) && tp_addr_equal(&mapped, &c.path.tuple.client),
	      "8656 7.2: the response has XOR-MAPPED-ADDRESS");
	check_eq(lifetime(&c), 600, "8656 7.2: LIFETIME is the default where the client names none");
	check(reply_has(&c, TP_STUN_ATTR_SOFTWARE), "8656 5: an Allocate response has SOFTWARE");
	check(tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)), "8489 9.2.4: the response is protected");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_SEND), 1, "the data path is told the allocation's send flow");
	end("first allocation");
}

int main(void)
{
	test_first();
	return done();
}
