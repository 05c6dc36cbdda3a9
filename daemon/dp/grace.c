/* SPDX-License-Identifier: GPL-2.0 */
/* Grace periods for removed flows and next hops; see dp/grace.h. Called by the bpf data path. */
#include "dp/grace.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct tp_grace {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked, passed;
	uint64_t requested, done;	/* `done` is also read without the lock */
	bool stop;
	int outer_fd, inner_fd;		/* -1: membarrier serves */
};

static int grace_membarrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}

/* maybe_wait_bpf_programs(): an element of a map of maps is replaced only after a grace period. */
static int grace_open_maps(struct tp_grace *g)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	g->inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tp_grace_in", 4, 4, 1, NULL);
	if (g->inner_fd < 0)
		return -errno;
	opts.inner_map_fd = (uint32_t)g->inner_fd;
	g->outer_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "tp_grace", 4, 4, 1, &opts);
	return g->outer_fd < 0 ? -errno : 0;
}

static int grace_pass(struct tp_grace *g)
{
	uint32_t zero = 0;

	if (g->outer_fd < 0)
		return grace_membarrier();
	return bpf_map_update_elem(g->outer_fd, &zero, &g->inner_fd, BPF_ANY) ? -errno : 0;
}

static void *grace_main(void *arg)
{
	struct tp_grace *g = arg;
	uint64_t until;

	pthread_mutex_lock(&g->lock);
	while (!g->stop) {
		if (g->requested == g->done) {
			pthread_cond_wait(&g->asked, &g->lock);
			continue;
		}
		until = g->requested;
		pthread_mutex_unlock(&g->lock);
		/* It worked at the start. If it ever fails, nothing is settled: slots run out, none is torn. */
		if (grace_pass(g))
			usleep(10000);
		else
			__atomic_store_n(&g->done, until, __ATOMIC_RELEASE);
		pthread_mutex_lock(&g->lock);
		pthread_cond_broadcast(&g->passed);
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

static int grace_start(struct tp_grace *g)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&g->thread, NULL, grace_main, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

int tp_grace_new(struct tp_grace **ret)
{
	struct tp_grace *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	g->outer_fd = g->inner_fd = -1;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->asked, NULL);
	pthread_cond_init(&g->passed, NULL);
	err = grace_membarrier();
	if (err)
		err = grace_open_maps(g);
	if (!err)
		err = grace_pass(g);
	if (!err)
		err = grace_start(g);
	if (err) {
		g->stop = true;
		tp_grace_free(g);
		return err;
	}
	*ret = g;
	return 0;
}

void tp_grace_free(struct tp_grace *g)
{
	pthread_mutex_lock(&g->lock);
	if (!g->stop) {
		g->stop = true;
		pthread_cond_signal(&g->asked);
		pthread_mutex_unlock(&g->lock);
		pthread_join(g->thread, NULL);
	} else {
		pthread_mutex_unlock(&g->lock);
	}
	if (g->outer_fd >= 0)
		close(g->outer_fd);
	if (g->inner_fd >= 0)
		close(g->inner_fd);
	pthread_cond_destroy(&g->asked);
	pthread_cond_destroy(&g->passed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

uint64_t tp_grace_ticket(struct tp_grace *g)
{
	uint64_t ticket;

	pthread_mutex_lock(&g->lock);
	ticket = ++g->requested;
	pthread_cond_signal(&g->asked);
	pthread_mutex_unlock(&g->lock);
	return ticket;
}

bool tp_grace_settled(struct tp_grace *g, uint64_t ticket)
{
	return __atomic_load_n(&g->done, __ATOMIC_ACQUIRE) >= ticket;
}

void tp_grace_wait(struct tp_grace *g)
{
	uint64_t ticket = tp_grace_ticket(g);

	pthread_mutex_lock(&g->lock);
	while (g->done < ticket)
		pthread_cond_wait(&g->passed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}
