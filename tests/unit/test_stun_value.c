/* SPDX-License-Identifier: GPL-2.0 */
/* Typed attribute values at every size, and the writer at every capacity. */
#include <errno.h>
#include <stdlib.h>

#include "lib/tap.h"
#include "stun/stun.h"
#include "stun/wire.h"

static const struct tp_stun_id id = { { 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };
static uint8_t buf[1024];

/* One message with one attribute, which ends where the message ends. */
static struct tp_stun_msg with(uint16_t type, const void *value, size_t size)
{
	struct tp_stun_writer w;
	struct tp_stun_msg msg;
	int whole;

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_ALLOCATE, TP_STUN_REQUEST, &id);
	tp_stun_put(&w, type, value, size);
	whole = tp_stun_finish(&w);
	if (whole < 0 || tp_stun_parse(buf, (size_t)whole, &msg))
		abort();
	return msg;
}

static int get_u32(const struct tp_stun_msg *msg)
{
	uint32_t v;

	return tp_stun_get_u32(msg, TP_STUN_ATTR_LIFETIME, &v);
}

static int get_u16(const struct tp_stun_msg *msg)
{
	uint16_t v;

	return tp_stun_get_u16_first(msg, TP_STUN_ATTR_LIFETIME, &v);
}

static int get_u8(const struct tp_stun_msg *msg)
{
	uint8_t v;

	return tp_stun_get_u8_first(msg, TP_STUN_ATTR_LIFETIME, &v);
}

static void test_numbers(void)
{
	static const uint8_t value[64] = { 0x12, 0x34, 0x56, 0x78 };
	static const struct {
		int (*get)(const struct tp_stun_msg *msg);
		const char *name;
	} getters[] = { { get_u32, "u32" }, { get_u16, "u16_first" }, { get_u8, "u8_first" } };
	struct tp_stun_msg msg;
	uint32_t u32 = 0;
	uint16_t u16 = 0;
	uint8_t u8 = 0;

	for (size_t i = 0; i < 3; i++) {
		unsigned int wrong = 0;

		for (size_t size = 0; size <= sizeof(value); size++) {
			msg = with(TP_STUN_ATTR_LIFETIME, value, size);
			wrong += getters[i].get(&msg) != (size == 4 ? 0 : -EBADMSG);
		}
		msg = with(TP_STUN_ATTR_SOFTWARE, value, 4);
		wrong += getters[i].get(&msg) != -ENOENT;
		check_eq(wrong, 0,
			 "tp_stun_get_%s: 4 bytes, every other size is malformed, absent is absent", getters[i].name);
	}
	msg = with(TP_STUN_ATTR_LIFETIME, value, 4);
	tp_stun_get_u32(&msg, TP_STUN_ATTR_LIFETIME, &u32);
	tp_stun_get_u16_first(&msg, TP_STUN_ATTR_LIFETIME, &u16);
	tp_stun_get_u8_first(&msg, TP_STUN_ATTR_LIFETIME, &u8);
	check(u32 == 0x12345678 && u16 == 0x1234 && u8 == 0x12, "RFC 8489 5: numbers are in network byte order");
}

static void test_address_sizes(void)
{
	unsigned int wrong = 0;

	for (unsigned int family = 0; family < 256; family++)
		for (size_t size = 0; size <= 32; size++) {
			uint8_t value[32] = { 0, (uint8_t)family };
			struct tp_stun_msg msg = with(TP_STUN_ATTR_MAPPED_ADDRESS, value, size);
			struct tp_stun_attr attr = { 0 };
			struct tp_addr addr = { 0 };
			bool good = (family == 1 && size == 8) || (family == 2 && size == 20);

			tp_stun_find(&msg, TP_STUN_ATTR_MAPPED_ADDRESS, &attr);
			wrong += tp_stun_get_addr(&msg, TP_STUN_ATTR_MAPPED_ADDRESS, &addr) != (good ? 0 : -EBADMSG);
			wrong += tp_stun_get_xor_addr(&msg, &attr, &addr) != (good ? 0 : -EBADMSG);
		}
	check_eq(wrong, 0, "RFC 8489 14.1, 14.2: an address is IPv4 of 32 bits or IPv6 of 128, all else is malformed");
}

