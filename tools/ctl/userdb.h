/* SPDX-License-Identifier: GPL-2.0 */
/* turnpikectl user: the SQLite file with coturn's tables. user.c calls it; turnpiked and coturn read the same file. */
#ifndef TP_TOOL_USERDB_H
#define TP_TOOL_USERDB_H

#include <jansson.h>
#include <stdbool.h>

struct userdb;

/* `create`: a file that is not there is made, mode 0600, with coturn's tables. NULL: a sentence on stderr. */
struct userdb *userdb_open(const char *path, bool create);
void userdb_close(struct userdb *db);

/* How many rows changed; -1: a sentence on stderr. */
int userdb_set_user(struct userdb *db, const char *realm, const char *name, const char *key, bool exists);
int userdb_delete_user(struct userdb *db, const char *realm, const char *name);
int userdb_add_secret(struct userdb *db, const char *realm, const char *secret);
int userdb_delete_secret(struct userdb *db, const char *realm, const char *secret);

/* Arrays of objects with "realm" and "name" or "secret"; realm NULL: of all. NULL: a sentence on stderr. */
json_t *userdb_users(struct userdb *db, const char *realm);
json_t *userdb_secrets(struct userdb *db, const char *realm);

#endif
