/* SPDX-License-Identifier: GPL-2.0 */
/* What a 401 and a 438 offer, and the integrity of responses (RFC 8489 section 9.2.4); see auth.h. */
#include <errno.h>
#include <string.h>

#include "auth/state.h"
#include "stun/wire.h"

uint8_t tp_auth_offered(const struct tp_auth *auth, const struct tp_realm *realm)
{
	uint8_t offered = auth->algorithms;

	if (realm->md5_only || auth->has_store)
		offered &= (uint8_t)~TP_ALGORITHM_SHA256;
	/* MD5 alone is what a server without the attribute is understood to mean, and 12 bytes less. */
	return offered == TP_ALGORITHM_MD5 ? 0 : offered;
}

size_t tp_algorithms_encode(uint8_t algorithms, uint8_t ret[TP_ALGORITHMS_MAX_SIZE])
{
	size_t size = 0;

	if (algorithms & TP_ALGORITHM_SHA256) {
		store_be32(ret, TP_STUN_ALGORITHM_SHA256 << 16);
		size += 4;
	}
	if (algorithms & TP_ALGORITHM_MD5) {
		store_be32(ret + size, TP_STUN_ALGORITHM_MD5 << 16);
		size += 4;
	}
	return size;
}

struct tp_nonce_params tp_auth_nonce_params(const struct tp_auth *auth, const struct tp_realm *realm)
{
	struct tp_nonce_params params = { .seal = &auth->seal, .realm = realm->name };

	params.algorithms = tp_auth_offered(auth, realm);
	if (params.algorithms)
		params.features |= TP_NONCE_PASSWORD_ALGORITHMS;
	if (auth->anonymity)
		params.features |= TP_NONCE_USERNAME_ANONYMITY;
	return params;
}

struct tp_bytes tp_auth_text(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr)
{
	const char *text = (const char *)tp_stun_value(msg, attr);
	size_t size = attr->size;

	while (size && !text[size - 1])
		size--;
	if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
		text++;
		size -= 2;
	}
	return (struct tp_bytes){ text, size };
}

int tp_auth_request_realm(const struct tp_auth *auth, const struct tp_stun_msg *msg)
{
	struct tp_stun_attr attr;
	struct tp_bytes name;

	if (!tp_stun_find(msg, TP_STUN_ATTR_REALM, &attr))
		return -ENOENT;
	name = tp_auth_text(msg, &attr);
	return tp_users_find_realm(auth->users, name.data, name.size);
}

/* The realm that the client tried; otherwise that of its first ORIGIN that has one; otherwise the default one. */
static const struct tp_realm *challenge_realm(const struct tp_auth *auth, const struct tp_stun_msg *request)
{
	int index = tp_auth_request_realm(auth, request);
	struct tp_stun_attr attr;
	size_t pos = 0;

	while (index < 0 && tp_stun_next(request, &pos, &attr))
		if (attr.type == TP_STUN_ATTR_ORIGIN)
			index = tp_users_find_origin(auth->users, tp_stun_value(request, &attr), attr.size);
	return tp_users_realm(auth->users, index < 0 ? 0 : (size_t)index);
}

void tp_auth_put_challenge(const struct tp_auth *auth, struct tp_stun_writer *w, const struct tp_stun_msg *request,
			   const struct tp_tuple *from, uint64_t now_s)
{
	const struct tp_realm *realm = challenge_realm(auth, request);
	const struct tp_nonce_params params = tp_auth_nonce_params(auth, realm);
	uint8_t algorithms[TP_ALGORITHMS_MAX_SIZE];
	char nonce[TP_NONCE_SIZE];
	size_t size;

	if (tp_nonce_make(&params, &from->client, now_s, nonce)) {
		w->overflow = true;
		return;
	}
	tp_stun_put(w, TP_STUN_ATTR_REALM, realm->name, strlen(realm->name));
	tp_stun_put(w, TP_STUN_ATTR_NONCE, nonce, sizeof(nonce));
	size = tp_algorithms_encode(params.algorithms, algorithms);
	if (size)
		tp_stun_put(w, TP_STUN_ATTR_PASSWORD_ALGORITHMS, algorithms, size);
	if (auth->oauth)
		tp_stun_put(w, TP_STUN_ATTR_THIRD_PARTY_AUTHORIZATION, auth->server_name, strlen(auth->server_name));
}

void tp_auth_put_integrity(const struct tp_identity *identity, struct tp_stun_writer *w)
{
	if (identity->anonymous)
		return;
	if (identity->sha256)
		tp_stun_put_integrity_sha256(w, identity->key, identity->key_size);
	else
		tp_stun_put_integrity(w, identity->key, identity->key_size);
}
