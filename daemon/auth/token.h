/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Access tokens of third-party authorisation (RFC 7635), self-contained ones as its
 * section 6.2 has them: encrypted with a key shared with the authorisation server,
 * which the request's USERNAME (kid) names. Called by auth.c.
 */
#ifndef TP_AUTH_TOKEN_H
#define TP_AUTH_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#define TP_TOKEN_KID_SIZE	128
#define TP_TOKEN_MAC_KEY_MIN	16
#define TP_TOKEN_MAC_KEY_MAX	32
#define TP_TOKEN_CLOCK_SKEW_S	5	/* the allowance that RFC 7635 recommends */

/* One oauth-key: "kid,base64 key,timestamp,lifetime,A256GCM|A128GCM"; trailing fields may be missing. */
struct tp_token_key {
	char kid[TP_TOKEN_KID_SIZE];
	uint8_t key[32];
	uint8_t key_size;	/* 16: A128GCM, 32: A256GCM */
	uint64_t expires_s;	/* wall clock; 0: never */
};

/* 0, or -EINVAL and what is wrong in `ret_reason`, a constant text. */
int tp_token_key_parse(const char *row, struct tp_token_key *ret, const char **ret_reason);

struct tp_token {
	uint8_t mac_key[TP_TOKEN_MAC_KEY_MAX];
	uint8_t mac_key_size;
	uint64_t issued_s;	/* wall clock */
	uint32_t lifetime_s;	/* 0: no end */
};

/*
 * The value of ACCESS-TOKEN. `server_name` is the additional data that it was sealed for.
 * 0; -EBADMSG: malformed, of another key or another server; -EIO: libcrypto refuses.
 */
int tp_token_decode(const struct tp_token_key *key, const char *server_name, const uint8_t *data, size_t size,
		    struct tp_token *ret);

#endif
