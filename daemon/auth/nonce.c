/* SPDX-License-Identifier: GPL-2.0 */
/* Stateless nonces; see nonce.h. */
#include "auth/nonce.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "auth/text.h"
#include "stun/digest.h"
#include "stun/wire.h"

#define MAGIC		"obMatJos2"
#define MAGIC_SIZE	9
#define COOKIE_SIZE	13
#define STAMP_SIZE	6	/* time and port */
#define MAC_SIZE	6
#define BOX_SIZE	(STAMP_SIZE + MAC_SIZE)
#define MAX_SKEW_S	60	/* between the clocks of a farm's nodes */

/*
 * The MAC covers all that the nonce stands for: the cookie, so that a feature struck
 * off it is noticed (section 9.2.1), the list of algorithms sent along with it, the
 * realm, and the source address. The port is in the nonce, because two ports must not
 * get the same one (section 9.2.4), but need not be the port that it comes back from:
 * a NAT may have changed that, or the client its connection.
 */
static int nonce_mac(const struct tp_nonce_params *params, const struct tp_addr *client, const uint8_t *cookie,
		     const uint8_t *stamp, uint8_t ret[TP_DIGEST_MAX_SIZE])
{
	const uint8_t fixed[] = { client->family, params->algorithms };
	const struct tp_bytes parts[] = {
		{ cookie, COOKIE_SIZE },
		{ stamp, STAMP_SIZE },
		{ fixed, sizeof(fixed) },
		{ client->ip, sizeof(client->ip) },
		{ params->realm, strlen(params->realm) },
	};

	return tp_hmac(TP_DIGEST_SHA256, params->seal->nonce_key, sizeof(params->seal->nonce_key), parts, 5, ret);
}

int tp_nonce_make(const struct tp_nonce_params *params, const struct tp_addr *client, uint64_t now_s,
		  char ret[TP_NONCE_SIZE])
{
	const uint8_t features[3] = { (uint8_t)(params->features >> 16), 0, (uint8_t)params->features };
	uint8_t box[BOX_SIZE], mac[TP_DIGEST_MAX_SIZE];

	/* The bits in use make no '+' or '/', in which base64url would differ. */
	memcpy(ret, MAGIC, MAGIC_SIZE);
	tp_base64url_encode(features, sizeof(features), ret + MAGIC_SIZE);
	store_be32(box, (uint32_t)now_s);
	store_be16(box + 4, client->port);
	if (nonce_mac(params, client, (const uint8_t *)ret, box, mac))
		return -EIO;
	memcpy(box + STAMP_SIZE, mac, MAC_SIZE);
	tp_base64url_encode(box, sizeof(box), ret + COOKIE_SIZE);
	return 0;
}

enum tp_nonce_state tp_nonce_check(const struct tp_nonce_params *params, const struct tp_addr *client,
				   uint64_t now_s, uint32_t max_age_s, const uint8_t *nonce, size_t size)
{
	uint8_t box[BOX_SIZE], mac[TP_DIGEST_MAX_SIZE];
	int32_t age_s;

	if (size != TP_NONCE_SIZE ||
	    !tp_base64url_decode((const char *)nonce + COOKIE_SIZE, TP_NONCE_SIZE - COOKIE_SIZE, box) ||
	    nonce_mac(params, client, nonce, box, mac) || CRYPTO_memcmp(mac, box + STAMP_SIZE, MAC_SIZE) != 0)
		return TP_NONCE_FOREIGN;
	/* Modulo 2^32 seconds, so that it holds beyond 2106. */
	age_s = (int32_t)((uint32_t)now_s - load_be32(box));
	if (max_age_s && (age_s < -MAX_SKEW_S || age_s > (int64_t)max_age_s))
		return TP_NONCE_EXPIRED;
	return TP_NONCE_VALID;
}

uint32_t tp_nonce_features(const uint8_t *nonce, size_t size)
{
	uint8_t bytes[3];
	uint32_t bits, features = 0;

	if (size < COOKIE_SIZE || memcmp(nonce, MAGIC, MAGIC_SIZE) != 0 ||
	    !tp_base64url_decode((const char *)nonce + MAGIC_SIZE, 4, bytes))
		return 0;
	bits = (uint32_t)bytes[0] << 16 | bytes[2];
	if (bits & TP_NONCE_PASSWORD_ALGORITHMS)
		features |= TP_NONCE_PASSWORD_ALGORITHMS;
	if (bits & TP_NONCE_USERNAME_ANONYMITY)
		features |= TP_NONCE_USERNAME_ANONYMITY;
	return features;
}
