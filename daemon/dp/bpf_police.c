/* SPDX-License-Identifier: GPL-2.0 */
/* Token buckets in tp1_police. Called by the engines; programs move `tat_ns`. */
#include <errno.h>
#include <stdlib.h>

#include "dp/bpf.h"

/*
 * How far ahead of its rate an allocation may run: half a second, so that a key
 * frame passes, and many ticks of the coarse clock.
 */
#define POLICE_BURST_NS	500000000u
#define POLICE_BURST_BYTES	3000u	/* but at least two full packets */
#define PS_PER_S	1000000000000u

/* Buckets of flows that an earlier daemon left are in use; `tat_ns` of the others says nothing. */
int bpf_police_init(struct bpf_dp *b)
{
	bool *used = calloc(b->maps.police_len, sizeof(*used));

	b->police_free = calloc(b->maps.police_len, sizeof(*b->police_free));
	if (!b->police_free || !used) {
		free(used);
		return -ENOMEM;
	}
	for (uint32_t i = 1; i < b->maps.rules_len; i++)
		if (b->slots[i].state == BPF_SLOT_LIVE && b->maps.rules[i].police < b->maps.police_len)
			used[b->maps.rules[i].police] = true;
	for (uint32_t i = b->maps.police_len - 1; i > 0; i--)
		if (!used[i])
			b->police_free[b->police_free_len++] = i;
	free(used);
	return 0;
}

static void police_write(struct tp_police *p, uint64_t max_bps)
{
	uint64_t ps_per_byte = max_bps ? 8 * PS_PER_S / max_bps : 0;
	uint64_t burst_ns = ps_per_byte * POLICE_BURST_BYTES / 1000;

	__atomic_store_n(&p->burst_ns, burst_ns > POLICE_BURST_NS ? burst_ns : POLICE_BURST_NS, __ATOMIC_RELAXED);
	__atomic_store_n(&p->ps_per_byte, ps_per_byte, __ATOMIC_RELAXED);
}

int bpf_police_add(struct tp_dp *dp, uint64_t max_bps, uint32_t *ret_police)
{
	struct bpf_dp *b = bpf_of(dp);
	uint32_t police = 0;

	pthread_mutex_lock(&b->lock);
	if (b->police_free_len)
		police = b->police_free[--b->police_free_len];
	pthread_mutex_unlock(&b->lock);
	/* An allocation without a bucket has no flows here: the maps do not know its channels. */
	if (!police) {
		__atomic_fetch_and(&b->maps.state->flags, ~TP_STATE_AUTHORITATIVE, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	__atomic_store_n(&b->maps.police[police].tat_ns, 0, __ATOMIC_RELAXED);
	police_write(&b->maps.police[police], max_bps);
	*ret_police = police;
	return 0;
}

void bpf_police_set(struct tp_dp *dp, uint32_t police, uint64_t max_bps)
{
	struct bpf_dp *b = bpf_of(dp);

	if (!police || police >= b->maps.police_len)
		return;
	/* What was used at the old rate is no debt at the new one. */
	__atomic_store_n(&b->maps.police[police].tat_ns, 0, __ATOMIC_RELAXED);
	police_write(&b->maps.police[police], max_bps);
}

void bpf_police_free(struct tp_dp *dp, uint32_t police)
{
	struct bpf_dp *b = bpf_of(dp);

	if (!police || police >= b->maps.police_len)
		return;
	pthread_mutex_lock(&b->lock);
	if (b->police_free_len < b->maps.police_len - 1)
		b->police_free[b->police_free_len++] = police;
	pthread_mutex_unlock(&b->lock);
}
