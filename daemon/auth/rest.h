/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time-limited credentials of a shared secret ("TURN REST API"): the name says until
 * when it is good, the password is the secret's HMAC-SHA1 of the name. Called by auth.c.
 */
#ifndef TP_AUTH_REST_H
#define TP_AUTH_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TP_REST_PASSWORD_SIZE	28	/* base64 of 20 bytes */

struct tp_rest_name {
	uint64_t expires_s;
	/* Where the user's own name is in it: what accounts and quotas go by. Empty: there is none. */
	size_t user_offset, user_size;
};

/* "expiry", "expiry:user" or "user:expiry" with any separator; false: no such name. */
bool tp_rest_name_parse(const void *name, size_t size, char separator, struct tp_rest_name *ret);
/* 0 or -EIO. No final zero. */
int tp_rest_password(const char *secret, const void *name, size_t size, char ret[TP_REST_PASSWORD_SIZE]);

#endif
