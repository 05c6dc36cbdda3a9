/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Second stage of the packet core: what the packet becomes. The glue has found the
 * rules and the next hop; out comes a plan: addresses, sizes, header fields and
 * checksum differences, from which the glue resizes the frame and the last stage
 * writes it. IP headers follow RFC 8656 sections 13 and 14, preferred behaviour:
 *
 *   DSCP, ECN        carried (traffic class)
 *   TTL, hop limit   decremented, also v4 -> v4, as the relay's loop policy
 *   DF               v4 -> v4 copied; v6 -> v4 by size (RFC 7915 section 5.1)
 *   Identification   fresh where DF is 0, else 0 (RFC 6864)
 *   flow label       fresh, from the outgoing 5-tuple (RFC 6437 section 3)
 *   too big          up, userspace fragments or answers; likewise a v4 packet
 *                    without DF that gets longer than 1280 bytes as v6
 */
#ifndef TURNPIKE_PLAN_H
#define TURNPIKE_PLAN_H

#include <turnpike/message.h>

enum tp_wrap {
	TP_WRAP_NONE,		/* to a peer */
	TP_WRAP_CHANNEL,	/* to a client, ChannelData */
	TP_WRAP_DATA,		/* to a client, Data indication */
};

#define TP_INSERT_MAX 12	/* words: STUN header, XOR-PEER-ADDRESS for IPv6, DATA's header */

struct tp_plan {
	/* by tp_plan_to_*() */
	struct tp_ip src, dst;
	__be16 sport, dport;
	__u8 family;
	__u8 wrap;		/* TP_WRAP_* */
	/* by the glue */
	struct tp_hop hop;	/* where it leaves */
	__u16 ident;		/* random, where TP_IPV4 and !df */
	/* by tp_plan_finish() */
	__u8 tos, ttl, df;
	__u8 pad;		/* zero bytes after the application data */
	__u8 insert_words;
	__u16 off;		/* of the application data in the old frame */
	__u16 prefix;		/* of the application data in the new frame */
	__u16 size;		/* of the application data */
	__u16 ip_size;		/* of the new IP packet */
	__u16 check;		/* new UDP checksum */
	__u32 pseudo, plain;	/* difference in the pseudo-header's sum, and in the rest's */
	__u32 insert[TP_INSERT_MAX]; /* what stands between the UDP header and the application data */
};

TP_CORE __u32 tp_plan_frame_size(const struct tp_plan *plan)
{
	return (__u32)plan->prefix + plan->size + plan->pad;
}

TP_CORE void tp_plan_to_peer(struct tp_plan *plan, const struct tp_rule *rule, const struct tp_ip *peer,
			     __be16 peer_port)
{
	plan->src = rule->relayed_ip;
	plan->dst = *peer;
	plan->sport = rule->relayed_port;
	plan->dport = peer_port;
	plan->family = rule->peer_family;
	plan->wrap = TP_WRAP_NONE;
	plan->insert_words = 0;
	plan->pad = 0;
}

TP_CORE void tp_plan_to_client(struct tp_plan *plan, const struct tp_rule *rule)
{
	plan->src = rule->server_ip;
	plan->dst = rule->client_ip;
	plan->sport = rule->server_port;
	plan->dport = rule->client_port;
	plan->family = rule->client_family;
}

/* ChannelData needs no padding over UDP (RFC 8656 section 12.5). */
TP_CORE void tp_plan_wrap_channel(struct tp_plan *plan, const struct tp_rule *rule, __u16 size)
{
	plan->wrap = TP_WRAP_CHANNEL;
	plan->insert_words = 1;
	plan->pad = 0;
	plan->insert[0] = TP_BE32((__u32)TP_HOST16(rule->channel) << 16 | size);
}

/* A Data indication (RFC 8656 section 11.3) from a peer; `random` is its transaction id. */
TP_CORE void tp_plan_wrap_data(struct tp_plan *plan, const struct tp_rule *rule, const struct tp_ip *peer,
			       __be16 peer_port, __u16 size, const __u32 random[3])
{
	__u32 *word = plan->insert, padded = (size + 3u) & ~3u;
	__u32 port = TP_HOST16(peer_port) ^ TP_STUN_MAGIC >> 16;

	plan->wrap = TP_WRAP_DATA;
	plan->pad = (__u8)(padded - size);
	word[1] = TP_BE32(TP_STUN_MAGIC);
	word[2] = random[0];
	word[3] = random[1];
	word[4] = random[2];
	if (rule->peer_family == TP_IPV4) {
		word[5] = TP_BE32(TP_ATTR_XOR_PEER << 16 | TP_ATTR_IP4_SIZE);
		word[6] = TP_BE32(TP_ATTR_FAMILY4 << 16 | port);
		word[7] = word[1] ^ (rule->external_ip4 ? rule->external_ip4 : peer->w[0]);
		word[8] = TP_BE32((__u32)TP_ATTR_DATA << 16 | size);
		plan->insert_words = 9;
	} else {
		word[5] = TP_BE32(TP_ATTR_XOR_PEER << 16 | TP_ATTR_IP6_SIZE);
		word[6] = TP_BE32(TP_ATTR_FAMILY6 << 16 | port);
		word[7] = word[1] ^ peer->w[0];
		word[8] = word[2] ^ peer->w[1];
		word[9] = word[3] ^ peer->w[2];
		word[10] = word[4] ^ peer->w[3];
		word[11] = TP_BE32((__u32)TP_ATTR_DATA << 16 | size);
		plan->insert_words = 12;
	}
	word[0] = TP_BE32((__u32)TP_STUN_DATA << 16 | ((4u * plan->insert_words - TP_STUN_SIZE + padded) & 0xffff));
}

