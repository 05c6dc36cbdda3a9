/* SPDX-License-Identifier: GPL-2.0 */
/* base64, hexadecimal digits and string preparation; see text.h. */
#include "auth/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void tp_base64url_encode(const uint8_t *data, size_t size, char *ret)
{
	for (; size >= 3; size -= 3, data += 3, ret += 4) {
		ret[0] = alphabet[data[0] >> 2];
		ret[1] = alphabet[(data[0] & 3) << 4 | data[1] >> 4];
		ret[2] = alphabet[(data[1] & 15) << 2 | data[2] >> 6];
		ret[3] = alphabet[data[2] & 63];
	}
}

static int base64url_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool tp_base64url_decode(const char *text, size_t size, uint8_t *ret)
{
	if (size % 4)
		return false;
	for (; size; size -= 4, text += 4, ret += 3) {
		int a = base64url_digit(text[0]), b = base64url_digit(text[1]);
		int c = base64url_digit(text[2]), d = base64url_digit(text[3]);

		if (a < 0 || b < 0 || c < 0 || d < 0)
			return false;
		ret[0] = (uint8_t)(a << 2 | b >> 4);
		ret[1] = (uint8_t)((b & 15) << 4 | c >> 2);
		ret[2] = (uint8_t)((c & 3) << 6 | d);
	}
	return true;
}

int tp_base64_decode(const char *text, size_t size, uint8_t *ret, size_t capacity)
{
	size_t padding = 0;
	int decoded;

	if (!size || size % 4 || size > capacity / 3 * 4)
		return -EINVAL;
	while (padding < 2 && text[size - 1 - padding] == '=')
		padding++;
	if (memchr(text, '=', size - padding) || strcspn(text, " \t\r\n") < size)
		return -EINVAL;
	decoded = EVP_DecodeBlock(ret, (const unsigned char *)text, (int)size);
	/* EVP_DecodeBlock() counts the zero bytes that padding stands for. */
	return decoded < 0 ? -EINVAL : decoded - (int)padding;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int tp_hex_decode(const char *text, uint8_t *ret, size_t capacity)
{
	size_t size = strlen(text);

	if (!size || size % 2 || size / 2 > capacity)
		return -EINVAL;
	for (size_t i = 0; i < size; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret[i / 2] = (uint8_t)(high << 4 | low);
	}
	return (int)(size / 2);
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

char *tp_string_prepare(const char *text)
{
	char *prepared = NULL;
	int err;

	if (is_plain(text))
		return strdup(text);
	err = stringprep_profile(text, &prepared, "SASLprep", 0);
	if (err == STRINGPREP_MALLOC_ERROR)
		return NULL;
	return err == STRINGPREP_OK ? prepared : strdup(text);
}
