/* SPDX-License-Identifier: GPL-2.0 */
/* Building what requests are checked against, and what a reload asks of it; see auth.h. */
#include "auth/auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/rest.h"
#include "auth/state.h"
#include "auth/text.h"
#include "conf.h"

/* Every one is tried for a REST name, so their number bounds what a forged request costs. */
#define SECRETS_MAX	32

static int secrets_load(struct tp_auth *auth, const struct tp_conf *conf, char *err, size_t err_size)
{
	const struct tp_list *list = &conf->static_auth_secret;

	if (list->len > SECRETS_MAX) {
		snprintf(err, err_size, "static-auth-secret: more than %d", SECRETS_MAX);
		return -EINVAL;
	}
	auth->secrets = calloc(list->len ? list->len : 1, sizeof(*auth->secrets));
	for (size_t i = 0; auth->secrets && i < list->len; i++) {
		if (!list->items[i][0]) {
			snprintf(err, err_size, "static-auth-secret: empty");
			return -EINVAL;
		}
		auth->secrets[i] = strdup(list->items[i]);
		if (!auth->secrets[i])
			break;
		auth->secrets_len++;
	}
	if (auth->secrets_len != list->len || !auth->secrets) {
		snprintf(err, err_size, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static int token_keys_load(struct tp_auth *auth, const struct tp_conf *conf, char *err, size_t err_size)
{
	const struct tp_list *list = &conf->oauth_key;
	const char *reason;

	auth->oauth = conf->oauth;
	if (!conf->oauth)
		return 0;
	if (!list->len && !auth->has_store) {
		snprintf(err, err_size, "oauth: there is no oauth-key and no store that has them");
		return -EINVAL;
	}
	auth->token_keys = calloc(list->len ? list->len : 1, sizeof(*auth->token_keys));
	auth->server_name = strdup(conf->server_name ? conf->server_name : conf->realm ? conf->realm : "");
	if (!auth->token_keys || !auth->server_name) {
		snprintf(err, err_size, "out of memory");
		return -ENOMEM;
	}
	for (; auth->token_keys_len < list->len; auth->token_keys_len++)
		if (tp_token_key_parse(list->items[auth->token_keys_len], &auth->token_keys[auth->token_keys_len],
				       &reason)) {
			snprintf(err, err_size, "oauth-key %zu: %s", auth->token_keys_len + 1, reason);
			return -EINVAL;
		}
	return 0;
}

/* Both algorithms where nothing is said; a realm must be left with one that its users have keys for. */
static int algorithms_load(struct tp_auth *auth, const struct tp_conf *conf, char *err, size_t err_size)
{
	const struct tp_realm *realm;

	auth->algorithms = conf->password_algorithms & (TP_ALGORITHM_MD5 | TP_ALGORITHM_SHA256);
	if (!auth->algorithms)
		auth->algorithms = TP_ALGORITHM_MD5 | TP_ALGORITHM_SHA256;
	if (auth->has_store && !(auth->algorithms & TP_ALGORITHM_MD5)) {
		snprintf(err, err_size, "password-algorithms: users of a store have MD5 keys");
		return -EINVAL;
	}
	for (size_t i = 0; (realm = tp_users_realm(auth->users, i)); i++)
		if ((realm->md5_only && !(auth->algorithms & TP_ALGORITHM_MD5)) ||
		    (realm->sha256_only && !(auth->algorithms & TP_ALGORITHM_SHA256))) {
			snprintf(err, err_size, "realm '%s' has a user with a key of the password algorithm "
				 "that is off", realm->name);
			return -EINVAL;
		}
	return 0;
}

static int auth_fill(struct tp_auth *auth, const struct tp_conf *conf, char *err, size_t err_size)
{
	int bad;

	if (!conf->no_auth && (!conf->realm || !conf->realm[0])) {
		snprintf(err, err_size, "realm: empty");
		return -EINVAL;
	}
	bad = tp_seal_init(&auth->seal, conf->nonce_key);
	if (bad == -EINVAL) {
		snprintf(err, err_size, "nonce-key: %d to %d bytes in hexadecimal digits", TP_SEAL_SECRET_MIN,
			 TP_SEAL_SECRET_MAX);
		return bad;
	}
	if (bad) {
		snprintf(err, err_size, "libcrypto has no random bytes or no HMAC");
		return bad;
	}
	auth->has_store = conf->userdb || conf->psql_userdb || conf->redis_userdb;
	auth->use_secrets = conf->use_auth_secret || conf->static_auth_secret.len;
	auth->users = tp_users_new(conf, err, err_size);
	if (!auth->users || secrets_load(auth, conf, err, err_size) || token_keys_load(auth, conf, err, err_size) ||
	    algorithms_load(auth, conf, err, err_size))
		return -EINVAL;
	auth->no_auth = conf->no_auth;
	auth->separator = conf->rest_api_separator ? conf->rest_api_separator : ':';
	auth->stale_nonce_s = conf->stale_nonce_s;
	/* A hash of a name that only its holder knows cannot be found. */
	auth->anonymity = !auth->secrets_len && !auth->oauth && !auth->has_store;
	return 0;
}

struct tp_auth *tp_auth_new(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_auth *auth = calloc(1, sizeof(*auth));

	if (!auth) {
		snprintf(err, err_size, "out of memory");
		return NULL;
	}
	if (auth_fill(auth, conf, err, err_size)) {
		tp_auth_free(auth);
		return NULL;
	}
	return auth;
}

void tp_auth_free(struct tp_auth *auth)
{
	if (!auth)
		return;
	tp_users_free(auth->users);
	for (size_t i = 0; i < auth->secrets_len; i++) {
		OPENSSL_cleanse(auth->secrets[i], strlen(auth->secrets[i]));
		free(auth->secrets[i]);
	}
	free(auth->secrets);
	if (auth->token_keys)
		OPENSSL_cleanse(auth->token_keys, auth->token_keys_len * sizeof(*auth->token_keys));
	free(auth->token_keys);
	free(auth->server_name);
	OPENSSL_cleanse(auth, sizeof(*auth));
	free(auth);
}

const struct tp_seal *tp_auth_seal(const struct tp_auth *auth)
{
	return &auth->seal;
}

void tp_auth_use_store(struct tp_auth *auth, struct tp_store *store)
{
	auth->store = store;
}

static bool user_has_key(const struct tp_user *user, const struct tp_identity *identity)
{
	for (int i = 0; i < user->forms[0]; i++)
		if (identity->key_size == 16 && CRYPTO_memcmp(user->md5[i], identity->key, 16) == 0)
			return true;
	for (int i = 0; i < user->forms[1]; i++)
		if (identity->key_size == 32 && CRYPTO_memcmp(user->sha256[i], identity->key, 32) == 0)
			return true;
	return false;
}

/* A user of the store goes where the store says so; not where it is not known now. */
static bool store_user_exists(const struct tp_auth *auth, const struct tp_identity *identity)
{
	const struct tp_bytes name = { identity->user, strlen(identity->user) };
	struct tp_key key;
	enum tp_auth_result result = tp_auth_store_key(auth, identity->realm, &name, &key);
	bool same = result == TP_AUTH_OK && key.size == identity->key_size &&
		    CRYPTO_memcmp(key.bytes, identity->key, key.size) == 0;

	OPENSSL_cleanse(&key, sizeof(key));
	return same || result == TP_AUTH_LATER || result == TP_AUTH_UNAVAILABLE;
}

/* A user may have used either form of its name, and its key is made of that one. */
static bool static_user_exists(const struct tp_auth *auth, size_t realm, const struct tp_identity *identity,
			       bool *ret_known)
{
	const struct tp_user *user = tp_users_find(auth->users, realm, identity->user, strlen(identity->user));
	char *prepared;
	bool has = false;

	*ret_known = user != NULL;
	if (!user || user_has_key(user, identity))
		return user != NULL;
	prepared = tp_string_prepare(identity->user);
	if (prepared) {
		user = tp_users_find(auth->users, realm, prepared, strlen(prepared));
		has = user && user_has_key(user, identity);
		free(prepared);
	}
	return has;
}

static bool secret_made(const char *secret, const struct tp_identity *identity)
{
	const struct tp_bytes name = { identity->user, strlen(identity->user) };
	char password[TP_REST_PASSWORD_SIZE];
	const struct tp_bytes text = { password, sizeof(password) };
	struct tp_key key;

	if (tp_rest_password(secret, name.data, name.size, password) ||
	    tp_key_derive(identity->key_size == 32 ? TP_DIGEST_SHA256 : TP_DIGEST_MD5, &name, identity->realm, &text,
			  &key))
		return false;
	return key.size == identity->key_size && CRYPTO_memcmp(key.bytes, identity->key, key.size) == 0;
}

static bool rest_user_exists(const struct tp_auth *auth, const struct tp_identity *identity)
{
	enum tp_store_result result = TP_STORE_ABSENT;
	char secret[TP_STORE_TEXT_SIZE];
	struct tp_rest_name rest;
	bool made = false;

	if (!auth->use_secrets ||
	    !tp_rest_name_parse(identity->user, strlen(identity->user), auth->separator, &rest))
		return false;
	for (size_t i = 0; i < auth->secrets_len; i++)
		if (secret_made(auth->secrets[i], identity))
			return true;
	for (size_t i = 0; auth->store && !made; i++) {
		result = tp_store_get(auth->store, TP_STORE_SECRET, identity->realm, "", 0, i, secret);
		if (result != TP_STORE_FOUND)
			break;
		made = secret_made(secret, identity);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return made || result == TP_STORE_PENDING || result == TP_STORE_DOWN;
}

static bool token_user_exists(const struct tp_auth *auth, const struct tp_identity *identity, uint64_t now_s)
{
	struct tp_token_key key;
	enum tp_auth_result result = tp_auth_token_key(auth, identity->user, strlen(identity->user), now_s, &key);

	OPENSSL_cleanse(&key, sizeof(key));
	return result != TP_AUTH_UNAUTHORIZED && (!identity->expires_s || now_s < identity->expires_s);
}

bool tp_auth_user_exists(const struct tp_auth *auth, const struct tp_identity *identity, uint64_t now_s)
{
	int realm;
	bool known;

	if (identity->anonymous)
		return auth->no_auth;
	/* Of what a token stood for, only its key can still be asked about. */
	if (identity->max_lifetime_s)
		return token_user_exists(auth, identity, now_s);
	realm = tp_users_find_realm(auth->users, identity->realm, strlen(identity->realm));
	if (realm < 0)
		return false;
	if (static_user_exists(auth, (size_t)realm, identity, &known))
		return true;
	return !known && (rest_user_exists(auth, identity) || store_user_exists(auth, identity));
}
