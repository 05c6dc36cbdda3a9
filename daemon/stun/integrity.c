/* SPDX-License-Identifier: GPL-2.0 */
/* Checking MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 sections 14.5, 14.6); see stun.h. */
#include <openssl/crypto.h>
#include <string.h>

#include "stun/digest.h"
#include "stun/stun.h"
#include "stun/wire.h"

/* The HMAC covers what is before the attribute, under a header whose length ends with the attribute. */
static bool integrity_matches(const struct tp_stun_msg *msg, uint16_t at, enum tp_digest_kind kind, const void *key,
			      size_t key_size)
{
	size_t size = load_be16(msg->data + at + 2);
	uint8_t header[TP_STUN_HEADER_SIZE], mac[TP_DIGEST_MAX_SIZE];
	const struct tp_bytes parts[] = {
		{ header, sizeof(header) },
		{ msg->data + sizeof(header), at - sizeof(header) },
	};

	memcpy(header, msg->data, sizeof(header));
	store_be16(header + 2, (uint16_t)(at + 4 + size - sizeof(header)));
	if (tp_hmac(kind, key, key_size, parts, 2, mac))
		return false;
	return CRYPTO_memcmp(mac, msg->data + at + 4, size) == 0;
}

bool tp_stun_check_integrity(const struct tp_stun_msg *msg, const void *key, size_t key_size)
{
	/* RFC 3489 computed it otherwise (over padded text, with secrets of its own): turnpike does not offer it. */
	if (!msg->integrity || msg->classic || load_be16(msg->data + msg->integrity + 2) != TP_STUN_SHA1_SIZE)
		return false;
	return integrity_matches(msg, msg->integrity, TP_DIGEST_SHA1, key, key_size);
}

bool tp_stun_check_integrity_sha256(const struct tp_stun_msg *msg, const void *key, size_t key_size)
{
	size_t size;

	if (!msg->integrity_sha256 || msg->classic)
		return false;
	size = load_be16(msg->data + msg->integrity_sha256 + 2);
	if (size < 16 || size > TP_STUN_SHA256_SIZE || size % 4)
		return false;
	return integrity_matches(msg, msg->integrity_sha256, TP_DIGEST_SHA256, key, key_size);
}
