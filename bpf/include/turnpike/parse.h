/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First stage of the packet core: whose packet it is. Bytes in, plain structs out;
 * everything that is not fully understood ends in a reason. The glue calls
 * tp_parse(), then tp_message() of message.h, and looks up the keys of tp_key_*().
 */
#ifndef TURNPIKE_PARSE_H
#define TURNPIKE_PARSE_H

#include <turnpike/abi.h>
#include <turnpike/csum.h>
#include <turnpike/port.h>
#include <turnpike/wire.h>

/* Stages return a reason, or this: go on. */
#define TP_GO_ON TP_REASON_COUNT

struct tp_head {
	struct tp_ip src, dst;
	__be16 sport, dport;
	__u16 check;		/* UDP checksum as it is on the wire, 0 is none */
	__u16 udp;		/* offset of the UDP header */
	__u16 size;		/* of the UDP payload */
	__u8 mac[6];		/* destination */
	__be16 tci[TP_TAGS_MAX], proto[TP_TAGS_MAX];
	__u8 tags;
	__u8 family;		/* TP_IPV4, TP_IPV6 */
	__u8 tos, ttl, df;
};

/* No device the fast path serves sends more; keeps every offset under TP_OFFSET_MASK. */
#define TP_UDP_MAX 32000

/* The next inner tag. */
TP_CORE void tp_head_tag(struct tp_head *head, __be16 proto, __be16 tci)
{
	if (head->tags) {
		head->proto[1] = proto;
		head->tci[1] = tci;
		head->tags = 2;
	} else {
		head->proto[0] = proto;
		head->tci[0] = tci;
		head->tags = 1;
	}
}

TP_CORE enum tp_reason tp_parse_tags(const __u8 *data, const __u8 *end, struct tp_head *head, __u32 *ret_off,
				     __be16 *ret_type)
{
	const __u8 *p = tp_at(data, end, 0, TP_ETH_SIZE);
	__u32 off = TP_ETH_SIZE;
	__be16 type;

	if (!p)
		return TP_REASON_NOT_IP;
	TP_PUT(__u32, head->mac, tp_get32(p));
	TP_PUT(__u16, head->mac + 4, tp_get16(p + 4));
	type = tp_get16(p + TP_ETH_TYPE);

	if (TP_UNLIKELY(type == TP_BE16(TP_ETHERTYPE_VLAN) || type == TP_BE16(TP_ETHERTYPE_QINQ))) {
		p = tp_at(data, end, off, TP_TAG_SIZE);
		if (!p)
			return TP_REASON_NOT_IP;
		tp_head_tag(head, type, tp_get16(p));
		type = tp_get16(p + 2);
		off += TP_TAG_SIZE;
		if (type == TP_BE16(TP_ETHERTYPE_VLAN) && head->tags < TP_TAGS_MAX) {
			p = tp_at(data, end, off, TP_TAG_SIZE);
			if (!p)
				return TP_REASON_NOT_IP;
			tp_head_tag(head, type, tp_get16(p));
			type = tp_get16(p + 2);
			off += TP_TAG_SIZE;
		}
	}
	*ret_off = off;
	*ret_type = type;
	return TP_GO_ON;
}

/* Whose it is, of a packet that is not looked at further: ports are 0 where they cannot be seen. */
TP_CORE void tp_parse_ports(const __u8 *data, const __u8 *end, __u32 off, struct tp_head *head)
{
	const __u8 *p = tp_at(data, end, off, 4);

	if (!p)
		return;
	head->sport = tp_get16(p);
	head->dport = tp_get16(p + TP_UDP_DPORT);
}

/* RFC 1812 section 5.2.2: the new header gets a checksum of its own, so the old one is looked at. */
TP_CORE _Bool tp_ip4_intact(const __u8 *p)
{
	return tp_csum_fold((__u64)tp_get32(p) + tp_get32(p + 4) + tp_get32(p + 8) + tp_get32(p + 12) +
			    tp_get32(p + 16)) == 0xffff;
}

TP_CORE enum tp_reason tp_parse_ip4(const __u8 *data, const __u8 *end, __u32 size, __u32 off,
				    struct tp_head *head, __u32 *ret_left)
{
	const __u8 *p = tp_at(data, end, off, TP_IP4_SIZE);
	__u32 length, header;
	__u16 fragment;

	if (!p || (p[0] >> 4) != 4)
		return TP_REASON_NOT_IP;
	if (p[TP_IP4_PROTOCOL] != TP_PROTO_UDP)
		return TP_REASON_NOT_UDP;
	header = 4u * (p[0] & 15);
	if (header < TP_IP4_SIZE)
		return TP_REASON_NOT_IP;
	head->family = TP_IPV4;
	head->src.w[0] = tp_get32(p + TP_IP4_SRC);
	head->dst.w[0] = tp_get32(p + TP_IP4_DST);
	fragment = TP_HOST16(tp_get16(p + TP_IP4_FRAGMENT));
	if (TP_UNLIKELY(header != TP_IP4_SIZE || (fragment & TP_IP4_MF_OFFSET))) {
		if (!(fragment & TP_IP4_OFFSET))
			tp_parse_ports(data, end, off + header, head);
		return fragment & TP_IP4_MF_OFFSET ? TP_REASON_FRAGMENT : TP_REASON_IP_OPTIONS;
	}
	head->tos = p[TP_IP4_TOS];
	head->ttl = p[TP_IP4_TTL];
	head->df = !!(fragment & TP_IP4_DF);
	length = TP_HOST16(tp_get16(p + TP_IP4_LENGTH));
	*ret_left = length > TP_IP4_SIZE && off + length <= size && tp_ip4_intact(p) ? length - TP_IP4_SIZE : 0;
	return TP_GO_ON;
}

