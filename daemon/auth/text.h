/* SPDX-License-Identifier: GPL-2.0 */
/* Text forms of bytes, and strings prepared for comparison; inside daemon/auth. */
#ifndef TP_AUTH_TEXT_H
#define TP_AUTH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* base64url of RFC 4648 section 5, of a multiple of 3 bytes: no padding; 4 characters each, no final zero. */
void tp_base64url_encode(const uint8_t *data, size_t size, char *ret);
/* `size` is a multiple of 4, `ret` has 3 bytes for each 4. False where a character is none of the alphabet. */
bool tp_base64url_decode(const char *text, size_t size, uint8_t *ret);

/* Standard base64 with padding. The number of bytes, or -EINVAL. */
int tp_base64_decode(const char *text, size_t size, uint8_t *ret, size_t capacity);
int tp_hex_decode(const char *text, uint8_t *ret, size_t capacity);

/*
 * A name, realm or password as SASLprep (RFC 4013) makes it: a new string. What the
 * profile refuses stays as it is, so that such a user is not locked out. NULL: no memory.
 */
char *tp_string_prepare(const char *text);

#endif
