/* SPDX-License-Identifier: GPL-2.0 */
/* What check.c asks of the user store (store.h), as results of a check; and token keys of either place. */
#include <openssl/crypto.h>
#include <string.h>

#include "auth/state.h"
#include "auth/text.h"

enum tp_auth_result tp_auth_store_failed(enum tp_store_result result)
{
	if (result == TP_STORE_PENDING)
		return TP_AUTH_LATER;
	return result == TP_STORE_DOWN ? TP_AUTH_UNAVAILABLE : TP_AUTH_UNAUTHORIZED;
}

enum tp_auth_result tp_auth_store_key(const struct tp_auth *auth, const char *realm, const struct tp_bytes *name,
				      struct tp_key *ret)
{
	char text[TP_STORE_TEXT_SIZE];
	enum tp_store_result result;
	int size;

	if (!auth->store)
		return TP_AUTH_UNAUTHORIZED;
	result = tp_store_get(auth->store, TP_STORE_USER, realm, name->data, name->size, 0, text);
	if (result != TP_STORE_FOUND)
		return tp_auth_store_failed(result);
	size = tp_hex_decode(text, ret->bytes, sizeof(ret->bytes));
	OPENSSL_cleanse(text, sizeof(text));
	if (size != 16 && size != 32)
		return TP_AUTH_UNAUTHORIZED;
	ret->size = (uint8_t)size;
	return TP_AUTH_OK;
}

static enum tp_auth_result key_current(const struct tp_token_key *key, uint64_t now_s)
{
	return !key->expires_s || now_s < key->expires_s ? TP_AUTH_OK : TP_AUTH_UNAUTHORIZED;
}

static enum tp_auth_result store_token_key(const struct tp_auth *auth, const void *kid, size_t size, uint64_t now_s,
					   struct tp_token_key *ret)
{
	char row[TP_STORE_TEXT_SIZE];
	const char *reason;
	enum tp_store_result result = tp_store_get(auth->store, TP_STORE_OAUTH_KEY, "", kid, size, 0, row);
	int err;

	if (result != TP_STORE_FOUND)
		return tp_auth_store_failed(result);
	err = tp_token_key_parse(row, ret, &reason);
	OPENSSL_cleanse(row, sizeof(row));
	return err ? TP_AUTH_UNAUTHORIZED : key_current(ret, now_s);
}

enum tp_auth_result tp_auth_token_key(const struct tp_auth *auth, const void *kid, size_t size, uint64_t now_s,
				      struct tp_token_key *ret)
{
	for (size_t i = 0; i < auth->token_keys_len; i++) {
		const struct tp_token_key *key = &auth->token_keys[i];

		if (strlen(key->kid) != size || memcmp(key->kid, kid, size) != 0)
			continue;
		*ret = *key;
		return key_current(key, now_s);
	}
	return auth->store ? store_token_key(auth, kid, size, now_s, ret) : TP_AUTH_UNAUTHORIZED;
}
