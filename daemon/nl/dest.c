/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Destinations, and the legs of rules that are bound to them. Called by the data
 * path's workers (bind, unbind), and by nl.c when routes change.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "nl/internal.h"

static uint64_t dest_hash(const struct tp_addr *dst, const struct tp_addr *src)
{
	return tp_addr_hash(dst, tp_addr_hash(src, 0));
}

static void route_answer(struct tp_nl *nl, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type != RTM_NEWROUTE || nl_parse_route(nlh, &nl->answer) < 0)
		nl->answer = (struct nl_route){ .type = RTN_UNREACHABLE };
}

static int route_request(struct tp_nl *nl, const struct tp_addr *dst, const struct tp_addr *src)
{
	char buffer[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	uint8_t bits = (uint8_t)(tp_addr_ip_size(dst) * 8);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = dst->family == 4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = bits;
	mnl_attr_put(nlh, RTA_DST, tp_addr_ip_size(dst), dst->ip);
	if (src) {
		rtm->rtm_src_len = bits;
		mnl_attr_put(nlh, RTA_SRC, tp_addr_ip_size(src), src->ip);
	}
	nl->answer = (struct nl_route){ .type = RTN_UNREACHABLE };
	nl->stats.queries++;
	return nl_request(nl, nlh, route_answer);
}

int nl_route_ask(struct tp_nl *nl, const struct tp_addr *dst, const struct tp_addr *src, struct nl_route *ret)
{
	int err = -EINVAL;

	if (src && src->family == dst->family)
		err = route_request(nl, dst, src);
	/* Relay addresses that are bound without being on an interface (IP_FREEBIND) cannot be asked with. */
	if (err)
		err = route_request(nl, dst, NULL);
	if (!err)
		*ret = nl->answer;
	return err;
}

static struct nl_hop *dest_find_hop(struct tp_nl *nl, const struct nl_dest *dest)
{
	const struct tp_nl_link *link;
	struct nl_route route;

	if (nl_route_ask(nl, &dest->dst, &dest->src, &route) || route.type != RTN_UNICAST)
		return NULL;
	link = nl_link_find(nl, route.oif);
	if (!link || link->loopback || !link->ethernet)
		return NULL;
	return nl_hop_get(nl, route.gateway.family ? &route.gateway : &dest->dst, route.oif, route.mtu);
}

static void leg_write(const struct tp_nl_leg *leg)
{
	__atomic_store_n(leg->word, leg->dest->hop ? leg->dest->hop->index : 0, __ATOMIC_RELEASE);
}

static void dest_resolve(struct tp_nl *nl, struct nl_dest *dest)
{
	struct nl_hop *old = dest->hop;

	dest->hop = dest_find_hop(nl, dest);
	if (dest->hop != old)
		for (struct tp_nl_leg *leg = dest->legs; leg; leg = leg->next)
			leg_write(leg);
	if (old)
		nl_hop_put(nl, old);
}

static void dest_free(struct tp_nl *nl, struct nl_dest *dest)
{
	if (dest->hop)
		nl_hop_put(nl, dest->hop);
	nl_table_remove(&nl->dest_table, &dest->node);
	free(dest);
}

static struct nl_dest *dest_get(struct tp_nl *nl, const struct tp_addr *dst, const struct tp_addr *src)
{
	struct tp_addr d = *dst, s = *src;
	struct nl_dest *dest;
	uint64_t hash;

	d.port = s.port = 0;
	hash = dest_hash(&d, &s);
	for (struct nl_node *n = nl_table_first(&nl->dest_table, hash); n; n = n->next) {
		dest = (struct nl_dest *)n;
		if (tp_addr_equal(&dest->dst, &d) && tp_addr_equal(&dest->src, &s))
			return dest;
	}
	dest = calloc(1, sizeof(*dest));
	if (!dest)
		return NULL;
	*dest = (struct nl_dest){ .node.hash = hash, .dst = d, .src = s };
	nl_table_insert(&nl->dest_table, &dest->node);
	dest_resolve(nl, dest);
	return dest;
}

void tp_nl_bind(struct tp_nl *nl, const struct tp_addr *dst, const struct tp_addr *src, __u32 *word,
		struct tp_nl_leg *leg)
{
	struct nl_dest *dest;

	pthread_mutex_lock(&nl->lock);
	dest = dest_get(nl, dst, src);
	*leg = (struct tp_nl_leg){ .dest = dest, .word = word };
	if (!dest) {
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	} else {
		leg->next = dest->legs;
		leg->link = &dest->legs;
		if (leg->next)
			leg->next->link = &leg->next;
		dest->legs = leg;
		leg_write(leg);
	}
	pthread_mutex_unlock(&nl->lock);
}

void tp_nl_unbind(struct tp_nl *nl, struct tp_nl_leg *leg)
{
	struct nl_dest *dest = leg->dest;

	if (!dest)
		return;
	pthread_mutex_lock(&nl->lock);
	*leg->link = leg->next;
	if (leg->next)
		leg->next->link = leg->link;
	/* A dirty one is on the list: nl_dests_resolve() frees it. */
	if (!dest->legs && !dest->dirty)
		dest_free(nl, dest);
	pthread_mutex_unlock(&nl->lock);
	leg->dest = NULL;
}

static void dest_mark(struct tp_nl *nl, struct nl_dest *dest)
{
	if (dest->dirty)
		return;
	dest->dirty = true;
	dest->next_dirty = nl->dirty;
	nl->dirty = dest;
}

static bool prefix_covers(const struct nl_route *route, const struct tp_addr *addr)
{
	unsigned int bytes = route->dst_len / 8, bits = route->dst_len % 8;

	if (addr->family != route->dst.family || memcmp(addr->ip, route->dst.ip, bytes))
		return false;
	return !bits || !((addr->ip[bytes] ^ route->dst.ip[bytes]) >> (8 - bits));
}

void nl_dests_route(struct tp_nl *nl, const struct nl_route *route)
{
	struct nl_node *n, *next;

	nl_table_for_each(&nl->dest_table, n, next)
		if (prefix_covers(route, &((struct nl_dest *)n)->dst))
			dest_mark(nl, (struct nl_dest *)n);
}

void nl_dests_all(struct tp_nl *nl)
{
	struct nl_node *n, *next;

	if (nl->loading)
		return;
	nl_table_for_each(&nl->dest_table, n, next)
		dest_mark(nl, (struct nl_dest *)n);
}

size_t nl_dests_resolve(struct tp_nl *nl, size_t max)
{
	struct nl_dest *dest;

	for (; nl->dirty && max; max--) {
		dest = nl->dirty;
		nl->dirty = dest->next_dirty;
		dest->dirty = false;
		if (dest->legs)
			dest_resolve(nl, dest);
		else
			dest_free(nl, dest);
	}
	return nl->dirty != NULL;
}

void nl_dests_fini(struct tp_nl *nl)
{
	struct nl_node *n, *next;

	nl_table_for_each(&nl->dest_table, n, next)
		dest_free(nl, (struct nl_dest *)n);
	nl_table_fini(&nl->dest_table);
}