TP_CORE __u64 tp_plan_insert_sum(const struct tp_plan *plan)
{
	__u64 sum = 0;
	__u32 i;

	if (plan->wrap == TP_WRAP_NONE)
		return 0;
	if (plan->wrap == TP_WRAP_CHANNEL)
		return plan->insert[0];
	for (i = 0; i < 9; i++)
		sum += plan->insert[i];
	if (plan->insert_words == 12)
		sum += (__u64)plan->insert[9] + plan->insert[10] + plan->insert[11];
	return sum;
}

TP_CORE __u8 tp_hop_tags(const struct tp_hop *hop)
{
	return hop->vlan_proto[0] ? hop->vlan_proto[1] ? 2 : 1 : 0;
}

/* Sizes, header fields and checksum differences, or the reason why the packet goes up. */
TP_CORE enum tp_reason tp_plan_finish(struct tp_plan *plan, const struct tp_head *head,
				      const struct tp_message *message)
{
	__u32 ip_header = plan->family == TP_IPV4 ? TP_IP4_SIZE : TP_IP6_SIZE;
	__u32 udp_size = TP_UDP_SIZE + 4u * plan->insert_words + message->size + plan->pad;
	__u32 ip_size = ip_header + udp_size;
	__u64 old_length = TP_BE16(head->size + TP_UDP_SIZE), new_length = TP_BE16(udp_size);

	if (head->ttl <= 1)
		return TP_REASON_TTL;
	if (message->odd)
		return TP_REASON_ODD_LENGTH;
	if (!head->check && (head->family == TP_IPV6 || plan->family == TP_IPV6))
		return TP_REASON_NO_CHECKSUM;
	if (ip_size > plan->hop.mtu)
		return TP_REASON_TOO_BIG;
	plan->df = head->df;
	if (plan->family != head->family) {
		if (plan->family == TP_IPV6 && !head->df && ip_size > TP_IP6_MTU_MIN)
			return TP_REASON_TOO_BIG;
		plan->df = ip_size > TP_IP4_ATOMIC_MIN;
	}
	plan->tos = head->tos;
	plan->ttl = head->ttl - 1;
	plan->off = message->off;
	plan->size = message->size;
	plan->prefix = (__u16)(TP_ETH_SIZE + (__u32)TP_TAG_SIZE * tp_hop_tags(&plan->hop) + ip_header + TP_UDP_SIZE +
			       4u * plan->insert_words);
	plan->ip_size = (__u16)ip_size;
	plan->pseudo = tp_csum_fold32(tp_csum_ip(&plan->src) + tp_csum_ip(&plan->dst) + new_length +
				      tp_csum_minus(tp_csum_ip(&head->src) + tp_csum_ip(&head->dst) + old_length));
	plan->plain = tp_csum_fold32((__u64)plan->sport + plan->dport + new_length + tp_plan_insert_sum(plan) +
				     tp_csum_minus((__u64)head->sport + head->dport + old_length + message->cut));
	plan->check = tp_csum_udp(head->check, (__u64)plan->pseudo + plan->plain);
	return TP_GO_ON;
}

/* RFC 6437 section 3: 20 bits, the same for every packet of a flow, evenly spread. */
TP_CORE __u32 tp_plan_flow_label(const struct tp_plan *plan)
{
	__u32 hash = 0, i;

	for (i = 0; i < 4; i++)
		hash = (hash ^ plan->src.w[i]) * 0x9e3779b1u ^ plan->dst.w[i] * 0x85ebca6bu;
	hash = (hash ^ ((__u32)plan->sport << 16 | plan->dport)) * 0x9e3779b1u;
	return (hash ^ hash >> 15) & 0xfffff;
}

/*
 * May a packet with this head come in by this hop? The strict reverse path: the same
 * device, the same VLANs, and sent to the device's own MAC address.
 */
TP_CORE _Bool tp_hop_admits(const struct tp_hop *hop, const struct tp_head *head, __u32 ifindex)
{
	if (hop->ifindex != ifindex || head->tags != tp_hop_tags(hop))
		return 0;
	if (tp_get32(hop->src_mac) != tp_get32(head->mac) || tp_get16(hop->src_mac + 4) != tp_get16(head->mac + 4))
		return 0;
	if (head->tags && (((hop->vlan_tci[0] ^ head->tci[0]) & TP_BE16(TP_VLAN_ID_MASK)) ||
			   hop->vlan_proto[0] != head->proto[0]))
		return 0;
	return head->tags < 2 || (!((hop->vlan_tci[1] ^ head->tci[1]) & TP_BE16(TP_VLAN_ID_MASK)) &&
				  hop->vlan_proto[1] == head->proto[1]);
}

/*
 * max-bps: the time at which the next byte is due, or 0 if this packet comes too
 * early (GCRA). The glue stores it with one compare-and-swap.
 */
TP_CORE __u64 tp_police_next(__u64 tat_ns, __u64 now_ns, __u64 cost_ns, __u64 burst_ns)
{
	__u64 next = (tat_ns > now_ns ? tat_ns : now_ns) + cost_ns;

	return next > now_ns + burst_ns ? 0 : next;
}

#endif /* TURNPIKE_PLAN_H */
