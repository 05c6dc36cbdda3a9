/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bpf data path's flows. Called by the engines on every worker thread.
 *
 * A slot goes free -> live -> removed -> free. It is written while no hash entry
 * refers to it, and not written again (but for its life and hop words) before a
 * grace period has passed since the entries were deleted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp/bpf.h"

/*
 * Slots that an earlier daemon left whole are live already, until they are adopted or swept; of the
 * others nothing stays. The generations go on: no entry and no running program has the next ones.
 */
int bpf_slots_init(struct bpf_dp *b)
{
	b->slots = calloc(b->maps.rules_len, sizeof(*b->slots));
	if (!b->slots)
		return -ENOMEM;
	for (uint32_t i = b->maps.rules_len - 1; i > 0; i--) {
		struct bpf_slot *s = &b->slots[i];
		struct tp_rule *rule = &b->maps.rules[i];

		s->gen = rule->gen ? rule->gen : 1;
		if (rule->gen && bpf_keys_whole(&b->maps, rule, TP_REF(i, rule->gen))) {
			s->state = BPF_SLOT_LIVE;
			b->flows++;
			b->kept_len++;
			continue;
		}
		if (rule->gen)
			bpf_keys_delete_ref(&b->maps, rule, TP_REF(i, rule->gen));
		if (rule->gen)
			s->gen = rule->gen == UINT32_MAX ? 1 : rule->gen + 1;
		rule->gen = 0;
		s->next = b->free_head;
		b->free_head = i;
	}
	if (b->pins.kept)
		tp_grace_wait(b->grace);
	return bpf_kept_init(b);
}

void bpf_slots_fini(struct bpf_dp *b)
{
	for (uint32_t i = 1; b->slots && !b->leave && i < b->maps.rules_len; i++) {
		tp_nl_unbind(b->nl, &b->slots[i].client);
		tp_nl_unbind(b->nl, &b->slots[i].peer);
	}
	free(b->slots);
	bpf_kept_fini(b);
}

/* Under the lock. */
static void slot_free(struct bpf_dp *b, uint32_t id)
{
	struct bpf_slot *s = &b->slots[id];

	s->gen = s->gen == UINT32_MAX ? 1 : s->gen + 1;
	__atomic_store_n(&s->state, BPF_SLOT_FREE, __ATOMIC_RELEASE);
	s->next = b->free_head;
	b->free_head = id;
}

/* Slots of adds that failed half way: a program may have seen them. Under the lock. */
static void slots_reap(struct bpf_dp *b)
{
	while (b->reap_head && tp_grace_settled(b->grace, b->slots[b->reap_head].ticket)) {
		uint32_t id = b->reap_head;

		b->reap_head = b->slots[id].next;
		slot_free(b, id);
	}
}

static uint32_t slot_take(struct bpf_dp *b)
{
	uint32_t id;

	pthread_mutex_lock(&b->lock);
	slots_reap(b);
	id = b->free_head;
	if (id) {
		b->free_head = b->slots[id].next;
		b->flows++;
	}
	pthread_mutex_unlock(&b->lock);
	return id;
}

static void slot_reap_later(struct bpf_dp *b, uint32_t id)
{
	struct bpf_slot *s = &b->slots[id];

	pthread_mutex_lock(&b->lock);
	s->ticket = tp_grace_ticket(b->grace);
	s->next = 0;
	if (b->reap_head)
		b->slots[b->reap_tail].next = id;
	else
		b->reap_head = id;
	b->reap_tail = id;
	b->flows--;
	pthread_mutex_unlock(&b->lock);
}

/* From now on a channel may live that the maps do not know. */
static int add_full(struct bpf_dp *b)
{
	__atomic_fetch_and(&b->maps.state->flags, ~TP_STATE_AUTHORITATIVE, __ATOMIC_RELAXED);
	__atomic_fetch_add(&b->full, 1, __ATOMIC_RELAXED);
	return -ENOSPC;
}

