/* SPDX-License-Identifier: GPL-2.0 */
/* A user store for tests that hold its answers in their hand, and waiting for them as workers do. Header only. */
#ifndef TP_TESTS_FAKE_STORE_H
#define TP_TESTS_FAKE_STORE_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/store_backend.h"
#include "conf.h"

#define DEADLINE_S	20	/* of what takes milliseconds */

/* A store that the test holds in its hand: it answers when the gate is open. */
static struct fake {
	struct store_backend base;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool closed, broken;
	unsigned int asked;
	void (*answer)(const struct store_query *query, struct store_rows *ret);
} fake;

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told_change = PTHREAD_COND_INITIALIZER;
static unsigned int told;

static int fake_lookup(struct store_backend *backend, const struct store_query *query, struct store_rows *ret)
{
	int r = 0;

	pthread_mutex_lock(&fake.lock);
	fake.asked++;
	pthread_cond_broadcast(&fake.change);
	while (fake.closed)
		pthread_cond_wait(&fake.change, &fake.lock);
	if (fake.broken) {
		snprintf(fake.base.error, sizeof(fake.base.error), "connection refused");
		r = -EIO;
	} else {
		fake.answer(query, ret);
	}
	pthread_mutex_unlock(&fake.lock);
	return r;
}

static void fake_free(struct store_backend *backend)
{
}

static const struct store_backend_ops fake_ops = { .name = "fake", .lookup = fake_lookup, .free = fake_free };

__attribute__((unused)) static void fake_set(bool closed, bool broken)
{
	pthread_mutex_lock(&fake.lock);
	fake.closed = closed;
	fake.broken = broken;
	pthread_cond_broadcast(&fake.change);
	pthread_mutex_unlock(&fake.lock);
}

static void deadline(struct timespec *ts)
{
	clock_gettime(CLOCK_REALTIME, ts);
	ts->tv_sec += DEADLINE_S;
}

/* Until the store's thread has taken the n-th question. */
__attribute__((unused)) static bool wait_asked(unsigned int n)
{
	struct timespec ts;
	bool good;

	deadline(&ts);
	pthread_mutex_lock(&fake.lock);
	while (fake.asked < n && pthread_cond_timedwait(&fake.change, &fake.lock, &ts) == 0)
		;
	good = fake.asked >= n;
	pthread_mutex_unlock(&fake.lock);
	return good;
}

static void on_answer(void *arg)
{
	pthread_mutex_lock(&told_lock);
	told++;
	pthread_cond_broadcast(&told_change);
	pthread_mutex_unlock(&told_lock);
}

static struct tp_conf settings = { .store_fresh_s = 60, .store_keep_s = 3600, .store_absent_s = 60 };

static struct tp_store *store_begin(void (*answer)(const struct store_query *query, struct store_rows *ret))
{
	struct tp_store *store;

	fake = (struct fake){ .base = { .ops = &fake_ops }, .answer = answer };
	pthread_mutex_init(&fake.lock, NULL);
	pthread_cond_init(&fake.change, NULL);
	told = 0;
	store = tp_store_with(&fake.base, &settings);
	tp_store_subscribe(store, on_answer, NULL);
	if (tp_store_start(store))
		abort();
	return store;
}

/* Asks again whenever the store tells that there are answers, as a worker does. */
__attribute__((unused)) static enum tp_store_result get_wait(struct tp_store *store, enum tp_store_kind kind, const char *realm,
				     const char *name, size_t index, char *ret)
{
	struct timespec ts;
	enum tp_store_result r;

	deadline(&ts);
	pthread_mutex_lock(&told_lock);
	while ((r = tp_store_get(store, kind, realm, name, strlen(name), index, ret)) == TP_STORE_PENDING)
		if (pthread_cond_timedwait(&told_change, &told_lock, &ts))
			break;
	pthread_mutex_unlock(&told_lock);
	return r;
}

#endif
