/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the data path is told about allocations, permissions and channels:
 * adds, expiries (ruling 2), removal and harvest. A flow that the data path
 * does not take is relayed by userspace; the next refresh tries again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "turn/engine.h"

static uint64_t min_ns(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void tp_traffic_add(struct tp_flow_traffic *sum, const struct tp_flow_traffic *more)
{
	struct tp_traffic *to[2] = { &sum->up, &sum->down };
	const struct tp_traffic *from[2] = { &more->up, &more->down };

	for (int i = 0; i < 2; i++) {
		to[i]->packets += from[i]->packets;
		to[i]->bytes += from[i]->bytes;
		to[i]->dropped += from[i]->dropped;
		if (from[i]->last_ns > to[i]->last_ns)
			to[i]->last_ns = from[i]->last_ns;
	}
}

/* Adds the flow, or sets its expiries. */
static void flow_tell(struct tp_flow_slot **slot, struct tp_relay *relay, struct tp_flow *flow,
		      const struct tp_flow_life *life)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_turn *turn = a->turn;
	struct tp_flow_slot *new;
	int err;

	if (*slot) {
		turn->dp->ops->set_life(turn->dp, (*slot)->id, life);
		return;
	}
	if (a->path.tuple.transport != TP_UDP || a->user_only)
		return;
	new = calloc(1, sizeof(*new));
	if (!new)
		return;
	flow->tuple = a->path.tuple;
	flow->relayed = relay->addr;
	flow->id = a->id;
	flow->police = a->police;
	new->relay = relay;
	err = turn->dp->ops->add(turn->dp, flow, life, &new->id);
	if (err || !new->id) {
		if (err == -ENOSPC)
			turn->counters.accelerated_full++;
		free(new);
		return;
	}
	relay->flows++;
	*slot = new;
}

void tp_flow_tell_send(struct tp_relay *relay)
{
	struct tp_flow flow = { .kind = TP_DP_SEND };
	struct tp_flow_life life = { .up_ns = relay->expires_ns, .down_ns = relay->expires_ns,
				     .own_ns = relay->expires_ns };

	flow_tell(&relay->send_flow, relay, &flow, &life);
}

void tp_flow_tell_channel(struct tp_channel *c)
{
	struct tp_flow flow = { .kind = TP_DP_CHANNEL, .peer = c->peer, .channel = c->number };
	const struct tp_permission *p = tp_permission_find(c->relay->allocation, &c->peer);
	uint64_t end = c->relay->expires_ns;
	struct tp_flow_life life = {
		.up_ns = min_ns(c->expires_ns, end),
		.down_ns = p ? min_ns(p->expires_ns, end) : 0,
		.channel_ns = c->expires_ns,
		.own_ns = c->expires_ns,
	};

	flow_tell(&c->flow, c->relay, &flow, &life);
}

void tp_flow_tell_permission(struct tp_permission *p)
{
	struct tp_flow flow = { .kind = TP_DP_PERMISSION, .peer = p->ip };
	uint64_t end = min_ns(p->expires_ns, p->relay->expires_ns);
	struct tp_flow_life life = { .up_ns = end, .down_ns = end, .own_ns = p->expires_ns };

	flow_tell(&p->flow, p->relay, &flow, &life);
	/* One shared expiry per address: every rule of it follows. */
	for (struct tp_channel *c = p->relay->allocation->channels; c; c = c->next) {
		if (tp_addr_same_ip(&c->peer, &p->ip))
			tp_flow_tell_channel(c);
	}
}

static struct tp_traffic traffic_since(const struct tp_traffic *now, const struct tp_traffic *before)
{
	struct tp_traffic since = *now;

	since.packets -= before->packets;
	since.bytes -= before->bytes;
	since.dropped -= before->dropped;
	return since;
}

/* What a flow has counted goes to its allocation as it is removed: sums never go back while it waits. */
void tp_flow_drop(struct tp_turn *turn, struct tp_flow_slot **slot)
{
	struct tp_flow_slot *grave = *slot;

	if (!grave)
		return;
	*slot = NULL;
	turn->dp->ops->read(turn->dp, grave->id, &grave->counted);
	tp_traffic_add(&grave->relay->allocation->harvested, &grave->counted);
	grave->ticket = turn->dp->ops->remove(turn->dp, grave->id);
	grave->next = NULL;
	*turn->graves_end = grave;
	turn->graves_end = &grave->next;
}

void tp_flow_retell(struct tp_allocation *a)
{
	struct tp_turn *turn = a->turn;

	/* First every old key goes, then the new ones come: the down keys are the same ones. */
	for (struct tp_channel *c = a->channels; c; c = c->next)
		tp_flow_drop(turn, &c->flow);
	for (struct tp_permission *p = a->permissions; p; p = p->next)
		tp_flow_drop(turn, &p->flow);
	for (unsigned int i = 0; i < 2; i++)
		tp_flow_drop(turn, &a->relays[i].send_flow);
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			tp_flow_tell_send(&a->relays[i]);
	}
	for (struct tp_permission *p = a->permissions; p; p = p->next)
		tp_flow_tell_permission(p);
	for (struct tp_channel *c = a->channels; c; c = c->next) {
		if (!c->flow)
			tp_flow_tell_channel(c);
	}
}

static void slot_read(struct tp_dp *dp, const struct tp_flow_slot *slot, struct tp_flow_traffic *sum)
{
	struct tp_flow_traffic traffic = { 0 };

	if (!slot)
		return;
	dp->ops->read(dp, slot->id, &traffic);
	tp_traffic_add(sum, &traffic);
}

void tp_flow_traffic(const struct tp_allocation *a, struct tp_flow_traffic *ret)
{
	struct tp_dp *dp = a->turn->dp;

	*ret = a->harvested;
	for (unsigned int i = 0; i < 2; i++)
		slot_read(dp, a->relays[i].send_flow, ret);
	for (const struct tp_permission *p = a->permissions; p; p = p->next)
		slot_read(dp, p->flow, ret);
	for (const struct tp_channel *c = a->channels; c; c = c->next)
		slot_read(dp, c->flow, ret);
}

/* Tickets are given out in order, so the oldest grave says whether there is anything to do. */
void tp_flow_harvest(struct tp_turn *turn)
{
	struct tp_flow_slot *grave;
	struct tp_flow_traffic traffic;

	while ((grave = turn->graves) && turn->dp->ops->settled(turn->dp, grave->ticket)) {
		struct tp_relay *relay = grave->relay;

		memset(&traffic, 0, sizeof(traffic));
		turn->dp->ops->harvest(turn->dp, grave->id, &traffic);
		traffic.up = traffic_since(&traffic.up, &grave->counted.up);
		traffic.down = traffic_since(&traffic.down, &grave->counted.down);
		tp_traffic_add(&relay->allocation->harvested, &traffic);
		turn->graves = grave->next;
		if (!turn->graves)
			turn->graves_end = &turn->graves;
		free(grave);
		relay->flows--;
		if (!relay->live && !relay->flows)
			tp_allocation_reap(relay->allocation);
	}
}
