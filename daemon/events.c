/* SPDX-License-Identifier: GPL-2.0 */
/* Allocations told to Redis as coturn does; see events.h. */
#include "events.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/redis.h"
#include "conf.h"
#include "log.h"

#define BATCH_MAX	128	/* commands on their way without their answers */
#define BACKOFF_S	1
#define VALUE_SIZE	256

enum verb { VERB_SET, VERB_DELETE, VERB_PUBLISH };

struct message {
	struct message *next;
	enum verb verb;
	char value[VALUE_SIZE];
	char key[];
};

struct tp_events {
	struct tp_redis_conninfo info;
	redisContext *conn;		/* the thread's */
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t work;
	struct message *first, **last;
	size_t len;
	bool stop;
	struct tp_events_info counters;
};

/* --- for workers --- */

static struct message *message_new(enum verb verb, const struct tp_allocation_info *info, const char *what,
				   const char *value)
{
	size_t size = strlen(info->realm) + strlen(info->username) + strlen(what) + 80;
	struct message *m = malloc(sizeof(*m) + size);

	if (!m)
		return NULL;
	m->next = NULL;
	m->verb = verb;
	snprintf(m->key, size, "turn/realm/%s/user/%s/allocation/%018llu/%s", info->realm, info->username,
		 (unsigned long long)info->id, what);
	snprintf(m->value, sizeof(m->value), "%s", value);
	return m;
}

static void add(struct tp_events *events, enum verb verb, const struct tp_allocation_info *info, const char *what,
		const char *value)
{
	struct message *m = message_new(verb, info, what, value);

	pthread_mutex_lock(&events->lock);
	if (!m || events->len == TP_EVENTS_MAX) {
		events->counters.dropped++;
		free(m);
	} else {
		*events->last = m;
		events->last = &m->next;
		events->len++;
		pthread_cond_signal(&events->work);
	}
	pthread_mutex_unlock(&events->lock);
}

static void add_status(struct tp_events *events, const char *status, const struct tp_allocation_info *info)
{
	static const char *const types[] = { "UDP", "TCP", "TLS", "DTLS" };
	bool secure = info->tuple.transport == TP_TLS || info->tuple.transport == TP_DTLS;
	const char *type = types[info->tuple.transport & 3];
	char local[TP_ADDR_STRLEN], remote[TP_ADDR_STRLEN], value[VALUE_SIZE];

	snprintf(value, sizeof(value), "%s lifetime=%u, type=%s, local=%s, remote=%s, ssl=%s, cipher=%s", status,
		 info->expires_in_s, type, tp_addr_format(&info->tuple.server, local),
		 tp_addr_format(&info->tuple.client, remote), secure ? type : "NONE", secure ? "UNKNOWN" : "NONE");
	add(events, VERB_SET, info, "status", value);
	add(events, VERB_PUBLISH, info, "status", value);
}

/* The client's side receives what goes up, the peers' side what comes down. */
static void add_traffic(struct tp_events *events, const struct tp_allocation_info *info, const char *const what[2],
			const struct tp_flow_traffic *t)
{
	const struct tp_traffic *received[2] = { &t->up, &t->down }, *sent[2] = { &t->down, &t->up };
	char value[VALUE_SIZE];

	for (int i = 0; i < 2; i++) {
		snprintf(value, sizeof(value), "rcvp=%llu, rcvb=%llu, sentp=%llu, sentb=%llu",
			 (unsigned long long)received[i]->packets, (unsigned long long)received[i]->bytes,
			 (unsigned long long)sent[i]->packets, (unsigned long long)sent[i]->bytes);
		add(events, VERB_PUBLISH, info, what[i], value);
	}
}

void tp_events_add(struct tp_events *events, enum tp_event event, const struct tp_allocation_info *info,
		   const struct tp_flow_traffic *since)
{
	static const char *const traffic[] = { "traffic", "traffic/peer" };
	static const char *const total[] = { "total_traffic", "total_traffic/peer" };
	struct tp_flow_traffic sum = info->kernel;

	if (event == TP_EVENT_NEW) {
		add_status(events, "new", info);
		return;
	}
	if (event == TP_EVENT_REFRESHED)
		add_status(events, "refreshed", info);
	add_traffic(events, info, traffic, since);
	if (event != TP_EVENT_DELETED)
		return;
	sum.up.packets += info->user.up.packets;
	sum.up.bytes += info->user.up.bytes;
	sum.down.packets += info->user.down.packets;
	sum.down.bytes += info->user.down.bytes;
	add(events, VERB_DELETE, info, "status", "");
	add(events, VERB_PUBLISH, info, "status", "deleted");
	add_traffic(events, info, total, &sum);
}

/* --- the thread --- */

