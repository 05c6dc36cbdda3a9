/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations told to Redis as coturn does (redis-statsdb): a thread publishes what
 * workers queue. Nobody waits: what a slow or absent Redis cannot take is counted.
 *
 *   turn/realm/R/user/U/allocation/ID/status	key and channel: "new lifetime=600, type=UDP, local=..., ..."
 *   						"refreshed ..."; "deleted" on the channel, and the key is gone
 *   .../traffic, .../traffic/peer		channel: "rcvp=, rcvb=, sentp=, sentb=" since the last one
 *   .../total_traffic, .../total_traffic/peer	channel: the same, all of it, at the end
 *
 * Counted is what was relayed, in packets and bytes of UDP payload; coturn also counts the client's STUN messages.
 */
#ifndef TP_EVENTS_H
#define TP_EVENTS_H

#include <stdint.h>

#include "turn/turn.h"

#define TP_EVENTS_MAX	16384	/* waiting messages */

struct tp_conf;
struct tp_events;

/* NULL with an empty `err`: the configuration has no redis-statsdb. */
struct tp_events *tp_events_new(const struct tp_conf *conf, char *err, size_t err_size);
int tp_events_start(struct tp_events *events);	/* the thread, with the privileges of now. 0 or a negative errno */
void tp_events_free(struct tp_events *events);	/* sends what is waiting if Redis takes it at once; NULL is fine */

/* Any thread. */
void tp_events_add(struct tp_events *events, enum tp_event event, const struct tp_allocation_info *info,
		   const struct tp_flow_traffic *since);

struct tp_events_info {
	uint64_t sent, dropped;
	bool down;
};

void tp_events_read(struct tp_events *events, struct tp_events_info *ret);

#endif
