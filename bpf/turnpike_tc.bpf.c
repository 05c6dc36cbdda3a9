/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tc program: what the XDP program does, on devices where XDP is the wrong hook.
 * What it passes up goes to the next program or filter. Loaded by dp/.
 */
#include "ctx_tc.h"
#include "relay.h"

SEC("tc")
int turnpike_tc(struct __sk_buff *skb)
{
	struct tp_scratch *scratch = map_scratch();
	__u32 size = skb->len;
	enum tp_verdict verdict;
	enum tp_reason reason;
	struct tp_job *job;

	if (!scratch)
		return TC_ACT_UNSPEC;
	job = (struct tp_job *)scratch->job;
	relay_begin(job, skb->ifindex, 1);
	job->segments = !!skb->gso_size;
	ctx_tag(skb, &job->head);
	ctx_pull(skb);
	reason = relay_decide(skb, (void *)(long)skb->data, (void *)(long)skb->data_end, size, job);
	if (relay_verdict(reason) == TP_VERDICT_RELAY) {
		if (job->plan.size > TP_SCRATCH_SIZE)
			reason = TP_REASON_NO_HEADROOM;
		else if (!ctx_apply(skb, scratch, &job->head, &job->plan))
			reason = TP_REASON_ERROR;
	}
	relay_account(job, reason, size);
	verdict = relay_verdict(reason);
	if (verdict == TP_VERDICT_RELAY)
		return (int)bpf_redirect(job->plan.hop.ifindex, 0);
	return verdict == TP_VERDICT_PASS ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

char _license[] SEC("license") = "GPL";
