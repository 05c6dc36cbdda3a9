/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests of a worker that wait for a user store (TP_AUTH_LATER) or for the farm's
 * quota: copies, given in again when they tell that there are answers. At most TP_LATER_MAX; the oldest
 * makes room for a new one, its client retransmits (RFC 8489 section 6.2.1).
 */
#ifndef TP_LATER_H
#define TP_LATER_H

#include <stddef.h>
#include <stdint.h>

#include "turn/turn.h"

#define TP_LATER_MAX	64
#define TP_LATER_SIZE_MAX	2048	/* of one request */

struct tp_later;
struct tp_loop;

typedef void (*tp_later_input_fn)(void *arg, const struct tp_path *from, const void *data, size_t size);

/* Requests are given in on the loop's thread. NULL: no memory. */
struct tp_later *tp_later_new(struct tp_loop *loop, tp_later_input_fn input, void *arg);
void tp_later_wake(void *later);	/* there are answers: on any thread; who is subscribed to a store by it */
void tp_later_free(struct tp_later *later);	/* after the last wake and the end of the loop; NULL is fine */

void tp_later_add(struct tp_later *later, const struct tp_path *from, const void *data, size_t size);
/* A connection ended: what came by it has nobody to be answered. */
void tp_later_forget(struct tp_later *later, const void *conn);

/* How many were kept, and how many of them made room or were too big. */
void tp_later_read(const struct tp_later *later, uint64_t *ret_kept, uint64_t *ret_dropped);

#endif
