/* SPDX-License-Identifier: GPL-2.0 */
/* Channels of an allocation (RFC 8656 section 12): a number bound to a peer's transport address. */
#include <errno.h>
#include <stdlib.h>

#include "turn/engine.h"

static uint64_t number_hash(const struct tp_allocation *a, uint16_t number)
{
	uint64_t hash = (a->turn->seed ^ a->id << 16 ^ number) * 0x9e3779b97f4a7c15ull;

	return hash ^ hash >> 32;
}

static uint64_t peer_hash(const struct tp_allocation *a, const struct tp_addr *peer)
{
	return tp_addr_hash(peer, a->turn->seed ^ a->id * 0x9e3779b97f4a7c15ull);
}

struct tp_channel *tp_channel_find(struct tp_allocation *a, uint16_t number)
{
	struct tp_index_node *node = tp_index_first(&a->turn->channels_by_number, number_hash(a, number));

	for (; node; node = tp_index_next(node)) {
		struct tp_channel *c = tp_container(node, struct tp_channel, by_number);

		if (c->relay->allocation == a && c->number == number)
			return c;
	}
	return NULL;
}

struct tp_channel *tp_channel_find_peer(struct tp_allocation *a, const struct tp_addr *peer)
{
	struct tp_index_node *node = tp_index_first(&a->turn->channels_by_peer, peer_hash(a, peer));

	for (; node; node = tp_index_next(node)) {
		struct tp_channel *c = tp_container(node, struct tp_channel, by_peer);

		if (c->relay->allocation == a && tp_addr_equal(&c->peer, peer))
			return c;
	}
	return NULL;
}

bool tp_channel_alive(const struct tp_channel *c, uint64_t now_ns)
{
	return c && now_ns < c->expires_ns && now_ns < c->relay->expires_ns;
}

void tp_channel_free(struct tp_channel *c)
{
	struct tp_allocation *a = c->relay->allocation;
	struct tp_channel **at = &a->channels;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	a->channels_len--;
	tp_timer_clear(&a->turn->timers, &c->timer);
	tp_index_remove(&a->turn->channels_by_number, &c->by_number);
	tp_index_remove(&a->turn->channels_by_peer, &c->by_peer);
	tp_flow_drop(a->turn, &c->flow);
	free(c);
}

static void channel_expired(struct tp_timer *timer, uint64_t now_ns)
{
	tp_channel_free(tp_container(timer, struct tp_channel, timer));
}

static int channel_new(struct tp_relay *relay, uint16_t number, const struct tp_addr *peer, uint64_t end,
		       struct tp_channel **ret)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_channel *c;

	if (a->channels_len >= a->turn->conf->max_channels)
		return -ENOSPC;
	c = calloc(1, sizeof(*c));
	if (!c || tp_timer_set(&a->turn->timers, &c->timer, end, channel_expired)) {
		free(c);
		return -ENOMEM;
	}
	c->relay = relay;
	c->number = number;
	c->peer = *peer;
	c->expires_ns = end;
	c->next = a->channels;
	a->channels = c;
	a->channels_len++;
	tp_index_add(&a->turn->channels_by_number, &c->by_number, number_hash(a, number));
	tp_index_add(&a->turn->channels_by_peer, &c->by_peer, peer_hash(a, peer));
	*ret = c;
	return 0;
}

struct tp_channel *tp_channel_adopt(struct tp_relay *relay, uint16_t number, const struct tp_addr *peer,
				    uint64_t expires_ns)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_channel *c = NULL;

	if (tp_channel_find(a, number) || tp_channel_find_peer(a, peer) ||
	    channel_new(relay, number, peer, expires_ns, &c))
		return NULL;
	return c;
}

int tp_channel_refresh(struct tp_relay *relay, uint16_t number, const struct tp_addr *peer, uint64_t now_ns)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_channel *c = tp_channel_find(a, number), *of_peer = tp_channel_find_peer(a, peer);
	uint64_t end = now_ns + a->turn->conf->channel_lifetime_s * TP_NS_PER_S;
	int err;

	/* Section 12.2: neither the number nor the transport address may be bound to another. */
	if (c != of_peer)
		return -EEXIST;
	if (!c) {
		err = channel_new(relay, number, peer, end, &c);
		if (err)
			return err;
	}
	c->expires_ns = end;
	tp_timer_set(&a->turn->timers, &c->timer, end, channel_expired);
	tp_flow_tell_channel(c);
	return 0;
}
