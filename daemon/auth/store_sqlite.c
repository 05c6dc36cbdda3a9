/* SPDX-License-Identifier: GPL-2.0 */
/* Users in an SQLite file with coturn's tables (userdb); store.c's thread calls it. Read only. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/store_backend.h"

struct sqlite_store {
	struct store_backend base;
	char *path;
	sqlite3 *db;	/* NULL: not open */
};

static int fail(struct sqlite_store *s)
{
	snprintf(s->base.error, sizeof(s->base.error), "%.80s: %.70s", s->path,
		 s->db ? sqlite3_errmsg(s->db) : "out of memory");
	sqlite3_close(s->db);
	s->db = NULL;
	return -EIO;
}

static int sqlite_open(struct sqlite_store *s)
{
	if (s->db)
		return 0;
	if (sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return fail(s);
	/* turnpikectl user, or coturn's turnadmin, may be writing. */
	sqlite3_busy_timeout(s->db, STORE_ANSWER_MS);
	return 0;
}

static const char *column(sqlite3_stmt *stmt, int i)
{
	return (const char *)sqlite3_column_text(stmt, i);
}

static void add_row(sqlite3_stmt *stmt, enum tp_store_kind kind, struct store_rows *rows)
{
	const char *text = column(stmt, 0);

	if (kind == TP_STORE_OAUTH_KEY)
		store_rows_add_oauth(rows, text ? text : "", column(stmt, 1), column(stmt, 2), column(stmt, 3),
				     column(stmt, 4));
	else if (text)
		store_rows_add(rows, text, strlen(text));
}

static int sqlite_lookup(struct store_backend *backend, const struct store_query *query, struct store_rows *ret)
{
	struct sqlite_store *s = (struct sqlite_store *)backend;
	const char *sql, *params[2];
	sqlite3_stmt *stmt;
	int len = store_sql(query, &sql, params), r;

	if (sqlite_open(s))
		return -EIO;
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(s);
	for (int i = 0; i < len; i++)
		sqlite3_bind_text(stmt, i + 1, params[i], -1, SQLITE_STATIC);
	while ((r = sqlite3_step(stmt)) == SQLITE_ROW && ret->len < STORE_ROWS_MAX)
		add_row(stmt, query->kind, ret);
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : fail(s);
}

static int sqlite_lists(struct store_backend *backend, struct store_lists *ret)
{
	struct sqlite_store *s = (struct sqlite_store *)backend;
	sqlite3_stmt *stmt;
	int r = SQLITE_DONE;

	if (sqlite_open(s))
		return -EIO;
	for (int i = 0; i < STORE_LIST_QUERIES && r == SQLITE_DONE; i++) {
		if (sqlite3_prepare_v2(s->db, store_list_queries[i].sql, -1, &stmt, NULL) != SQLITE_OK)
			return fail(s);
		while ((r = sqlite3_step(stmt)) == SQLITE_ROW)
			store_lists_add(ret, store_list_queries[i].kind, column(stmt, 0), column(stmt, 1));
		sqlite3_finalize(stmt);
	}
	return r == SQLITE_DONE ? 0 : fail(s);
}

static void sqlite_free(struct store_backend *backend)
{
	struct sqlite_store *s = (struct sqlite_store *)backend;

	sqlite3_close(s->db);
	free(s->path);
	free(s);
}

static const struct store_backend_ops sqlite_ops = {
	.name = "sqlite",
	.lookup = sqlite_lookup,
	.lists = sqlite_lists,
	.free = sqlite_free,
};

struct store_backend *store_sqlite_new(const char *path, char *err, size_t err_size)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));

	if (s)
		s->path = strdup(path);
	if (!s || !s->path) {
		free(s);
		snprintf(err, err_size, "userdb: out of memory");
		return NULL;
	}
	s->base.ops = &sqlite_ops;
	return &s->base;
}
