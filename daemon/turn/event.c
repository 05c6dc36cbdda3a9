/* SPDX-License-Identifier: GPL-2.0 */
/* What accounting is told of an allocation: its making, its refreshes, its end; see struct tp_turn_io. */
#include "turn/engine.h"

static void traffic_subtract(struct tp_traffic *from, const struct tp_traffic *less)
{
	from->packets -= less->packets;
	from->bytes -= less->bytes;
	from->dropped -= less->dropped;
}

/* The reports of an allocation add up to its total: each has what came since the one before. */
static struct tp_flow_traffic take_since(struct tp_allocation *a, const struct tp_allocation_info *info)
{
	struct tp_flow_traffic total = info->kernel, since;

	tp_traffic_add(&total, &info->user);
	since = total;
	traffic_subtract(&since.up, &a->told.up);
	traffic_subtract(&since.down, &a->told.down);
	a->told = total;
	return since;
}

void tp_allocation_tell(struct tp_allocation *a, enum tp_event event, uint32_t lifetime_s)
{
	struct tp_turn_io *io = a->turn->io;
	struct tp_allocation_info info = {
		.id = a->id,
		.username = a->user,
		.realm = a->realm,
		.tuple = a->path.tuple,
		.expires_in_s = lifetime_s,
		.user = a->user_traffic,
	};
	struct tp_flow_traffic since;

	if (!io->event || a->turn->leaving)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			info.relayed[info.relayed_len++] = a->relays[i].shown;
	}
	tp_flow_traffic(a, &info.kernel);
	since = take_since(a, &info);
	io->event(io, event, &info, &since);
}
