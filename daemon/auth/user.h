/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The users of the configuration with their keys, found by USERNAME or USERHASH, the
 * realms they live in, and the realms of origins. Built once, then read only: no key is derived per packet.
 * Called by auth.c.
 */
#ifndef TP_AUTH_USER_H
#define TP_AUTH_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stun/digest.h"

struct tp_conf;
struct tp_users;

#define TP_USER_FORMS	2

/* A key of a user's, for the algorithm it was asked for. */
struct tp_key {
	uint8_t bytes[32];
	uint8_t size;
};

/*
 * The password as SASLprep makes it, and as it is written where that differs: what
 * OpaqueString (RFC 8265) leaves as it is, SASLprep (RFC 4013, RFC 5389) may change,
 * and browsers prepare nothing. No key of an algorithm: the user cannot use it.
 */
struct tp_user {
	const char *name;	/* as clients send it */
	const char *account;	/* as it is configured */
	uint8_t realm;		/* index */
	uint8_t forms[2];	/* number of keys: MD5, SHA-256 */
	uint8_t md5[TP_USER_FORMS][16];
	uint8_t sha256[TP_USER_FORMS][32];
	uint8_t hash[32];	/* USERHASH (RFC 8489 section 14.4) */
};

struct tp_realm {
	char *name;		/* prepared (section 14.9), as it is sent and keys are made of it; at most 127 bytes */
	bool md5_only;		/* a user has no key but an MD5 one: SHA-256 must not be offered */
	bool sha256_only;	/* a user has no key but a SHA-256 one */
};

/* NULL and a message in `err` where the configuration's users are unusable. */
struct tp_users *tp_users_new(const struct tp_conf *conf, char *err, size_t err_size);
void tp_users_free(struct tp_users *users);

/* The default realm is the first; NULL past the last. */
const struct tp_realm *tp_users_realm(const struct tp_users *users, size_t index);
/* -ENOENT, or its index. */
int tp_users_find_realm(const struct tp_users *users, const void *name, size_t size);
/* The realm of an ORIGIN (draft-johnston-tram-stun-origin), whatever its case; -ENOENT: it has none. */
int tp_users_find_origin(const struct tp_users *users, const void *origin, size_t size);
const struct tp_user *tp_users_find(const struct tp_users *users, size_t realm, const void *name, size_t size);
const struct tp_user *tp_users_find_hash(const struct tp_users *users, size_t realm, const uint8_t hash[32]);

/* MD5 or SHA-256 of name ":" realm ":" password (sections 9.2.2, 18.5.1). 0 or -EIO. */
int tp_key_derive(enum tp_digest_kind kind, const struct tp_bytes *name, const char *realm,
		  const struct tp_bytes *password, struct tp_key *ret);

#endif
