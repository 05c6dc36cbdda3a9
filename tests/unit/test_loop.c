/* SPDX-License-Identifier: GPL-2.0 */
/* The event loop: order of jobs, removal inside a round, deadlines, stopping from another thread. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp/dp.h"
#include "lib/tap.h"
#include "loop.h"

#define JOBS 20000
#define POSTERS 3

struct numbered {
	struct tp_job job;
	unsigned int poster, number;
};

static struct tp_loop *loop;
static unsigned int next_number[POSTERS], out_of_order, ran;

static void count_job(struct tp_job *job)
{
	struct numbered *n = (struct numbered *)job;

	out_of_order += n->number != next_number[n->poster];
	next_number[n->poster] = n->number + 1;
	free(n);
	if (++ran == JOBS * POSTERS)
		tp_loop_stop(loop);
}

static void *poster_run(void *arg)
{
	for (unsigned int i = 0; i < JOBS; i++) {
		struct numbered *n = calloc(1, sizeof(*n));

		n->job.fn = count_job;
		n->poster = *(unsigned int *)arg;
		n->number = i;
		tp_loop_post(loop, &n->job);
	}
	return NULL;
}

static void test_jobs(void)
{
	unsigned int ids[POSTERS];
	pthread_t threads[POSTERS];

	loop = tp_loop_new();
	for (unsigned int i = 0; i < POSTERS; i++) {
		ids[i] = i;
		pthread_create(&threads[i], NULL, poster_run, &ids[i]);
	}
	tp_loop_run(loop);
	for (unsigned int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	check_eq(ran, JOBS * POSTERS, "jobs of %d threads all run", POSTERS);
	check_eq(out_of_order, 0, "each thread's in the order it posted them");
	tp_loop_free(loop);
}

static void mark_job(struct tp_job *job)
{
	*(bool *)job->arg = true;
}

static void test_stop(void)
{
	bool marked = false, late = false;
	struct tp_job job = { .fn = mark_job, .arg = &marked }, job2 = { .fn = mark_job, .arg = &late };

	loop = tp_loop_new();
	tp_loop_stop(loop);
	tp_loop_post(loop, &job);
	tp_loop_run(loop);
	check(marked, "a job posted to a stopped loop runs before it returns");
	tp_loop_post(loop, &job2);
	tp_loop_run_jobs(loop);
	check(late, "and one posted after it returned, by run_jobs");
	tp_loop_free(loop);
}

static struct tp_watch pair[2];
static unsigned int delivered;

static void removes_other(struct tp_watch *watch, uint32_t events)
{
	delivered++;
	tp_loop_remove(loop, &pair[watch == &pair[0]]);
	tp_loop_stop(loop);
}

static void test_remove(void)
{
	loop = tp_loop_new();
	for (int i = 0; i < 2; i++) {
		pair[i].fd = eventfd(1, EFD_CLOEXEC);
		pair[i].fn = removes_other;
		check_eq(tp_loop_add(loop, &pair[i], EPOLLIN), 0, "watch %d is added", i);
	}
	check_eq(tp_loop_add(loop, &pair[0], EPOLLIN), -EEXIST, "but not twice");
	tp_loop_run(loop);
	check_eq(delivered, 1, "a watch removed within the round gets no event of that round");
	for (int i = 0; i < 2; i++)
		close(pair[i].fd);
	tp_loop_free(loop);
}

static uint64_t deadline, woke_ns;
static unsigned int idles, wakes;

static uint64_t idle(void *arg)
{
	idles++;
	if (tp_dp_now_ns() >= deadline) {
		woke_ns = tp_dp_now_ns();
		tp_loop_stop(loop);
		return 0;
	}
	return deadline;
}

static void wake(void *arg)
{
	wakes++;
}

static void test_deadline(void)
{
	loop = tp_loop_new();
	deadline = tp_dp_now_ns() + 30 * 1000000;
	tp_loop_on_idle(loop, idle, NULL);
	tp_loop_on_wake(loop, wake, NULL);
	tp_loop_run(loop);
	check(woke_ns >= deadline, "the loop wakes at the time its idle hook names");
	/* The clock ticks every 4 ms: near the deadline a few waits of a millisecond may be in vain. */
	check(idles < 100, "without spinning (%u iterations)", idles);
	check_eq(wakes, idles, "each wait is between an idle and a wake call");
	tp_loop_free(loop);
}

static void writable(struct tp_watch *watch, uint32_t events)
{
	check(events & EPOLLOUT, "a modified watch gets its new events");
	tp_loop_stop(loop);
}

static void test_modify(void)
{
	int fds[2];
	struct tp_watch watch = { .fn = writable };

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	watch.fd = fds[0];
	loop = tp_loop_new();
	check_eq(tp_loop_modify(loop, &watch, EPOLLIN), -ENOENT, "a watch that was not added cannot be modified");
	tp_loop_add(loop, &watch, EPOLLIN);
	check_eq(tp_loop_modify(loop, &watch, EPOLLOUT), 0, "an added one can");
	tp_loop_run(loop);
	tp_loop_free(loop);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	test_jobs();
	test_stop();
	test_remove();
	test_deadline();
	test_modify();
	return done();
}
