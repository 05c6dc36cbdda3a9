/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The certificates and settings of TLS and DTLS listeners, made from a
 * configuration as a whole or not at all, immutable afterwards and counted by
 * reference: a reload makes a new one, connections of the old keep theirs.
 * Called by the reload (new, put) and by stream.c and dtls.c (get, open).
 */
#ifndef TP_NET_TLS_CONTEXT_H
#define TP_NET_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/ssl.h>

struct tp_conf;
struct tp_tls_context;

/*
 * Reads `cert` and `pkey` and the further pairs of `certs` and `pkeys`; the first
 * one is used for clients without SNI and for names that none of them has.
 * NULL and the reason in `err`: a file that cannot be read, a key that does not
 * fit, an unknown cipher. Files are read here and never again.
 */
struct tp_tls_context *tp_tls_context_new(const struct tp_conf *conf, char *err, size_t err_size);
struct tp_tls_context *tp_tls_context_get(struct tp_tls_context *ctx);	/* any thread */
void tp_tls_context_put(struct tp_tls_context *ctx);			/* any thread; NULL is fine */

/* The context that workers use for new connections: a reference of the caller's own, or NULL where there is none. */
struct tp_tls_context *tp_tls_context_current(void);
/* Takes over the caller's reference; NULL: no TLS any more. Any thread. */
void tp_tls_context_publish(struct tp_tls_context *ctx);

/* A server's SSL object without a BIO, TLS 1.2 and 1.3 or DTLS 1.2; NULL out of memory. */
SSL *tp_tls_context_open(struct tp_tls_context *ctx, bool dtls);

/* OpenSSL's oldest queued error as text, and the queue emptied. Returns `buf`. */
const char *tp_tls_error(char *buf, size_t size);

#endif
