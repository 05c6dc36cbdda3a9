/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The programs and their maps: sized by the configuration, loaded, shared by both
 * programs, the arrays mapped into memory. Called when the bpf data path opens.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dp/bpf.h"
#include "log.h"
#include "turnpike_tc.skel.h"
#include "turnpike_xdp.skel.h"

/*
 * Of one allocation, on average: a Send flow, a channel, two permissions. The
 * down maps hold channels and permissions, the up maps channels and Sends. What
 * does not fit is relayed by userspace, and counted.
 */
#define MAPS_RULES_PER_ALLOCATION	4
#define MAPS_UP_PER_ALLOCATION		2
#define MAPS_HOPS_MAX			16384	/* next hops, not destinations: neighbours of this node */
#define MAPS_LOCAL_MAX			4096

static const struct {
	const char *name;
	size_t value_size;	/* of arrays that are mapped */
} maps_known[BPF_MAPS] = {
	[BPF_UP4] = { "tp1_up4", 0 },
	[BPF_UP6] = { "tp1_up6", 0 },
	[BPF_DOWN4] = { "tp1_down4", 0 },
	[BPF_DOWN6] = { "tp1_down6", 0 },
	[BPF_LOCAL] = { "tp1_local", 0 },
	[BPF_RULES] = { "tp1_rules", sizeof(struct tp_rule) },
	[BPF_LIVES] = { "tp1_lives", sizeof(struct tp_life) },
	[BPF_COUNTS] = { "tp1_counts", sizeof(struct tp_counts) },
	[BPF_POLICE] = { "tp1_police", sizeof(struct tp_police) },
	[BPF_HOPS] = { "tp1_hops", sizeof(struct tp_hop) },
	[BPF_STATE] = { "tp1_state", sizeof(struct tp_state) },
	[BPF_REASONS] = { "tp1_reasons", 0 },
	[BPF_KEEPS] = { "tp1_keeps", 0 },
};

const char *bpf_map_name(enum bpf_map_id id)
{
	return maps_known[id].name;
}

static uint32_t map_len(const struct bpf_conf *conf, enum bpf_map_id id)
{
	uint32_t n = conf->max_allocations;

	switch (id) {
	case BPF_UP4:
	case BPF_UP6:
		return n * MAPS_UP_PER_ALLOCATION;
	case BPF_DOWN4:
	case BPF_DOWN6:
		return n * MAPS_RULES_PER_ALLOCATION;
	case BPF_RULES:
	case BPF_LIVES:
	case BPF_COUNTS:
		return n * MAPS_RULES_PER_ALLOCATION + 1;
	case BPF_POLICE:
		return n + 1;
	case BPF_HOPS:
		return n < MAPS_HOPS_MAX / 4 ? n * 4 + 1 : MAPS_HOPS_MAX;
	case BPF_LOCAL:
		return MAPS_LOCAL_MAX;
	default:
		return 0;	/* as the program says */
	}
}

/* Either sizes the object's maps or takes those of the program that was loaded before. */
static int object_prepare(struct bpf_dp *b, struct bpf_object *object)
{
	for (int i = 0; i < BPF_PROGRAM_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, maps_known[i].name);
		uint32_t len = map_len(&b->conf, i);
		int err = 0;

		if (!map || (maps_known[i].value_size && bpf_map__value_size(map) != maps_known[i].value_size))
			return -EPROTO;
		if (b->maps.fd[i] >= 0)
			err = bpf_map__reuse_fd(map, b->maps.fd[i]);
		else if (len)
			err = bpf_map__set_max_entries(map, len);
		if (err)
			return err;
	}
	return 0;
}

/* The maps outlive the object that made them: whichever is closed first. */
static int object_take_maps(struct bpf_dp *b, struct bpf_object *object)
{
	for (int i = 0; i < BPF_PROGRAM_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, maps_known[i].name);

		if (b->maps.fd[i] < 0)
			b->maps.fd[i] = dup(bpf_map__fd(map));
		if (b->maps.fd[i] < 0)
			return -errno;
	}
	return 0;
}

static int object_load(struct bpf_dp *b, struct bpf_object *object, int *ret_fd)
{
	struct bpf_program *program = bpf_object__next_program(object, NULL);
	int err = object_prepare(b, object);

	if (!err)
		err = bpf_object__load(object);
	if (!err)
		err = object_take_maps(b, object);
	if (!err)
		*ret_fd = bpf_program__fd(program);
	return err;
}

static int load_xdp(struct bpf_dp *b)
{
	b->xdp = turnpike_xdp__open();
	return b->xdp ? object_load(b, b->xdp->obj, &b->xdp_fd) : -errno;
}

