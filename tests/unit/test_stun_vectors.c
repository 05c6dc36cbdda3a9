/* SPDX-License-Identifier: GPL-2.0 */
/* The codec against the messages that RFC 5769 and RFC 8489 publish. */
#include <errno.h>

#include "lib/stun_vectors.h"
#include "lib/tap.h"
#include "stun/digest.h"
#include "stun/stun.h"

static size_t key_long(enum tp_digest_kind kind, uint8_t *ret)
{
	static const char text[] = VECTOR_USER_LONG ":" VECTOR_REALM ":TheMatrIX";
	const struct tp_bytes part = { text, sizeof(text) - 1 };

	tp_digest(kind, &part, 1, ret);
	return tp_digest_size(kind);
}

static void text_is(const struct tp_stun_msg *msg, uint16_t type, const char *expected, const char *name)
{
	struct tp_stun_attr attr = { 0 };

	check(tp_stun_find(msg, type, &attr) && attr.size == strlen(expected) &&
	      memcmp(tp_stun_value(msg, &attr), expected, attr.size) == 0, "%s", name);
}

static void test_request(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_attr attr;
	uint32_t priority = 0;
	char broken[VECTOR_SIZE(rfc5769_request)];

	check_eq(tp_stun_parse(rfc5769_request, VECTOR_SIZE(rfc5769_request), &msg), 0,
		 "RFC 5769 2.1: the request parses, its FINGERPRINT matches");
	check(msg.method == TP_STUN_BINDING && msg.class == TP_STUN_REQUEST && !msg.classic,
	      "RFC 5769 2.1: a Binding request");
	text_is(&msg, TP_STUN_ATTR_SOFTWARE, "STUN test client", "RFC 5769 2.1: SOFTWARE");
	text_is(&msg, TP_STUN_ATTR_USERNAME, "evtj:h6vY", "RFC 5769 2.1: USERNAME without its padding of spaces");
	check(!tp_stun_get_u32(&msg, TP_STUN_ATTR_PRIORITY, &priority) && priority == 0x6e0001ff,
	      "RFC 5769 2.1: PRIORITY");
	check(tp_stun_find(&msg, TP_STUN_ATTR_ICE_CONTROLLED, &attr) && attr.size == 8, "RFC 5769 2.1: ICE-CONTROLLED");
	check(tp_stun_check_integrity(&msg, VECTOR_PASSWORD, strlen(VECTOR_PASSWORD)),
	      "RFC 5769 2.1: MESSAGE-INTEGRITY with the short-term password");
	check(!tp_stun_check_integrity(&msg, VECTOR_PASSWORD, strlen(VECTOR_PASSWORD) - 1),
	      "RFC 5769 2.1: another password does not match");

	memcpy(broken, rfc5769_request, sizeof(broken));
	broken[30] ^= 1;
	check_eq(tp_stun_parse(broken, sizeof(broken), &msg), -EPROTO, "RFC 8489 14.7: a wrong FINGERPRINT is found");
}

static void test_responses(void)
{
	static const uint8_t ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x12, 0x34, 0x56, 0x78,
					 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77 };
	static const uint8_t ip4[4] = { 192, 0, 2, 1 };
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_attr attr = { 0 };
	struct tp_addr addr = { 0 };

	check_eq(tp_stun_parse(rfc5769_response_v4, VECTOR_SIZE(rfc5769_response_v4), &msg), 0,
		 "RFC 5769 2.2: the IPv4 response parses");
	check(msg.class == TP_STUN_SUCCESS && tp_stun_find(&msg, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr) &&
	      !tp_stun_get_xor_addr(&msg, &attr, &addr), "RFC 5769 2.2: a success with XOR-MAPPED-ADDRESS");
	check(addr.family == 4 && addr.port == 32853 && memcmp(addr.ip, ip4, 4) == 0,
	      "RFC 5769 2.2: 192.0.2.1:32853");
	check(tp_stun_check_integrity(&msg, VECTOR_PASSWORD, strlen(VECTOR_PASSWORD)),
	      "RFC 5769 2.2: MESSAGE-INTEGRITY");

	check_eq(tp_stun_parse(rfc5769_response_v6, VECTOR_SIZE(rfc5769_response_v6), &msg), 0,
		 "RFC 5769 2.3: the IPv6 response parses");
	check(tp_stun_find(&msg, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr) && !tp_stun_get_xor_addr(&msg, &attr, &addr) &&
	      addr.family == 6 && addr.port == 32853 && memcmp(addr.ip, ip6, 16) == 0,
	      "RFC 5769 2.3: [2001:db8:1234:5678:11:2233:4455:6677]:32853");
	check(tp_stun_check_integrity(&msg, VECTOR_PASSWORD, strlen(VECTOR_PASSWORD)),
	      "RFC 5769 2.3: MESSAGE-INTEGRITY");
}

