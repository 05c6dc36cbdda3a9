/* SPDX-License-Identifier: GPL-2.0 */
/* The bounded send queue of a stream; see outbox.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/framing.h"
#include "net/outbox.h"

/* One TLS record's payload fills a chunk, and a chunk with its header two pages less malloc's own. */
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

/* Appends empty chunks until `size` bytes fit; takes them back if memory runs out. */
static int reserve(struct tp_outbox *o, size_t size)
{
	struct tp_outbox_chunk *first = NULL, **link = &first;
	size_t room = o->tail ? CHUNK_SIZE - o->tail->end : 0;

	while (room < size) {
		struct tp_outbox_chunk *chunk = malloc(sizeof(*chunk));

		if (!chunk) {
			while (first) {
				struct tp_outbox_chunk *next = first->next;

				free(first);
				first = next;
			}
			return -ENOMEM;
		}
		chunk->next = NULL;
		chunk->first = chunk->end = 0;
		*link = chunk;
		link = &chunk->next;
		room += CHUNK_SIZE;
	}
	if (!first)
		return 0;
	if (o->tail)
		o->tail->next = first;
	else
		o->head = first;
	/* `tail` stays the chunk that is being filled; append() moves on along `next`. */
	if (!o->tail)
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

void tp_outbox_consume(struct tp_outbox *o, size_t size)
{
	o->size -= size;
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
