/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every fixture through the XDP and the tc program in the running kernel: verdict,
 * reason, every byte, and that what is not relayed is not touched. Needs root.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/programs.h"
#include "fixtures/cases.h"
#include "lib/tap.h"

struct run {
	struct tp_programs programs;
	struct tp_world world;
	unsigned int changes;	/* of the world in the maps */
	bool filled;
};

static void print_bytes(const char *what, const uint8_t *bytes, size_t size)
{
	printf("# %s %zu:", what, size);
	for (size_t i = 0; i < size && i < 140; i++)
		printf("%s%02x", i % 4 ? "" : " ", bytes[i]);
	putchar('\n');
}

/* tc leaves the outermost tag beside the frame, where a test run does not show it. */
static size_t outermost_tag_off(uint8_t *frame, size_t size)
{
	memmove(frame + 12, frame + 16, size - 16);
	return size - 4;
}

static bool right_verdict(enum hook hook, const struct tp_case *c, enum tp_reason reason, uint32_t verdict)
{
	if (reason <= TP_REASON_RELAYED_BOTH)
		return tp_verdict_relayed(hook, verdict, c->device ? c->device : WORLD_DEVICE);
	return reason < TP_REASON_MALFORMED ? tp_verdict_passed(hook, verdict) : tp_verdict_dropped(hook, verdict);
}

static bool right_bytes(enum hook hook, const struct tp_case *c, enum tp_reason reason, const uint8_t *in,
			size_t in_size, uint8_t *got, size_t got_size)
{
	uint8_t expected[PACKET_MAX];
	size_t size = in_size;

	if (reason <= TP_REASON_RELAYED_BOTH) {
		size = tp_packet_build(&c->out, expected);
		if (hook == HOOK_TC && c->out.tags)
			size = outermost_tag_off(expected, size);
		tp_packet_normalise(expected, size);
		tp_packet_normalise(got, got_size);
	} else {
		memcpy(expected, in, in_size);
	}
	if (size == got_size && !memcmp(expected, got, size))
		return true;
	print_bytes("expected", expected, size);
	print_bytes("got     ", got, got_size);
	return false;
}

static void run_hook(struct run *run, const struct tp_case *c, enum hook hook)
{
	const char *name = hook == HOOK_TC ? "tc" : "XDP";
	bool differs = hook == HOOK_TC && c->device && c->tc_reason != c->reason;
	enum tp_reason reason = differs ? c->tc_reason : c->reason;
	uint64_t before[TP_REASON_COUNT], after[TP_REASON_COUNT];
	uint8_t in[PACKET_MAX], out[PACKET_MAX + 256];
	size_t size = tp_packet_build(&c->in, in), out_size = sizeof(out);
	uint32_t verdict;
	bool good;
	int r;

	tp_programs_reasons(&run->programs, before);
	r = tp_programs_run(&run->programs, hook, in, size, out, &out_size, &verdict);
	/* A test run of tc refuses a frame without a whole IP header: the native core had it. */
	if (r == -EINVAL && hook == HOOK_TC && c->in.cut && c->in.cut < 54)
		return;
	if (r < 0) {
		check(false, "%s: %s: %s", name, c->name, strerror(-r));
		return;
	}
	tp_programs_reasons(&run->programs, after);
	good = right_verdict(hook, c, reason, verdict) && after[reason] == before[reason] + 1 &&
	       right_bytes(hook, c, reason, in, size, out, out_size);
	if (check(good, "%s: %s, %s", name, c->name, tp_reason_text(reason)))
		return;
	printf("# verdict %d", (int)verdict);
	for (unsigned int i = 0; i < TP_REASON_COUNT; i++)
		if (after[i] != before[i])
			printf(", %s", tp_reason_text(i));
	putchar('\n');
}

static void run_case(const struct tp_case *c, void *arg)
{
	struct run *run = arg;

	if (!run->filled || run->changes != c->world) {
		tp_world_init(&run->world, tp_coarse_ns());
		tp_world_change(&run->world, c->world);
		if (tp_programs_fill(&run->programs, &run->world) < 0)
			check(false, "%s: the maps can be filled", c->name);
		run->filled = true;
		run->changes = c->world;
	}
	for (enum hook hook = 0; hook < HOOKS; hook++)
		run_hook(run, c, hook);
}

/* A bound slot's counters: packets, bytes of UDP payload on the peer's side, time. */
static void counters(struct run *run)
{
	struct packet up = { .src = CLIENT44, .dst = SERVER4, .wrap = CHANNEL, .channel = 0x4000, .size = 100 };
	struct packet down = { .src = PEER4, .dst = RELAY44, .size = 50 };
	const struct packet *packets[] = { &up, &up, &down };
	uint32_t slot = 1, verdict;
	struct tp_counts counts;
	uint8_t in[PACKET_MAX], out[PACKET_MAX + 256];

	for (enum hook hook = 0; hook < HOOKS; hook++) {
		tp_world_init(&run->world, tp_coarse_ns());
		tp_programs_fill(&run->programs, &run->world);
		for (int i = 0; i < 3; i++) {
			size_t size = tp_packet_build(packets[i], in), out_size = sizeof(out);

			tp_programs_run(&run->programs, hook, in, size, out, &out_size, &verdict);
		}
		bpf_map_lookup_elem(tp_programs_map(&run->programs, "tp1_counts"), &slot, &counts);
		check(counts.up.packets == 2 && counts.up.bytes == 200 && counts.up.last_ns >= run->world.now &&
		      counts.down.packets == 1 && counts.down.bytes == 50 && counts.down.last_ns >= run->world.now,
		      "%s: a flow's packets and bytes are counted by direction", hook == HOOK_TC ? "tc" : "XDP");
	}
}

