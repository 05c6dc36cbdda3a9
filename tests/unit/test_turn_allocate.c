/* SPDX-License-Identifier: GPL-2.0 */
/* Allocate: RFC 8656 section 7.2, each of its points and error codes; RFC 8489 section 10. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

static struct bench b;
static struct client c;

static void begin(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static bool mapped_is_client(void)
{
	struct tp_stun_attr attr;
	struct tp_addr mapped;

	return tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr) &&
	       !tp_stun_get_xor_addr(&c.reply, &attr, &mapped) && tp_addr_equal(&mapped, &c.path.tuple.client);
}

static void test_first(void)
{
	struct tp_addr addr;
	struct message m;

	begin();
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	check_eq(message_send(&m), 401, "8656 7.2 point 1: a request without credentials is answered with 401");
	check(!reply_has(&c, TP_STUN_ATTR_SOFTWARE), "ruling 3: a 401 carries no SOFTWARE");
	check(b.client.size <= 160, "ruling 3: a 401 is short");
	check_eq(b.opened, 0, "no state before authentication");
	check_eq(allocate(&c), 0, "8656 7.2: an authenticated request makes an allocation");
	addr = relayed(&c, 0);
	check(addr.family == 4 && tp_addr_same_ip(&addr, &b.relays[0].addr),
	      "8656 7.2 point 7: without REQUESTED-ADDRESS-FAMILY the relayed address is IPv4");
	check(addr.port >= 50000 && addr.port <= 50099, "8656 7.2: its port is in the configured range");
	check(mapped_is_client(), "8656 7.2: the response has XOR-MAPPED-ADDRESS");
	check_eq(lifetime(&c), 600, "8656 7.2: LIFETIME is the default where the client names none");
	check(reply_has(&c, TP_STUN_ATTR_SOFTWARE), "8656 5: an Allocate response has SOFTWARE");
	check(tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)), "8489 9.2.4: the response is protected");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_SEND), 1, "the data path is told the allocation's send flow");
	check(tp_addr_equal(&b.client.to, &c.path.tuple.client) && tp_addr_equal(&b.client.from, &c.path.tuple.server),
	      "8656 7.2: the response is sent back on the 5-tuple");
	end("first allocation");
}

static void test_retransmission(void)
{
	struct tp_stun_id id;
	struct tp_addr addr;
	struct message m;

	begin();
	check_eq(allocate(&c), 0, "an allocation");
	addr = relayed(&c, 0);
	id = c.last_id;
	bench_advance(&b, 2 * BENCH_S);
	message_begin_id(&m, &c, TP_STUN_ALLOCATE, TP_STUN_REQUEST, &id);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	check_eq(message_send(&m), 0, "8656 7.2: the same transaction again is answered with success again");
	check(tp_addr_equal(&addr, (struct tp_addr[]){ relayed(&c, 0) }), "8656 7.2: with the same relayed address");
	check_eq(b.opened, 1, "8656 5: a retransmission makes no second allocation");
	check_eq(allocate(&c), 437, "8656 7.2 point 2: another Allocate on the 5-tuple is a mismatch");
	c.user = "bob";
	c.password = "builder";
	message_begin_id(&m, &c, TP_STUN_ALLOCATE, TP_STUN_REQUEST, &id);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	check_eq(message_send(&m), 437, "8656 7.2 point 2: the same transaction id of another user is none");
	check_eq(bench_counters(&b).mismatched, 2, "mismatches are counted");
	end("retransmission");
}

static int allocate_transport_rffu(int protocol, size_t size, uint8_t rffu)
{
	uint8_t value[8] = { (uint8_t)protocol, rffu, rffu, rffu };
	struct message m;

	if (!c.nonce_size)
		client_challenge(&c);
	request(&m, &c, TP_STUN_ALLOCATE);
	if (protocol >= 0)
		tp_stun_put(&m.w, TP_STUN_ATTR_REQUESTED_TRANSPORT, value, size);
	return message_send(&m);
}

static int allocate_transport(int protocol, size_t size)
{
	return allocate_transport_rffu(protocol, size, 0);
}

static void test_transport(void)
{
	begin();
	check_eq(allocate_transport(-1, 0), 400, "8656 7.2 point 3: no REQUESTED-TRANSPORT is a bad request");
	check_eq(allocate_transport(17, 3), 400, "8656 7.2 point 3: nor is a malformed one good");
	check_eq(allocate_transport(17, 8), 400, "8656 7.2 point 3: nor one that is too long");
	check_eq(allocate_transport(132, 4), 442, "8656 7.2 point 3: another protocol is not supported");
	check(reply_has(&c, TP_STUN_ATTR_SOFTWARE), "8656 5: an Allocate error response has SOFTWARE");
	check_eq(b.opened, 0, "refused requests open nothing");
	check_eq(allocate_transport(17, 4), 0, "8656 18.8: UDP is");
	refresh(&c, 0);
	check_eq(allocate_transport_rffu(17, 4, 0xff), 0, "8656 18.8: RFFU is ignored");
	end("transport");
}

static int allocate_with(uint16_t type, const void *value, size_t size)
{
	struct message m;

	allocate_begin(&m, &c);
	tp_stun_put(&m.w, type, value, size);
	return message_send(&m);
}

static void test_families(void)
{
	struct message m;

	begin();
	check_eq(allocate_family(&c, 6), 0, "8656 7.2 point 7: IPv6 is served where it is configured");
	check_eq(relayed(&c, 0).family, 6, "8656 7.2: with an IPv6 relayed address");
	refresh(&c, 0);
	check_eq(allocate_with(TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x03\0\0\0", 4), 440,
		 "8656 7.2 point 7: an unknown family is not supported");
	check_eq(allocate_with(TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x01\0", 2), 400,
		 "8656 18.6: a family of the wrong length is a bad request");
	check_eq(allocate_with(TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x01\xff\xff\xff", 4), 0,
		 "8656 18.6: its reserved bits are ignored");
	refresh(&c, 0);
	allocate_begin(&m, &c);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2);
	put_u8(&m, TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	check_eq(message_send(&m), 400, "8656 7.2 point 6: requested and additional family together are a bad request");
	check_eq(allocate_with(TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, "\x01\0\0\0", 4), 400,
		 "8656 7.2 point 9: IPv4 as the additional family is a bad request");
	end("families");
}

static void test_family_missing(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.relay_len = 1;	/* IPv4 only */
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate_family(&c, 6), 440, "8656 7.2 point 7: a family without a relay address is 440");
	check_eq(allocate_dual(&c), 0, "8656 7.2 point 9: half of a dual allocation is a success");
	check(reply_has(&c, TP_STUN_ATTR_ADDRESS_ERROR_CODE), "8656 7.2 point 9: with ADDRESS-ERROR-CODE");
	check(relayed(&c, 0).family == 4 && !relayed(&c, 1).family, "8656 7.2 point 9: and the one address");
	end("a family is missing");

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.relay = b.relays + 1;
	b.conf.relay_len = 1;	/* IPv6 only */
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate(&c), 440, "8656 7.2 point 7: no wish for a family, and no IPv4: 440");
	end("IPv4 is missing");
}

