/* SPDX-License-Identifier: GPL-2.0 */
/* The SQLite file that turnpikectl user edits; see userdb.h. The tables are those of coturn's schema.sql. */
#include "userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 5000

/* By name and type as coturn makes them, so that its turnadmin can edit the file as well. */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS turnusers_lt (realm varchar(127) DEFAULT '', name varchar(512), hmackey char(128),"
	" PRIMARY KEY (realm, name));"
	"CREATE TABLE IF NOT EXISTS turn_secret (realm varchar(127) DEFAULT '', value varchar(127),"
	" PRIMARY KEY (realm, value));"
	"CREATE TABLE IF NOT EXISTS allowed_peer_ip (realm varchar(127) DEFAULT '', ip_range varchar(256),"
	" PRIMARY KEY (realm, ip_range));"
	"CREATE TABLE IF NOT EXISTS denied_peer_ip (realm varchar(127) DEFAULT '', ip_range varchar(256),"
	" PRIMARY KEY (realm, ip_range));"
	"CREATE TABLE IF NOT EXISTS turn_origin_to_realm (origin varchar(127), realm varchar(127), PRIMARY KEY (origin));"
	"CREATE TABLE IF NOT EXISTS turn_realm_option (realm varchar(127) DEFAULT '', opt varchar(32), value varchar(128),"
	" PRIMARY KEY (realm, opt));"
	"CREATE TABLE IF NOT EXISTS oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint DEFAULT 0,"
	" lifetime integer DEFAULT 0, as_rs_alg varchar(64) DEFAULT '', realm varchar(127), PRIMARY KEY (kid));"
	"CREATE TABLE IF NOT EXISTS admin_user (name varchar(32), realm varchar(127), password varchar(127),"
	" PRIMARY KEY (name));";

struct userdb {
	sqlite3 *db;
	char *path;
};

static int complain(const struct userdb *db)
{
	fprintf(stderr, "turnpikectl: %s: %s\n", db->path, db->db ? sqlite3_errmsg(db->db) : "out of memory");
	return -1;
}

/* SQLite would make it readable for all. */
static bool make_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		fprintf(stderr, "turnpikectl: %s: %s\n", path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

struct userdb *userdb_open(const char *path, bool create)
{
	struct userdb *db;

	if (create && !make_private(path))
		return NULL;
	db = calloc(1, sizeof(*db));
	if (!db)
		return NULL;
	db->path = strdup(path);
	if (db->path && sqlite3_open_v2(path, &db->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(db->db, BUSY_MS) == SQLITE_OK &&
	    (!create || sqlite3_exec(db->db, schema, NULL, NULL, NULL) == SQLITE_OK))
		return db;
	complain(db);
	userdb_close(db);
	return NULL;
}

void userdb_close(struct userdb *db)
{
	if (!db)
		return;
	sqlite3_close(db->db);
	free(db->path);
	free(db);
}

static sqlite3_stmt *prepare(struct userdb *db, const char *sql, const char *const *params, int len)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
		complain(db);
		return NULL;
	}
	for (int i = 0; i < len; i++)
		sqlite3_bind_text(stmt, i + 1, params[i], -1, SQLITE_STATIC);
	return stmt;
}

static int change(struct userdb *db, const char *sql, const char *const *params, int len)
{
	sqlite3_stmt *stmt = prepare(db, sql, params, len);
	int r;

	if (!stmt)
		return -1;
	r = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? sqlite3_changes(db->db) : complain(db);
}

int userdb_set_user(struct userdb *db, const char *realm, const char *name, const char *key, bool exists)
{
	const char *params[] = { realm, name, key };

	return change(db, exists ? "UPDATE turnusers_lt SET hmackey = ?3 WHERE realm = ?1 AND name = ?2" :
				   "INSERT OR IGNORE INTO turnusers_lt (realm, name, hmackey) VALUES (?1, ?2, ?3)",
		      params, 3);
}

int userdb_delete_user(struct userdb *db, const char *realm, const char *name)
{
	const char *params[] = { realm, name };

	return change(db, "DELETE FROM turnusers_lt WHERE realm = ?1 AND name = ?2", params, 2);
}

int userdb_add_secret(struct userdb *db, const char *realm, const char *secret)
{
	const char *params[] = { realm, secret };

	return change(db, "INSERT OR IGNORE INTO turn_secret (realm, value) VALUES (?1, ?2)", params, 2);
}

int userdb_delete_secret(struct userdb *db, const char *realm, const char *secret)
{
	const char *params[] = { realm, secret };

	return change(db, "DELETE FROM turn_secret WHERE realm = ?1 AND value = ?2", params, 2);
}

static json_t *rows(struct userdb *db, const char *sql, const char *column, const char *realm)
{
	json_t *list = json_array();
	sqlite3_stmt *stmt = list ? prepare(db, sql, &realm, 1) : NULL;
	int r = SQLITE_ERROR;

	while (stmt && (r = sqlite3_step(stmt)) == SQLITE_ROW) {
		/* A row that is not UTF-8 cannot be one of ours: it is left out. */
		json_t *row = json_pack("{s:s, s:s}", "realm", sqlite3_column_text(stmt, 0) ?: (const unsigned char *)"",
					column, sqlite3_column_text(stmt, 1) ?: (const unsigned char *)"");

		if (row)
			json_array_append_new(list, row);
	}
	if (stmt && r != SQLITE_DONE)
		complain(db);
	sqlite3_finalize(stmt);
	if (r == SQLITE_DONE)
		return list;
	json_decref(list);
	return NULL;
}

json_t *userdb_users(struct userdb *db, const char *realm)
{
	return rows(db, "SELECT realm, name FROM turnusers_lt WHERE ?1 IS NULL OR realm = ?1 ORDER BY realm, name", "name",
		    realm);
}

json_t *userdb_secrets(struct userdb *db, const char *realm)
{
	return rows(db, "SELECT realm, value FROM turn_secret WHERE ?1 IS NULL OR realm = ?1 ORDER BY realm, value",
		    "secret", realm);
}
