/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How many answers sources that proved nothing get (ruling 3): a UDP source may be
 * forged, and what goes to it then hits a victim. Limits of one worker, for a
 * prefix (an IPv4 /24, an IPv6 /48) and for all of them, in a table of fixed size.
 */
#ifndef TP_TURN_LIMITER_H
#define TP_TURN_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"

#define TP_LIMITER_SLOTS	4096
#define TP_LIMITER_WAYS		4

struct tp_limiter_slot {
	uint64_t prefix;	/* its keyed hash */
	uint64_t tat_ns;	/* theoretical arrival time, as in struct tp_police of abi.h */
};

struct tp_limiter {
	uint64_t seed;		/* secret */
	uint64_t total_tat_ns;
	struct tp_limiter_slot slots[TP_LIMITER_SLOTS];
};

/* Rates a second, with bursts of as many; 0 is no limit. False: send nothing. */
bool tp_limiter_admit(struct tp_limiter *limiter, const struct tp_addr *source, uint32_t prefix_rate,
		      uint32_t total_rate, uint64_t now_ns);

#endif
