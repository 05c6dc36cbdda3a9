/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The records of allocations in tp1_keeps, and the flows that an earlier daemon left. Called by the
 * engines (keep, forget), and at the start, before any engine runs, by what adopts or sweeps.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "dp/bpf.h"

/* Ordered by allocation. */
struct bpf_kept_slot {
	uint64_t id;
	uint32_t slot;		/* 0: adopted */
};

static int kept_compare(const void *a, const void *b)
{
	const struct bpf_kept_slot *x = a, *y = b;

	return x->id != y->id ? (x->id < y->id ? -1 : 1) : (x->slot > y->slot) - (x->slot < y->slot);
}

int bpf_kept_init(struct bpf_dp *b)
{
	size_t len = 0;

	if (!b->kept_len)
		return 0;
	b->kept = calloc(b->kept_len, sizeof(*b->kept));
	if (!b->kept)
		return -ENOMEM;
	for (uint32_t i = 1; i < b->maps.rules_len; i++)
		if (b->slots[i].state == BPF_SLOT_LIVE)
			b->kept[len++] = (struct bpf_kept_slot){ b->maps.rules[i].id, i };
	qsort(b->kept, len, sizeof(*b->kept), kept_compare);
	return 0;
}

void bpf_kept_fini(struct bpf_dp *b)
{
	free(b->kept);
	b->kept = NULL;
	b->kept_len = 0;
}

bool *bpf_kept_hops(const struct bpf_dp *b)
{
	bool *used = calloc(b->maps.hops_len, sizeof(*used));

	for (uint32_t i = 1; used && i < b->maps.rules_len; i++) {
		const struct tp_rule *rule = &b->maps.rules[i];

		if (rule->gen && rule->client_hop < b->maps.hops_len)
			used[rule->client_hop] = true;
		if (rule->gen && rule->peer_hop < b->maps.hops_len)
			used[rule->peer_hop] = true;
	}
	return used;
}

/* The record's times in the programs' clock, or in ours. */
static void keep_convert(const struct bpf_dp *b, const struct tp_keep *keep,
			 uint64_t (*convert)(const struct bpf_dp *b, uint64_t ns), struct tp_keep *ret)
{
	*ret = *keep;
	ret->created_ns = convert(b, keep->created_ns);
	for (int i = 0; i < 2; i++)
		ret->relays[i].expires_ns = convert(b, keep->relays[i].expires_ns);
}

int bpf_keep(struct tp_dp *dp, const struct tp_keep *keep)
{
	struct bpf_dp *b = bpf_of(dp);
	struct tp_keep record;

	keep_convert(b, keep, bpf_to_kernel, &record);
	return bpf_map_update_elem(b->maps.fd[BPF_KEEPS], &record.who.id, &record, BPF_ANY) < 0 ? -errno : 0;
}

void bpf_forget(struct tp_dp *dp, uint64_t id)
{
	bpf_map_delete_elem(bpf_of(dp)->maps.fd[BPF_KEEPS], &id);
}

/* The ids of all records, so that they may be deleted on the way. NULL: none, or no memory for them. */
static uint64_t *keeps_ids(const struct bpf_dp *b, size_t *ret_len)
{
	uint64_t *ids = NULL, *more, key, *from = NULL;
	size_t len = 0, size = 0;

	while (!bpf_map_get_next_key(b->maps.fd[BPF_KEEPS], from, &key)) {
		if (len == size) {
			size = size ? size * 2 : 256;
			more = realloc(ids, size * sizeof(*ids));
			if (!more)
				break;
			ids = more;
		}
		ids[len++] = key;
		from = &key;
	}
	*ret_len = len;
	return ids;
}

uint64_t bpf_keeps_len(const struct bpf_dp *b)
{
	uint64_t key, *from = NULL, len = 0;

	while (!bpf_map_get_next_key(b->maps.fd[BPF_KEEPS], from, &key)) {
		len++;
		from = &key;
	}
	return len;
}

void bpf_kept(struct tp_dp *dp, tp_dp_kept_fn fn, void *arg)
{
	struct bpf_dp *b = bpf_of(dp);
	struct tp_keep record, keep;
	size_t len;
	uint64_t *ids = keeps_ids(b, &len);

	for (size_t i = 0; i < len; i++) {
		if (bpf_map_lookup_elem(b->maps.fd[BPF_KEEPS], &ids[i], &record) < 0 || record.who.id != ids[i])
			continue;
		keep_convert(b, &record, bpf_from_kernel, &keep);
		if (!fn(arg, &keep))
			break;
	}
	free(ids);
}

/* The first one of an allocation, or where it would be. */
static size_t kept_first(const struct bpf_dp *b, uint64_t id)
{
	size_t low = 0, high = b->kept_len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (b->kept[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void bpf_kept_flows(struct tp_dp *dp, uint64_t id, tp_dp_kept_flow_fn fn, void *arg)
{
	struct bpf_dp *b = bpf_of(dp);
	struct tp_flow_life life;
	struct tp_flow flow;

	for (size_t i = kept_first(b, id); i < b->kept_len && b->kept[i].id == id; i++) {
		if (!b->kept[i].slot)
			continue;
		bpf_rule_decode(&b->maps.rules[b->kept[i].slot], &flow);
		bpf_life_read(b, b->kept[i].slot, &life);
		fn(arg, b->kept[i].slot, &flow, &life);
	}
}

void bpf_adopt(struct tp_dp *dp, tp_flow_id id)
{
	struct bpf_dp *b = bpf_of(dp);
	struct tp_flow flow;

	bpf_rule_decode(&b->maps.rules[id], &flow);
	for (size_t i = kept_first(b, flow.id); i < b->kept_len && b->kept[i].id == flow.id; i++) {
		if (b->kept[i].slot != id)
			continue;
		b->kept[i].slot = 0;
		bpf_slot_bind(b, id, &flow);
		return;
	}
}

/* Buckets of flows that go, unless one that stays has it too. */
static void police_sweep(struct bpf_dp *b, bool *freed)
{
	for (uint32_t i = 1; i < b->maps.rules_len; i++)
		if (b->slots[i].state == BPF_SLOT_LIVE && b->maps.rules[i].police < b->maps.police_len)
			freed[b->maps.rules[i].police] = false;
	for (uint32_t i = 1; i < b->maps.police_len; i++)
		if (freed[i])
			bpf_police_free(&b->dp, i);
}

size_t bpf_sweep(struct tp_dp *dp)
{
	struct bpf_dp *b = bpf_of(dp);
	bool *freed = calloc(b->maps.police_len, sizeof(*freed));
	struct tp_flow_traffic traffic;
	size_t swept = 0;

	for (size_t i = 0; i < b->kept_len; i++) {
		uint32_t slot = b->kept[i].slot;

		if (!slot)
			continue;
		if (freed && b->maps.rules[slot].police < b->maps.police_len)
			freed[b->maps.rules[slot].police] = true;
		bpf_remove(dp, slot);
		swept++;
	}
	if (b->pins.kept)
		tp_grace_wait(b->grace);
	for (size_t i = 0; i < b->kept_len; i++)
		if (b->kept[i].slot)
			bpf_harvest(dp, b->kept[i].slot, &traffic);
	if (freed && swept)
		police_sweep(b, freed);
	free(freed);
	bpf_kept_fini(b);
	tp_nl_forget_kept(b->nl);
	return swept;
}
