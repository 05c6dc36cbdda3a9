/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differential fuzzing: frames that are made and damaged at random go through the
 * native core, the XDP program and the tc program, which must agree in verdict,
 * reason and every byte. `--packets N` or `--seconds N`, `--seed S`. Needs root.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bpf/programs.h"
#include "fixtures/cases.h"
#include "fixtures/native.h"
#include "lib/tap.h"

#define BATCH 2048	/* packets between two comparisons of the reasons */

struct fuzz {
	struct tp_programs programs;
	struct tp_world world;
	struct tp_native native[HOOKS];
	uint64_t random;
	uint64_t reasons[TP_REASON_COUNT];	/* expected in this batch */
	uint64_t totals[TP_REASON_COUNT];
	uint64_t packets, seed;
	unsigned int failures;
};

static uint32_t chance(struct fuzz *fuzz)
{
	/* xorshift64* */
	fuzz->random ^= fuzz->random >> 12;
	fuzz->random ^= fuzz->random << 25;
	fuzz->random ^= fuzz->random >> 27;
	return (uint32_t)(fuzz->random * 0x2545f4914f6cdd1dull >> 32);
}

static uint32_t below(struct fuzz *fuzz, uint32_t bound)
{
	return (uint32_t)((uint64_t)chance(fuzz) * bound >> 32);
}

static bool one_in(struct fuzz *fuzz, uint32_t n)
{
	return below(fuzz, n) == 0;
}

static enum endpoint pick(struct fuzz *fuzz, uint8_t family)
{
	enum endpoint ep;

	do
		ep = 1 + below(fuzz, EP_COUNT - 1);
	while (tp_endpoint(ep)->family != family);
	return ep;
}

static uint16_t pick_size(struct fuzz *fuzz)
{
	switch (below(fuzz, 4)) {
	case 0:
		return (uint16_t)below(fuzz, 8);
	case 1:
		return (uint16_t)(1180 + below(fuzz, 400));
	default:
		return (uint16_t)below(fuzz, 300);
	}
}

static void pick_client(struct fuzz *fuzz, struct packet *packet)
{
	static const enum endpoint clients[] = { CLIENT44, CLIENT44, CLIENT46, CLIENT64, CLIENT66, CLIENT_B4, CLIENT_B6 };

	packet->src = clients[below(fuzz, sizeof(clients) / sizeof(clients[0]))];
	packet->dst = tp_endpoint(packet->src)->family == TP_IPV4 ? SERVER4 : SERVER6;
	packet->wrap = one_in(fuzz, 8) ? BINDING : one_in(fuzz, 2) ? SEND : CHANNEL;
	packet->channel = (uint16_t)(one_in(fuzz, 3) ? 0x4000 + below(fuzz, 4) :
				     one_in(fuzz, 2) ? 0x4000 + below(fuzz, 0x24) : 0x4000 + below(fuzz, 0x4000));
	packet->peer = one_in(fuzz, 2) ? pick(fuzz, one_in(fuzz, 2) ? TP_IPV4 : TP_IPV6) :
		       packet->src == CLIENT44 || packet->src == CLIENT64 ? PEER4_OTHER : PEER6_OTHER;
	packet->surplus = one_in(fuzz, 4) ? (uint8_t)below(fuzz, 6) : 0;
	packet->surplus_byte = (uint8_t)chance(fuzz);
	packet->with = one_in(fuzz, 2) ? 0 : one_in(fuzz, 3) ? chance(fuzz) & 0x7fff :
		       chance(fuzz) & (WITH_SOFTWARE | WITH_FINGERPRINT | WITH_OPTIONAL | PEER_LAST);
}

static void pick_peer(struct fuzz *fuzz, struct packet *packet)
{
	static const enum endpoint relays[] = { RELAY44, RELAY44, RELAY46, RELAY64, RELAY66, RELAY_B4, RELAY_C4 };

	bool v4;

	packet->dst = relays[below(fuzz, sizeof(relays) / sizeof(relays[0]))];
	v4 = tp_endpoint(packet->dst)->family == TP_IPV4;
	packet->src = one_in(fuzz, 2) ? pick(fuzz, v4 ? TP_IPV4 : TP_IPV6) :
		      one_in(fuzz, 2) ? (v4 ? PEER4 : PEER6) : (v4 ? PEER4_OTHER : PEER6_OTHER);
	packet->wrap = one_in(fuzz, 4) ? (enum packet_wrap)below(fuzz, 5) : RAW;
	packet->channel = (uint16_t)(0x4000 + below(fuzz, 4));
	packet->peer = PEER4;
	packet->first = (uint8_t)(one_in(fuzz, 2) ? chance(fuzz) : 0);
	packet->nested = packet->size >= 4 && one_in(fuzz, 16);
}

