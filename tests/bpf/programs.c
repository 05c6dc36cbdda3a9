/* SPDX-License-Identifier: GPL-2.0 */
/* Loads, fills and runs the programs for programs.h. */
#include "bpf/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "turnpike_tc.skel.h"
#include "turnpike_xdp.skel.h"

static int print(enum libbpf_print_level level, const char *format, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, ap) : 0;
}

static int open_object(struct tp_programs *programs, enum hook hook, const void *elf, size_t size, const char *name,
		       uint32_t flags)
{
	struct bpf_object *object = bpf_object__open_mem(elf, size, NULL);
	struct bpf_program *program;
	struct bpf_map *map, *shared;
	int r;

	if (!object)
		return -errno;
	programs->objects[hook] = object;
	program = bpf_object__find_program_by_name(object, name);
	if (!program)
		return -ENOENT;
	if (flags)
		bpf_program__set_flags(program, flags);
	bpf_object__for_each_map(map, object) {
		shared = hook == HOOK_XDP ? NULL :
			 bpf_object__find_map_by_name(programs->objects[HOOK_XDP], bpf_map__name(map));
		if (shared) {
			r = bpf_map__reuse_fd(map, bpf_map__fd(shared));
			if (r < 0)
				return r;
		}
	}
	r = bpf_object__load(object);
	if (r < 0)
		return r;
	programs->fds[hook] = bpf_program__fd(program);
	return 0;
}

int tp_programs_load(struct tp_programs *programs, bool frags)
{
	size_t size;
	const void *elf;
	int r;

	memset(programs, 0, sizeof(*programs));
	libbpf_set_print(print);
	elf = turnpike_xdp__elf_bytes(&size);
	r = open_object(programs, HOOK_XDP, elf, size, "turnpike_xdp", frags ? BPF_F_XDP_HAS_FRAGS : 0);
	if (r >= 0) {
		elf = turnpike_tc__elf_bytes(&size);
		r = open_object(programs, HOOK_TC, elf, size, "turnpike_tc", 0);
	}
	if (r < 0) {
		printf("# cannot load the programs: %s\n", strerror(-r));
		tp_programs_free(programs);
	}
	return r;
}

void tp_programs_free(struct tp_programs *programs)
{
	for (int i = 0; i < HOOKS; i++)
		bpf_object__close(programs->objects[i]);
	memset(programs, 0, sizeof(*programs));
}

int tp_programs_map(const struct tp_programs *programs, const char *name)
{
	return bpf_object__find_map_fd_by_name(programs->objects[HOOK_XDP], name);
}

static void empty(int fd)
{
	uint8_t key[64];

	while (bpf_map_get_next_key(fd, NULL, key) == 0)
		if (bpf_map_delete_elem(fd, key) < 0)
			return;
}

static int fill_array(int fd, const void *values, size_t size, unsigned int count)
{
	int r = 0;

	for (uint32_t i = 0; i < count && r >= 0; i++)
		r = bpf_map_update_elem(fd, &i, (const uint8_t *)values + i * size, BPF_ANY);
	return r;
}

int tp_programs_fill(const struct tp_programs *programs, const struct tp_world *world)
{
	int up4 = tp_programs_map(programs, "tp1_up4"), up6 = tp_programs_map(programs, "tp1_up6");
	int down4 = tp_programs_map(programs, "tp1_down4"), down6 = tp_programs_map(programs, "tp1_down6");
	int local = tp_programs_map(programs, "tp1_local");
	unsigned int i;
	int r = 0;

	empty(up4);
	empty(up6);
	empty(down4);
	empty(down6);
	empty(local);
	/* What is found first natively is what counts: the last entries go in first. */
	for (i = world->up_count; i-- > 0;) {
		const struct world_up *up = &world->ups[i];

		r |= up->family == TP_IPV4 ? bpf_map_update_elem(up4, &up->up4, &up->ref, BPF_ANY) :
					     bpf_map_update_elem(up6, &up->up6, &up->ref, BPF_ANY);
	}
	for (i = world->down_count; i-- > 0;) {
		const struct world_down *down = &world->downs[i];

		r |= down->family == TP_IPV4 ? bpf_map_update_elem(down4, &down->down4, &down->ref, BPF_ANY) :
					       bpf_map_update_elem(down6, &down->down6, &down->ref, BPF_ANY);
	}
	for (i = 0; i < world->local_count; i++)
		r |= bpf_map_update_elem(local, &world->local_keys[i], &world->locals[i], BPF_ANY);
	r |= fill_array(tp_programs_map(programs, "tp1_rules"), world->rules, sizeof(world->rules[0]), WORLD_FLOWS);
	r |= fill_array(tp_programs_map(programs, "tp1_lives"), world->lives, sizeof(world->lives[0]), WORLD_FLOWS);
	r |= fill_array(tp_programs_map(programs, "tp1_counts"), world->counts, sizeof(world->counts[0]), WORLD_FLOWS);
	r |= fill_array(tp_programs_map(programs, "tp1_hops"), world->hops, sizeof(world->hops[0]), WORLD_HOPS);
	r |= fill_array(tp_programs_map(programs, "tp1_police"), world->police, sizeof(world->police[0]), 4);
	r |= fill_array(tp_programs_map(programs, "tp1_state"), &world->state, sizeof(world->state), 1);
	return r ? -EIO : 0;
}

int tp_programs_reasons(const struct tp_programs *programs, uint64_t counts[TP_REASON_COUNT])
{
	int fd = tp_programs_map(programs, "tp1_reasons"), cpus = libbpf_num_possible_cpus();
	struct tp_reason_count *values;
	int r = 0;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (uint32_t i = 0; i < TP_REASON_COUNT && r >= 0; i++) {
		r = bpf_map_lookup_elem(fd, &i, values);
		counts[i] = 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			counts[i] += values[cpu].packets;
	}
	free(values);
	return r;
}

int tp_programs_run(const struct tp_programs *programs, enum hook hook, const uint8_t *frame, size_t size,
		    uint8_t *out, size_t *ret_size, uint32_t *ret_verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)size, .data_out = out,
		    .data_size_out = (uint32_t)*ret_size);
	int r = bpf_prog_test_run_opts(programs->fds[hook], &opts);

	if (r < 0)
		return -errno;
	*ret_size = opts.data_size_out;
	*ret_verdict = opts.retval;
	return 0;
}

bool tp_verdict_relayed(enum hook hook, uint32_t verdict, uint32_t ifindex)
{
	if (hook == HOOK_TC)
		return verdict == TC_ACT_REDIRECT;
	return verdict == (ifindex == WORLD_DEVICE ? XDP_TX : XDP_REDIRECT);
}

bool tp_verdict_passed(enum hook hook, uint32_t verdict)
{
	return hook == HOOK_TC ? verdict == (uint32_t)TC_ACT_UNSPEC : verdict == XDP_PASS;
}

bool tp_verdict_dropped(enum hook hook, uint32_t verdict)
{
	return hook == HOOK_TC ? verdict == TC_ACT_SHOT : verdict == XDP_DROP;
}

uint64_t tp_coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * WORLD_SECOND + (uint64_t)now.tv_nsec;
}
