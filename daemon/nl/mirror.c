/* SPDX-License-Identifier: GPL-2.0 */
/* The mirror of links and addresses, and what programs the data path has on them. Called by nl.c with messages. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "nl/internal.h"

#define NL_MIRROR_MAX 65536	/* links, or addresses */

/* One more element of `size` bytes in an array grown by powers of two. NULL: no memory, or too many. */
static void *array_grow(void *array, size_t len, size_t size)
{
	if (len >= NL_MIRROR_MAX)
		return NULL;
	if (len & (len - 1))
		return array;
	return realloc(array, (len ? len * 2 : 1) * size);
}

const struct tp_nl_link *nl_link_find(const struct tp_nl *nl, unsigned int ifindex)
{
	for (size_t i = 0; i < nl->links_len; i++)
		if (nl->links[i].ifindex == ifindex)
			return &nl->links[i];
	return NULL;
}

static void link_set(struct tp_nl *nl, const struct tp_nl_link *link)
{
	struct tp_nl_link *old = (struct tp_nl_link *)nl_link_find(nl, link->ifindex);
	bool route;

	if (!old) {
		old = array_grow(nl->links, nl->links_len, sizeof(*old));
		if (!old)
			return;
		nl->links = old;
		old += nl->links_len++;
		*old = (struct tp_nl_link){ 0 };
	} else if (!memcmp(old, link, sizeof(*link))) {
		return;
	}
	/* IPv4 routes through a link that goes down vanish without an event of their own. */
	route = old->up != link->up || old->mtu != link->mtu;
	*old = *link;
	nl->changed = true;
	nl_hops_link(nl);
	if (route)
		nl_dests_all(nl);
}

static void link_remove(struct tp_nl *nl, unsigned int ifindex)
{
	struct tp_nl_link *old = (struct tp_nl_link *)nl_link_find(nl, ifindex);

	if (!old)
		return;
	*old = nl->links[--nl->links_len];
	for (size_t i = 0; i < nl->programs_len; i++)
		if (nl->programs[i].ifindex == ifindex)
			nl->programs[i].flags = 0;
	nl->changed = true;
	nl_hops_link(nl);
	nl_dests_all(nl);
}

static struct tp_nl_addr *addr_find(struct tp_nl *nl, const struct tp_nl_addr *addr)
{
	for (size_t i = 0; i < nl->addrs_len; i++)
		if (nl->addrs[i].ifindex == addr->ifindex && nl->addrs[i].prefix_len == addr->prefix_len &&
		    tp_addr_same_ip(&nl->addrs[i].addr, &addr->addr))
			return &nl->addrs[i];
	return NULL;
}

static void addr_set(struct tp_nl *nl, const struct tp_nl_addr *addr)
{
	struct tp_nl_addr *addrs;

	if (addr_find(nl, addr))
		return;
	addrs = array_grow(nl->addrs, nl->addrs_len, sizeof(*addrs));
	if (!addrs)
		return;
	nl->addrs = addrs;
	nl->addrs[nl->addrs_len++] = *addr;
	nl->changed = true;
	nl_dests_all(nl);
}

static void addr_remove(struct tp_nl *nl, const struct tp_nl_addr *addr)
{
	struct tp_nl_addr *old = addr_find(nl, addr);

	if (!old)
		return;
	*old = nl->addrs[--nl->addrs_len];
	nl->changed = true;
	nl_dests_all(nl);
}

void nl_mirror_message(struct tp_nl *nl, const struct nlmsghdr *nlh)
{
	struct tp_nl_link link;
	struct tp_nl_addr addr;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
		if (!nl_parse_link(nlh, &link))
			link_set(nl, &link);
		break;
	case RTM_DELLINK:
		if (!nl_parse_link(nlh, &link))
			link_remove(nl, link.ifindex);
		break;
	case RTM_NEWADDR:
		if (!nl_parse_addr(nlh, &addr))
			addr_set(nl, &addr);
		break;
	case RTM_DELADDR:
		if (!nl_parse_addr(nlh, &addr))
			addr_remove(nl, &addr);
		break;
	}
}

void nl_mirror_clear(struct tp_nl *nl)
{
	free(nl->links);
	free(nl->addrs);
	nl->links = NULL;
	nl->addrs = NULL;
	nl->links_len = nl->addrs_len = 0;
}

unsigned int nl_program_flags(const struct tp_nl *nl, unsigned int ifindex)
{
	for (size_t i = 0; i < nl->programs_len; i++)
		if (nl->programs[i].ifindex == ifindex)
			return nl->programs[i].flags;
	return 0;
}

void tp_nl_set_program(struct tp_nl *nl, unsigned int ifindex, unsigned int flags)
{
	struct nl_program *at = NULL, *programs;

	pthread_mutex_lock(&nl->lock);
	for (size_t i = 0; i < nl->programs_len; i++)
		if (nl->programs[i].ifindex == ifindex || (!at && !nl->programs[i].flags))
			at = &nl->programs[i];
	if (!at && flags) {
		programs = array_grow(nl->programs, nl->programs_len, sizeof(*programs));
		if (programs) {
			nl->programs = programs;
			at = &programs[nl->programs_len++];
		}
	}
	if (at) {
		*at = (struct nl_program){ ifindex, flags };
		nl_hops_link(nl);
	}
	pthread_mutex_unlock(&nl->lock);
}