static int small(struct fuzz *fuzz)
{
	return one_in(fuzz, 24) ? (int)below(fuzz, 65) - 32 : 0;
}

static void pick_lies(struct fuzz *fuzz, struct packet *packet)
{
	packet->ip_length = small(fuzz);
	packet->udp_length = small(fuzz);
	packet->channel_length = small(fuzz);
	packet->stun_length = small(fuzz);
	packet->data_length = small(fuzz);
	packet->peer_length = small(fuzz);
	if (one_in(fuzz, 16))
		packet->trailer = (uint16_t)below(fuzz, 30);
	if (one_in(fuzz, 32))
		packet->cut = (uint16_t)(54 + below(fuzz, 200));
	if (one_in(fuzz, 64))
		packet->fragment = (uint16_t)chance(fuzz);
	if (one_in(fuzz, 64))
		packet->version_ihl = (uint8_t)chance(fuzz);
	if (one_in(fuzz, 64))
		packet->protocol = (uint8_t)chance(fuzz);
	if (one_in(fuzz, 64))
		packet->to_mac = (uint8_t)chance(fuzz);
}

/* Damage would else mostly be noticed by the IPv4 header's checksum, and nothing behind it be reached. */
static void mend_ip4(uint8_t *frame, size_t size)
{
	uint32_t sum = 0;

	if (size < 34 || frame[12] != 8 || frame[13] != 0)
		return;
	frame[24] = frame[25] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

static size_t make_frame(struct fuzz *fuzz, uint8_t frame[PACKET_MAX])
{
	struct packet packet = { .size = pick_size(fuzz), .df = one_in(fuzz, 2), .no_checksum = one_in(fuzz, 10),
				 .bad_checksum = one_in(fuzz, 20), .tos = (uint8_t)chance(fuzz) };
	size_t size;

	if (one_in(fuzz, 2))
		pick_client(fuzz, &packet);
	else
		pick_peer(fuzz, &packet);
	if (one_in(fuzz, 16))
		packet.ttl = (uint8_t)below(fuzz, 4);
	if (one_in(fuzz, 8)) {
		packet.tags = (uint8_t)(1 + below(fuzz, 2));
		packet.tci[0] = (uint16_t)((packet.tags == 2 ? 200 : 100) + (one_in(fuzz, 4) ? chance(fuzz) : 0));
		packet.tci[1] = (uint16_t)(201 + (one_in(fuzz, 4) ? chance(fuzz) : 0));
	}
	if (one_in(fuzz, 2))
		return tp_packet_build(&packet, frame);
	pick_lies(fuzz, &packet);
	size = tp_packet_build(&packet, frame);
	/* Damage: mostly in the headers, where it matters. */
	for (uint32_t n = one_in(fuzz, 3) ? 1 + below(fuzz, 3) : 0; n; n--)
		frame[below(fuzz, one_in(fuzz, 4) || size < 128 ? (uint32_t)size : 128)] ^= (uint8_t)(1u << below(fuzz, 8));
	if (!one_in(fuzz, 8))
		mend_ip4(frame, size);
	return size;
}

static void print_bytes(const char *what, const uint8_t *bytes, size_t size)
{
	printf("# %s %zu: ", what, size);
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

/* tc leaves the outermost tag beside the frame, where a test run does not show it. */
static void outermost_tag_off(uint8_t *frame, size_t *size)
{
	memmove(frame + 12, frame + 16, *size - 16);
	*size -= 4;
}

static bool agree(struct fuzz *fuzz, enum hook hook, const uint8_t *frame, size_t size)
{
	struct tp_native *native = &fuzz->native[hook];
	size_t room = PACKET_MAX + 256;
	uint8_t out[PACKET_MAX + 256];
	uint32_t verdict;
	int r;

	tp_native_run(&fuzz->world, frame, size, hook == HOOK_TC, native);
	r = tp_programs_run(&fuzz->programs, hook, frame, size, out, &room, &verdict);
	if (r < 0) {
		/* A test run of tc wants a whole IP header where the type says IP. */
		if (r == -EINVAL && hook == HOOK_TC && size < 54)
			return true;
		printf("# test run: %s\n", strerror(-r));
		return false;
	}
	fuzz->reasons[native->reason]++;
	if (native->reason > TP_REASON_RELAYED_BOTH) {
		if (native->reason < TP_REASON_MALFORMED ? !tp_verdict_passed(hook, verdict) :
							    !tp_verdict_dropped(hook, verdict))
			return false;
		return room == size && !memcmp(out, frame, size);
	}
	if (!tp_verdict_relayed(hook, verdict, native->ifindex))
		return false;
	if (hook == HOOK_TC && native->tags)
		outermost_tag_off(native->frame, &native->size);
	tp_packet_normalise(out, room);
	tp_packet_normalise(native->frame, native->size);
	if (room == native->size && !memcmp(out, native->frame, room))
		return true;
	print_bytes("native", native->frame, native->size);
	print_bytes("kernel", out, room);
	return false;
}

static void one(struct fuzz *fuzz)
{
	uint8_t frame[PACKET_MAX];
	size_t size = make_frame(fuzz, frame);

	for (enum hook hook = 0; hook < HOOKS; hook++) {
		if (agree(fuzz, hook, frame, size))
			continue;
		fuzz->failures++;
		printf("# %s differs at packet %llu: native says %s\n", hook == HOOK_TC ? "tc" : "XDP",
		       (unsigned long long)fuzz->packets, tp_reason_text(fuzz->native[hook].reason));
		print_bytes("in    ", frame, size);
	}
	fuzz->packets++;
}

static void batch(struct fuzz *fuzz, uint64_t packets)
{
	static const unsigned int worlds[] = { 0, WORLD_RFC5766, 0, WORLD_NOT_AUTHORITATIVE, 0, WORLD_DEAD };
	uint64_t before[TP_REASON_COUNT], after[TP_REASON_COUNT];

	tp_world_init(&fuzz->world, tp_coarse_ns());
	tp_world_change(&fuzz->world, worlds[fuzz->packets / BATCH % (sizeof(worlds) / sizeof(worlds[0]))]);
	if (tp_programs_fill(&fuzz->programs, &fuzz->world) < 0)
		fuzz->failures++;
	memset(fuzz->reasons, 0, sizeof(fuzz->reasons));
	tp_programs_reasons(&fuzz->programs, before);
	while (packets-- && fuzz->failures < 10)
		one(fuzz);
	tp_programs_reasons(&fuzz->programs, after);
	for (unsigned int i = 0; i < TP_REASON_COUNT; i++) {
		fuzz->totals[i] += fuzz->reasons[i];
		if (after[i] - before[i] == fuzz->reasons[i])
			continue;
		fuzz->failures++;
		printf("# %s: native %llu, kernel %llu, until packet %llu\n", tp_reason_text(i),
		       (unsigned long long)fuzz->reasons[i], (unsigned long long)(after[i] - before[i]),
		       (unsigned long long)fuzz->packets);
	}
}

static void report(struct fuzz *fuzz, double seconds)
{
	unsigned int seen = 0;

	for (unsigned int i = 0; i < TP_REASON_COUNT; i++) {
		seen += fuzz->totals[i] != 0;
		if (fuzz->totals[i])
			printf("# %-22s %llu\n", tp_reason_text(i), (unsigned long long)fuzz->totals[i]);
	}
	check(fuzz->failures == 0, "%llu packets in %.1f s, seed %llu: native core, XDP and tc agree",
	      (unsigned long long)fuzz->packets, seconds, (unsigned long long)fuzz->seed);
	check(seen >= 25 && fuzz->totals[TP_REASON_RELAYED_UP] && fuzz->totals[TP_REASON_RELAYED_DOWN] &&
	      fuzz->totals[TP_REASON_RELAYED_BOTH], "the packets met %u different reasons", seen);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "packets", required_argument, NULL, 'p' }, { "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 }
	};
	static struct fuzz fuzz = { .seed = 0 };
	uint64_t packets = 0;
	double seconds = 15, start;
	int option;

	fuzz.seed = (uint64_t)time(NULL);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			packets = strtoull(optarg, NULL, 0);
		else if (option == 's')
			seconds = strtod(optarg, NULL);
		else if (option == 'r')
			fuzz.seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (geteuid() != 0) {
		skip("native core, XDP and tc agree", "needs root");
		return done();
	}
	printf("# seed %llu\n", (unsigned long long)fuzz.seed);
	fuzz.random = fuzz.seed * 0x9e3779b97f4a7c15ull | 1;
	/* Nobody else's sockets. */
	if (!check(unshare(CLONE_NEWNET) == 0 && tp_programs_load(&fuzz.programs, false) == 0, "both programs load"))
		return done();
	start = now_s();
	while (fuzz.failures == 0 && (packets ? fuzz.packets < packets : now_s() - start < seconds))
		batch(&fuzz, packets && packets - fuzz.packets < BATCH ? packets - fuzz.packets : BATCH);
	report(&fuzz, now_s() - start);
	tp_programs_free(&fuzz.programs);
	return done();
}
