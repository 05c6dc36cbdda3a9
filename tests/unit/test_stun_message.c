/* SPDX-License-Identifier: GPL-2.0 */
/* Reading STUN messages: every wrong header and length, what is ignored, classic messages, framing of streams. */
#include <errno.h>
#include <stdlib.h>

#include "lib/stun_vectors.h"
#include "lib/tap.h"
#include "stun/digest.h"
#include "stun/stun.h"
#include "stun/wire.h"

static const struct tp_stun_id id = { { 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };
static const struct tp_stun_id classic_id = { { 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };
static const char key[] = "password";

/* Parses a copy on the heap, no longer than said, so that ASan sees a read past its end; NULL frees the last. */
static int parse(const void *data, size_t size, struct tp_stun_msg *ret)
{
	static uint8_t *copy;

	free(copy);
	copy = NULL;
	if (!data)
		return 0;
	copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	return tp_stun_parse(copy, size, ret);
}

static int parse_written(struct tp_stun_writer *w, struct tp_stun_msg *ret)
{
	return parse(w->data, (size_t)tp_stun_finish(w), ret);
}

static void test_header(void)
{
	uint8_t m[24] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };
	struct tp_stun_msg msg = { 0 };
	unsigned int accepted = 0;

	check(!parse(m, 20, &msg) && msg.method == TP_STUN_BINDING && msg.class == TP_STUN_REQUEST && !msg.classic,
	      "RFC 8489 5: a header alone is a message");
	for (size_t size = 0; size < 20; size++)
		accepted += parse(m, size, &msg) != -EBADMSG || tp_stun_looks_like(m, size);
	check_eq(accepted, 0, "RFC 8489 5: less than a header is malformed");
	for (int first = 0x40; first < 0x100; first += 0x40) {
		m[0] = (uint8_t)first;
		accepted += parse(m, 20, &msg) != -EBADMSG || tp_stun_looks_like(m, 20);
	}
	check_eq(accepted, 0, "RFC 8489 5: the most significant two bits are zeroes");
	m[0] = 0;
	for (unsigned int length = 0; length < 65536; length++) {
		store_be16(m + 2, (uint16_t)length);
		accepted += length != 4 && (parse(m, 24, &msg) != -EBADMSG || tp_stun_looks_like(m, 24));
	}
	check_eq(accepted, 0, "RFC 8489 5: a length that is not the datagram's less 20 is malformed");
	m[3] = 3;
	check(parse(m, 23, &msg) == -EBADMSG && !tp_stun_looks_like(m, 23),
	      "RFC 8489 5: a length that is no multiple of 4 is malformed");
}

/* Figure 3: the class bits stand inside the method's. */
static void test_type(void)
{
	static const struct {
		uint16_t type, method;
		uint8_t class;
	} cases[] = {
		{ 0x0001, TP_STUN_BINDING, TP_STUN_REQUEST },	{ 0x0011, TP_STUN_BINDING, TP_STUN_INDICATION },
		{ 0x0101, TP_STUN_BINDING, TP_STUN_SUCCESS },	{ 0x0111, TP_STUN_BINDING, TP_STUN_ERROR },
		{ 0x0113, TP_STUN_ALLOCATE, TP_STUN_ERROR },	{ 0x0016, TP_STUN_SEND, TP_STUN_INDICATION },
		{ 0x0017, TP_STUN_DATA, TP_STUN_INDICATION },	{ 0x0109, TP_STUN_CHANNEL_BIND, TP_STUN_SUCCESS },
		{ 0x001c, TP_STUN_CONNECTION_ATTEMPT, TP_STUN_INDICATION },
		{ 0x3eef, 0xfff, TP_STUN_REQUEST },		{ 0x3fff, 0xfff, TP_STUN_ERROR },
	};
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	uint8_t buf[20];
	unsigned int wrong = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tp_stun_begin(&w, buf, sizeof(buf), cases[i].method, cases[i].class, &id);
		check(load_be16(buf) == cases[i].type && !parse_written(&w, &msg) && msg.method == cases[i].method &&
		      msg.class == cases[i].class, "RFC 8489 5: message type 0x%04x", cases[i].type);
	}
	for (uint16_t method = 0; method < 0x1000; method++)
		for (uint8_t class = 0; class < 4; class++) {
			tp_stun_begin(&w, buf, sizeof(buf), method, class, &id);
			wrong += parse_written(&w, &msg) || msg.method != method || msg.class != class;
		}
	check_eq(wrong, 0, "RFC 8489 5: every method and class is read as it was written");
	check(memcmp(msg.id.bytes, id.bytes, 16) == 0, "RFC 8489 5: the transaction ID is kept");
}

