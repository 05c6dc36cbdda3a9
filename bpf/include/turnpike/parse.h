/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First stage of the packet core: what is in the frame. Bytes in, plain structs
 * out; everything that is not fully understood ends in a reason. The glue calls
 * tp_parse(), tp_message(), and looks up the keys that tp_key_*() fill in.
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

enum tp_message_kind {
	TP_MESSAGE_OTHER,	/* including none at all */
	TP_MESSAGE_STUN,	/* STUN by its cookie, but no Send indication the fast path takes */
	TP_MESSAGE_SEND,
	TP_MESSAGE_CHANNEL,
	TP_MESSAGE_SHORT,	/* ChannelData that claims more than there is */
};

struct tp_message {
	struct tp_ip peer;	/* SEND: XOR-PEER-ADDRESS */
	__be16 peer_port;
	__u16 off;		/* of the application data in the frame */
	__u16 size;		/* of the application data */
	__u16 channel;		/* CHANNEL, SHORT: host order */
	__u8 kind;		/* TP_MESSAGE_* */
	__u8 peer_family;
	__u8 first;		/* byte of the UDP payload */
	__u8 odd;		/* there are surplus bytes that are not summed in cut */
	__u64 cut;		/* sum of the payload bytes that are not application data */
};

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

/* Sum of `size` bytes at `off`, a multiple of 4 up to 256, or false. */
TP_CORE _Bool tp_sum_words(const __u8 *data, const __u8 *end, __u32 off, __u32 size, __u64 *sum)
{
	const __u8 *p;
	__u32 i;

	for (i = 0; i < 64; i++) {
		if (4 * i >= size)
			return 1;
		p = tp_at(data, end, off + 4 * i, 4);
		if (!p)
			return 0;
		*sum += tp_get32(p);
	}
	return 4 * i >= size;
}

/* The up to three bytes of padding at `off`, where `at` is their offset in the payload. */
TP_CORE _Bool tp_sum_pad(const __u8 *data, const __u8 *end, __u32 off, __u32 at, __u32 size, __u64 *sum)
{
	const __u8 *p;
	__u32 i;

	for (i = 0; i < 3; i++) {
		if (i >= size)
			break;
		p = tp_at(data, end, off + i, 1);
		if (!p)
			return 0;
		*sum += tp_csum_byte(*p, at + i);
	}
	return 1;
}

/* RFC 8656 section 12.4. Over UDP there may be padding up to a multiple of 4. */
TP_CORE void tp_message_channel(const __u8 *data, const __u8 *end, const struct tp_head *head, const __u8 *p,
				struct tp_message *ret)
{
	__u32 off = head->udp + TP_UDP_SIZE;
	__u32 size = TP_HOST16(tp_get16(p + 2));
	__u32 surplus = head->size - TP_CHANNEL_SIZE - size;

	ret->channel = TP_HOST16(tp_get16(p));
	if (size + TP_CHANNEL_SIZE > head->size) {
		ret->kind = TP_MESSAGE_SHORT;
		return;
	}
	ret->kind = TP_MESSAGE_CHANNEL;
	ret->off = (__u16)(off + TP_CHANNEL_SIZE);
	ret->size = (__u16)size;
	ret->cut = tp_get32(p);
	if (TP_UNLIKELY(surplus))
		ret->odd = surplus > 3 || !tp_sum_pad(data, end, off + TP_CHANNEL_SIZE + size, size, surplus, &ret->cut);
}

/* RFC 8489 section 14.2: port and address are XORed with the cookie and the transaction id. */
TP_CORE _Bool tp_attr_peer(const __u8 *data, const __u8 *end, const __u8 *stun, __u32 off, __u32 size,
			   struct tp_message *ret)
{
	const __u8 *p = tp_at(data, end, off, TP_ATTR_SIZE + TP_ATTR_IP4_SIZE);
	__u32 i;

	if (!p)
		return 0;
	ret->peer_port = tp_get16(p + TP_ATTR_SIZE + 2) ^ TP_BE16(TP_STUN_MAGIC >> 16);
	ret->peer.w[0] = tp_get32(p + TP_ATTR_SIZE + 4) ^ TP_BE32(TP_STUN_MAGIC);
	if (p[TP_ATTR_SIZE + 1] == TP_ATTR_FAMILY4 && size == TP_ATTR_IP4_SIZE) {
		ret->peer_family = TP_IPV4;
		return 1;
	}
	if (p[TP_ATTR_SIZE + 1] != TP_ATTR_FAMILY6 || size != TP_ATTR_IP6_SIZE)
		return 0;
	p = tp_at(data, end, off, TP_ATTR_SIZE + TP_ATTR_IP6_SIZE);
	if (!p)
		return 0;
	for (i = 1; i < 4; i++)
		ret->peer.w[i] = tp_get32(p + TP_ATTR_SIZE + 4 + 4 * i) ^ tp_get32(stun + TP_STUN_COOKIE + 4 * i);
	ret->peer_family = TP_IPV6;
	return 1;
}

