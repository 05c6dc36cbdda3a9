/* SPDX-License-Identifier: GPL-2.0 */
/* The event loop of every thread: epoll for descriptors, an eventfd for jobs of other threads. */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dp/dp.h"

#define EVENTS_MAX 64

struct tp_loop {
	int epoll_fd;
	struct tp_watch wakeup;
	tp_loop_idle_fn idle;
	void *idle_arg;
	tp_loop_wake_fn wake;
	void *wake_arg;
	_Atomic bool stop;
	/* Newest first; taken as a whole and turned round. */
	_Atomic(struct tp_job *) jobs;
	/* The round being delivered, so that a removed watch can be struck from it. */
	struct epoll_event events[EVENTS_MAX];
	int events_len;
};

/* The job list is looked at in every round: the event has only to end the wait. */
static void loop_woken(struct tp_watch *watch, uint32_t events)
{
}

static void loop_wakeup(struct tp_loop *loop)
{
	uint64_t one = 1;

	/* EAGAIN would mean a counter at its maximum, which wakes just as well. */
	while (write(loop->wakeup.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

struct tp_loop *tp_loop_new(void)
{
	struct tp_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return NULL;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wakeup.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->wakeup.fn = loop_woken;
	if (loop->epoll_fd < 0 || loop->wakeup.fd < 0) {
		err = errno;
		goto err_close;
	}
	/* Edge-triggered and never read: reading it after the list was taken would swallow a later post's wake-up. */
	err = -tp_loop_add(loop, &loop->wakeup, EPOLLIN | EPOLLET);
	if (err)
		goto err_close;
	return loop;

err_close:
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wakeup.fd >= 0)
		close(loop->wakeup.fd);
	free(loop);
	errno = err;
	return NULL;
}

void tp_loop_free(struct tp_loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll_fd);
	close(loop->wakeup.fd);
	free(loop);
}

static int loop_control(struct tp_loop *loop, int op, struct tp_watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, op, watch->fd, &event) < 0 ? -errno : 0;
}

int tp_loop_add(struct tp_loop *loop, struct tp_watch *watch, uint32_t events)
{
	return loop_control(loop, EPOLL_CTL_ADD, watch, events);
}

int tp_loop_modify(struct tp_loop *loop, struct tp_watch *watch, uint32_t events)
{
	return loop_control(loop, EPOLL_CTL_MOD, watch, events);
}

void tp_loop_remove(struct tp_loop *loop, struct tp_watch *watch)
{
	loop_control(loop, EPOLL_CTL_DEL, watch, 0);
	for (int i = 0; i < loop->events_len; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

void tp_loop_on_idle(struct tp_loop *loop, tp_loop_idle_fn fn, void *arg)
{
	loop->idle = fn;
	loop->idle_arg = arg;
}

void tp_loop_on_wake(struct tp_loop *loop, tp_loop_wake_fn fn, void *arg)
{
	loop->wake = fn;
	loop->wake_arg = arg;
}

void tp_loop_post(struct tp_loop *loop, struct tp_job *job)
{
	struct tp_job *head = atomic_load_explicit(&loop->jobs, memory_order_relaxed);

	do {
		job->next = head;
	} while (!atomic_compare_exchange_weak_explicit(&loop->jobs, &head, job, memory_order_release,
							memory_order_relaxed));
	/* A list that was not empty has its wake-up under way already. */
	if (!head)
		loop_wakeup(loop);
}

void tp_loop_run_jobs(struct tp_loop *loop)
{
	struct tp_job *job = atomic_exchange_explicit(&loop->jobs, NULL, memory_order_acquire);
	struct tp_job *ordered = NULL;

	while (job) {
		struct tp_job *next = job->next;

		job->next = ordered;
		ordered = job;
		job = next;
	}
	while (ordered) {
		job = ordered;
		ordered = job->next;
		job->fn(job);
	}
}

/* Milliseconds to wait, rounded up: waking early would only mean to wait again. */
static int loop_timeout(struct tp_loop *loop)
{
	uint64_t at, now, ms;

	if (!loop->idle)
		return -1;
	at = loop->idle(loop->idle_arg);
	if (at == UINT64_MAX)
		return -1;
	now = tp_dp_now_ns();
	if (at <= now)
		return 0;
	ms = (at - now + 999999) / 1000000;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void loop_deliver(struct tp_loop *loop)
{
	for (int i = 0; i < loop->events_len; i++) {
		struct tp_watch *watch = loop->events[i].data.ptr;

		if (watch)
			watch->fn(watch, loop->events[i].events);
	}
	loop->events_len = 0;
}

void tp_loop_run(struct tp_loop *loop)
{
	while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
		int n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, loop_timeout(loop));

		loop->events_len = n > 0 ? n : 0;
		if (loop->wake)
			loop->wake(loop->wake_arg);
		tp_loop_run_jobs(loop);
		loop_deliver(loop);
	}
	/* It may be run again. */
	atomic_store_explicit(&loop->stop, false, memory_order_relaxed);
	tp_loop_run_jobs(loop);
}

void tp_loop_stop(struct tp_loop *loop)
{
	atomic_store_explicit(&loop->stop, true, memory_order_release);
	loop_wakeup(loop);
}
