/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What RFC 8489 asks of every STUN server, seen from outside through the engine:
 * sections 6.3, 9.2.4 (what the answers carry), 11, 12 and 14.
 */
#include "lib/stun_vectors.h"
#include "lib/tap.h"
#include "stun/digest.h"
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
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind", what);
}

static bool mapped_is(const struct tp_addr *expected)
{
	struct tp_stun_attr attr;
	struct tp_addr mapped;

	return tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr) &&
	       !tp_stun_get_xor_addr(&c.reply, &attr, &mapped) && tp_addr_equal(&mapped, expected);
}

static void test_binding(void)
{
	struct message m;

	begin();
	request(&m, &c, TP_STUN_BINDING);
	check_eq(message_send(&m), 0, "RFC 8489 12: Binding is answered without credentials and without FINGERPRINT");
	check(c.reply.method == TP_STUN_BINDING && c.reply.class == TP_STUN_SUCCESS &&
	      memcmp(&c.reply.id, &c.last_id, sizeof(c.last_id)) == 0,
	      "RFC 8489 5, 6.3.1.1: the response has the method and the transaction ID of its request");
	check(mapped_is(&c.path.tuple.client), "RFC 8489 6.3.1.1: XOR-MAPPED-ADDRESS is the source of the request");
	check(tp_addr_equal(&b.client.to, &c.path.tuple.client) && tp_addr_equal(&b.client.from, &c.path.tuple.server),
	      "RFC 8489 6.3.1.2: the response goes back from where the request came to");
	check_eq(b.client.size, 32, "ruling 3: it has no more than XOR-MAPPED-ADDRESS");
	check_eq(send_raw(&c, m.buf, m.w.size), 0, "RFC 8489 6.3.1: a retransmission is answered too");
	check(mapped_is(&c.path.tuple.client) && b.client.size == 32, "RFC 8489 6.3.1: and the same");

	client_init(&c, &b, "[2001:db8::7]:40000");
	request(&m, &c, TP_STUN_BINDING);
	check(!message_send(&m) && mapped_is(&c.path.tuple.client) && b.client.size == 44,
	      "RFC 8489 6.3.1.1: over IPv6");
	c.path.tuple.transport = TP_TCP;
	request(&m, &c, TP_STUN_BINDING);
	check_eq(message_send(&m), 0, "RFC 8489 12: and over TCP");
	end("Binding");
}

static void test_unknown_attributes(void)
{
	static const uint8_t expected[] = { 0x77, 0x77, 0x00, 0x30 };
	struct tp_stun_attr attr = { 0 };
	struct message m;

	begin();
	request(&m, &c, TP_STUN_BINDING);
	tp_stun_put(&m.w, 0x7777, "", 0);
	tp_stun_put(&m.w, 0x0030, "x", 1);
	tp_stun_put(&m.w, 0x7777, "", 0);
	check(message_send(&m) == 420 && tp_stun_find(&c.reply, TP_STUN_ATTR_UNKNOWN_ATTRIBUTES, &attr) &&
	      attr.size == 4 && memcmp(tp_stun_value(&c.reply, &attr), expected, 4) == 0,
	      "RFC 8489 6.3.1, 14.8, 14.13: 420 lists the attributes that are not understood");
	request(&m, &c, TP_STUN_BINDING);
	tp_stun_put(&m.w, 0x8777, "x", 1);
	check_eq(message_send(&m), 0,
		 "RFC 8489 6.3: Binding with an unknown comprehension-optional attribute is answered");
	request(&m, &c, TP_STUN_BINDING);
	tp_stun_put(&m.w, TP_STUN_ATTR_REALM, "x", 1);
	tp_stun_put(&m.w, TP_STUN_ATTR_ERROR_CODE, "", 0);
	check_eq(message_send(&m), 0, "RFC 8489 6.3: known but unexpected attributes are ignored");
	allocate_begin(&m, &c);
	put_peer(&m, "203.0.113.5:9");
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	check_eq(message_send(&m), 0, "RFC 8489 6.3: in an Allocate too");
	allocate_begin(&m, &c);
	tp_stun_put(&m.w, 0x7777, "", 0);
	check(message_send(&m) == 420 && tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)),
	      "RFC 8489 6.3.1.1: a 420 to an authenticated request is protected");
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	tp_stun_put(&m.w, 0x7777, "", 0);
	check_eq(message_send(&m), 401, "RFC 8489 6.3: unknown attributes are looked for after authentication");
	end("unknown attributes");
}

