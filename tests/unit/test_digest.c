/* SPDX-License-Identifier: GPL-2.0 */
/* Digests, HMACs and the CRC against published values; their contexts per thread. */
#include <errno.h>
#include <pthread.h>

#include "lib/tap.h"
#include "stun/digest.h"

struct vector {
	enum tp_digest_kind kind;
	const char *key;	/* NULL: a digest */
	const char *text;
	const char *expected;	/* hexadecimal */
	const char *name;
};

static const struct vector vectors[] = {
	{ TP_DIGEST_MD5, NULL, "abc", "900150983cd24fb0d6963f7d28e17f72", "RFC 1321 A.5: MD5" },
	{ TP_DIGEST_MD5, NULL, "user:realm:pass", "8493fbc53ba582fb4c044c456bdc40eb",
	"RFC 8489 9.2.2: the example's key" },
	{ TP_DIGEST_SHA1, NULL, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d", "RFC 3174 7.3: SHA-1" },
	{ TP_DIGEST_SHA256, NULL, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	  "RFC 6234 8.5: SHA-256" },
	{ TP_DIGEST_MD5, "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738",
	"RFC 2202 2: HMAC-MD5" },
	{ TP_DIGEST_SHA1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
	  "RFC 2202 3: HMAC-SHA1" },
	{ TP_DIGEST_SHA256, "Jefe", "what do ya want for nothing?",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "RFC 4231 4.3: HMAC-SHA256" },
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))
#define THREADS 4
#define ROUNDS 2000

/* In two parts, so that their joint is covered too. */
static bool vector_holds(const struct vector *v)
{
	size_t size = strlen(v->text), half = size / 2;
	const struct tp_bytes parts[] = { { v->text, half }, { v->text + half, size - half } };
	uint8_t out[TP_DIGEST_MAX_SIZE];
	char hex[2 * TP_DIGEST_MAX_SIZE + 1] = "";
	int err = v->key ? tp_hmac(v->kind, v->key, strlen(v->key), parts, 2, out) : tp_digest(v->kind, parts, 2, out);

	for (size_t i = 0; !err && i < tp_digest_size(v->kind); i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	return !err && strcmp(hex, v->expected) == 0;
}

/* Keys and kinds alternate, so a context that kept something of the call before would show. */
static void *thread_run(void *arg)
{
	size_t *wrong = arg;

	for (size_t i = 0; i < ROUNDS; i++)
		*wrong += !vector_holds(&vectors[i % VECTORS]);
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	size_t wrong[THREADS] = { 0 }, all = 0, started = 0;

	while (started < THREADS && !pthread_create(&threads[started], NULL, thread_run, &wrong[started]))
		started++;
	for (size_t i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
		all += wrong[i];
	}
	check(started == THREADS && all == 0, "%d threads at once, which leave nothing behind", THREADS);
}

int main(void)
{
	const struct tp_bytes text = { "x", 1 };
	uint8_t out[TP_DIGEST_MAX_SIZE];

	for (size_t i = 0; i < VECTORS; i++)
		check(vector_holds(&vectors[i]), "%s", vectors[i].name);
	check_eq(tp_hmac(TP_DIGEST_SHA1, "", 0, &text, 1, out), -EIO, "an empty key is refused");
	check_eq(tp_crc32("123456789", 9), 0xcbf43926, "ITU V.42: the CRC's check value");
	check_eq(tp_crc32("", 0), 0, "the CRC of nothing");
	test_threads();
	return done();
}
