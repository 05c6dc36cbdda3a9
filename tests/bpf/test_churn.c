/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Slots and hash elements are reused while packets are relayed, as the daemon does
 * it: unlink, grace period, rewrite under another generation, link. No packet may
 * reach another client's peer, or another peer's client. Needs root.
 *
 *   writer    moves every flow to another slot, again and again
 *   runners   send packets of all clients and peers through XDP and tc, and look where they go
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bpf/programs.h"
#include "lib/tap.h"

#define FLOWS 64
#define CONTROL_SLOT 127
#define RUN_SECONDS 4
#define RUNNERS 2

struct churn {
	struct tp_programs programs;
	struct tp_rule *rules;
	struct tp_life *lives;
	int up4, down4;
	struct packet up[FLOWS], down[FLOWS];
	uint8_t up_frames[FLOWS][256], down_frames[FLOWS][256];
	size_t up_size, down_size;
	atomic_bool stop;
	atomic_ullong relayed, missed, wrong, failed;
};

static struct churn churn;
static uint32_t next_gen = 1;

/* Flow i: client 10.0.0.i, relayed port 50000 + i, peer 10.1.0.i. */
static __be32 client_ip(unsigned int i) { return htonl(0x0a000001 + i); }
static __be32 peer_ip(unsigned int i) { return htonl(0x0a010001 + i); }

static struct tp_key_up4 up_key(unsigned int i)
{
	return (struct tp_key_up4){ client_ip(i), htonl(0xc6336401), htons(5044), htons(3478), htons(0x4000), 0 };
}

static struct tp_key_down4 down_key(unsigned int i)
{
	return (struct tp_key_down4){ htonl(0xc6336401), peer_ip(i), htons((uint16_t)(50000 + i)), htons(6000) };
}

/* The rule of flow i into a slot that no running program can have found. */
static void write_slot(unsigned int slot, unsigned int i, uint32_t gen)
{
	volatile struct tp_rule *rule = &churn.rules[slot];
	struct tp_rule content = {
		.kind = TP_FLOW_CHANNEL, .client_family = TP_IPV4, .peer_family = TP_IPV4,
		.client_ip = { { client_ip(i) } }, .server_ip = { { htonl(0xc6336401) } },
		.relayed_ip = { { htonl(0xc6336401) } }, .peer_ip = { { peer_ip(i) } },
		.client_port = htons(5044), .server_port = htons(3478), .relayed_port = htons((uint16_t)(50000 + i)),
		.peer_port = htons(6000), .channel = htons(0x4000), .client_hop = HOP_CLIENT, .peer_hop = HOP_PEER,
		.id = i,
	};
	uint64_t later = tp_coarse_ns() + WORLD_ALIVE;

	rule->gen = 0;
	atomic_thread_fence(memory_order_seq_cst);
	content.gen = 0;
	*rule = content;
	churn.lives[slot] = (struct tp_life){ later, later, later, 0 };
	atomic_thread_fence(memory_order_seq_cst);
	rule->gen = gen;
}

static void link_flow(unsigned int i, unsigned int slot, uint32_t gen)
{
	struct tp_key_up4 up = up_key(i);
	struct tp_key_down4 down = down_key(i);
	uint64_t ref = TP_REF(slot, gen);

	if (bpf_map_update_elem(churn.up4, &up, &ref, BPF_ANY) || bpf_map_update_elem(churn.down4, &down, &ref, BPF_ANY))
		atomic_fetch_add(&churn.failed, 1);
}

static void unlink_flow(unsigned int i)
{
	struct tp_key_up4 up = up_key(i);
	struct tp_key_down4 down = down_key(i);

	if (bpf_map_delete_elem(churn.up4, &up) || bpf_map_delete_elem(churn.down4, &down))
		atomic_fetch_add(&churn.failed, 1);
}

