/* SPDX-License-Identifier: GPL-2.0 */
/* Keys derived from nonce-key, and sealed tickets; see seal.h. */
#include "auth/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "auth/node_key.h"
#include "auth/text.h"
#include "stun/digest.h"
#include "stun/wire.h"

#define CONTENT_SIZE	12	/* allocation, counter */
#define MAC_SIZE	12
#define BOX_SIZE	(MAC_SIZE + CONTENT_SIZE)
#define SEALED_MAC_SIZE	(TP_SEALED_KEY_SIZE - TP_SEALED_SECRET_SIZE)

static int key_derive(const uint8_t *secret, size_t size, const char *purpose, uint8_t ret[TP_SEAL_KEY_SIZE])
{
	const struct tp_bytes part = { purpose, strlen(purpose) };

	return tp_hmac(TP_DIGEST_SHA256, secret, size, &part, 1, ret);
}

int tp_seal_init(struct tp_seal *ret, const char *hex)
{
	uint8_t secret[TP_SEAL_SECRET_MAX];
	int size = TP_SEAL_KEY_SIZE, err = tp_node_key(secret);

	if (!err)
		err = key_derive(secret, (size_t)size, "turnpike keep mac", ret->keep_mac_key);
	if (!err)
		err = key_derive(secret, (size_t)size, "turnpike keep mask", ret->keep_mask_key);
	if (!err && hex) {
		size = tp_hex_decode(hex, secret, sizeof(secret));
		err = size < TP_SEAL_SECRET_MIN ? -EINVAL : 0;
	}
	if (!err)
		err = key_derive(secret, (size_t)size, "turnpike nonce", ret->nonce_key);
	if (!err)
		err = key_derive(secret, (size_t)size, "turnpike ticket mac", ret->ticket_mac_key);
	if (!err)
		err = key_derive(secret, (size_t)size, "turnpike ticket mask", ret->ticket_mask_key);
	OPENSSL_cleanse(secret, sizeof(secret));
	return err;
}

/* XORs the contents with what the MAC before them, as a synthetic IV, expands to. */
static int box_mask(const struct tp_seal *seal, uint8_t box[BOX_SIZE])
{
	const struct tp_bytes iv = { box, MAC_SIZE };
	uint8_t mask[TP_DIGEST_MAX_SIZE];
	int err = tp_hmac(TP_DIGEST_SHA256, seal->ticket_mask_key, sizeof(seal->ticket_mask_key), &iv, 1, mask);

	for (size_t i = 0; !err && i < CONTENT_SIZE; i++)
		box[MAC_SIZE + i] ^= mask[i];
	return err;
}

static int content_mac(const struct tp_seal *seal, const uint8_t *content, uint8_t ret[TP_DIGEST_MAX_SIZE])
{
	const struct tp_bytes part = { content, CONTENT_SIZE };

	return tp_hmac(TP_DIGEST_SHA256, seal->ticket_mac_key, sizeof(seal->ticket_mac_key), &part, 1, ret);
}

int tp_ticket_make(const struct tp_seal *seal, const struct tp_ticket *ticket, char ret[TP_TICKET_SIZE])
{
	uint8_t box[BOX_SIZE], mac[TP_DIGEST_MAX_SIZE];
	int err;

	store_be64(box + MAC_SIZE, ticket->allocation);
	store_be32(box + MAC_SIZE + 8, ticket->counter);
	err = content_mac(seal, box + MAC_SIZE, mac);
	if (err)
		return err;
	memcpy(box, mac, MAC_SIZE);
	err = box_mask(seal, box);
	if (!err)
		tp_base64url_encode(box, sizeof(box), ret);
	return err;
}

int tp_ticket_open(const struct tp_seal *seal, const void *text, size_t size, struct tp_ticket *ret)
{
	uint8_t box[BOX_SIZE], mac[TP_DIGEST_MAX_SIZE];

	if (size != TP_TICKET_SIZE || !tp_base64url_decode(text, size, box) || box_mask(seal, box) ||
	    content_mac(seal, box + MAC_SIZE, mac) || CRYPTO_memcmp(box, mac, MAC_SIZE) != 0)
		return -EBADMSG;
	ret->allocation = load_be64(box + MAC_SIZE);
	ret->counter = load_be32(box + MAC_SIZE + 8);
	return 0;
}

static int record_mac(const struct tp_seal *seal, const void *record, size_t size, const uint8_t *key,
		      uint8_t ret[TP_DIGEST_MAX_SIZE])
{
	const struct tp_bytes parts[] = { { record, size }, { key, TP_SEALED_SECRET_SIZE } };

	return tp_hmac(TP_DIGEST_SHA256, seal->keep_mac_key, sizeof(seal->keep_mac_key), parts, 2, ret);
}

/* The key, as masked by what the MAC before it, as a synthetic IV, expands to; or the other way. */
static int record_mask(const struct tp_seal *seal, const uint8_t *mac, const uint8_t *from, uint8_t *to)
{
	const struct tp_bytes iv = { mac, SEALED_MAC_SIZE };
	uint8_t mask[TP_DIGEST_MAX_SIZE];
	int err = tp_hmac(TP_DIGEST_SHA256, seal->keep_mask_key, sizeof(seal->keep_mask_key), &iv, 1, mask);

	for (size_t i = 0; !err && i < TP_SEALED_SECRET_SIZE; i++)
		to[i] = from[i] ^ mask[i];
	OPENSSL_cleanse(mask, sizeof(mask));
	return err;
}

int tp_key_seal(const struct tp_seal *seal, const void *record, size_t size,
		const uint8_t key[TP_SEALED_SECRET_SIZE], uint8_t ret[TP_SEALED_KEY_SIZE])
{
	uint8_t mac[TP_DIGEST_MAX_SIZE];
	int err = record_mac(seal, record, size, key, mac);

	if (err)
		return err;
	memcpy(ret, mac, SEALED_MAC_SIZE);
	return record_mask(seal, ret, key, ret + SEALED_MAC_SIZE);
}

int tp_key_unseal(const struct tp_seal *seal, const void *record, size_t size,
		  const uint8_t sealed[TP_SEALED_KEY_SIZE], uint8_t ret[TP_SEALED_SECRET_SIZE])
{
	uint8_t key[TP_SEALED_SECRET_SIZE], mac[TP_DIGEST_MAX_SIZE];
	bool good = !record_mask(seal, sealed, sealed + SEALED_MAC_SIZE, key) &&
		    !record_mac(seal, record, size, key, mac) && CRYPTO_memcmp(mac, sealed, SEALED_MAC_SIZE) == 0;

	if (good)
		memcpy(ret, key, sizeof(key));
	OPENSSL_cleanse(key, sizeof(key));
	return good ? 0 : -EBADMSG;
}
