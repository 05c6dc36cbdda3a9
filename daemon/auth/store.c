/* SPDX-License-Identifier: GPL-2.0 */
/* A user store: what is remembered, what is waiting, and the thread that asks; see store.h. */
#include "auth/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/store_backend.h"
#include "auth/store_cache.h"
#include "conf.h"
#include "log.h"

#define SECOND_NS	1000000000ull
#define BACKOFF_NS	SECOND_NS
#define SLOW_NS		(SECOND_NS / 2)
#define SUBSCRIBERS_MAX	1024	/* worker threads: relay-threads */

struct subscriber {
	tp_store_notify_fn fn;
	void *arg;
};

struct tp_store {
	struct store_backend *backend;	/* the thread's */
	pthread_t thread;
	bool running;
	uint64_t fresh_ns, keep_ns, absent_ns;
	struct subscriber *subscriber;
	size_t subscribers_len;
	struct subscriber on_lists;

	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t work;
	pthread_cond_t listed;
	bool stop;
	bool lists_tried;		/* fetched, or failed to, at least once */
	uint64_t lists_due_ns;
	struct store_lists lists;
	struct store_cache cache;
	struct cds_list_head queue;
	size_t queue_len;
	bool down;
	uint64_t down_until_ns;
	uint64_t asking_since_ns;	/* 0: no question is under way */
	struct tp_store_info info;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* Stores take text; what is none is nobody's name (RFC 3629: no surrogates, nothing above U+10FFFF, shortest form). */
static bool is_utf8(const uint8_t *text, size_t size)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

