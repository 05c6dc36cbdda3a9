/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An engine takes over what an earlier one left in the data path: allocations with their addresses,
 * permissions, channels and times, and nothing of what cannot go on.
 */
#include "lib/tap.h"
#include "unit/turn_bench.h"
#include "turnpike/abi.h"

#define PEER "203.0.113.5:7000"

/* Both engines are gone without a word to anybody, as in a kill; their data path stays. */
static void engines_die(struct bench *b)
{
	for (unsigned int i = 0; i < BENCH_WORKERS; i++) {
		tp_turn_leave(b->turn[i]);
		tp_turn_free(b->turn[i]);
	}
	tp_registry_free(b->registry);
}

struct outcome {
	struct bench *b;
	unsigned int adopted, refused;
	int error;
};

static bool adopt_one(void *arg, const struct tp_keep *keep)
{
	struct outcome *o = arg;
	int err = tp_turn_adopt(o->b->turn[0], keep, &o->b->now);

	if (err) {
		o->refused++;
		o->error = err;
	} else {
		o->adopted++;
	}
	return true;
}

static struct outcome engines_adopt(struct bench *b)
{
	struct outcome o = { .b = b };

	b->registry = tp_registry_new(&b->conf, BENCH_WORKERS);
	for (unsigned int i = 0; i < BENCH_WORKERS; i++) {
		struct tp_turn_params params = { .worker = i, .registry = b->registry, .io = &b->io[i].io, .dp = b->dp };

		b->turn[i] = tp_turn_new(&params);
		tp_turn_configure(b->turn[i], &b->conf, b->auth, &b->now);
	}
	b->dp->ops->kept(b->dp, adopt_one, &o);
	b->dp->ops->sweep(b->dp);
	return o;
}

static struct outcome restart(struct bench *b)
{
	engines_die(b);
	return engines_adopt(b);
}

/* A client with a channel and a second permission. */
static struct tp_addr call_make(struct client *c, struct bench *b, const char *addr)
{
	struct tp_addr at;

	client_init(c, b, addr);
	check_eq(allocate(c), 0, "an allocation");
	at = relayed(c, 0);
	check(bind_channel(c, 0x4001, PEER) == 0 && permit(c, "203.0.113.9") == 0, "a channel and a permission");
	return at;
}

static void test_goes_on(void)
{
	struct tp_flow_traffic traffic = { .up = { .packets = 7, .bytes = 700 } };
	struct tp_turn_counters counters;
	struct bench b;
	struct client c;
	struct tp_addr at, peer = addr_of(PEER);
	struct outcome o;
	tp_flow_id channel;
	size_t flows;

	bench_init(&b);
	bench_start(&b);
	at = call_make(&c, &b, "198.51.100.7:4000");
	bench_advance(&b, 100 * BENCH_S);
	flows = tp_dp_mock_count(b.dp, 0);
	channel = tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0);
	tp_dp_mock_set_traffic(b.dp, channel, &traffic);
	o = restart(&b);
	check(o.adopted == 1 && !o.refused, "the allocation is adopted");
	check_eq(tp_dp_mock_count(b.dp, 0), flows, "its flows are those that were there");
	check_eq(tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0), channel, "under their handles");
	check(socket_of(&b, &at) != NULL, "its relayed address is open again");
	counters = bench_counters(&b);
	check(counters.allocations == 1 && counters.kernel.up.packets == 7, "it is counted, with its traffic");
	check_eq(tp_dp_mock_life(b.dp, channel)->channel_ns, 1600 * BENCH_S, "the channel's end is what it was");
	check_eq(peer_sends(&b, &at, PEER, "x", 1, NULL), 'C', "userspace relays as ChannelData");
	check_eq(peer_sends(&b, &at, "203.0.113.9:1", "x", 1, NULL), 'D', "and by the permission");
	check(send_channel(&c, 0x4001, "up"), "and from the client");
	check_eq(refresh(&c, -1), 0, "a Refresh with the old nonce and credentials (RFC 8656 section 8)");
	check_eq(bind_channel(&c, 0x4001, "203.0.113.6:1"), 400, "the channel number is still bound (section 12.2)");
	check_eq(bind_channel(&c, 0x4002, "203.0.113.6:1"), 0, "another channel");
	check_eq(permit(&c, "203.0.113.7"), 0, "another permission");
	bench_advance(&b, 601 * BENCH_S);
	bench_tick(&b);
	check(!bench_counters(&b).allocations && !tp_dp_mock_keeps(b.dp), "it expires as any other");
	check_eq(bench_stop(&b), 0, "nothing is left");
}

