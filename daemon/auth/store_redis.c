/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Users in Redis under coturn's key names (redis-userdb); store.c's thread calls it:
 *
 *   turn/realm/R/user/U/key	string: the key in hexadecimal digits
 *   turn/realm/R/secret	set: the secrets of a realm
 *   turn/oauth/kid/K		hash: ikm_key, timestamp, lifetime, as_rs_alg
 *   turn/realm/R/allowed-peer-ip, turn/realm/R/denied-peer-ip	sets
 *   turn/realm/R/max-bps, .../total-quota, .../user-quota	strings: the realm's own limits
 *   turn/origin/O		string: a realm
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/redis.h"
#include "auth/store_backend.h"

#define SCAN_STEPS_MAX	100000	/* of 1000 keys */

struct redis_store {
	struct store_backend base;
	struct tp_redis_conninfo info;
	redisContext *conn;	/* NULL: not connected */
};

static redisReply *send_query(redisContext *c, const struct store_query *q)
{
	switch (q->kind) {
	case TP_STORE_USER:
		return redisCommand(c, "GET turn/realm/%s/user/%s/key", q->realm, q->name);
	case TP_STORE_SECRET:
		return redisCommand(c, "SMEMBERS turn/realm/%s/secret", q->realm);
	case TP_STORE_OAUTH_KEY:
		return redisCommand(c, "HMGET turn/oauth/kid/%s ikm_key timestamp lifetime as_rs_alg", q->name);
	}
	return NULL;
}

static const char *element_text(const redisReply *reply, size_t i)
{
	return i < reply->elements && reply->element[i]->type == REDIS_REPLY_STRING ? reply->element[i]->str : NULL;
}

static void add_rows(const redisReply *reply, const struct store_query *query, struct store_rows *rows)
{
	if (reply->type == REDIS_REPLY_STRING) {
		store_rows_add(rows, reply->str, reply->len);
		return;
	}
	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	if (query->kind == TP_STORE_OAUTH_KEY) {
		if (element_text(reply, 0))
			store_rows_add_oauth(rows, query->name, element_text(reply, 0), element_text(reply, 1),
					     element_text(reply, 2), element_text(reply, 3));
		return;
	}
	for (size_t i = 0; i < reply->elements; i++)
		if (element_text(reply, i))
			store_rows_add(rows, reply->element[i]->str, reply->element[i]->len);
}

static int fail(struct redis_store *s, const char *why)
{
	snprintf(s->base.error, sizeof(s->base.error), "%s", why);
	redisFree(s->conn);
	s->conn = NULL;
	return -EIO;
}

static int lookup_once(struct redis_store *s, const struct store_query *query, struct store_rows *ret)
{
	redisReply *reply;
	int r = 0;

	if (!s->conn)
		s->conn = tp_redis_connect(&s->info, s->base.error, sizeof(s->base.error));
	if (!s->conn)
		return -EIO;
	reply = send_query(s->conn, query);
	if (!reply)
		return fail(s, s->conn->errstr);
	/* Loading, not a master, no permission: none of them says that the user does not exist. */
	if (reply->type == REDIS_REPLY_ERROR)
		r = fail(s, reply->str);
	else
		add_rows(reply, query, ret);
	freeReplyObject(reply);
	return r;
}

static int redis_lookup(struct store_backend *backend, const struct store_query *query, struct store_rows *ret)
{
	struct redis_store *s = (struct redis_store *)backend;
	bool connected = s->conn;

	if (lookup_once(s, query, ret) == 0)
		return 0;
	/* A connection that the server closed meanwhile (restart, timeout) is noticed by using it. */
	return connected ? lookup_once(s, query, ret) : -EIO;
}

/* Keys of a realm that hold for everybody; their last letters tell them from those of users and secrets. */
#define REALM_BEFORE	"turn/realm/"
#define REALM_PATTERN	REALM_BEFORE "*[aps]"
#define ORIGIN_BEFORE	"turn/origin/"
#define ORIGIN_PATTERN	ORIGIN_BEFORE "*"

static const struct realm_key {
	char kind;
	const char *behind;
} realm_keys[] = {
	{ 'a', "/allowed-peer-ip" }, { 'd', "/denied-peer-ip" }, { 'b', "/max-bps" }, { 't', "/total-quota" },
	{ 'u', "/user-quota" },
};