/* Our time in that of the programs; 0 and "for ever" stay what they are. */
uint64_t bpf_to_kernel(const struct bpf_dp *b, uint64_t ns)
{
	return ns && ns != UINT64_MAX ? ns + (uint64_t)b->clock_offset : ns;
}

uint64_t bpf_from_kernel(const struct bpf_dp *b, uint64_t ns)
{
	return ns && ns != UINT64_MAX ? ns - (uint64_t)b->clock_offset : ns;
}

static void life_write(const struct bpf_dp *b, uint32_t id, const struct tp_flow_life *life)
{
	struct tp_life *l = &b->maps.lives[id];

	__atomic_store_n(&l->up_ns, bpf_to_kernel(b, life->up_ns), __ATOMIC_RELAXED);
	__atomic_store_n(&l->down_ns, bpf_to_kernel(b, life->down_ns), __ATOMIC_RELAXED);
	__atomic_store_n(&l->channel_ns, bpf_to_kernel(b, life->channel_ns), __ATOMIC_RELAXED);
	__atomic_store_n(&l->own_ns, bpf_to_kernel(b, life->own_ns), __ATOMIC_RELAXED);
}

void bpf_life_read(const struct bpf_dp *b, uint32_t id, struct tp_flow_life *ret)
{
	const struct tp_life *l = &b->maps.lives[id];

	ret->up_ns = bpf_from_kernel(b, __atomic_load_n(&l->up_ns, __ATOMIC_RELAXED));
	ret->down_ns = bpf_from_kernel(b, __atomic_load_n(&l->down_ns, __ATOMIC_RELAXED));
	ret->channel_ns = bpf_from_kernel(b, __atomic_load_n(&l->channel_ns, __ATOMIC_RELAXED));
	ret->own_ns = bpf_from_kernel(b, __atomic_load_n(&l->own_ns, __ATOMIC_RELAXED));
}

static bool flow_fits(const struct tp_flow *f)
{
	if (f->tuple.transport != TP_UDP || f->tuple.client.family != f->tuple.server.family)
		return false;
	if (f->kind == TP_DP_CHANNEL && (f->channel < TP_CHANNEL_MIN || f->channel > TP_CHANNEL_MAX_RFC5766))
		return false;
	return f->kind == TP_DP_SEND || f->peer.family == f->relayed.family;
}

/* Its hops; a rule that has some keeps them until the new ones are known. */
void bpf_slot_bind(struct bpf_dp *b, uint32_t id, const struct tp_flow *flow)
{
	struct tp_rule *rule = &b->maps.rules[id];
	struct bpf_slot *s = &b->slots[id];

	tp_nl_bind(b->nl, &flow->tuple.client, &flow->tuple.server, &rule->client_hop, &s->client);
	if (flow->kind != TP_DP_SEND && !(rule->flags & TP_RULE_PEER_IS_RELAYED))
		tp_nl_bind(b->nl, &flow->peer, &flow->relayed, &rule->peer_hop, &s->peer);
}

static int bpf_add(struct tp_dp *dp, const struct tp_flow *flow, const struct tp_flow_life *life, tp_flow_id *ret_id)
{
	struct bpf_dp *b = bpf_of(dp);
	struct tp_rule *rule;
	struct bpf_slot *s;
	uint32_t id;
	int err;

	if (!flow_fits(flow)) {
		*ret_id = 0;
		return 0;
	}
	id = slot_take(b);
	if (!id)
		return add_full(b);
	s = &b->slots[id];
	rule = &b->maps.rules[id];
	memset(&b->maps.counts[id], 0, sizeof(b->maps.counts[id]));
	life_write(b, id, life);
	pthread_mutex_lock(&b->lock);
	bpf_rule_fill(&b->conf, flow, s->gen, rule);
	pthread_mutex_unlock(&b->lock);
	bpf_slot_bind(b, id, flow);
	__atomic_store_n(&s->state, BPF_SLOT_LIVE, __ATOMIC_RELEASE);
	err = bpf_keys_insert(&b->maps, rule, TP_REF(id, s->gen));
	if (!err) {
		*ret_id = id;
		return 0;
	}
	__atomic_store_n(&s->state, BPF_SLOT_REMOVED, __ATOMIC_RELEASE);
	tp_nl_unbind(b->nl, &s->client);
	tp_nl_unbind(b->nl, &s->peer);
	slot_reap_later(b, id);
	return err == -E2BIG || err == -ENOMEM ? add_full(b) : err;
}

