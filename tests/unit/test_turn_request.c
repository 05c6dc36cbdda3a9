/* SPDX-License-Identifier: GPL-2.0 */
/* What all requests share: RFC 8489 sections 6.3 and 9.2.4, RFC 8656 section 5; workers; ruling 3. */
#include "lib/tap.h"
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
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_credentials(void)
{
	struct client other;
	struct message m;

	bench_init(&b);
	b.conf.stale_nonce_s = 600;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	c.password = "wrong";
	check_eq(allocate(&c), 401, "8489 9.2.4: a wrong password is 401");
	check(reply_has(&c, TP_STUN_ATTR_NONCE) && reply_has(&c, TP_STUN_ATTR_REALM), "8489 9.2.4: with REALM and NONCE");
	check(!c.reply.integrity, "8489 9.2.4: and no integrity");
	c.password = "wonder";
	check_eq(allocate(&c), 0, "the right one");
	bench_advance(&b, 599 * BENCH_S);
	check_eq(refresh(&c, 600), 0, "8489 9.2: a nonce serves for its lifetime");
	bench_advance(&b, 2 * BENCH_S);
	check_eq(refresh(&c, 600), 438, "8489 9.2.4: then it is stale");
	check(!reply_has(&c, TP_STUN_ATTR_SOFTWARE), "ruling 3: a 438 carries no SOFTWARE");
	check_eq(bench_counters(&b).stale_nonce, 1, "and counted");
	client_challenge(&c);
	c.user = "bob";
	c.password = "builder";
	check_eq(refresh(&c, 600), 441, "8656 5: another user on the allocation's 5-tuple is 441");
	check_eq(permit(&c, "203.0.113.1"), 441, "8656 5: for every method");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 441, "8656 5: but Allocate");
	client_init(&other, &b, "198.51.100.8:40000");
	other.nonce_size = c.nonce_size;
	memcpy(other.nonce, c.nonce, c.nonce_size);
	check_eq(permit(&other, "203.0.113.1"), 438, "ruling 3: a nonce is bound to the address it was made for");
	request(&m, &c, TP_STUN_REFRESH);
	tp_stun_put(&m.w, TP_STUN_ATTR_USERNAME, "alice", 5);
	m.bare = true;
	check_eq(message_send(&m), 401, "8489 9.2.4: no MESSAGE-INTEGRITY is 401");
	end("credentials");
}

static void test_mismatch(void)
{
	begin();
	client_challenge(&c);
	check_eq(refresh(&c, 600), 437, "8656 5: a Refresh without allocation is 437");
	check_eq(permit(&c, "203.0.113.1"), 437, "8656 5: a CreatePermission too");
	check_eq(bind_channel(&c, 0x4000, "203.0.113.1:1"), 437, "8656 5: and a ChannelBind");
	check(!send_indication(&c, "203.0.113.1:1", "x"), "8656 5: a Send is ignored");
	check(!send_channel(&c, 0x4000, "x"), "8656 5: ChannelData is ignored");
	check_eq(bench_counters(&b).mismatched, 4, "and counted");
	end("mismatch");
}

static void test_unknown(void)
{
	struct tp_stun_attr attr;
	struct message m;
	unsigned int before;

	begin();
	allocate(&c);
	request(&m, &c, TP_STUN_REFRESH);
	tp_stun_put(&m.w, 0x7ffe, "x", 1);
	tp_stun_put(&m.w, 0x8ffe, "x", 1);
	tp_stun_put(&m.w, 0x0030, "x", 1);
	tp_stun_put(&m.w, 0x7ffe, "x", 1);
	check_eq(message_send(&m), 420, "8489 6.3.1: an unknown comprehension-required attribute is 420");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_UNKNOWN_ATTRIBUTES, &attr) && attr.size == 4 &&
	      !memcmp(tp_stun_value(&c.reply, &attr), "\x7f\xfe\x00\x30", 4), "8489 14.13: each is named once");
	request(&m, &c, TP_STUN_REFRESH);
	tp_stun_put(&m.w, 0x8ffe, "x", 1);
	check_eq(message_send(&m), 0, "8489 6.3: an unknown optional attribute is ignored");
	request(&m, &c, TP_STUN_ALLOCATE);
	tp_stun_put(&m.w, 0x7ffe, "x", 1);
	m.bare = true;
	check_eq(message_send(&m), 401, "8489 6.3: authentication comes before unknown attributes");
	request(&m, &c, TP_STUN_REFRESH);
	put_credentials(&m);
	tp_stun_put(&m.w, 0x7ffe, "x", 1);
	m.bare = true;
	check_eq(message_send(&m), 0, "8489 14.5: attributes after MESSAGE-INTEGRITY are ignored");
	permit(&c, "203.0.113.1");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, "203.0.113.1:1");
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	tp_stun_put(&m.w, 0x7ffe, "x", 1);
	before = b.peer.count;
	check(message_send(&m) == -1 && b.peer.count == before,
	      "8489 6.3.2: an indication with an unknown required attribute is discarded");
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	tp_stun_put(&m.w, 0x7ffe, "x", 1);
	check_eq(message_send(&m), 420, "8489 6.3.1: for Binding too");
	check_eq(bench_counters(&b).unknown_attributes, 2, "they are counted");
	end("unknown attributes");
}

static int send_type(uint16_t method, uint8_t class)
{
	struct message m;

	message_begin(&m, &c, method, class);
	m.bare = true;
	return message_send(&m);
}

