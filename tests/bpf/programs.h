/* SPDX-License-Identifier: GPL-2.0 */
/* Both programs loaded over one set of maps, the fixtures' world in them, and test runs. For tests/bpf. */
#ifndef TP_TESTS_BPF_PROGRAMS_H
#define TP_TESTS_BPF_PROGRAMS_H

#include <linux/bpf.h>

#include "fixtures/world.h"

enum hook { HOOK_XDP, HOOK_TC, HOOKS };

struct tp_programs {
	struct bpf_object *objects[HOOKS];
	int fds[HOOKS];
};

/* `frags`: XDP takes frames of several buffers. Negative errno: says why on stdout as a TAP comment. */
int tp_programs_load(struct tp_programs *programs, bool frags);
void tp_programs_free(struct tp_programs *programs);

int tp_programs_map(const struct tp_programs *programs, const char *name);

/* Make the maps hold what the world holds, and nothing else in the keyed ones. */
int tp_programs_fill(const struct tp_programs *programs, const struct tp_world *world);

/* Packets counted under each reason since the maps were made, over all CPUs. */
int tp_programs_reasons(const struct tp_programs *programs, uint64_t counts[TP_REASON_COUNT]);

/* One frame through a program. `ret_size` is in: the room, out: the frame's size. */
int tp_programs_run(const struct tp_programs *programs, enum hook hook, const uint8_t *frame, size_t size,
		    uint8_t *out, size_t *ret_size, uint32_t *ret_verdict);

/* Is a verdict of the hook a relayed, passed up or dropped packet? */
bool tp_verdict_relayed(enum hook hook, uint32_t verdict, uint32_t ifindex);
bool tp_verdict_passed(enum hook hook, uint32_t verdict);
bool tp_verdict_dropped(enum hook hook, uint32_t verdict);

/* CLOCK_MONOTONIC_COARSE */
uint64_t tp_coarse_ns(void);

#endif