static void test_dual(void)
{
	struct tp_stun_attr attr;
	const uint8_t *value;

	begin();
	check_eq(allocate_dual(&c), 0, "8656 7.2 point 9: a dual allocation");
	check(relayed(&c, 0).family == 4 && relayed(&c, 1).family == 6, "8656 7.2: two XOR-RELAYED-ADDRESS");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_SEND), 2, "the data path knows both");
	refresh(&c, 0);
	b.open_error = -EMFILE;
	b.open_errors = 1;
	check_eq(allocate_dual(&c), 0, "8656 7.2 point 9: one of two without capacity");
	check(relayed(&c, 0).family == 6 && tp_stun_find(&c.reply, TP_STUN_ATTR_ADDRESS_ERROR_CODE, &attr),
	      "8656 7.2 point 9: ADDRESS-ERROR-CODE tells of the other");
	value = tp_stun_value(&c.reply, &attr);
	check(value[0] == 1 && !value[1] && value[2] == 5 && value[3] == 8, "8656 18.12: family and code 508, reserved zero");
	check(attr.size - 4 < 128, "8656 18.12: its reason is short");
	refresh(&c, 0);
	b.open_errors = 2;
	check_eq(allocate_dual(&c), 508, "8656 7.2 point 9: neither: 508");
	check_eq(allocate_with(TP_STUN_ATTR_OLD_ADDITIONAL_ADDRESS_FAMILY, "\x02\0\0\0", 4), 0,
		 "the attribute's number before RFC 8656 is understood (coturn's client)");
	check_eq(relayed(&c, 1).family, 6, "and is a dual allocation");
	end("dual");
}

