/* SPDX-License-Identifier: GPL-2.0 */
/* How relay.h finds flows and what belongs to them, by the vocabulary that it names: map_*(). */
#ifndef TP_FLOW_H
#define TP_FLOW_H

#include <turnpike/apply.h>

/* A flow that was found. */
struct tp_found {
	const struct tp_rule *rule;
	const struct tp_life *life;
	__u32 gen, slot;
};

static __always_inline __u64 flow_find_up(const struct tp_head *head, __u16 channel)
{
	if (head->family == TP_IPV4) {
		struct tp_key_up4 key;

		tp_key_up4(&key, head, channel);
		return map_up4(&key);
	} else {
		struct tp_key_up6 key;

		tp_key_up6(&key, head, channel);
		return map_up6(&key);
	}
}

/* The flow of exactly this peer, else, or with port 0, the permission of its address. */
static __always_inline __u64 flow_find_down(__u8 family, const struct tp_ip *relayed, __be16 relayed_port,
					    const struct tp_ip *peer, __be16 peer_port)
{
	__u64 ref;

	if (family == TP_IPV4) {
		struct tp_key_down4 key = { relayed->w[0], peer->w[0], relayed_port, peer_port };

		ref = map_down4(&key);
		if (!ref && peer_port) {
			key.peer_port = 0;
			ref = map_down4(&key);
		}
	} else {
		struct tp_key_down6 key = { *relayed, *peer, relayed_port, peer_port };

		ref = map_down6(&key);
		if (!ref && peer_port) {
			key.peer_port = 0;
			ref = map_down6(&key);
		}
	}
	return ref;
}

/* False: the reference is stale, the slot was unlinked and belongs to nobody or to another. */
static __always_inline _Bool flow_open(__u64 ref, struct tp_found *ret)
{
	ret->gen = TP_REF_GEN(ref);
	ret->slot = TP_REF_SLOT(ref);
	ret->rule = map_rule(ret->slot);
	ret->life = map_life(ret->slot);
	return ret->rule && ret->life && TP_ONCE(ret->rule->gen) == ret->gen;
}

static __always_inline _Bool flow_valid(const struct tp_found *found)
{
	asm volatile("" ::: "memory");
	return TP_ONCE(found->rule->gen) == found->gen;
}

/* A copy of a hop, or false if there is none or it was just being written. */
static __always_inline enum tp_reason flow_hop(__u32 index, struct tp_hop *ret)
{
	const struct tp_hop *hop;
	__u32 seq;

	if (!index)
		return TP_REASON_NO_HOP;
	hop = map_hop(index);
	if (!hop)
		return TP_REASON_NO_HOP;
	seq = TP_ONCE(hop->seq);
	asm volatile("" ::: "memory");
	*ret = *hop;
	asm volatile("" ::: "memory");
	if ((seq & 1) || TP_ONCE(hop->seq) != seq)
		return TP_REASON_BUSY;
	return TP_GO_ON;
}

/* max-bps. A lost race is charged without a second look: who won it moved the time past now. */
static __always_inline _Bool flow_police(__u32 index, __u32 size, __u64 now)
{
	struct tp_police *police;
	__u64 tat, next, cost;

	if (TP_LIKELY(!index))
		return 1;
	police = map_police(index);
	if (!police)
		return 1;
	cost = size * TP_ONCE(police->ps_per_byte) / 1000;
	tat = TP_ONCE(police->tat_ns);
	next = tp_police_next(tat, now, cost, TP_ONCE(police->burst_ns));
	if (!next)
		return 0;
	if (__sync_val_compare_and_swap(&police->tat_ns, tat, next) != tat)
		__sync_fetch_and_add(&police->tat_ns, cost);
	return 1;
}

/* Does the node itself listen at this address? Port 0: does it relay there? */
static __always_inline const struct tp_local *flow_local(const struct tp_head *head, __be16 port, __u32 kind)
{
	struct tp_key_local key = { head->dst, port, head->family, 0 };
	const struct tp_local *local = map_local(&key);

	return local && local->kind == kind ? local : (void *)0;
}

#endif /* TP_FLOW_H */
