/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of next hops: what is written into tp1_hops and when an entry may be
 * used again. Neighbours in use are kept resolved by the kernel (NTF_EXT_MANAGED,
 * 5.16); on older kernels by a probe whenever one goes stale, because packets that
 * a program relays confirm nothing. Called by the destinations and by nl.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "nl/internal.h"

#define NL_NEIGH_VALID	(NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)
#define NL_PROBES	64	/* unresolved neighbours asked for in one tick */

int nl_hops_init(struct tp_nl *nl)
{
	uint32_t len = nl->params.hops_len;
	int err = nl_table_init(&nl->hop_table, len);

	if (err)
		return err;
	nl->hop_free = calloc(len, sizeof(*nl->hop_free));
	nl->hop_limbo = calloc(len, sizeof(*nl->hop_limbo));
	nl->hop_kept = calloc(len, sizeof(*nl->hop_kept));
	if (!nl->hop_free || !nl->hop_limbo || !nl->hop_kept)
		return -ENOMEM;
	for (uint32_t i = len - 1; i > 0; i--) {
		if (nl->params.kept && nl->params.kept[i])
			nl->hop_kept[nl->hop_kept_len++] = i;
		else
			nl->hop_free[nl->hop_free_len++] = i;
	}
	nl->params.kept = NULL;
	return 0;
}

/* Into the limbo: a program may have the number from a rule that had it until now. */
void tp_nl_forget_kept(struct tp_nl *nl)
{
	pthread_mutex_lock(&nl->lock);
	while (nl->hop_kept_len)
		nl->hop_limbo[nl->hop_limbo_len++] = nl->hop_kept[--nl->hop_kept_len];
	pthread_mutex_unlock(&nl->lock);
}

void tp_nl_leave(struct tp_nl *nl)
{
	struct nl_node *n, *next;

	pthread_mutex_lock(&nl->lock);
	nl_table_for_each(&nl->hop_table, n, next)
		((struct nl_hop *)n)->managed_here = false;
	pthread_mutex_unlock(&nl->lock);
}

void nl_hops_fini(struct tp_nl *nl)
{
	nl_table_fini(&nl->hop_table);
	free(nl->hop_free);
	free(nl->hop_limbo);
	free(nl->hop_kept);
}

/* A VLAN device without a program of its own goes out by the one below it that has XDP, with its tags. */
static const struct tp_nl_link *hop_device(const struct tp_nl *nl, const struct tp_nl_link *link, struct tp_hop *ret)
{
	for (unsigned int tags = 0; link && link->up; tags++) {
		unsigned int program = nl_program_flags(nl, link->ifindex);

		if (program & (tags ? TP_NL_TAGS : TP_NL_PROGRAM))
			return link;
		if (!link->has_vlan || tags == 2)
			return NULL;
		ret->vlan_tci[1] = ret->vlan_tci[0];
		ret->vlan_proto[1] = ret->vlan_proto[0];
		ret->vlan_tci[0] = htons(link->vlan_id);
		ret->vlan_proto[0] = htons(link->vlan_proto);
		link = nl_link_find(nl, link->lower);
	}
	return NULL;
}

void nl_hop_render(const struct tp_nl *nl, const struct nl_hop *hop, struct tp_hop *ret)
{
	const struct tp_nl_link *link = nl_link_find(nl, hop->ifindex), *device;
	struct tp_hop h = { 0 };
	uint32_t mtu;

	device = link && link->ethernet ? hop_device(nl, link, &h) : NULL;
	if (!device || !hop->resolved) {
		*ret = (struct tp_hop){ .ifindex = hop->ifindex };
		return;
	}
	h.ifindex = device->ifindex;
	memcpy(h.dst_mac, hop->mac, sizeof(h.dst_mac));
	memcpy(h.src_mac, link->mac, sizeof(h.src_mac));
	mtu = hop->mtu && hop->mtu < link->mtu ? hop->mtu : link->mtu;
	h.mtu = mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
	h.flags = TP_HOP_VALID;
	if (nl_program_flags(nl, device->ifindex) & TP_NL_XDP_XMIT)
		h.flags |= TP_HOP_XDP_XMIT;
	*ret = h;
}

