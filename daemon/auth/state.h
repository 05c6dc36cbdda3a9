/* SPDX-License-Identifier: GPL-2.0 */
/* What `struct tp_auth` is made of; inside daemon/auth. Immutable once built. */
#ifndef TP_AUTH_STATE_H
#define TP_AUTH_STATE_H

#include "auth/auth.h"
#include "auth/nonce.h"
#include "auth/seal.h"
#include "auth/store.h"
#include "auth/token.h"
#include "auth/user.h"

/* Bits of tp_conf.password_algorithms. */
#define TP_ALGORITHM_MD5	0x01
#define TP_ALGORITHM_SHA256	0x02

/* Two entries without parameters. */
#define TP_ALGORITHMS_MAX_SIZE	8

struct tp_auth {
	struct tp_seal seal;
	struct tp_users *users;
	char **secrets;
	size_t secrets_len;
	struct tp_token_key *token_keys;
	size_t token_keys_len;
	char *server_name;
	char separator;
	bool no_auth, oauth;
	bool has_store;		/* the configuration names one: its users have MD5 keys */
	bool use_secrets;	/* names of the REST API are good */
	struct tp_store *store;	/* NULL: none, or not yet */
	uint8_t algorithms;	/* accepted: TP_ALGORITHM_* */
	bool anonymity;		/* USERHASH can be resolved for every user there is */
	uint32_t stale_nonce_s;
};

/* Of the algorithms accepted, those that a realm's challenge lists; 0: no list, MD5 is understood. */
uint8_t tp_auth_offered(const struct tp_auth *auth, const struct tp_realm *realm);
/* The list as PASSWORD-ALGORITHMS has it (RFC 8489 section 14.11), the stronger first. Its size. */
size_t tp_algorithms_encode(uint8_t algorithms, uint8_t ret[TP_ALGORITHMS_MAX_SIZE]);
struct tp_nonce_params tp_auth_nonce_params(const struct tp_auth *auth, const struct tp_realm *realm);
/* The realm that a request names, or -ENOENT. */
int tp_auth_request_realm(const struct tp_auth *auth, const struct tp_stun_msg *msg);
/*
 * A token key of the configuration or the store: TP_AUTH_OK and a copy, TP_AUTH_UNAUTHORIZED: there
 * is none that has not ended; TP_AUTH_LATER, TP_AUTH_UNAVAILABLE.
 */
enum tp_auth_result tp_auth_token_key(const struct tp_auth *auth, const void *kid, size_t size, uint64_t now_s,
				      struct tp_token_key *ret);
/* Whatever else a store answers: TP_AUTH_UNAUTHORIZED, TP_AUTH_LATER or TP_AUTH_UNAVAILABLE. */
enum tp_auth_result tp_auth_store_failed(enum tp_store_result result);
/* The key of a user in the store, and TP_AUTH_OK; a row that holds none is TP_AUTH_UNAUTHORIZED. */
enum tp_auth_result tp_auth_store_key(const struct tp_auth *auth, const char *realm, const struct tp_bytes *name,
				      struct tp_key *ret);

/* The value of USERNAME or REALM without trailing zeroes and quotes around it (section 9.2.2). */
struct tp_bytes tp_auth_text(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr);

#endif