static void test_discarded(void)
{
	static const uint16_t methods[] = { 0, 2, 5, TP_STUN_SEND, TP_STUN_DATA, 0xd, 0x7ff, 0xfff };
	struct message m;
	unsigned int answered = 0;

	begin();
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		message_begin(&m, &c, methods[i], TP_STUN_REQUEST);
		m.bare = true;
		answered += message_send(&m) != -1;
	}
	check_eq(answered, 0, "RFC 8489 6.3: requests of unsupported methods are silently discarded");
	for (uint16_t method = 0; method < 16; method++)
		for (uint8_t class = TP_STUN_SUCCESS; class <= TP_STUN_ERROR; class++) {
			message_begin(&m, &c, method, class);
			answered += message_send(&m) != -1;
		}
	check_eq(answered, 0, "RFC 8489 6.3: responses to nothing that was asked are silently discarded");
	for (uint16_t method = 0; method < 16; method++) {
		message_begin(&m, &c, method, TP_STUN_INDICATION);
		if (method % 2)
			tp_stun_put(&m.w, 0x7777, "", 0);
		answered += message_send(&m) != -1;
	}
	check_eq(answered, 0, "RFC 8489 6.3.2: no response is generated for an indication");
	request(&m, &c, TP_STUN_BINDING);
	tp_stun_put_fingerprint(&m.w);
	m.buf[m.w.size - 1] ^= 1;
	check_eq(message_send(&m), -1, "RFC 8489 6.3: a wrong FINGERPRINT is silently discarded");
	request(&m, &c, TP_STUN_BINDING);
	m.buf[4] ^= 1;
	check_eq(message_send(&m), -1, "RFC 8489 6.3: without the cookie a request is silently discarded");
	end("discarded");
}

static void test_indication(void)
{
	struct message m;

	begin();
	check(!allocate(&c) && !permit(&c, "203.0.113.5:9") && send_indication(&c, "203.0.113.5:9", "x"),
	      "a Send indication is relayed");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, "203.0.113.5:9");
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	tp_stun_put(&m.w, 0x7777, "", 0);
	b.peer.count = 0;
	message_send(&m);
	check_eq(b.peer.count, 0,
		 "RFC 8489 6.3.2: an indication with an unknown comprehension-required attribute is discarded");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, "203.0.113.5:9");
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	tp_stun_put(&m.w, 0x8777, "", 0);
	message_send(&m);
	check_eq(b.peer.count, 1, "RFC 8489 6.3: one with an unknown comprehension-optional attribute is not");
	end("indications");
}

static void test_fingerprint(void)
{
	struct message m;

	begin();
	request(&m, &c, TP_STUN_BINDING);
	tp_stun_put_fingerprint(&m.w);
	check(!message_send(&m) && c.reply.fingerprint, "RFC 8489 7: who uses FINGERPRINT is answered with it");
	end("FINGERPRINT");
}

/* RFC 8489 section 9.2.4: what a response with credentials trouble carries and what not. */
static bool names_nobody(void)
{
	return !reply_has(&c, TP_STUN_ATTR_USERNAME) && !reply_has(&c, TP_STUN_ATTR_USERHASH) && !c.reply.integrity &&
	       !c.reply.integrity_sha256;
}

static bool challenges(void)
{
	return reply_has(&c, TP_STUN_ATTR_REALM) && reply_has(&c, TP_STUN_ATTR_NONCE) &&
	       reply_has(&c, TP_STUN_ATTR_PASSWORD_ALGORITHMS);
}

