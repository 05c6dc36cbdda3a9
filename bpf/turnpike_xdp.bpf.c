/* SPDX-License-Identifier: GPL-2.0 */
/* The XDP program: relays what it has a rule for, in place, and leaves all else to the stack. Loaded by dp/. */
#include "ctx_xdp.h"
#include "relay.h"

static __always_inline int xdp_relay(struct xdp_md *ctx, const struct tp_job *job, enum tp_reason *reason, __u32 size)
{
	if (!ctx_resize(ctx, &job->plan, size)) {
		*reason = TP_REASON_NO_HEADROOM;
		return XDP_PASS;
	}
	if (!tp_apply((void *)(long)ctx->data, (void *)(long)ctx->data_end, &job->plan)) {
		*reason = TP_REASON_ERROR;
		return XDP_DROP;
	}
	if (job->plan.hop.ifindex == job->ifindex)
		return XDP_TX;
	return (int)bpf_redirect(job->plan.hop.ifindex, 0);
}

SEC("xdp")
int turnpike_xdp(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct tp_scratch *scratch = map_scratch();
	__u32 size = (__u32)(end - data);
	enum tp_verdict verdict;
	enum tp_reason reason;
	struct tp_job *job;
	int ret;

	if (!scratch)
		return XDP_PASS;
	job = (struct tp_job *)scratch->job;
	relay_begin(job, ctx->ingress_ifindex, 0);
	reason = relay_decide(ctx, data, end, size, job);
	verdict = relay_verdict(reason);
	ret = verdict == TP_VERDICT_PASS ? XDP_PASS : XDP_DROP;
	if (verdict == TP_VERDICT_RELAY)
		ret = xdp_relay(ctx, job, &reason, size);
	relay_account(job, reason, size);
	return ret;
}

char _license[] SEC("license") = "GPL";
