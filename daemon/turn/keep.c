/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of an allocation that the next daemon adopts it by (struct tp_keep of abi.h). Called
 * wherever something of it changes: start, refresh, move, renewal, end. The record comes before the
 * flows that it vouches for, and goes before them (see abi.h).
 */
#include <arpa/inet.h>
#include <string.h>

#include "auth/seal.h"
#include "turn/engine.h"
#include "turn/keep.h"

_Static_assert(TP_KEEP_USER_SIZE == TP_AUTH_NAME_SIZE && TP_KEEP_REALM_SIZE == TP_AUTH_REALM_SIZE &&
	       TP_AUTH_KEY_SIZE == TP_SEALED_SECRET_SIZE && TP_KEEP_SEALED_SIZE == TP_SEALED_KEY_SIZE,
	       "names and keys fit");

/* The kernel relays for clients by UDP only: the rest ends with its sockets. */
static bool is_kept(const struct tp_allocation *a)
{
	return a->state == TP_ALLOCATION_LIVE && a->path.tuple.transport == TP_UDP && !a->tcp;
}

struct tp_ip tp_keep_ip(const struct tp_addr *addr)
{
	struct tp_ip ip = { 0 };

	memcpy(&ip, addr->ip, tp_addr_ip_size(addr));
	return ip;
}

struct tp_addr tp_keep_addr(const struct tp_ip *ip, uint8_t family, uint16_t port_be)
{
	struct tp_addr addr = { .family = family, .port = ntohs(port_be) };

	memcpy(addr.ip, ip, tp_addr_ip_size(&addr));
	return addr;
}

static void who_fill(const struct tp_allocation *a, struct tp_keep_who *who)
{
	who->id = a->id;
	who->expires_s = a->expires_s;
	who->max_lifetime_s = a->max_lifetime_s;
	who->flags = (a->sha256 ? TP_KEEP_SHA256 : 0) | (a->anonymous ? TP_KEEP_ANONYMOUS : 0) |
		     (a->mobile ? TP_KEEP_MOBILE : 0);
	who->key_size = a->key_size;
	who->account_offset = (uint16_t)(a->account.text - a->user);
	who->account_size = (uint16_t)a->account.size;
	memcpy(who->user, a->user, strnlen(a->user, sizeof(who->user) - 1));
	memcpy(who->realm, a->realm, strnlen(a->realm, sizeof(who->realm) - 1));
}

static void relay_fill(const struct tp_relay *relay, struct tp_keep_relay *ret)
{
	if (!relay->live)
		return;
	ret->bound = tp_keep_ip(&relay->addr);
	ret->shown = tp_keep_ip(&relay->shown);
	ret->bound_port = htons(relay->addr.port);
	ret->shown_port = htons(relay->shown.port);
	ret->expires_ns = relay->expires_ns;
}

void tp_allocation_forget(struct tp_allocation *a)
{
	struct tp_dp *dp = a->turn->dp;

	if (a->kept && dp->ops->forget)
		dp->ops->forget(dp, a->id);
	a->kept = false;
}

void tp_allocation_keep(struct tp_allocation *a)
{
	const struct tp_path *path = &a->path;
	struct tp_dp *dp = a->turn->dp;
	struct tp_keep keep = { 0 };

	if (!dp->ops->keep)
		return;
	if (!is_kept(a)) {
		tp_allocation_forget(a);
		return;
	}
	who_fill(a, &keep.who);
	keep.client_ip = tp_keep_ip(&path->tuple.client);
	keep.server_ip = tp_keep_ip(&path->tuple.server);
	keep.client_port = htons(path->tuple.client.port);
	keep.server_port = htons(path->tuple.server.port);
	keep.client_family = path->tuple.client.family;
	keep.ticket = a->ticket;
	memcpy(keep.allocate_id, &a->allocate_id, sizeof(keep.allocate_id));
	keep.created_ns = a->created_ns;
	keep.origin = a->origin;
	for (unsigned int i = 0; i < 2; i++)
		relay_fill(&a->relays[i], &keep.relays[i]);
	/* A record that is not the latest one is worse than none: it would bring back what has ended. */
	if (!tp_key_seal(tp_auth_seal(a->turn->auth), &keep.who, sizeof(keep.who), a->key, keep.sealed) &&
	    !dp->ops->keep(dp, &keep))
		a->kept = true;
	else
		tp_allocation_forget(a);
}
