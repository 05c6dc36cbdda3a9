/* SPDX-License-Identifier: GPL-2.0 */
/* TLS and DTLS contexts; see tls_context.h. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "conf.h"
#include "net/dtls_bio.h"
#include "net/tls_context.h"

/* One certificate: OpenSSL wants separate contexts for streams and datagrams. */
struct identity {
	SSL_CTX *tls, *dtls;
};

struct tp_tls_context {
	atomic_uint refs;
	size_t len;
	struct identity identity[];
};

static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tp_tls_context *current;

const char *tp_tls_error(char *buf, size_t size)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason)
		snprintf(buf, size, "%s", reason);
	else
		snprintf(buf, size, "OpenSSL error %lx", code);
	ERR_clear_error();
	return buf;
}

__attribute__((format(printf, 3, 4))) static int fail(char *err, size_t err_size, const char *format, ...)
{
	char reason[160];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(err, err_size, format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < err_size)
		snprintf(err + n, err_size - (size_t)n, ": %s", tp_tls_error(reason, sizeof(reason)));
	return -1;
}

/* RFC 7443: the protocols that a client may name. One that names only others is not ours. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
		   unsigned int in_len, void *arg)
{
	static const unsigned char ours[] = "\x09stun.turn\x12stun.nat-discovery";

	if (SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof(ours) - 1, in, in_len) ==
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The set lives longer than the connection: whoever opened it holds a reference. */
static int on_sni(SSL *ssl, int *alert, void *arg)
{
	const struct tp_tls_context *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	for (size_t i = 0; name && i < ctx->len; i++) {
		SSL_CTX *candidate = SSL_is_dtls(ssl) ? ctx->identity[i].dtls : ctx->identity[i].tls;

		if (X509_check_host(SSL_CTX_get0_certificate(candidate), name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, candidate);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

static int on_password(char *buf, int size, int writing, void *arg)
{
	const char *password = arg;
	size_t len = password ? strlen(password) : 0;

	if (len > (size_t)size)
		return -1;
	memcpy(buf, password ? password : "", len);
	return (int)len;
}

static int load_certificate(SSL_CTX *ssl_ctx, const char *cert, const char *pkey, const char *password, char *err,
			    size_t err_size)
{
	SSL_CTX_set_default_passwd_cb(ssl_ctx, on_password);
	SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, (void *)password);
	if (SSL_CTX_use_certificate_chain_file(ssl_ctx, cert) != 1)
		return fail(err, err_size, "cert %s", cert);
	if (SSL_CTX_use_PrivateKey_file(ssl_ctx, pkey, SSL_FILETYPE_PEM) != 1)
		return fail(err, err_size, "pkey %s", pkey);
	if (SSL_CTX_check_private_key(ssl_ctx) != 1)
		return fail(err, err_size, "pkey %s does not belong to cert %s", pkey, cert);
	/* The password is the configuration's, which may go before this context. */
	SSL_CTX_set_default_passwd_cb_userdata(ssl_ctx, NULL);
	return 0;
}

static int apply_settings(SSL_CTX *ssl_ctx, bool dtls, const struct tp_conf *conf, char *err, size_t err_size)
{
	/* no-tlsv1_2 is about TLS: DTLS has no later version. */
	int least = dtls ? DTLS1_2_VERSION : conf->no_tlsv1_2 ? TLS1_3_VERSION : TLS1_2_VERSION;

	if (SSL_CTX_set_min_proto_version(ssl_ctx, least) != 1)
		return fail(err, err_size, "the wanted TLS version is not available");
	if (conf->cipher_list && SSL_CTX_set_cipher_list(ssl_ctx, conf->cipher_list) != 1)
		return fail(err, err_size, "cipher-list %s", conf->cipher_list);
	if (conf->ca_file) {
		if (SSL_CTX_load_verify_locations(ssl_ctx, conf->ca_file, NULL) != 1)
			return fail(err, err_size, "CA-file %s", conf->ca_file);
		SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	SSL_CTX_set_dh_auto(ssl_ctx, 1);
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_PRIORITIZE_CHACHA | (dtls ? SSL_OP_NO_QUERY_MTU : 0));
	/* Tickets carry sessions; nothing of them is kept here, and an idle connection owns no buffers. */
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* A client certificate makes a ticket's session need a context of its own. */
	SSL_CTX_set_session_id_context(ssl_ctx, (const unsigned char *)"turnpike", 8);
	SSL_CTX_set_alpn_select_cb(ssl_ctx, on_alpn, NULL);
	return 0;
}

static SSL_CTX *make_ssl_ctx(bool dtls, const struct tp_conf *conf, const char *cert, const char *pkey, void *owner,
			     char *err, size_t err_size)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(dtls ? DTLS_server_method() : TLS_server_method());

	if (!ssl_ctx) {
		fail(err, err_size, "OpenSSL");
		return NULL;
	}
	if (apply_settings(ssl_ctx, dtls, conf, err, err_size) ||
	    load_certificate(ssl_ctx, cert, pkey, conf->pkey_pwd, err, err_size)) {
		SSL_CTX_free(ssl_ctx);
		return NULL;
	}
	if (dtls)
		tp_dtls_cookies_enable(ssl_ctx);
	SSL_CTX_set_tlsext_servername_callback(ssl_ctx, on_sni);
	SSL_CTX_set_tlsext_servername_arg(ssl_ctx, owner);
	return ssl_ctx;
}

static int add_identity(struct tp_tls_context *ctx, const struct tp_conf *conf, const char *cert, const char *pkey,
			char *err, size_t err_size)
{
	struct identity *identity = &ctx->identity[ctx->len++];

	identity->tls = make_ssl_ctx(false, conf, cert, pkey, ctx, err, err_size);
	if (!identity->tls)
		return -1;
	identity->dtls = make_ssl_ctx(true, conf, cert, pkey, ctx, err, err_size);
	return identity->dtls ? 0 : -1;
}

struct tp_tls_context *tp_tls_context_new(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_tls_context *ctx;

	if (!conf->cert || !conf->pkey) {
		snprintf(err, err_size, "cert and pkey are both needed for TLS");
		return NULL;
	}
	if (conf->certs.len != conf->pkeys.len) {
		snprintf(err, err_size, "%zu further cert but %zu further pkey", conf->certs.len, conf->pkeys.len);
		return NULL;
	}
	ctx = calloc(1, sizeof(*ctx) + (conf->certs.len + 1) * sizeof(ctx->identity[0]));
	if (!ctx) {
		snprintf(err, err_size, "out of memory");
		return NULL;
	}
	ctx->refs = 1;
	ERR_clear_error();
	if (add_identity(ctx, conf, conf->cert, conf->pkey, err, err_size))
		goto err;
	for (size_t i = 0; i < conf->certs.len; i++)
		if (add_identity(ctx, conf, conf->certs.items[i], conf->pkeys.items[i], err, err_size))
			goto err;
	return ctx;

err:
	tp_tls_context_put(ctx);
	return NULL;
}

struct tp_tls_context *tp_tls_context_get(struct tp_tls_context *ctx)
{
	if (ctx)
		atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void tp_tls_context_put(struct tp_tls_context *ctx)
{
	if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < ctx->len; i++) {
		SSL_CTX_free(ctx->identity[i].tls);
		SSL_CTX_free(ctx->identity[i].dtls);
	}
	free(ctx);
}

/* Taken once per new connection, never per packet: a lock is enough. */
struct tp_tls_context *tp_tls_context_current(void)
{
	struct tp_tls_context *ctx;

	pthread_mutex_lock(&current_lock);
	ctx = tp_tls_context_get(current);
	pthread_mutex_unlock(&current_lock);
	return ctx;
}

void tp_tls_context_publish(struct tp_tls_context *ctx)
{
	struct tp_tls_context *old;

	pthread_mutex_lock(&current_lock);
	old = current;
	current = ctx;
	pthread_mutex_unlock(&current_lock);
	tp_tls_context_put(old);
}

SSL *tp_tls_context_open(struct tp_tls_context *ctx, bool dtls)
{
	SSL *ssl = SSL_new(dtls ? ctx->identity[0].dtls : ctx->identity[0].tls);

	if (ssl)
		SSL_set_accept_state(ssl);
	return ssl;
}
