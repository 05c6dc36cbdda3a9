/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An allocation of an earlier daemon becomes this engine's: its identity and 5-tuple from its record,
 * its permissions and channels from the flows, which the kernel has relayed by all the while and which
 * keep their slots and counters. Called at the start, before the engine runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth/seal.h"
#include "turn/engine.h"
#include "turn/keep.h"

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

/* -EBADMSG: nothing that we sealed. */
static int identity_read(const struct tp_turn *turn, const struct tp_keep_who *who, const uint8_t *sealed,
			 struct tp_identity *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (tp_key_unseal(tp_auth_seal(turn->auth), who, sizeof(*who), sealed, ret->key))
		return -EBADMSG;
	if (who->key_size > sizeof(ret->key) || !text_ends(who->user, sizeof(who->user)) ||
	    !text_ends(who->realm, sizeof(who->realm)) ||
	    (size_t)who->account_offset + who->account_size > strlen(who->user))
		return -EBADMSG;
	memcpy(ret->user, who->user, sizeof(who->user));
	memcpy(ret->realm, who->realm, sizeof(who->realm));
	ret->account_offset = who->account_offset;
	ret->account_size = who->account_size;
	ret->key_size = (uint8_t)who->key_size;
	ret->sha256 = who->flags & TP_KEEP_SHA256;
	ret->anonymous = who->flags & TP_KEEP_ANONYMOUS;
	ret->expires_s = who->expires_s;
	ret->max_lifetime_s = who->max_lifetime_s;
	return 0;
}

static int path_read(const struct tp_keep *keep, struct tp_path *ret)
{
	uint8_t family = (uint8_t)keep->client_family;

	if (keep->client_family != TP_IPV4 && keep->client_family != TP_IPV6)
		return -EBADMSG;
	*ret = (struct tp_path){ .tuple = { .transport = TP_UDP,
		.client = tp_keep_addr(&keep->client_ip, family, keep->client_port),
		.server = tp_keep_addr(&keep->server_ip, family, keep->server_port) } };
	return 0;
}

/* Each address whose time is not over; one that cannot be had again ends alone. -ENOENT: none is left. */
static int relays_open(struct tp_allocation *a, const struct tp_keep *keep, uint64_t now_ns)
{
	int err = -ENOENT;

	for (unsigned int i = 0; i < 2; i++) {
		const struct tp_keep_relay *from = &keep->relays[i];
		uint8_t family = i ? 6 : 4;
		struct tp_addr bound = tp_keep_addr(&from->bound, family, from->bound_port);
		int res;

		if (from->expires_ns <= now_ns)
			continue;
		res = tp_relay_reopen(a, &bound, &a->path.tuple);
		if (res) {
			err = err == -ENOENT ? res : err;
			continue;
		}
		a->relays[i].shown = tp_keep_addr(&from->shown, family, from->shown_port);
		a->relays[i].expires_ns = from->expires_ns;
	}
	return a->relays[0].live || a->relays[1].live ? 0 : err;
}

/* --- flows --- */

struct flows {
	struct tp_allocation *allocation;
	uint64_t now_ns;
	uint32_t police;
	bool police_differs;	/* they do not all have the same bucket: an end in the middle of a change */
	unsigned int adopted;
};

static bool flow_is_ours(const struct tp_allocation *a, const struct tp_relay *relay, const struct tp_flow *flow)
{
	return relay->live && tp_addr_equal(&relay->addr, &flow->relayed) &&
	       tp_tuple_equal(&a->path.tuple, &flow->tuple);
}

/* Where the engine hangs the flow: what the flow is about is made for it. NULL: it is of no use any more. */
static struct tp_flow_slot **flow_place(struct flows *f, struct tp_relay *relay, const struct tp_flow *flow,
					const struct tp_flow_life *life)
{
	struct tp_permission *p;
	struct tp_channel *c;

	switch (flow->kind) {
	case TP_DP_SEND:
		return &relay->send_flow;
	case TP_DP_PERMISSION:
		p = life->own_ns > f->now_ns ? tp_permission_adopt(relay, &flow->peer, life->own_ns) : NULL;
		return p ? &p->flow : NULL;
	case TP_DP_CHANNEL:
		c = life->own_ns > f->now_ns ? tp_channel_adopt(relay, flow->channel, &flow->peer, life->own_ns) : NULL;
		return c ? &c->flow : NULL;
	}
	return NULL;
}

