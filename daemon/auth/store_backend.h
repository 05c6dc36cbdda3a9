/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kinds of store have in common; inside daemon/auth. A backend is used by one
 * thread, connects when it is asked, and may wait: some seconds at most per call.
 */
#ifndef TP_AUTH_STORE_BACKEND_H
#define TP_AUTH_STORE_BACKEND_H

#include "auth/store.h"

#define STORE_ROWS_SIZE		8192
#define STORE_ROWS_MAX		32	/* as many secrets as auth.c takes of a configuration */
#define STORE_CONNECT_MS	3000
#define STORE_ANSWER_MS		2000

/* Strings one after the other, each with its final zero. What does not fit is left out. */
struct store_rows {
	unsigned int len;
	size_t size;
	char text[STORE_ROWS_SIZE];
};

void store_rows_add(struct store_rows *rows, const char *text, size_t size);
/* The row of oauth_key as auth/token.h reads it; empty columns have coturn's defaults. */
void store_rows_add_oauth(struct store_rows *rows, const char *kid, const char *key, const char *timestamp,
			  const char *lifetime, const char *algorithm);

/*
 * What a store has for everybody, each row with its realm: "a" or "d" (allowed-, denied-peer-ip), "o" (origin),
 * "b", "t" or "u" (the realm's max-bps, total-quota, user-quota).
 */
#define STORE_LISTS_MAX		4096	/* rows */

struct store_lists {
	struct store_list_row {
		char kind;
		char *realm, *value;	/* realm "": all */
	} *row;
	size_t len;
	bool cut;	/* there are more than STORE_LISTS_MAX, or no memory */
};

void store_lists_add(struct store_lists *lists, char kind, const char *realm, const char *value);
void store_lists_fini(struct store_lists *lists);
void store_lists_sort(struct store_lists *lists);	/* and duplicates go */
bool store_lists_equal(const struct store_lists *a, const struct store_lists *b);

struct store_query {
	enum tp_store_kind kind;
	const char *realm, *name;	/* UTF-8 without zeroes */
};

struct store_backend;

struct store_backend_ops {
	const char *name;
	/* 0 and the rows, none where there is no such thing; or a negative errno with the reason in `error`. */
	int (*lookup)(struct store_backend *backend, const struct store_query *query, struct store_rows *ret);
	/* 0, or a negative errno with the reason in `error`. NULL: it has none. */
	int (*lists)(struct store_backend *backend, struct store_lists *ret);
	void (*free)(struct store_backend *backend);
};

struct store_backend {
	const struct store_backend_ops *ops;
	char error[160];	/* without passwords */
};

/* NULL: no memory, or nonsense in `conninfo`, said in `err`. None of them connects. */
struct store_backend *store_sqlite_new(const char *path, char *err, size_t err_size);
struct store_backend *store_pgsql_new(const char *conninfo, char *err, size_t err_size);
struct store_backend *store_redis_new(const char *conninfo, char *err, size_t err_size);

/* With a backend of the caller's own, which it takes over. */
struct tp_store *tp_store_with(struct store_backend *backend, const struct tp_conf *conf);

/* The queries of the lists: realm and value. */
#define STORE_LIST_QUERIES 6
struct store_list_query {
	char kind;
	const char *sql;
};
extern const struct store_list_query store_list_queries[STORE_LIST_QUERIES];

/* SQL with its parameters $1, $2 in this order, for SQLite and PostgreSQL; returns how many parameters. */
int store_sql(const struct store_query *query, const char **ret_sql, const char *ret_params[2]);

#endif
