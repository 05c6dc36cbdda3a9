/* SPDX-License-Identifier: GPL-2.0 */
/*
 * STUN messages and ChannelData in a byte stream (RFC 8489 section 6.2.2,
 * RFC 8656 section 12.5). Pure. Called by the stream listener with whatever has
 * arrived, and by its writer for the padding of what goes out.
 */
#ifndef TP_NET_FRAMING_H
#define TP_NET_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest frame: ChannelData of 65535 bytes with its header and padding; a STUN message is smaller. */
#define TP_FRAME_MAX 65540

struct tp_frame {
	size_t size;	/* of the message as the engine wants it, without padding */
	size_t span;	/* how far the next frame is: the size rounded up to four */
};

/*
 * Looks at the front of a stream. 1: a whole frame is there and `ret` describes
 * it; 0: more bytes are needed, `ret->span` says how many in all, or 0 while the
 * header is not complete; -EBADMSG: neither STUN nor ChannelData, there is no way
 * to find the next frame and the connection is to be closed.
 */
int tp_frame_next(const void *data, size_t size, struct tp_frame *ret);

/* Relayed data (ChannelData, Data indication) as opposed to a response or another indication. */
bool tp_frame_is_media(const void *data, size_t size);

/* Zeroes to be sent after a message of this size. */
static inline size_t tp_frame_padding(size_t size)
{
	return -size & 3;
}

#endif
