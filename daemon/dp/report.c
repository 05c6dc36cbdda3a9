/* SPDX-License-Identifier: GPL-2.0 */
/* Hands the control thread's calls to the backend, where it has anything to do with them. Called by main and ctl/. */
#include "dp/node.h"

int tp_dp_fd(struct tp_dp *dp)
{
	return dp->ops->node ? dp->ops->node->fd(dp) : -1;
}

void tp_dp_input(struct tp_dp *dp)
{
	if (dp->ops->node)
		dp->ops->node->input(dp);
}

void tp_dp_beat(struct tp_dp *dp)
{
	if (dp->ops->node)
		dp->ops->node->beat(dp);
}

int tp_dp_reconfigure(struct tp_dp *dp, const struct tp_conf *conf)
{
	return dp->ops->node ? dp->ops->node->reconfigure(dp, conf) : 0;
}

uint64_t tp_dp_leave(struct tp_dp *dp)
{
	return dp->ops->node ? dp->ops->node->leave(dp) : 0;
}

void tp_dp_report_interfaces(struct tp_dp *dp, tp_dp_interface_fn fn, void *arg)
{
	if (dp->ops->node)
		dp->ops->node->interfaces(dp, fn, arg);
}

void tp_dp_report_reasons(struct tp_dp *dp, tp_dp_reason_fn fn, void *arg)
{
	if (dp->ops->node)
		dp->ops->node->reasons(dp, fn, arg);
}

void tp_dp_report_rules(struct tp_dp *dp, tp_dp_rule_fn fn, void *arg)
{
	if (dp->ops->node)
		dp->ops->node->rules(dp, fn, arg);
}

void tp_dp_report_totals(struct tp_dp *dp, struct tp_dp_totals *ret)
{
	*ret = (struct tp_dp_totals){ .backend = dp->ops->name };
	if (dp->ops->node)
		dp->ops->node->totals(dp, ret);
}
