/* SPDX-License-Identifier: GPL-2.0 */
/* Timers of one engine: a binary heap with intrusive members. */
#ifndef TP_TURN_TIMER_H
#define TP_TURN_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct tp_timer;
typedef void (*tp_timer_fn)(struct tp_timer *timer, uint64_t now_ns);

struct tp_timer {
	uint64_t at_ns;
	size_t pos;		/* in the heap, from 1; 0: not set */
	tp_timer_fn fn;
};

struct tp_timers {
	struct tp_timer **heap;	/* heap[0] is unused */
	size_t len, capacity;
};

void tp_timers_fini(struct tp_timers *timers);
/* Sets or moves a timer. -ENOMEM only where it was not set before. */
int tp_timer_set(struct tp_timers *timers, struct tp_timer *timer, uint64_t at_ns, tp_timer_fn fn);
void tp_timer_clear(struct tp_timers *timers, struct tp_timer *timer);
/* Calls what is due. Returns when the next one is, UINT64_MAX if there is none. */
uint64_t tp_timers_run(struct tp_timers *timers, uint64_t now_ns);

#endif
