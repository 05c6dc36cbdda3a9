/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon as a whole, on the control thread: its data path, its workers, its
 * control socket, and what changes while it runs (reload, certificates, drain).
 * main.c makes it, ctl/ and signals steer it.
 */
#ifndef TP_NODE_H
#define TP_NODE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "worker.h"

struct tp_conf;
struct tp_ctl;

struct tp_node {
	struct tp_loop *loop;
	struct tp_dp *dp;
	struct tp_store *store;		/* NULL: no user database */
	struct tp_events *events;	/* NULL: no redis-statsdb */
	struct tp_farm *farm;		/* NULL: no redis-quotadb */
	struct tp_workers *workers;
	struct tp_ctl *ctl;
	struct tp_watch signals, network;
	struct tp_job lists;		/* the store has other peer lists and realms */
	atomic_bool lists_posted;
	uint64_t started_ns;
	uint64_t beat_ns;		/* the next one */
	uint64_t descriptors;		/* the limit */
	bool started;			/* the workers run, or have */
	bool end_calls;			/* whatever end-calls-on-exit says: a drain is over */
	bool draining;			/* no new allocations */
	bool drain_ends;		/* and the daemon ends after the last one */
	uint64_t drain_until_ns;	/* ends then, calls or not; 0: with the last allocation */
	uint64_t reloads, reload_errors;
};

/*
 * Everything but running: `conf` is published and from then on RCU's, also where an
 * error is returned; without success tp_node_fini() takes down what there is. The error
 * is logged. The caller has registered with RCU and blocked the signals.
 */
int tp_node_init(struct tp_node *node, struct tp_conf *conf);
int tp_node_run(struct tp_node *node);		/* until a signal or the end of a drain; the exit status */
void tp_node_fini(struct tp_node *node);

/* What happened, or why nothing changed, as one sentence in `text`. 0 or a negative errno. */
int tp_node_reload(struct tp_node *node, char *text, size_t size);
int tp_node_reload_certificates(struct tp_node *node, char *text, size_t size);

/* No new allocations; the daemon ends with the last one, or after `timeout_s` (0: no bound). */
void tp_node_drain(struct tp_node *node, uint32_t timeout_s);
void tp_node_undrain(struct tp_node *node);

/* Live allocations of all workers; false: a worker does not answer. */
bool tp_node_count(struct tp_node *node, uint64_t *ret_allocations);

/* Shared by node*.c: the log as the configuration has it; users and certificates from it. */
void node_configure_log(const struct tp_conf *conf);
int node_publish(struct tp_node *node, struct tp_conf *conf, char *text, size_t size);
void node_take_lists(struct tp_node *node);	/* of the user store, into the published configuration */

#endif
