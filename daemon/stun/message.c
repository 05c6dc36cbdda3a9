/* SPDX-License-Identifier: GPL-2.0 */
/* Reading a STUN message: header, attribute walk, what counts and what is ignored; see stun.h. */
#include "stun/stun.h"

#include <errno.h>
#include <string.h>

#include "stun/digest.h"
#include "stun/wire.h"

#define ATTR_HEADER_SIZE	4

/*
 * Section 5:
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |0 0|M M M M M|C|M M M|C|M M M M|         Message Length        |
 * |                         Magic Cookie                          |
 * |                     Transaction ID (96 bits)                  |
 */
static uint16_t type_method(uint16_t type)
{
	return (uint16_t)((type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2);
}

static uint8_t type_class(uint16_t type)
{
	return (uint8_t)((type & 0x0010) >> 4 | (type & 0x0100) >> 7);
}

bool tp_stun_looks_like(const void *data, size_t size)
{
	const uint8_t *p = data;

	if (size < TP_STUN_HEADER_SIZE || size > TP_STUN_MAX_SIZE || p[0] & 0xc0)
		return false;
	return load_be16(p + 2) % 4 == 0 && load_be16(p + 2) == size - TP_STUN_HEADER_SIZE;
}

int tp_stun_frame_size(const void *data, size_t size)
{
	const uint8_t *p = data;
	int frame;

	if (size >= 1 && p[0] & 0xc0)
		return -EBADMSG;
	if (size < 4)
		return 0;
	frame = TP_STUN_HEADER_SIZE + load_be16(p + 2);
	if (frame % 4 || frame > TP_STUN_MAX_SIZE)
		return -EBADMSG;
	/* RFC 3489 knew UDP only, so a stream without the cookie has lost its framing. */
	if (size >= 8 && load_be32(p + 4) != TP_STUN_MAGIC)
		return -EBADMSG;
	return frame;
}

static bool fingerprint_matches(const struct tp_stun_msg *msg)
{
	uint32_t crc = tp_crc32(msg->data, msg->fingerprint) ^ FINGERPRINT_XOR;

	return crc == load_be32(msg->data + msg->fingerprint + ATTR_HEADER_SIZE);
}

/*
 * Notes where integrity and fingerprint are. Sections 14.5 and 14.6: after
 * MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT count, after
 * MESSAGE-INTEGRITY-SHA256 only FINGERPRINT; of duplicates the first.
 */
static void attr_note(struct tp_stun_msg *msg, uint16_t type, uint16_t at)
{
	switch (type) {
	case TP_STUN_ATTR_MESSAGE_INTEGRITY:
		if (msg->integrity || msg->integrity_sha256)
			return;
		msg->integrity = at;
		break;
	case TP_STUN_ATTR_MESSAGE_INTEGRITY_SHA256:
		if (msg->integrity_sha256)
			return;
		msg->integrity_sha256 = at;
		break;
	case TP_STUN_ATTR_FINGERPRINT:
		/* RFC 3489 does not have it: there it is one unknown optional attribute of many. */
		if (msg->classic)
			return;
		msg->fingerprint = at;
		break;
	default:
		return;
	}
	if (at < msg->end)
		msg->end = at;
}

int tp_stun_parse(const void *data, size_t size, struct tp_stun_msg *ret)
{
	struct tp_stun_msg msg = { .data = data, .size = size, .end = (uint16_t)size };
	size_t at = TP_STUN_HEADER_SIZE;
	uint16_t type;

	if (!tp_stun_looks_like(data, size))
		return -EBADMSG;
	type = load_be16(msg.data);
	msg.method = type_method(type);
	msg.class = type_class(type);
	memcpy(msg.id.bytes, msg.data + 4, sizeof(msg.id.bytes));
	msg.classic = load_be32(msg.id.bytes) != TP_STUN_MAGIC;

	/* The size is a multiple of 4, so an attribute header always fits before the end, as does padding. */
	while (at < size) {
		size_t value_size = load_be16(msg.data + at + 2);

		/* FINGERPRINT is the last attribute (section 14.7): what follows one is not a STUN message. */
		if (value_size > size - at - ATTR_HEADER_SIZE || msg.fingerprint)
			return -EBADMSG;
		attr_note(&msg, load_be16(msg.data + at), (uint16_t)at);
		if (msg.fingerprint && value_size != 4)
			return -EBADMSG;
		at += ATTR_HEADER_SIZE + padded_size(value_size);
	}
	if (msg.fingerprint && !fingerprint_matches(&msg))
		return -EPROTO;
	*ret = msg;
	return 0;
}

static void attr_read(const struct tp_stun_msg *msg, size_t at, struct tp_stun_attr *ret)
{
	ret->type = load_be16(msg->data + at);
	ret->size = load_be16(msg->data + at + 2);
	ret->offset = (uint16_t)(at + ATTR_HEADER_SIZE);
}

bool tp_stun_next(const struct tp_stun_msg *msg, size_t *pos, struct tp_stun_attr *ret)
{
	size_t at = *pos ? *pos : TP_STUN_HEADER_SIZE;

	if (at >= msg->end)
		return false;
	attr_read(msg, at, ret);
	*pos = at + ATTR_HEADER_SIZE + padded_size(ret->size);
	return true;
}

bool tp_stun_find(const struct tp_stun_msg *msg, uint16_t type, struct tp_stun_attr *ret)
{
	struct tp_stun_attr attr;
	size_t pos = 0;

	while (tp_stun_next(msg, &pos, &attr))
		if (attr.type == type) {
			*ret = attr;
			return true;
		}
	return false;
}

const uint8_t *tp_stun_value(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr)
{
	return msg->data + attr->offset;
}

size_t tp_stun_unknown(const struct tp_stun_msg *msg, bool (*known)(uint16_t type), uint16_t *ret_types, size_t max)
{
	struct tp_stun_attr attr;
	size_t pos = 0, len = 0;

	while (len < max && tp_stun_next(msg, &pos, &attr)) {
		size_t i = 0;

		if (attr.type & TP_STUN_ATTR_OPTIONAL || known(attr.type))
			continue;
		while (i < len && ret_types[i] != attr.type)
			i++;
		if (i == len)
			ret_types[len++] = attr.type;
	}
	return len;
}