static void flow_adopt(void *arg, tp_flow_id id, const struct tp_flow *flow, const struct tp_flow_life *life)
{
	struct flows *f = arg;
	struct tp_allocation *a = f->allocation;
	struct tp_relay *relay = &a->relays[tp_family_index(flow->relayed.family)];
	struct tp_flow_slot **place, *slot;

	if (!flow_is_ours(a, relay, flow))
		return;
	slot = calloc(1, sizeof(*slot));
	place = slot ? flow_place(f, relay, flow, life) : NULL;
	if (!place || *place) {
		free(slot);
		return;
	}
	slot->id = id;
	slot->relay = relay;
	*place = slot;
	relay->flows++;
	f->police_differs |= f->adopted && f->police != flow->police;
	f->police = flow->police;
	f->adopted++;
	a->turn->dp->ops->adopt(a->turn->dp, id);
}

/* The bucket that the rules have is the allocation's; a limit that they do not have makes them anew. */
static void police_adopt(struct tp_allocation *a, const struct flows *f)
{
	struct tp_dp *dp = a->turn->dp;
	uint64_t bps = tp_charge_bps(a->charge);

	if (!f->adopted)
		return;
	if (f->police_differs || !f->police != !a->police) {
		tp_flow_retell(a);
		return;
	}
	if (!f->police)
		return;
	dp->ops->police_free(dp, a->police);
	a->police = f->police;
	dp->ops->police_set(dp, a->police, bps * 8);
}

/* What the record says goes, where the daemon ended between the record and the lives of its flows. */
static void flows_tell(struct tp_allocation *a)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			tp_flow_tell_send(&a->relays[i]);
	}
	for (struct tp_permission *p = a->permissions; p; p = p->next)
		tp_flow_tell_permission(p);
	for (struct tp_channel *c = a->channels; c; c = c->next)
		tp_flow_tell_channel(c);
}

static void flows_adopt(struct tp_allocation *a, const struct tp_now *now)
{
	struct flows f = { .allocation = a, .now_ns = now->mono_ns };
	struct tp_dp *dp = a->turn->dp;
	struct tp_flow_traffic traffic;

	dp->ops->kept_flows(dp, a->id, flow_adopt, &f);
	police_adopt(a, &f);
	flows_tell(a);
	tp_policy_follow(a);
	/* What was relayed before has been told by the earlier daemon, but for its last moments. */
	tp_flow_traffic(a, &traffic);
	a->told = traffic;
}

static int adopt(struct tp_turn *turn, const struct tp_keep *keep, const struct tp_identity *identity,
		 const struct tp_now *now)
{
	struct tp_allocation *a;
	struct tp_path path;
	struct tp_stun_id id;
	int err = path_read(keep, &path);

	if (err)
		return err;
	if (!tp_auth_user_exists(turn->auth, identity, now->wall_s))
		return -EACCES;
	a = tp_allocation_new(turn, identity, &err);
	if (!a)
		return err;
	a->id = keep->who.id;
	a->kept = true;
	a->mobile = keep->who.flags & TP_KEEP_MOBILE;
	a->ticket = keep->ticket;
	a->origin = keep->origin;
	a->path = path;
	memcpy(&id, keep->allocate_id, sizeof(id));
	err = relays_open(a, keep, now->mono_ns);
	if (!err)
		err = tp_allocation_adopt(a, &path, &id, keep->created_ns);
	if (err) {
		tp_allocation_end(a);
		return err;
	}
	flows_adopt(a, now);
	return 0;
}

int tp_turn_adopt(struct tp_turn *turn, const struct tp_keep *keep, const struct tp_now *now)
{
	struct tp_identity identity;
	int err = identity_read(turn, &keep->who, keep->sealed, &identity);

	if (!err)
		err = adopt(turn, keep, &identity, now);
	if (err)
		turn->dp->ops->forget(turn->dp, keep->who.id);
	explicit_bzero(&identity, sizeof(identity));
	return err;
}
