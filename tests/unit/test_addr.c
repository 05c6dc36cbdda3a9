/* SPDX-License-Identifier: GPL-2.0 */
/* Transport addresses: one canonical form, whatever they came as. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/tap.h"
#include "net/addr.h"

static void test_parse(void)
{
	static const struct {
		const char *in, *out;	/* out NULL: refused */
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1:0" },
		{ "192.0.2.1:3478", "192.0.2.1:3478" },
		{ "2001:db8::1", "[2001:db8::1]:0" },
		{ "[2001:db8::1]", "[2001:db8::1]:0" },
		{ "[2001:db8::1]:3478", "[2001:db8::1]:3478" },
		{ "::", "[::]:0" },
		{ "0.0.0.0", "0.0.0.0:0" },
		{ "::ffff:192.0.2.1", "192.0.2.1:0" },
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
		  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
		{ "", NULL }, { ":", NULL }, { "[", NULL }, { "[]", NULL }, { "[]:1", NULL },
		{ "192.0.2.1:", NULL }, { "192.0.2.1:65536", NULL }, { "192.0.2.1:-1", NULL }, { "192.0.2.1: 1", NULL },
		{ "192.0.2.256", NULL }, { "192.0.2", NULL }, { "[192.0.2.1]:80", NULL }, { "[2001:db8::1", NULL },
		{ "[2001:db8::1]x", NULL }, { "2001:db8::1::", NULL }, { "fe80::1%eth0", NULL }, { "host", NULL },
		{ "[2001:db8::1]:000080", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tp_addr addr, untouched;
		char buf[TP_ADDR_STRLEN];
		int err;

		memset(&addr, 0x5a, sizeof(addr));
		untouched = addr;
		err = tp_addr_parse(cases[i].in, &addr);
		if (!cases[i].out)
			check(err == -EINVAL && tp_addr_equal(&addr, &untouched), "\"%s\" is refused, output untouched",
			      cases[i].in);
		else
			check(err == 0 && strcmp(tp_addr_format(&addr, buf), cases[i].out) == 0, "\"%s\" is %s",
			      cases[i].in, cases[i].out);
	}
}

static void test_canonical(void)
{
	struct tp_addr a, b, c;
	char buf[TP_ADDR_STRLEN];

	memset(&a, 0xff, sizeof(a));
	tp_addr_parse("192.0.2.1:5", &a);
	tp_addr_parse("[::ffff:192.0.2.1]:5", &b);
	check(tp_addr_equal(&a, &b), "a v4-mapped address equals the IPv4 one (RFC 4291 section 2.5.5.2)");
	check(tp_addr_hash(&a, 7) == tp_addr_hash(&b, 7), "and hashes alike");
	check(tp_addr_hash(&a, 7) != tp_addr_hash(&a, 8), "another seed, another hash");
	tp_addr_parse("192.0.2.1:6", &c);
	check(!tp_addr_equal(&a, &c) && tp_addr_same_ip(&a, &c), "ports differ, the address is the same");
	check(tp_addr_hash(&a, 7) != tp_addr_hash(&c, 7), "the port is part of the hash");
	tp_addr_parse("::c000:201", &c);
	check(!tp_addr_same_ip(&a, &c), "a v4-compatible address stays IPv6");
	check_eq(c.family, 6, "of family 6");
	check(strcmp(tp_addr_format_ip(&a, buf), "192.0.2.1") == 0, "format without port");
	memset(&c, 0, sizeof(c));
	check(!tp_addr_is_any(&c), "an unset address is not the wildcard");
	check(strcmp(tp_addr_format(&c, buf), "none") == 0, "and prints as none");
	tp_addr_parse("::", &c);
	check(tp_addr_is_any(&c), ":: is the wildcard");
	tp_addr_parse("0.0.0.0:9", &c);
	check(tp_addr_is_any(&c), "0.0.0.0 is the wildcard, whatever the port");
}

static void test_sockaddr(void)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(3478), .sin6_flowinfo = 77 };
	struct tp_addr addr, back;
	struct sockaddr un = { .sa_family = AF_UNIX };

	inet_pton(AF_INET6, "::ffff:192.0.2.9", &in6.sin6_addr);
	check_eq(tp_addr_from_sockaddr((struct sockaddr *)&in6, &addr), 0, "from a v4-mapped socket address");
	check_eq(addr.family, 4, "comes IPv4");
	check_eq(tp_addr_to_sockaddr(&addr, &ss), sizeof(struct sockaddr_in), "and goes as sockaddr_in");
	check_eq(tp_addr_from_sockaddr((struct sockaddr *)&ss, &back), 0, "there");
	check(tp_addr_equal(&addr, &back), "and back");
	tp_addr_parse("[2001:db8::5]:99", &addr);
	check_eq(tp_addr_to_sockaddr(&addr, &ss), sizeof(struct sockaddr_in6), "IPv6 goes as sockaddr_in6");
	tp_addr_from_sockaddr((struct sockaddr *)&ss, &back);
	check(tp_addr_equal(&addr, &back), "there and back");
	check_eq(tp_addr_from_sockaddr(&un, &addr), -EAFNOSUPPORT, "a UNIX address is refused");
	memset(&addr, 0, sizeof(addr));
	check_eq(tp_addr_to_sockaddr(&addr, &ss), 0, "an unset address has no socket address");
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_tuples(void)
{
	struct tp_tuple a, b;
	static uint64_t hashes[65536];
	size_t same = 0;

	memset(&a, 0, sizeof(a));
	tp_addr_parse("192.0.2.1:1000", &a.client);
	tp_addr_parse("192.0.2.2:3478", &a.server);
	b = a;
	check(tp_tuple_equal(&a, &b), "equal tuples");
	b.transport = TP_TCP;
	check(!tp_tuple_equal(&a, &b), "the transport is part of a 5-tuple (RFC 8656 section 2)");
	check(tp_tuple_hash(&a, 1) != tp_tuple_hash(&b, 1), "and of its hash");
	b = a;
	b.client = a.server;
	b.server = a.client;
	check(tp_tuple_hash(&a, 1) != tp_tuple_hash(&b, 1), "the direction matters");
	for (unsigned int port = 0; port < 65536; port++) {
		a.client.port = (uint16_t)port;
		hashes[port] = tp_tuple_hash(&a, 42) & 0xfffffff;
	}
	qsort(hashes, 65536, sizeof(hashes[0]), compare_u64);
	for (unsigned int i = 1; i < 65536; i++)
		same += hashes[i] == hashes[i - 1];
	/* 65,536 values in 2^28: 8 equal pairs are expected by chance. */
	check(same < 40, "65,536 client ports spread over 28 bits (%zu equal)", same);
	check(strcmp(tp_transport_name(TP_DTLS), "dtls") == 0 && strcmp(tp_transport_name(9), "unknown") == 0,
	      "transport names");
}

int main(void)
{
	test_parse();
	test_canonical();
	test_sockaddr();
	test_tuples();
	return done();
}
