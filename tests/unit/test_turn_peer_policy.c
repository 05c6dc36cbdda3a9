/* SPDX-License-Identifier: GPL-2.0 */
/* Which peers are allowed: RFC 8656 sections 10.2, 12.2, 21.1.7; CVE-2020-26262, CVE-2026-27624 and their like. */
#include "lib/tap.h"
#include "turn/engine.h"
#include "unit/turn_bench.h"

static struct bench b;

static bool allowed(const char *peer)
{
	struct tp_addr addr = addr_of(peer);

	return tp_peer_allowed(&b.conf, "example.org", &addr);
}

struct row {
	const char *peer;
	bool allowed;
	const char *why;
};

static void test_defaults(void)
{
	static const struct row rows[] = {
		{ "203.0.113.1", true, "a public address" },
		{ "10.1.2.3", true, "a private address: users' peers live there" },
		{ "192.168.1.1", true, "a private address" },
		{ "172.16.0.1", true, "a private address" },
		{ "fd00::1", true, "a unique local address" },
		{ "2001:db8:9::1", true, "a public IPv6 address" },
		{ "127.0.0.1", false, "loopback" },
		{ "127.255.255.255", false, "the end of loopback" },
		{ "128.0.0.1", true, "past the end of loopback" },
		{ "0.0.0.0", false, "unspecified" },
		{ "0.1.2.3", false, "this network" },
		{ "1.0.0.1", true, "past the end of this network" },
		{ "169.254.169.254", false, "cloud metadata" },
		{ "169.254.0.0", false, "the start of link-local" },
		{ "169.255.0.1", true, "past the end of link-local" },
		{ "224.0.0.1", false, "multicast" },
		{ "223.255.255.255", true, "before multicast" },
		{ "240.0.0.1", false, "reserved" },
		{ "255.255.255.255", false, "broadcast" },
		{ "::", false, "unspecified" },
		{ "::1", false, "loopback" },
		{ "::2", false, "IPv4-compatible of this network" },
		{ "::127.0.0.1", false, "IPv4-compatible loopback" },
		{ "::10.0.0.1", true, "IPv4-compatible of an allowed address" },
		{ "::ffff:127.0.0.1", false, "IPv4-mapped loopback" },
		{ "::ffff:203.0.113.1", true, "IPv4-mapped of an allowed address" },
		{ "2002:7f00:1::1", false, "6to4 of loopback" },
		{ "2002:a9fe:a9fe::1", false, "6to4 of cloud metadata" },
		{ "2002:cb00:7101::1", false, "6to4" },
		{ "64:ff9b::127.0.0.1", false, "NAT64 of loopback" },
		{ "64:ff9b::203.0.113.1", true, "NAT64 of an allowed address" },
		{ "64:ff9b:1::169.254.169.254", false, "local NAT64 of cloud metadata" },
		{ "2001:0:cb00:7101::34ff:8efe", false, "Teredo" },
		{ "2001:1::1", true, "past the end of Teredo" },
		{ "2001:db8:9::5efe:7f00:1", false, "ISATAP of loopback" },
		{ "fe80::1", false, "link-local" },
		{ "febf::1", false, "the end of link-local" },
		{ "fec0::1", true, "past the end of link-local" },
		{ "ff02::1", false, "multicast" },
	};

	bench_init(&b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_eq(allowed(rows[i].peer), rows[i].allowed, "8656 10.2: by default %s (%s) is %s", rows[i].peer,
			 rows[i].why, rows[i].allowed ? "allowed" : "forbidden");
}

static struct tp_range range_of(const char *first, const char *last, const char *realm)
{
	return (struct tp_range){ .first = addr_of(first), .last = addr_of(last), .realm = realm };
}

static void test_lists(void)
{
	struct tp_range denied[] = {
		range_of("10.0.0.0", "10.255.255.255", NULL),
		range_of("192.168.5.5", "192.168.5.9", NULL),
		range_of("2001:db8:5::", "2001:db8:5:ffff:ffff:ffff:ffff:ffff", NULL),
		range_of("198.51.100.0", "198.51.100.255", "other.org"),
		range_of("198.18.0.0", "198.19.255.255", "example.org"),
	};
	struct tp_range ok[] = { range_of("10.0.0.7", "10.0.0.7", NULL), range_of("127.0.0.2", "127.0.0.2", NULL),
				 range_of("64:ff9b::10.0.0.9", "64:ff9b::10.0.0.9", NULL) };

	bench_init(&b);
	b.conf.denied = denied;
	b.conf.denied_len = 5;
	b.conf.allowed = ok;
	b.conf.allowed_len = 3;
	check(!allowed("10.0.0.1") && !allowed("10.255.255.255"), "denied-peer-ip: a range with both of its ends");
	check(allowed("11.0.0.0") && allowed("9.255.255.255"), "denied-peer-ip: and not more");
	check(!allowed("192.168.5.5") && !allowed("192.168.5.9") && allowed("192.168.5.4") && allowed("192.168.5.10"),
	      "denied-peer-ip: ranges that are no prefix");
	check(!allowed("2001:db8:5:1::1") && allowed("2001:db8:6::1"), "denied-peer-ip: IPv6");
	check(!allowed("64:ff9b::10.0.0.1") && !allowed("2002:a00:1::"), "denied-peer-ip: in every form of an address");
	check(allowed("10.0.0.7"), "allowed-peer-ip wins over denied-peer-ip");
	check(allowed("127.0.0.2") && !allowed("127.0.0.3"), "allowed-peer-ip wins over the defaults");
	check(allowed("64:ff9b::10.0.0.7"), "allowed-peer-ip: for what an address leads to");
	check(allowed("64:ff9b::10.0.0.9"), "allowed-peer-ip: for the address itself");
	check(allowed("198.51.100.1"), "denied-peer-ip of another realm does not count");
	check(!allowed("198.18.0.1"), "of this realm it does");
	b.conf.allow_loopback_peers = true;
	check(allowed("127.0.0.1") && allowed("::1"), "allow-loopback-peers");
	check(!allowed("169.254.1.1"), "allows nothing else");
}

static void test_own(void)
{
	bench_init(&b);
	check(!allowed("192.0.2.1"), "a listening address that is no relay address is no peer");
	check(!allowed("[2001:db8::1]:9999"), "on no port");
	check(allowed("192.0.2.10"), "a relay address may be: both clients may be here");
	check(allowed("192.0.2.10:50001"), "at a relayed port");
	check(!allowed("192.0.2.10:3478") && !allowed("192.0.2.10:5349"), "8656 21.1.7: at a listening port never");
	b.conf.tcp_proxy = addr_of("192.0.2.10:5350");
	check(!allowed("192.0.2.10:5350"), "nor at tcp-proxy-port, which may trust a relay address (RFC 6062 Connect)");
	b.conf.tcp_proxy = addr_of("203.0.113.77:5350");
	check(!allowed("203.0.113.77:5350"), "nor where that has an address of its own");
	check(allowed("203.0.113.77:5351"), "which is no peer at that port only");
	memset(&b.conf.tcp_proxy, 0, sizeof(b.conf.tcp_proxy));
	b.conf.relay = &(struct tp_relay_ip){ .addr = addr_of("192.0.2.1") };
	b.conf.relay_len = 1;
	check(allowed("192.0.2.1:50000") && !allowed("192.0.2.1:3478"), "also where both are one address");
	b.conf.relay_len = 0;
	check(allowed("192.0.2.1:50000") && !allowed("192.0.2.1:3478"), "and where relay-ip is not given");
}

static void test_tunnels(void)
{
	struct client c;

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "[2001:db8:1::7]:40000");
	allocate_family(&c, 6);
	check_eq(bind_channel(&c, 0x4000, "[2002:cb00:7101::1]:1"), 403, "8656 21.4: a ChannelBind to 6to4 is forbidden");
	check_eq(bind_channel(&c, 0x4000, "[2001::1]:1"), 403, "8656 21.4: to Teredo too");
	client_init(&c, &b, "[2002:cb00:7101::1]:40000");
	check_eq(allocate(&c), 403, "8656 21.4: an Allocate from 6to4 is forbidden");
	client_init(&c, &b, "[2001:0:cb00:7101::1]:40000");
	check_eq(allocate(&c), 403, "8656 21.4: from Teredo too");
	check_eq(bench_stop(&b), 0, "nothing is left behind");
}

/* A reload that forbids a peer. */
static void test_reload(void)
{
	struct tp_range denied[] = { range_of("203.0.113.0", "203.0.113.255", NULL) };
	struct client c;
	struct tp_conf conf;

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate(&c);
	bind_channel(&c, 0x4000, "203.0.113.5:7000");
	bind_channel(&c, 0x4001, "203.0.114.5:7000");
	conf = b.conf;
	conf.denied = denied;
	conf.denied_len = 1;
	bench_reload(&b, &conf);
	check(!send_channel(&c, 0x4000, "x") && !send_indication(&c, "203.0.113.5:1", "x"),
	      "a reload takes permissions and channels of peers that are forbidden now");
	check(send_channel(&c, 0x4001, "x"), "and no others");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 1, "in the data path too");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.5:7000"), 403, "new ones are refused");
	check_eq(bench_stop(&b), 0, "nothing is left behind");
}

int main(void)
{
	test_defaults();
	test_lists();
	test_own();
	test_tunnels();
	test_reload();
	return done();
}
