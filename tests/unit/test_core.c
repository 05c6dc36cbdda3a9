/* SPDX-License-Identifier: GPL-2.0 */
/* The packet core and relay.h, natively: every fixture, byte for byte, as XDP and as tc would do it. */
#include <stdlib.h>

#include "fixtures/cases.h"
#include "fixtures/native.h"
#include "lib/tap.h"

static void print_bytes(const char *what, const uint8_t *bytes, size_t size)
{
	printf("# %s %zu:", what, size);
	for (size_t i = 0; i < size && i < 140; i++)
		printf("%s%02x", i % 4 ? "" : " ", bytes[i]);
	putchar('\n');
}

static void run_as(const struct tp_case *c, bool tc)
{
	static struct tp_world world;
	static struct tp_native got;
	enum tp_reason expected = tc && c->tc_reason != c->reason && (c->tc_reason || c->device) ? c->tc_reason : c->reason;
	uint8_t in[PACKET_MAX], out[PACKET_MAX];
	size_t size = tp_packet_build(&c->in, in), out_size;

	tp_world_init(&world, 1000 * WORLD_SECOND);
	tp_world_change(&world, c->world);
	tp_native_run(&world, in, size, tc, &got);
	if (!check(got.reason == expected, "%s: %s, %s", tc ? "tc" : "XDP", c->name, tp_reason_text(expected))) {
		printf("# is %s\n", tp_reason_text(got.reason));
		print_bytes("in ", in, size);
		return;
	}
	if (expected > TP_REASON_RELAYED_BOTH) {
		if (got.size != size || memcmp(got.frame, in, size))
			check(false, "%s: what is not relayed is not touched", c->name);
		return;
	}
	out_size = tp_packet_build(&c->out, out);
	tp_packet_normalise(out, out_size);
	tp_packet_normalise(got.frame, got.size);
	if (!check(got.size == out_size && !memcmp(got.frame, out, out_size), "%s: bytes", c->name)) {
		print_bytes("exp", out, out_size);
		print_bytes("got", got.frame, got.size);
	}
	if (got.ifindex != (c->device ? c->device : WORLD_DEVICE))
		check(false, "%s: leaves by device %u", c->name, got.ifindex);
}

static void run(const struct tp_case *c, void *arg)
{
	run_as(c, false);
	run_as(c, true);
}

/* RFC 6437 section 3, RFC 8656 section 13.2: a label of our own, the same for the whole flow. RFC 6864. */
static void fresh_fields(void)
{
	static struct tp_world world;
	static struct tp_native first, second;
	struct packet packet = { .src = CLIENT66, .dst = SERVER6, .wrap = CHANNEL, .channel = 0x4000, .size = 20 };
	uint8_t in[PACKET_MAX];
	size_t size;

	tp_world_init(&world, 1000 * WORLD_SECOND);
	size = tp_packet_build(&packet, in);
	tp_native_run(&world, in, size, false, &first);
	tp_native_run(&world, in, size, false, &second);
	check(memcmp(first.frame + 15, in + 15, 3) != 0, "the flow label is not the received one");
	check(!memcmp(first.frame + 15, second.frame + 15, 3), "a flow has one flow label");
	check((first.frame[15] & 15) || first.frame[16] || first.frame[17], "the flow label is not zero");

	packet.src = CLIENT44;
	packet.dst = SERVER4;
	size = tp_packet_build(&packet, in);
	tp_native_run(&world, in, size, false, &first);
	tp_native_run(&world, in, size, false, &second);
	check(memcmp(first.frame + 18, in + 18, 2) && memcmp(first.frame + 18, second.frame + 18, 2),
	      "Identification is fresh where DF is 0");
	packet.df = true;
	size = tp_packet_build(&packet, in);
	tp_native_run(&world, in, size, false, &first);
	check(first.frame[18] == 0 && first.frame[19] == 0, "Identification is 0 where DF is 1");

	packet = (struct packet){ .src = PEER4_OTHER, .dst = RELAY44, .size = 20 };
	size = tp_packet_build(&packet, in);
	tp_native_run(&world, in, size, false, &first);
	tp_native_run(&world, in, size, false, &second);
	check(memcmp(first.frame + 50, second.frame + 50, 12) != 0, "each Data indication has its own transaction id");
}

/* max-bps: packets up to the burst, none beyond it until time has passed. */
static void police(void)
{
	static struct tp_world world;
	static struct tp_native got;
	struct packet packet = { .src = CLIENT44, .dst = SERVER4, .wrap = CHANNEL, .channel = 0x400c, .size = 1000 };
	uint8_t in[PACKET_MAX];
	size_t size = tp_packet_build(&packet, in);
	unsigned int relayed = 0;

	tp_world_init(&world, 1000 * WORLD_SECOND);
	world.police[2] = (struct tp_police){ 0, 10000000, 1000000, 0 };	/* 1 ms a packet, burst of 10 ms */
	for (int i = 0; i < 50; i++) {
		tp_native_run(&world, in, size, false, &got);
		relayed += got.reason == TP_REASON_RELAYED_UP;
	}
	check_eq(relayed, 10, "max-bps lets a burst through and no more");
	world.now += 5000000;
	for (int i = 0; i < 50; i++) {
		tp_native_run(&world, in, size, false, &got);
		relayed += got.reason == TP_REASON_RELAYED_UP;
	}
	check_eq(relayed, 15, "max-bps lets through what time has earned");
	check_eq(world.counts[got.up_slot].up.packets, 15, "each relayed packet is counted");
	check_eq(world.counts[got.up_slot].up.bytes, 15000, "their bytes are the UDP payload on the peer's side");
	check_eq(world.counts[got.up_slot].up.dropped, 85, "each policed packet is counted");
	check_eq(world.counts[got.up_slot].up.last_ns, world.now, "with the time of the last");
}

int main(void)
{
	unsigned int cases = tp_cases(run, NULL);

	check(cases >= 150, "%u cases", cases);
	fresh_fields();
	police();
	return done();
}
