/* SPDX-License-Identifier: GPL-2.0 */
/* See limiter.h. Called by request.c and discovery.c before they answer. */
#include "turn/limiter.h"

#include <stddef.h>
#include <string.h>

#define NS_PER_S	1000000000ull

static uint64_t prefix_hash(const struct tp_limiter *limiter, const struct tp_addr *source)
{
	struct tp_addr prefix = { .family = source->family };

	memcpy(prefix.ip, source->ip, source->family == 6 ? 6 : 3);
	return tp_addr_hash(&prefix, limiter->seed);
}

/* Moves the arrival time by one answer, unless that is more than a second ahead. */
static bool rate_admit(uint64_t *tat_ns, uint32_t rate, uint64_t now_ns)
{
	uint64_t interval = NS_PER_S / rate, tat = *tat_ns > now_ns ? *tat_ns : now_ns;

	if (tat + interval - now_ns > NS_PER_S)
		return false;
	*tat_ns = tat + interval;
	return true;
}

/*
 * The prefix's slot, else an idle one, else the least busy of the set, which it
 * then shares: sources that fill the table cannot make room for themselves.
 */
static struct tp_limiter_slot *slot_get(struct tp_limiter *limiter, uint64_t prefix, uint64_t now_ns)
{
	struct tp_limiter_slot *set, *best = NULL;

	set = &limiter->slots[(prefix % (TP_LIMITER_SLOTS / TP_LIMITER_WAYS)) * TP_LIMITER_WAYS];
	for (unsigned int i = 0; i < TP_LIMITER_WAYS; i++) {
		if (set[i].prefix == prefix)
			return &set[i];
		if (!best || set[i].tat_ns < best->tat_ns)
			best = &set[i];
	}
	if (best->tat_ns <= now_ns)
		best->prefix = prefix;
	return best;
}

bool tp_limiter_admit(struct tp_limiter *limiter, const struct tp_addr *source, uint32_t prefix_rate,
		      uint32_t total_rate, uint64_t now_ns)
{
	/* The prefix first: what it is refused does not use up the others' share. */
	if (prefix_rate &&
	    !rate_admit(&slot_get(limiter, prefix_hash(limiter, source), now_ns)->tat_ns, prefix_rate, now_ns))
		return false;
	return !total_rate || rate_admit(&limiter->total_tat_ns, total_rate, now_ns);
}