/* Ruling 12: a reply to a socket of this node in the relay range is let through while the daemon is dead. */
static void other_socket(struct run *run)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(50123) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct packet packet = { .src = OTHER4, .dst = RELAY4_FREE, .size = 20 };
	uint8_t in[PACKET_MAX], out[PACKET_MAX + 256];
	size_t size = tp_packet_build(&packet, in), out_size;
	uint32_t verdict[2] = { 0, 0 };

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		check(false, "a UDP socket in the relay range");
		return;
	}
	tp_world_init(&run->world, tp_coarse_ns());
	tp_world_change(&run->world, WORLD_DEAD);
	tp_programs_fill(&run->programs, &run->world);
	memcpy(in + 14 + 20 + 2, &addr.sin_port, 2);
	for (enum hook hook = 0; hook < HOOKS; hook++) {
		for (int i = 0; i < 2; i++) {
			out_size = sizeof(out);
			tp_programs_run(&run->programs, hook, in, size, out, &out_size, &verdict[i]);
			if (i == 0 && hook == HOOK_TC)
				close(fd);
			if (hook == HOOK_XDP)
				break;
		}
		check(tp_verdict_passed(hook, verdict[0]), "%s: another socket's packet passes while the daemon is dead",
		      hook == HOOK_TC ? "tc" : "XDP");
	}
	check(tp_verdict_dropped(HOOK_TC, verdict[1]), "tc: and is dropped when that socket is closed");
}

/* One frame through XDP that must come back as it went in, under this reason. */
static bool goes_up(struct run *run, const uint8_t *frame, size_t size, enum tp_reason reason)
{
	uint64_t before[TP_REASON_COUNT], after[TP_REASON_COUNT];
	static uint8_t out[16384];
	size_t out_size = sizeof(out);
	uint32_t verdict;
	int r;

	tp_programs_reasons(&run->programs, before);
	r = tp_programs_run(&run->programs, HOOK_XDP, frame, size, out, &out_size, &verdict);
	tp_programs_reasons(&run->programs, after);
	if (r < 0)
		printf("# test run: %s\n", strerror(-r));
	return r == 0 && tp_verdict_passed(HOOK_XDP, verdict) && after[reason] == before[reason] + 1 && out_size == size &&
	       !memcmp(out, frame, size);
}

/*
 * A frame that fills its page: a Data indication needs room at both ends, and there is
 * none behind it. The front that was moved already is moved back.
 */
static void no_room(struct run *run)
{
	enum { LARGEST = 4096 - 256 - 320 };
	struct packet packet = { .src = PEER4_OTHER, .dst = RELAY44, .size = LARGEST - 42 - 1, .trailer = 1 };
	uint8_t frame[PACKET_MAX];
	size_t size = tp_packet_build(&packet, frame);

	tp_world_init(&run->world, tp_coarse_ns());
	run->world.hops[HOP_CLIENT].mtu = 9000;
	tp_programs_fill(&run->programs, &run->world);
	check(goes_up(run, frame, size, TP_REASON_NO_HEADROOM), "XDP: a frame without room goes up as it was");
}

/* Frames of several buffers, where the device has them. */
static void multi_buffer(struct run *run)
{
	struct packet packet = { .src = CLIENT44, .dst = SERVER4, .wrap = CHANNEL, .channel = 0x4000, .size = 160 };
	static uint8_t frame[9000];
	uint8_t out[PACKET_MAX];
	size_t size = tp_packet_build(&packet, frame), out_size = sizeof(out);
	uint32_t verdict, sum = 0;

	if (!check(tp_programs_load(&run->programs, true) == 0, "the XDP program loads for frames of several buffers"))
		return;
	tp_world_init(&run->world, tp_coarse_ns());
	tp_programs_fill(&run->programs, &run->world);
	check(tp_programs_run(&run->programs, HOOK_XDP, frame, size, out, &out_size, &verdict) == 0 &&
	      tp_verdict_relayed(HOOK_XDP, verdict, WORLD_DEVICE), "XDP: it relays those of one buffer");
	/* IP and UDP length of a frame that is longer than the first buffer shows. */
	frame[16] = (sizeof(frame) - 14) >> 8;
	frame[17] = (sizeof(frame) - 14) & 255;
	frame[38] = (sizeof(frame) - 34) >> 8;
	frame[39] = (sizeof(frame) - 34) & 255;
	frame[24] = frame[25] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
	check(goes_up(run, frame, sizeof(frame), TP_REASON_MULTI_BUFFER),
	      "XDP: a frame of several buffers goes up as it was");
	tp_programs_free(&run->programs);
}

int main(void)
{
	static struct run run;
	unsigned int cases;

	if (geteuid() != 0) {
		skip("fixtures in the kernel", "needs root");
		return done();
	}
	/* Nobody else's sockets. */
	if (!check(unshare(CLONE_NEWNET) == 0, "a network namespace of its own"))
		return done();
	if (!check(tp_programs_load(&run.programs, false) == 0, "both programs load over one set of maps"))
		return done();
	cases = tp_cases(run_case, &run);
	check(cases >= 150, "%u cases", cases);
	counters(&run);
	other_socket(&run);
	no_room(&run);
	tp_programs_free(&run.programs);
	multi_buffer(&run);
	return done();
}
