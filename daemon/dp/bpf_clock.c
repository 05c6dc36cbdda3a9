/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The programs' clock against ours. They read the initial time namespace's; in a
 * container with a time namespace of its own, ours is another. Called at the start.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "dp/bpf.h"

#define CLOCK_TICK_NS	20000000	/* more than one tick of any HZ: the same clock, read twice */

static int clock_load(int map_fd)
{
	struct bpf_insn program[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_coarse_ns },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map_fd },
		{ 0 },
		{ .code = BPF_STX | BPF_DW | BPF_MEM, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "tp_clock", "GPL", program,
			     sizeof(program) / sizeof(program[0]), NULL);
}

static int clock_read(int prog_fd, int map_fd, uint64_t *ret_ns)
{
	uint8_t frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));
	uint32_t zero = 0;

	if (bpf_prog_test_run_opts(prog_fd, &opts) < 0 || bpf_map_lookup_elem(map_fd, &zero, ret_ns) < 0)
		return -errno;
	return 0;
}

int bpf_clock_offset(int64_t *ret_offset)
{
	int map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tp_clock", 4, 8, 1, NULL), prog_fd, err;
	uint64_t kernel_ns;
	int64_t offset;

	if (map_fd < 0)
		return -errno;
	prog_fd = clock_load(map_fd);
	err = prog_fd < 0 ? -errno : clock_read(prog_fd, map_fd, &kernel_ns);
	if (!err) {
		offset = (int64_t)(kernel_ns - tp_dp_now_ns());
		*ret_offset = offset > -CLOCK_TICK_NS && offset < CLOCK_TICK_NS ? 0 : offset;
	}
	if (prog_fd >= 0)
		close(prog_fd);
	close(map_fd);
	return err;
}