static struct bpf_slot *slot_get(struct bpf_dp *b, tp_flow_id id, enum bpf_slot_state state)
{
	return id && id < b->maps.rules_len && b->slots[id].state == state ? &b->slots[id] : NULL;
}

static void bpf_set_life(struct tp_dp *dp, tp_flow_id id, const struct tp_flow_life *life)
{
	struct bpf_dp *b = bpf_of(dp);

	if (slot_get(b, id, BPF_SLOT_LIVE))
		life_write(b, id, life);
}

static void traffic_read(const struct bpf_dp *b, const struct tp_count *c, struct tp_traffic *ret)
{
	ret->packets = __atomic_load_n(&c->packets, __ATOMIC_RELAXED);
	ret->bytes = __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
	ret->dropped = __atomic_load_n(&c->dropped, __ATOMIC_RELAXED);
	ret->last_ns = bpf_from_kernel(b, __atomic_load_n(&c->last_ns, __ATOMIC_RELAXED));
}

static void bpf_read(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret)
{
	struct bpf_dp *b = bpf_of(dp);

	*ret = (struct tp_flow_traffic){ 0 };
	if (!id || id >= b->maps.rules_len)
		return;
	traffic_read(b, &b->maps.counts[id].up, &ret->up);
	traffic_read(b, &b->maps.counts[id].down, &ret->down);
}

uint64_t bpf_remove(struct tp_dp *dp, tp_flow_id id)
{
	struct bpf_dp *b = bpf_of(dp);
	struct bpf_slot *s = slot_get(b, id, BPF_SLOT_LIVE);

	if (!s)
		return 0;
	__atomic_store_n(&s->state, BPF_SLOT_REMOVED, __ATOMIC_RELEASE);
	bpf_keys_delete(&b->maps, &b->maps.rules[id]);
	/* Programs that have the reference already find it stale before they touch the packet. */
	__atomic_store_n(&b->maps.rules[id].gen, 0, __ATOMIC_RELEASE);
	tp_nl_unbind(b->nl, &s->client);
	tp_nl_unbind(b->nl, &s->peer);
	return tp_grace_ticket(b->grace);
}

static bool bpf_settled(struct tp_dp *dp, uint64_t ticket)
{
	return tp_grace_settled(bpf_of(dp)->grace, ticket);
}

void bpf_harvest(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret)
{
	struct bpf_dp *b = bpf_of(dp);

	bpf_read(dp, id, ret);
	if (!slot_get(b, id, BPF_SLOT_REMOVED))
		return;
	pthread_mutex_lock(&b->lock);
	slot_free(b, id);
	b->flows--;
	pthread_mutex_unlock(&b->lock);
}

static void bpf_close(struct tp_dp *dp)
{
	bpf_dp_free(bpf_of(dp));
}

const struct tp_dp_ops bpf_ops = {
	.name = "bpf",
	.add = bpf_add,
	.set_life = bpf_set_life,
	.read = bpf_read,
	.remove = bpf_remove,
	.settled = bpf_settled,
	.harvest = bpf_harvest,
	.police_add = bpf_police_add,
	.police_set = bpf_police_set,
	.police_free = bpf_police_free,
	.keep = bpf_keep,
	.forget = bpf_forget,
	.kept = bpf_kept,
	.kept_flows = bpf_kept_flows,
	.adopt = bpf_adopt,
	.sweep = bpf_sweep,
	.close = bpf_close,
	.node = &bpf_node_ops,
};
