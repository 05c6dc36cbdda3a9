/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TLS and DTLS contexts: versions, SNI, ALPN (RFC 7443), bad files, and the swap
 * under live connections. Client and server talk through memory.
 */
#include <openssl/err.h>

#include "conf.h"
#include "lib/certificates.h"
#include "lib/tap.h"
#include "net/tls_context.h"

/* What the client of the next handshake offers for TLS 1.2; NULL: OpenSSL's own list. */
static const char *client_ciphers;

struct pair {
	SSL_CTX *client_ctx;
	SSL *client, *server;
};

/* Moves what one side wrote to the other's input. */
static void ferry(SSL *from, SSL *to)
{
	char buf[16384];
	int n;

	while ((n = BIO_read(SSL_get_wbio(from), buf, sizeof(buf))) > 0)
		BIO_write(SSL_get_rbio(to), buf, n);
}

static void pair_fini(struct pair *p)
{
	SSL_free(p->client);
	SSL_free(p->server);
	SSL_CTX_free(p->client_ctx);
	ERR_clear_error();
}

/* A handshake of a client with these wishes; true if it ends well on both sides. */
static bool handshake(struct tp_tls_context *ctx, bool dtls, int version, const char *sni, const char *alpn,
		      struct pair *ret)
{
	bool good = false;

	ret->client_ctx = SSL_CTX_new(dtls ? DTLS_client_method() : TLS_client_method());
	SSL_CTX_set_security_level(ret->client_ctx, 0);
	if (client_ciphers)
		SSL_CTX_set_cipher_list(ret->client_ctx, client_ciphers);
	SSL_CTX_set_min_proto_version(ret->client_ctx, version);
	SSL_CTX_set_max_proto_version(ret->client_ctx, version);
	ret->client = SSL_new(ret->client_ctx);
	ret->server = tp_tls_context_open(ctx, dtls);
	SSL_set_connect_state(ret->client);
	for (int i = 0; i < 2; i++) {
		BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

		BIO_set_mem_eof_return(in, -1);
		BIO_set_mem_eof_return(out, -1);
		SSL_set_bio(i ? ret->server : ret->client, in, out);
		SSL_set_mtu(i ? ret->server : ret->client, 1400);
	}
	if (sni)
		SSL_set_tlsext_host_name(ret->client, sni);
	if (alpn)
		SSL_set_alpn_protos(ret->client, (const unsigned char *)alpn, (unsigned int)strlen(alpn));
	for (int i = 0; i < 20 && !good; i++) {
		SSL_do_handshake(ret->client);
		ferry(ret->client, ret->server);
		SSL_do_handshake(ret->server);
		ferry(ret->server, ret->client);
		good = SSL_is_init_finished(ret->client) && SSL_is_init_finished(ret->server);
	}
	ERR_clear_error();
	return good;
}

static bool peer_is(struct pair *p, const char *name)
{
	char host[80];

	snprintf(host, sizeof(host), "%s.test", name);
	return X509_check_host(SSL_get0_peer_certificate(p->client), host, 0, 0, NULL) == 1;
}

static void check_handshake(struct tp_tls_context *ctx, bool dtls, int version, const char *sni, const char *expected)
{
	const char *name = dtls ? "DTLS 1.2" : version == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2";
	struct pair p;
	bool good = handshake(ctx, dtls, version, sni, NULL, &p);

	check(good && SSL_version(p.server) == version && peer_is(&p, expected), "%s, SNI %s: certificate %s", name,
	      sni ? sni : "none", expected);
	pair_fini(&p);
}

static void test_versions_and_sni(struct tp_tls_context *ctx)
{
	struct pair p;

	for (int i = 0; i < 3; i++) {
		int version = i == 2 ? DTLS1_2_VERSION : i ? TLS1_3_VERSION : TLS1_2_VERSION;

		check_handshake(ctx, i == 2, version, NULL, "one");
		check_handshake(ctx, i == 2, version, "two.test", "two");
		check_handshake(ctx, i == 2, version, "unknown.test", "one");
	}
	check(!handshake(ctx, false, TLS1_1_VERSION, NULL, NULL, &p), "TLS 1.1 is refused");
	pair_fini(&p);
	check(!handshake(ctx, true, DTLS1_VERSION, NULL, NULL, &p), "DTLS 1.0 is refused");
	pair_fini(&p);
}