static void test_challenges(void)
{
	struct message m;

	begin();
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	check(message_send(&m) == 401 && challenges(),
	      "RFC 8489 9.2.4: the 401 to a request without integrity has REALM, NONCE and PASSWORD-ALGORITHMS");
	check(names_nobody(), "RFC 8489 9.2.4: and neither USERNAME, USERHASH nor integrity");
	client_challenge(&c);
	c.user = "mallory";
	check(allocate(&c) == 401 && challenges(),
	      "RFC 8489 9.2.4: the 401 to a wrong USERNAME has REALM, NONCE and PASSWORD-ALGORITHMS");
	check(names_nobody(), "RFC 8489 9.2.4: and neither USERNAME nor USERHASH");
	c.user = "alice";
	c.password = "wrong";
	check(allocate(&c) == 401 && challenges(), "RFC 8489 9.2.4: the 401 to wrong integrity has REALM and NONCE");
	check(names_nobody(), "RFC 8489 9.2.4: and neither USERNAME, USERHASH nor integrity, of wrong integrity");
	c.password = "wonder";
	bench_advance(&b, 601 * BENCH_S);
	check(allocate(&c) == 438 && challenges(),
	      "RFC 8489 9.2.4: the 438 to an old NONCE has NONCE, REALM and PASSWORD-ALGORITHMS");
	check(names_nobody(), "RFC 8489 9.2.4: and neither USERNAME nor USERHASH, of an old NONCE");
	c.nonce_size = 0;
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	tp_stun_put(&m.w, TP_STUN_ATTR_USERNAME, "alice", 5);
	tp_stun_put_integrity(&m.w, "key", 3);
	check(message_send(&m) == 400 && names_nobody() && !reply_has(&c, TP_STUN_ATTR_NONCE) &&
	      !reply_has(&c, TP_STUN_ATTR_REALM),
	      "RFC 8489 9.2.4: the 400 to credentials in part has neither USERNAME, USERHASH, NONCE, REALM nor integrity");
	end("challenges");
}

static void test_response_integrity(void)
{
	static const char text[] = "alice:example.org:wonder";
	const struct tp_bytes part = { text, sizeof(text) - 1 };
	uint8_t key[32], list[8] = { 0, 2, 0, 0, 0, 1, 0, 0 };
	struct message m;

	begin();
	check(!allocate(&c) && c.reply.integrity && !c.reply.integrity_sha256 &&
	      tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)),
	      "RFC 8489 9.2.4: a request taken as MD5 is answered with MESSAGE-INTEGRITY alone");
	check(!reply_has(&c, TP_STUN_ATTR_REALM) && !reply_has(&c, TP_STUN_ATTR_NONCE) &&
	      !reply_has(&c, TP_STUN_ATTR_USERNAME) && !reply_has(&c, TP_STUN_ATTR_USERHASH),
	      "RFC 8489 9.2.4: and with neither REALM, NONCE, USERNAME nor USERHASH");
	request(&m, &c, TP_STUN_REFRESH);
	m.bare = true;
	tp_stun_put(&m.w, TP_STUN_ATTR_USERNAME, "alice", 5);
	tp_stun_put(&m.w, TP_STUN_ATTR_REALM, "example.org", 11);
	tp_stun_put(&m.w, TP_STUN_ATTR_NONCE, c.nonce, c.nonce_size);
	tp_stun_put(&m.w, TP_STUN_ATTR_PASSWORD_ALGORITHMS, list, sizeof(list));
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_PASSWORD_ALGORITHM, TP_STUN_ALGORITHM_SHA256 << 16);
	tp_digest(TP_DIGEST_SHA256, &part, 1, key);
	tp_stun_put_integrity_sha256(&m.w, key, sizeof(key));
	check(!message_send(&m) && c.reply.integrity_sha256 && !c.reply.integrity &&
	      tp_stun_check_integrity_sha256(&c.reply, key, sizeof(key)),
	      "RFC 8489 9.2.4: a negotiated algorithm is answered with MESSAGE-INTEGRITY-SHA256 alone");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	check(message_send(&m) == 400 && tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)),
	      "RFC 8489 6.3.1.1: an error to an authenticated request is protected");
	end("integrity of responses");
}

/* Section 6.3: attributes after the integrity do not exist, whatever they are. */
static void test_appended(void)
{
	struct message m;

	begin();
	check(!allocate(&c), "an allocation");
	request(&m, &c, TP_STUN_REFRESH);
	put_credentials(&m);
	m.bare = true;
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, 0);
	tp_stun_put(&m.w, 0x7777, "", 0);
	check(message_send(&m) == 0 && lifetime(&c) == 600,
	      "RFC 8489 9: what was appended after MESSAGE-INTEGRITY changes nothing");
	end("appended");
}