	for (size_t i = 0; i < size;) {
		uint8_t first = text[i++];
		unsigned int more = first < 0x80 ? 0 : first < 0xc2 ? 4 : first < 0xe0 ? 1 : first < 0xf0 ? 2 :
				    first < 0xf5 ? 3 : 4;
		uint32_t point = more ? first & (0x3fu >> more) : first;

		if (more > 3 || more > size - i || !first)
			return false;
		for (unsigned int j = 0; j < more; j++, i++) {
			if ((text[i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (text[i] & 0x3f);
		}
		if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return false;
	}
	return true;
}

static void ask(struct tp_store *store, struct cache_entry *entry)
{
	if (entry->wanted)
		return;
	if (store->queue_len == TP_STORE_QUEUE_MAX) {
		store->info.refused++;
		return;
	}
	entry->wanted = true;
	cds_list_add_tail(&entry->waiting, &store->queue);
	store->queue_len++;
	pthread_cond_signal(&store->work);
}

static enum tp_store_result copy_text(const struct cache_entry *entry, size_t index, char *ret)
{
	const char *text = cache_entry_text(entry, index);

	if (!text || strlen(text) >= TP_STORE_TEXT_SIZE)
		return TP_STORE_ABSENT;
	memcpy(ret, text, strlen(text) + 1);
	return TP_STORE_FOUND;
}

/* A question that takes long: known users must not wait for it. */
static bool is_slow(const struct tp_store *store, uint64_t now)
{
	return store->asking_since_ns && now - store->asking_since_ns > SLOW_NS;
}

static enum tp_store_result get_locked(struct tp_store *store, struct cache_entry *entry, size_t index, char *ret)
{
	uint64_t now = now_ns(), age = now - entry->fetched_ns;
	bool resting = store->down && now < store->down_until_ns;
	bool good_in_need = entry->state == CACHE_FOUND && age < store->keep_ns;

	if (entry->state == CACHE_FOUND && age < store->fresh_ns)
		return copy_text(entry, index, ret);
	if (entry->state == CACHE_ABSENT && age < store->absent_ns)
		return TP_STORE_ABSENT;
	if (!resting)
		ask(store, entry);
	if (good_in_need && (store->down || is_slow(store, now))) {
		store->info.stale++;
		return copy_text(entry, index, ret);
	}
	return resting ? TP_STORE_DOWN : TP_STORE_PENDING;
}

enum tp_store_result tp_store_get(struct tp_store *store, enum tp_store_kind kind, const char *realm, const void *name,
				  size_t name_size, size_t index, char ret[TP_STORE_TEXT_SIZE])
{
	enum tp_store_result result = TP_STORE_DOWN;
	struct cache_entry *entry;

	if (!is_utf8(name, name_size))
		return TP_STORE_ABSENT;
	pthread_mutex_lock(&store->lock);
	entry = store_cache_get(&store->cache, kind, realm, name, name_size);
	if (entry)
		result = get_locked(store, entry, index, ret);
	pthread_mutex_unlock(&store->lock);
	return result;
}

/* --- the thread --- */

static void set_down(struct tp_store *store, bool down)
{
	bool was = store->down;

	store->down = down;
	store->down_until_ns = down ? now_ns() + BACKOFF_NS : 0;
	snprintf(store->info.error, sizeof(store->info.error), "%s", down ? store->backend->error : "");
	if (down && !was)
		tp_error("user store (%s): %s; users known already stay for up to %llu s", store->info.kind,
			 store->info.error, (unsigned long long)(store->keep_ns / SECOND_NS));
	else if (was && !down)
		tp_notice("user store (%s): answers again", store->info.kind);
}

/* After a failure the others need not be tried one timeout after the other. */
static void drop_queue(struct tp_store *store)
{
	struct cache_entry *entry, *next;

	cds_list_for_each_entry_safe(entry, next, &store->queue, waiting) {
		cds_list_del(&entry->waiting);
		entry->wanted = false;
	}
	store->queue_len = 0;
}

/* Called with the lock, which is not held while the store is asked; `entry` stays because it is wanted. */
static void look_up(struct tp_store *store, struct cache_entry *entry, struct store_rows *rows)
{
	const struct store_query query = { (enum tp_store_kind)entry->kind, entry->key, entry->key + entry->realm_size };
	uint64_t start = now_ns(), took_us;
	int err;

	store->asking_since_ns = start;
	pthread_mutex_unlock(&store->lock);
	rows->len = 0;
	rows->size = 0;
	err = store->backend->ops->lookup(store->backend, &query, rows);
	took_us = (now_ns() - start) / 1000;
	pthread_mutex_lock(&store->lock);

	store->asking_since_ns = 0;
	store->info.lookups++;
	if (took_us > store->info.slowest_us)
		store->info.slowest_us = took_us;
	entry->wanted = false;
	set_down(store, err != 0);
	if (err) {
		store->info.failures++;
		drop_queue(store);
		return;
	}
	store_cache_answer(&store->cache, entry, rows, now_ns());
}

/* With the lock; true: they are others than before. */
static bool take_lists(struct tp_store *store, struct store_lists *fresh)
{
	struct store_lists old = store->lists;

	store_lists_sort(fresh);
	if (store_lists_equal(&old, fresh)) {
		store_lists_fini(fresh);
		return false;
	}
	store->lists = *fresh;
	store_lists_fini(&old);
	return true;
}

/* Called with the lock, which is not held while the store is asked. A failure leaves the lists as they are. */
static void fetch_lists(struct tp_store *store)
{
	struct store_lists fresh = { 0 };
	bool changed = false;
	int err;

	pthread_mutex_unlock(&store->lock);
	err = store->backend->ops->lists(store->backend, &fresh);
	if (err)
		tp_warning("user store (%s): no peer lists and realms: %s", store->info.kind, store->backend->error);
	else if (fresh.cut)
		tp_error("user store (%s): more than %d peer ranges, origins and realm options; the rest is not used", store->info.kind,
			 STORE_LISTS_MAX);
	pthread_mutex_lock(&store->lock);
	if (err)
		store_lists_fini(&fresh);
	else
		changed = take_lists(store, &fresh);
	store->lists_due_ns = now_ns() + (store->fresh_ns > SECOND_NS ? store->fresh_ns : SECOND_NS);
	if (changed && store->on_lists.fn) {
		pthread_mutex_unlock(&store->lock);
		store->on_lists.fn(store->on_lists.arg);
		pthread_mutex_lock(&store->lock);
	}
	/* Only now: who waits finds that it was told. */
	store->lists_tried = true;
	pthread_cond_broadcast(&store->listed);
}

/* With the lock: until there is a question, the lists are due, or the end. */
static void wait_for_work(struct tp_store *store)
{
	const struct timespec until = { .tv_sec = (time_t)(store->lists_due_ns / SECOND_NS),
					.tv_nsec = (long)(store->lists_due_ns % SECOND_NS) };

	if (store->backend->ops->lists)
		pthread_cond_clockwait(&store->work, &store->lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&store->work, &store->lock);
}

static void notify(struct tp_store *store)
{
	for (size_t i = 0; i < store->subscribers_len; i++)
		store->subscriber[i].fn(store->subscriber[i].arg);
}

static void *run(void *arg)
{
	struct tp_store *store = arg;
	struct store_rows *rows = malloc(sizeof(*rows));

	pthread_mutex_lock(&store->lock);
	while (rows && !store->stop) {
		struct cache_entry *entry;

		if (store->backend->ops->lists && now_ns() >= store->lists_due_ns) {
			fetch_lists(store);
			continue;
		}
		if (cds_list_empty(&store->queue)) {
			wait_for_work(store);
			continue;
		}
		entry = cds_list_first_entry(&store->queue, struct cache_entry, waiting);
		cds_list_del(&entry->waiting);
		store->queue_len--;
		look_up(store, entry, rows);
		pthread_mutex_unlock(&store->lock);
		notify(store);
		pthread_mutex_lock(&store->lock);
	}
	pthread_mutex_unlock(&store->lock);
	free(rows);
	return NULL;
}

/* --- life --- */

int tp_store_subscribe(struct tp_store *store, tp_store_notify_fn fn, void *arg)
{
	struct subscriber *grown;

	if (store->subscribers_len == SUBSCRIBERS_MAX)
		return -ENOSPC;
	grown = reallocarray(store->subscriber, store->subscribers_len + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	store->subscriber = grown;
	grown[store->subscribers_len++] = (struct subscriber){ fn, arg };
	return 0;
}

/* Signals are the control thread's. */
int tp_store_start(struct tp_store *store)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&store->thread, NULL, run, store);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	store->running = !err;
	return -err;
}

struct tp_store *tp_store_with(struct store_backend *backend, const struct tp_conf *conf)
{
	struct tp_store *store = calloc(1, sizeof(*store));

	if (!store)
		goto err_backend;
	store->backend = backend;
	store->info.kind = backend->ops->name;
	store->fresh_ns = conf->store_fresh_s * SECOND_NS;
	store->keep_ns = conf->store_keep_s * SECOND_NS;
	store->absent_ns = conf->store_absent_s * SECOND_NS;
	CDS_INIT_LIST_HEAD(&store->queue);
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->work, NULL);
	pthread_cond_init(&store->listed, NULL);
	if (store_cache_init(&store->cache) == 0)
		return store;
	store_cache_fini(&store->cache);
	free(store);
err_backend:
	backend->ops->free(backend);
	return NULL;
}

struct tp_store *tp_store_new(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct store_backend *backend;
	struct tp_store *store;

	snprintf(err, err_size, "%s", "");
	if (!conf->userdb && !conf->psql_userdb && !conf->redis_userdb)
		return NULL;
	if (conf->psql_userdb)
		backend = store_pgsql_new(conf->psql_userdb, err, err_size);
	else if (conf->redis_userdb)
		backend = store_redis_new(conf->redis_userdb, err, err_size);
	else
		backend = store_sqlite_new(conf->userdb, err, err_size);
	if (!backend)
		return NULL;
	store = tp_store_with(backend, conf);
	if (!store)
		snprintf(err, err_size, "user store: out of memory");
	return store;
}

void tp_store_stop(struct tp_store *store)
{
	pthread_mutex_lock(&store->lock);
	store->stop = true;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	if (store->running)
		pthread_join(store->thread, NULL);
	store->running = false;
}

void tp_store_free(struct tp_store *store)
{
	if (!store)
		return;
	tp_store_stop(store);
	store->backend->ops->free(store->backend);
	store_cache_fini(&store->cache);
	store_lists_fini(&store->lists);
	pthread_cond_destroy(&store->listed);
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store->subscriber);
	free(store);
}

