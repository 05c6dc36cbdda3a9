/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bad input: every attribute of every request at every wrong length, duplicates,
 * truncation, random bytes. Answered as the RFC says or dropped; never a crash,
 * nothing grows (RFC 8489 section 6.3, RFC 8656 section 5).
 */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;
static uint64_t random_state = 0x74706b65;

static uint32_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static void begin(void)
{
	bench_init(&b);
	b.conf.mobility = true;
	b.conf.rfc5780 = true;
	b.conf.rfc3489 = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	client_challenge(&c);
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static const uint16_t attributes[] = {
	TP_STUN_ATTR_CHANNEL_NUMBER, TP_STUN_ATTR_LIFETIME, TP_STUN_ATTR_XOR_PEER_ADDRESS, TP_STUN_ATTR_DATA,
	TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, TP_STUN_ATTR_EVEN_PORT, TP_STUN_ATTR_REQUESTED_TRANSPORT,
	TP_STUN_ATTR_DONT_FRAGMENT, TP_STUN_ATTR_RESERVATION_TOKEN, TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY,
	TP_STUN_ATTR_MOBILITY_TICKET, TP_STUN_ATTR_CHANGE_REQUEST, TP_STUN_ATTR_PADDING, TP_STUN_ATTR_RESPONSE_PORT,
	TP_STUN_ATTR_XOR_RELAYED_ADDRESS, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, TP_STUN_ATTR_ERROR_CODE, TP_STUN_ATTR_ICMP,
};

static const uint16_t methods[] = {
	TP_STUN_BINDING, TP_STUN_ALLOCATE, TP_STUN_REFRESH, TP_STUN_CREATE_PERMISSION, TP_STUN_CHANNEL_BIND,
	TP_STUN_CONNECT, TP_STUN_CONNECTION_BIND,
};

/* A code that some section of the RFCs gives, or silence. */
static bool legal(int code)
{
	static const int codes[] = { -1, 0, 300, 400, 401, 403, 405, 420, 437, 438, 440, 441, 442, 443, 486, 500, 508 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

static void test_lengths(void)
{
	uint8_t value[40];
	unsigned int illegal = 0, sent = 0;

	begin();
	for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		for (size_t a = 0; a < sizeof(attributes) / sizeof(attributes[0]); a++) {
			for (size_t size = 0; size <= sizeof(value); size++) {
				struct message msg;

				for (size_t i = 0; i < sizeof(value); i++)
					value[i] = (uint8_t)random_next();
				request(&msg, &c, methods[m]);
				if (methods[m] == TP_STUN_ALLOCATE && random_next() % 2)
					put_u8(&msg, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
				tp_stun_put(&msg.w, attributes[a], value, size);
				if (random_next() % 2)
					tp_stun_put(&msg.w, attributes[random_next() % 18], value, size);
				illegal += !legal(message_send(&msg));
				sent++;
				if (random_next() % 16 == 0)
					bench_advance(&b, BENCH_S / 4);
			}
		}
	}
	check_eq(illegal, 0, "8489 6.3: %u requests with attributes of every length get a legal answer or none", sent);
	check(b.opened - b.closed <= 2, "8656 5: and at most one allocation of the 5-tuple with a reservation is open");
	end("lengths");
}

/* The first of duplicates counts (RFC 8489 section 14). */
static void test_duplicates(void)
{
	struct message m;

	begin();
	allocate(&c);
	request(&m, &c, TP_STUN_REFRESH);
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, 1200);
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, 0);
	check(message_send(&m) == 0 && lifetime(&c) == 1200, "8489 14: of duplicate attributes the first counts");
	request(&m, &c, TP_STUN_CHANNEL_BIND);
	put_channel(&m, 0x4000);
	put_channel(&m, 0x3000);
	put_peer(&m, "203.0.113.1:1");
	put_peer(&m, "127.0.0.1:1");
	check_eq(message_send(&m), 0, "8489 14: for channels too");
	check(send_channel(&c, 0x4000, "x") && b.peer.to.ip[0] == 203, "8489 14: the first number and peer");
	end("duplicates");
}

static size_t build_valid(uint8_t *buf, size_t capacity, unsigned int which)
{
	struct message m;

	request(&m, &c, methods[which % 5]);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	put_channel(&m, 0x4000);
	put_peer(&m, "203.0.113.1:1");
	put_credentials(&m);
	tp_stun_put_fingerprint(&m.w);
	memcpy(buf, m.buf, m.w.size < capacity ? m.w.size : capacity);
	return m.w.size;
}

static void test_truncated(void)
{
	unsigned int answered = 0;
	uint8_t buf[4096];

	begin();
	for (unsigned int which = 0; which < 5; which++) {
		size_t size = build_valid(buf, sizeof(buf), which);

		for (size_t cut = 0; cut < size; cut++)
			answered += send_raw(&c, buf, cut) != -1;
	}
	check_eq(answered, 0, "8489 6.3: a truncated message is discarded at every length");
	check_eq(b.opened, 0, "and leaves nothing");
	end("truncated");
}

static void test_flipped(void)
{
	unsigned int illegal = 0, created;
	uint8_t buf[4096], copy[4096];

	begin();
	created = 0;
	for (unsigned int i = 0; i < 20000; i++) {
		size_t size = build_valid(buf, sizeof(buf), i);
		unsigned int before = b.opened;

		memcpy(copy, buf, size);
		/* FINGERPRINT's own 8 bytes aside: what has another type there is an unknown optional attribute. */
		copy[random_next() % (size - 8)] ^= (uint8_t)(1u << random_next() % 8);
		illegal += !legal(send_raw(&c, copy, size));
		created += b.opened - before;
	}
	check_eq(illegal, 0, "8489 6.3: a flipped bit gets a legal answer or none");
	check_eq(created, 0, "8489 14.5: and makes no allocation: integrity and fingerprint see every bit");
	end("flipped");
}

static void test_random(void)
{
	uint8_t buf[600];
	unsigned int before;

	begin();
	allocate(&c);
	bind_channel(&c, 0x4000, "203.0.113.1:1");
	before = b.client.count;
	for (unsigned int i = 0; i < 50000; i++) {
		size_t size = random_next() % sizeof(buf);

		for (size_t k = 0; k < size; k++)
			buf[k] = (uint8_t)random_next();
		if (size && i % 4 == 0)
			buf[0] &= 0x01;
		if (size && i % 4 == 1)
			buf[0] = 0x40;
		client_input(&c, buf, size);
	}
	check_eq(b.client.count, before, "random bytes are answered by nothing");
	check_eq(refresh(&c, 600), 0, "and the allocation lives");
	end("random");
}

/* To somebody who is not authenticated, the answer is never much longer than the question (ruling 3). */
static void test_amplification(void)
{
	size_t request_size;
	struct message m;

	begin();
	request(&m, &c, TP_STUN_ALLOCATE);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	m.bare = true;
	request_size = m.w.size;
	check_eq(message_send(&m), 401, "a 401");
	printf("# 401: %zu bytes for %zu\n", b.client.size, request_size);
	check(b.client.size <= 128, "ruling 3: has no more than what RFC 8489 demands");
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	for (uint16_t i = 0; i < 200; i++)
		tp_stun_put(&m.w, (uint16_t)(0x4000 + i), "", 0);
	request_size = m.w.size;
	check_eq(message_send(&m), 420, "a 420");
	check(b.client.size < request_size, "ruling 3: names a bounded number of unknown attributes");
	end("amplification");
}

/* Requests of a source, how many of them were answered. */
static unsigned int flood(const char *source, unsigned int n, uint16_t method)
{
	unsigned int answered = 0;
	struct client other;
	struct message m;

	client_init(&other, &b, source);
	for (unsigned int i = 0; i < n; i++) {
		message_begin(&m, &other, method, TP_STUN_REQUEST);
		m.bare = true;
		answered += message_send(&m) >= 0;
	}
	return answered;
}

static void test_rates(void)
{
	char text[32];
	unsigned int answered = 0;

	bench_init(&b);
	b.conf.unauth_prefix_rate = 50;
	b.conf.unauth_rate = 200;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate(&c), 0, "a client that has an allocation");
	check_eq(flood("203.0.113.1:1", 100, TP_STUN_BINDING), 50, "ruling 3: Binding answers to a prefix are limited");
	check_eq(flood("203.0.113.99:1", 100, TP_STUN_ALLOCATE), 0, "ruling 3: the prefix is a /24, its 401s are too");
	check_eq(flood("203.0.114.1:1", 10, TP_STUN_ALLOCATE), 10, "ruling 3: another prefix has its own limit");
	check_eq(refresh(&c, 600), 0, "who is authenticated is not limited");
	check(flood("[2001:db8:1:2::1]:1", 60, TP_STUN_BINDING) + flood("[2001:db8:1:3::1]:1", 60, TP_STUN_BINDING) == 50,
	      "ruling 3: of IPv6 it is a /48");
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "100.64.%d.1:1", i);
		answered += flood(text, 20, TP_STUN_BINDING);
	}
	check(answered > 0 && answered <= 200, "ruling 3: all prefixes together have a limit (%u)", answered);
	check(bench_counters(&b).rate_limited > 0, "it is counted");
	bench_advance(&b, BENCH_S);
	check_eq(flood("203.0.113.1:1", 100, TP_STUN_BINDING), 50, "and a second later there is room again");
	end("rates");
}

int main(void)
{
	test_lengths();
	test_duplicates();
	test_truncated();
	test_flipped();
	test_random();
	test_amplification();
	test_rates();
	return done();
}
