/* SPDX-License-Identifier: GPL-2.0 */
/* An allocation's end in the order of ruling 8, reloads, the control socket's view, streams. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

#define PEER	"203.0.113.5:7000"

static struct bench b;
static struct client c;
static struct tp_addr addr;

static void begin(void)
{
	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate(&c);
	addr = relayed(&c, 0);
	bind_channel(&c, 0x4000, PEER);
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static void test_removal(void)
{
	struct tp_flow_traffic traffic = { .up = { .packets = 7, .bytes = 70 }, .down = { .packets = 3, .bytes = 30 } };
	struct tp_turn_counters counters;
	tp_flow_id flow;

	begin();
	send_channel(&c, 0x4000, "abcd");
	peer_sends(&b, &addr, PEER, "xy", 2, NULL);
	flow = tp_dp_mock_find(b.dp, TP_DP_CHANNEL, NULL, 0x4000);
	tp_dp_mock_set_traffic(b.dp, flow, &traffic);
	tp_dp_mock_hold(b.dp, true);
	refresh(&c, 0);
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "ruling 8: first the flows leave the data path");
	check_eq(bench_counters(&b).kernel.up.packets, 7, "what they have counted is not missed meanwhile");
	bench_advance(&b, BENCH_S);
	check_eq(tp_dp_mock_removed(b.dp), 3, "ruling 8: they wait for their grace period");
	check_eq(b.closed, 0, "ruling 8: and the socket stays open meanwhile");
	traffic.up.packets = 8;
	tp_dp_mock_set_traffic(b.dp, flow, &traffic);
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 0, "but relays nothing");
	check(tp_turn_tick(b.turn[0], &b.now) <= b.now.mono_ns + 20000000, "the engine wants to be asked again soon");
	counters = bench_counters(&b);
	check(counters.allocations == 0 && counters.allocations_ended == 1, "it counts as ended");
	tp_dp_mock_hold(b.dp, false);
	bench_tick(&b);
	check_eq(tp_dp_mock_removed(b.dp), 0, "ruling 8: after it they are harvested");
	check_eq(b.closed, 1, "ruling 8: and then the port is free");
	counters = bench_counters(&b);
	check(counters.kernel.up.packets == 8 && counters.kernel.down.bytes == 30, "the data path's traffic is kept, the last packet too");
	check(counters.user.up.bytes == 4 && counters.user.down.packets == 1, "and userspace's");
	check_eq(tp_turn_tick(b.turn[0], &b.now), UINT64_MAX, "and there is nothing more to wait for");
	end("removal");
}

/* The port of an allocation that ended while its flows are in their grace period. */
static void test_port_reuse(void)
{
	struct client next;

	bench_init(&b);
	b.conf.max_port = 50000;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	client_init(&next, &b, "198.51.100.8:40000");
	allocate(&c);
	tp_dp_mock_hold(b.dp, true);
	refresh(&c, 0);
	bench_tick(&b);
	check_eq(allocate(&next), 508, "ruling 8: the port is nobody's before the harvest");
	tp_dp_mock_hold(b.dp, false);
	bench_tick(&b);
	check_eq(allocate(&next), 0, "and somebody else's after it");
	end("port reuse");
}

static void test_expired_in_data_path(void)
{
	const struct tp_flow_life *l;
	uint64_t end_ns;

	begin();
	end_ns = b.now.mono_ns + 600 * BENCH_S;
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_SEND, NULL, 0));
	check(l && l->up_ns == end_ns, "ruling 2: the send flow ends with the allocation, by the data path's own clock");
	b.now.mono_ns = end_ns;
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 0, "8656 6: userspace stops at the time too, be the timer late");
	check(!send_channel(&c, 0x4000, "x"), "8656 6: in both directions");
	end("expiry");
}

static void test_reload(void)
{
	struct tp_conf conf;
	struct client bob;

	begin();
	client_init(&bob, &b, "198.51.100.8:40000");
	bob.user = "bob";
	bob.password = "builder";
	check_eq(allocate(&bob), 0, "two users");
	conf = b.conf;
	conf.user_len = 1;
	bench_reload(&b, &conf);
	check_eq(bench_counters(&b).allocations, 1, "a reload ends the allocations of a user that is gone");
	check_eq(tp_dp_mock_count(b.dp, TP_DP_SEND), 1, "in the data path at once");
	check(send_channel(&c, 0x4000, "x"), "and nobody else's");
	end("user gone");

	begin();
	conf = b.conf;
	b.users[0].password = (char *)"changed";
	bench_reload(&b, &conf);
	check_eq(bench_counters(&b).allocations, 0, "a changed password ends what was made with the old one");
	end("password changed");
}