static int allocate_even(bool reserve)
{
	return allocate_with(TP_STUN_ATTR_EVEN_PORT, reserve ? "\x80" : "\x00", 1);
}

static void test_even_port(void)
{
	bool even = true;
	struct message m;

	begin();
	for (int i = 0; i < 20; i++) {
		check_eq(allocate_even(false), 0, "8656 7.2: EVEN-PORT, number %d", i);
		even &= relayed(&c, 0).port % 2 == 0;
		refresh(&c, 0);
		bench_tick(&b);
	}
	check(even, "8656 7.2: EVEN-PORT without R gives even ports");
	check_eq(allocate_with(TP_STUN_ATTR_EVEN_PORT, "\x00\x00", 2), 400, "8656 18.7: EVEN-PORT has one byte");
	check_eq(allocate_with(TP_STUN_ATTR_EVEN_PORT, "\x7f", 1), 0, "8656 18.7: RFFU is ignored");
	check(!reply_has(&c, TP_STUN_ATTR_RESERVATION_TOKEN), "8656 7.2: without R nothing is reserved");
	refresh(&c, 0);
	allocate_begin(&m, &c);
	tp_stun_put(&m.w, TP_STUN_ATTR_EVEN_PORT, "\x80", 1);
	put_u8(&m, TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	check_eq(message_send(&m), 400, "8656 7.2 point 8: R and an additional family are a bad request");
	end("even port");
}

static void token_of(struct client *client, uint8_t ret[8])
{
	struct tp_stun_attr attr;

	memset(ret, 0, 8);
	if (tp_stun_find(&client->reply, TP_STUN_ATTR_RESERVATION_TOKEN, &attr) && attr.size == 8)
		memcpy(ret, tp_stun_value(&client->reply, &attr), 8);
}

static int allocate_token(struct client *client, const uint8_t token[8], uint16_t extra)
{
	struct message m;

	allocate_begin(&m, client);
	tp_stun_put(&m.w, TP_STUN_ATTR_RESERVATION_TOKEN, token, 8);
	if (extra == TP_STUN_ATTR_EVEN_PORT)
		tp_stun_put(&m.w, extra, "\0", 1);
	else if (extra)
		put_u8(&m, extra, 2);
	return message_send(&m);
}

static void test_reservation(void)
{
	static const uint8_t none[8], wrong[8] = { 1, 2, 3 };
	uint8_t token[8], again[8];
	struct client second, other;
	struct tp_addr first;
	struct tp_stun_id id;
	struct message m;

	begin();
	check_eq(allocate_even(true), 0, "8656 7.2: EVEN-PORT with R");
	first = relayed(&c, 0);
	id = c.last_id;
	token_of(&c, token);
	check(memcmp(token, none, 8) != 0, "8656 7.2: the response has a RESERVATION-TOKEN");
	message_begin_id(&m, &c, TP_STUN_ALLOCATE, TP_STUN_REQUEST, &id);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	tp_stun_put(&m.w, TP_STUN_ATTR_EVEN_PORT, "\x80", 1);
	message_send(&m);
	token_of(&c, again);
	check(!memcmp(token, again, 8), "8656 7.2: a retransmission gets the same token");
	client_init(&second, &b, "198.51.100.8:41000");
	check_eq(allocate_token(&second, wrong, 0), 508, "8656 7.2 point 5: a token that is not valid is 508");
	check_eq(allocate_token(&second, token, TP_STUN_ATTR_EVEN_PORT), 400, "8656 7.2 point 5: token and EVEN-PORT");
	check_eq(allocate_token(&second, token, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY), 400,
		 "8656 7.2 point 5: token and REQUESTED-ADDRESS-FAMILY");
	check_eq(allocate_token(&second, token, TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY), 400,
		 "8656 7.2 point 5: token and ADDITIONAL-ADDRESS-FAMILY");
	client_init(&other, &b, "198.51.100.9:41000");
	other.user = "bob";
	other.password = "builder";
	check_eq(allocate_token(&other, token, 0), 508, "a token is good for its own user only");
	client_init(&other, &b, "198.51.100.10:41000");
	other.worker = 1;
	check(client_challenge(&other), "a client of the other worker");
	check_eq(allocate_token(&other, token, 0), -2, "a token that another worker gave out is handed to it");
	check_eq(allocate_token(&second, token, 0), 0, "8656 7.2: the token's holder gets the port");
	check(relayed(&second, 0).port == first.port + 1 && first.port % 2 == 0, "8656 7.2: N is even, N+1 was reserved");
	check_eq(lifetime(&second), 600, "8656 7.2: with a lifetime as any other's");
	check(!reply_has(&second, TP_STUN_ATTR_RESERVATION_TOKEN), "8656 7.2: and no token of its own");
	bench_advance(&b, 60 * BENCH_S);
	check_eq(refresh(&second, 600), 0, "and outlives the reservation");
	client_init(&other, &b, "198.51.100.11:41000");
	check_eq(allocate_token(&other, token, 0), 508, "8656 7.2: a token is used once");
	end("reservation");
}

static void test_reservation_expiry(void)
{
	struct client second;
	uint8_t token[8];

	begin();
	allocate_even(true);
	token_of(&c, token);
	client_init(&second, &b, "198.51.100.8:41000");
	bench_advance(&b, 29 * BENCH_S);
	check_eq(b.closed, 0, "8656 7.2: a reservation is held for 30 seconds");
	bench_advance(&b, BENCH_S);
	check_eq(b.closed, 1, "and not longer");
	check_eq(allocate_token(&second, token, 0), 508, "8656 7.2 point 5: an expired token is 508");
	end("reservation's end");
}

static int allocate_lifetime(uint32_t seconds)
{
	struct message m;

	allocate_begin(&m, &c);
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, seconds);
	return message_send(&m);
}

