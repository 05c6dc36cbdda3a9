/* SPDX-License-Identifier: GPL-2.0 */
/* Connecting to Redis; see redis.h. */
#include "auth/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/store_backend.h"

static int parse_number(const char *text, unsigned long max, unsigned long *ret)
{
	if (!*text || strlen(text) > 9 || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	*ret = strtoul(text, NULL, 10);
	return *ret <= max ? 0 : -EINVAL;
}

static int set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	return *text ? 0 : -ENOMEM;
}

static bool is_one_of(const char *key, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(key, *names) == 0)
			return true;
	return false;
}

/* The names that coturn knows for each, and path and user. */
static int set_one(struct tp_redis_conninfo *info, const char *key, const char *value)
{
	static const char *const host[] = { "ip", "host", "hostaddr", "addr", NULL };
	static const char *const database[] = { "dbname", "db", "database", NULL };
	static const char *const password[] = { "password", "pwd", "secret", NULL };
	static const char *const timeout[] = { "connect_timeout", "timeout", NULL };
	unsigned long number;

	if (is_one_of(key, host))
		return set_text(&info->host, value);
	if (is_one_of(key, password))
		return set_text(&info->password, value);
	if (strcmp(key, "path") == 0)
		return set_text(&info->path, value);
	if (strcmp(key, "user") == 0)
		return set_text(&info->user, value);
	if (is_one_of(key, timeout))
		return 0;	/* ours is shorter */
	if (strcmp(key, "port") == 0) {
		if (parse_number(value, UINT16_MAX, &number))
			return -EINVAL;
		info->port = (uint16_t)number;
		return 0;
	}
	if (!is_one_of(key, database) || parse_number(value, 65535, &number))
		return -EINVAL;
	info->database = (unsigned int)number;
	return 0;
}

int tp_redis_conninfo_parse(const char *text, struct tp_redis_conninfo *ret, char *err, size_t err_size)
{
	struct tp_redis_conninfo info = { .port = 6379 };
	char *copy = strdup(text), *save = NULL, *word;
	int r = copy ? 0 : -ENOMEM;

	for (word = copy ? strtok_r(copy, " \t", &save) : NULL; word && !r; word = strtok_r(NULL, " \t", &save)) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = 0;
		r = value ? set_one(&info, word, value) : -EINVAL;
		if (r == -EINVAL)
			snprintf(err, err_size, "%.32s is no setting of a Redis connection, or its value is bad", word);
	}
	if (!r && !info.host && !info.path)
		r = set_text(&info.host, "127.0.0.1");
	if (r == -ENOMEM)
		snprintf(err, err_size, "out of memory");
	if (copy)
		explicit_bzero(copy, strlen(text));
	free(copy);
	if (r)
		tp_redis_conninfo_fini(&info);
	else
		*ret = info;
	return r;
}

void tp_redis_conninfo_fini(struct tp_redis_conninfo *info)
{
	if (info->password)
		explicit_bzero(info->password, strlen(info->password));
	free(info->password);
	free(info->host);
	free(info->path);
	free(info->user);
	memset(info, 0, sizeof(*info));
}

/* An answer that is no error; the caller's `err` otherwise. */
static bool command_good(redisContext *c, redisReply *reply, const char *what, char *err, size_t err_size)
{
	bool good = reply && reply->type != REDIS_REPLY_ERROR;

	if (!good)
		snprintf(err, err_size, "%s: %s", what, reply ? reply->str : c->errstr);
	if (reply)
		freeReplyObject(reply);
	return good;
}

static bool log_in(redisContext *c, const struct tp_redis_conninfo *info, char *err, size_t err_size)
{
	redisReply *reply;

	if (info->password) {
		reply = info->user ? redisCommand(c, "AUTH %s %s", info->user, info->password) :
				     redisCommand(c, "AUTH %s", info->password);
		if (!command_good(c, reply, "AUTH", err, err_size))
			return false;
	}
	if (!info->database)
		return true;
	reply = redisCommand(c, "SELECT %u", info->database);
	return command_good(c, reply, "SELECT", err, err_size);
}

struct redisContext *tp_redis_connect(const struct tp_redis_conninfo *info, char *err, size_t err_size)
{
	const struct timeval connect = { .tv_sec = STORE_CONNECT_MS / 1000, .tv_usec = STORE_CONNECT_MS % 1000 * 1000 };
	const struct timeval answer = { .tv_sec = STORE_ANSWER_MS / 1000, .tv_usec = STORE_ANSWER_MS % 1000 * 1000 };
	redisContext *c = info->path ? redisConnectUnixWithTimeout(info->path, connect) :
				       redisConnectWithTimeout(info->host, info->port, connect);

	if (!c || c->err) {
		snprintf(err, err_size, "%s", c ? c->errstr : "out of memory");
		redisFree(c);
		return NULL;
	}
	if (redisSetTimeout(c, answer) != REDIS_OK || !log_in(c, info, err, err_size)) {
		redisFree(c);
		return NULL;
	}
	/* Not where it would be an error of the connection. */
	if (!info->path)
		redisEnableKeepAlive(c);
	return c;
}