struct seen {
	unsigned int count;
	struct tp_allocation_info info;
	struct tp_permission_info permission;
	struct tp_channel_info channel;
};

static bool see(void *arg, const struct tp_allocation_info *info)
{
	struct seen *s = arg;

	s->count++;
	s->info = *info;
	if (info->permissions_len)
		s->permission = info->permissions[0];
	if (info->channels_len)
		s->channel = info->channels[0];
	return false;
}

static void test_visit(void)
{
	struct tp_flow_traffic traffic = { .up = { .packets = 5 } };
	struct tp_addr peer = addr_of(PEER);
	struct seen s = { 0 };
	struct client other;

	begin();
	bench_advance(&b, 10 * BENCH_S);
	tp_dp_mock_set_traffic(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, NULL, 0x4000), &traffic);
	tp_turn_visit(b.turn[0], &b.now, see, &s);
	check(s.count == 1 && !strcmp(s.info.username, "alice") && !strcmp(s.info.realm, "example.org"), "list: whose");
	check(tp_tuple_equal(&s.info.tuple, &c.path.tuple) && s.info.relayed_len == 1 &&
	      tp_addr_equal(&s.info.relayed[0], &addr), "list: which addresses");
	check(s.info.expires_in_s == 590 && s.info.age_s == 10, "list: its age and end");
	check(s.info.permissions_len == 1 && tp_addr_same_ip(&s.permission.peer, &peer) && !s.permission.peer.port &&
	      s.permission.expires_in_s == 290, "list: its permissions");
	check(s.info.channels_len == 1 && s.channel.number == 0x4000 && tp_addr_equal(&s.channel.peer, &peer) &&
	      s.channel.expires_in_s == 590, "list: its channels");
	check_eq(s.info.kernel.up.packets, 5, "list: its traffic in the data path");
	client_init(&other, &b, "198.51.100.8:40000");
	allocate(&other);
	s.count = 0;
	tp_turn_visit(b.turn[0], &b.now, see, &s);
	check_eq(s.count, 1, "list: false stops");
	check_eq(tp_turn_kill(b.turn[0], 12345, NULL, &b.now), 0, "kill: an unknown id");
	check_eq(tp_turn_kill(b.turn[0], s.info.id, NULL, &b.now), 1, "kill: by id");
	check_eq(refresh(&other, 600), 437, "kill: that one is gone");
	check_eq(tp_turn_kill(b.turn[0], 0, "bob", &b.now), 0, "kill: another user");
	check_eq(tp_turn_kill(b.turn[0], 0, "alice", &b.now), 1, "kill: by user");
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "kill: the data path follows at once");
	end("control");
}

static void test_stream(void)
{
	int conn = 0, other = 0;
	struct tp_path path;

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	c.path.tuple.transport = TP_TLS;
	c.path.conn = &conn;
	allocate(&c);
	addr = relayed(&c, 0);
	bind_channel(&c, 0x4000, PEER);
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "a stream client is userspace's");
	check(client_input(&c, "\x40\x00\x00\x03" "abc\0", 8) == TP_TURN_DONE && b.peer.size == 3,
	      "8656 12.5: padded ChannelData of a stream is relayed without its padding");
	peer_sends(&b, &addr, PEER, "hello", 5, NULL);
	check(b.client.size == 12 && b.client.data[3] == 5, "8656 12.5: ChannelData to a stream is padded to four bytes");
	check(b.client.path.conn == &conn, "and goes into the connection");
	path = c.path;
	path.conn = &other;
	tp_turn_conn_closed(b.turn[0], &path, &b.now);
	check_eq(bench_counters(&b).allocations, 1, "another connection's end is none of this one's");
	tp_turn_conn_closed(b.turn[0], &c.path, &b.now);
	check_eq(bench_counters(&b).allocations, 0, "a connection's end ends its allocation");
	check_eq(b.gone, 0, "without a word about a connection that is gone already");
	path = c.path;
	allocate(&c);
	refresh(&c, 0);
	check_eq(b.gone, 1, "an allocation's end tells that the connection may go");
	end("stream");
}

