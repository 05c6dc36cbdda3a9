/* SPDX-License-Identifier: GPL-2.0 */
/* The PROXY protocol, versions 1 and 2: HAProxy's proxy-protocol.txt, sections 2.1 and 2.2. */
#include <errno.h>
#include <stdlib.h>

#include "lib/tap.h"
#include "net/proxy.h"

/* In a buffer of exactly that size, so that ASan sees a read past it. */
static int decode(const void *data, size_t size, struct tp_proxy *ret)
{
	void *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, data, size);
	r = tp_proxy_decode(copy, size, ret);
	free(copy);
	return r;
}

static bool is(const struct tp_addr *a, const char *text)
{
	char buf[TP_ADDR_STRLEN];

	return !strcmp(tp_addr_format(a, buf), text);
}

static void check_v1(const char *line, int expected, const char *name)
{
	struct tp_proxy p;

	check_eq(decode(line, strlen(line), &p), expected, "v1: %s", name);
}

static void test_v1(void)
{
	const char *tcp4 = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
	const char *tcp6 = "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n";
	struct tp_proxy p;
	bool partial = true;
	char longest[200] = "PROXY UNKNOWN ";

	check_eq(decode(tcp4, strlen(tcp4), &p), (int)strlen(tcp4), "v1: TCP4");
	check(!p.local && is(&p.source, "192.0.2.1:56324") && is(&p.destination, "198.51.100.2:443"),
	      "v1: TCP4 addresses");
	for (size_t n = 0; n < strlen(tcp4); n++)
		partial &= decode(tcp4, n, &p) == 0;
	check(partial, "v1: each prefix asks for more");
	check_eq(decode(tcp6, strlen(tcp6), &p), (int)strlen(tcp6), "v1: TCP6");
	check(is(&p.source, "[2001:db8::1]:1") && is(&p.destination, "[2001:db8::2]:65535"), "v1: TCP6 addresses");
	check(decode("PROXY UNKNOWN\r\n", 15, &p) == 15 && p.local && !p.source.family,
	      "v1: UNKNOWN is the connection's own");
	check_v1("PROXY UNKNOWN ffff:: :: 1 2\r\n", 29, "what follows UNKNOWN is ignored");
	check_v1("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", -EBADMSG, "no CR");
	check_v1("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", -EBADMSG, "two spaces");
	check_v1("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", -EBADMSG, "a field is missing");
	check_v1("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", -EBADMSG, "a field too many");
	check_v1("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", -EBADMSG, "another family");
	check_v1("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", -EBADMSG, "port above 65535");
	check_v1("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", -EBADMSG, "port with a leading zero");
	check_v1("PROXY TCP4 192.0.2.1 192.0.2.2 99999999999 2\r\n", -EBADMSG, "port that overflows");
	check_v1("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", -EBADMSG, "unknown family");
	check_v1("PROXY \r\n", -EBADMSG, "nothing");
	check_v1("PROXY UNKNOWNX\r\n", -EBADMSG, "UNKNOWN and more");
	check_v1("GET / HTTP/1.1\r\n", -EBADMSG, "not a header");
	check_v1("PROXX", -EBADMSG, "not a header from the fifth byte on");
	check_eq(decode("PROXY TCP4\0 1.1.1.1 1.1.1.1 1 1\r\n", 34, &p), -EBADMSG, "v1: a zero byte");
	memset(longest + 14, 'x', 150);
	check_eq(decode(longest, 106, &p), 0, "v1: 106 bytes may still end");
	check_eq(decode(longest, 107, &p), -EBADMSG, "v1: 107 bytes without an end");
}

static size_t v2(uint8_t *buf, uint8_t command, uint8_t family, uint16_t length)
{
	static const uint8_t signature[12] = { 13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10 };

	memset(buf, 0, TP_PROXY_MAX + 64);
	memcpy(buf, signature, 12);
	buf[12] = command;
	buf[13] = family;
	buf[14] = (uint8_t)(length >> 8);
	buf[15] = (uint8_t)length;
	return 16u + length;
}

static void test_v2(void)
{
	static uint8_t buf[TP_PROXY_MAX + 64];
	static const uint8_t addresses4[12] = { 192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb };
	struct tp_proxy p;
	size_t size = v2(buf, 0x21, 0x11, 12);
	bool partial = true;

	memcpy(buf + 16, addresses4, 12);
	check_eq(decode(buf, size, &p), (int)size, "v2: TCP over IPv4");
	check(!p.local && is(&p.source, "192.0.2.1:56324") && is(&p.destination, "198.51.100.2:443"),
	      "v2: its addresses");
	for (size_t n = 0; n < size; n++)
		partial &= decode(buf, n, &p) == 0;
	check(partial, "v2: each prefix asks for more");
	buf[15] = 12 + 200;
	check_eq(decode(buf, size + 200, &p), (int)size + 200, "v2: TLVs are skipped");

	size = v2(buf, 0x21, 0x21, 36);
	buf[16] = 0x20, buf[17] = 0x01, buf[18] = 0x0d, buf[19] = 0xb8, buf[31] = 1;
	buf[32] = 0x20, buf[33] = 0x01, buf[34] = 0x0d, buf[35] = 0xb8, buf[47] = 2;
	buf[49] = 7, buf[51] = 8;
	check(decode(buf, size, &p) == (int)size && is(&p.source, "[2001:db8::1]:7") && is(&p.destination,
	      "[2001:db8::2]:8"),
	      "v2: TCP over IPv6");
	size = v2(buf, 0x20, 0x00, 0);
	check(decode(buf, size, &p) == 16 && p.local, "v2: LOCAL is the connection's own (health checks)");
	size = v2(buf, 0x20, 0x11, 12);
	check(decode(buf, size, &p) == 28 && p.local && !p.source.family, "v2: LOCAL ignores the addresses");
	size = v2(buf, 0x21, 0x00, 3);
	check(decode(buf, size, &p) == 19 && p.local, "v2: UNSPEC is the connection's own");
}

static void test_v2_bad(void)
{
	static uint8_t buf[TP_PROXY_MAX + 64];
	struct tp_proxy p;
	size_t size;

	size = v2(buf, 0x11, 0x11, 12);
	check_eq(decode(buf, size, &p), -EBADMSG, "v2: version 1 in a version 2 header");
	check_eq(decode(buf, 13, &p), -EBADMSG, "v2: and at once");
	size = v2(buf, 0x22, 0x11, 12);
	check_eq(decode(buf, size, &p), -EBADMSG, "v2: unknown command");
	size = v2(buf, 0x21, 0x11, 11);
	check_eq(decode(buf, size, &p), -EBADMSG, "v2: too short for IPv4");
	size = v2(buf, 0x21, 0x21, 35);
	check_eq(decode(buf, size, &p), -EBADMSG, "v2: too short for IPv6");
	size = v2(buf, 0x21, 0x12, 12);
	check_eq(decode(buf, size, &p), -EBADMSG, "v2: datagrams over a stream");
	v2(buf, 0x21, 0x11, 0xffff);
	check_eq(decode(buf, 16, &p), -EBADMSG, "v2: a length above the bound is refused before anything is buffered");
	size = v2(buf, 0x21, 0x11, TP_PROXY_MAX - 16);
	check_eq(decode(buf, size, &p), TP_PROXY_MAX, "v2: a length at the bound");
}

int main(void)
{
	test_v1();
	test_v2();
	test_v2_bad();
	return done();
}
