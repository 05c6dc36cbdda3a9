/* SPDX-License-Identifier: GPL-2.0 */
/* The server's checks of a request, in the order of RFC 8489 section 9.2.4; see auth.h. */
#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "auth/rest.h"
#include "auth/state.h"
#include "stun/wire.h"

/* What a request says about who it comes from. */
struct claim {
	const struct tp_auth *auth;
	const struct tp_stun_msg *msg;
	uint64_t now_s;
	const struct tp_identity *session;	/* of a token, or NULL */
	const struct tp_realm *realm;	/* NULL: none of ours */
	size_t realm_index;
	struct tp_bytes name;		/* USERNAME; `data` NULL: USERHASH */
	struct tp_stun_attr hash;
	enum tp_nonce_state nonce;
	bool negotiated;		/* PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS were sent */
	uint8_t algorithm;		/* TP_ALGORITHM_*: the key to use */
};

static bool integrity_good(const struct tp_stun_msg *msg, const uint8_t *key, size_t size)
{
	if (!msg->integrity_sha256)
		return tp_stun_check_integrity(msg, key, size);
	/* Section 14.6: only a usage may allow a shorter one, and TURN does not. */
	return load_be16(msg->data + msg->integrity_sha256 + 2) == TP_STUN_SHA256_SIZE &&
	       tp_stun_check_integrity_sha256(msg, key, size);
}

/*
 * Second check: USERNAME or USERHASH, REALM and NONCE are there. A nonce that is not
 * ours is not an error yet.
 */
static bool claim_read(struct claim *c, const struct tp_tuple *from)
{
	struct tp_stun_attr name, nonce, realm;
	int index;

	if (!tp_stun_find(c->msg, TP_STUN_ATTR_REALM, &realm) || !tp_stun_find(c->msg, TP_STUN_ATTR_NONCE, &nonce))
		return false;
	if (tp_stun_find(c->msg, TP_STUN_ATTR_USERNAME, &name))
		c->name = tp_auth_text(c->msg, &name);
	else if (!tp_stun_find(c->msg, TP_STUN_ATTR_USERHASH, &c->hash))
		return false;

	index = tp_auth_request_realm(c->auth, c->msg);
	c->nonce = TP_NONCE_FOREIGN;
	if (index >= 0) {
		struct tp_nonce_params params;

		c->realm_index = (size_t)index;
		c->realm = tp_users_realm(c->auth->users, c->realm_index);
		params = tp_auth_nonce_params(c->auth, c->realm);
		c->nonce = tp_nonce_check(&params, &from->client, c->now_s, c->auth->stale_nonce_s,
					  tp_stun_value(c->msg, &nonce), nonce.size);
	}
	return true;
}

/* One algorithm without parameters, which is all that section 18.5.1 defines; 0 otherwise. */
static uint8_t algorithm_decode(const uint8_t *entry)
{
	switch (load_be32(entry)) {
	case TP_STUN_ALGORITHM_MD5 << 16:
		return TP_ALGORITHM_MD5;
	case TP_STUN_ALGORITHM_SHA256 << 16:
		return TP_ALGORITHM_SHA256;
	default:
		return 0;
	}
}

/*
 * Whether the list is the one that the nonce was sent with. The nonce's MAC covers that
 * list, so for a nonce of ours it is the list of today; what another server sent, or we
 * under another configuration, cannot be known: such a nonce is stale, later.
 */
static bool algorithms_match(const struct claim *c, const struct tp_stun_attr *list)
{
	uint8_t offered[TP_ALGORITHMS_MAX_SIZE];
	size_t size;

	if (c->nonce == TP_NONCE_FOREIGN)
		return true;
	size = tp_algorithms_encode(tp_auth_offered(c->auth, c->realm), offered);
	return list->size == size && memcmp(tp_stun_value(c->msg, list), offered, size) == 0;
}

