/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What main and the control thread do with a data path: open the one that
 * datapath= asks for, poll its descriptor, give it a beat every second.
 */
#ifndef TP_DP_NODE_H
#define TP_DP_NODE_H

#include "dp/dp.h"
#include "dp/report.h"

/* Of the bpf backend; other backends have none. Control thread only. */
struct tp_dp_node_ops {
	int (*fd)(struct tp_dp *dp);
	void (*input)(struct tp_dp *dp);
	void (*beat)(struct tp_dp *dp);
	int (*reconfigure)(struct tp_dp *dp, const struct tp_conf *conf);
	uint64_t (*leave)(struct tp_dp *dp);

	void (*interfaces)(struct tp_dp *dp, tp_dp_interface_fn fn, void *arg);
	void (*reasons)(struct tp_dp *dp, tp_dp_reason_fn fn, void *arg);
	void (*rules)(struct tp_dp *dp, tp_dp_rule_fn fn, void *arg);
	void (*totals)(struct tp_dp *dp, struct tp_dp_totals *ret);
};

/*
 * The data path of datapath=auto|xdp|tc|user. auto never fails for want of
 * privileges or BPF: it says why and gives the userspace backend. xdp and tc
 * fail with a negative errno, logged, where no interface can have them.
 */
int tp_dp_open(const struct tp_conf *conf, struct tp_dp **ret);

/* The same without the fallback and without a choice of backend; used by tp_dp_open() and tests. */
int tp_dp_bpf_new(const struct tp_conf *conf, struct tp_dp **ret);

/* The descriptor to poll for reading (network changes), or -1; then tp_dp_input(). It never blocks. */
int tp_dp_fd(struct tp_dp *dp);
void tp_dp_input(struct tp_dp *dp);

/* Every second: the heartbeat that the programs look at, neighbours, and the log line about the first real packet. */
void tp_dp_beat(struct tp_dp *dp);

/* After a reload: other listening addresses, another external-ip. 0, or -ENOMEM and nothing changed. */
int tp_dp_reconfigure(struct tp_dp *dp, const struct tp_conf *conf);

/*
 * No worker runs any more: the calls that the kernel relays go on without a daemon, nothing of them is
 * removed by close(), and what is not theirs is dropped without an answer from now on. How many
 * allocations; 0: there are none, and close() removes everything.
 */
uint64_t tp_dp_leave(struct tp_dp *dp);

#endif
