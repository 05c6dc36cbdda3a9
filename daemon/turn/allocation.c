/* SPDX-License-Identifier: GPL-2.0 */
/* Allocations (RFC 8656 section 6): their making, their end in the order of ruling 8, and whose they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "turn/engine.h"

#define BITS_PER_BYTE	8u
#define NO_LIMIT_BPS	(1ull << 50)	/* a bucket that once had a limit: finer than its unit, so none */
/* How far ahead of its rate userspace lets an allocation run, as the kernel does: the longer of the two. */
#define BURST_NS	(TP_NS_PER_S / 2)
#define BURST_BYTES	3000u

static void allocation_link(struct tp_allocation *a)
{
	struct tp_turn *turn = a->turn;

	a->next = turn->allocations;
	if (a->next)
		a->next->prev = a;
	turn->allocations = a;
}

static void allocation_unlink(struct tp_allocation *a)
{
	if (a->prev)
		a->prev->next = a->next;
	else
		a->turn->allocations = a->next;
	if (a->next)
		a->next->prev = a->prev;
}

static void limit_set(struct tp_allocation *a)
{
	uint64_t bps = tp_charge_bps(a->charge);

	a->ns_per_kb = bps ? TP_NS_PER_S * 1024 / bps : 0;
	if (bps && !a->ns_per_kb)
		a->ns_per_kb = 1;
	a->tat_ns = 0;
}

/* Without a bucket in the data path a limited allocation must not be accelerated: userspace counts it. */
static void police_make(struct tp_allocation *a)
{
	struct tp_dp *dp = a->turn->dp;
	uint64_t bps = tp_charge_bps(a->charge);

	a->user_only = bps && dp->ops->police_add(dp, bps * BITS_PER_BYTE, &a->police);
}

struct tp_allocation *tp_allocation_new(struct tp_turn *turn, const struct tp_identity *identity, int *ret_err)
{
	struct tp_allocation *a = calloc(1, sizeof(*a));
	int err = -ENOMEM;

	if (!a)
		goto fail;
	a->turn = turn;
	a->user = strdup(identity->user);
	a->realm = strdup(identity->realm);
	if (!a->user || !a->realm)
		goto fail;
	a->account.text = a->user + identity->account_offset;
	a->account.size = identity->account_size;
	err = tp_charge_new(turn->registry, turn->conf, &a->account, a->realm, &a->charge);
	if (err)
		goto fail;
	a->id = tp_registry_next_id(turn->registry);
	memcpy(a->key, identity->key, sizeof(a->key));
	a->key_size = identity->key_size;
	a->sha256 = identity->sha256;
	a->anonymous = identity->anonymous;
	a->expires_s = identity->expires_s;
	a->max_lifetime_s = identity->max_lifetime_s;
	a->relays[0].allocation = a->relays[1].allocation = a;
	limit_set(a);
	police_make(a);
	allocation_link(a);
	return a;
fail:
	if (a) {
		free(a->user);
		free(a->realm);
		free(a);
	}
	*ret_err = err;
	return NULL;
}

uint64_t tp_allocation_expires_ns(const struct tp_allocation *a)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live && a->relays[i].expires_ns > last)
			last = a->relays[i].expires_ns;
	}
	return last;
}

static void allocation_expired(struct tp_timer *timer, uint64_t now_ns);

int tp_allocation_schedule(struct tp_allocation *a)
{
	uint64_t first = UINT64_MAX;

	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live && a->relays[i].expires_ns < first)
			first = a->relays[i].expires_ns;
	}
	return tp_timer_set(&a->turn->timers, &a->timer, first, allocation_expired);
}

static void allocation_expired(struct tp_timer *timer, uint64_t now_ns)
{
	struct tp_allocation *a = tp_container(timer, struct tp_allocation, timer);
	bool due[2];

	a->turn->counters.expired++;
	for (unsigned int i = 0; i < 2; i++)
		due[i] = a->relays[i].live && a->relays[i].expires_ns <= now_ns;
	if ((due[0] || !a->relays[0].live) && (due[1] || !a->relays[1].live)) {
		tp_allocation_end(a);
		return;
	}
	tp_allocation_end_relay(&a->relays[due[0] ? 0 : 1]);
}

