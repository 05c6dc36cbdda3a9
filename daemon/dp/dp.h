/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data path backends behind one interface. The engine in turn/ says which flows
 * exist; a backend may relay them elsewhere than in userspace, or do nothing.
 *
 *   bpf   XDP and tc programs; flows are rules in BPF maps
 *   user  nothing is accelerated: every packet reaches the daemon's sockets
 *   mock  remembers what it was told, for tests without root
 *
 * Userspace relays completely whatever the backend does: a backend is an
 * accelerator. Functions may be called from every worker thread; a flow is only
 * touched by the worker that owns its allocation.
 *
 * The life of a flow: add -> set_life (any number of times) -> remove -> once
 * `tp_dp_settled()` says that the grace period of the removal has passed, harvest.
 * A relayed port may be given to another allocation only after the harvest.
 */
#ifndef TP_DP_DP_H
#define TP_DP_DP_H

#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"

struct tp_conf;
struct tp_dp_node_ops;
struct tp_keep;

enum tp_flow_kind { TP_DP_CHANNEL = 1, TP_DP_PERMISSION, TP_DP_SEND }; /* as TP_FLOW_* of abi.h */

struct tp_flow {
	enum tp_flow_kind kind;
	struct tp_tuple tuple;		/* the client's; only TP_UDP tuples are accelerated */
	struct tp_addr relayed;		/* the relayed transport address as bound here (not external-ip) */
	struct tp_addr peer;		/* CHANNEL: with port. PERMISSION: port 0. SEND: unset */
	uint16_t channel;		/* CHANNEL: the number, host order */
	uint64_t id;			/* the allocation's */
	uint32_t police;		/* from tp_dp_police_add(), 0 is no limit */
};

/* Expiries in tp_dp_now_ns() time; meaning as struct tp_life of abi.h. */
struct tp_flow_life {
	uint64_t up_ns, down_ns, channel_ns;
	uint64_t own_ns;
};

struct tp_traffic {
	uint64_t packets, bytes;	/* UDP payload on the peer's side */
	uint64_t dropped;
	uint64_t last_ns;
};

struct tp_flow_traffic {
	struct tp_traffic up, down;
};

/* A flow's handle; 0 is none (the flow is not accelerated, which is never an error to the caller). */
typedef uint32_t tp_flow_id;

/* What an earlier daemon left; false stops. */
typedef bool (*tp_dp_kept_fn)(void *arg, const struct tp_keep *keep);
typedef void (*tp_dp_kept_flow_fn)(void *arg, tp_flow_id id, const struct tp_flow *flow,
				   const struct tp_flow_life *life);

struct tp_dp {
	const struct tp_dp_ops *ops;
};

struct tp_dp_ops {
	const char *name;

	/* Negative errno and nothing changed, or 0. -ENOSPC: the tables are full (counted; userspace relays). */
	int (*add)(struct tp_dp *dp, const struct tp_flow *flow, const struct tp_flow_life *life, tp_flow_id *ret_id);
	void (*set_life)(struct tp_dp *dp, tp_flow_id id, const struct tp_flow_life *life);
	void (*read)(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret);

	/* Unlink the flow: no packet that arrives later is relayed by it. Returns the ticket of its grace period. */
	uint64_t (*remove)(struct tp_dp *dp, tp_flow_id id);
	bool (*settled)(struct tp_dp *dp, uint64_t ticket);
	/* After settled(): the final counters; the handle is free again. */
	void (*harvest)(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret);

	/* A token bucket of an allocation; bits per second. -ENOSPC; 0. Freed after the harvest of its flows. */
	int (*police_add)(struct tp_dp *dp, uint64_t max_bps, uint32_t *ret_police);
	void (*police_set)(struct tp_dp *dp, uint32_t police, uint64_t max_bps);
	void (*police_free)(struct tp_dp *dp, uint32_t police);

	/*
	 * The record that the next daemon adopts an allocation by (struct tp_keep of abi.h; times are
	 * tp_dp_now_ns()'s): one write, which replaces the one before whole. NULL: calls end with the daemon.
	 */
	int (*keep)(struct tp_dp *dp, const struct tp_keep *keep);
	void (*forget)(struct tp_dp *dp, uint64_t id);

	/*
	 * What an earlier daemon left, before any engine runs and on one thread: its records, and the flows of
	 * an allocation. adopt() makes a flow and its bucket the caller's, as if it had added them. sweep()
	 * removes every flow that nobody adopted, and waits until that is done. NULL with keep.
	 */
	void (*kept)(struct tp_dp *dp, tp_dp_kept_fn fn, void *arg);
	void (*kept_flows)(struct tp_dp *dp, uint64_t id, tp_dp_kept_flow_fn fn, void *arg);
	void (*adopt)(struct tp_dp *dp, tp_flow_id id);
	size_t (*sweep)(struct tp_dp *dp);	/* how many flows */

	void (*close)(struct tp_dp *dp);

	/* Of a backend that lives with the node's network: dp/node.h, dp/report.h. NULL: nothing to do or tell. */
	const struct tp_dp_node_ops *node;
};

/* The clock of all expiries: CLOCK_MONOTONIC_COARSE as the programs read it. */
uint64_t tp_dp_now_ns(void);

struct tp_dp *tp_dp_user_new(void);
struct tp_dp *tp_dp_none(void);		/* as user, but nobody's: always there, not to be closed */
struct tp_dp *tp_dp_mock_new(void);

#endif