static void test_lifetime(void)
{
	begin();
	check(allocate_lifetime(1200) == 0 && lifetime(&c) == 1200, "8656 7.2: a longer lifetime is granted");
	refresh(&c, 0);
	check(allocate_lifetime(100000) == 0 && lifetime(&c) == 3600, "8656 7.2: up to the maximum");
	refresh(&c, 0);
	check(allocate_lifetime(10) == 0 && lifetime(&c) == 600, "8656 7.2: a shorter one becomes the default");
	refresh(&c, 0);
	check(allocate_lifetime(0) == 0 && lifetime(&c) == 600, "8656 7.2: zero too");
	refresh(&c, 0);
	check_eq(allocate_with(TP_STUN_ATTR_LIFETIME, "\0\0\1", 3), 400, "a LIFETIME of the wrong length is a bad request");
	end("lifetime");

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.max_allocate_lifetime_s = 5;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check(allocate_lifetime(1200) == 0 && lifetime(&c) == 5, "ruling 2: max-allocate-lifetime bounds the default");
	bench_advance(&b, 5 * BENCH_S);
	check_eq(refresh(&c, 600), 437, "8656 6: an allocation ends at its time");
	check_eq(b.closed, 1, "and its port is free");
	end("short lifetime");
}

static void test_dont_fragment(void)
{
	begin();
	check_eq(allocate_with(TP_STUN_ATTR_DONT_FRAGMENT, "", 0), 0, "8656 7.2 point 4: DONT-FRAGMENT is supported");
	refresh(&c, 0);
	check_eq(allocate_with(TP_STUN_ATTR_DONT_FRAGMENT, "abcd", 4), 400, "8656 18.9: it has no value");
	end("don't fragment");
}