int tp_allocation_adopt(struct tp_allocation *a, const struct tp_path *path, const struct tp_stun_id *id,
			uint64_t created_ns)
{
	struct tp_turn *turn = a->turn;

	if (tp_allocation_schedule(a))
		return -ENOMEM;
	a->owner = tp_owner_add_tuple(turn->registry, turn->worker, a, &path->tuple);
	if (!a->owner)
		return tp_owner_find_tuple(turn->registry, &path->tuple) ? -EEXIST : -ENOMEM;
	a->id_owner = tp_owner_add_number(turn->registry, turn->worker, a, TP_OWNER_ID, a->id);
	if (!a->id_owner)
		return -ENOMEM;
	a->path = *path;
	a->allocate_id = *id;
	a->created_ns = created_ns;
	a->state = TP_ALLOCATION_LIVE;
	turn->counters.allocations++;
	return 0;
}

int tp_allocation_start(struct tp_allocation *a, const struct tp_path *path, const struct tp_stun_id *id,
			const struct tp_now *now)
{
	int err = tp_allocation_adopt(a, path, id, now->mono_ns);

	if (err)
		return err;
	a->turn->counters.allocations_created++;
	tp_allocation_keep(a);
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			tp_flow_tell_send(&a->relays[i]);
	}
	return 0;
}

void tp_allocation_set_life(struct tp_relay *relay, uint64_t expires_ns)
{
	struct tp_allocation *a = relay->allocation;

	relay->expires_ns = expires_ns;
	if (a->state != TP_ALLOCATION_LIVE)
		return;
	tp_allocation_schedule(a);
	tp_allocation_keep(a);
	tp_flow_tell_send(relay);
	for (struct tp_permission *p = a->permissions; p; p = p->next) {
		if (p->relay == relay)
			tp_flow_tell_permission(p);
	}
	/* Channels whose permission has expired are not reached through one. */
	for (struct tp_channel *c = a->channels; c; c = c->next) {
		if (c->relay == relay)
			tp_flow_tell_channel(c);
	}
}

/* Makes the relay dead: nothing is found by it any more, its flows are on their way out. */
static void relay_kill(struct tp_relay *relay)
{
	struct tp_allocation *a = relay->allocation;

	for (struct tp_channel *c = a->channels, *next; c; c = next) {
		next = c->next;
		if (c->relay == relay)
			tp_channel_free(c);
	}
	for (struct tp_permission *p = a->permissions, *next; p; p = next) {
		next = p->next;
		if (p->relay == relay)
			tp_permission_free(p);
	}
	tp_tcp_end_links(relay);
	tp_flow_drop(a->turn, &relay->send_flow);
	tp_owner_remove(a->turn->registry, &relay->owner);
	relay->live = false;
}

void tp_allocation_end(struct tp_allocation *a)
{
	struct tp_turn *turn = a->turn;
	bool was_live = a->state == TP_ALLOCATION_LIVE;

	if (a->state == TP_ALLOCATION_ENDED)
		return;
	a->state = TP_ALLOCATION_ENDED;
	tp_allocation_forget(a);
	tp_timer_clear(&turn->timers, &a->timer);
	tp_allocation_forget_old(a);
	tp_owner_remove(turn->registry, &a->owner);
	tp_owner_remove(turn->registry, &a->id_owner);
	tp_owner_remove(turn->registry, &a->reservation_owner);
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			relay_kill(&a->relays[i]);
	}
	if (was_live) {
		turn->counters.allocations--;
		turn->counters.allocations_ended++;
		if (a->path.conn)
			turn->io->client_gone(turn->io, &a->path);
	}
	tp_allocation_reap(a);
}

void tp_allocation_end_relay(struct tp_relay *relay)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_relay *other = &a->relays[relay == &a->relays[0]];

	if (!other->live) {
		tp_allocation_end(a);
		return;
	}
	relay->live = false;
	tp_allocation_keep(a);
	relay_kill(relay);
	tp_allocation_schedule(a);
	tp_allocation_reap(a);
}