/* The chosen algorithm is an entry of the list that came with it. Entries have a number, a size, and padding. */
static bool list_has(const struct claim *c, const struct tp_stun_attr *list, const uint8_t *chosen)
{
	const uint8_t *value = tp_stun_value(c->msg, list);
	size_t at = 0;

	while (at + 4 <= list->size) {
		if (memcmp(value + at, chosen, 4) == 0)
			return true;
		at += 4 + padded_size(load_be16(value + at + 2));
	}
	return false;
}

/*
 * Third check, of a nonce with the "Password algorithms" bit: both attributes or none,
 * the list as it was sent, the choice one of it.
 */
static bool claim_read_algorithm(struct claim *c)
{
	struct tp_stun_attr nonce, chosen, list;
	bool has_chosen = tp_stun_find(c->msg, TP_STUN_ATTR_PASSWORD_ALGORITHM, &chosen);
	bool has_list = tp_stun_find(c->msg, TP_STUN_ATTR_PASSWORD_ALGORITHMS, &list);
	const uint8_t *choice;

	c->algorithm = TP_ALGORITHM_MD5;
	if (!tp_stun_find(c->msg, TP_STUN_ATTR_NONCE, &nonce) ||
	    !(tp_nonce_features(tp_stun_value(c->msg, &nonce), nonce.size) & TP_NONCE_PASSWORD_ALGORITHMS))
		return true;
	if (!has_chosen && !has_list)
		return true;
	if (!has_chosen || !has_list || chosen.size < 4)
		return false;
	choice = tp_stun_value(c->msg, &chosen);
	c->algorithm = algorithm_decode(choice);
	c->negotiated = true;
	return c->algorithm && chosen.size == 4 && algorithms_match(c, &list) && list_has(c, &list, choice);
}

static void identity_accept(const struct claim *c, const struct tp_bytes *name, const uint8_t *key, size_t key_size,
			    struct tp_identity *ret)
{
	*ret = (struct tp_identity){ .account_size = (uint16_t)name->size, .sha256 = c->negotiated };
	memcpy(ret->user, name->data, name->size);
	memcpy(ret->realm, c->realm->name, strlen(c->realm->name));
	memcpy(ret->key, key, key_size);
	ret->key_size = (uint8_t)key_size;
}

/* Fourth and fifth check for a configured user. */
static enum tp_auth_result user_check(const struct claim *c, const struct tp_user *user, struct tp_identity *ret)
{
	const struct tp_bytes account = { user->account, strlen(user->account) };
	bool sha256 = c->algorithm == TP_ALGORITHM_SHA256;

	for (int i = 0; i < user->forms[sha256]; i++) {
		const uint8_t *key = sha256 ? user->sha256[i] : user->md5[i];
		size_t size = sha256 ? sizeof(user->sha256[i]) : sizeof(user->md5[i]);

		if (integrity_good(c->msg, key, size)) {
			identity_accept(c, &account, key, size, ret);
			return TP_AUTH_OK;
		}
	}
	return TP_AUTH_UNAUTHORIZED;
}

/* The same for a name of the REST API, with one secret. */
static enum tp_auth_result secret_check(const struct claim *c, const char *secret, const struct tp_rest_name *rest,
					struct tp_identity *ret)
{
	char password[TP_REST_PASSWORD_SIZE];
	const struct tp_bytes text = { password, sizeof(password) };
	struct tp_key key;

	if (tp_rest_password(secret, c->name.data, c->name.size, password) ||
	    tp_key_derive(c->algorithm == TP_ALGORITHM_SHA256 ? TP_DIGEST_SHA256 : TP_DIGEST_MD5, &c->name,
			  c->realm->name, &text, &key))
		return TP_AUTH_UNAVAILABLE;
	if (!integrity_good(c->msg, key.bytes, key.size))
		return TP_AUTH_UNAUTHORIZED;
	identity_accept(c, &c->name, key.bytes, key.size, ret);
	ret->expires_s = rest->expires_s;
	if (rest->user_size) {
		ret->account_offset = (uint16_t)rest->user_offset;
		ret->account_size = (uint16_t)rest->user_size;
	}
	return TP_AUTH_OK;
}