static void append(redisContext *conn, const struct message *m)
{
	if (m->verb == VERB_DELETE)
		redisAppendCommand(conn, "DEL %s", m->key);
	else
		redisAppendCommand(conn, "%s %s %s", m->verb == VERB_SET ? "SET" : "PUBLISH", m->key, m->value);
}

static bool take_replies(redisContext *conn, size_t len)
{
	void *reply;

	for (size_t i = 0; i < len; i++) {
		if (redisGetReply(conn, &reply) != REDIS_OK)
			return false;
		freeReplyObject(reply);
	}
	return true;
}

static void set_down(struct tp_events *events, bool down, const char *why)
{
	bool was;

	pthread_mutex_lock(&events->lock);
	was = events->counters.down;
	events->counters.down = down;
	pthread_mutex_unlock(&events->lock);
	if (down && !was)
		tp_warning("redis-statsdb: %s; events wait, beyond %d they are dropped", why, TP_EVENTS_MAX);
	else if (was && !down)
		tp_notice("redis-statsdb: takes events again");
}

/* False: none of them is known to have arrived. */
static bool send_batch(struct tp_events *events, const struct message *batch)
{
	char why[128];
	size_t len = 0;

	if (!events->conn)
		events->conn = tp_redis_connect(&events->info, why, sizeof(why));
	if (!events->conn) {
		set_down(events, true, why);
		return false;
	}
	for (; batch; batch = batch->next, len++)
		append(events->conn, batch);
	if (take_replies(events->conn, len)) {
		set_down(events, false, NULL);
		return true;
	}
	set_down(events, true, events->conn->errstr);
	redisFree(events->conn);
	events->conn = NULL;
	return false;
}

static void free_messages(struct message *m)
{
	while (m) {
		struct message *next = m->next;

		free(m);
		m = next;
	}
}

/* With the lock: the first messages of the queue, as a list of their own. */
static struct message *take_batch(struct tp_events *events, size_t *ret_len)
{
	struct message *batch = events->first, **end = &events->first;

	for (*ret_len = 0; *end && *ret_len < BATCH_MAX; ++*ret_len)
		end = &(*end)->next;
	events->first = *end;
	*end = NULL;
	if (!events->first)
		events->last = &events->first;
	events->len -= *ret_len;
	return batch;
}

/* With the lock: what could not be sent goes before the rest, in its order. */
static void put_back(struct tp_events *events, struct message *batch, size_t len)
{
	struct message *last = batch;

	while (last->next)
		last = last->next;
	last->next = events->first;
	if (!events->first)
		events->last = &last->next;
	events->first = batch;
	events->len += len;
}

static void rest(struct tp_events *events)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += BACKOFF_S;
	while (!events->stop && pthread_cond_clockwait(&events->work, &events->lock, CLOCK_MONOTONIC, &until) == 0)
		;
}

static void *run(void *arg)
{
	struct tp_events *events = arg;
	struct message *batch;
	size_t len;
	bool sent = true;

	pthread_mutex_lock(&events->lock);
	while (!events->stop || (events->first && sent)) {
		if (!events->first) {
			pthread_cond_wait(&events->work, &events->lock);
			continue;
		}
		batch = take_batch(events, &len);
		pthread_mutex_unlock(&events->lock);
		sent = send_batch(events, batch);
		pthread_mutex_lock(&events->lock);
		if (sent) {
			events->counters.sent += len;
			free_messages(batch);
		} else {
			put_back(events, batch, len);
			rest(events);
		}
	}
	pthread_mutex_unlock(&events->lock);
	return NULL;
}

/* --- life --- */

int tp_events_start(struct tp_events *events)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&events->thread, NULL, run, events);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	events->running = !err;
	return -err;
}

struct tp_events *tp_events_new(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_events *events;
	char why[128] = "out of memory";

	snprintf(err, err_size, "%s", "");
	if (!conf->redis_statsdb)
		return NULL;
	events = calloc(1, sizeof(*events));
	if (!events || tp_redis_conninfo_parse(conf->redis_statsdb, &events->info, why, sizeof(why))) {
		free(events);
		snprintf(err, err_size, "redis-statsdb: %s", why);
		return NULL;
	}
	events->last = &events->first;
	pthread_mutex_init(&events->lock, NULL);
	pthread_cond_init(&events->work, NULL);
	return events;
}

void tp_events_free(struct tp_events *events)
{
	if (!events)
		return;
	pthread_mutex_lock(&events->lock);
	events->stop = true;
	pthread_cond_signal(&events->work);
	pthread_mutex_unlock(&events->lock);
	if (events->running)
		pthread_join(events->thread, NULL);
	free_messages(events->first);
	redisFree(events->conn);
	tp_redis_conninfo_fini(&events->info);
	pthread_cond_destroy(&events->work);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

void tp_events_read(struct tp_events *events, struct tp_events_info *ret)
{
	pthread_mutex_lock(&events->lock);
	*ret = events->counters;
	pthread_mutex_unlock(&events->lock);
}