static void test_methods(void)
{
	begin();
	check_eq(send_type(0x005, TP_STUN_REQUEST), -1, "8489 6.3: a request of an unknown method is discarded");
	check_eq(send_type(0xfff, TP_STUN_REQUEST), -1, "8489 6.3: whatever its number");
	check_eq(send_type(TP_STUN_SEND, TP_STUN_REQUEST), -1, "8489 6.3: a method is not known in every class: Send");
	check_eq(send_type(TP_STUN_DATA, TP_STUN_REQUEST), -1, "8489 6.3: Data");
	check_eq(send_type(TP_STUN_DATA, TP_STUN_INDICATION), -1, "8656 11: a Data indication to the server is discarded");
	check_eq(send_type(TP_STUN_ALLOCATE, TP_STUN_INDICATION), -1, "8489 6.3: an Allocate indication is discarded");
	check_eq(send_type(TP_STUN_ALLOCATE, TP_STUN_SUCCESS), -1, "8489 6.3.3: responses to nothing are discarded");
	check_eq(send_type(TP_STUN_ALLOCATE, TP_STUN_ERROR), -1, "8489 6.3.4: errors too");
	check_eq(send_type(TP_STUN_BINDING, TP_STUN_INDICATION), -1, "8489 12: a Binding indication is answered by nothing");
	check_eq(b.opened, 0, "none of them leaves anything");
	end("methods");
}

static void test_binding(void)
{
	struct tp_stun_attr attr;
	struct tp_addr mapped;
	struct client v6;
	struct message m;

	begin();
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	check_eq(message_send(&m), 0, "8489 12: a Binding request needs no credentials");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &attr) &&
	      !tp_stun_get_xor_addr(&c.reply, &attr, &mapped) && tp_addr_equal(&mapped, &c.path.tuple.client),
	      "8489 6.3.1.1: its answer is the source address");
	check_eq(b.client.size, 32, "ruling 3: in 32 bytes for IPv4");
	client_init(&v6, &b, "[2001:db8:1::7]:40000");
	message_begin(&m, &v6, TP_STUN_BINDING, TP_STUN_REQUEST);
	message_send(&m);
	check_eq(b.client.size, 44, "ruling 3: and 44 for IPv6");
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	tp_stun_put_fingerprint(&m.w);
	check(message_send(&m) == 0 && c.reply.fingerprint, "8489 7: who uses FINGERPRINT gets one");
	tp_stun_begin(&m.w, m.buf, sizeof(m.buf), TP_STUN_BINDING, TP_STUN_REQUEST, &(struct tp_stun_id){ { 1, 2, 3 } });
	check_eq(message_send(&m), -1, "RFC 3489 requests are not answered unless it is configured");
	end("binding");
}

static void test_switches(void)
{
	struct message m;

	bench_init(&b);
	b.conf.stun_only = true;
	b.conf.fingerprint = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	check_eq(message_send(&m), -1, "stun-only: TURN is not answered");
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	check(message_send(&m) == 0 && c.reply.fingerprint, "fingerprint: every response has one");
	end("stun-only");

	bench_init(&b);
	b.conf.no_stun = true;
	b.conf.software_attribute = false;
	bench_start(&b);
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	check_eq(message_send(&m), -1, "no-stun: Binding is not answered");
	client_init(&c, &b, "198.51.100.7:40000");
	check(allocate(&c) == 0 && !reply_has(&c, TP_STUN_ATTR_SOFTWARE), "software-attribute=0: no SOFTWARE");
	end("no-stun");

	bench_init(&b);
	b.conf.secure_stun = true;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	check_eq(message_send(&m), 401, "secure-stun: Binding wants credentials");
	client_challenge(&c);
	message_begin(&m, &c, TP_STUN_BINDING, TP_STUN_REQUEST);
	m.bare = false;
	check(message_send(&m) == 0 && tp_stun_check_integrity(&c.reply, c.key, sizeof(c.key)), "and gets them");
	end("secure-stun");

	bench_init(&b);
	b.conf.no_auth = true;
	b.conf.lt_cred_mech = false;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	request(&m, &c, TP_STUN_ALLOCATE);
	m.bare = true;
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	check(message_send(&m) == 0 && !c.reply.integrity, "no-auth: an Allocate without credentials succeeds");
	end("no-auth");
}

static void test_workers(void)
{
	struct client there;
	struct message m;

	begin();
	check_eq(allocate(&c), 0, "an allocation of worker 0");
	there = c;
	there.worker = 1;
	check_eq(refresh(&there, 600), -2, "ruling 19: worker 1 names the owner of a request");
	check_eq(permit(&there, "203.0.113.1"), -2, "of every method");
	message_begin(&m, &there, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, "203.0.113.1:1");
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	check_eq(message_send(&m), -2, "of an indication");
	check_eq(client_input(&there, "\x40\x00\x00\x00", 4), 0, "and of ChannelData");
	message_begin(&m, &there, TP_STUN_BINDING, TP_STUN_REQUEST);
	check_eq(message_send(&m), 0, "Binding is answered by any worker");
	refresh(&c, 0);
	check_eq(allocate(&there), 0, "a 5-tuple that is free again belongs to who takes it");
	check_eq(refresh(&c, 600), -3, "and then worker 0 names worker 1");
	end("workers");
}

int main(void)
{
	test_credentials();
	test_mismatch();
	test_unknown();
	test_methods();
	test_binding();
	test_switches();
	test_workers();
	return done();
}