/* --- lists --- */

void tp_store_on_lists(struct tp_store *store, tp_store_notify_fn changed, void *arg)
{
	store->on_lists = (struct subscriber){ changed, arg };
}

bool tp_store_wait_lists(struct tp_store *store, unsigned int timeout_ms)
{
	uint64_t until_ns = now_ns() + timeout_ms * 1000000ull;
	const struct timespec until = { .tv_sec = (time_t)(until_ns / SECOND_NS), .tv_nsec = (long)(until_ns % SECOND_NS) };
	bool tried;

	pthread_mutex_lock(&store->lock);
	while (!store->lists_tried && store->backend->ops->lists &&
	       pthread_cond_clockwait(&store->listed, &store->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	tried = store->lists_tried;
	pthread_mutex_unlock(&store->lock);
	return tried;
}

static int apply_row(const struct store_list_row *row, struct tp_conf *conf)
{
	bool range = row->kind == 'a' || row->kind == 'd';
	const char *what = range ? "peer range" : row->kind == 'o' ? "origin" : row->kind == 'b' ? "max-bps" :
			   row->kind == 't' ? "total-quota" : "user-quota";
	int r;

	if (range ? conf->no_dynamic_ip_list : conf->no_dynamic_realms)
		return 0;
	if (range)
		r = tp_conf_add_range(conf, row->kind == 'a', row->realm, row->value);
	else if (row->kind == 'o')
		r = tp_conf_add_origin(conf, row->value, row->realm);
	else
		r = tp_conf_add_realm_option(conf, row->realm, what, row->value);
	if (r == -ENOMEM)
		return r;
	if (r)
		tp_error("user store: '%s' of realm '%s' is no %s and is not used", row->value, row->realm, what);
	return 0;
}

int tp_store_apply_lists(struct tp_store *store, struct tp_conf *conf)
{
	int r = 0;

	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < store->lists.len && !r; i++)
		r = apply_row(&store->lists.row[i], conf);
	pthread_mutex_unlock(&store->lock);
	return r;
}

void tp_store_read(struct tp_store *store, struct tp_store_info *ret)
{
	pthread_mutex_lock(&store->lock);
	*ret = store->info;
	ret->down = store->down;
	ret->found = store->cache.found_len;
	ret->absent = store->cache.others_len;
	pthread_mutex_unlock(&store->lock);
}
