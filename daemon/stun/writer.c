/* SPDX-License-Identifier: GPL-2.0 */
/* Building a STUN message into a caller's buffer (RFC 8489 sections 5, 6.1, 14); see stun.h. */
#include <errno.h>
#include <string.h>

#include "stun/digest.h"
#include "stun/stun.h"
#include "stun/wire.h"

#define REASON_MAX_SIZE 127	/* fewer than 128 characters (section 14.8) */

static uint16_t message_type(uint16_t method, uint8_t class)
{
	return (uint16_t)((method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | (class & 1) << 4 |
			  (class & 2) << 7);
}

void tp_stun_begin(struct tp_stun_writer *w, void *buf, size_t capacity, uint16_t method, uint8_t class,
		   const struct tp_stun_id *id)
{
	*w = (struct tp_stun_writer){ .data = buf, .capacity = capacity, .id = *id };
	if (w->capacity > TP_STUN_MAX_SIZE)
		w->capacity = TP_STUN_MAX_SIZE;
	if (w->capacity < TP_STUN_HEADER_SIZE) {
		w->overflow = true;
		return;
	}
	store_be16(w->data, message_type(method, class));
	store_be16(w->data + 2, 0);
	memcpy(w->data + 4, id->bytes, sizeof(id->bytes));
	w->size = TP_STUN_HEADER_SIZE;
}

/* Appends the header of an attribute and room for its value, which it returns, its padding zeroed; or NULL. */
static uint8_t *attr_append(struct tp_stun_writer *w, uint16_t type, size_t size)
{
	uint8_t *value;

	if (w->overflow || size > UINT16_MAX || 4 + padded_size(size) > w->capacity - w->size) {
		w->overflow = true;
		return NULL;
	}
	value = w->data + w->size + 4;
	store_be16(value - 4, type);
	store_be16(value - 2, (uint16_t)size);
	memset(value + size, 0, padded_size(size) - size);
	w->size += 4 + padded_size(size);
	store_be16(w->data + 2, (uint16_t)(w->size - TP_STUN_HEADER_SIZE));
	return value;
}

void tp_stun_put(struct tp_stun_writer *w, uint16_t type, const void *value, size_t size)
{
	uint8_t *p = attr_append(w, type, size);

	if (p && size)
		memcpy(p, value, size);
}

void tp_stun_put_u32(struct tp_stun_writer *w, uint16_t type, uint32_t value)
{
	uint8_t *p = attr_append(w, type, 4);

	if (p)
		store_be32(p, value);
}

static void addr_put(struct tp_stun_writer *w, uint16_t type, const struct tp_addr *addr, const uint8_t mask[16])
{
	size_t ip_size = tp_addr_ip_size(addr);
	uint8_t *p;

	/* An unset address has no form on the wire: the caller's message is not sent. */
	if (!ip_size) {
		w->overflow = true;
		return;
	}
	p = attr_append(w, type, 4 + ip_size);
	if (!p)
		return;
	p[0] = 0;
	p[1] = addr->family == 6 ? TP_STUN_FAMILY_IPV6 : TP_STUN_FAMILY_IPV4;
	store_be16(p + 2, addr->port ^ load_be16(mask));
	for (size_t i = 0; i < ip_size; i++)
		p[4 + i] = addr->ip[i] ^ mask[i];
}

void tp_stun_put_xor_addr(struct tp_stun_writer *w, uint16_t type, const struct tp_addr *addr)
{
	addr_put(w, type, addr, w->id.bytes);
}

void tp_stun_put_addr(struct tp_stun_writer *w, uint16_t type, const struct tp_addr *addr)
{
	static const uint8_t no_mask[16];

	addr_put(w, type, addr, no_mask);
}

static const char *error_reason(int code)
{
	switch (code) {
#define ERROR_CASE(number, name, reason)	\
	case number:				\
		return reason;
		TP_STUN_ERROR_CODES(ERROR_CASE)
#undef ERROR_CASE
	default:
		return "";
	}
}

void tp_stun_put_error(struct tp_stun_writer *w, int code, const char *reason)
{
	size_t size;
	uint8_t *p;

	if (!reason)
		reason = error_reason(code);
	size = strnlen(reason, REASON_MAX_SIZE);
	p = attr_append(w, TP_STUN_ATTR_ERROR_CODE, 4 + size);
	if (!p)
		return;
	store_be16(p, 0);
	p[2] = (uint8_t)(code / 100);
	p[3] = (uint8_t)(code % 100);
	memcpy(p + 4, reason, size);
}

static void integrity_put(struct tp_stun_writer *w, uint16_t type, enum tp_digest_kind kind, const void *key,
			  size_t key_size)
{
	/* Once appended, the length in the header ends with this attribute, as the HMAC wants it. */
	const struct tp_bytes text = { w->data, w->size };
	uint8_t *p = attr_append(w, type, tp_digest_size(kind));

	if (p && tp_hmac(kind, key, key_size, &text, 1, p))
		w->overflow = true;
}

void tp_stun_put_integrity(struct tp_stun_writer *w, const void *key, size_t key_size)
{
	integrity_put(w, TP_STUN_ATTR_MESSAGE_INTEGRITY, TP_DIGEST_SHA1, key, key_size);
}

void tp_stun_put_integrity_sha256(struct tp_stun_writer *w, const void *key, size_t key_size)
{
	integrity_put(w, TP_STUN_ATTR_MESSAGE_INTEGRITY_SHA256, TP_DIGEST_SHA256, key, key_size);
}

void tp_stun_put_fingerprint(struct tp_stun_writer *w)
{
	size_t covered = w->size;
	uint8_t *p = attr_append(w, TP_STUN_ATTR_FINGERPRINT, 4);

	if (p)
		store_be32(p, tp_crc32(w->data, covered) ^ FINGERPRINT_XOR);
}

int tp_stun_finish(struct tp_stun_writer *w)
{
	return w->overflow ? -EMSGSIZE : (int)w->size;
}
