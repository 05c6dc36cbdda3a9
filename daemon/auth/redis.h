/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A connection to Redis from coturn's connection string: "ip=127.0.0.1 port=6379
 * dbname=2 password=... connect_timeout=30", or "path=/run/redis.sock ...". For the
 * threads of the user store and of the events; calls wait, with a deadline.
 */
#ifndef TP_AUTH_REDIS_H
#define TP_AUTH_REDIS_H

#include <stddef.h>
#include <stdint.h>

struct redisContext;

struct tp_redis_conninfo {
	char *host, *path, *user, *password;
	uint16_t port;
	unsigned int database;
};

/* 0, or -EINVAL (-ENOMEM) and the reason without secrets in `err`. */
int tp_redis_conninfo_parse(const char *text, struct tp_redis_conninfo *ret, char *err, size_t err_size);
void tp_redis_conninfo_fini(struct tp_redis_conninfo *info);

/* Connected, authenticated, the database selected; or NULL and why. */
struct redisContext *tp_redis_connect(const struct tp_redis_conninfo *info, char *err, size_t err_size);

#endif