static int load_tc(struct bpf_dp *b)
{
	b->tc = turnpike_tc__open();
	return b->tc ? object_load(b, b->tc->obj, &b->tc_fd) : -errno;
}

static int maps_map(struct bpf_maps *maps)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < BPF_MAPS; i++) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);
		size_t bytes;

		if (!maps_known[i].value_size)
			continue;
		if (bpf_obj_get_info_by_fd(maps->fd[i], &info, &size) < 0)
			return -errno;
		bytes = (maps_known[i].value_size * info.max_entries + page - 1) / page * page;
		maps->memory[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, maps->fd[i], 0);
		if (maps->memory[i] == MAP_FAILED) {
			maps->memory[i] = NULL;
			return -errno;
		}
		maps->mapped[i] = bytes;
		if (i == BPF_RULES)
			maps->rules_len = info.max_entries;
		else if (i == BPF_HOPS)
			maps->hops_len = info.max_entries;
		else if (i == BPF_POLICE)
			maps->police_len = info.max_entries;
	}
	maps->rules = maps->memory[BPF_RULES];
	maps->lives = maps->memory[BPF_LIVES];
	maps->counts = maps->memory[BPF_COUNTS];
	maps->police = maps->memory[BPF_POLICE];
	maps->hops = maps->memory[BPF_HOPS];
	maps->state = maps->memory[BPF_STATE];
	return 0;
}

/* libbpf's own words go to the debug log: what went wrong is said once, by us. */
static int libbpf_line(enum libbpf_print_level level, const char *format, va_list ap)
{
	char line[512];
	int n;

	if (level == LIBBPF_DEBUG)
		return 0;
	n = vsnprintf(line, sizeof(line), format, ap);
	if (n > 0 && (size_t)n < sizeof(line) && line[n - 1] == '\n')
		line[n - 1] = 0;
	tp_debug("%s", line);
	return 0;
}

static const char *load_error(int err)
{
	switch (-err) {
	case EPERM:
		return "no privilege for BPF (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)";
	case EACCES:
		return "the kernel's verifier refuses it";
	case ENOSYS:
	case EOPNOTSUPP:
		return "the kernel has no BPF";
	case ENOMEM:
	case E2BIG:
		return "no memory for the tables (max-allocations)";
	default:
		return strerror(-err);
	}
}

/* No program has it. Its memory is taken as allocations come. */
static int keeps_make(struct bpf_dp *b)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	if (b->maps.fd[BPF_KEEPS] >= 0)
		return 0;
	b->maps.fd[BPF_KEEPS] = bpf_map_create(BPF_MAP_TYPE_HASH, maps_known[BPF_KEEPS].name, sizeof(uint64_t),
					       sizeof(struct tp_keep), b->conf.max_allocations, &opts);
	return b->maps.fd[BPF_KEEPS] < 0 ? -errno : 0;
}

int bpf_maps_load(struct bpf_dp *b, char *why)
{
	int xdp_err = -ENOENT, tc_err = -ENOENT, err;

	b->xdp_fd = b->tc_fd = -1;
	libbpf_set_print(libbpf_line);
	if (b->conf.xdp)
		xdp_err = load_xdp(b);
	if (b->conf.tc && xdp_err != -EPERM)
		tc_err = load_tc(b);
	if (b->conf.xdp && xdp_err)
		snprintf(why, BPF_WHY_SIZE, "XDP program: %s", load_error(xdp_err));
	else if (b->conf.tc && tc_err)
		snprintf(why, BPF_WHY_SIZE, "tc program: %s", load_error(tc_err));
	if (xdp_err && tc_err)
		return b->conf.xdp ? xdp_err : tc_err;
	if (xdp_err && b->conf.xdp)
		tp_warning("datapath: %s; tc only", why);
	if (tc_err && b->conf.tc)
		tp_warning("datapath: %s; XDP only", why);
	err = keeps_make(b);
	if (err) {
		snprintf(why, BPF_WHY_SIZE, "%s: %s", maps_known[BPF_KEEPS].name, load_error(err));
		return err;
	}
	err = maps_map(&b->maps);
	if (err)
		snprintf(why, BPF_WHY_SIZE, "mapping the tables: %s", strerror(-err));
	return err;
}

void bpf_maps_unload(struct bpf_dp *b)
{
	turnpike_xdp__destroy(b->xdp);
	turnpike_tc__destroy(b->tc);
	b->xdp = NULL;
	b->tc = NULL;
	for (int i = 0; i < BPF_MAPS; i++) {
		if (b->maps.memory[i])
			munmap(b->maps.memory[i], b->maps.mapped[i]);
		b->maps.memory[i] = NULL;
		if (b->maps.fd[i] >= 0)
			close(b->maps.fd[i]);
		b->maps.fd[i] = -1;
	}
}
