/* SPDX-License-Identifier: GPL-2.0 */
/* The bounded send queue of a stream; see outbox.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/framing.h"
#include "net/outbox.h"

/* What one TLS record can carry, less what the chunk's and malloc's own headers need of four pages. */
#define CHUNK_SIZE (16384 - 64)

struct tp_outbox_chunk {
	struct tp_outbox_chunk *next;
	size_t first, end;	/* of what waits in data */
	uint8_t data[CHUNK_SIZE];
};

void tp_outbox_init(struct tp_outbox *o, size_t media_max, size_t control_extra)
{
	*o = (struct tp_outbox){ .media_max = media_max, .control_extra = control_extra };
}

static void chunk_pop(struct tp_outbox *o)
{
	struct tp_outbox_chunk *chunk = o->head;

	o->head = chunk->next;
	if (!o->head)
		o->tail = NULL;
	free(chunk);
}

void tp_outbox_fini(struct tp_outbox *o)
{
	while (o->head)
		chunk_pop(o);
	o->size = 0;
}

static void chunks_free(struct tp_outbox_chunk *chunk)
{
	while (chunk) {
		struct tp_outbox_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
}

/*
 * Makes the tail a chunk where a frame of that size fits whole; one that fits no
 * chunk gets as many new ones as it fills. -ENOMEM and nothing changed.
 */
static int reserve(struct tp_outbox *o, size_t size)
{
	struct tp_outbox_chunk *first = NULL, **link = &first;

	if (o->tail && CHUNK_SIZE - o->tail->end >= size)
		return 0;
	for (size_t room = 0; room < size; room += CHUNK_SIZE) {
		struct tp_outbox_chunk *chunk = malloc(sizeof(*chunk));

		if (!chunk) {
			chunks_free(first);
			return -ENOMEM;
		}
		chunk->next = NULL;
		chunk->first = chunk->end = 0;
		*link = chunk;
		link = &chunk->next;
	}
	if (o->tail)
		o->tail->next = first;
	else
		o->head = first;
	o->tail = first;
	return 0;
}

static void append(struct tp_outbox *o, const void *data, size_t size)
{
	const uint8_t *from = data;

	while (size) {
		struct tp_outbox_chunk *chunk = o->tail;
		size_t n = CHUNK_SIZE - chunk->end;

		if (!n) {
			o->tail = chunk->next;
			continue;
		}
		if (n > size)
			n = size;
		memcpy(chunk->data + chunk->end, from, n);
		chunk->end += n;
		from += n;
		size -= n;
		o->size += n;
	}
}

int tp_outbox_put(struct tp_outbox *o, bool media, const void *data, size_t size)
{
	static const uint8_t zeroes[4];
	size_t padding = tp_frame_padding(size);
	size_t limit = o->media_max + (media ? 0 : o->control_extra);

	if (size + padding > limit || o->size > limit - size - padding || reserve(o, size + padding)) {
		if (!media)
			return -ENOBUFS;
		o->dropped_packets++;
		o->dropped_bytes += size;
		return -EAGAIN;
	}
	append(o, data, size);
	append(o, zeroes, padding);
	return 0;
}

size_t tp_outbox_peek(const struct tp_outbox *o, struct iovec *ret_iov, size_t max)
{
	size_t len = 0;

	for (struct tp_outbox_chunk *chunk = o->head; chunk && len < max; chunk = chunk->next) {
		if (chunk->first == chunk->end)
			break;
		ret_iov[len].iov_base = chunk->data + chunk->first;
		ret_iov[len].iov_len = chunk->end - chunk->first;
		len++;
	}
	return len;
}

bool tp_outbox_peek_frame(struct tp_outbox *o, struct iovec *ret)
{
	struct tp_frame frame;

	if (!tp_outbox_peek(o, ret, 1))
		return false;
	/* A frame starts where it is whole or fills its chunk: its header is there. */
	if (!o->frame_left) {
		tp_frame_next(ret->iov_base, ret->iov_len, &frame);
		o->frame_left = frame.span ? frame.span : ret->iov_len;
	}
	if (ret->iov_len > o->frame_left)
		ret->iov_len = o->frame_left;
	return true;
}

void tp_outbox_consume(struct tp_outbox *o, size_t size)
{
	o->size -= size;
	o->frame_left -= o->frame_left < size ? o->frame_left : size;
	while (size) {
		struct tp_outbox_chunk *chunk = o->head;
		size_t n = chunk->end - chunk->first;

		if (n > size) {
			chunk->first += size;
			return;
		}
		size -= n;
		chunk_pop(o);
	}
}
