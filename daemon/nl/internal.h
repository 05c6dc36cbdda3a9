/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of nl/ share: the state behind `struct tp_nl`, under its one mutex. Nobody else includes this. */
#ifndef TP_NL_INTERNAL_H
#define TP_NL_INTERNAL_H

#include <libmnl/libmnl.h>
#include <pthread.h>

#include "nl/nl.h"
#include "nl/parse.h"

/* A chained hash with a fixed number of buckets; entries embed the node. */
struct nl_node {
	struct nl_node *next;
	uint64_t hash;
};

struct nl_table {
	struct nl_node **buckets;
	size_t mask;
	uint32_t len;
};

int nl_table_init(struct nl_table *table, size_t buckets);	/* rounded up to a power of two */
void nl_table_fini(struct nl_table *table);
void nl_table_insert(struct nl_table *table, struct nl_node *node);
void nl_table_remove(struct nl_table *table, struct nl_node *node);

static inline struct nl_node *nl_table_first(const struct nl_table *table, uint64_t hash)
{
	return table->buckets[hash & table->mask];
}

/* Every node, in no order; the body may remove the current one. */
#define nl_table_for_each(table, node, next_node)				\
	for (size_t nl_i = 0; nl_i <= (table)->mask; nl_i++)			\
		for (node = (table)->buckets[nl_i]; node && (next_node = node->next, 1); node = next_node)

/* A next hop: neighbour `gateway` on `ifindex`, written to hops[index]. */
struct nl_hop {
	struct nl_node node;
	uint32_t index, refs;
	unsigned int ifindex;
	struct tp_addr gateway;
	uint32_t mtu;		/* of the route, 0: the device's */
	bool resolved;		/* `mac` is good */
	bool managed;		/* NTF_EXT_MANAGED, as the kernel reported it */
	bool managed_here;	/* and we asked for it */
	bool fixed;		/* the administrator's or the device's own entry: never touched */
	bool stale;
	uint8_t mac[6];
};

/* A destination that legs are bound to. */
struct nl_dest {
	struct nl_node node;
	struct tp_addr dst, src;
	struct nl_hop *hop;	/* NULL: none */
	struct tp_nl_leg *legs;
	bool dirty;
	struct nl_dest *next_dirty;
};

struct nl_program {
	unsigned int ifindex, flags;
};

struct tp_nl {
	struct tp_nl_params params;
	pthread_mutex_t lock;
	struct mnl_socket *events, *requests;
	unsigned int requests_seq, requests_port;
	int fd, timer_fd;

	struct tp_nl_link *links;
	struct tp_nl_addr *addrs;
	struct nl_program *programs;
	size_t links_len, addrs_len, programs_len;
	bool changed;
	bool loading;		/* a dump: hops and routes wait for its end */

	struct nl_table hop_table, dest_table;
	struct nl_dest *dirty;
	bool starved;		/* a destination is without a hop for want of room */
	uint32_t *hop_free;	/* a stack of indices */
	uint32_t hop_free_len;
	uint32_t *hop_limbo;	/* freed, perhaps still read by a program */
	uint32_t hop_limbo_len;
	uint32_t *hop_kept;	/* of an earlier daemon, named by rules */
	uint32_t hop_kept_len;
	struct nl_route answer;	/* of the request that is under way */
	struct tp_nl_stats stats;
};

/* socket.c. One request and its answer; `fn` gets each message of it (may be NULL). -errno of the kernel, or 0. */
typedef void (*nl_message_fn)(struct tp_nl *nl, const struct nlmsghdr *nlh);
int nl_sockets_open(struct tp_nl *nl);
void nl_sockets_close(struct tp_nl *nl);
int nl_request(struct tp_nl *nl, struct nlmsghdr *request, nl_message_fn fn);
int nl_events_read(struct tp_nl *nl, nl_message_fn fn);	/* 0: all read, 1: more to come, -ENOBUFS: events lost */
void nl_events_discard(struct tp_nl *nl);	/* what is queued: older than what is asked for now */
int nl_dump(struct tp_nl *nl, int type, int family, nl_message_fn fn);

/* mirror.c */
const struct tp_nl_link *nl_link_find(const struct tp_nl *nl, unsigned int ifindex);
unsigned int nl_program_flags(const struct tp_nl *nl, unsigned int ifindex);
void nl_mirror_message(struct tp_nl *nl, const struct nlmsghdr *nlh);
void nl_mirror_clear(struct tp_nl *nl);

/* hop.c */
int nl_hops_init(struct tp_nl *nl);
void nl_hops_fini(struct tp_nl *nl);
struct nl_hop *nl_hop_get(struct tp_nl *nl, const struct tp_addr *gateway, unsigned int ifindex, uint32_t mtu);
void nl_hop_put(struct tp_nl *nl, struct nl_hop *hop);
void nl_hops_neigh(struct tp_nl *nl, const struct nl_neigh *neigh, bool gone);	/* in every hop that has it */
void nl_hops_link(struct tp_nl *nl);	/* links or programs changed: write all hops again */
void nl_hops_ask(struct tp_nl *nl);	/* events were lost: ask for every neighbour */
void nl_hops_tick(struct tp_nl *nl);
void nl_hop_render(const struct tp_nl *nl, const struct nl_hop *hop, struct tp_hop *ret);

/* dest.c */
void nl_dests_route(struct tp_nl *nl, const struct nl_route *route);
void nl_dests_all(struct tp_nl *nl);
size_t nl_dests_resolve(struct tp_nl *nl, size_t max);	/* how many are left: 0 or more */
void nl_dests_fini(struct tp_nl *nl);
int nl_route_ask(struct tp_nl *nl, const struct tp_addr *dst, const struct tp_addr *src, struct nl_route *ret);

#endif
