/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a data path tells about itself: for `turnpikectl status`, `stats` and
 * `rules`. Backends without programs in the kernel call nobody back. Control
 * thread only; what a callback gets is valid during the call.
 */
#ifndef TP_DP_REPORT_H
#define TP_DP_REPORT_H

#include "dp/dp.h"

struct tp_dp_interface {
	const char *name;
	unsigned int ifindex;
	const char *hook;	/* "xdp", "tcx", "clsact", "user" */
	const char *reason;	/* why this one, in words */
};

typedef void (*tp_dp_interface_fn)(void *arg, const struct tp_dp_interface *interface);
void tp_dp_report_interfaces(struct tp_dp *dp, tp_dp_interface_fn fn, void *arg);

/* Every reason of abi.h, summed over the CPUs, those at zero too. */
struct tp_dp_reason {
	const char *name;	/* the JSON key: "relayed_up", "drop_expired" */
	const char *verdict;	/* "relay", "pass", "drop" */
	uint64_t packets, bytes;
};

typedef void (*tp_dp_reason_fn)(void *arg, const struct tp_dp_reason *reason);
void tp_dp_report_reasons(struct tp_dp *dp, tp_dp_reason_fn fn, void *arg);

/* Where a leg's packets go. */
struct tp_dp_hop {
	bool valid;
	unsigned int ifindex;
	char device[16];
	uint8_t mac[6];		/* the next hop's */
	uint16_t mtu;
};

struct tp_dp_rule {
	tp_flow_id id;
	uint32_t generation;
	struct tp_flow flow;
	struct tp_flow_life life;
	struct tp_flow_traffic traffic;
	struct tp_dp_hop client_hop, peer_hop;
	bool peer_is_relayed;
};

/* Every live rule; false stops. Rules that come or go meanwhile may be missed, none is shown torn. */
typedef bool (*tp_dp_rule_fn)(void *arg, const struct tp_dp_rule *rule);
void tp_dp_report_rules(struct tp_dp *dp, tp_dp_rule_fn fn, void *arg);

struct tp_dp_totals {
	const char *backend;	/* "bpf", "user", "mock" */
	uint64_t flows;		/* live rules */
	uint64_t flows_max;	/* room for them */
	uint64_t full;		/* flows refused for want of room since start: userspace relays them */
	uint64_t hops;		/* next hops in use */
	bool confirmed;		/* a real packet was relayed in the kernel */
};

void tp_dp_report_totals(struct tp_dp *dp, struct tp_dp_totals *ret);

#endif