#define TP_ATTRS_MAX 8	/* a Send indication with more of them goes up */

/*
 * RFC 8656 section 11.2: XOR-PEER-ADDRESS and DATA, and nothing else that must be
 * understood. DONT-FRAGMENT is such a thing: userspace serves it.
 */
TP_CORE _Bool tp_message_send(const __u8 *data, const __u8 *end, const struct tp_head *head, const __u8 *stun,
			      struct tp_message *ret)
{
	__u32 start = head->udp + TP_UDP_SIZE, stop = start + head->size;
	__u32 off = start + TP_STUN_SIZE, i, size, pad, after;
	_Bool has_data = 0;
	const __u8 *p;
	__u16 type;

	for (i = 0; i < TP_ATTRS_MAX && off < stop; i++) {
		p = tp_at(data, end, off, TP_ATTR_SIZE);
		if (!p)
			return 0;
		type = TP_HOST16(tp_get16(p));
		size = TP_HOST16(tp_get16(p + 2));
		if (off + TP_ATTR_SIZE + size > stop)
			return 0;
		if (type == TP_ATTR_DATA) {
			if (!has_data) {
				ret->off = (__u16)(off + TP_ATTR_SIZE);
				ret->size = (__u16)size;
			}
			has_data = 1;
		} else if (type == TP_ATTR_XOR_PEER) {
			if (!ret->peer_family && !tp_attr_peer(data, end, stun, off, size, ret))
				return 0;
		} else if (type < TP_ATTR_OPTIONAL) {
			return 0;
		}
		off += TP_ATTR_SIZE + ((size + 3) & ~3u);
	}
	if (off != stop || !has_data || !ret->peer_family || !ret->peer_port)
		return 0;

	/* What is not data, for the checksum: all before it, its padding, all after it. */
	pad = -(__u32)ret->size & 3;
	after = ret->off + ret->size + pad;
	ret->odd = !tp_sum_words(data, end, start, ret->off - start, &ret->cut) ||
		   !tp_sum_pad(data, end, ret->off + ret->size, ret->size, pad, &ret->cut) ||
		   !tp_sum_words(data, end, after, stop - after, &ret->cut);
	return 1;
}

/* What the UDP payload is, by its first bytes (RFC 8656 section 12, table 3; RFC 8489 section 6). */
TP_CORE void tp_message(const __u8 *data, const __u8 *end, const struct tp_head *head, struct tp_message *ret)
{
	const __u8 *p = tp_at(data, end, head->udp + TP_UDP_SIZE, TP_CHANNEL_SIZE);

	ret->off = head->udp + TP_UDP_SIZE;
	ret->size = head->size;
	if (!p || head->size < TP_CHANNEL_SIZE) {
		p = tp_at(data, end, head->udp + TP_UDP_SIZE, 1);
		ret->first = p && head->size ? p[0] : 0xff;
		return;
	}
	ret->first = p[0];
	if ((p[0] & 0xc0) == 0x40) {
		tp_message_channel(data, end, head, p, ret);
		return;
	}
	if ((p[0] & 0xc0) || head->size < TP_STUN_SIZE)
		return;
	p = tp_at(data, end, head->udp + TP_UDP_SIZE, TP_STUN_SIZE);
	if (!p || tp_get32(p + TP_STUN_COOKIE) != TP_BE32(TP_STUN_MAGIC))
		return;
	ret->kind = TP_MESSAGE_STUN;
	if (tp_get16(p) == TP_BE16(TP_STUN_SEND) &&
	    TP_HOST16(tp_get16(p + TP_STUN_LENGTH)) + TP_STUN_SIZE == head->size && !(head->size & 3) &&
	    tp_message_send(data, end, head, p, ret)) {
		ret->kind = TP_MESSAGE_SEND;
		return;
	}
	/* Nothing of a Send that was given up half read may be left. */
	ret->off = head->udp + TP_UDP_SIZE;
	ret->size = head->size;
	ret->cut = 0;
	ret->odd = 0;
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
