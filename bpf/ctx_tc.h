/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hook vocabulary of relay.h for tc, and how a plan is carried out on an sk_buff.
 * Included by turnpike_tc.bpf.c.
 *
 * A local sender's packet has CHECKSUM_PARTIAL: the checksum field holds the sum of
 * the pseudo-header only, and csum_start, which no helper can move, points to the UDP
 * header. So the UDP header stays where it is: what is before it grows and shrinks by
 * bpf_skb_change_proto(), what is behind it by the tail, and the application data are
 * moved. The checksum is changed by differences only, those of the pseudo-header
 * marked as such, which is right for PARTIAL, COMPLETE, UNNECESSARY and NONE alike:
 * whatever is stored is taken into account for COMPLETE (BPF_F_RECOMPUTE_CSUM), and
 * so is what bpf_l4_csum_replace() does not (bpf_csum_update()).
 */
#ifndef TP_CTX_TC_H
#define TP_CTX_TC_H

#include <linux/pkt_cls.h>
#include "env.bpf.h"

#define tp_ctx __sk_buff

static __always_inline __u32 ctx_size(struct __sk_buff *skb)
{
	return skb->len;
}

/* As much of the headers as relay.h may want to see, and all of a UDP datagram. */
#define TC_HEADERS 128

static __always_inline void ctx_pull(struct __sk_buff *skb)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 len = skb->len;
	const __u8 *p;

	if (TP_LIKELY((__u32)(end - data) >= len) || skb->gso_size)
		return;
	p = tp_at(data, end, 0, TP_ETH_SIZE + TP_IP4_SIZE);
	if (p && ((tp_get16(p + TP_ETH_TYPE) == TP_BE16(TP_ETHERTYPE_IP4) &&
		   p[TP_ETH_SIZE + TP_IP4_PROTOCOL] != TP_PROTO_UDP) ||
		  (tp_get16(p + TP_ETH_TYPE) == TP_BE16(TP_ETHERTYPE_IP6) &&
		   p[TP_ETH_SIZE + TP_IP6_NEXT] != TP_PROTO_UDP)))
		return;
	bpf_skb_pull_data(skb, len);
}

/* The tag that the device or the stack took out of the frame is the outermost. */
static __always_inline void ctx_tag(struct __sk_buff *skb, struct tp_head *head)
{
	if (skb->vlan_present)
		tp_head_tag(head, (__be16)skb->vlan_proto, TP_BE16(skb->vlan_tci));
}

/* Without tags: where the headers lie from now on. False: the packet is lost. */
static __always_inline _Bool ctx_untag(struct __sk_buff *skb, __u8 tags)
{
	if (TP_LIKELY(!tags))
		return 1;
	if (bpf_skb_vlan_pop(skb))
		return 0;
	return tags == 1 || !bpf_skb_vlan_pop(skb);
}

static __always_inline _Bool ctx_retag(struct __sk_buff *skb, const struct tp_hop *hop)
{
	if (TP_LIKELY(!hop->vlan_proto[0]))
		return 1;
	if (hop->vlan_proto[1] && bpf_skb_vlan_push(skb, hop->vlan_proto[1], TP_HOST16(hop->vlan_tci[1])))
		return 0;
	return !bpf_skb_vlan_push(skb, hop->vlan_proto[0], TP_HOST16(hop->vlan_tci[0]));
}

/* Application data from one place to another, and the end of the frame behind them. */
static __always_inline _Bool ctx_move(struct __sk_buff *skb, __u8 *buffer, __u32 from, __u32 to, __u32 size,
				      __u32 pad)
{
	__u32 zero = 0, last = size - 1;

	if (size > TP_SCRATCH_SIZE)
		return 0;
	/* Linux 6.1 does not conclude from "not 0" that a size is at least 1, but from this sum; clang 14 would undo it. */
	asm volatile("" : "+r"(last));
	last &= TP_SCRATCH_SIZE - 1;
	asm volatile("" : "+r"(last));
	if (size && bpf_skb_load_bytes(skb, from, buffer, last + 1))
		return 0;
	if (bpf_skb_change_tail(skb, to + size + pad, 0))
		return 0;
	if (size && bpf_skb_store_bytes(skb, to, buffer, last + 1, BPF_F_RECOMPUTE_CSUM))
		return 0;
	pad &= 3;
	last = pad - 1;
	asm volatile("" : "+r"(last));
	last &= 3;
	asm volatile("" : "+r"(last));
	return !pad || !bpf_skb_store_bytes(skb, to + size, &zero, last + 1, BPF_F_RECOMPUTE_CSUM);
}