static void test_attribute_lengths(void)
{
	uint8_t m[20 + 12] = { 0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42 };
	struct tp_stun_msg msg = { 0 };
	unsigned int wrong = 0;

	m[20] = 0x80;
	for (unsigned int size = 0; size < 65536; size++) {
		store_be16(m + 22, (uint16_t)size);
		/* What is left after the first attribute: nothing, one empty attribute, or two. */
		wrong += parse(m, sizeof(m), &msg) != (size <= 8 ? 0 : -EBADMSG);
	}
	check_eq(wrong, 0, "RFC 8489 14: an attribute that ends past the message is malformed");
	store_be16(m + 22, 4);
	store_be16(m + 30, 1);
	check_eq(parse(m, sizeof(m), &msg), -EBADMSG, "RFC 8489 14: so is one whose value begins at its end");
}

static void test_padding(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_attr attr = { 0 };
	struct tp_stun_writer w;
	uint8_t buf[64];

	memset(buf, 0xee, sizeof(buf));
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &id);
	tp_stun_put(&w, TP_STUN_ATTR_SOFTWARE, "x", 1);
	tp_stun_put(&w, TP_STUN_ATTR_REALM, "realm", 5);
	check(buf[25] == 0 && buf[26] == 0 && buf[27] == 0 && buf[37] == 0, "RFC 8489 14: padding is sent as zeroes");
	buf[25] = buf[26] = buf[27] = 0xff;
	check(!parse_written(&w, &msg) && tp_stun_find(&msg, TP_STUN_ATTR_REALM, &attr) && attr.size == 5 &&
	      memcmp(tp_stun_value(&msg, &attr), "realm", 5) == 0, "RFC 8489 14: padding is ignored when received");
}

static void test_duplicates(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	uint32_t value = 0;
	uint8_t buf[64];

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME, 1);
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME, 2);
	check(!parse_written(&w, &msg) && !tp_stun_get_u32(&msg, TP_STUN_ATTR_LIFETIME, &value) && value == 1,
	      "RFC 8489 14: of duplicates the first counts");
}

static void test_after_integrity(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_attr attr;
	struct tp_stun_writer w;
	uint8_t buf[256];
	uint32_t value = 0;

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
	tp_stun_put_integrity(&w, key, 8);
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME, 1);
	tp_stun_put_integrity_sha256(&w, key, 8);
	tp_stun_put_u32(&w, TP_STUN_ATTR_CHANNEL_NUMBER, 1);
	tp_stun_put_fingerprint(&w);
	check(!parse_written(&w, &msg) && !tp_stun_find(&msg, TP_STUN_ATTR_LIFETIME, &attr) &&
	      !tp_stun_find(&msg, TP_STUN_ATTR_CHANNEL_NUMBER, &attr),
	      "RFC 8489 9, 14.5: attributes after MESSAGE-INTEGRITY are ignored");
	check(msg.integrity_sha256 && tp_stun_check_integrity(&msg, key, 8) &&
	      tp_stun_check_integrity_sha256(&msg, key, 8),
	      "RFC 8489 9: but MESSAGE-INTEGRITY-SHA256 after it is not");
	check(msg.fingerprint, "RFC 8489 9: nor is FINGERPRINT");

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
	tp_stun_put_integrity_sha256(&w, key, 8);
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME, 1);
	tp_stun_put_integrity(&w, key, 8);
	check(!parse_written(&w, &msg) && !msg.integrity && !tp_stun_check_integrity(&msg, key, 8) &&
	      tp_stun_get_u32(&msg, TP_STUN_ATTR_LIFETIME, &value) == -ENOENT,
	      "RFC 8489 9, 14.6: attributes after MESSAGE-INTEGRITY-SHA256 are ignored, MESSAGE-INTEGRITY too");

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
	tp_stun_put_integrity(&w, key, 8);
	tp_stun_put_integrity(&w, "other", 5);
	check(!parse_written(&w, &msg) && tp_stun_check_integrity(&msg, key, 8),
	      "of two MESSAGE-INTEGRITY the first counts");
}

