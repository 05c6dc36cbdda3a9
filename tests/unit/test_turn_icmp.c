/* SPDX-License-Identifier: GPL-2.0 */
/* ICMP errors to the client: RFC 8656 sections 11.5 and 18.13; ruling 5. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;
static struct tp_addr bound4, bound6;

static void begin(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate_dual(&c);
	bound4 = relayed(&c, 0);
	bound6 = relayed(&c, 1);
	permit(&c, "203.0.113.5");
	permit(&c, "2001:db8:9::5");
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static bool icmp(const struct tp_addr *relayed_addr, const char *peer, uint8_t type, uint8_t code, uint32_t data)
{
	struct tp_addr to = addr_of(peer);
	unsigned int before = b.client.count;

	tp_turn_icmp_input(b.turn[0], relayed_addr, &to, type, code, data, &b.now);
	return b.client.count != before && !tp_stun_parse(b.client.data, b.client.size, &c.reply);
}

static bool icmp_is(const char value[8])
{
	struct tp_stun_attr attr;

	return tp_stun_find(&c.reply, TP_STUN_ATTR_ICMP, &attr) && attr.size == 8 &&
	       !memcmp(tp_stun_value(&c.reply, &attr), value, 8);
}

static void test_forward(void)
{
	struct tp_addr peer, expected = addr_of("203.0.113.5:7000");
	struct tp_stun_attr attr;

	begin();
	check(icmp(&bound4, "203.0.113.5:7000", 3, 3, 0), "8656 11.5: port unreachable reaches the client");
	check(c.reply.class == TP_STUN_INDICATION && c.reply.method == TP_STUN_DATA, "8656 11.5: as a Data indication");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr) &&
	      !tp_stun_get_xor_addr(&c.reply, &attr, &peer) && tp_addr_equal(&peer, &expected),
	      "8656 11.5: XOR-PEER-ADDRESS is the quoted destination with its port");
	check(icmp_is("\0\0\x06\x03\0\0\0\0"), "8656 18.13: the type in 7 bits, the code in 9");
	check(!reply_has(&c, TP_STUN_ATTR_DATA), "8656 11.5: there is no DATA");
	check(icmp(&bound4, "203.0.113.5:7000", 3, 4, 1400) && icmp_is("\0\0\x06\x04\0\0\x05\x78"),
	      "8656 18.13: fragmentation needed tells the MTU");
	check(icmp(&bound4, "203.0.113.5:7000", 11, 0, 1234) && icmp_is("\0\0\x16\0\0\0\0\0"),
	      "8656 18.13: the error data of others is zero");
	check(icmp(&bound6, "[2001:db8:9::5]:7000", 2, 0, 1280) && icmp_is("\0\0\x04\0\0\0\x05\0"),
	      "8656 18.13: packet too big tells the MTU");
	check(icmp(&bound6, "[2001:db8:9::5]:7000", 1, 4, 0), "8656 11.5: ICMPv6 type 1");
	check(icmp(&bound6, "[2001:db8:9::5]:7000", 3, 0, 0), "8656 11.5: ICMPv6 type 3");
	bind_channel(&c, 0x4000, "203.0.113.5:7000");
	check(icmp(&bound4, "203.0.113.5:7000", 3, 1, 0), "8656 12.5: an indication also where a channel is bound");
	check_eq(bench_counters(&b).icmp_forwarded, 7, "they are counted");
	end("forward");
}

static void test_dropped(void)
{
	struct tp_addr unknown = bound4, peer = addr_of("203.0.113.5:7000");

	begin();
	unknown = bound4;
	unknown.port ^= 1;
	check(!icmp(&bound4, "203.0.113.5:7000", 8, 0, 0), "8656 11.5: an echo request is no error");
	check(!icmp(&bound4, "203.0.113.5:7000", 5, 0, 0), "8656 11.5: a redirect neither");
	check(!icmp(&bound6, "[2001:db8:9::5]:7000", 4, 0, 0), "8656 11.5: nor ICMPv6 type 4");
	check(!icmp(&unknown, "203.0.113.5:7000", 3, 3, 0), "8656 11.5: of no allocation");
	check(!icmp(&bound4, "203.0.113.6:7000", 3, 3, 0), "8656 11.5: the quoted destination needs a permission");
	check(!icmp(&bound4, "[2001:db8:9::77]:7000", 3, 3, 0), "8656 11.5: of any family");
	bench_advance(&b, 300 * BENCH_S);
	check(!icmp(&bound4, "203.0.113.5:7000", 3, 3, 0), "8656 11.5: a living one");
	check_eq(tp_turn_icmp_input(b.turn[1], &bound4, &peer, 3, 3, 0, &b.now), 0, "another worker names the owner");
	refresh(&c, 0);
	check(!icmp(&bound4, "203.0.113.5:7000", 3, 3, 0), "nothing about an allocation that ended");
	end("dropped");
}

static void test_rate(void)
{
	unsigned int sent = 0;

	begin();
	for (int i = 0; i < 1000; i++)
		sent += icmp(&bound4, "203.0.113.5:7000", 3, 3, 0);
	check_eq(sent, 20, "ruling 5: they are rate-limited");
	bench_advance(&b, BENCH_S);
	check(icmp(&bound4, "203.0.113.5:7000", 3, 3, 0), "and come again later");
	end("rate");
}

int main(void)
{
	test_forward();
	test_dropped();
	test_rate();
	return done();
}
