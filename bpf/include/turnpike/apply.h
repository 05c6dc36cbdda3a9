/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Last stage of the packet core: writes the new headers. The glue has resized the
 * frame so that plan->prefix bytes stand before the application data and plan->pad
 * after it. Everything before the data is written, nothing is kept.
 */
#ifndef TURNPIKE_APPLY_H
#define TURNPIKE_APPLY_H

#include <turnpike/plan.h>

/* The Ethernet header up to its last type field, which the caller writes behind the tags. */
TP_CORE void tp_write_macs(__u8 *p, const struct tp_hop *hop)
{
	tp_put32(p, tp_get32(hop->dst_mac));
	tp_put16(p + 4, tp_get16(hop->dst_mac + 4));
	tp_put32(p + 6, tp_get32(hop->src_mac));
	tp_put16(p + 10, tp_get16(hop->src_mac + 4));
}

TP_CORE __be16 tp_plan_ethertype(const struct tp_plan *plan)
{
	return plan->family == TP_IPV4 ? TP_BE16(TP_ETHERTYPE_IP4) : TP_BE16(TP_ETHERTYPE_IP6);
}

TP_CORE void tp_write_ip4(__u8 *p, const struct tp_plan *plan)
{
	__u32 first = TP_BE32(0x45000000u | (__u32)plan->tos << 16 | plan->ip_size);
	__u32 second = TP_BE32((__u32)(plan->df ? 0 : plan->ident) << 16 | (plan->df ? TP_IP4_DF : 0));
	__u32 third = TP_BE32((__u32)plan->ttl << 24 | TP_PROTO_UDP << 16);

	tp_put32(p, first);
	tp_put32(p + TP_IP4_IDENT, second);
	tp_put32(p + TP_IP4_TTL, third);
	tp_put32(p + TP_IP4_SRC, plan->src.w[0]);
	tp_put32(p + TP_IP4_DST, plan->dst.w[0]);
	tp_put16(p + TP_IP4_CHECK, (__u16)~tp_csum_fold((__u64)first + second + third + plan->src.w[0] +
							plan->dst.w[0]));
}

TP_CORE void tp_write_ip6(__u8 *p, const struct tp_plan *plan)
{
	__u32 i;

	tp_put32(p, TP_BE32(0x60000000u | (__u32)plan->tos << 20 | tp_plan_flow_label(plan)));
	tp_put32(p + TP_IP6_LENGTH, TP_BE32((__u32)(plan->ip_size - TP_IP6_SIZE) << 16 | TP_PROTO_UDP << 8 |
					    plan->ttl));
	for (i = 0; i < 4; i++) {
		tp_put32(p + TP_IP6_SRC + 4 * i, plan->src.w[i]);
		tp_put32(p + TP_IP6_DST + 4 * i, plan->dst.w[i]);
	}
}

/* All but the checksum. */
TP_CORE void tp_write_udp(__u8 *p, const struct tp_plan *plan)
{
	tp_put16(p, plan->sport);
	tp_put16(p + TP_UDP_DPORT, plan->dport);
	tp_put16(p + TP_UDP_LENGTH, TP_BE16(plan->ip_size -
					    (plan->family == TP_IPV4 ? TP_IP4_SIZE : TP_IP6_SIZE)));
}

TP_CORE _Bool tp_write_insert(__u8 *p, const __u8 *end, const struct tp_plan *plan)
{
	__u32 i;

	if (plan->wrap == TP_WRAP_NONE)
		return 1;
	if (p + 4 > end)
		return 0;
	tp_put32(p, plan->insert[0]);
	if (plan->wrap == TP_WRAP_CHANNEL)
		return 1;
	if (p + 36 > end)
		return 0;
	for (i = 1; i < 9; i++)
		tp_put32(p + 4 * i, plan->insert[i]);
	if (plan->insert_words == 9)
		return 1;
	if (p + 48 > end)
		return 0;
	for (i = 9; i < 12; i++)
		tp_put32(p + 4 * i, plan->insert[i]);
	return 1;
}

TP_CORE _Bool tp_write_pad(__u8 *data, const __u8 *end, const struct tp_plan *plan)
{
	__u32 i, off = (__u32)plan->prefix + plan->size;
	const __u8 *p;

	for (i = 0; i < 3; i++) {
		if (i >= plan->pad)
			break;
		p = tp_at(data, end, off + i, 1);
		if (!p)
			return 0;
		*(__u8 *)p = 0;
	}
	return 1;
}

/* False: the frame is shorter than planned, and may be half written. */
TP_CORE _Bool tp_apply(__u8 *data, const __u8 *end, const struct tp_plan *plan)
{
	__u8 tags = tp_hop_tags(&plan->hop);
	__u8 *p = data;

	if (p + TP_ETH_SIZE + TP_TAGS_MAX * TP_TAG_SIZE > end)
		return 0;
	tp_write_macs(p, &plan->hop);
	p += TP_ETH_TYPE;
	if (TP_UNLIKELY(tags)) {
		tp_put16(p, plan->hop.vlan_proto[0]);
		tp_put16(p + 2, plan->hop.vlan_tci[0]);
		p += TP_TAG_SIZE;
		if (tags > 1) {
			tp_put16(p, plan->hop.vlan_proto[1]);
			tp_put16(p + 2, plan->hop.vlan_tci[1]);
			p += TP_TAG_SIZE;
		}
	}
	tp_put16(p, tp_plan_ethertype(plan));
	p += 2;
	if (plan->family == TP_IPV4) {
		if (p + TP_IP4_SIZE + TP_UDP_SIZE > end)
			return 0;
		tp_write_ip4(p, plan);
		p += TP_IP4_SIZE;
	} else {
		if (p + TP_IP6_SIZE + TP_UDP_SIZE > end)
			return 0;
		tp_write_ip6(p, plan);
		p += TP_IP6_SIZE;
	}
	tp_write_udp(p, plan);
	tp_put16(p + TP_UDP_CHECK, plan->check);
	p += TP_UDP_SIZE;
	return tp_write_insert(p, end, plan) && tp_write_pad(data, end, plan);
}

#endif /* TURNPIKE_APPLY_H */