static void test_classic(void)
{
	static const uint8_t request_bytes[20] = { 0, 1, 0, 0, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4 };
	uint8_t indication[20] = { 0, 0x11, 0, 0, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4 };

	begin();
	c.path.tuple.transport = TP_DTLS;
	check(send_raw(&c, request_bytes, sizeof(request_bytes)) == 500 && c.reply.classic &&
	      memcmp(c.reply.id.bytes, request_bytes + 4, 16) == 0,
	      "RFC 8489 11: a request without the cookie over DTLS is answered with 500");
	check_eq(send_raw(&c, indication, sizeof(indication)), -1,
		 "RFC 8489 11: an indication without the cookie over DTLS is ignored");
	end("classic over DTLS");

	bench_init(&b);
	b.conf.rfc3489 = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check(send_raw(&c, request_bytes, sizeof(request_bytes)) == 0 && c.reply.classic &&
	      reply_has(&c, TP_STUN_ATTR_MAPPED_ADDRESS) && !reply_has(&c, TP_STUN_ATTR_XOR_MAPPED_ADDRESS) &&
	      memcmp(c.reply.id.bytes, request_bytes + 4, 16) == 0,
	      "RFC 8489 12, RFC 3489: with rfc3489 a classic Binding request is answered with MAPPED-ADDRESS");
	c.path.tuple.transport = TP_DTLS;
	check_eq(send_raw(&c, request_bytes, sizeof(request_bytes)), 500, "RFC 8489 11: but not over DTLS");
	end("classic");
}

/* Section 10: what Allocate is answered with; Binding is not (section 12). */
static void test_alternate(void)
{
	struct tp_alternate alternate[] = {
		{ .addr = addr_of("[2001:db8::77]:3478"), .kind = TP_ALT_PLAIN },
		{ .addr = addr_of("192.0.2.77:3478"), .kind = TP_ALT_PLAIN },
		{ .addr = addr_of("[2001:db8::78]:5349"), .kind = TP_ALT_TLS },
	};
	struct tp_addr expected[2], got[3];
	struct tp_stun_attr attr;
	struct message m;
	size_t pos = 0, len = 0;

	bench_init(&b);
	b.conf.alternate = alternate;
	b.conf.alternate_len = 3;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	request(&m, &c, TP_STUN_BINDING);
	check_eq(message_send(&m), 0, "RFC 8489 12: Binding is not redirected");
	expected[0] = alternate[1].addr;
	expected[1] = alternate[0].addr;
	check_eq(allocate(&c), 300, "RFC 8489 10: Allocate is");
	while (tp_stun_next(&c.reply, &pos, &attr) && len < 3)
		if (attr.type == TP_STUN_ATTR_ALTERNATE_SERVER) {
			static const struct tp_stun_id no_mask;
			struct tp_stun_msg plain = c.reply;

			plain.id = no_mask;
			if (tp_stun_get_xor_addr(&plain, &attr, &got[len++]))
				abort();
		}
	check(len == 2 && memcmp(got, expected, sizeof(expected)) == 0,
	      "RFC 8489 10: an ALTERNATE-SERVER of the other family follows");
	end("alternate");
}

static void test_alternate_load(void)
{
	struct tp_alternate alternate = { .addr = addr_of("192.0.2.77:3478"), .kind = TP_ALT_PLAIN };

	bench_init(&b);
	b.conf.alternate = &alternate;
	b.conf.alternate_len = 1;
	b.conf.alternate_load = 1;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate(&c), 0, "RFC 8489 10: below alternate-load Allocate is served here");
	client_init(&c, &b, "198.51.100.7:40001");
	check_eq(allocate(&c), 300, "RFC 8489 10: from alternate-load on it is redirected");
	b.conf.alternate_load = 9;
	client_init(&c, &b, "198.51.100.7:40002");
	tp_turn_set_drain(b.turn[0], true);
	check_eq(allocate(&c), 300, "RFC 8489 10: and while the node drains");
	end("alternate-load");
}