static void test_integrity_sizes(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	uint8_t buf[256], full[256];
	unsigned int wrong = 0;
	size_t size;

	for (size_t n = 0; n <= 40; n++) {
		tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
		if (n == 20)
			tp_stun_put_integrity(&w, key, 8);
		else
			tp_stun_put(&w, TP_STUN_ATTR_MESSAGE_INTEGRITY, full, n);
		wrong += parse_written(&w, &msg) || tp_stun_check_integrity(&msg, key, 8) != (n == 20);
	}
	check_eq(wrong, 0, "RFC 8489 14.5: MESSAGE-INTEGRITY of any size but 20 does not match");

	/* The HMAC is over a header that counts the shorter value, so each size has its own. */
	for (size_t n = 0; n <= 44; n++) {
		bool good = n >= 16 && n <= 32 && n % 4 == 0;
		uint8_t text[20];

		tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
		memcpy(text, buf, 20);
		store_be16(text + 2, (uint16_t)(4 + n));
		tp_stun_begin(&w, full, sizeof(full), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
		size = w.size;
		tp_stun_put(&w, TP_STUN_ATTR_MESSAGE_INTEGRITY_SHA256, "", 0);
		store_be16(full + size + 2, (uint16_t)n);
		{
			const struct tp_bytes part = { text, 20 };
			uint8_t mac[64] = { 0 };

			tp_hmac(TP_DIGEST_SHA256, key, 8, &part, 1, mac);
			memcpy(full + size + 4, mac, sizeof(mac));
		}
		store_be16(full + 2, (uint16_t)(4 + padded_size(n)));
		wrong += parse(full, size + 4 + padded_size(n), &msg) ||
			 tp_stun_check_integrity_sha256(&msg, key, 8) != good;
	}
	check_eq(wrong, 0, "RFC 8489 14.6: MESSAGE-INTEGRITY-SHA256 is 16 to 32 bytes, a multiple of 4");
}

static void test_integrity_covers(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	uint8_t buf[256];
	unsigned int matched = 0;
	int size;

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_REFRESH, TP_STUN_REQUEST, &id);
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME, 600);
	tp_stun_put_integrity(&w, key, 8);
	tp_stun_put_integrity_sha256(&w, key, 8);
	size = tp_stun_finish(&w);
	for (int i = 0; i < size; i++) {
		buf[i] ^= 0x04;
		if (!parse(buf, (size_t)size, &msg))
			matched += tp_stun_check_integrity_sha256(&msg, key, 8) +
				   (i < 52 && tp_stun_check_integrity(&msg, key, 8));
		buf[i] ^= 0x04;
	}
	check_eq(matched, 0, "RFC 8489 14.5, 14.6: integrity covers every byte before it");
	parse(buf, (size_t)size, &msg);
	check(!tp_stun_check_integrity(&msg, "", 0) && !tp_stun_check_integrity_sha256(&msg, "", 0),
	      "an empty key matches nothing");
}

static void test_fingerprint(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	uint8_t buf[64];
	unsigned int wrong = 0;

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &id);
	tp_stun_put_fingerprint(&w);
	check(!parse_written(&w, &msg) && msg.fingerprint == 20, "RFC 8489 14.7: FINGERPRINT alone");
	for (size_t i = 0; i < 32; i++) {
		buf[24 + i / 8] ^= (uint8_t)(1 << i % 8);
		wrong += parse_written(&w, &msg) != -EPROTO;
		buf[24 + i / 8] ^= (uint8_t)(1 << i % 8);
	}
	check_eq(wrong, 0, "RFC 8489 6.3, 14.7: a FINGERPRINT with any bit changed is no STUN message");
	tp_stun_put(&w, TP_STUN_ATTR_SOFTWARE, "", 0);
	check_eq(parse_written(&w, &msg), -EBADMSG, "RFC 8489 14.7: FINGERPRINT that is not last is malformed");
	for (size_t size = 0; size < 12; size++) {
		tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &id);
		tp_stun_put(&w, TP_STUN_ATTR_FINGERPRINT, "wrong value", size);
		wrong += parse_written(&w, &msg) != (size == 4 ? -EPROTO : -EBADMSG);
	}
	check_eq(wrong, 0, "RFC 8489 14.7: FINGERPRINT of any size but 4 is malformed");
}

static bool known(uint16_t type)
{
	return type == TP_STUN_ATTR_USERNAME;
}

static void test_unknown(void)
{
	static const uint16_t expected[] = { 0x7777, 0x0030, 0x7fff };
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	uint16_t types[8] = { 0 };
	uint8_t buf[256];

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &id);
	tp_stun_put(&w, 0x7777, "", 0);
	tp_stun_put(&w, TP_STUN_ATTR_USERNAME, "a", 1);
	tp_stun_put(&w, 0x8001, "", 0);
	tp_stun_put(&w, 0xffff, "", 0);
	tp_stun_put(&w, 0x0030, "abc", 3);
	tp_stun_put(&w, 0x7777, "", 0);
	tp_stun_put(&w, 0x7fff, "", 0);
	tp_stun_put_integrity(&w, key, 8);
	tp_stun_put(&w, 0x0031, "", 0);
	parse_written(&w, &msg);
	check(tp_stun_unknown(&msg, known, types, 8) == 3 && memcmp(types, expected, sizeof(expected)) == 0,
	      "RFC 8489 6.3.1: unknown comprehension-required attributes, each once, in order");
	check(tp_stun_unknown(&msg, known, types, 2) == 2 && tp_stun_unknown(&msg, known, types, 0) == 0,
	      "no more of them than there is room for");
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &id);
	for (uint16_t type = 0x8000; type < 0x8010; type++)
		tp_stun_put(&w, type, "", 0);
	tp_stun_put(&w, 0xffff, "", 0);
	parse_written(&w, &msg);
	check_eq(tp_stun_unknown(&msg, known, types, 8), 0,
		 "RFC 8489 6.3: unknown comprehension-optional attributes are ignored");
}

