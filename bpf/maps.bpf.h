/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every map of the programs; abi.h says what is in them and who writes it. Sizes
 * are small defaults that the loader replaces. Both programs share one set.
 *
 * The functions below are the vocabulary relay.h looks things up with; the native
 * core of the tests has another implementation of them. A reference is 0 if there
 * is none: generations begin at 1.
 */
#ifndef TP_MAPS_BPF_H
#define TP_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <turnpike/abi.h>
#include <turnpike/port.h>

#define TP_SCRATCH_SIZE 16384

#define TP_HASH(map_name, key_type, value_type)		\
	struct {						\
		__uint(type, BPF_MAP_TYPE_HASH);		\
		__uint(max_entries, 1024);			\
		__type(key, key_type);				\
		__type(value, value_type);			\
	} map_name SEC(".maps")

#define TP_ARRAY(map_name, value_type)				\
	struct {						\
		__uint(type, BPF_MAP_TYPE_ARRAY);		\
		__uint(map_flags, BPF_F_MMAPABLE);		\
		__uint(max_entries, 1024);			\
		__type(key, __u32);				\
		__type(value, value_type);			\
	} map_name SEC(".maps")

TP_HASH(tp1_up4, struct tp_key_up4, __u64);
TP_HASH(tp1_up6, struct tp_key_up6, __u64);
TP_HASH(tp1_down4, struct tp_key_down4, __u64);
TP_HASH(tp1_down6, struct tp_key_down6, __u64);
TP_HASH(tp1_local, struct tp_key_local, struct tp_local);
TP_ARRAY(tp1_rules, struct tp_rule);
TP_ARRAY(tp1_lives, struct tp_life);
TP_ARRAY(tp1_counts, struct tp_counts);
TP_ARRAY(tp1_police, struct tp_police);
TP_ARRAY(tp1_hops, struct tp_hop);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_state);
} tp1_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TP_REASON_COUNT);
	__type(key, __u32);
	__type(value, struct tp_reason_count);
} tp1_reasons SEC(".maps");

/* The packet at hand; in the tc program also its data while they are moved. */
struct tp_scratch {
	__u8 job[512];
	__u8 bytes[TP_SCRATCH_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tp_scratch);
} tp1_scratch SEC(".maps");

#define MAP_REF(map, key)						\
	({								\
		const __u64 *map_ref = bpf_map_lookup_elem(&(map), (key)); \
		map_ref ? TP_ONCE(*map_ref) : 0;			\
	})

static __always_inline __u64 map_up4(const struct tp_key_up4 *key) { return MAP_REF(tp1_up4, key); }
static __always_inline __u64 map_up6(const struct tp_key_up6 *key) { return MAP_REF(tp1_up6, key); }
static __always_inline __u64 map_down4(const struct tp_key_down4 *key) { return MAP_REF(tp1_down4, key); }
static __always_inline __u64 map_down6(const struct tp_key_down6 *key) { return MAP_REF(tp1_down6, key); }

static __always_inline const struct tp_rule *map_rule(__u32 slot) { return bpf_map_lookup_elem(&tp1_rules, &slot); }
static __always_inline const struct tp_life *map_life(__u32 slot) { return bpf_map_lookup_elem(&tp1_lives, &slot); }
static __always_inline struct tp_counts *map_counts(__u32 slot) { return bpf_map_lookup_elem(&tp1_counts, &slot); }
static __always_inline struct tp_police *map_police(__u32 index) { return bpf_map_lookup_elem(&tp1_police, &index); }
static __always_inline const struct tp_hop *map_hop(__u32 index) { return bpf_map_lookup_elem(&tp1_hops, &index); }

static __always_inline const struct tp_local *map_local(const struct tp_key_local *key)
{
	return bpf_map_lookup_elem(&tp1_local, key);
}

static __always_inline const struct tp_state *map_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tp1_state, &zero);
}

static __always_inline struct tp_reason_count *map_reason(__u32 reason)
{
	return bpf_map_lookup_elem(&tp1_reasons, &reason);
}

static __always_inline struct tp_scratch *map_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tp1_scratch, &zero);
}

#endif /* TP_MAPS_BPF_H */