/* An extension header (RFC 8200 section 4); UDP is looked for behind one of them only. */
TP_CORE enum tp_reason tp_parse_extension(const __u8 *data, const __u8 *end, __u32 off, __u8 type,
					  struct tp_head *head)
{
	enum tp_reason reason = type == TP_PROTO_FRAGMENT ? TP_REASON_FRAGMENT : TP_REASON_IPV6_EXTENSION;
	const __u8 *p = tp_at(data, end, off, 8);
	__u32 size;

	if (type != TP_PROTO_HOPOPTS && type != TP_PROTO_ROUTING && type != TP_PROTO_FRAGMENT &&
	    type != TP_PROTO_DSTOPTS && type != TP_PROTO_AUTH)
		return TP_REASON_NOT_UDP;
	if (!p || p[0] != TP_PROTO_UDP)
		return reason;
	size = type == TP_PROTO_FRAGMENT ? 8 : type == TP_PROTO_AUTH ? 4u * (p[1] + 2u) : 8u * (p[1] + 1u);
	if (type != TP_PROTO_FRAGMENT || !(tp_get16(p + 2) & TP_BE16(TP_IP6_OFFSET)))
		tp_parse_ports(data, end, off + size, head);
	return reason;
}

TP_CORE enum tp_reason tp_parse_ip6(const __u8 *data, const __u8 *end, __u32 size, __u32 off,
				    struct tp_head *head, __u32 *ret_left)
{
	const __u8 *p = tp_at(data, end, off, TP_IP6_SIZE);
	__u32 i, length;
	__u8 next;

	if (!p || (p[0] >> 4) != 6)
		return TP_REASON_NOT_IP;
	next = p[TP_IP6_NEXT];
	head->family = TP_IPV6;
	for (i = 0; i < 4; i++) {
		head->src.w[i] = tp_get32(p + TP_IP6_SRC + 4 * i);
		head->dst.w[i] = tp_get32(p + TP_IP6_DST + 4 * i);
	}
	if (next != TP_PROTO_UDP)
		return tp_parse_extension(data, end, off + TP_IP6_SIZE, next, head);
	head->tos = (__u8)(p[0] << 4 | p[1] >> 4);
	head->ttl = p[TP_IP6_HOPS];
	length = TP_HOST16(tp_get16(p + TP_IP6_LENGTH));
	*ret_left = off + TP_IP6_SIZE + length <= size ? length : 0;
	return TP_GO_ON;
}

/*
 * `size` is the frame's, of which [data, end) can be read. `head` is zeroed, but for
 * an outer tag that the device took out of the frame. TP_REASON_MALFORMED: a length
 * or the IP checksum lies. For it, fragments, options and extension headers, addresses and ports are
 * filled in where they can be seen.
 */
TP_CORE enum tp_reason tp_parse(const __u8 *data, const __u8 *end, __u32 size, struct tp_head *head)
{
	enum tp_reason reason;
	const __u8 *p;
	__u32 off, left, length;
	__be16 type;

	reason = tp_parse_tags(data, end, head, &off, &type);
	if (reason != TP_GO_ON)
		return reason;
	if (type == TP_BE16(TP_ETHERTYPE_IP4)) {
		reason = tp_parse_ip4(data, end, size, off, head, &left);
		off += TP_IP4_SIZE;
	} else if (type == TP_BE16(TP_ETHERTYPE_IP6)) {
		reason = tp_parse_ip6(data, end, size, off, head, &left);
		off += TP_IP6_SIZE;
	} else {
		reason = TP_REASON_NOT_IP;
	}
	if (reason != TP_GO_ON)
		return reason;
	p = tp_at(data, end, off, TP_UDP_SIZE);
	if (!p)
		return TP_REASON_MALFORMED;
	head->udp = (__u16)off;
	head->sport = tp_get16(p);
	head->dport = tp_get16(p + TP_UDP_DPORT);
	head->check = tp_get16(p + TP_UDP_CHECK);
	length = TP_HOST16(tp_get16(p + TP_UDP_LENGTH));
	if (length < TP_UDP_SIZE || length > left)
		return TP_REASON_MALFORMED;
	if (length > TP_UDP_MAX)
		return TP_REASON_TOO_BIG;
	head->size = (__u16)(length - TP_UDP_SIZE);
	return TP_GO_ON;
}

/* Sources that no packet from the wire has. */
TP_CORE _Bool tp_ip_martian(const struct tp_ip *ip, __u8 family)
{
	__u8 top;

	if (family == TP_IPV4) {
		top = (__u8)(TP_HOST32(ip->w[0]) >> 24);
		return top == 0 || top == 127 || top >= 224;
	}
	if ((ip->w[0] & TP_BE32(0xff000000)) == TP_BE32(0xff000000))
		return 1;
	/* ::, ::1, v4-compatible and v4-mapped */
	return !ip->w[0] && !ip->w[1] && (!ip->w[2] || ip->w[2] == TP_BE32(0x0000ffff));
}

TP_CORE _Bool tp_ip_same(const struct tp_ip *a, const struct tp_ip *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

TP_CORE void tp_key_up4(struct tp_key_up4 *key, const struct tp_head *head, __u16 channel)
{
	key->client_ip = head->src.w[0];
	key->server_ip = head->dst.w[0];
	key->client_port = head->sport;
	key->server_port = head->dport;
	key->channel = TP_BE16(channel);
	key->zero = 0;
}

TP_CORE void tp_key_up6(struct tp_key_up6 *key, const struct tp_head *head, __u16 channel)
{
	key->client_ip = head->src;
	key->server_ip = head->dst;
	key->client_port = head->sport;
	key->server_port = head->dport;
	key->channel = TP_BE16(channel);
	key->zero = 0;
}

#endif /* TURNPIKE_PARSE_H */
