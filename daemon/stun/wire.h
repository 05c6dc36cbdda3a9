/* SPDX-License-Identifier: GPL-2.0 */
/* Big-endian loads and stores at any alignment; inside daemon/stun and daemon/auth. */
#ifndef TP_STUN_WIRE_H
#define TP_STUN_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_XOR	0x5354554eu	/* "STUN" (RFC 8489 section 14.7) */

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)load_be16(p) << 16 | load_be16(p + 2);
}

static inline uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

/* Attribute values and password algorithm parameters fill up to 4 bytes. */
static inline size_t padded_size(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

#endif
