/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The node's network as the kernel sees it (rtnetlink through libmnl): links and
 * addresses in a mirror, and the way to every destination that a flow names as an
 * entry of tp1_hops that is kept current. The bpf data path owns one.
 *
 * A destination {address, our source address} has a hop; destinations behind the
 * same next hop and device share one. What changes about a next hop (its MAC, the
 * link, our MAC) is written into the hop in place, under its `seq`. When a route
 * changes, the destinations it covers are asked for again (RTM_GETROUTE is the
 * truth: metrics, rules and multipath are the kernel's business) and the word in
 * each rule that names the hop is rewritten: one aligned store.
 *
 * Workers bind and unbind; everything else is the control thread's. One mutex
 * guards all of it.
 */
#ifndef TP_NL_NL_H
#define TP_NL_NL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"
#include "turnpike/abi.h"

struct tp_nl;

struct tp_nl_link {
	unsigned int ifindex;
	unsigned int lower;		/* IFLA_LINK where it is in this namespace: what a VLAN device sits on */
	unsigned int master;
	char name[IFNAMSIZ];
	char kind[IFNAMSIZ];		/* "veth", "vlan", "bond"; empty for hardware */
	bool up;			/* and its carrier, too */
	bool loopback, ethernet;
	bool has_vlan;
	uint8_t mac[6];
	uint16_t vlan_id, vlan_proto;	/* host order */
	uint32_t mtu;
	uint32_t xdp_prog_id;		/* of the XDP program on it, whoever's; 0 none */
};

struct tp_nl_addr {
	unsigned int ifindex;
	struct tp_addr addr;
	uint8_t prefix_len;
	bool link_local;
};

/* What the data path has on a device. */
#define TP_NL_PROGRAM	0x1	/* a program: packets of its hops are seen */
#define TP_NL_TAGS	0x2	/* which is XDP and finds the tags of the VLAN devices above in the frame */
#define TP_NL_XDP_XMIT	0x4	/* and XDP on other devices can redirect to it */

struct tp_nl_params {
	struct tp_hop *hops;		/* tp1_hops; entry 0 stays zero */
	uint32_t hops_len;
	const bool *kept;		/* [hops_len], read by tp_nl_new(): hops of an earlier daemon that rules name; NULL: none */
	void (*changed)(void *arg);	/* links, addresses or default routes did; from tp_nl_input(), not under the lock */
	void (*grace)(void *arg);	/* returns when no program runs that was running before; not under the lock */
	void *arg;
};

int tp_nl_new(const struct tp_nl_params *params, struct tp_nl **ret);
void tp_nl_free(struct tp_nl *nl);

/* No rule names a kept hop any more: every one is bound again, or gone. */
void tp_nl_forget_kept(struct tp_nl *nl);
/* Neighbours stay in the kernel's care when this is freed: rules that use them go on. */
void tp_nl_leave(struct tp_nl *nl);

int tp_nl_fd(struct tp_nl *nl);		/* to poll for reading, then tp_nl_input(); it stays the same */
void tp_nl_input(struct tp_nl *nl);	/* never blocks for long: work left over makes the descriptor readable again */
void tp_nl_tick(struct tp_nl *nl);	/* every second: unresolved neighbours, hops to free */

/* The mirror, until the next tp_nl_input(). */
const struct tp_nl_link *tp_nl_links(struct tp_nl *nl, size_t *ret_len);
const struct tp_nl_addr *tp_nl_addrs(struct tp_nl *nl, size_t *ret_len);

/* Says what is on a device (TP_NL_*, 0 nothing); its hops follow. */
void tp_nl_set_program(struct tp_nl *nl, unsigned int ifindex, unsigned int flags);

/* The device of the route to `dst`, 0 where there is none. */
unsigned int tp_nl_route_device(struct tp_nl *nl, const struct tp_addr *dst);

/* One leg of a rule that wants to know its hop; embedded by its owner, must stay where it is. */
struct tp_nl_leg {
	struct tp_nl_leg *next, **link;
	struct nl_dest *dest;		/* NULL: not bound */
	__u32 *word;
};

/*
 * Writes the index of the hop to `dst` from `src` into `*word`, now and whenever
 * it changes, until unbound (in one step: a kept hop is good until the new one is known); 0 where there is no way that a program can take (no
 * route, this node itself, no room for hops). Ports do not matter. Never fails:
 * without a hop packets go up to the daemon.
 */
void tp_nl_bind(struct tp_nl *nl, const struct tp_addr *dst, const struct tp_addr *src, __u32 *word,
		struct tp_nl_leg *leg);
void tp_nl_unbind(struct tp_nl *nl, struct tp_nl_leg *leg);

struct tp_nl_stats {
	uint32_t hops, dests;	/* in use */
	uint32_t valid;		/* hops that can be taken now */
	uint64_t hops_full;	/* destinations left without a hop since start */
	uint64_t queries;	/* RTM_GETROUTE since start */
	uint64_t overruns;	/* events lost, and everything asked for again */
};

void tp_nl_read_stats(struct tp_nl *nl, struct tp_nl_stats *ret);

#endif
