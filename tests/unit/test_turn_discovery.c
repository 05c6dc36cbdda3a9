/* SPDX-License-Identifier: GPL-2.0 */
/* NAT behaviour discovery: RFC 5780 sections 6 and 7; classic STUN: RFC 3489; ruling 3. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;

static void begin(bool second_address)
{
	bench_init(&b);
	b.conf.rfc5780 = true;
	b.conf.rfc3489 = true;
	b.conf.alt_listening_port = 3479;
	b.listen[0] = addr_of("192.0.2.1");
	b.listen[1] = addr_of("192.0.2.2");
	b.conf.listen_len = second_address ? 2 : 1;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind", what);
}

static bool attr_is(uint16_t type, const char *text)
{
	struct tp_addr expected = addr_of(text), got;

	return !tp_stun_get_addr(&c.reply, type, &got) && tp_addr_equal(&got, &expected);
}

static int binding(uint32_t change, bool has_change)
{
	struct message m;

	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	if (has_change)
		tp_stun_put_u32(&m.w, TP_STUN_ATTR_CHANGE_REQUEST, change);
	return message_send(&m);
}

static bool sent_from(const char *text)
{
	struct tp_addr expected = addr_of(text);

	return tp_addr_equal(&b.client.from, &expected) && attr_is(TP_STUN_ATTR_RESPONSE_ORIGIN, text);
}

static void test_change(void)
{
	begin(true);
	check_eq(binding(0, false), 0, "5780 6.1: a Binding without attributes of it");
	check(attr_is(TP_STUN_ATTR_OTHER_ADDRESS, "192.0.2.2:3479"), "5780 6.1: has OTHER-ADDRESS, Ca:Cp");
	check(sent_from("192.0.2.1:3478"), "5780 6.1: has RESPONSE-ORIGIN, from Da:Dp");
	check(attr_is(TP_STUN_ATTR_MAPPED_ADDRESS, "198.51.100.7:40000") &&
	      reply_has(&c, TP_STUN_ATTR_XOR_MAPPED_ADDRESS), "5780 6.1: has both mapped addresses");
	check(binding(0, true) == 0 && sent_from("192.0.2.1:3478"), "5780 6.1: no flags: Da:Dp");
	check(binding(2, true) == 0 && sent_from("192.0.2.1:3479"), "5780 6.1: change port: Da:Cp");
	check(binding(4, true) == 0 && sent_from("192.0.2.2:3478"), "5780 6.1: change IP: Ca:Dp");
	check(binding(6, true) == 0 && sent_from("192.0.2.2:3479"), "5780 6.1: both: Ca:Cp");
	check(attr_is(TP_STUN_ATTR_OTHER_ADDRESS, "192.0.2.2:3479"), "5780 6.1: OTHER-ADDRESS regardless of the flags");
	c.path.tuple.server = addr_of("192.0.2.2:3479");
	check(binding(6, true) == 0 && sent_from("192.0.2.1:3478"), "5780 6.1: from the other side the other way round");
	check(attr_is(TP_STUN_ATTR_OTHER_ADDRESS, "192.0.2.1:3478"), "5780 6.1: with OTHER-ADDRESS too");
	c.path.tuple.transport = TP_TCP;
	c.path.conn = &c;
	check_eq(binding(6, true), 420, "5780 6.1: a connection cannot be answered from elsewhere");
	end("change");
}

static void test_single(void)
{
	struct tp_stun_attr attr;

	begin(false);
	check_eq(binding(0, false), 0, "with one address");
	check(!reply_has(&c, TP_STUN_ATTR_OTHER_ADDRESS), "5780 7.4: there is no OTHER-ADDRESS");
	check(reply_has(&c, TP_STUN_ATTR_RESPONSE_ORIGIN), "5780 6.1: but RESPONSE-ORIGIN");
	check_eq(binding(4, true), 420, "5780 6: and CHANGE-REQUEST is 420");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_UNKNOWN_ATTRIBUTES, &attr) && attr.size == 2 &&
	      !memcmp(tp_stun_value(&c.reply, &attr), "\x00\x03", 2), "5780 6.1: named in UNKNOWN-ATTRIBUTES");
	end("one address");

	begin(true);
	b.conf.rfc5780 = b.conf.rfc3489 = false;
	check_eq(binding(4, true), 420, "5780: unless it is configured, CHANGE-REQUEST is unknown");
	check_eq(binding(0, false), 0, "and a plain Binding");
	check(!reply_has(&c, TP_STUN_ATTR_OTHER_ADDRESS) && !reply_has(&c, TP_STUN_ATTR_RESPONSE_ORIGIN),
	      "ruling 3: gets the shortest answer");
	end("opt-in");
}

static void test_padding(void)
{
	static uint8_t bytes[1500];
	struct tp_stun_attr attr;
	struct message m;
	size_t request_size;

	begin(true);
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	tp_stun_put(&m.w, TP_STUN_ATTR_PADDING, bytes, sizeof(bytes));
	request_size = m.w.size;
	check_eq(message_send(&m), 0, "5780 6.1: a request with PADDING");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_PADDING, &attr), "5780 6.1: is answered with PADDING");
	check_eq(attr.size, sizeof(bytes), "ruling 3: no larger than the request's");
	check(b.client.size < request_size + 100, "ruling 3: so the answer is no amplification");
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	tp_stun_put(&m.w, TP_STUN_ATTR_PADDING, bytes, 4);
	tp_stun_put(&m.w, TP_STUN_ATTR_RESPONSE_PORT, "\x9c\x40\0\0", 4);
	check_eq(message_send(&m), 400, "5780 6.1: PADDING and RESPONSE-PORT together are a bad request");
	end("padding");
}

static int response_port(const void *value, size_t size)
{
	struct message m;

	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	tp_stun_put(&m.w, TP_STUN_ATTR_RESPONSE_PORT, value, size);
	return message_send(&m);
}

static void test_response_port(void)
{
	struct tp_addr expected = addr_of("198.51.100.7:40001");
	unsigned int answered = 0;

	begin(true);
	check_eq(response_port("\x9c\x41\0\0", 4), 0, "5780 7.5: RESPONSE-PORT");
	check(tp_addr_equal(&b.client.to, &expected), "5780 7.5: moves the answer to that port of the source address");
	check(attr_is(TP_STUN_ATTR_MAPPED_ADDRESS, "198.51.100.7:40000"), "5780 6.1: and tells where it came from");
	check_eq(response_port("\x9c\x41", 2), 400, "5780 7.5: of the wrong length it is a bad request");
	check_eq(response_port("\0\0\0\0", 4), 400, "5780 7.5: and port 0 cannot be sent to");
	for (int i = 0; i < 100; i++)
		answered += response_port("\x9c\x41\0\0", 4) == 0;
	check(answered > 0 && answered <= 20, "ruling 3: RESPONSE-PORT is rate-limited");
	bench_advance(&b, BENCH_S);
	check_eq(response_port("\x9c\x41\0\0", 4), 0, "and recovers");
	c.path.tuple.transport = TP_TCP;
	c.path.conn = &c;
	check_eq(response_port("\x9c\x41\0\0", 4), 420, "5780 7.5: a connection has no other port");
	end("response port");
}

static int classic(uint16_t type, uint32_t value)
{
	struct tp_stun_id id = { { 9, 8, 7, 6, 5, 4, 3, 2, 1 } };
	struct message m;

	message_begin_id(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST, &id);
	if (type)
		tp_stun_put_u32(&m.w, type, value);
	return message_send(&m);
}

static void test_classic(void)
{
	struct tp_addr expected = addr_of("192.0.2.2:3479");
	struct message m;

	begin(true);
	check_eq(classic(0, 0), 0, "3489 8.1: a request without the magic cookie");
	check(attr_is(TP_STUN_ATTR_MAPPED_ADDRESS, "198.51.100.7:40000"), "3489 8.1: MAPPED-ADDRESS");
	check(attr_is(TP_STUN_ATTR_SOURCE_ADDRESS, "192.0.2.1:3478"), "3489 8.1: SOURCE-ADDRESS");
	check(attr_is(TP_STUN_ATTR_CHANGED_ADDRESS, "192.0.2.2:3479"), "3489 8.1: CHANGED-ADDRESS");
	check(!reply_has(&c, TP_STUN_ATTR_XOR_MAPPED_ADDRESS), "3489: nothing that it does not know");
	check(classic(TP_STUN_ATTR_CHANGE_REQUEST, 6) == 0 && tp_addr_equal(&b.client.from, &expected),
	      "3489 8.1: CHANGE-REQUEST is honoured");
	check_eq(classic(TP_STUN_ATTR_RESPONSE_ADDRESS, 6), 420, "3489 RESPONSE-ADDRESS is not: it makes reflectors");
	message_begin_id(&m, &c, TP_STUN_ALLOCATE, TP_STUN_REQUEST, &(struct tp_stun_id){ { 1 } });
	m.bare = true;
	check_eq(message_send(&m), -1, "TURN does not speak it");
	end("classic");
}

int main(void)
{
	test_change();
	test_single();
	test_padding();
	test_response_port();
	test_classic();
	return done();
}
