/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between OpenSSL and a datagram socket that is shared by all clients: a BIO that
 * reads the one datagram it was given and sends each write as a datagram, and the
 * cookies that prove a client's address before anything is kept of it.
 */
#ifndef TP_NET_DTLS_BIO_H
#define TP_NET_DTLS_BIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/ssl.h>

#include "net/addr.h"

/* What the BIO works on; must stay where it is. */
struct tp_dtls_wire {
	struct tp_tuple tuple;
	int (*send)(void *arg, const struct tp_tuple *tuple, const void *data, size_t size);
	void *arg;
	const uint8_t *in;	/* the datagram that has arrived, while it is being worked on */
	size_t in_size;
	bool peek;		/* DTLSv1_listen() reads a ClientHello that the handshake reads again */
};

/* Reads and writes of `ssl` go by `wire`. 0 or -ENOMEM. */
int tp_dtls_wire_attach(SSL *ssl, struct tp_dtls_wire *wire);

/* Cookies of RFC 6347 section 4.2.1: a MAC of the 5-tuple and the time under a secret of this process. */
void tp_dtls_cookies_enable(SSL_CTX *ssl_ctx);

#endif
