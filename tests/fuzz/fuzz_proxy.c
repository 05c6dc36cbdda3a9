/* SPDX-License-Identifier: GPL-2.0 */
/* Fuzz target: the PROXY protocol decoder and the stream framer, which see bytes before anything is known of their sender. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "net/framing.h"
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tp_proxy proxy;
	struct tp_frame frame;
	int r = tp_proxy_decode(data, size, &proxy);

	assert(r == 0 || r == -EBADMSG || (r > 0 && (size_t)r <= size && r <= TP_PROXY_MAX));
	assert(r <= 0 || proxy.local || (proxy.source.family && proxy.destination.family));
	/* Whoever is asked for more bytes is below the bound. */
	assert(r != 0 || size < TP_PROXY_MAX);
	r = tp_frame_next(data, size, &frame);
	assert(r == 0 || r == -EBADMSG || (r == 1 && frame.span <= size && frame.size <= frame.span));
	assert(frame.span <= TP_FRAME_MAX);
	return 0;
}