static __always_inline _Bool ctx_checksum(struct __sk_buff *skb, __u32 udp, const struct tp_plan *plan)
{
	__u32 off = udp + TP_UDP_CHECK, pseudo = plan->pseudo, plain = plan->plain;

	if (bpf_l4_csum_replace(skb, off, 0, pseudo, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) ||
	    bpf_l4_csum_replace(skb, off, 0, plain, BPF_F_MARK_MANGLED_0))
		return 0;
	bpf_csum_update(skb, ~plain);
	return 1;
}

/* Everything in front of the application data but the UDP checksum, which is changed by difference. */
static __always_inline _Bool ctx_write(struct __sk_buff *skb, __u8 *buffer, const struct tp_plan *plan)
{
	__u32 udp;

	tp_write_macs(buffer, &plan->hop);
	tp_put16(buffer + TP_ETH_TYPE, tp_plan_ethertype(plan));
	if (bpf_skb_store_bytes(skb, 0, buffer, TP_ETH_SIZE, 0))
		return 0;
	if (plan->family == TP_IPV4) {
		udp = TP_ETH_SIZE + TP_IP4_SIZE;
		tp_write_ip4(buffer, plan);
		tp_write_udp(buffer + TP_IP4_SIZE, plan);
		if (bpf_skb_store_bytes(skb, TP_ETH_SIZE, buffer, TP_IP4_SIZE + TP_UDP_CHECK, BPF_F_RECOMPUTE_CSUM))
			return 0;
	} else {
		udp = TP_ETH_SIZE + TP_IP6_SIZE;
		tp_write_ip6(buffer, plan);
		tp_write_udp(buffer + TP_IP6_SIZE, plan);
		if (bpf_skb_store_bytes(skb, TP_ETH_SIZE, buffer, TP_IP6_SIZE + TP_UDP_CHECK, BPF_F_RECOMPUTE_CSUM))
			return 0;
	}
	if (!ctx_checksum(skb, udp, plan))
		return 0;
	if (plan->wrap == TP_WRAP_CHANNEL)
		return !bpf_skb_store_bytes(skb, udp + TP_UDP_SIZE, plan->insert, 4, BPF_F_RECOMPUTE_CSUM);
	if (plan->wrap == TP_WRAP_DATA && plan->insert_words == 9)
		return !bpf_skb_store_bytes(skb, udp + TP_UDP_SIZE, plan->insert, 36, BPF_F_RECOMPUTE_CSUM);
	if (plan->wrap == TP_WRAP_DATA)
		return !bpf_skb_store_bytes(skb, udp + TP_UDP_SIZE, plan->insert, 48, BPF_F_RECOMPUTE_CSUM);
	return 1;
}

/* Carry the plan out. False: a helper failed, and the packet is no longer whole. */
static __always_inline _Bool ctx_apply(struct __sk_buff *skb, struct tp_scratch *scratch, const struct tp_head *head,
				       const struct tp_plan *plan)
{
	__u32 udp = TP_ETH_SIZE + (head->family == TP_IPV4 ? TP_IP4_SIZE : TP_IP6_SIZE);
	__u32 from = plan->off - (head->udp - udp), to = udp + TP_UDP_SIZE + 4u * plan->insert_words;

	if (!ctx_untag(skb, head->tags) || !ctx_move(skb, scratch->bytes, from, to, plan->size, plan->pad))
		return 0;
	if (head->family != plan->family && bpf_skb_change_proto(skb, tp_plan_ethertype(plan), 0))
		return 0;
	return ctx_write(skb, scratch->bytes, plan) && ctx_retag(skb, &plan->hop);
}

#endif /* TP_CTX_TC_H */