/* With every secret in turn: those of the configuration, then those of the store. */
static enum tp_auth_result rest_check(const struct claim *c, struct tp_identity *ret)
{
	enum tp_auth_result result = TP_AUTH_UNAUTHORIZED;
	enum tp_store_result stored;
	char secret[TP_STORE_TEXT_SIZE];
	struct tp_rest_name rest;

	if (!c->auth->use_secrets || !tp_rest_name_parse(c->name.data, c->name.size, c->auth->separator, &rest) ||
	    c->now_s >= rest.expires_s)
		return TP_AUTH_UNAUTHORIZED;
	for (size_t i = 0; i < c->auth->secrets_len && result == TP_AUTH_UNAUTHORIZED; i++)
		result = secret_check(c, c->auth->secrets[i], &rest, ret);
	for (size_t i = 0; c->auth->store && result == TP_AUTH_UNAUTHORIZED; i++) {
		stored = tp_store_get(c->auth->store, TP_STORE_SECRET, c->realm->name, "", 0, i, secret);
		if (stored != TP_STORE_FOUND)
			return tp_auth_store_failed(stored);
		result = secret_check(c, secret, &rest, ret);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return result;
}

/* Fourth and fifth check for a user of the store. */
static enum tp_auth_result store_check(const struct claim *c, struct tp_identity *ret)
{
	struct tp_key key;
	enum tp_auth_result result = tp_auth_store_key(c->auth, c->realm->name, &c->name, &key);

	if (result != TP_AUTH_OK)
		return result;
	result = TP_AUTH_UNAUTHORIZED;
	if ((key.size == 32) == (c->algorithm == TP_ALGORITHM_SHA256) && integrity_good(c->msg, key.bytes, key.size)) {
		identity_accept(c, &c->name, key.bytes, key.size, ret);
		result = TP_AUTH_OK;
	}
	OPENSSL_cleanse(&key, sizeof(key));
	return result;
}

/* The lifetime that is left of a token, allowing for the clocks' difference; false: it has ended or not begun. */
static bool token_current(const struct tp_token *token, uint64_t now_s, struct tp_identity *ret)
{
	uint64_t end_s;

	ret->max_lifetime_s = UINT32_MAX;
	if (!token->lifetime_s)
		return true;
	end_s = token->issued_s + token->lifetime_s + TP_TOKEN_CLOCK_SKEW_S;
	if (now_s >= end_s || token->issued_s > now_s + token->lifetime_s + TP_TOKEN_CLOCK_SKEW_S)
		return false;
	ret->expires_s = end_s;
	ret->max_lifetime_s = end_s - now_s < UINT32_MAX ? (uint32_t)(end_s - now_s) : UINT32_MAX;
	return true;
}

/*
 * RFC 7635: USERNAME is the key id, the token carries the key of the integrity. coturn's
 * clients use of a 20-byte key the first 16 bytes, as long as a long-term key: both are good.
 */
static enum tp_auth_result token_check(const struct claim *c, const struct tp_stun_attr *attr, struct tp_identity *ret)
{
	struct tp_token_key key;
	struct tp_token token;
	enum tp_auth_result found = tp_auth_token_key(c->auth, c->name.data, c->name.size, c->now_s, &key);
	size_t size;
	int err;

