/* SPDX-License-Identifier: GPL-2.0 */
/* Access tokens of RFC 7635; see token.h. */
#include "auth/token.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "auth/text.h"
#include "stun/wire.h"

#define NONCE_SIZE	12
#define TAG_SIZE	16
/* key_length, timestamp, lifetime */
#define BLOCK_FIXED	(2 + 8 + 4)
#define BLOCK_MIN	(BLOCK_FIXED + TP_TOKEN_MAC_KEY_MIN)
#define BLOCK_MAX	(BLOCK_FIXED + TP_TOKEN_MAC_KEY_MAX)
#define ROW_FIELDS	5

struct field {
	const char *text;
	size_t size;
};

static int number_parse(const struct field *f, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < f->size; i++) {
		if (f->text[i] < '0' || f->text[i] > '9' || n > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		n = n * 10 + (uint64_t)(f->text[i] - '0');
	}
	*ret = n;
	return 0;
}

static int algorithm_key_size(const struct field *f)
{
	if (f->size == 0 || (f->size == 7 && strncmp(f->text, "A256GCM", 7) == 0))
		return 32;
	return f->size == 7 && strncmp(f->text, "A128GCM", 7) == 0 ? 16 : -EINVAL;
}

static size_t row_split(const char *row, struct field *ret)
{
	size_t len = 0;

	while (len < ROW_FIELDS) {
		ret[len].text = row;
		ret[len].size = strcspn(row, ",");
		row += ret[len++].size;
		if (!*row++)
			return len;
	}
	return ROW_FIELDS + 1;
}

/* The rows of coturn's table often end their secret with a line feed: the cipher takes the first bytes only. */
int tp_token_key_parse(const char *row, struct tp_token_key *ret, const char **ret_reason)
{
	struct field f[ROW_FIELDS] = { 0 };
	struct tp_token_key key = { 0 };
	uint64_t issued_s, lifetime_s;
	uint8_t secret[192];
	int size;

	if (row_split(row, f) > ROW_FIELDS) {
		*ret_reason = "more than five fields (kid,key,timestamp,lifetime,algorithm)";
		return -EINVAL;
	}
	if (!f[0].size || f[0].size >= sizeof(key.kid)) {
		*ret_reason = "the key id is empty or longer than 127 bytes";
		return -EINVAL;
	}
	memcpy(key.kid, f[0].text, f[0].size);
	size = algorithm_key_size(&f[4]);
	if (size < 0) {
		*ret_reason = "the algorithm is neither A256GCM nor A128GCM";
		return -EINVAL;
	}
	key.key_size = (uint8_t)size;
	if (number_parse(&f[2], &issued_s) || number_parse(&f[3], &lifetime_s) || issued_s > UINT64_MAX - lifetime_s) {
		*ret_reason = "timestamp or lifetime is not a number of seconds";
		return -EINVAL;
	}
	if (issued_s && lifetime_s)
		key.expires_s = issued_s + lifetime_s;
	if (tp_base64_decode(f[1].text, f[1].size, secret, sizeof(secret)) < size) {
		*ret_reason = "the key is not base64, or shorter than its algorithm's (32 or 16 bytes)";
		return -EINVAL;
	}
	memcpy(key.key, secret, key.key_size);
	OPENSSL_cleanse(secret, sizeof(secret));
	*ret = key;
	return 0;
}

static int gcm_open(const struct tp_token_key *key, const char *aad, const uint8_t *nonce, const uint8_t *sealed,
		    size_t size, const uint8_t *tag, uint8_t *ret)
{
	const EVP_CIPHER *cipher = key->key_size == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	size_t aad_size = strlen(aad);
	int n, err = -EIO;

	if (c && aad_size <= INT_MAX &&
	    EVP_DecryptInit_ex2(c, cipher, key->key, nonce, NULL) &&
	    (!aad_size || EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)aad, (int)aad_size)) &&
	    EVP_DecryptUpdate(c, ret, &n, sealed, (int)size) &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, (void *)tag))
		err = EVP_DecryptFinal_ex(c, ret + n, &n) > 0 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(c);
	return err;
}

/*
 * Section 6.2:
 *
 *      struct {
 *          uint16_t nonce_length;
 *          opaque nonce[nonce_length];
 *          opaque {
 *              uint16_t key_length;
 *              opaque mac_key[key_length];
 *              uint64_t timestamp;
 *              uint32_t lifetime;
 *          } encrypted_block;
 *      } token;
 *
 * and the tag of the AEAD after the block.
 */
int tp_token_decode(const struct tp_token_key *key, const char *server_name, const uint8_t *data, size_t size,
		    struct tp_token *ret)
{
	uint8_t block[BLOCK_MAX];
	size_t block_size, mac_key_size;
	int err;

	if (size < 2 + NONCE_SIZE + BLOCK_MIN + TAG_SIZE || size > 2 + NONCE_SIZE + BLOCK_MAX + TAG_SIZE ||
	    load_be16(data) != NONCE_SIZE)
		return -EBADMSG;
	block_size = size - 2 - NONCE_SIZE - TAG_SIZE;
	err = gcm_open(key, server_name, data + 2, data + 2 + NONCE_SIZE, block_size, data + size - TAG_SIZE, block);
	if (!err) {
		mac_key_size = load_be16(block);
		if (mac_key_size != block_size - BLOCK_FIXED)
			err = -EBADMSG;
	}
	if (!err) {
		memcpy(ret->mac_key, block + 2, mac_key_size);
		ret->mac_key_size = (uint8_t)mac_key_size;
		/* Seconds and, in the low 16 bits, their 64000ths. */
		ret->issued_s = load_be64(block + 2 + mac_key_size) >> 16;
		ret->lifetime_s = load_be32(block + 2 + mac_key_size + 8);
	}
	OPENSSL_cleanse(block, sizeof(block));
	return err;
}