static void test_secure_stun(void)
{
	struct message m;

	bench_init(&b);
	b.conf.secure_stun = true;
	b.conf.rfc5780 = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	request(&m, &c, TP_STUN_BINDING);
	check(message_send(&m) == 401 && challenges(), "RFC 5780 5.2: with secure-stun Binding wants credentials");
	client_challenge(&c);
	request(&m, &c, TP_STUN_BINDING);
	m.bare = false;
	check(!message_send(&m) && tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)) &&
	      reply_has(&c, TP_STUN_ATTR_RESPONSE_ORIGIN),
	      "RFC 5780 6.1: with secure-stun a Binding response is protected");
	end("secure-stun");
}

static void test_repeated(void)
{
	struct message m;
	unsigned int opened;
	struct tp_addr first;

	begin();
	allocate_begin(&m, &c);
	check_eq(message_send(&m), 0, "an Allocate");
	first = relayed(&c, 0);
	opened = b.opened;
	check(send_raw(&c, m.buf, m.w.size) == 0 && b.opened == opened,
	      "RFC 8489 6.3.1: an Allocate that comes again makes no second allocation");
	first.port ^= relayed(&c, 0).port;
	check_eq(first.port, 0, "RFC 8489 6.3.1: and is answered with the same relayed address");
	end("repeated");
}

/* coturn's check-origin-consistency. NULL: no ORIGIN. */
static int refresh_from(const char *first, const char *second)
{
	struct message m;

	request(&m, &c, TP_STUN_REFRESH);
	if (first)
		tp_stun_put(&m.w, TP_STUN_ATTR_ORIGIN, first, strlen(first));
	if (second)
		tp_stun_put(&m.w, TP_STUN_ATTR_ORIGIN, second, strlen(second));
	return message_send(&m);
}

static void test_origin(bool checked)
{
	struct message m;

	bench_init(&b);
	b.conf.check_origin = checked;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate_begin(&m, &c);
	tp_stun_put(&m.w, TP_STUN_ATTR_ORIGIN, "https://a.example", 17);
	check_eq(message_send(&m), 0, "an allocation with an ORIGIN");
	check_eq(refresh_from("HTTPS://a.example", NULL), 0, "ORIGIN: the same");
	check_eq(refresh_from("https://b.example", "https://a.example"), 0, "ORIGIN: the same, of several");
	check_eq(refresh_from("https://b.example", NULL), checked ? 441 : 0, "ORIGIN: another, %s",
		 checked ? "checked" : "not checked");
	check_eq(refresh_from(NULL, NULL), checked ? 441 : 0, "ORIGIN: none any more, %s",
		 checked ? "checked" : "not checked");
	client_init(&c, &b, "198.51.100.7:40001");
	check_eq(allocate(&c), 0, "an allocation without an ORIGIN");
	check_eq(refresh_from("", NULL), 0, "ORIGIN: an empty one is none");
	check_eq(refresh_from("https://a.example", NULL), checked ? 441 : 0, "ORIGIN: all of a sudden, %s",
		 checked ? "checked" : "not checked");
	end("origin");
}

static void test_software(void)
{
	struct tp_stun_attr attr = { 0 };
	struct tp_conf quiet;

	begin();
	check(!allocate(&c) && tp_stun_find(&c.reply, TP_STUN_ATTR_SOFTWARE, &attr),
	      "RFC 8489 6.3.1.1, 14.14: SOFTWARE in an Allocate response");
	check(attr.size > 0 && attr.size < 128, "RFC 8489 14.14: SOFTWARE is short");
	quiet = b.conf;
	quiet.software_attribute = false;
	bench_reload(&b, &quiet);
	check(!refresh(&c, 600) && !reply_has(&c, TP_STUN_ATTR_SOFTWARE),
	      "RFC 8489 16.1.2: SOFTWARE can be switched off");
	end("SOFTWARE");
}

int main(void)
{
	test_binding();
	test_unknown_attributes();
	test_discarded();
	test_indication();
	test_fingerprint();
	test_challenges();
	test_response_integrity();
	test_appended();
	test_classic();
	test_alternate();
	test_alternate_load();
	test_secure_stun();
	test_repeated();
	test_origin(true);
	test_origin(false);
	test_software();
	return done();
}
