/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether an answer of the engine says that its connection has an allocation now:
 * an Allocate success, or a Refresh success with a lifetime, which is also how an
 * allocation moves (RFC 8016 section 3.2.2). From then on the connection is no
 * longer bounded as one that only came to look (stream.c, dtls.c).
 */
#ifndef TP_NET_GRANT_H
#define TP_NET_GRANT_H

#include "stun/stun.h"

static inline bool tp_grants_allocation(const void *data, size_t size)
{
	struct tp_stun_msg msg;
	uint32_t lifetime_s;

	if (size < 2 || ((const uint8_t *)data)[0] != 1 || tp_stun_parse(data, size, &msg) ||
	    msg.class != TP_STUN_SUCCESS)
		return false;
	return msg.method == TP_STUN_ALLOCATE ||
	       (msg.method == TP_STUN_REFRESH && !tp_stun_get_u32(&msg, TP_STUN_ATTR_LIFETIME, &lifetime_s) &&
		lifetime_s);
}

#endif