static uint64_t reuse(double seconds)
{
	unsigned int slot_of[FLOWS], order[FLOWS];
	struct timespec now;
	uint64_t reused = 0;
	double start, at;

	for (unsigned int i = 0; i < FLOWS; i++) {
		slot_of[i] = order[i] = i;
		write_slot(i, i, next_gen);
		link_flow(i, i, next_gen++);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	at = start = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	while (at - start < seconds) {
		/* Half of the flows trade slots, so that the other half's elements and slots are in use meanwhile. */
		unsigned int first = random() & 1;

		for (unsigned int i = first; i < FLOWS; i += 2)
			unlink_flow(i);
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
			atomic_fetch_add(&churn.failed, 1);
		for (unsigned int i = first; i < FLOWS; i += 2) {
			unsigned int other = first + 2 * ((unsigned int)random() % (FLOWS / 2));
			unsigned int slot = slot_of[i];

			slot_of[i] = slot_of[other];
			slot_of[other] = slot;
		}
		for (unsigned int i = first; i < FLOWS; i += 2) {
			write_slot(slot_of[i], i, next_gen);
			link_flow(i, slot_of[i], next_gen++);
			reused++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	}
	return reused;
}

static void look(enum hook hook, bool up, unsigned int i)
{
	const uint8_t *frame = up ? churn.up_frames[i] : churn.down_frames[i];
	uint8_t out[512];
	size_t room = sizeof(out);
	uint32_t verdict;
	__be32 expected = up ? peer_ip(i) : client_ip(i);

	if (tp_programs_run(&churn.programs, hook, frame, up ? churn.up_size : churn.down_size, out, &room, &verdict) < 0)
		atomic_fetch_add(&churn.failed, 1);
	else if (!tp_verdict_relayed(hook, verdict, WORLD_DEVICE))
		atomic_fetch_add(&churn.missed, 1);
	else if (memcmp(out + 14 + 16, &expected, 4))
		atomic_fetch_add(&churn.wrong, 1);
	else
		atomic_fetch_add(&churn.relayed, 1);
}

static void *runner(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!atomic_load(&churn.stop)) {
		seed = seed * 1664525 + 1013904223;
		look(seed >> 30 & 1 ? HOOK_TC : HOOK_XDP, seed >> 29 & 1, seed >> 16 & (FLOWS - 1));
	}
	return NULL;
}

static void set_ip4_check(uint8_t *frame)
{
	uint32_t sum = 0;

	frame[24] = frame[25] = 0;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

static void make_frames(void)
{
	struct packet up = { .src = CLIENT44, .dst = SERVER4, .wrap = CHANNEL, .channel = 0x4000, .size = 40,
			     .no_checksum = true };
	struct packet down = { .src = PEER4, .dst = RELAY44, .size = 40, .no_checksum = true };
	uint8_t frame[PACKET_MAX];

	for (unsigned int i = 0; i < FLOWS; i++) {
		__be32 ip = client_ip(i);
		__be16 port = htons((uint16_t)(50000 + i));

		churn.up_size = tp_packet_build(&up, frame);
		memcpy(frame + 14 + 12, &ip, 4);
		set_ip4_check(frame);
		memcpy(churn.up_frames[i], frame, churn.up_size);
		churn.down_size = tp_packet_build(&down, frame);
		ip = peer_ip(i);
		memcpy(frame + 14 + 12, &ip, 4);
		memcpy(frame + 14 + 20 + 2, &port, 2);
		set_ip4_check(frame);
		memcpy(churn.down_frames[i], frame, churn.down_size);
	}
}

static void *map_array(const char *name, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, tp_programs_map(&churn.programs, name), 0);
}

/* The control: a slot that is rewritten under a linked flow does send to the wrong peer, and is noticed. */
static void control(void)
{
	write_slot(CONTROL_SLOT, 1, 77);
	link_flow(0, CONTROL_SLOT, 77);
	look(HOOK_XDP, true, 0);
	check_eq(atomic_load(&churn.wrong), 1, "a slot reused without grace period or generation would be noticed");
	write_slot(CONTROL_SLOT, 1, 78);
	look(HOOK_XDP, true, 0);
	check(atomic_load(&churn.missed) == 1 && atomic_load(&churn.wrong) == 1,
	      "under another generation nothing is relayed by a stale reference");
	unlink_flow(0);
	atomic_store(&churn.wrong, 0);
	atomic_store(&churn.missed, 0);
}

int main(void)
{
	static struct tp_world world;
	pthread_t threads[RUNNERS];
	uint64_t reused;

	if (geteuid() != 0) {
		skip("slots reused under load", "needs root");
		return done();
	}
	if (!check(tp_programs_load(&churn.programs, false) == 0, "both programs load"))
		return done();
	tp_world_init(&world, tp_coarse_ns());
	world.up_count = world.down_count = world.local_count = 0;
	churn.up4 = tp_programs_map(&churn.programs, "tp1_up4");
	churn.down4 = tp_programs_map(&churn.programs, "tp1_down4");
	churn.rules = map_array("tp1_rules", 1024 * sizeof(struct tp_rule));
	churn.lives = map_array("tp1_lives", 1024 * sizeof(struct tp_life));
	if (!check(tp_programs_fill(&churn.programs, &world) == 0 && churn.rules != MAP_FAILED && churn.lives != MAP_FAILED,
		   "the maps are there"))
		return done();
	make_frames();
	control();
	for (unsigned int i = 0; i < RUNNERS; i++)
		if (pthread_create(&threads[i], NULL, runner, (void *)(uintptr_t)(i + 1)))
			return 1;
	reused = reuse(RUN_SECONDS);
	atomic_store(&churn.stop, true);
	for (unsigned int i = 0; i < RUNNERS; i++)
		pthread_join(threads[i], NULL);
	printf("# %llu relayed, %llu not, %llu slots reused in %d s\n", atomic_load(&churn.relayed),
	       atomic_load(&churn.missed), (unsigned long long)reused, RUN_SECONDS);
	check_eq(atomic_load(&churn.wrong), 0, "no packet reaches another's client or peer");
	check_eq(atomic_load(&churn.failed), 0, "no call failed");
	check(atomic_load(&churn.relayed) > 1000 && reused > FLOWS, "packets are relayed while slots are reused");
	tp_programs_free(&churn.programs);
	return done();
}
