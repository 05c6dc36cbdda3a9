/* SPDX-License-Identifier: GPL-2.0 */
/* Calls from the control thread into all workers, with a bound on the wait. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "worker.h"

#define WAIT_S 5

struct call_job {
	struct tp_job job;
	struct call *call;
	struct tp_worker *worker;
};

struct call {
	pthread_mutex_t lock;
	pthread_cond_t done;
	unsigned int pending;
	bool abandoned;
	tp_worker_fn fn;
	void *arg;
	void (*free_arg)(void *arg);
	struct call_job jobs[];
};

static struct call *call_new(struct tp_workers *workers, tp_worker_fn fn, void *arg, void (*free_arg)(void *arg))
{
	struct call *call = calloc(1, sizeof(*call) + workers->len * sizeof(call->jobs[0]));
	pthread_condattr_t attr;

	if (!call)
		return NULL;
	pthread_mutex_init(&call->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&call->done, &attr);
	pthread_condattr_destroy(&attr);
	call->pending = workers->len;
	call->fn = fn;
	call->arg = arg;
	call->free_arg = free_arg;
	return call;
}

static void call_free(struct call *call)
{
	pthread_cond_destroy(&call->done);
	pthread_mutex_destroy(&call->lock);
	free(call);
}

static void call_run(struct tp_job *job)
{
	struct call_job *mine = (struct call_job *)job;
	struct call *call = mine->call;
	bool last, abandoned;

	call->fn(mine->worker, call->arg);
	pthread_mutex_lock(&call->lock);
	last = --call->pending == 0;
	abandoned = call->abandoned;
	if (last)
		pthread_cond_signal(&call->done);
	pthread_mutex_unlock(&call->lock);
	/* Without abandonment the waiter frees it, and may have done so by now. */
	if (last && abandoned) {
		if (call->free_arg)
			call->free_arg(call->arg);
		call_free(call);
	}
}

static bool call_wait(struct call *call)
{
	struct timespec until;
	bool done;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&call->lock);
	while (call->pending && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&call->done, &call->lock, &until);
	done = call->pending == 0;
	call->abandoned = !done;
	pthread_mutex_unlock(&call->lock);
	return done;
}

bool tp_workers_call(struct tp_workers *workers, tp_worker_fn fn, void *arg, void (*free_arg)(void *arg))
{
	struct call *call = call_new(workers, fn, arg, free_arg);
	bool done;

	if (!call) {
		if (free_arg)
			free_arg(arg);
		return false;
	}
	for (unsigned int i = 0; i < workers->len; i++) {
		call->jobs[i].job.fn = call_run;
		call->jobs[i].call = call;
		call->jobs[i].worker = &workers->items[i];
		tp_loop_post(workers->items[i].loop, &call->jobs[i].job);
	}
	/* Off line: a worker may be waiting for a grace period itself. */
	rcu_thread_offline();
	done = call_wait(call);
	rcu_thread_online();
	if (done)
		call_free(call);
	return done;
}
