/* SPDX-License-Identifier: GPL-2.0 */
/* Relayed addresses and ports: RFC 8656 section 7.2, RFC 6056; relay-ip, prefixes, external-ip. */
#include "lib/tap.h"
#include "turn/engine.h"
#include "unit/turn_bench.h"

static struct bench b;

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

/* `n` allocations of different clients; their relayed addresses. */
static void allocate_many(struct tp_addr *ret, unsigned int n, uint8_t family)
{
	static unsigned int clients;
	struct client c;
	char text[32];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "198.51.100.7:%u", 10000 + clients++);
		client_init(&c, &b, text);
		client_challenge(&c);
		ret[i] = allocate_family(&c, family) ? (struct tp_addr){ 0 } : relayed(&c, 0);
	}
}

static void test_unpredictable(void)
{
	static struct tp_addr addrs[100];
	unsigned int in_order = 0, distinct = 0;
	bool seen[100] = { false };

	bench_init(&b);
	bench_start(&b);
	allocate_many(addrs, 100, 4);
	for (unsigned int i = 0; i < 100; i++) {
		in_order += i && addrs[i].port == addrs[i - 1].port + 1;
		if (addrs[i].family == 4 && addrs[i].port >= 50000 && addrs[i].port <= 50099)
			seen[addrs[i].port - 50000] = true;
	}
	for (unsigned int i = 0; i < 100; i++)
		distinct += seen[i];
	check_eq(distinct, 100, "8656 7.2: every port of the range can be had, each once");
	check(in_order < 30, "6056: the next port does not follow from the last one (%u of 99 do)", in_order);
	end("unpredictable ports");
}

static void test_spread(void)
{
	struct tp_addr addrs[64];
	unsigned int of[4] = { 0 };

	bench_init(&b);
	for (unsigned int i = 0; i < 4; i++) {
		b.relays[i] = (struct tp_relay_ip){ .addr = addr_of("192.0.2.10") };
		b.relays[i].addr.ip[3] = (uint8_t)(10 + i);
	}
	b.conf.relay_len = 4;
	bench_start(&b);
	allocate_many(addrs, 64, 4);
	for (unsigned int i = 0; i < 64; i++)
		of[(addrs[i].ip[3] - 10) & 3]++;
	check(of[0] && of[1] && of[2] && of[3], "several relay-ip: all of them are used (%u %u %u %u)", of[0], of[1],
	      of[2], of[3]);
	end("spread");

	bench_init(&b);
	b.relays[1] = (struct tp_relay_ip){ .addr = addr_of("192.0.2.11") };
	b.conf.max_port = 50001;
	bench_start(&b);
	allocate_many(addrs, 4, 4);
	check(addrs[0].family && addrs[1].family && addrs[2].family && addrs[3].family,
	      "several relay-ip: one that is full leaves the others");
	allocate_many(addrs, 1, 4);
	check(!addrs[0].family, "and when all are, there is no more");
	end("overflow");
}

static void test_prefix(void)
{
	struct tp_addr addrs[32];
	unsigned int same = 0, outside = 0;

	bench_init(&b);
	b.relays[1] = (struct tp_relay_ip){ .addr = addr_of("2001:db8:77:8000::"), .prefix_len = 49 };
	bench_start(&b);
	allocate_many(addrs, 32, 6);
	for (unsigned int i = 0; i < 32; i++) {
		outside += addrs[i].family != 6 || memcmp(addrs[i].ip, b.relays[1].addr.ip, 6) || !(addrs[i].ip[6] & 0x80);
		for (unsigned int k = 0; k < i; k++)
			same += tp_addr_same_ip(&addrs[i], &addrs[k]);
	}
	check_eq(outside, 0, "an IPv6 prefix as relay-ip: addresses of it, up to its last bit");
	check_eq(same, 0, "each allocation its own");
	end("prefix");
}

static void test_external(void)
{
	struct tp_external external[] = {
		{ .public = addr_of("203.0.113.200") },
		{ .public = addr_of("203.0.113.201"), .private = addr_of("192.0.2.11") },
		{ .public = addr_of("2001:db8:ee::1"), .private = addr_of("2001:db8::10") },
	};
	struct tp_addr shown, peer, bound;
	struct tp_stun_attr attr;
	struct client a, c;
	const struct tp_flow *f;
	char text[TP_ADDR_STRLEN];

	bench_init(&b);
	b.conf.external = external;
	b.conf.external_len = 3;
	bench_start(&b);
	client_init(&a, &b, "198.51.100.7:40000");
	client_init(&c, &b, "198.51.100.8:40000");
	allocate_dual(&a);
	shown = relayed(&a, 0);
	check(tp_addr_same_ip(&shown, &external[0].public), "external-ip: clients are told the public address");
	bound = relayed(&a, 1);
	check(tp_addr_same_ip(&bound, &external[2].public), "external-ip: of each family its own");
	allocate(&c);
	peer = relayed(&c, 0);
	tp_addr_format(&peer, text);
	check_eq(bind_channel(&a, 0x4000, text), 0, "a peer that is relayed here, by its public address");
	f = tp_dp_mock_flow(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, NULL, 0x4000));
	check(f && tp_addr_same_ip(&f->peer, &b.relays[0].addr) && f->peer.port == peer.port,
	      "external-ip: is sent to at its private one");
	check(send_channel(&a, 0x4000, "x") && tp_addr_same_ip(&b.peer.to, &b.relays[0].addr), "by userspace too");
	tp_addr_format(&shown, text);
	permit(&c, text);
	bound = b.relays[0].addr;
	bound.port = peer.port;
	tp_addr_format(&(struct tp_addr){ .family = 4, .port = shown.port, .ip = { 192, 0, 2, 10 } }, text);
	check_eq(peer_sends(&b, &bound, text, "x", 1, NULL), 'D', "and its data comes back");
	tp_stun_parse(b.client.data, b.client.size, &c.reply);
	tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr);
	check(!tp_stun_get_xor_addr(&c.reply, &attr, &peer) && tp_addr_equal(&peer, &shown),
	      "external-ip: from the public address that the client knows");
	permit(&c, "203.0.113.5");
	peer_sends(&b, &bound, "203.0.113.5:1", "x", 1, NULL);
	tp_stun_parse(b.client.data, b.client.size, &c.reply);
	tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr);
	bound = addr_of("203.0.113.5:1");
	check(!tp_stun_get_xor_addr(&c.reply, &attr, &peer) && tp_addr_equal(&peer, &bound),
	      "external-ip: peers elsewhere are shown as they are");
	end("external-ip");
}

static void test_exact_external(void)
{
	struct tp_external external[] = {
		{ .public = addr_of("203.0.113.201"), .private = addr_of("192.0.2.10") },
		{ .public = addr_of("203.0.113.200") },
	};
	struct tp_addr addr = addr_of("192.0.2.10:5"), other = addr_of("192.0.2.11:5");

	bench_init(&b);
	b.conf.external = external;
	b.conf.external_len = 2;
	tp_addr_to_public(&b.conf, &addr);
	tp_addr_to_public(&b.conf, &other);
	check(tp_addr_same_ip(&addr, &external[0].public), "external-ip=public/private is for that address");
	check(tp_addr_same_ip(&other, &external[1].public), "external-ip=public for all others");
	check(addr.port == 5, "ports are left alone");
}

int main(void)
{
	test_unpredictable();
	test_spread();
	test_prefix();
	test_external();
	test_exact_external();
	return done();
}