static void test_addresses(void)
{
	static const struct tp_addr addrs[] = {
		{ .family = 4, .port = 1, .ip = { 192, 0, 2, 1 } },
		{ .family = 4, .port = 65535, .ip = { 255, 255, 255, 255 } },
		{ .family = 6, .port = 3478, .ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } },
	};
	unsigned int wrong = 0;

	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++) {
		struct tp_stun_writer w;
		struct tp_stun_msg msg;
		struct tp_stun_attr attr;
		struct tp_addr plain, masked;

		tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_SUCCESS, &id);
		tp_stun_put_addr(&w, TP_STUN_ATTR_MAPPED_ADDRESS, &addrs[i]);
		tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &addrs[i]);
		/* The first byte of each is sent as 0 and ignored. */
		wrong += buf[24] != 0;
		buf[24] = 0xff;
		if (tp_stun_parse(buf, (size_t)tp_stun_finish(&w), &msg) ||
		    !tp_stun_find(&msg, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr))
			abort();
		wrong += tp_stun_get_addr(&msg, TP_STUN_ATTR_MAPPED_ADDRESS, &plain) ||
			 memcmp(&plain, &addrs[i], sizeof(plain)) != 0;
		wrong += tp_stun_get_xor_addr(&msg, &attr, &masked) || memcmp(&masked, &addrs[i], sizeof(masked)) != 0;
		wrong += memcmp(tp_stun_value(&msg, &attr) + 4, addrs[i].ip, 4) == 0;
	}
	check_eq(wrong, 0,
		 "RFC 8489 14.1, 14.2: addresses are read as they were written, the first byte is 0 and ignored");
}

static void test_mapped_v4(void)
{
	static const uint8_t value[20] = { 0, 2, 0x0d, 0x96, [14] = 0xff, 0xff, 127, 0, 0, 1 };
	struct tp_stun_msg msg = with(TP_STUN_ATTR_MAPPED_ADDRESS, value, sizeof(value));
	const struct tp_addr expected = { .family = 4, .port = 3478, .ip = { 127, 0, 0, 1 } };
	struct tp_addr addr = { 0 };

	check(!tp_stun_get_addr(&msg, TP_STUN_ATTR_MAPPED_ADDRESS, &addr) &&
	      memcmp(&addr, &expected, sizeof(addr)) == 0,
	      "a v4-mapped IPv6 address is the IPv4 address that it reaches");
}

