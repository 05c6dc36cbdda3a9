/* SPDX-License-Identifier: GPL-2.0 */
/* Send, Data, ChannelData and their header fields: RFC 8656 sections 11, 12.5-12.7, 13-15; ruling 2. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

#define PEER	"203.0.113.5:7000"

static struct bench b;
static struct client c;
static struct tp_addr addr;

static void begin(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	allocate(&c);
	addr = relayed(&c, 0);
}

static void end(const char *what)
{
	check_eq(bench_stop(&b), 0, "%s: nothing is left behind, the data path was used rightly", what);
}

static bool reply_peer_is(const char *text)
{
	struct tp_addr expected = addr_of(text), peer;
	struct tp_stun_attr attr;

	return !tp_stun_parse(b.client.data, b.client.size, &c.reply) &&
	       tp_stun_find(&c.reply, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr) &&
	       !tp_stun_get_xor_addr(&c.reply, &attr, &peer) && tp_addr_equal(&peer, &expected);
}

static void test_indications(void)
{
	struct tp_stun_attr attr;
	struct tp_addr peer = addr_of(PEER);

	begin();
	check(!send_indication(&c, PEER, "hello"), "8656 11.2: a Send without a permission is discarded");
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 0, "8656 9: a peer without a permission is discarded");
	check_eq(permit(&c, PEER), 0, "8656 10.2: CreatePermission succeeds");
	check(send_indication(&c, "203.0.113.5:9", "hello"), "8656 9: a permission counts for every port of its address");
	check(send_indication(&c, PEER, "hello"), "8656 11.2: a Send is relayed");
	check(tp_addr_equal(&b.peer.from, &addr), "8656 11.2: from the relayed transport address");
	check(tp_addr_equal(&b.peer.to, &peer), "8656 11.2: to the peer of XOR-PEER-ADDRESS");
	check(b.peer.size == 5 && !memcmp(b.peer.data, "hello", 5), "8656 11.2: with the contents of DATA");
	check(send_indication(&c, PEER, ""), "8656 11.2: DATA may be empty");
	check_eq(b.peer.size, 0, "8656 11.2: and then the datagram is too");
	check_eq(peer_sends(&b, &addr, PEER, "world", 5, NULL), 'D', "8656 11.3: without a channel, a Data indication");
	check(reply_peer_is(PEER), "8656 11.3: its XOR-PEER-ADDRESS is the peer");
	check(tp_stun_find(&c.reply, TP_STUN_ATTR_DATA, &attr) && attr.size == 5 &&
	      !memcmp(tp_stun_value(&c.reply, &attr), "world", 5), "8656 11.3: its DATA is what the peer sent");
	check(c.reply.class == TP_STUN_INDICATION && c.reply.method == TP_STUN_DATA, "8656 11.3: it is an indication");
	end("indications");
}

static void test_discarded(void)
{
	static const uint8_t firsts[] = { 4, 15, 16, 20, 63, 80, 127, 128, 191, 192, 255 };
	unsigned int before, malformed;
	uint8_t buf[64] = { 0 };
	struct message m;

	begin();
	permit(&c, PEER);
	before = b.peer.count;
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	check(message_send(&m) == -1 && b.peer.count == before, "8656 11.2: a Send without XOR-PEER-ADDRESS is discarded");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, PEER);
	check(message_send(&m) == -1 && b.peer.count == before, "8656 11.2: a Send without DATA is discarded");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	tp_stun_put(&m.w, TP_STUN_ATTR_XOR_PEER_ADDRESS, "\0\1\0", 3);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "x", 1);
	check(message_send(&m) == -1 && b.peer.count == before, "8656 11.2: a Send with an invalid address is discarded");
	malformed = (unsigned int)bench_counters(&b).malformed;
	before = b.client.count;
	for (size_t i = 0; i < sizeof(firsts); i++) {
		buf[0] = firsts[i];
		client_input(&c, buf, sizeof(buf));
	}
	check_eq(bench_counters(&b).malformed - malformed, sizeof(firsts),
		 "8656 12: first bytes that are neither STUN nor channels are dropped");
	check_eq(b.client.count, before, "8656 12: and answered by nothing");
	check_eq(client_input(&c, buf, 0), TP_TURN_DONE, "nor is an empty datagram");
	end("discarded");
}

static void test_channels(void)
{
	begin();
	check(!send_channel(&c, 0x4000, "x"), "8656 12.6: ChannelData of no channel is discarded");
	check_eq(bind_channel(&c, 0x4000, PEER), 0, "8656 12.2: ChannelBind succeeds");
	check(send_channel(&c, 0x4000, "media"), "8656 12.6: ChannelData is relayed");
	check(b.peer.size == 5 && !memcmp(b.peer.data, "media", 5), "8656 12.6: without its header");
	check(send_channel(&c, 0x4000, ""), "8656 12.6: a length of 0 makes an empty datagram");
	check_eq(peer_sends(&b, &addr, PEER, "back!", 5, NULL), 'C', "8656 12.7: a bound peer's data is ChannelData");
	check(b.client.size == 9 && !memcmp(b.client.data, "\x40\x00\x00\x05" "back!", 9),
	      "8656 12.4: with number and length, unpadded over UDP");
	check_eq(peer_sends(&b, &addr, "203.0.113.5:7001", "z", 1, NULL), 'D',
		 "8656 12.2: the channel's permission admits other ports of its peer, as Data indications");
	check(send_indication(&c, PEER, "x"), "8656 12.5: a Send may be used where a channel is bound");
	check(client_input(&c, "\x40\x00\x00\x05" "abc", 7) == TP_TURN_DONE && b.peer.size == 1,
	      "8656 12.6: ChannelData shorter than its length is discarded");
	check(client_input(&c, "\x40\x00\x00\x03" "abc\0\0\0\0\0", 12) == TP_TURN_DONE && b.peer.size == 3,
	      "8656 12.5: what follows the length over UDP is padding");
	end("channels");
}

static void test_expiry(void)
{
	begin();
	check_eq(refresh(&c, 3600), 0, "a long allocation");
	bind_channel(&c, 0x4000, PEER);
	bench_advance(&b, 299 * BENCH_S);
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 'C', "8656 9: a permission lives 300 s");
	b.now.mono_ns += BENCH_S;
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 0, "8656 9: and not longer, be the timer late");
	check(send_channel(&c, 0x4000, "x"), "ruling 2: the channel still carries client to peer");
	check(!send_indication(&c, PEER, "x"), "8656 11.2: a Send needs the permission");
	bench_tick(&b);
	check_eq(permit(&c, PEER), 0, "the permission comes back by CreatePermission");
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 'C', "8656 9: and the channel is used again");
	bench_advance(&b, 299 * BENCH_S);
	check(send_channel(&c, 0x4000, "x"), "8656 12: a channel lives 600 s");
	permit(&c, PEER);
	b.now.mono_ns += BENCH_S;
	check(!send_channel(&c, 0x4000, "x"), "8656 12: and not longer");
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, NULL), 'D', "ruling 2: then the peer's data is a Data indication");
	bench_tick(&b);
	check_eq(tp_dp_mock_count(b.dp, TP_DP_CHANNEL), 0, "an expired channel leaves the data path");
	end("expiry");
}

static void test_flow_lives(void)
{
	struct tp_addr peer = addr_of(PEER);
	const struct tp_flow_life *l;
	uint64_t t0;

	begin();
	t0 = b.now.mono_ns;
	bind_channel(&c, 0x4001, PEER);
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0x4001));
	check(l && l->up_ns == t0 + 600 * BENCH_S, "ruling 2: ChannelData is good until min(channel, allocation)");
	check(l && l->down_ns == t0 + 300 * BENCH_S, "ruling 2: the peer until min(permission, allocation)");
	check(l && l->channel_ns == t0 + 600 * BENCH_S, "ruling 2: as ChannelData while the channel lives");
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_PERMISSION, &peer, 0));
	check(l && l->down_ns == t0 + 300 * BENCH_S, "ruling 2: a ChannelBind installs the permission's flow");
	bench_advance(&b, 100 * BENCH_S);
	permit(&c, "203.0.113.5:1");
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0x4001));
	check(l && l->down_ns == t0 + 400 * BENCH_S, "ruling 2: a CreatePermission refreshes every rule of the address");
	check(l && l->up_ns == t0 + 600 * BENCH_S, "8656 12: but not the channel");
	bind_channel(&c, 0x4001, PEER);
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0x4001));
	check(l && l->up_ns == t0 + 600 * BENCH_S && l->channel_ns == t0 + 700 * BENCH_S,
	      "ruling 2: a channel's rule ends with the allocation");
	refresh(&c, 3600);
	l = tp_dp_mock_life(b.dp, tp_dp_mock_find(b.dp, TP_DP_CHANNEL, &peer, 0x4001));
	check(l && l->up_ns == t0 + 700 * BENCH_S, "a Refresh is followed by the flows");
	refresh(&c, 0);
	check_eq(tp_dp_mock_count(b.dp, 0), 0, "8656 8.2: lifetime 0 takes every flow away at once");
	end("flow lives");
}

static void test_fields(void)
{
	struct tp_ip_fields in = { .ttl = 64, .tos = 0xb9, .df = true };
	struct message m;

	begin();
	bind_channel(&c, 0x4000, PEER);
	c.fields = &in;
	send_channel(&c, 0x4000, "x");
	check_eq(b.peer.fields.tos, 0xb9, "8656 14: DSCP and ECN are carried to the peer");
	check_eq(b.peer.fields.ttl, 63, "ruling 4: the TTL is decremented");
	check(b.peer.fields.df, "8656 14: DF is copied between IPv4 legs");
	in.df = false;
	send_channel(&c, 0x4000, "x");
	check(!b.peer.fields.df, "8656 14: DF is clear where it was clear");
	message_begin(&m, &c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, PEER);
	tp_stun_put(&m.w, TP_STUN_ATTR_DONT_FRAGMENT, "", 0);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, "df", 2);
	message_send(&m);
	check(b.peer.size == 2 && b.peer.fields.df, "8656 14: DONT-FRAGMENT of a Send sets DF");
	in.ttl = 1;
	check(!send_channel(&c, 0x4000, "x"), "ruling 4: a TTL of 1 is used up here");
	check_eq(bench_counters(&b).hop_limit, 1, "and counted");
	in.ttl = 10;
	in.df = true;
	check_eq(peer_sends(&b, &addr, PEER, "x", 1, &in), 'C', "from the peer");
	check(b.client.fields.ttl == 9 && b.client.fields.tos == 0xb9 && b.client.fields.df,
	      "8656 14: the same towards the client");
	b.send_error = -EMSGSIZE;
	send_channel(&c, 0x4000, "x");
	check_eq(bench_counters(&b).too_big, 1, "too big with DF is counted by name");
	end("fields");
}

int main(void)
{
	test_indications();
	test_discarded();
	test_channels();
	test_expiry();
	test_flow_lives();
	test_fields();
	return done();
}