static void test_long_term(void)
{
	struct tp_stun_msg msg = { 0 };
	uint8_t key[TP_DIGEST_MAX_SIZE];
	size_t size = key_long(TP_DIGEST_MD5, key);

	check_eq(tp_stun_parse(rfc5769_long_term, VECTOR_SIZE(rfc5769_long_term), &msg), 0,
		 "RFC 5769 2.4: the long-term request parses");
	text_is(&msg, TP_STUN_ATTR_USERNAME, VECTOR_USER_LONG, "RFC 5769 2.4: USERNAME of 18 bytes of UTF-8");
	text_is(&msg, TP_STUN_ATTR_NONCE, "f//499k954d6OL34oL9FSTvy64sA", "RFC 5769 2.4: NONCE");
	text_is(&msg, TP_STUN_ATTR_REALM, VECTOR_REALM, "RFC 5769 2.4: REALM");
	check(!msg.fingerprint, "RFC 5769 2.4: no FINGERPRINT");
	check(tp_stun_check_integrity(&msg, key, size), "RFC 5769 2.4: MESSAGE-INTEGRITY with the MD5 key");

	size = key_long(TP_DIGEST_SHA256, key);
	check_eq(tp_stun_parse(rfc8489_b1_printed, VECTOR_SIZE(rfc8489_b1_printed), &msg), -EBADMSG,
		 "RFC 8489 B.1: as printed, its length is wrong");
	check_eq(tp_stun_parse(rfc8489_b1, VECTOR_SIZE(rfc8489_b1), &msg), 0,
		 "RFC 8489 B.1, erratum 6268: the request parses");
	check(tp_stun_check_integrity_sha256(&msg, key, size),
	      "RFC 8489 B.1, erratum 6268: MESSAGE-INTEGRITY-SHA256 with the SHA-256 key");
	check(!tp_stun_check_integrity(&msg, key, size), "RFC 8489 B.1: there is no MESSAGE-INTEGRITY to match");
	key[0] ^= 1;
	check(!tp_stun_check_integrity_sha256(&msg, key, size), "RFC 8489 B.1: another key does not match");
}

/* The writer makes the same bytes, but for the paddings that RFC 5769 fills with spaces. */
static void test_build(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	struct tp_stun_attr attr;
	uint8_t buf[256], key[TP_DIGEST_MAX_SIZE];
	size_t pos = 0;

	tp_stun_parse(rfc8489_b1, VECTOR_SIZE(rfc8489_b1), &msg);
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &msg.id);
	while (tp_stun_next(&msg, &pos, &attr))
		tp_stun_put(&w, attr.type, tp_stun_value(&msg, &attr), attr.size);
	tp_stun_put_integrity_sha256(&w, key, key_long(TP_DIGEST_SHA256, key));
	check_eq(tp_stun_finish(&w), VECTOR_SIZE(rfc8489_b1), "RFC 8489 B.1: built, it has the same size");
	check_bytes(buf, rfc8489_b1, VECTOR_SIZE(rfc8489_b1), "RFC 8489 B.1: built, it has the same bytes");

	pos = 0;
	tp_stun_parse(rfc5769_long_term, VECTOR_SIZE(rfc5769_long_term), &msg);
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &msg.id);
	while (tp_stun_next(&msg, &pos, &attr))
		tp_stun_put(&w, attr.type, tp_stun_value(&msg, &attr), attr.size);
	tp_stun_put_integrity(&w, key, key_long(TP_DIGEST_MD5, key));
	check_eq(tp_stun_finish(&w), VECTOR_SIZE(rfc5769_long_term), "RFC 5769 2.4: built, it has the same size");
	check_bytes(buf, rfc5769_long_term, VECTOR_SIZE(rfc5769_long_term),
		    "RFC 5769 2.4: built, it has the same bytes");
}

int main(void)
{
	test_request();
	test_responses();
	test_long_term();
	test_build();
	return done();
}