static void test_clock(void)
{
	struct bench b;
	struct client c;
	struct outcome o;

	bench_init(&b);
	bench_start(&b);
	call_make(&c, &b, "198.51.100.7:4000");
	engines_die(&b);
	b.now.mono_ns += 400 * BENCH_S;
	o = engines_adopt(&b);
	check_eq(o.adopted, 1, "after 400 s without a daemon");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 1, "the channel lives");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_PERMISSION), 0, "the permissions are over (section 9)");
	bench_advance(&b, 201 * BENCH_S);
	check_eq(bench_counters(&b).allocations, 0, "and the allocation 200 s later");
	call_make(&c, &b, "198.51.100.7:4000");
	engines_die(&b);
	b.now.mono_ns += 601 * BENCH_S;
	o = engines_adopt(&b);
	check(!o.adopted && o.error == -ENOENT, "an allocation whose time is over is not adopted");
	check(!tp_dp_mock_count(b.dp, 0) && !tp_dp_mock_keeps(b.dp), "and nothing stays of it");
	check_eq(bench_stop(&b), 0, "nothing is left");
}

/* One allocation, spoilt somehow between the engines: refused with this error, and swept. */
static void refused(const char *what, void (*spoil)(struct bench *b), int error)
{
	struct bench b;
	struct client c;
	struct outcome o;

	bench_init(&b);
	bench_start(&b);
	call_make(&c, &b, "198.51.100.7:4000");
	engines_die(&b);
	spoil(&b);
	o = engines_adopt(&b);
	check(!o.adopted && o.error == error, "%s: not adopted (%d)", what, o.error);
	check(!tp_dp_mock_count(b.dp, 0) && !tp_dp_mock_keeps(b.dp) && b.opened == b.closed, "%s: nothing stays", what);
	check_eq(allocate(&c), 0, "%s: the client may allocate again", what);
	check_eq(bench_stop(&b), 0, "%s: nothing is left", what);
}

static void spoil_user(struct bench *b)
{
	tp_dp_mock_keep(b->dp, 0)->who.user[0] = 'b';
}

static void spoil_key(struct bench *b)
{
	tp_dp_mock_keep(b->dp, 0)->sealed[40] ^= 1;
}

static void spoil_port(struct bench *b)
{
	b->open_error = -EADDRINUSE;
	b->open_errors = 1;
}

static void spoil_address(struct bench *b)
{
	b->relays[0].addr = addr_of("192.0.2.11");
}

static void spoil_family(struct bench *b)
{
	tp_dp_mock_keep(b->dp, 0)->client_family = 5;
}

static void test_refused(void)
{
	refused("another user written into the record", spoil_user, -EBADMSG);
	refused("another key", spoil_key, -EBADMSG);
	refused("the port is taken", spoil_port, -EADDRINUSE);
	refused("the address is not configured any more", spoil_address, -EADDRNOTAVAIL);
	refused("a family that there is not", spoil_family, -EBADMSG);
}

/* Whichever of the two writes of a start or an end was the last one. */
static void test_between_writes(void)
{
	struct bench b;
	struct client c;
	struct outcome o;
	uint64_t id;

	bench_init(&b);
	bench_start(&b);
	call_make(&c, &b, "198.51.100.7:4000");
	id = tp_dp_mock_keep(b.dp, 0)->who.id;
	engines_die(&b);
	b.dp->ops->forget(b.dp, id);
	o = engines_adopt(&b);
	check(!o.adopted && !o.refused && !tp_dp_mock_count(b.dp, 0), "flows without a record are swept");
	call_make(&c, &b, "198.51.100.7:4001");
	engines_die(&b);
	for (tp_flow_id flow; (flow = tp_dp_mock_find(b.dp, 0, NULL, 0));) {
		struct tp_flow_traffic traffic;

		b.dp->ops->remove(b.dp, flow);
		b.dp->ops->harvest(b.dp, flow, &traffic);
	}
	o = engines_adopt(&b);
	check_eq(o.adopted, 1, "a record without flows is adopted");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_SEND), 1, "and its flows are told anew");
	check_eq(bind_channel(&c, 0x4001, PEER), 0, "its client binds again");
	check_eq(bench_stop(&b), 0, "nothing is left");
}

static void test_what_is_kept(void)
{
	struct bench b;
	struct client c, stream;
	int nothing;

	bench_init(&b);
	b.conf.max_bps = 100000;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:4000");
	check_eq(allocate_dual(&c), 0, "both families");
	check_eq(tp_dp_mock_keeps(b.dp), 1, "an allocation has a record");
	client_init(&stream, &b, "198.51.100.7:4001");
	stream.path.tuple.transport = TP_TCP;
	stream.path.conn = &nothing;
	check_eq(allocate(&stream), 0, "of a client over TCP");
	check_eq(tp_dp_mock_keeps(b.dp), 1, "that of a stream's client has none");
	check_eq(refresh_family(&c, 0, 6), 0, "one family ends");
	check_eq(restart(&b).adopted, 1, "the other one is adopted");
	check_eq(refresh_family(&c, 600, 6), 443, "and only that");
	check_eq(tp_dp_mock_polices(b.dp), 1, "with the bucket that its rules have");
	check_eq(refresh(&c, 0), 0, "a Refresh ends it");
	bench_tick(&b);
	check(!tp_dp_mock_keeps(b.dp) && !tp_dp_mock_polices(b.dp), "and record and bucket with it");
	check_eq(bench_stop(&b), 0, "nothing is left");
}

int main(void)
{
	test_goes_on();
	test_clock();
	test_refused();
	test_between_writes();
	test_what_is_kept();
	return done();
}
