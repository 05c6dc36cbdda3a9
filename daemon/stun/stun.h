/* SPDX-License-Identifier: GPL-2.0 */
/*
 * STUN messages (RFC 8489 sections 5, 6.3, 14): a codec without state and
 * without I/O. Bad input is an error code, never undefined behaviour; reading
 * never allocates.
 */
#ifndef TP_STUN_STUN_H
#define TP_STUN_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "stun/attributes.h"	/* TP_STUN_ATTR_*, methods, classes, error codes with default reasons */

#define TP_STUN_HEADER_SIZE	20
#define TP_STUN_MAGIC		0x2112A442u
#define TP_STUN_MAX_SIZE	65535

/* A transaction id is 96 bits; 128 where the message is a classic one of RFC 3489 (no magic cookie). */
struct tp_stun_id {
	uint8_t bytes[16];	/* the cookie (or its classic bytes) and the 12 bytes after it, as on the wire */
};

/* One attribute, its value still in the message. */
struct tp_stun_attr {
	uint16_t type;
	uint16_t size;		/* without padding */
	uint16_t offset;	/* of the value, from the start of the message */
};

/* A view of a checked message: header and attribute lengths are consistent. Borrows the bytes. */
struct tp_stun_msg {
	const uint8_t *data;
	size_t size;
	uint16_t method;	/* TP_STUN_BINDING, ... */
	uint8_t class;		/* enum tp_stun_class */
	bool classic;		/* no magic cookie */
	struct tp_stun_id id;
	/* offsets of the attribute header, 0 where absent */
	uint16_t integrity;	/* MESSAGE-INTEGRITY */
	uint16_t integrity_sha256;
	uint16_t fingerprint;
	uint16_t end;		/* attributes past it are ignored (after integrity), FINGERPRINT aside */
};

/* Is it STUN at all: first two bits, length a multiple of 4 and equal to the datagram's? */
bool tp_stun_looks_like(const void *data, size_t size);

/*
 * Checks the header, walks the attributes, checks the FINGERPRINT if there is one.
 * 0; -EBADMSG malformed (drop it silently); -EPROTO bad fingerprint (not STUN).
 */
int tp_stun_parse(const void *data, size_t size, struct tp_stun_msg *ret);

/* The length of the message at the front of a stream: >0 its size, 0 more bytes are needed, -EBADMSG. */
int tp_stun_frame_size(const void *data, size_t size);

/* The first attribute of a type that counts (not after integrity); later duplicates are ignored (section 14). */
bool tp_stun_find(const struct tp_stun_msg *msg, uint16_t type, struct tp_stun_attr *ret);
/* Iterates the attributes that count: start with `*pos = 0`; false at the end. */
bool tp_stun_next(const struct tp_stun_msg *msg, size_t *pos, struct tp_stun_attr *ret);
const uint8_t *tp_stun_value(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr);

/* Typed values: -ENOENT absent, -EBADMSG wrong size or content, 0. */
int tp_stun_get_u32(const struct tp_stun_msg *msg, uint16_t type, uint32_t *ret);
int tp_stun_get_u16_first(const struct tp_stun_msg *msg, uint16_t type, uint16_t *ret); /* CHANNEL-NUMBER: 2 + 2 RFFU */
int tp_stun_get_u8_first(const struct tp_stun_msg *msg, uint16_t type, uint8_t *ret);	/* families, protocol: 1 + 3 */
int tp_stun_get_xor_addr(const struct tp_stun_msg *msg, const struct tp_stun_attr *attr, struct tp_addr *ret);
int tp_stun_get_addr(const struct tp_stun_msg *msg, uint16_t type, struct tp_addr *ret);
int tp_stun_get_error(const struct tp_stun_msg *msg, int *ret_code);

/*
 * Attributes that must be understood and are not, per the caller's predicate, in
 * order, without duplicates, at most `max`. Returns how many.
 */
size_t tp_stun_unknown(const struct tp_stun_msg *msg, bool (*known)(uint16_t type), uint16_t *ret_types, size_t max);

/* Integrity over the message up to the attribute (length patched as section 14.5 says). Constant time. */
bool tp_stun_check_integrity(const struct tp_stun_msg *msg, const void *key, size_t key_size);
/* The value may be truncated to 16..32 bytes, a multiple of 4 (section 14.6). */
bool tp_stun_check_integrity_sha256(const struct tp_stun_msg *msg, const void *key, size_t key_size);

/* Building: appends to a caller's buffer; after an overflow every call does nothing and finish says so. */
struct tp_stun_writer {
	uint8_t *data;
	size_t capacity;
	size_t size;
	bool overflow;
	struct tp_stun_id id;
};

void tp_stun_begin(struct tp_stun_writer *w, void *buf, size_t capacity, uint16_t method, uint8_t class,
		   const struct tp_stun_id *id);
/* Values are padded with zeroes. */
void tp_stun_put(struct tp_stun_writer *w, uint16_t type, const void *value, size_t size);
void tp_stun_put_u32(struct tp_stun_writer *w, uint16_t type, uint32_t value);
void tp_stun_put_xor_addr(struct tp_stun_writer *w, uint16_t type, const struct tp_addr *addr);
void tp_stun_put_addr(struct tp_stun_writer *w, uint16_t type, const struct tp_addr *addr);
/* reason NULL: the default text of the code; "" none. */
void tp_stun_put_error(struct tp_stun_writer *w, int code, const char *reason);
void tp_stun_put_integrity(struct tp_stun_writer *w, const void *key, size_t key_size);
void tp_stun_put_integrity_sha256(struct tp_stun_writer *w, const void *key, size_t key_size);
void tp_stun_put_fingerprint(struct tp_stun_writer *w);
/* The message's size, or -EMSGSIZE after an overflow. */
int tp_stun_finish(struct tp_stun_writer *w);

#endif
