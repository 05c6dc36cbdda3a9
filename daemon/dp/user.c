/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data path that accelerates nothing: every flow's handle is 0 and every
 * packet reaches the daemon's sockets. Used where BPF or the privilege for it is
 * missing, and with datapath=user. Policing is then userspace's, too.
 */
#include <errno.h>
#include <stdlib.h>

#include "dp/dp.h"

static int user_add(struct tp_dp *dp, const struct tp_flow *flow, const struct tp_flow_life *life, tp_flow_id *ret_id)
{
	*ret_id = 0;
	return 0;
}

static void user_set_life(struct tp_dp *dp, tp_flow_id id, const struct tp_flow_life *life)
{
}

static void user_read(struct tp_dp *dp, tp_flow_id id, struct tp_flow_traffic *ret)
{
	*ret = (struct tp_flow_traffic){ 0 };
}

static uint64_t user_remove(struct tp_dp *dp, tp_flow_id id)
{
	return 0;
}

static bool user_settled(struct tp_dp *dp, uint64_t ticket)
{
	return true;
}

static int user_police_add(struct tp_dp *dp, uint64_t max_bps, uint32_t *ret_police)
{
	*ret_police = 0;
	return 0;
}

static void user_police_set(struct tp_dp *dp, uint32_t police, uint64_t max_bps)
{
}

static void user_police_free(struct tp_dp *dp, uint32_t police)
{
}

static void user_close(struct tp_dp *dp)
{
	free(dp);
}

static const struct tp_dp_ops user_ops = {
	.name = "user",
	.add = user_add,
	.set_life = user_set_life,
	.read = user_read,
	.remove = user_remove,
	.settled = user_settled,
	.harvest = user_read,
	.police_add = user_police_add,
	.police_set = user_police_set,
	.police_free = user_police_free,
	.close = user_close,
};

struct tp_dp *tp_dp_user_new(void)
{
	struct tp_dp *dp = malloc(sizeof(*dp));

	if (dp)
		dp->ops = &user_ops;
	return dp;
}

struct tp_dp *tp_dp_none(void)
{
	static struct tp_dp none = { .ops = &user_ops };

	return &none;
}
