/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quotas that hold for all nodes of a farm, kept in one Redis (redis-quotadb). An
 * allocation takes a share of its user's and its realm's quota: one atomic step in
 * Redis adds it if the sum over all nodes stays within the quota. The thread here asks;
 * the request waits as for a user store (later.h), nobody else does.
 *
 *   turnpike/quota/nodes			hash: node -> end of its lease, ms of Redis' own clock
 *   turnpike/quota/realm/R/total		hash: node -> allocations in the realm
 *   turnpike/quota/realm/R/user/U		hash: node -> allocations of the user
 *
 *   exact	while Redis answers: no moment at which the farm has more than the quota
 *   lease	TP_FARM_LEASE_S: a node that died, or lost Redis, is not counted any more after it
 *   down	Redis is not there, or takes more than two seconds: the node's own quota decides, which is counted.
 *		Those allocations are told when it is back; until enough of them have ended the farm may
 *		have up to the quota per node that was cut off
 *
 * A node has a new name with each connection, so that what it counted before is void: a
 * restart of Redis, or its going back to an old snapshot, repairs itself.
 *
 * Bounds: one entry per user with an allocation here, or who asked within the last two
 * seconds; only users whose credentials are good get here.
 */
#ifndef TP_FARM_H
#define TP_FARM_H

#include <stdbool.h>
#include <stdint.h>

#include "turn/turn.h"

#define TP_FARM_LEASE_S	10

struct tp_conf;
struct tp_farm;

/* NULL with an empty `err`: the configuration has no redis-quotadb. */
struct tp_farm *tp_farm_new(const struct tp_conf *conf, char *err, size_t err_size);
/* Called on the thread when there are answers. Before the start. 0, -ENOSPC or -ENOMEM. */
int tp_farm_subscribe(struct tp_farm *farm, void (*fn)(void *arg), void *arg);
int tp_farm_start(struct tp_farm *farm);	/* the thread, with the privileges of now. 0 or a negative errno */
void tp_farm_stop(struct tp_farm *farm);	/* gives the node's shares back; nobody is told any more */
void tp_farm_free(struct tp_farm *farm);	/* when nothing is charged any more; NULL is fine */

struct tp_shares *tp_farm_shares(struct tp_farm *farm);	/* any worker's, until tp_farm_free() */

struct tp_farm_info {
	bool down;
	char error[160];	/* why; empty: it is not */
	uint64_t nodes;		/* of the farm, this one too */
	uint64_t asked, granted, refused;
	uint64_t alone;		/* allocations that the node's own quota decided */
	uint64_t failures;	/* connections that were lost, or not had */
};

void tp_farm_read(struct tp_farm *farm, struct tp_farm_info *ret);

#endif
