/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who a request comes from: long-term credentials (RFC 8489 section 9.2) over
 * configured users, REST secrets, third-party tokens (RFC 7635) and user stores.
 * No state per client; nonces are sealed, not stored.
 */
#ifndef TP_AUTH_AUTH_H
#define TP_AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "stun/stun.h"

struct tp_conf;
struct tp_auth;			/* immutable, built from a configuration, swapped by RCU with it */

#define TP_AUTH_NAME_SIZE	764	/* USERNAME has 508 bytes, up to 763 from RFC 5389 (section 14.3), and a zero */
#define TP_AUTH_KEY_SIZE	32
#define TP_AUTH_REALM_SIZE	128

/* NULL and a message in `err` where keys or secrets of the configuration are unusable. */
struct tp_auth *tp_auth_new(const struct tp_conf *conf, char *err, size_t err_size);
void tp_auth_free(struct tp_auth *auth);
/* Users, secrets and token keys that the configuration does not have are asked of `store`, which outlives `auth`. */
struct tp_store;
void tp_auth_use_store(struct tp_auth *auth, struct tp_store *store);

enum tp_auth_result {
	TP_AUTH_OK,
	TP_AUTH_CHALLENGE,	/* no credentials: 401 with realm and nonce */
	TP_AUTH_BAD_REQUEST,	/* 400: credentials in part */
	TP_AUTH_UNAUTHORIZED,	/* 401: wrong user or integrity */
	TP_AUTH_STALE_NONCE,	/* 438 */
	TP_AUTH_FORBIDDEN,	/* 403: a valid token that does not allow this */
	TP_AUTH_LATER,		/* a store was asked: the request is to be given in again */
	TP_AUTH_UNAVAILABLE,	/* the store is down, or libcrypto refuses: 500 */
};

/* What an authenticated request is authenticated as; its response is protected with the same key. */
struct tp_identity {
	char user[TP_AUTH_NAME_SIZE];	/* as it is configured; REST "expiry:name" as it is written; a token's key id */
	/* Its part that quotas go by: of a REST name what is not the expiry, or all of it where there is no more. */
	uint16_t account_offset, account_size;
	char realm[TP_AUTH_REALM_SIZE];
	uint8_t key[TP_AUTH_KEY_SIZE];
	uint8_t key_size;
	bool sha256;			/* a password algorithm was negotiated: answer with MESSAGE-INTEGRITY-SHA256 */
	bool anonymous;			/* no-auth */
	uint64_t expires_s;		/* wall clock; 0: does not end (REST names and tokens do) */
	/* 0: no bound but the configuration's. A token always has one, UINT32_MAX where it has no end. */
	uint32_t max_lifetime_s;
};

/*
 * Checks a request. `now_s` is wall-clock time. `session`: whose allocation the request is
 * about, or NULL; where that was made by a token, requests need not bring the token again
 * (RFC 7635: only Allocate and Refresh do), but its key id and the integrity of its key.
 * On TP_AUTH_OK `ret` is filled.
 * `realm` of a challenge is found from ORIGIN (multi-realm) or the default.
 */
enum tp_auth_result tp_auth_check(const struct tp_auth *auth, const struct tp_stun_msg *msg,
				  const struct tp_tuple *from, uint64_t now_s, const struct tp_identity *session,
				  struct tp_identity *ret);

/*
 * Does a user still exist, with the key that its allocation was made with (after a
 * reload)? A REST name that expired meanwhile does: it makes no new requests, what
 * it has lives out its lifetime. A token must not have ended.
 */
bool tp_auth_user_exists(const struct tp_auth *auth, const struct tp_identity *identity, uint64_t now_s);

/*
 * Appends REALM, NONCE (bound to the source address), and PASSWORD-ALGORITHMS where they are
 * offered, to a 401 or 438; THIRD-PARTY-AUTHORIZATION where oauth is on. Shortest legal form.
 */
void tp_auth_put_challenge(const struct tp_auth *auth, struct tp_stun_writer *w, const struct tp_stun_msg *request,
			   const struct tp_tuple *from, uint64_t now_s);

/* What mobility tickets are sealed with; as long-lived as `auth`. */
struct tp_seal;
const struct tp_seal *tp_auth_seal(const struct tp_auth *auth);

/* Integrity of a response as the identity asks for it. */
void tp_auth_put_integrity(const struct tp_identity *identity, struct tp_stun_writer *w);

#endif
