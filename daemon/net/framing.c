/* SPDX-License-Identifier: GPL-2.0 */
/* Frames of a byte stream; see framing.h. */
#include <errno.h>

#include "net/framing.h"
#include "stun/stun.h"

#define CHANNEL_HEADER_SIZE	4
#define DATA_INDICATION		0x0017

static uint32_t load16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static int stun_next(const uint8_t *p, size_t size, struct tp_frame *ret)
{
	int frame = tp_stun_frame_size(p, size);

	if (frame <= 0)
		return frame;
	ret->size = ret->span = (size_t)frame;
	return size >= ret->span;
}

int tp_frame_next(const void *data, size_t size, struct tp_frame *ret)
{
	const uint8_t *p = data;

	ret->size = ret->span = 0;
	if (!size)
		return 0;
	switch (p[0] >> 6) {
	case 0:
		return stun_next(p, size, ret);
	case 1:
		if (size < CHANNEL_HEADER_SIZE)
			return 0;
		ret->size = CHANNEL_HEADER_SIZE + load16(p + 2);
		ret->span = ret->size + tp_frame_padding(ret->size);
		return size >= ret->span;
	default:
		return -EBADMSG;
	}
}

bool tp_frame_is_media(const void *data, size_t size)
{
	const uint8_t *p = data;

	return size >= 2 && (p[0] >> 6 == 1 || load16(p) == DATA_INDICATION);
}