static void test_classic(void)
{
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_writer w;
	struct tp_addr addr = { .family = 4, .port = 0x1234, .ip = { 192, 0, 2, 1 } }, got = { 0 };
	uint8_t buf[128];

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &classic_id);
	tp_stun_put_u32(&w, TP_STUN_ATTR_CHANGE_REQUEST, 6);
	tp_stun_put_addr(&w, TP_STUN_ATTR_RESPONSE_ADDRESS, &addr);
	check(!parse_written(&w, &msg) && msg.classic && memcmp(msg.id.bytes, classic_id.bytes, 16) == 0,
	      "RFC 3489 11.1: without the cookie all 128 bits are the transaction ID");
	check(!tp_stun_get_addr(&msg, TP_STUN_ATTR_RESPONSE_ADDRESS, &got) && got.port == 0x1234 && got.ip[3] == 1,
	      "RFC 3489 11.2.2: RESPONSE-ADDRESS of a classic message");
	tp_stun_put_u32(&w, TP_STUN_ATTR_FINGERPRINT, 0);
	check(!parse_written(&w, &msg) && !msg.fingerprint,
	      "RFC 8489 7: FINGERPRINT does not exist in a classic message");
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_REQUEST, &classic_id);
	tp_stun_put_integrity(&w, key, 8);
	check(!parse_written(&w, &msg) && !tp_stun_check_integrity(&msg, key, 8),
	      "MESSAGE-INTEGRITY of a classic message does not match: RFC 3489 computed it otherwise");
}

static void test_frames(void)
{
	uint8_t m[24] = { 0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42 };
	unsigned int wrong = 0;

	for (size_t size = 0; size <= 24; size++)
		wrong += tp_stun_frame_size(m, size) != (size < 4 ? 0 : 24);
	check_eq(wrong, 0, "RFC 8489 6.2.2: a stream's next message is known from 4 bytes on");
	m[0] = 0x40;
	check_eq(tp_stun_frame_size(m, 1), -EBADMSG, "a stream with other bits in front is not STUN");
	m[0] = 0;
	m[3] = 5;
	check_eq(tp_stun_frame_size(m, 4), -EBADMSG,
		 "RFC 8489 5: a stream's message has a length that is a multiple of 4");
	m[3] = 4;
	m[4] = 0;
	check_eq(tp_stun_frame_size(m, 8), -EBADMSG, "RFC 8489 5: a stream's message has the cookie");
	store_be16(m + 2, 65516);
	check_eq(tp_stun_frame_size(m, 4), -EBADMSG, "a stream's message of more than 65535 bytes is refused");
	store_be16(m + 2, 65512);
	check_eq(tp_stun_frame_size(m, 4), 65532, "and one of 65532 not");
}

static void test_largest(void)
{
	uint8_t *buf = malloc(70000), *data = calloc(1, 65507);
	struct tp_stun_msg msg = { 0 };
	struct tp_stun_attr attr = { 0 };
	struct tp_stun_writer w;

	tp_stun_begin(&w, buf, 70000, TP_STUN_SEND, TP_STUN_INDICATION, &id);
	tp_stun_put(&w, TP_STUN_ATTR_DATA, data, 65507);
	check(!parse_written(&w, &msg) && tp_stun_find(&msg, TP_STUN_ATTR_DATA, &attr) && attr.size == 65507,
	      "a message of 65532 bytes is read");
	tp_stun_put(&w, TP_STUN_ATTR_SOFTWARE, "", 0);
	check_eq(tp_stun_finish(&w), -EMSGSIZE, "and a larger one is not written");
	buf[0] = buf[1] = 0;
	store_be16(buf + 2, 65520);
	check_eq(tp_stun_parse(buf, 65540, &msg), -EBADMSG, "nor read");
	free(buf);
	free(data);
}

int main(void)
{
	struct tp_stun_msg msg;

	test_header();
	test_type();
	test_attribute_lengths();
	test_padding();
	test_duplicates();
	test_after_integrity();
	test_integrity_sizes();
	test_integrity_covers();
	test_fingerprint();
	test_unknown();
	test_classic();
	test_frames();
	test_largest();
	parse(NULL, 0, &msg);
	return done();
}
