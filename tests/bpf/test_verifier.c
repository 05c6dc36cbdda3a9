/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs cost: the verifier's count of processed instructions, under a
 * ceiling, and the helpers and maps that the loaded programs call. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/tap.h"
#include "turnpike_tc.skel.h"
#include "turnpike_xdp.skel.h"

#define CEILING 70000	/* instructions; the kernel's limit is 1,000,000 */
#define LOG_SIZE (1u << 20)

struct calls {
	unsigned int all[1024];		/* call sites by helper */
	unsigned int hash_lookups;	/* of them, look-ups in the rule hash maps */
	unsigned int local_lookups;
};

/* The map whose address is loaded into r1 last before a call. */
static const char *map_of_call(const struct bpf_object *object, const struct bpf_insn *insns, size_t call)
{
	static struct bpf_map_info info;
	uint32_t info_size = sizeof(info);
	const struct bpf_map *map;

	for (size_t i = call; i-- > 0 && call - i < 64;) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW) || insns[i].dst_reg != BPF_REG_1)
			continue;
		bpf_object__for_each_map(map, object)
			if (bpf_map__fd(map) == insns[i].imm && !bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &info_size))
				return info.name;
		return "?";
	}
	return "?";
}

/* As libbpf hands them to the kernel: maps are still file descriptors. */
static void count_calls(const struct bpf_object *object, const struct bpf_program *program, struct calls *ret)
{
	const struct bpf_insn *insns = bpf_program__insns(program);
	size_t count = bpf_program__insn_cnt(program);
	const char *map;

	for (size_t i = 0; i < count; i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg != 0 || insns[i].imm < 0 || insns[i].imm > 1023)
			continue;
		ret->all[insns[i].imm]++;
		if (insns[i].imm != BPF_FUNC_map_lookup_elem)
			continue;
		map = map_of_call(object, insns, i);
		ret->hash_lookups += strstr(map, "tp1_up") == map || strstr(map, "tp1_down") == map;
		ret->local_lookups += strcmp(map, "tp1_local") == 0;
	}
}

static unsigned int processed(const char *log)
{
	const char *line = strstr(log, "processed ");

	return line ? (unsigned int)strtoul(line + strlen("processed "), NULL, 10) : 0;
}

/*
 * The call sites of the hash look-ups, each reached at most once by a packet:
 * up4, up6; then a peer's exact and address look-up in down4 and down6; the Send's
 * permission in both; and the other side of a call, exact and address, in both,
 * which the compiler may make twice, for ChannelData and for Send.
 */
#define HASH_SITES_MAX (2 + 4 + 2 + 2 * 4)

static void helpers(const char *name, const struct calls *calls)
{
	static const struct {
		int helper;
		const char *text;
	} never[] = {
		{ BPF_FUNC_fib_lookup, "bpf_fib_lookup" }, { BPF_FUNC_ktime_get_ns, "bpf_ktime_get_ns" },
		{ BPF_FUNC_ktime_get_boot_ns, "bpf_ktime_get_boot_ns" }, { BPF_FUNC_ringbuf_output, "bpf_ringbuf_output" },
		{ BPF_FUNC_ringbuf_reserve, "bpf_ringbuf_reserve" }, { BPF_FUNC_perf_event_output, "bpf_perf_event_output" },
		{ BPF_FUNC_map_update_elem, "bpf_map_update_elem" }, { BPF_FUNC_map_delete_elem, "bpf_map_delete_elem" },
		{ BPF_FUNC_trace_printk, "bpf_trace_printk" }, { BPF_FUNC_spin_lock, "bpf_spin_lock" },
	};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		check_eq(calls->all[never[i].helper], 0, "%s: no %s", name, never[i].text);
	/* One in the source, reached once by a packet; the compiler may split it by path. */
	check(calls->all[BPF_FUNC_ktime_get_coarse_ns] >= 1 && calls->all[BPF_FUNC_ktime_get_coarse_ns] <= 2,
	      "%s: the coarse clock is the only one", name);
	check(calls->all[BPF_FUNC_sk_lookup_udp] >= 1 && calls->all[BPF_FUNC_sk_lookup_udp] <= 2,
	      "%s: sockets are looked up for dead daemons only", name);
	check(calls->hash_lookups >= 8 && calls->hash_lookups <= HASH_SITES_MAX,
	      "%s: %u call sites look up rules, at most %d", name, calls->hash_lookups, HASH_SITES_MAX);
	check(calls->local_lookups >= 1, "%s: local addresses are looked up", name);
}

static void program(const char *name, const void *elf, size_t size)
{
	static char log[LOG_SIZE];
	struct bpf_object *object = bpf_object__open_mem(elf, size, NULL);
	struct calls calls = { .hash_lookups = 0 };
	struct bpf_program *prog;
	unsigned int count;

	if (!check(object != NULL, "%s: opens", name))
		return;
	prog = bpf_object__find_program_by_name(object, name);
	memset(log, 0, sizeof(log));
	bpf_program__set_log_buf(prog, log, sizeof(log));
	bpf_program__set_log_level(prog, 4);	/* statistics only */
	if (check(bpf_object__load(object) == 0, "%s: loads", name)) {
		count = processed(log);
		check(count > 1000 && count <= CEILING, "%s: the verifier processed %u instructions, %d allowed", name, count,
		      CEILING);
		count_calls(object, prog, &calls);
		helpers(name, &calls);
	}
	bpf_object__close(object);
}

int main(void)
{
	const void *elf;
	size_t size;

	if (geteuid() != 0) {
		skip("the programs' cost", "needs root");
		return done();
	}
	elf = turnpike_xdp__elf_bytes(&size);
	program("turnpike_xdp", elf, size);
	elf = turnpike_tc__elf_bytes(&size);
	program("turnpike_tc", elf, size);
	return done();
}
