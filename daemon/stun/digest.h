/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Digests and HMACs by libcrypto, with its algorithm objects fetched once and its
 * contexts kept per thread: a fetch per packet would cost more than the hash.
 * Used by the codec's integrity and by daemon/auth.
 */
#ifndef TP_STUN_DIGEST_H
#define TP_STUN_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum tp_digest_kind { TP_DIGEST_MD5, TP_DIGEST_SHA1, TP_DIGEST_SHA256, TP_DIGEST_KINDS };

#define TP_DIGEST_MAX_SIZE	32

struct tp_bytes {
	const void *data;
	size_t size;
};

/* 16, 20 or 32 bytes. */
size_t tp_digest_size(enum tp_digest_kind kind);

/* Over the concatenation of the parts. 0, or -EIO where libcrypto refuses; `ret` is then untouched. */
int tp_digest(enum tp_digest_kind kind, const struct tp_bytes *parts, size_t len, uint8_t *ret);
int tp_hmac(enum tp_digest_kind kind, const void *key, size_t key_size, const struct tp_bytes *parts, size_t len,
	    uint8_t *ret);

/* CRC-32 of ITU V.42 (RFC 8489 section 14.7). */
uint32_t tp_crc32(const void *data, size_t size);

#endif
