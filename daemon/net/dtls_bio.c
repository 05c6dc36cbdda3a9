/* SPDX-License-Identifier: GPL-2.0 */
/* Datagrams and cookies for OpenSSL; see dtls_bio.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dp/dp.h"
#include "net/dtls_bio.h"

#define COOKIE_SIZE	16
#define COOKIE_SLOT_NS	30000000000ull	/* a cookie is good in its slot and the next */
#define LINK_MTU	1280		/* what every path carries (RFC 8200 section 5) */
#define IP_UDP_SIZE	48

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;
static uint8_t secret[32];

static int wire_write(BIO *bio, const char *data, int size)
{
	struct tp_dtls_wire *wire = BIO_get_data(bio);

	/* A datagram that could not be sent is a lost one. */
	wire->send(wire->arg, &wire->tuple, data, (size_t)size);
	return size;
}

static int wire_read(BIO *bio, char *buf, int size)
{
	struct tp_dtls_wire *wire = BIO_get_data(bio);
	size_t n = wire->in_size < (size_t)size ? wire->in_size : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (!wire->in) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(buf, wire->in, n);
	if (!wire->peek)
		wire->in = NULL;
	return (int)n;
}

static long wire_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	struct tp_dtls_wire *wire = BIO_get_data(bio);

	switch (cmd) {
	case BIO_CTRL_DGRAM_SET_PEEK_MODE:
		wire->peek = num;
		return 1;
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
		return LINK_MTU - IP_UDP_SIZE;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return IP_UDP_SIZE;
	case BIO_CTRL_FLUSH:
		return 1;
	default:
		return 0;
	}
}

static void init_once(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "turnpike datagram");
	if (!method || getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		abort();
	BIO_meth_set_write(method, wire_write);
	BIO_meth_set_read(method, wire_read);
	BIO_meth_set_ctrl(method, wire_ctrl);
}

int tp_dtls_wire_attach(SSL *ssl, struct tp_dtls_wire *wire)
{
	BIO *bio;

	pthread_once(&once, init_once);
	bio = BIO_new(method);
	if (!bio)
		return -ENOMEM;
	BIO_set_data(bio, wire);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_mtu(ssl, LINK_MTU - IP_UDP_SIZE);
	return 0;
}

static bool make_cookie(const struct tp_tuple *tuple, uint64_t slot, unsigned char *ret)
{
	struct {
		struct tp_addr client, server;
		uint64_t slot;
	} text;
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int size = sizeof(mac);

	memset(&text, 0, sizeof(text));
	text.client = tuple->client;
	text.server = tuple->server;
	text.slot = slot;
	if (!HMAC(EVP_sha256(), secret, sizeof(secret), (const unsigned char *)&text, sizeof(text), mac, &size))
		return false;
	memcpy(ret, mac, COOKIE_SIZE);
	return true;
}

static struct tp_dtls_wire *wire_of(SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

static int on_generate(SSL *ssl, unsigned char *cookie, unsigned int *size)
{
	*size = COOKIE_SIZE;
	return make_cookie(&wire_of(ssl)->tuple, tp_dp_now_ns() / COOKIE_SLOT_NS, cookie);
}

static int on_verify(SSL *ssl, const unsigned char *cookie, unsigned int size)
{
	uint64_t slot = tp_dp_now_ns() / COOKIE_SLOT_NS;
	unsigned char expected[COOKIE_SIZE];

	if (size != COOKIE_SIZE)
		return 0;
	for (uint64_t age = 0; age < 2; age++)
		if (make_cookie(&wire_of(ssl)->tuple, slot - age, expected) &&
		    !CRYPTO_memcmp(cookie, expected, COOKIE_SIZE))
			return 1;
	return 0;
}

void tp_dtls_cookies_enable(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_cookie_generate_cb(ssl_ctx, on_generate);
	SSL_CTX_set_cookie_verify_cb(ssl_ctx, on_verify);
}