void tp_allocation_reap(struct tp_allocation *a)
{
	struct tp_turn *turn = a->turn;

	for (unsigned int i = 0; i < 2; i++) {
		struct tp_relay *relay = &a->relays[i];

		if (relay->live || relay->flows)
			continue;
		tp_relay_close(relay);
	}
	if (a->state != TP_ALLOCATION_ENDED || a->relays[0].socket || a->relays[1].socket || a->relays[0].tcp ||
	    a->relays[1].tcp)
		return;
	if (a->created_ns)
		tp_allocation_tell(a, TP_EVENT_DELETED, 0);
	if (a->police)
		turn->dp->ops->police_free(turn->dp, a->police);
	tp_charge_free(turn->registry, a->charge);
	tp_traffic_add(&turn->counters.kernel, &a->harvested);
	tp_traffic_add(&turn->counters.user, &a->user_traffic);
	allocation_unlink(a);
	free(a->user);
	free(a->realm);
	explicit_bzero(a->key, sizeof(a->key));
	free(a);
}

/*
 * A token (it is what has a max_lifetime_s) names the key that it is sealed with and no
 * user: a client that renews it may come back under another one (RFC 7635).
 */
bool tp_allocation_is_users(const struct tp_allocation *a, const struct tp_identity *identity)
{
	bool renewed = a->max_lifetime_s && identity->max_lifetime_s;

	return (renewed || !strcmp(a->user, identity->user)) && !strcmp(a->realm, identity->realm);
}

void tp_allocation_renew(struct tp_allocation *a, const struct tp_identity *identity)
{
	char *user;

	if (!identity->max_lifetime_s)
		return;
	user = strdup(identity->user);
	if (!user)
		return;	/* it stays under the old key, and ends with that */
	free(a->user);
	a->user = user;
	a->account.text = user + identity->account_offset;
	a->account.size = identity->account_size;
	memcpy(a->key, identity->key, sizeof(a->key));
	a->key_size = identity->key_size;
	a->sha256 = identity->sha256;
	a->expires_s = identity->expires_s;
	a->max_lifetime_s = identity->max_lifetime_s;
	tp_allocation_keep(a);
}

void tp_allocation_identity(const struct tp_allocation *a, struct tp_identity *ret)
{
	memset(ret, 0, sizeof(*ret));
	strncpy(ret->user, a->user, sizeof(ret->user) - 1);
	strncpy(ret->realm, a->realm, sizeof(ret->realm) - 1);
	ret->account_offset = (uint16_t)(a->account.text - a->user);
	ret->account_size = (uint16_t)a->account.size;
	memcpy(ret->key, a->key, sizeof(ret->key));
	ret->key_size = a->key_size;
	ret->sha256 = a->sha256;
	ret->anonymous = a->anonymous;
	ret->expires_s = a->expires_s;
	ret->max_lifetime_s = a->max_lifetime_s;
}

void tp_allocation_set_bps(struct tp_allocation *a)
{
	struct tp_dp *dp = a->turn->dp;
	uint64_t old = tp_charge_bps(a->charge), bps;

	tp_charge_set_bps(a->turn->registry, a->turn->conf, a->charge);
	bps = tp_charge_bps(a->charge);
	if (bps == old)
		return;
	limit_set(a);
	if (a->police) {
		dp->ops->police_set(dp, a->police, bps ? bps * BITS_PER_BYTE : NO_LIMIT_BPS);
	} else {
		/* Rules are immutable: one that has no bucket yet is told again. */
		police_make(a);
		tp_flow_retell(a);
	}
}

bool tp_allocation_admit(struct tp_allocation *a, size_t size, uint64_t now_ns)
{
	uint64_t tat = a->tat_ns > now_ns ? a->tat_ns : now_ns, burst = BURST_BYTES * a->ns_per_kb / 1024;

	if (!a->ns_per_kb)
		return true;
	tat += size * a->ns_per_kb / 1024;
	if (tat - now_ns > (burst > BURST_NS ? burst : BURST_NS))
		return false;
	a->tat_ns = tat;
	return true;
}
