/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Users in a PostgreSQL database with coturn's tables (psql-userdb); store.c's thread
 * calls it. libpq's asynchronous calls only: each step has a deadline of ours, whatever
 * the network does.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/store_backend.h"

struct pgsql_store {
	struct store_backend base;
	char *conninfo;
	PGconn *conn;	/* NULL: not connected */
};

/* The first line of libpq's text, which names hosts and causes, never the password. */
static int fail(struct pgsql_store *s, const char *why)
{
	const char *text = why ? why : s->conn ? PQerrorMessage(s->conn) : "out of memory";

	snprintf(s->base.error, sizeof(s->base.error), "%.*s", (int)strcspn(text, "\n"), text);
	PQfinish(s->conn);
	s->conn = NULL;
	return -EIO;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 0, or -ETIMEDOUT at the deadline. */
static int wait_for(PGconn *conn, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = PQsocket(conn), .events = events };

	for (;;) {
		int64_t left = deadline_ms - now_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r > 0)
			return 0;
		if (r == 0 || errno != EINTR)
			return -ETIMEDOUT;
	}
}

static int pgsql_connect(struct pgsql_store *s)
{
	int64_t deadline = now_ms() + STORE_CONNECT_MS;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (s->conn && PQstatus(s->conn) == CONNECTION_OK)
		return 0;
	PQfinish(s->conn);
	s->conn = PQconnectStart(s->conninfo);
	if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD)
		return fail(s, NULL);
	while (status != PGRES_POLLING_OK) {
		if (wait_for(s->conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
			return fail(s, "no connection in time");
		status = PQconnectPoll(s->conn);
		if (status == PGRES_POLLING_FAILED)
			return fail(s, NULL);
	}
	if (PQsetnonblocking(s->conn, 1))
		return fail(s, NULL);
	return 0;
}

/* Everything is written, then what comes back is read until a result can be taken without waiting. */
static int wait_result(struct pgsql_store *s)
{
	int64_t deadline = now_ms() + STORE_ANSWER_MS;
	int left;

	while ((left = PQflush(s->conn)) > 0)
		if (wait_for(s->conn, POLLIN | POLLOUT, deadline) || !PQconsumeInput(s->conn))
			return fail(s, PQstatus(s->conn) == CONNECTION_OK ? "no answer in time" : NULL);
	if (left < 0)
		return fail(s, NULL);
	while (PQisBusy(s->conn)) {
		if (wait_for(s->conn, POLLIN, deadline))
			return fail(s, "no answer in time");
		if (!PQconsumeInput(s->conn))
			return fail(s, NULL);
	}
	return 0;
}

/* coturn's hmackey is char(128), which comes filled up with blanks. */
static size_t text_size(const char *text, enum tp_store_kind kind)
{
	size_t size = strlen(text);

	while (kind == TP_STORE_USER && size && text[size - 1] == ' ')
		size--;
	return size;
}

static void add_rows(const PGresult *result, enum tp_store_kind kind, struct store_rows *rows)
{
	for (int i = 0; i < PQntuples(result) && rows->len < STORE_ROWS_MAX; i++) {
		const char *text = PQgetvalue(result, i, 0);

		if (kind == TP_STORE_OAUTH_KEY)
			store_rows_add_oauth(rows, text, PQgetvalue(result, i, 1), PQgetvalue(result, i, 2),
					     PQgetvalue(result, i, 3), PQgetvalue(result, i, 4));
		else if (!PQgetisnull(result, i, 0))
			store_rows_add(rows, text, text_size(text, kind));
	}
}

/* Class 22 is data that the database's encoding does not have: nobody has such a name. */
static int take_result(struct pgsql_store *s, enum tp_store_kind kind, struct store_rows *rows)
{
	PGresult *result = PQgetResult(s->conn);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
	char why[sizeof(s->base.error)] = "";

	if (good)
		add_rows(result, kind, rows);
	else
		snprintf(why, sizeof(why), "%s", PQresultErrorMessage(result));
	good = good || (state && strncmp(state, "22", 2) == 0);
	PQclear(result);
	if (!good)
		return fail(s, *why ? why : NULL);
	/* The end of the answer: the connection is ready for the next. */
	if (wait_result(s))
		return -EIO;
	PQclear(PQgetResult(s->conn));
	return 0;
}

static int list_once(struct pgsql_store *s, const struct store_list_query *query, struct store_lists *ret)
{
	PGresult *result;
	bool good;

	if (pgsql_connect(s))
		return -EIO;
	if (!PQsendQueryParams(s->conn, query->sql, 0, NULL, NULL, NULL, NULL, 0))
		return fail(s, NULL);
	if (wait_result(s))
		return -EIO;
	result = PQgetResult(s->conn);
	good = PQresultStatus(result) == PGRES_TUPLES_OK;
	for (int i = 0; good && i < PQntuples(result); i++)
		store_lists_add(ret, query->kind, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
	PQclear(result);
	if (!good)
		return fail(s, NULL);
	if (wait_result(s))
		return -EIO;
	PQclear(PQgetResult(s->conn));
	return 0;
}

static int pgsql_lists(struct store_backend *backend, struct store_lists *ret)
{
	struct pgsql_store *s = (struct pgsql_store *)backend;
	int r = 0;

	for (int i = 0; i < STORE_LIST_QUERIES && !r; i++)
		r = list_once(s, &store_list_queries[i], ret);
	return r;
}

static int lookup_once(struct pgsql_store *s, const struct store_query *query, struct store_rows *ret)
{
	const char *sql, *params[2];
	int len = store_sql(query, &sql, params);

	if (pgsql_connect(s))
		return -EIO;
	if (!PQsendQueryParams(s->conn, sql, len, NULL, params, NULL, NULL, 0))
		return fail(s, NULL);
	if (wait_result(s))
		return -EIO;
	return take_result(s, query->kind, ret);
}

static int pgsql_lookup(struct store_backend *backend, const struct store_query *query, struct store_rows *ret)
{
	struct pgsql_store *s = (struct pgsql_store *)backend;
	bool connected = s->conn;

	if (lookup_once(s, query, ret) == 0)
		return 0;
	/* A connection that the server closed meanwhile (restart, timeout) is noticed by using it. */
	ret->len = 0;
	ret->size = 0;
	return connected ? lookup_once(s, query, ret) : -EIO;
}

static void pgsql_free(struct store_backend *backend)
{
	struct pgsql_store *s = (struct pgsql_store *)backend;

	PQfinish(s->conn);
	if (s->conninfo)
		explicit_bzero(s->conninfo, strlen(s->conninfo));
	free(s->conninfo);
	free(s);
}

static const struct store_backend_ops pgsql_ops = {
	.name = "pgsql",
	.lookup = pgsql_lookup,
	.lists = pgsql_lists,
	.free = pgsql_free,
};

struct store_backend *store_pgsql_new(const char *conninfo, char *err, size_t err_size)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	struct pgsql_store *s;

	/* libpq's own text may quote a part of the password. */
	if (!options) {
		snprintf(err, err_size, "psql-userdb: no connection string as libpq reads it");
		return NULL;
	}
	PQconninfoFree(options);
	s = calloc(1, sizeof(*s));
	if (s)
		s->conninfo = strdup(conninfo);
	if (!s || !s->conninfo) {
		free(s);
		snprintf(err, err_size, "psql-userdb: out of memory");
		return NULL;
	}
	s->base.ops = &pgsql_ops;
	return &s->base;
}
