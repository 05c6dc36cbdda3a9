/* SPDX-License-Identifier: GPL-2.0 */
/* The table of configured users; see user.h. */
#include "auth/user.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/text.h"
#include "conf.h"
#include "stun/wire.h"

#define REALMS_MAX	255
#define ORIGINS_MAX	64	/* looked through one after another, and only for a challenge */
#define NAME_MAX_SIZE	508	/* USERNAME (section 14.3) */

/* Open addressing; an entry is the user's index plus one, 0 is free. At most half full. */
struct index {
	uint32_t *slots;
	size_t mask;
};

struct origin {
	char *name;
	size_t size;	/* of its name: the realm's follows a comma */
	size_t realm;
};

struct tp_users {
	struct tp_realm *realms;
	size_t realms_len;
	struct tp_user *users;
	size_t len;
	struct index by_name, by_hash;
	struct origin *origins;
	size_t origins_len;
};

__attribute__((format(printf, 3, 4))) static int fail(char *err, size_t err_size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(err, err_size, format, ap);
	va_end(ap);
	return -EINVAL;
}

static int fail_memory(char *err, size_t err_size)
{
	snprintf(err, err_size, "out of memory");
	return -ENOMEM;
}

/* FNV-1a: the names in the table are the administrator's, so nobody can choose them to collide. */
static uint64_t name_hash(size_t realm, const uint8_t *name, size_t size)
{
	uint64_t h = 0xcbf29ce484222325u ^ realm;

	for (size_t i = 0; i < size; i++)
		h = (h ^ name[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

static int index_init(struct index *index, size_t len)
{
	size_t size = 16;

	while (size < 2 * len)
		size *= 2;
	index->mask = size - 1;
	index->slots = calloc(size, sizeof(*index->slots));
	return index->slots ? 0 : -ENOMEM;
}

static void index_add(struct index *index, uint64_t hash, size_t user)
{
	size_t at = hash & index->mask;

	while (index->slots[at])
		at = (at + 1) & index->mask;
	index->slots[at] = (uint32_t)(user + 1);
}

const struct tp_user *tp_users_find(const struct tp_users *users, size_t realm, const void *name, size_t size)
{
	size_t at = name_hash(realm, name, size) & users->by_name.mask;

	for (; users->by_name.slots[at]; at = (at + 1) & users->by_name.mask) {
		const struct tp_user *user = &users->users[users->by_name.slots[at] - 1];

		if (user->realm == realm && strlen(user->name) == size && memcmp(user->name, name, size) == 0)
			return user;
	}
	return NULL;
}

const struct tp_user *tp_users_find_hash(const struct tp_users *users, size_t realm, const uint8_t hash[32])
{
	size_t at = load_be64(hash) & users->by_hash.mask;

	for (; users->by_hash.slots[at]; at = (at + 1) & users->by_hash.mask) {
		const struct tp_user *user = &users->users[users->by_hash.slots[at] - 1];

		if (user->realm == realm && memcmp(user->hash, hash, sizeof(user->hash)) == 0)
			return user;
	}
	return NULL;
}

const struct tp_realm *tp_users_realm(const struct tp_users *users, size_t index)
{
	return index < users->realms_len ? &users->realms[index] : NULL;
}

int tp_users_find_realm(const struct tp_users *users, const void *name, size_t size)
{
	for (size_t i = 0; i < users->realms_len; i++)
		if (strlen(users->realms[i].name) == size && memcmp(users->realms[i].name, name, size) == 0)
			return (int)i;
	return -ENOENT;
}

int tp_users_find_origin(const struct tp_users *users, const void *origin, size_t size)
{
	for (size_t i = 0; i < users->origins_len; i++)
		if (users->origins[i].size == size && strncasecmp(users->origins[i].name, origin, size) == 0)
			return (int)users->origins[i].realm;
	return -ENOENT;
}

int tp_key_derive(enum tp_digest_kind kind, const struct tp_bytes *name, const char *realm,
		  const struct tp_bytes *password, struct tp_key *ret)
{
	const struct tp_bytes parts[] = { *name, { ":", 1 }, { realm, strlen(realm) }, { ":", 1 }, *password };

	ret->size = (uint8_t)tp_digest_size(kind);
	return tp_digest(kind, parts, 5, ret->bytes);
}

/* The index of a realm, which is added where it is new. Takes `name`. */
static int realm_add_name(struct tp_users *users, char *name, char *err, size_t err_size)
{
	int found = tp_users_find_realm(users, name, strlen(name));
	struct tp_realm *realms;

	if (found >= 0) {
		free(name);
		return found;
	}
	realms = realloc(users->realms, (users->realms_len + 1) * sizeof(*realms));
	if (!realms) {
		free(name);
		return fail_memory(err, err_size);
	}
	users->realms = realms;
	realms[users->realms_len] = (struct tp_realm){ .name = name };
	return (int)users->realms_len++;
}

static int realm_add(struct tp_users *users, const char *name, char *err, size_t err_size)
{
	char *prepared = tp_string_prepare(name);

	if (!prepared)
		return fail_memory(err, err_size);
	if (strlen(prepared) >= TP_AUTH_REALM_SIZE) {
		free(prepared);
		return fail(err, err_size, "realm '%.32s...' is longer than %d bytes", name, TP_AUTH_REALM_SIZE - 1);
	}
	if (users->realms_len == REALMS_MAX) {
		free(prepared);
		return fail(err, err_size, "more than %d realms", REALMS_MAX);
	}
	return realm_add_name(users, prepared, err, err_size);
}

static int user_add_keys(struct tp_user *user, const char *realm, const char *password)
{
	const struct tp_bytes name = { user->name, strlen(user->name) };
	const struct tp_bytes text = { password, strlen(password) };
	struct tp_key key;

	if (tp_key_derive(TP_DIGEST_MD5, &name, realm, &text, &key))
		return -EIO;
	memcpy(user->md5[user->forms[0]++], key.bytes, key.size);
	if (tp_key_derive(TP_DIGEST_SHA256, &name, realm, &text, &key))
		return -EIO;
	memcpy(user->sha256[user->forms[1]++], key.bytes, key.size);
	return 0;
}

/* Keys of a password, in both of its forms; or the one key that is configured. */
static int user_set_keys(struct tp_user *user, struct tp_realm *realm, const struct tp_conf_user *from)
{
	char *prepared;
	int err;

	if (from->is_key) {
		if (from->key_size == 16) {
			memcpy(user->md5[user->forms[0]++], from->key, 16);
			realm->md5_only = true;
		} else {
			memcpy(user->sha256[user->forms[1]++], from->key, 32);
			realm->sha256_only = true;
		}
		return 0;
	}
	prepared = tp_string_prepare(from->password);
	if (!prepared)
		return -ENOMEM;
	err = user_add_keys(user, realm->name, prepared);
	if (!err && strcmp(prepared, from->password) != 0)
		err = user_add_keys(user, realm->name, from->password);
	OPENSSL_cleanse(prepared, strlen(prepared));
	free(prepared);
	return err;
}

/* One entry for a name that clients may send. Takes `name`; `account` NULL: the same. */
static int user_add_name(struct tp_users *users, size_t realm_index, char *name, const char *account,
			 const struct tp_conf_user *from)
{
	struct tp_realm *realm = &users->realms[realm_index];
	struct tp_user *user = &users->users[users->len];
	struct tp_bytes parts[] = { { name, 0 }, { ":", 1 }, { realm->name, strlen(realm->name) } };
	int err;

	if (!name)
		return -ENOMEM;
	*user = (struct tp_user){ .name = name, .account = account ? account : name, .realm = (uint8_t)realm_index };
	users->len++;
	parts[0].size = strlen(name);
	err = user_set_keys(user, realm, from);
	if (!err)
		err = tp_digest(TP_DIGEST_SHA256, parts, 3, user->hash);
	if (err)
		return err;
	index_add(&users->by_name, name_hash(realm_index, (const uint8_t *)name, parts[0].size), users->len - 1);
	return 0;
}

/* The name as it is written, and, where that differs, as it is prepared (section 14.3). */
static int user_add_names(struct tp_users *users, size_t realm, const struct tp_conf_user *from)
{
	char *prepared;
	int err = user_add_name(users, realm, strdup(from->name), NULL, from);

	if (err)
		return err;
	prepared = tp_string_prepare(from->name);
	if (prepared && tp_users_find(users, realm, prepared, strlen(prepared))) {
		free(prepared);
		return 0;
	}
	return user_add_name(users, realm, prepared, users->users[users->len - 1].name, from);
}

static int user_add(struct tp_users *users, const struct tp_conf_user *from, const char *default_realm, char *err,
		    size_t err_size)
{
	int realm = realm_add(users, from->realm ? from->realm : default_realm, err, err_size);

	if (realm < 0)
		return realm;
	if (!from->name || !from->name[0] || strlen(from->name) > NAME_MAX_SIZE)
		return fail(err, err_size, "a user's name is empty or longer than %d bytes", NAME_MAX_SIZE);
	if (from->is_key ? from->key_size != 16 && from->key_size != 32 : !from->password)
		return fail(err, err_size, "user '%s': neither a password nor a key of 16 or 32 bytes", from->name);
	if (tp_users_find(users, (size_t)realm, from->name, strlen(from->name)))
		return fail(err, err_size, "user '%s' is configured twice in realm '%s'", from->name,
			    users->realms[realm].name);
	if (user_add_names(users, (size_t)realm, from))
		return fail(err, err_size, "user '%s': out of memory, or libcrypto refuses", from->name);
	return 0;
}

static int origins_fill(struct tp_users *users, const struct tp_list *list, char *err, size_t err_size)
{
	if (list->len > ORIGINS_MAX)
		return fail(err, err_size, "origin-realm: more than %d", ORIGINS_MAX);
	users->origins = calloc(list->len ? list->len : 1, sizeof(*users->origins));
	if (!users->origins)
		return fail_memory(err, err_size);
	for (size_t i = 0; i < list->len; i++) {
		struct origin *origin = &users->origins[i];
		const char *comma = strrchr(list->items[i], ',');
		int realm = comma ? realm_add(users, comma + 1, err, err_size) :
				    fail(err, err_size, "origin-realm: '%s' has no realm", list->items[i]);

		if (realm < 0)
			return realm;
		origin->name = strdup(list->items[i]);
		if (!origin->name)
			return fail_memory(err, err_size);
		origin->size = (size_t)(comma - list->items[i]);
		origin->realm = (size_t)realm;
		users->origins_len++;
	}
	return 0;
}

static int users_fill(struct tp_users *users, const struct tp_conf *conf, char *err, size_t err_size)
{
	const char *default_realm = conf->realm ? conf->realm : "";
	/* A name has two entries at most: as it is written, and prepared. */
	size_t max = 2 * conf->user_len;
	int bad = realm_add(users, default_realm, err, err_size);

	if (bad < 0)
		return bad;
	users->users = calloc(max ? max : 1, sizeof(*users->users));
	if (!users->users || index_init(&users->by_name, max) || index_init(&users->by_hash, max))
		return fail_memory(err, err_size);
	for (size_t i = 0; i < conf->user_len; i++) {
		bad = user_add(users, &conf->user[i], default_realm, err, err_size);
		if (bad)
			return bad;
	}
	bad = origins_fill(users, &conf->origin_realm, err, err_size);
	if (bad)
		return bad;
	for (size_t i = 0; i < users->len; i++)
		index_add(&users->by_hash, load_be64(users->users[i].hash), i);
	for (size_t i = 0; i < users->realms_len; i++)
		if (users->realms[i].md5_only && users->realms[i].sha256_only)
			return fail(err, err_size, "realm '%s' has users with an MD5 key only and users with a "
				    "SHA-256 key only: no algorithm serves both", users->realms[i].name);
	return 0;
}

struct tp_users *tp_users_new(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_users *users = calloc(1, sizeof(*users));

	if (!users) {
		fail_memory(err, err_size);
		return NULL;
	}
	if (users_fill(users, conf, err, err_size)) {
		tp_users_free(users);
		return NULL;
	}
	return users;
}

void tp_users_free(struct tp_users *users)
{
	if (!users)
		return;
	for (size_t i = 0; i < users->len; i++)
		free((char *)users->users[i].name);
	for (size_t i = 0; i < users->realms_len; i++)
		free(users->realms[i].name);
	for (size_t i = 0; i < users->origins_len; i++)
		free(users->origins[i].name);
	free(users->origins);
	if (users->users)
		OPENSSL_cleanse(users->users, users->len * sizeof(*users->users));
	free(users->users);
	free(users->realms);
	free(users->by_name.slots);
	free(users->by_hash.slots);
	free(users);
}
