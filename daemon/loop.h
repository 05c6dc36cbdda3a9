/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event loop over epoll: one per thread. Everything but tp_loop_post() and
 * tp_loop_stop() is called on the loop's own thread.
 *
 * One iteration: idle hook -> wait -> wake hook -> posted jobs -> watches.
 */
#ifndef TP_LOOP_H
#define TP_LOOP_H

#include <stdint.h>

struct tp_loop;
struct tp_watch;
typedef void (*tp_watch_fn)(struct tp_watch *watch, uint32_t events /* EPOLL* */);

/* Embedded by its owner; must stay where it is while it is added. */
struct tp_watch {
	int fd;
	tp_watch_fn fn;
	void *arg;
};

/* Work for another thread's loop; freed or reused by fn. Embedded by its owner. */
struct tp_job {
	struct tp_job *next;
	void (*fn)(struct tp_job *job);
	void *arg;
};

struct tp_loop *tp_loop_new(void);	/* NULL: errno */
void tp_loop_free(struct tp_loop *loop);

int tp_loop_add(struct tp_loop *loop, struct tp_watch *watch, uint32_t events);
int tp_loop_modify(struct tp_loop *loop, struct tp_watch *watch, uint32_t events);
void tp_loop_remove(struct tp_loop *loop, struct tp_watch *watch); /* its pending events of this round are not delivered */

/* Called before each wait; returns the latest mono ns (tp_dp_now_ns()) to wake up at. Quiescent states are its work. */
typedef uint64_t (*tp_loop_idle_fn)(void *arg);
void tp_loop_on_idle(struct tp_loop *loop, tp_loop_idle_fn fn, void *arg);

/* Called after each wait, before any job or event. */
typedef void (*tp_loop_wake_fn)(void *arg);
void tp_loop_on_wake(struct tp_loop *loop, tp_loop_wake_fn fn, void *arg);

void tp_loop_post(struct tp_loop *loop, struct tp_job *job);	/* any thread; runs in order */
/* Until tp_loop_stop(). Every job that was posted before the stop has run when it returns. */
void tp_loop_run(struct tp_loop *loop);
void tp_loop_stop(struct tp_loop *loop);			/* any thread */
/* Runs what was posted after the loop ended; on the thread that takes it down. */
void tp_loop_run_jobs(struct tp_loop *loop);

#endif
