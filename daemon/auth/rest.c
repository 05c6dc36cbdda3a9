/* SPDX-License-Identifier: GPL-2.0 */
/* Names and passwords of the TURN REST API; see rest.h. */
#include "auth/rest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "stun/digest.h"

static bool number_parse(const char *text, size_t size, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = n;
	return size > 0;
}

bool tp_rest_name_parse(const void *name, size_t size, char separator, struct tp_rest_name *ret)
{
	const char *text = name, *at = memchr(text, separator, size);
	size_t before = at ? (size_t)(at - text) : size, after = at ? size - before - 1 : 0;
	struct tp_rest_name parsed = { 0 };

	if (memchr(text, 0, size))
		return false;
	if (number_parse(text, before, &parsed.expires_s)) {
		parsed.user_offset = at ? before + 1 : size;
		parsed.user_size = after;
	} else if (at && number_parse(at + 1, after, &parsed.expires_s)) {
		parsed.user_size = before;
	} else {
		return false;
	}
	*ret = parsed;
	return true;
}

int tp_rest_password(const char *secret, const void *name, size_t size, char ret[TP_REST_PASSWORD_SIZE])
{
	const struct tp_bytes part = { name, size };
	unsigned char text[TP_REST_PASSWORD_SIZE + 1];
	uint8_t mac[TP_DIGEST_MAX_SIZE];
	int err = tp_hmac(TP_DIGEST_SHA1, secret, strlen(secret), &part, 1, mac);

	if (err)
		return err;
	EVP_EncodeBlock(text, mac, (int)tp_digest_size(TP_DIGEST_SHA1));
	memcpy(ret, text, TP_REST_PASSWORD_SIZE);
	return 0;
}
