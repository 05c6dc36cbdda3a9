/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the stream listener share: stream.c (bounds, time-outs, the
 * public calls), stream_listen.c (sockets, who is let in), stream_conn.c (one
 * connection's bytes), stream_splice.c (data connections of RFC 6062).
 */
#ifndef TP_NET_STREAM_INTERNAL_H
#define TP_NET_STREAM_INTERNAL_H

#include <openssl/ssl.h>
#include <urcu/list.h>

#include "net/framing.h"
#include "net/outbox.h"
#include "net/prefix.h"
#include "net/stream.h"
#include "net/tls_context.h"

#define BUCKET_UNKNOWN	UINT32_MAX	/* a PROXY header will tell whose it is */
#define READ_SIZE	65536
/* Of a young connection: answers that wait, and the kernel's part of them. */
#define YOUNG_OUTBOX	8192
#define YOUNG_SEND_BUFFER 16384
#define HELD_SEND_BUFFER (256 * 1024)	/* fixed, or the kernel lets it grow to megabytes */

#define SPARE_PIPES	32

enum stream_state {
	STREAM_PROXY,		/* a PROXY header is due */
	STREAM_SNIFF,		/* the first byte tells TLS from STUN */
	STREAM_HANDSHAKE,
	STREAM_OPEN,		/* messages */
	STREAM_SPLICED,		/* a data connection of RFC 6062: bytes to and from a peer */
};

struct splice;

struct tp_stream {
	struct tp_watch watch;
	struct tp_streams *streams;
	struct tp_path path;
	uint8_t state;		/* enum stream_state */
	bool held;		/* has an allocation */
	bool spoken;		/* the engine has seen it */
	bool doomed;		/* close it at the next opportunity */
	bool paused;		/* not read from: it does not read its answers */
	bool more;		/* there is input that epoll does not know of: in `in` or in the TLS layer */
	bool want_write;	/* the TLS layer waits to write */
	uint32_t armed;		/* events asked for */
	uint32_t bucket;	/* of its prefix, or BUCKET_UNKNOWN */
	SSL *ssl;
	struct tp_tls_context *tls;
	/* The beginning of a message whose end has not come. */
	uint8_t *in;
	size_t in_size, in_capacity;
	struct tp_outbox out;
	struct splice *splice;		/* in STREAM_SPLICED */
	uint64_t deadline_ns;		/* while young, or half closed */
	struct cds_list_head all;	/* in streams->young_hello, young_idle, held or half_closed */
	struct cds_list_head work;	/* in streams->work, or empty */
};

struct listener {
	struct tp_watch watch;
	struct tp_streams *streams;
	struct tp_addr addr;
	bool proxy;		/* the tcp-proxy-port */
	struct cds_list_head node;
};

struct tp_streams {
	struct tp_stream_params params;
	struct cds_list_head listeners;
	bool listeners_paused;		/* out of descriptors: until resume_ns */
	uint64_t resume_ns;
	struct cds_list_head young_hello, young_idle; /* each in the order of its deadlines */
	struct cds_list_head held;
	struct cds_list_head half_closed; /* spliced, and one direction is over */
	int pipes[SPARE_PIPES][2];	/* empty ones that no data connection needs at the moment */
	unsigned int pipes_len;
	struct cds_list_head work;	/* something to write, to read on, or to close */
	uint32_t young;
	/* of the configuration */
	bool no_tcp, no_tls;
	bool proxy_any_port;		/* no tcp-proxy-port: proxies use the ordinary ones */
	struct tp_range *proxy_from;
	size_t proxy_from_len;
	struct tp_prefixes prefixes;	/* of young connections */
	struct tp_stream_counters counters;
	uint8_t scratch[READ_SIZE];	/* one connection's input while it is delivered */
};

/* stream.c */
uint64_t stream_now_ns(void);
void stream_touch(struct tp_stream *s);			/* a message came: the time-out starts again */
void stream_queue_work(struct tp_stream *s);
/* The source is known (again, after a PROXY header): is there room for one more of its prefix? */
bool stream_charge_prefix(struct tp_stream *s);
bool stream_is_proxy(const struct tp_streams *streams, const struct tp_addr *addr);
void stream_hold(struct tp_stream *s);			/* it is bounded by an allocation from now on */
void stream_drop(struct tp_stream *s);			/* closes and frees it */

/* stream_listen.c */
void stream_accept(struct tp_watch *watch, uint32_t events);
void stream_listener_free(struct listener *l);

/* stream_conn.c */
void stream_on_event(struct tp_watch *watch, uint32_t events);
void stream_work(struct tp_stream *s);			/* reads what the TLS layer holds, writes, arms */
/* >0; 0: the end; -EAGAIN; else broken. */
ssize_t stream_read(struct tp_stream *s, void *buf, size_t size);
ssize_t stream_write(struct tp_stream *s, const void *data, size_t size);
void stream_write_out(struct tp_stream *s);		/* the outbox, as far as it goes */

/* stream_splice.c */
void stream_splice_run(struct tp_stream *s);		/* moves what can be moved, asks for the events of the rest */
void stream_splice_client_event(struct tp_stream *s, uint32_t events);
void stream_splice_free(struct tp_stream *s);		/* the peer's side; tells the owner */
void stream_splice_forget(struct tp_stream *s);		/* the owner does not want to be told */

#endif
