/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First stage of the packet core, second half: what the UDP payload is. ChannelData
 * and Send indications are taken apart; a message that is not wholly understood is
 * STUN or nothing, which userspace decides. Called by relay.h after tp_parse().
 */
#ifndef TURNPIKE_MESSAGE_H
#define TURNPIKE_MESSAGE_H

#include <turnpike/parse.h>

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

#endif /* TURNPIKE_MESSAGE_H */
