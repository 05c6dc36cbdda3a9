/* SPDX-License-Identifier: GPL-2.0 */
/* Permissions of an allocation (RFC 8656 section 9): a peer's address without its port, and an end. */
#include <errno.h>
#include <stdlib.h>

#include "turn/engine.h"

static uint64_t permission_hash(const struct tp_allocation *a, const struct tp_addr *ip)
{
	return tp_addr_hash(ip, a->turn->seed ^ a->id * 0x9e3779b97f4a7c15ull);
}

static struct tp_addr without_port(const struct tp_addr *peer)
{
	struct tp_addr ip = *peer;

	ip.port = 0;
	return ip;
}

struct tp_permission *tp_permission_find(struct tp_allocation *a, const struct tp_addr *peer)
{
	struct tp_addr ip = without_port(peer);
	struct tp_index_node *node = tp_index_first(&a->turn->permissions, permission_hash(a, &ip));

	for (; node; node = tp_index_next(node)) {
		struct tp_permission *p = tp_container(node, struct tp_permission, by_ip);

		if (p->relay->allocation == a && tp_addr_equal(&p->ip, &ip))
			return p;
	}
	return NULL;
}

bool tp_permission_alive(const struct tp_permission *p, uint64_t now_ns)
{
	return p && now_ns < p->expires_ns && now_ns < p->relay->expires_ns;
}

void tp_permission_free(struct tp_permission *p)
{
	struct tp_allocation *a = p->relay->allocation;
	struct tp_permission **at = &a->permissions;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	a->permissions_len--;
	tp_timer_clear(&a->turn->timers, &p->timer);
	tp_index_remove(&a->turn->permissions, &p->by_ip);
	tp_flow_drop(a->turn, &p->flow);
	free(p);
}

static void permission_expired(struct tp_timer *timer, uint64_t now_ns)
{
	tp_permission_free(tp_container(timer, struct tp_permission, timer));
}

static int permission_new(struct tp_relay *relay, const struct tp_addr *peer, uint64_t end, struct tp_permission **ret)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_permission *p;

	if (a->permissions_len >= a->turn->conf->max_permissions)
		return -ENOSPC;
	p = calloc(1, sizeof(*p));
	if (!p || tp_timer_set(&a->turn->timers, &p->timer, end, permission_expired)) {
		free(p);
		return -ENOMEM;
	}
	p->relay = relay;
	p->ip = without_port(peer);
	p->expires_ns = end;
	p->next = a->permissions;
	a->permissions = p;
	a->permissions_len++;
	tp_index_add(&a->turn->permissions, &p->by_ip, permission_hash(a, &p->ip));
	*ret = p;
	return 0;
}

struct tp_permission *tp_permission_adopt(struct tp_relay *relay, const struct tp_addr *peer, uint64_t expires_ns)
{
	struct tp_permission *p = tp_permission_find(relay->allocation, peer);

	return p || permission_new(relay, peer, expires_ns, &p) ? NULL : p;
}

int tp_permission_refresh(struct tp_relay *relay, const struct tp_addr *peer, uint64_t now_ns)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_permission *p = tp_permission_find(a, peer);
	uint64_t end = now_ns + a->turn->conf->permission_lifetime_s * TP_NS_PER_S;
	int err;

	if (!p) {
		err = permission_new(relay, peer, end, &p);
		if (err)
			return err;
	}
	p->expires_ns = end;
	tp_timer_set(&a->turn->timers, &p->timer, end, permission_expired);
	tp_flow_tell_permission(p);
	return 0;
}
