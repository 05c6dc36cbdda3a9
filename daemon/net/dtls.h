/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker's DTLS 1.2 clients, on its listening UDP sockets: the worker hands in
 * datagrams whose first byte is 20..63 (RFC 7983) and sends what comes out. One
 * session per 5-tuple, none before the client has returned a cookie. Everything
 * is called on the worker's own thread.
 *
 * Bounds are those of a stream (stream.h): a young session has `hello_ms` for its
 * handshake and first message and `idle_ms` between messages, counts against its
 * prefix, and makes room for a newer one where there is none.
 */
#ifndef TP_NET_DTLS_H
#define TP_NET_DTLS_H

#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "turn/turn.h"

struct tp_dtls;

struct tp_dtls_params {
	struct tp_conns *conns;
	void *arg;
	/* A datagram to tuple->client from tuple->server. A negative errno is a lost datagram. */
	int (*send)(void *arg, const struct tp_tuple *tuple, const void *data, size_t size);
	void (*input)(void *arg, const struct tp_path *from, const void *data, size_t size);
	void (*closed)(void *arg, const struct tp_path *path);
	uint32_t hello_ms, idle_ms;
	uint32_t young_max, young_per_prefix;
};

/* Bounds for `sessions` at a time; the rest is the caller's to fill. */
void tp_dtls_params_default(struct tp_dtls_params *params, uint32_t sessions);

struct tp_dtls *tp_dtls_new(const struct tp_dtls_params *params);
void tp_dtls_free(struct tp_dtls *dtls);	/* ends everything, calls nobody but send */

/* A datagram from `tuple` (its transport is not looked at). */
void tp_dtls_input(struct tp_dtls *dtls, const struct tp_tuple *tuple, const void *data, size_t size);

/* One message. -ENOTCONN: the session is gone. */
int tp_dtls_send(struct tp_dtls *dtls, const struct tp_path *to, const void *data, size_t size);
/* The session's allocation ended: it is young again. */
void tp_dtls_release(struct tp_dtls *dtls, const struct tp_path *path);

/* Retransmissions and time-outs. Returns when to call it again at the latest, mono ns. */
uint64_t tp_dtls_tick(struct tp_dtls *dtls, uint64_t now_ns);

#define TP_DTLS_COUNTERS(X)								\
	X(accepted) X(closed) X(cookies_sent) X(not_a_hello) X(refused_full) X(refused_prefix)	\
	X(refused_transport) X(evicted) X(timed_out) X(failed) X(restarted)

struct tp_dtls_counters {
#define TP_DTLS_COUNTER(name) uint64_t name;
	TP_DTLS_COUNTERS(TP_DTLS_COUNTER)
#undef TP_DTLS_COUNTER
	uint64_t live, young;		/* now */
};

void tp_dtls_read_counters(const struct tp_dtls *dtls, struct tp_dtls_counters *ret);

#endif