static void check_alpn(struct tp_tls_context *ctx, const char *alpn, const char *expected)
{
	const unsigned char *got = NULL;
	unsigned int len = 0;
	struct pair p;
	bool good = handshake(ctx, false, TLS1_3_VERSION, NULL, alpn, &p);

	if (good)
		SSL_get0_alpn_selected(p.client, &got, &len);
	if (expected)
		check(good && len == strlen(expected) && !memcmp(got, expected, len),
		      "ALPN %s is chosen (RFC 7443)", expected);
	else
		check(!good, "a client that names only other protocols is refused (RFC 7301 section 3.2)");
	pair_fini(&p);
}

static void test_alpn(struct tp_tls_context *ctx)
{
	check_alpn(ctx, "\x09stun.turn", "stun.turn");
	check_alpn(ctx, "\x12stun.nat-discovery", "stun.nat-discovery");
	check_alpn(ctx, "\x02h2\x09stun.turn", "stun.turn");
	check_alpn(ctx, "\x02h2\x08http/1.1", NULL);
}

static void check_refused(struct tp_conf *conf, const char *needle, const char *name)
{
	char err[256] = "";
	struct tp_tls_context *ctx = tp_tls_context_new(conf, err, sizeof(err));

	check(!ctx && strstr(err, needle), "%s: \"%s\"", name, err);
	tp_tls_context_put(ctx);
}

static void test_refused(const struct tp_conf *good)
{
	struct tp_conf conf = *good;
	char *other = cert_path("two", "key");

	conf.cert = (char *)"/nonexistent.pem";
	check_refused(&conf, "/nonexistent.pem: ", "a certificate that is not there is named");
	conf = *good;
	conf.pkey = other;
	check_refused(&conf, other, "a key of another certificate is named");
	conf = *good;
	conf.pkey_pwd = (char *)"wrong";
	check_refused(&conf, "pkey ", "a wrong pkey-pwd");
	conf = *good;
	conf.cipher_list = (char *)"NOSUCHCIPHER";
	check_refused(&conf, "NOSUCHCIPHER", "an unknown cipher is named");
	conf = *good;
	conf.ca_file = (char *)"/nonexistent.ca";
	check_refused(&conf, "/nonexistent.ca", "a CA-file that is not there is named");
	conf = *good;
	conf.pkeys.len = 0;
	check_refused(&conf, "1 further cert but 0 further pkey", "pairs must be complete");
	conf = *good;
	conf.cert = NULL;
	check_refused(&conf, "both needed", "no certificate");
	free(other);
}

/* The ciphersuite that a server with an RSA certificate takes from a client's list; "" none. */
static const char *cipher_of(struct tp_tls_context *ctx, const char *offered)
{
	static char name[64];
	struct pair p;

	client_ciphers = offered;
	if (handshake(ctx, false, TLS1_2_VERSION, NULL, NULL, &p))
		snprintf(name, sizeof(name), "%s%s", SSL_get_cipher_name(p.server),
			 SSL_get_current_compression(p.server) ? " compressed" : "");
	else
		name[0] = 0;
	client_ciphers = NULL;
	pair_fini(&p);
	return name;
}

