/* SPDX-License-Identifier: GPL-2.0 */
/* Rows of a look-up, and the SQL that SQLite and PostgreSQL have in common (coturn's schema.sql). */
#include <stdio.h>
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
