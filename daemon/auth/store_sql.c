/* SPDX-License-Identifier: GPL-2.0 */
/* Rows of a look-up, and the SQL that SQLite and PostgreSQL have in common (coturn's schema.sql). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/store_backend.h"

void store_rows_add(struct store_rows *rows, const char *text, size_t size)
{
	if (rows->len == STORE_ROWS_MAX || size >= STORE_ROWS_SIZE - rows->size || memchr(text, 0, size))
		return;
	memcpy(rows->text + rows->size, text, size);
	rows->text[rows->size + size] = 0;
	rows->size += size + 1;
	rows->len++;
}

void store_rows_add_oauth(struct store_rows *rows, const char *kid, const char *key, const char *timestamp,
			  const char *lifetime, const char *algorithm)
{
	char row[TP_STORE_TEXT_SIZE];
	int size = snprintf(row, sizeof(row), "%s,%s,%s,%s,%s", kid, key ? key : "",
			    timestamp && *timestamp ? timestamp : "0", lifetime && *lifetime ? lifetime : "0",
			    algorithm && *algorithm ? algorithm : "A256GCM");

	if (size > 0 && (size_t)size < sizeof(row))
		store_rows_add(rows, row, (size_t)size);
	explicit_bzero(row, sizeof(row));
}

const struct store_list_query store_list_queries[STORE_LIST_QUERIES] = {
	{ 'a', "SELECT realm, ip_range FROM allowed_peer_ip ORDER BY realm, ip_range" },
	{ 'd', "SELECT realm, ip_range FROM denied_peer_ip ORDER BY realm, ip_range" },
	{ 'o', "SELECT realm, origin FROM turn_origin_to_realm ORDER BY realm, origin" },
	{ 'b', "SELECT realm, value FROM turn_realm_option WHERE opt = 'max-bps' ORDER BY realm" },
	{ 't', "SELECT realm, value FROM turn_realm_option WHERE opt = 'total-quota' ORDER BY realm" },
	{ 'u', "SELECT realm, value FROM turn_realm_option WHERE opt = 'user-quota' ORDER BY realm" },
};

void store_lists_add(struct store_lists *lists, char kind, const char *realm, const char *value)
{
	struct store_list_row *row;

	if (lists->len == STORE_LISTS_MAX) {
		lists->cut = true;
		return;
	}
	/* Room is doubled: the length says when. */
	if ((lists->len & (lists->len - 1)) == 0) {
		row = reallocarray(lists->row, lists->len ? 2 * lists->len : 1, sizeof(*row));
		if (!row) {
			lists->cut = true;
			return;
		}
		lists->row = row;
	}
	row = &lists->row[lists->len++];
	row->kind = kind;
	row->realm = strdup(realm ? realm : "");
	row->value = strdup(value ? value : "");
	if (!row->realm || !row->value) {
		free(row->realm);
		free(row->value);
		lists->len--;
		lists->cut = true;
	}
}

void store_lists_fini(struct store_lists *lists)
{
	for (size_t i = 0; i < lists->len; i++) {
		free(lists->row[i].realm);
		free(lists->row[i].value);
	}
	free(lists->row);
	memset(lists, 0, sizeof(*lists));
}

static int row_compare(const void *a, const void *b)
{
	const struct store_list_row *x = a, *y = b;
	int r = x->kind - y->kind;

	r = r ? r : strcmp(x->realm, y->realm);
	return r ? r : strcmp(x->value, y->value);
}

void store_lists_sort(struct store_lists *lists)
{
	size_t kept = 0;

	if (lists->len)
		qsort(lists->row, lists->len, sizeof(*lists->row), row_compare);
	for (size_t i = 0; i < lists->len; i++) {
		if (kept && row_compare(&lists->row[kept - 1], &lists->row[i]) == 0) {
			free(lists->row[i].realm);
			free(lists->row[i].value);
		} else {
			lists->row[kept++] = lists->row[i];
		}
	}
	lists->len = kept;
}

bool store_lists_equal(const struct store_lists *a, const struct store_lists *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (a->row[i].kind != b->row[i].kind || strcmp(a->row[i].realm, b->row[i].realm) != 0 ||
		    strcmp(a->row[i].value, b->row[i].value) != 0)
			return false;
	return true;
}

int store_sql(const struct store_query *query, const char **ret_sql, const char *ret_params[2])
{
	ret_params[0] = query->realm;
	ret_params[1] = query->name;
	switch (query->kind) {
	case TP_STORE_USER:
		*ret_sql = "SELECT hmackey FROM turnusers_lt WHERE realm = $1 AND name = $2";
		return 2;
	case TP_STORE_SECRET:
		*ret_sql = "SELECT value FROM turn_secret WHERE realm = $1";
		return 1;
	case TP_STORE_OAUTH_KEY:
		ret_params[0] = query->name;
		*ret_sql = "SELECT kid, ikm_key, timestamp, lifetime, as_rs_alg FROM oauth_key WHERE kid = $1";
		return 1;
	}
	return 0;
}