/* RFC 8489 section 6.2.3 */
static void test_ciphers(void)
{
	struct tp_conf conf = { 0 };
	struct tp_tls_context *ctx;
	char err[256] = "";

	cert_make_of("rsa", EVP_RSA_gen(2048), NULL);
	conf.cert = cert_path("rsa", "pem");
	conf.pkey = cert_path("rsa", "key");
	ctx = tp_tls_context_new(&conf, err, sizeof(err));
	if (check(ctx, "an RSA certificate %s", err)) {
		check(!strcmp(cipher_of(ctx, "DHE-RSA-AES128-GCM-SHA256"), "DHE-RSA-AES128-GCM-SHA256"),
		      "RFC 8489 6.2.3: TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is spoken");
		check(!strcmp(cipher_of(ctx, "ECDHE-RSA-AES128-GCM-SHA256"), "ECDHE-RSA-AES128-GCM-SHA256"),
		      "RFC 8489 6.2.3: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is spoken");
		check(!strcmp(cipher_of(ctx, "AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"),
			      "ECDHE-RSA-AES128-GCM-SHA256"),
		      "RFC 8489 6.2.3: of a client that prefers a ciphersuite without PFS the server takes one with PFS");
		check(!*cipher_of(ctx, "eNULL:aNULL:RC4:DES:3DES:EXPORT"),
		      "RFC 8489 6.2.3: RC4, DES and NULL ciphersuites are not spoken");
		check(!strstr(cipher_of(ctx, "ALL"), "compressed"),
		      "RFC 8489 6.2.3: there is no TLS-level compression");
	}
	tp_tls_context_put(ctx);
	free(conf.cert), free(conf.pkey);
}

static bool exchange(SSL *from, SSL *to)
{
	char buf[8];

	if (SSL_write(from, "ping", 4) != 4)
		return false;
	ferry(from, to);
	return SSL_read(to, buf, sizeof(buf)) == 4 && !memcmp(buf, "ping", 4);
}

/* A connection keeps the context it was opened with; new ones get the new certificate. */
static void test_swap(const struct tp_conf *good)
{
	struct tp_conf conf = *good;
	struct tp_tls_context *held;
	struct pair old, new;
	char err[256];

	tp_tls_context_publish(tp_tls_context_new(good, err, sizeof(err)));
	held = tp_tls_context_current();
	check(handshake(held, false, TLS1_3_VERSION, NULL, NULL, &old) && peer_is(&old, "one"),
	      "before: certificate one");
	conf.cert = good->certs.items[0];
	conf.pkey = good->pkeys.items[0];
	conf.certs.len = conf.pkeys.len = 0;
	tp_tls_context_publish(tp_tls_context_new(&conf, err, sizeof(err)));
	check(exchange(old.client, old.server) && exchange(old.server, old.client), "the old connection goes on");
	pair_fini(&old);
	tp_tls_context_put(held);
	held = tp_tls_context_current();
	check(handshake(held, false, TLS1_3_VERSION, NULL, NULL, &new) && peer_is(&new, "two"),
	      "after: certificate two");
	pair_fini(&new);
	tp_tls_context_put(held);
	tp_tls_context_publish(NULL);
	check(!tp_tls_context_current(), "no TLS any more");
}

int main(void)
{
	char *certs[] = { NULL }, *pkeys[] = { NULL };
	struct tp_conf conf = { .pkey_pwd = (char *)"secret" };
	struct tp_tls_context *ctx;
	char err[256] = "";

	if (!cert_begin())
		return 1;
	cert_make("one", "secret");
	cert_make("two", NULL);
	conf.cert = cert_path("one", "pem");
	conf.pkey = cert_path("one", "key");
	certs[0] = cert_path("two", "pem");
	pkeys[0] = cert_path("two", "key");
	conf.certs = (struct tp_list){ certs, 1 };
	conf.pkeys = (struct tp_list){ pkeys, 1 };
	ctx = tp_tls_context_new(&conf, err, sizeof(err));
	if (check(ctx, "two certificates, one with an encrypted key %s", err)) {
		test_versions_and_sni(ctx);
		test_alpn(ctx);
	}
	tp_tls_context_put(ctx);
	test_refused(&conf);
	test_ciphers();
	test_swap(&conf);
	free(conf.cert), free(conf.pkey), free(certs[0]), free(pkeys[0]);
	cert_end();
	return done();
}