static void test_stream_fields(void)
{
	struct tp_ip_fields in = { .ttl = 64, .tos = 0x29, .df = true };
	int conn = 0;
	struct message m;

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	c.path.tuple.transport = TP_TCP;
	c.path.conn = &conn;
	c.fields = &in;
	allocate(&c);
	bind_channel(&c, 0x4000, PEER);
	send_channel(&c, 0x4000, "x");
	check(!b.peer.fields.df, "8656 15: from a stream DF is clear");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, PEER);
	tp_stun_put(&m.w, TP_STUN_ATTR_DONT_FRAGMENT, "", 0);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "df", 2);
	message_send(&m);
	check(b.peer.size == 2 && b.peer.fields.df, "8656 15: unless DONT-FRAGMENT asks for it");
	send_indication(&c, PEER, "plain");
	check(!b.peer.fields.df, "8656 15: a Send without it does not");
	check_eq(b.peer.fields.tos, 0x28, "8656 15: the DSCP of the connection, and Not-ECT");
	check_eq(b.peer.fields.ttl, 0, "8656 15: and the default hop limit");
	end("stream fields");
}

/* IPv6 client, IPv4 peer, and the other way round. */
static void test_translation(void)
{
	struct tp_ip_fields in = { .ttl = 33, .tos = 0xb8, .df = true };
	struct message m;

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "[2001:db8:1::7]:40000");
	c.fields = &in;
	check_eq(allocate_family(&c, 4), 0, "an IPv6 client with an IPv4 relayed address");
	bind_channel(&c, 0x4000, PEER);
	check(send_channel(&c, 0x4000, "x"), "8656 13.3: is relayed from IPv6 to IPv4");
	check(b.peer.fields.ttl == 32 && b.peer.fields.tos == 0xb8 && !b.peer.fields.df,
	      "8656 13.3: hop limit decremented, traffic class carried");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, PEER);
	tp_stun_put(&m.w, TP_STUN_ATTR_DONT_FRAGMENT, "", 0);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "df", 2);
	message_send(&m);
	check(b.peer.size == 2 && !b.peer.fields.df, "8656 13.3: DONT-FRAGMENT is ignored between families");
	end("IPv6 to IPv4");

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	c.fields = &in;
	check_eq(allocate_family(&c, 6), 0, "an IPv4 client with an IPv6 relayed address");
	addr = relayed(&c, 0);
	bind_channel(&c, 0x4000, "[2001:db8:9::5]:7000");
	check(send_channel(&c, 0x4000, "x") && !b.peer.fields.df && b.peer.fields.ttl == 32,
	      "8656 13.1: is relayed from IPv4 to IPv6");
	check_eq(peer_sends(&b, &addr, "[2001:db8:9::5]:7000", "x", 1, &in), 'C', "8656 13.3: and back");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, "[2001:db8:9::5]:7000");
	tp_stun_put(&m.w, TP_STUN_ATTR_DONT_FRAGMENT, "", 0);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "df", 2);
	message_send(&m);
	check(b.peer.size == 2 && !b.peer.fields.df, "8656 13.1: DONT-FRAGMENT is ignored");
	end("IPv4 to IPv6");

	bench_init(&b);
	bench_start(&b);
	client_init(&c, &b, "[2001:db8:1::7]:40000");
	c.fields = &in;
	allocate_family(&c, 6);
	permit(&c, "2001:db8:9::5");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, "[2001:db8:9::5]:7000");
	tp_stun_put(&m.w, TP_STUN_ATTR_DONT_FRAGMENT, "", 0);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "df", 2);
	message_send(&m);
	check(b.peer.size == 2 && !b.peer.fields.df && b.peer.fields.ttl == 32,
	      "8656 13.2: IPv6 to IPv6, DONT-FRAGMENT ignored there too");
	end("IPv6 to IPv6");
}

int main(void)
{
	test_removal();
	test_port_reuse();
	test_expired_in_data_path();
	test_reload();
	test_visit();
	test_stream();
	test_stream_fields();
	test_translation();
	return done();
}
