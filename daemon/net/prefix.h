/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many connections of one source prefix are there: an IPv4 address, or an
 * IPv6 /64, which one subscriber has whole. Counters in a table of fixed size,
 * found by a keyed hash: memory is the same whatever sources do, and two prefixes
 * share a counter by a chance of one in the table's size. Pure.
 */
#ifndef TP_NET_PREFIX_H
#define TP_NET_PREFIX_H

#include <stdint.h>

#include "net/addr.h"

#define TP_PREFIX_BUCKETS 8192

struct tp_prefixes {
	uint64_t seed;		/* secret */
	uint32_t count[TP_PREFIX_BUCKETS];
};

static inline uint32_t tp_prefix_bucket(const struct tp_prefixes *prefixes, const struct tp_addr *addr)
{
	struct tp_addr prefix = *addr;

	prefix.port = 0;
	for (unsigned int i = 8; prefix.family == 6 && i < 16; i++)
		prefix.ip[i] = 0;
	return (uint32_t)(tp_addr_hash(&prefix, prefixes->seed) % TP_PREFIX_BUCKETS);
}

#endif
