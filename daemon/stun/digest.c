/* SPDX-License-Identifier: GPL-2.0 */
/* Digests, HMACs and the CRC of FINGERPRINT; see digest.h. */
#include "stun/digest.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What one thread computes with; freed by the key's destructor when the thread ends. */
struct contexts {
	EVP_MD_CTX *md;
	EVP_MAC_CTX *mac[TP_DIGEST_KINDS];
};

static const char *const digest_name[TP_DIGEST_KINDS] = { "MD5", "SHA1", "SHA256" };
static const uint8_t digest_size[TP_DIGEST_KINDS] = { 16, 20, 32 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static EVP_MD *digest_md[TP_DIGEST_KINDS];
static EVP_MAC *hmac_algorithm;
static int once_error;

static void contexts_free(void *arg)
{
	struct contexts *c = arg;

	EVP_MD_CTX_free(c->md);
	for (int i = 0; i < TP_DIGEST_KINDS; i++)
		EVP_MAC_CTX_free(c->mac[i]);
	free(c);
}

static void algorithms_free(void)
{
	for (int i = 0; i < TP_DIGEST_KINDS; i++)
		EVP_MD_free(digest_md[i]);
	EVP_MAC_free(hmac_algorithm);
}

/* The main thread's contexts: destructors of thread keys run only where a thread ends, not at exit. */
static void exit_free(void)
{
	struct contexts *c = pthread_getspecific(contexts_key);

	if (c) {
		pthread_setspecific(contexts_key, NULL);
		contexts_free(c);
	}
}

static void algorithms_init(void)
{
	for (int i = 0; i < TP_DIGEST_KINDS; i++) {
		digest_md[i] = EVP_MD_fetch(NULL, digest_name[i], NULL);
		if (!digest_md[i])
			goto err;
	}
	hmac_algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (!hmac_algorithm || pthread_key_create(&contexts_key, contexts_free))
		goto err;
	atexit(exit_free);
	return;
err:
	algorithms_free();
	once_error = -EIO;
}

static EVP_MAC_CTX *mac_new(enum tp_digest_kind kind)
{
	OSSL_PARAM params[2] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_name[kind], 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac_algorithm);

	if (mac && !EVP_MAC_CTX_set_params(mac, params)) {
		EVP_MAC_CTX_free(mac);
		return NULL;
	}
	return mac;
}

static struct contexts *contexts_get(void)
{
	struct contexts *c;

	pthread_once(&once, algorithms_init);
	if (once_error)
		return NULL;
	c = pthread_getspecific(contexts_key);
	if (c)
		return c;

	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->md = EVP_MD_CTX_new();
	for (int i = 0; i < TP_DIGEST_KINDS; i++)
		c->mac[i] = mac_new((enum tp_digest_kind)i);
	if (!c->md || !c->mac[TP_DIGEST_MD5] || !c->mac[TP_DIGEST_SHA1] || !c->mac[TP_DIGEST_SHA256] ||
	    pthread_setspecific(contexts_key, c)) {
		contexts_free(c);
		return NULL;
	}
	return c;
}

size_t tp_digest_size(enum tp_digest_kind kind)
{
	return digest_size[kind];
}

int tp_digest(enum tp_digest_kind kind, const struct tp_bytes *parts, size_t len, uint8_t *ret)
{
	struct contexts *c = contexts_get();
	uint8_t out[EVP_MAX_MD_SIZE];

	if (!c || !EVP_DigestInit_ex2(c->md, digest_md[kind], NULL))
		return -EIO;
	for (size_t i = 0; i < len; i++)
		if (!EVP_DigestUpdate(c->md, parts[i].data, parts[i].size))
			return -EIO;
	if (!EVP_DigestFinal_ex(c->md, out, NULL))
		return -EIO;
	memcpy(ret, out, digest_size[kind]);
	return 0;
}

int tp_hmac(enum tp_digest_kind kind, const void *key, size_t key_size, const struct tp_bytes *parts, size_t len,
	    uint8_t *ret)
{
	struct contexts *c = contexts_get();
	uint8_t out[EVP_MAX_MD_SIZE];
	size_t size = 0;

	/* An empty key would make EVP_MAC_init() go on with the key before. */
	if (!c || !key || !key_size || !EVP_MAC_init(c->mac[kind], key, key_size, NULL))
		return -EIO;
	for (size_t i = 0; i < len; i++)
		if (!EVP_MAC_update(c->mac[kind], parts[i].data, parts[i].size))
			return -EIO;
	if (!EVP_MAC_final(c->mac[kind], out, &size, sizeof(out)) || size != digest_size[kind])
		return -EIO;
	memcpy(ret, out, size);
	return 0;
}

uint32_t tp_crc32(const void *data, size_t size)
{
	/* The reflected polynomial 0xEDB88320, four bits at a time: 64 bytes of table stay in the cache. */
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *p = data;
	uint32_t crc = 0xffffffff;

	while (size--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}