static void test_errors(void)
{
	struct tp_stun_writer w;
	struct tp_stun_msg msg;
	struct tp_stun_attr attr = { 0 };
	unsigned int wrong = 0;
	char long_reason[300];
	int code;

	for (int class = 0; class < 256; class++)
		for (int number = 0; number < 256; number++) {
			uint8_t value[] = { 0xff, 0xff, (uint8_t)class, (uint8_t)number };
			bool good = (class & 7) >= 3 && (class & 7) <= 6 && number < 100;

			msg = with(TP_STUN_ATTR_ERROR_CODE, value, 4);
			code = 0;
			wrong += tp_stun_get_error(&msg, &code) != (good ? 0 : -EBADMSG);
			wrong += good && code != (class & 7) * 100 + number;
		}
	check_eq(wrong, 0, "RFC 8489 14.8: class 3 to 6, number 0 to 99, reserved bits are ignored");
	for (size_t size = 0; size < 4; size++) {
		msg = with(TP_STUN_ATTR_ERROR_CODE, "\0\0\4\1", size);
		wrong += tp_stun_get_error(&msg, &code) != -EBADMSG;
	}
	check_eq(wrong, 0, "RFC 8489 14.8: an ERROR-CODE of less than 4 bytes is malformed");

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_ERROR, &id);
	tp_stun_put_error(&w, 438, NULL);
	check(w.size == 20 + 4 + 4 + 12 && memcmp(buf + 24, "\0\0\4\x26Stale Nonce\0", 16) == 0,
	      "RFC 8489 6.3.1.1, 14.8: an error has its code and the recommended reason, reserved bits 0");
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_ERROR, &id);
	tp_stun_put_error(&w, 401, "");
	check(w.size == 28, "an empty reason takes no room");
	memset(long_reason, 'x', sizeof(long_reason));
	long_reason[sizeof(long_reason) - 1] = 0;
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_ERROR, &id);
	tp_stun_put_error(&w, 500, long_reason);
	check(!tp_stun_parse(buf, (size_t)tp_stun_finish(&w), &msg) &&
	      tp_stun_find(&msg, TP_STUN_ATTR_ERROR_CODE, &attr) &&
	      attr.size == 4 + 127, "RFC 8489 14.8: a reason has fewer than 128 characters");
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_ERROR, &id);
	tp_stun_put_error(&w, 499, NULL);
	check(w.size == 28 && buf[26] == 4 && buf[27] == 99, "a code without a recommended reason has none");
}

static void write_all(struct tp_stun_writer *w, void *out, size_t capacity)
{
	static const struct tp_addr addr = { .family = 6, .port = 1, .ip = { 1 } };

	tp_stun_begin(w, out, capacity, TP_STUN_BINDING, TP_STUN_SUCCESS, &id);
	tp_stun_put_u32(w, TP_STUN_ATTR_LIFETIME, 600);
	tp_stun_put_xor_addr(w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &addr);
	tp_stun_put_addr(w, TP_STUN_ATTR_MAPPED_ADDRESS, &addr);
	tp_stun_put(w, TP_STUN_ATTR_SOFTWARE, "abcde", 5);
	tp_stun_put_error(w, 500, NULL);
	tp_stun_put_integrity(w, "k", 1);
	tp_stun_put_integrity_sha256(w, "k", 1);
	tp_stun_put_fingerprint(w);
}

static void test_capacity(void)
{
	struct tp_stun_writer w;
	struct tp_stun_msg msg;
	unsigned int wrong = 0;
	int whole;

	write_all(&w, buf, sizeof(buf));
	whole = tp_stun_finish(&w);
	for (size_t capacity = 0; capacity < (size_t)whole; capacity++) {
		/* On the heap and no larger than said, so that ASan sees a write past the end. */
		uint8_t *small = malloc(capacity ? capacity : 1);

		write_all(&w, small, capacity);
		wrong += tp_stun_finish(&w) != -EMSGSIZE;
		free(small);
	}
	check(whole > 0 && !wrong, "a message that does not fit is an error, whichever attribute it was");
	check(!tp_stun_parse(buf, (size_t)whole, &msg) && tp_stun_check_integrity(&msg, "k", 1) &&
	      tp_stun_check_integrity_sha256(&msg, "k", 1) && msg.fingerprint,
	      "RFC 8489 14.5, 14.6, 14.7: both integrities and FINGERPRINT of one message, each over what is before it");
}

static void test_refused(void)
{
	static const struct tp_addr unset;
	struct tp_stun_writer w;

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_SUCCESS, &id);
	tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &unset);
	check_eq(tp_stun_finish(&w), -EMSGSIZE, "an unset address is not sent");
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_BINDING, TP_STUN_SUCCESS, &id);
	tp_stun_put_integrity(&w, "", 0);
	check_eq(tp_stun_finish(&w), -EMSGSIZE, "a message is not sent with integrity of an empty key");
}

int main(void)
{
	test_numbers();
	test_address_sizes();
	test_addresses();
	test_mapped_v4();
	test_errors();
	test_capacity();
	test_refused();
	return done();
}
