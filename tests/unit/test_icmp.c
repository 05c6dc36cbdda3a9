/* SPDX-License-Identifier: GPL-2.0 */
/* What raw ICMP sockets receive: the relayed datagram that an error is about (RFC 8656 section 11.5). */
#include <stdlib.h>
#include <string.h>

#include "lib/tap.h"
#include "net/icmp.h"

/* IPv4 header; ICMP port unreachable; the quoted IPv4 header and 8 bytes of UDP. */
static const uint8_t unreachable4[] = {
	0x45, 0x00, 0x00, 0x38, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1,
	3, 3, 0, 0, 0, 0, 0x05, 0xdc,
	0x45, 0x00, 0x00, 0x24, 0, 2, 0x40, 0, 63, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9,
	0xc0, 0x00, 0x0d, 0x98, 0, 16, 0, 0,
};

/* ICMPv6 packet too big; the quoted IPv6 header and 8 bytes of UDP. */
static const uint8_t too_big6[] = {
	2, 0, 0, 0, 0, 0, 0x05, 0x00,
	0x60, 0, 0, 0, 0x05, 0xc8, 17, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xc0, 0x01, 0x0d, 0x99, 0x05, 0xc8, 0, 0,
};

static void is_addr(const struct tp_addr *addr, const char *expected, const char *name)
{
	char buf[TP_ADDR_STRLEN];

	if (!check(strcmp(tp_addr_format(addr, buf), expected) == 0, "%s", name))
		printf("# is %s, expected %s\n", buf, expected);
}

static void test_good(void)
{
	struct tp_icmp_error e;

	check(tp_icmp_parse(4, unreachable4, sizeof(unreachable4), &e), "an IPv4 error with 8 quoted bytes (RFC 792)");
	check(e.type == 3 && e.code == 3, "its type and code");
	check_eq(e.data, 0x05dc, "its second word");
	is_addr(&e.source, "192.0.2.1:49152", "the quoted source: the relayed address");
	is_addr(&e.destination, "192.0.2.9:3480", "the quoted destination: the peer");
	check(tp_icmp_parse(6, too_big6, sizeof(too_big6), &e), "an IPv6 error (RFC 4443 section 3.2)");
	check_eq(e.data, 1280, "its MTU");
	is_addr(&e.source, "[2001:db8::1]:49153", "the relayed address");
	is_addr(&e.destination, "[2001:db8::9]:3481", "the peer");
}

/* Copies to the end of a heap block, so that ASan sees any byte read beyond. */
static bool parse(uint8_t family, const uint8_t *data, size_t size, struct tp_icmp_error *ret)
{
	uint8_t *copy = malloc(size ? size : 1);
	bool res;

	memcpy(copy, data, size);
	res = tp_icmp_parse(family, copy, size, ret);
	free(copy);
	return res;
}

static void test_short(void)
{
	struct tp_icmp_error e;
	unsigned int accepted = 0;

	/* The ports are the last thing that is needed. */
	for (size_t size = 0; size < 20 + 8 + 20 + 4; size++)
		accepted += parse(4, unreachable4, size, &e);
	check_eq(accepted, 0, "every shorter IPv4 error is refused");
	check(parse(4, unreachable4, 20 + 8 + 20 + 4, &e), "the ports alone are enough");
	for (size_t size = 0; size < 8 + 40 + 4; size++)
		accepted += parse(6, too_big6, size, &e);
	check_eq(accepted, 0, "every shorter IPv6 error is refused");
}

static void test_odd(void)
{
	static const struct {
		const char *name;
		uint8_t family, value;
		size_t at;
	} cases[] = {
		{ "an echo request", 4, 8, 20 }, { "an echo reply", 4, 0, 20 }, { "a redirect (not an error here)", 4, 5, 20 },
		{ "a source quench (RFC 6633)", 4, 4, 20 }, { "an outer header that is too short", 4, 0x44, 0 },
		{ "an outer header longer than the packet", 4, 0x4f, 0 }, { "a quoted header of another version", 4, 0x65, 28 },
		{ "a quoted header that is too short", 4, 0x44, 28 }, { "a quoted TCP segment", 4, 6, 37 },
		{ "a later fragment, which has no ports", 4, 0x01, 35 }, { "an ICMPv6 echo", 6, 128, 0 },
		{ "an ICMPv6 type 0", 6, 0, 0 }, { "a quoted IPv4 header in ICMPv6", 6, 0x45, 8 },
		{ "a quoted extension header", 6, 0, 14 },
	};
	uint8_t copy[128];
	struct tp_icmp_error e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *from = cases[i].family == 4 ? unreachable4 : too_big6;
		size_t size = cases[i].family == 4 ? sizeof(unreachable4) : sizeof(too_big6);

		memcpy(copy, from, size);
		copy[cases[i].at] = cases[i].value;
		check(!parse(cases[i].family, copy, size, &e), "%s is ignored", cases[i].name);
	}
}

static void test_fragment6(void)
{
	uint8_t packet[sizeof(too_big6) + 8];
	struct tp_icmp_error e;

	memcpy(packet, too_big6, 48);
	packet[14] = 44;
	memcpy(packet + 48, (const uint8_t[]){ 17, 0, 0, 1, 0, 0, 0, 7 }, 8);
	memcpy(packet + 56, too_big6 + 48, 8);
	check(parse(6, packet, sizeof(packet), &e), "a first IPv6 fragment is looked into (RFC 8200 section 4.5)");
	is_addr(&e.destination, "[2001:db8::9]:3481", "and has the peer");
	packet[51] = 0x09;
	check(!parse(6, packet, sizeof(packet), &e), "a later one has no ports");
}

int main(void)
{
	test_good();
	test_short();
	test_odd();
	test_fragment6();
	return done();
}