/*
 * Under `seq`, word by word: a program that copies meanwhile sees that the numbers differ, or an odd one.
 * A daemon that died in here left an odd one, and words of both.
 */
static void hop_write(const struct tp_nl *nl, const struct nl_hop *hop)
{
	struct tp_hop *to = &nl->params.hops[hop->index], from;
	uint32_t *word = (uint32_t *)to, words[sizeof(from) / sizeof(uint32_t)], seq = to->seq & ~1u;

	nl_hop_render(nl, hop, &from);
	from.seq = seq;
	if (!memcmp(to, &from, sizeof(from)))
		return;
	memcpy(words, &from, sizeof(from));
	__atomic_store_n(&to->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (size_t i = 1; i < sizeof(from) / sizeof(uint32_t); i++)
		__atomic_store_n(&word[i], words[i], __ATOMIC_RELAXED);
	__atomic_store_n(&to->seq, seq + 2, __ATOMIC_RELEASE);
}

/* --- neighbours --- */

static struct nlmsghdr *neigh_header(char *buffer, int type, const struct nl_hop *hop)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ndmsg *ndm;

	nlh->nlmsg_type = (uint16_t)type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = hop->gateway.family == 4 ? AF_INET : AF_INET6;
	ndm->ndm_ifindex = (int)hop->ifindex;
	mnl_attr_put(nlh, NDA_DST, tp_addr_ip_size(&hop->gateway), hop->gateway.ip);
	return nlh;
}

static void neigh_answer(struct tp_nl *nl, const struct nlmsghdr *nlh)
{
	struct nl_neigh neigh;

	if (nlh->nlmsg_type == RTM_NEWNEIGH && !nl_parse_neigh(nlh, &neigh))
		nl_hops_neigh(nl, &neigh, false);
}

static void hop_ask(struct tp_nl *nl, struct nl_hop *hop)
{
	char buffer[256] __attribute__((aligned(NLMSG_ALIGNTO)));

	if (nl_request(nl, neigh_header(buffer, RTM_GETNEIGH, hop), neigh_answer) == -ENOENT)
		hop->resolved = false;
}

/*
 * NTF_USE starts a resolution or a probe as a packet of our own would. Never for
 * entries that the administrator made: it would take their permanence.
 */