static void test_alternate(void)
{
	struct tp_alternate alternate[] = {
		{ .addr = addr_of("192.0.2.77:3478"), .kind = TP_ALT_PLAIN },
		{ .addr = addr_of("192.0.2.78:5349"), .kind = TP_ALT_TLS },
		{ .addr = addr_of("[2001:db8::77]:3478"), .kind = TP_ALT_PLAIN },
	};
	struct client v6;
	struct tp_addr addr;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.alternate = alternate;
	b.conf.alternate_len = 3;
	b.conf.alternate_domain = (char *)"turn.example.org";
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate(&c), 300, "8489 10: a configured alternate takes Allocate requests");
	check(!tp_stun_get_addr(&c.reply, TP_STUN_ATTR_ALTERNATE_SERVER, &addr) &&
	      tp_addr_equal(&addr, &alternate[0].addr), "8489 14.15: ALTERNATE-SERVER of the client's family");
	check(tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)), "8489 10: to an authenticated client, protected");
	check(!reply_has(&c, TP_STUN_ATTR_ALTERNATE_DOMAIN), "8489 14.16: no domain where there is no certificate");
	client_init(&v6, &b, "[2001:db8:1::7]:40000");
	check_eq(allocate(&v6), 300, "8489 10: over IPv6 too");
	check(!tp_stun_get_addr(&v6.reply, TP_STUN_ATTR_ALTERNATE_SERVER, &addr) &&
	      tp_addr_equal(&addr, &alternate[2].addr), "8489 14.15: never of another family");
	client_init(&v6, &b, "198.51.100.7:40001");
	v6.path.tuple.transport = TP_TLS;
	v6.path.conn = &v6;
	check_eq(allocate(&v6), 300, "8489 10: over TLS");
	check(!tp_stun_get_addr(&v6.reply, TP_STUN_ATTR_ALTERNATE_SERVER, &addr) &&
	      tp_addr_equal(&addr, &alternate[1].addr) && reply_has(&v6, TP_STUN_ATTR_ALTERNATE_DOMAIN),
	      "8489 14.16: a TLS client gets the TLS server and ALTERNATE-DOMAIN");
	check_eq(b.opened, 0, "a redirected client costs nothing");
	end("alternate server");
}

static void test_drain(void)
{
	struct client second;

	begin();
	check_eq(allocate(&c), 0, "an allocation before the drain");
	tp_turn_set_drain(b.turn[0], true);
	client_init(&second, &b, "198.51.100.8:40000");
	check_eq(allocate(&second), 508, "8656 19: while draining, new allocations are refused with 508");
	check_eq(refresh(&c, 600), 0, "and the others go on");
	tp_turn_set_drain(b.turn[0], false);
	check_eq(allocate(&second), 0, "until the drain ends");
	end("drain");
}

static void test_exhausted(void)
{
	struct client more;

	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	b.conf.min_port = 50000;
	b.conf.max_port = 50001;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	check_eq(allocate(&c), 0, "the first of two ports");
	client_init(&more, &b, "198.51.100.7:40001");
	check_eq(allocate(&more), 0, "the second");
	client_init(&more, &b, "198.51.100.7:40002");
	check_eq(allocate(&more), 508, "8656 7.2: no free port is 508");
	check_eq(bench_counters(&b).capacity_reached, 1, "and counted");
	refresh(&c, 0);
	bench_tick(&b);
	check_eq(allocate(&more), 0, "8656 7.2: a port that was given back is used again");
	end("exhausted ports");

	begin();
	b.open_error = -EADDRINUSE;
	b.open_errors = 5;
	check_eq(allocate(&c), 0, "ports that other programs hold are passed over");
	refresh(&c, 0);
	b.open_errors = 1000;
	check_eq(allocate(&c), 508, "in a bounded number of tries");
	check(b.open_errors > 900, "which are few");
	end("foreign ports");
}

int main(void)
{
	test_first();
	test_retransmission();
	test_transport();
	test_families();
	test_family_missing();
	test_dual();
	test_even_port();
	test_reservation();
	test_reservation_expiry();
	test_lifetime();
	test_dont_fragment();
	test_alternate();
	test_drain();
	test_exhausted();
	return done();
}
