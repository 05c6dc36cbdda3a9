/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What waits to be written to a stream client: a queue of bytes with a bound and
 * a policy. Pure. Owned by one connection, filled by what the engine sends,
 * emptied by writev() or SSL_write().
 *
 * The policy: frames keep their order. Media is dropped, newest first and whole
 * frames only, while more than `media_max` bytes wait; every drop is counted.
 * Responses and other control messages may use `control_extra` bytes more, which
 * media never gets, so a client that does not read its media loses media before it
 * loses an answer. A client that lets even that fill up is closed by the caller.
 * An empty queue owns no memory; frames are not split between chunks, which can
 * cost as much again as they do.
 */
#ifndef TP_NET_OUTBOX_H
#define TP_NET_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct tp_outbox_chunk;

struct tp_outbox {
	struct tp_outbox_chunk *head, *tail;
	size_t size;		/* bytes that wait */
	size_t frame_left;	/* of the front frame, once tp_outbox_peek_frame() has looked at it */
	size_t media_max;
	size_t control_extra;
	uint64_t dropped_packets, dropped_bytes; /* media */
};

void tp_outbox_init(struct tp_outbox *o, size_t media_max, size_t control_extra);
void tp_outbox_fini(struct tp_outbox *o);

/*
 * Appends one frame, and zeroes up to a multiple of four. 0; -EAGAIN: it is media
 * and was dropped and counted; -ENOBUFS: it is control and there is no room, the
 * connection is to be closed; -ENOMEM: as -ENOBUFS. Nothing is appended in part.
 */
int tp_outbox_put(struct tp_outbox *o, bool media, const void *data, size_t size);

/* The front of the queue; returns how many of `max` vectors were filled. */
size_t tp_outbox_peek(const struct tp_outbox *o, struct iovec *ret_iov, size_t max);
/*
 * The front frame, or what is left of it, in one piece unless it is larger than a
 * chunk of 16 KiB. False: empty. For TLS: a message gets a record of its own, as
 * there are clients that take one message out of a record and drop the others.
 */
bool tp_outbox_peek_frame(struct tp_outbox *o, struct iovec *ret);
/* They were written: `size` bytes of what a peek gave. */
void tp_outbox_consume(struct tp_outbox *o, size_t size);

#endif
