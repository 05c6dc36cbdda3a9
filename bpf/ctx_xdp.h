/* SPDX-License-Identifier: GPL-2.0 */
/* The hook vocabulary of relay.h for XDP, and the resizing of a frame. Included by turnpike_xdp.bpf.c. */
#ifndef TP_CTX_XDP_H
#define TP_CTX_XDP_H

#include "env.bpf.h"

#define tp_ctx xdp_md

static __always_inline __u32 ctx_size(struct xdp_md *ctx)
{
	return (__u32)bpf_xdp_get_buff_len(ctx);
}

/*
 * Make room for the plan. The front first: if the end then cannot grow, the front is
 * moved back and the frame is as it was. An end that is cut off is not needed by
 * anything that can still fail (plan.h: a front that shrinks never meets an end that
 * grows). False: no room, the frame is unchanged.
 */
static __always_inline _Bool ctx_resize(struct xdp_md *ctx, const struct tp_plan *plan, __u32 size)
{
	int front = (int)plan->off - plan->prefix;
	int tail = (int)tp_plan_frame_size(plan) - ((int)size - front);

	if (front && bpf_xdp_adjust_head(ctx, front))
		return 0;
	if (tail && bpf_xdp_adjust_tail(ctx, tail)) {
		bpf_xdp_adjust_head(ctx, -front);
		return 0;
	}
	return 1;
}

#endif /* TP_CTX_XDP_H */