/* The kind of a key and the realm or origin in it; 0: it is none of ours. */
static char key_kind(const char *key, char name[TP_STORE_TEXT_SIZE])
{
	bool origin = strncmp(key, ORIGIN_BEFORE, strlen(ORIGIN_BEFORE)) == 0;
	const char *rest = key + (origin ? strlen(ORIGIN_BEFORE) : strlen(REALM_BEFORE));
	size_t size = strlen(rest);

	if (size >= TP_STORE_TEXT_SIZE)
		return 0;
	memcpy(name, rest, size + 1);
	for (size_t i = 0; i < sizeof(realm_keys) / sizeof(realm_keys[0]) && !origin; i++) {
		size_t used = strlen(realm_keys[i].behind);

		if (size <= used || strcmp(rest + size - used, realm_keys[i].behind) != 0)
			continue;
		name[size - used] = 0;
		return realm_keys[i].kind;
	}
	return origin ? 'o' : 0;
}

/* The members of a peer list, the realm of an origin, the value of an option. */
static int list_key(struct redis_store *s, const char *key, struct store_lists *ret)
{
	char name[TP_STORE_TEXT_SIZE], kind = key_kind(key, name);
	redisReply *reply;

	if (!kind)
		return 0;
	reply = redisCommand(s->conn, kind == 'a' || kind == 'd' ? "SMEMBERS %s" : "GET %s", key);
	if (!reply)
		return fail(s, s->conn->errstr);
	if (reply->type == REDIS_REPLY_STRING)
		store_lists_add(ret, kind, kind == 'o' ? reply->str : name, kind == 'o' ? name : reply->str);
	for (size_t i = 0; i < reply->elements; i++)
		if (element_text(reply, i))
			store_lists_add(ret, kind, name, element_text(reply, i));
	freeReplyObject(reply);
	return 0;
}

/* Keys of a pattern, step by step: KEYS would stop the server for as long as it looks. */
static int list_pattern(struct redis_store *s, const char *pattern, struct store_lists *ret)
{
	char cursor[32] = "0";
	unsigned int steps = 0;
	redisReply *reply;
	int r = 0;

	do {
		if (++steps > SCAN_STEPS_MAX)
			return fail(s, "SCAN does not come to an end");
		reply = redisCommand(s->conn, "SCAN %s MATCH %s COUNT 1000", cursor, pattern);
		if (!reply)
			return fail(s, s->conn->errstr);
		if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !element_text(reply, 0)) {
			r = fail(s, reply->type == REDIS_REPLY_ERROR ? reply->str : "no answer to SCAN");
			freeReplyObject(reply);
			return r;
		}
		snprintf(cursor, sizeof(cursor), "%s", element_text(reply, 0));
		for (size_t i = 0; i < reply->element[1]->elements && !r; i++)
			if (element_text(reply->element[1], i))
				r = list_key(s, element_text(reply->element[1], i), ret);
		freeReplyObject(reply);
	} while (!r && strcmp(cursor, "0") != 0);
	return r;
}

static int redis_lists(struct store_backend *backend, struct store_lists *ret)
{
	struct redis_store *s = (struct redis_store *)backend;
	int r;

	if (!s->conn)
		s->conn = tp_redis_connect(&s->info, s->base.error, sizeof(s->base.error));
	if (!s->conn)
		return -EIO;
	r = list_pattern(s, REALM_PATTERN, ret);
	return r ? r : list_pattern(s, ORIGIN_PATTERN, ret);
}

static void redis_free(struct store_backend *backend)
{
	struct redis_store *s = (struct redis_store *)backend;

	redisFree(s->conn);
	tp_redis_conninfo_fini(&s->info);
	free(s);
}

static const struct store_backend_ops redis_ops = {
	.name = "redis",
	.lookup = redis_lookup,
	.lists = redis_lists,
	.free = redis_free,
};

struct store_backend *store_redis_new(const char *conninfo, char *err, size_t err_size)
{
	struct redis_store *s = calloc(1, sizeof(*s));
	char why[128] = "out of memory";

	if (!s || tp_redis_conninfo_parse(conninfo, &s->info, why, sizeof(why))) {
		free(s);
		snprintf(err, err_size, "redis-userdb: %s", why);
		return NULL;
	}
	s->base.ops = &redis_ops;
	return &s->base;
}
