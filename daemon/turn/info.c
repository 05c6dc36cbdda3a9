/* SPDX-License-Identifier: GPL-2.0 */
/* What the control socket sees and does: list, kill, counters. On the worker's own thread. */
#include <stdlib.h>
#include <string.h>

#include "turn/engine.h"

static uint32_t seconds_left(uint64_t end_ns, uint64_t now_ns)
{
	return end_ns > now_ns ? (uint32_t)((end_ns - now_ns + TP_NS_PER_S - 1) / TP_NS_PER_S) : 0;
}

static uint64_t min_ns(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static size_t permissions_fill(const struct tp_allocation *a, uint64_t now_ns, struct tp_permission_info *ret)
{
	size_t len = 0;

	for (const struct tp_permission *p = a->permissions; p; p = p->next) {
		ret[len].peer = p->ip;
		ret[len++].expires_in_s = seconds_left(min_ns(p->expires_ns, p->relay->expires_ns), now_ns);
	}
	return len;
}

static size_t channels_fill(const struct tp_allocation *a, uint64_t now_ns, struct tp_channel_info *ret)
{
	size_t len = 0;

	for (const struct tp_channel *c = a->channels; c; c = c->next) {
		ret[len].number = c->number;
		ret[len].peer = c->peer;
		ret[len++].expires_in_s = seconds_left(min_ns(c->expires_ns, c->relay->expires_ns), now_ns);
	}
	return len;
}

static bool visit_one(struct tp_allocation *a, uint64_t now_ns, tp_allocation_visit_fn fn, void *arg)
{
	struct tp_permission_info *permissions = calloc(a->permissions_len + 1, sizeof(*permissions));
	struct tp_channel_info *channels = calloc(a->channels_len + 1, sizeof(*channels));
	struct tp_allocation_info info = {
		.id = a->id,
		.username = a->user,
		.realm = a->realm,
		.tuple = a->path.tuple,
		.expires_in_s = seconds_left(tp_allocation_expires_ns(a), now_ns),
		.age_s = (now_ns - a->created_ns) / TP_NS_PER_S,
		.permissions = permissions,
		.channels = channels,
		.user = a->user_traffic,
	};
	bool more = false;

	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			info.relayed[info.relayed_len++] = a->relays[i].shown;
	}
	tp_flow_traffic(a, &info.kernel);
	if (permissions && channels) {
		info.permissions_len = permissions_fill(a, now_ns, permissions);
		info.channels_len = channels_fill(a, now_ns, channels);
		more = fn(arg, &info);
	}
	free(permissions);
	free(channels);
	return more;
}

void tp_turn_visit(struct tp_turn *turn, const struct tp_now *now, tp_allocation_visit_fn fn, void *arg)
{
	for (struct tp_allocation *a = turn->allocations; a; a = a->next) {
		if (a->state == TP_ALLOCATION_LIVE && !visit_one(a, now->mono_ns, fn, arg))
			return;
	}
}

/* By the name as it was given, or by what a REST name says behind its expiry. */
static bool is_named(const struct tp_allocation *a, const char *user)
{
	size_t size = strlen(user);

	return !strcmp(a->user, user) || (size == a->account.size && !memcmp(a->account.text, user, size));
}

size_t tp_turn_kill(struct tp_turn *turn, uint64_t id, const char *user, const struct tp_now *now)
{
	size_t killed = 0;

	for (struct tp_allocation *a = turn->allocations, *next; a; a = next) {
		next = a->next;
		if (a->state != TP_ALLOCATION_LIVE || (id && a->id != id) || (user && !is_named(a, user)))
			continue;
		tp_allocation_end(a);
		killed++;
	}
	return killed;
}

void tp_turn_read_counters(struct tp_turn *turn, struct tp_turn_counters *ret)
{
	struct tp_flow_traffic kernel;

	*ret = turn->counters;
	for (const struct tp_allocation *a = turn->allocations; a; a = a->next) {
		tp_flow_traffic(a, &kernel);
		tp_traffic_add(&ret->kernel, &kernel);
		tp_traffic_add(&ret->user, &a->user_traffic);
	}
}
