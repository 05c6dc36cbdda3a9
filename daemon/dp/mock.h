/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking into the mock data path (`tp_dp_mock_new()`), for tests. It keeps
 * every flow, relays nothing, and checks its caller: a use of a handle that is
 * not live, a harvest before the grace period, a bucket freed under its flows
 * are counted as misuse. Single-threaded.
 */
#ifndef TP_DP_MOCK_H
#define TP_DP_MOCK_H

#include "dp/dp.h"

#define TP_DP_MOCK_FLOWS	65536	/* its room: add gives -ENOSPC beyond */

/* Live flows; `kind` 0 counts all. Removed ones count no more, harvested or not. */
size_t tp_dp_mock_count(struct tp_dp *dp, unsigned int kind);

/* Flows that are removed and wait for their harvest, and token buckets in use. */
size_t tp_dp_mock_removed(struct tp_dp *dp);
size_t tp_dp_mock_polices(struct tp_dp *dp);

/* What callers did wrong so far; zero in every good test. */
size_t tp_dp_mock_misused(struct tp_dp *dp);

/*
 * The first live flow of this kind (0: any), with this peer (NULL: any; the port
 * counts for channels only) and channel number (0: any). Its handle, or 0.
 */
tp_flow_id tp_dp_mock_find(struct tp_dp *dp, unsigned int kind, const struct tp_addr *peer, uint16_t channel);

/* What is known of a handle that is not free; NULL else. Valid until the next add. */
const struct tp_flow *tp_dp_mock_flow(struct tp_dp *dp, tp_flow_id id);
const struct tp_flow_life *tp_dp_mock_life(struct tp_dp *dp, tp_flow_id id);

/* A token bucket's rate in bits per second; 0 where it is not in use. */
uint64_t tp_dp_mock_police_bps(struct tp_dp *dp, uint32_t police);

/* What read and harvest say about a flow, removed ones too. */
void tp_dp_mock_set_traffic(struct tp_dp *dp, tp_flow_id id, const struct tp_flow_traffic *traffic);

/* The next `times` adds fail with `error` (negative). */
void tp_dp_mock_fail_add(struct tp_dp *dp, int error, unsigned int times);

/* true: grace periods do not pass any more; false: all pass at once. */
void tp_dp_mock_hold(struct tp_dp *dp, bool hold);

/* Records that an engine left for the next one, and one of them, to be read or spoilt. */
size_t tp_dp_mock_keeps(struct tp_dp *dp);
struct tp_keep *tp_dp_mock_keep(struct tp_dp *dp, size_t index);

#endif
