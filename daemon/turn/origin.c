/* SPDX-License-Identifier: GPL-2.0 */
/*
 * check-origin-consistency: what coturn's key of that name asks of the ORIGIN attribute
 * (draft-johnston-tram-stun-origin). Which realm an origin has is daemon/auth's.
 */
#include <ctype.h>

#include "turn/engine.h"

/* Of scheme, host and port, whatever their case; never 0. */
static uint64_t origin_hash(const uint8_t *text, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint64_t)tolower(text[i])) * 0x100000001b3u;
	return hash | 1;
}

/* The next ORIGIN that is not empty; 0 at the end. */
static uint64_t origin_next(const struct tp_stun_msg *msg, size_t *pos)
{
	struct tp_stun_attr attr;

	while (tp_stun_next(msg, pos, &attr))
		if (attr.type == TP_STUN_ATTR_ORIGIN && attr.size)
			return origin_hash(tp_stun_value(msg, &attr), attr.size);
	return 0;
}

uint64_t tp_origin_first(const struct tp_stun_msg *msg)
{
	size_t pos = 0;

	return origin_next(msg, &pos);
}

bool tp_origin_consistent(const struct tp_allocation *a, const struct tp_stun_msg *msg)
{
	uint64_t origin;
	size_t pos = 0;

	if (!a->turn->conf->check_origin)
		return true;
	if (!a->origin)
		return !tp_origin_first(msg);
	while ((origin = origin_next(msg, &pos)))
		if (origin == a->origin)
			return true;
	return false;
}