static void hop_probe(struct tp_nl *nl, struct nl_hop *hop, bool managed)
{
	char buffer[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = neigh_header(buffer, RTM_NEWNEIGH, hop);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);

	nlh->nlmsg_flags |= NLM_F_ACK | NLM_F_CREATE;
	ndm->ndm_flags = NTF_USE;
	if (managed)
		mnl_attr_put_u32(nlh, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	if (!nl_request(nl, nlh, NULL))
		hop->managed_here = managed;
}

static bool hop_wants_probe(const struct tp_nl *nl, const struct nl_hop *hop)
{
	const struct tp_nl_link *link = nl_link_find(nl, hop->ifindex);
	struct tp_hop ignored = { 0 };

	return link && link->ethernet && hop_device(nl, link, &ignored);
}

void nl_hops_neigh(struct tp_nl *nl, const struct nl_neigh *neigh, bool gone)
{
	uint64_t hash = tp_addr_hash(&neigh->addr, neigh->ifindex);
	bool valid = !gone && neigh->has_mac && (neigh->state & NL_NEIGH_VALID);

	for (struct nl_node *n = nl_table_first(&nl->hop_table, hash); n; n = n->next) {
		struct nl_hop *hop = (struct nl_hop *)n;

		if (hop->ifindex != neigh->ifindex || !tp_addr_same_ip(&hop->gateway, &neigh->addr))
			continue;
		hop->resolved = valid;
		if (valid)
			memcpy(hop->mac, neigh->mac, sizeof(hop->mac));
		hop->managed = !gone && neigh->managed;
		hop->fixed = !gone && (neigh->state & (NUD_PERMANENT | NUD_NOARP));
		hop->stale = !gone && neigh->state == NUD_STALE;
		hop_write(nl, hop);
	}
}

/* Another hop with the same neighbour. */
static bool hop_shares_neigh(const struct tp_nl *nl, const struct nl_hop *hop)
{
	for (struct nl_node *n = nl_table_first(&nl->hop_table, hop->node.hash); n; n = n->next) {
		const struct nl_hop *other = (const struct nl_hop *)n;

		if (other != hop && other->ifindex == hop->ifindex && tp_addr_same_ip(&other->gateway, &hop->gateway))
			return true;
	}
	return false;
}

/* --- hops --- */

struct nl_hop *nl_hop_get(struct tp_nl *nl, const struct tp_addr *gateway, unsigned int ifindex, uint32_t mtu)
{
	uint64_t hash = tp_addr_hash(gateway, ifindex);
	struct nl_hop *hop;

	for (struct nl_node *n = nl_table_first(&nl->hop_table, hash); n; n = n->next) {
		hop = (struct nl_hop *)n;
		if (hop->ifindex == ifindex && hop->mtu == mtu && tp_addr_same_ip(&hop->gateway, gateway)) {
			hop->refs++;
			return hop;
		}
	}
	hop = nl->hop_free_len ? calloc(1, sizeof(*hop)) : NULL;
	if (!hop) {
		nl->stats.hops_full++;
		nl->starved = true;
		return NULL;
	}
	*hop = (struct nl_hop){ .node.hash = hash, .index = nl->hop_free[--nl->hop_free_len], .refs = 1,
				.ifindex = ifindex, .gateway = *gateway, .mtu = mtu };
	nl_table_insert(&nl->hop_table, &hop->node);
	hop_ask(nl, hop);
	if (!hop->fixed && !hop->managed && hop_wants_probe(nl, hop))
		hop_probe(nl, hop, true);
	hop_write(nl, hop);
	return hop;
}

void nl_hop_put(struct tp_nl *nl, struct nl_hop *hop)
{
	if (--hop->refs)
		return;
	if (hop->managed_here && !hop->fixed && !hop_shares_neigh(nl, hop))
		hop_probe(nl, hop, false);
	nl_table_remove(&nl->hop_table, &hop->node);
	nl->hop_limbo[nl->hop_limbo_len++] = hop->index;
	free(hop);
}

void nl_hops_link(struct tp_nl *nl)
{
	struct nl_node *n, *next;

	if (nl->loading)
		return;
	nl_table_for_each(&nl->hop_table, n, next)
		hop_write(nl, (struct nl_hop *)n);
}

void nl_hops_ask(struct tp_nl *nl)
{
	struct nl_node *n, *next;

	nl_table_for_each(&nl->hop_table, n, next) {
		hop_ask(nl, (struct nl_hop *)n);
		hop_write(nl, (struct nl_hop *)n);
	}
}

/* Under the lock but for the grace period; only this takes from the limbo. */
static void hops_free(struct tp_nl *nl)
{
	uint32_t len = nl->hop_limbo_len;

	if (!len)
		return;
	if (nl->params.grace) {
		pthread_mutex_unlock(&nl->lock);
		nl->params.grace(nl->params.arg);
		pthread_mutex_lock(&nl->lock);
	}
	memcpy(&nl->hop_free[nl->hop_free_len], nl->hop_limbo, len * sizeof(*nl->hop_free));
	nl->hop_free_len += len;
	nl->hop_limbo_len -= len;
	memmove(nl->hop_limbo, &nl->hop_limbo[len], nl->hop_limbo_len * sizeof(*nl->hop_limbo));
}

void nl_hops_tick(struct tp_nl *nl)
{
	unsigned int probes = 0;
	struct nl_node *n, *next;

	nl_table_for_each(&nl->hop_table, n, next) {
		struct nl_hop *hop = (struct nl_hop *)n;

		if (probes == NL_PROBES || hop->fixed || hop->managed || (hop->resolved && !hop->stale) ||
		    !hop_wants_probe(nl, hop))
			continue;
		hop_probe(nl, hop, true);
		probes++;
	}
	hops_free(nl);
	if (nl->starved && nl->hop_free_len) {
		nl->starved = false;
		nl_dests_all(nl);
	}
}