	if (found != TP_AUTH_OK)
		return found;
	err = tp_token_decode(&key, c->auth->server_name, tp_stun_value(c->msg, attr), attr->size, &token);
	OPENSSL_cleanse(&key, sizeof(key));
	if (err)
		return err == -EBADMSG ? TP_AUTH_UNAUTHORIZED : TP_AUTH_UNAVAILABLE;
	size = token.mac_key_size;
	if (!integrity_good(c->msg, token.mac_key, size)) {
		size = TP_TOKEN_MAC_KEY_MIN;
		if (!integrity_good(c->msg, token.mac_key, size))
			return TP_AUTH_UNAUTHORIZED;
	}
	identity_accept(c, &c->name, token.mac_key, size, ret);
	return token_current(&token, c->now_s, ret) ? TP_AUTH_OK : TP_AUTH_UNAUTHORIZED;
}

/* A request of a token's session that leaves the token away: the key is known. Its end is that of the token. */
static bool is_session(const struct claim *c)
{
	const struct tp_identity *session = c->session;

	return session && session->max_lifetime_s && c->auth->oauth && c->name.data &&
	       strlen(session->user) == c->name.size && memcmp(session->user, c->name.data, c->name.size) == 0 &&
	       strcmp(session->realm, c->realm->name) == 0;
}

static enum tp_auth_result session_check(const struct claim *c, struct tp_identity *ret)
{
	uint64_t end_s = c->session->expires_s;

	if ((end_s && c->now_s >= end_s) || !integrity_good(c->msg, c->session->key, c->session->key_size))
		return TP_AUTH_UNAUTHORIZED;
	*ret = *c->session;
	ret->sha256 = c->negotiated;
	if (end_s && end_s - c->now_s < UINT32_MAX)
		ret->max_lifetime_s = (uint32_t)(end_s - c->now_s);
	return TP_AUTH_OK;
}

static enum tp_auth_result claim_check(const struct claim *c, struct tp_identity *ret)
{
	const struct tp_user *user = NULL;
	enum tp_auth_result result;
	struct tp_stun_attr token;

	if (!c->realm || (c->name.data && c->name.size >= TP_AUTH_NAME_SIZE))
		return TP_AUTH_UNAUTHORIZED;
	/*
	 * A nonce of ours shows that the client receives at its address: without it spoofers could
	 * flood the store with names.
	 */
	if (c->auth->store && c->nonce != TP_NONCE_VALID)
		return TP_AUTH_STALE_NONCE;
	if (c->name.data && c->auth->oauth && tp_stun_find(c->msg, TP_STUN_ATTR_ACCESS_TOKEN, &token))
		return token_check(c, &token, ret);
	if (is_session(c))
		return session_check(c, ret);
	/* Without negotiation a client is taken to mean MD5; where that is off, nobody can be meant. */
	if (!(c->algorithm & c->auth->algorithms))
		return TP_AUTH_UNAUTHORIZED;
	if (c->name.data)
		user = tp_users_find(c->auth->users, c->realm_index, c->name.data, c->name.size);
	else if (c->hash.size == TP_STUN_SHA256_SIZE)
		user = tp_users_find_hash(c->auth->users, c->realm_index, tp_stun_value(c->msg, &c->hash));
	if (user)
		return user_check(c, user, ret);
	if (!c->name.data)
		return TP_AUTH_UNAUTHORIZED;
	result = rest_check(c, ret);
	return result == TP_AUTH_UNAUTHORIZED && c->auth->store ? store_check(c, ret) : result;
}

enum tp_auth_result tp_auth_check(const struct tp_auth *auth, const struct tp_stun_msg *msg,
				  const struct tp_tuple *from, uint64_t now_s, const struct tp_identity *session,
				  struct tp_identity *ret)
{
	struct claim c = { .auth = auth, .msg = msg, .now_s = now_s, .session = session };
	struct tp_identity identity;
	enum tp_auth_result result;
	const char *realm = tp_users_realm(auth->users, 0)->name;

	if (auth->no_auth) {
		*ret = (struct tp_identity){ .anonymous = true };
		memcpy(ret->realm, realm, strlen(realm));
		return TP_AUTH_OK;
	}
	if (!msg->integrity && !msg->integrity_sha256)
		return TP_AUTH_CHALLENGE;
	if (!claim_read(&c, from) || !claim_read_algorithm(&c))
		return TP_AUTH_BAD_REQUEST;
	result = claim_check(&c, &identity);
	if (result != TP_AUTH_OK)
		return result;
	if (c.nonce != TP_NONCE_VALID)
		return TP_AUTH_STALE_NONCE;
	*ret = identity;
	return TP_AUTH_OK;
}
