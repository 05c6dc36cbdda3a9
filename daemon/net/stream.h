/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker's stream clients: TCP and TLS listeners, their connections, and what
 * bounds them. Everything is called on the worker's own thread.
 *
 * Every connection is young until the engine has made an allocation for it, which
 * shows in what it answers (an Allocate or Refresh success). A young one has `hello_ms` for its first
 * message, handshakes included, and `idle_ms` from one message to the next; it
 * owns no buffer while nothing of a message is waiting, may not begin a message
 * of more than TP_STREAM_YOUNG_FRAME bytes, and counts against its source prefix.
 * Where a worker is full the oldest young connection makes room.
 *
 * Sending only queues: tp_streams_flush(), once a loop iteration, writes what is
 * there with one system call per connection (outbox.h has the policy of a slow
 * client). A connection is closed there or in its own event, never inside a call
 * of the engine.
 */
#ifndef TP_NET_STREAM_H
#define TP_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "net/conn.h"
#include "turn/turn.h"

struct tp_conf;
struct tp_streams;

#define TP_STREAM_YOUNG_FRAME 4096

struct tp_stream_params {
	struct tp_loop *loop;
	struct tp_conns *conns;
	void *arg;
	/* One message. The engine may send and release inside it. */
	void (*input)(void *arg, const struct tp_path *from, const void *data, size_t size);
	/* A connection that has given messages is gone. */
	void (*closed)(void *arg, const struct tp_path *path);
	/* A data connection is over: the tag of tp_streams_splice(), bytes to the peer and from it. */
	void (*spliced_end)(void *arg, const void *tag, uint64_t up, uint64_t down);
	uint32_t hello_ms, idle_ms;
	uint32_t young_max;		/* connections without an allocation */
	uint32_t young_per_prefix;	/* of an IPv4 address or IPv6 /64 */
	size_t media_max, control_extra; /* of an outbox, bytes */
};

/* Bounds for `connections` at a time; arg, loop, conns and the callbacks are the caller's to fill. */
void tp_stream_params_default(struct tp_stream_params *params, uint32_t connections);

struct tp_streams *tp_streams_new(const struct tp_stream_params *params);
void tp_streams_free(struct tp_streams *streams);	/* closes everything, calls nobody */

/*
 * Listens where the configuration says so and nowhere else any more; connections
 * stay. On an error the listeners are as before and `err` names the address.
 */
int tp_streams_configure(struct tp_streams *streams, const struct tp_conf *conf, char *err, size_t err_size);

/* Queues a message. -ENOTCONN: the connection is gone; -EAGAIN: media was dropped; -ENOBUFS: it is being closed. */
int tp_streams_send(struct tp_streams *streams, const struct tp_path *to, const void *data, size_t size);
/* The connection's allocation ended, or moved away (tp_turn_io.client_gone): it is young again. */
void tp_streams_release(struct tp_streams *streams, const struct tp_path *path);

/*
 * The connection becomes a data connection (RFC 6062 section 5.4): what is queued
 * goes out, and from then on its bytes are the peer's and the other way round, by
 * splice(2) where the client's side is plain TCP. Takes over `peer_fd` in any case.
 * Each side's half close is handed on; one direction alone may idle for 30 s.
 * -ENOTCONN: the client is gone; -ENOMEM. Either way spliced_end is not called.
 */
int tp_streams_splice(struct tp_streams *streams, const struct tp_path *client, int peer_fd, const void *tag);
/* Ends a data connection; spliced_end is not called any more. */
void tp_streams_cut(struct tp_streams *streams, const struct tp_path *client);

void tp_streams_flush(struct tp_streams *streams);
/* Time-outs. Returns when to call it again at the latest, mono ns; UINT64_MAX: when something happens. */
uint64_t tp_streams_tick(struct tp_streams *streams, uint64_t now_ns);

#define TP_STREAM_COUNTERS(X)								\
	X(tcp_accepted) X(tls_accepted) X(closed) X(spliced)				\
	X(refused_full) X(refused_prefix) X(refused_proxy) X(refused_transport)		\
	X(evicted) X(timed_out) X(bad_protocol) X(bad_frame) X(tls_failed)		\
	X(media_dropped_packets) X(media_dropped_bytes) X(control_overflow) X(accept_failed)

struct tp_stream_counters {
#define TP_STREAM_COUNTER(name) uint64_t name;
	TP_STREAM_COUNTERS(TP_STREAM_COUNTER)
#undef TP_STREAM_COUNTER
	uint64_t live, young;		/* now */
};

void tp_streams_read_counters(const struct tp_streams *streams, struct tp_stream_counters *ret);

#endif
