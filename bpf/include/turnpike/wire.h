/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers and offsets of the formats on the wire that the packet core reads and writes. */
#ifndef TURNPIKE_WIRE_H
#define TURNPIKE_WIRE_H

/* Ethernet, IEEE 802.1Q tags */
#define TP_ETH_SIZE		14
#define TP_ETH_SOURCE		6
#define TP_ETH_TYPE		12
#define TP_TAG_SIZE		4
#define TP_TAGS_MAX		2
#define TP_ETHERTYPE_IP4	0x0800
#define TP_ETHERTYPE_IP6	0x86dd
#define TP_ETHERTYPE_VLAN	0x8100
#define TP_ETHERTYPE_QINQ	0x88a8
#define TP_VLAN_ID_MASK		0x0fff

/* IPv4, RFC 791 */
#define TP_IP4_SIZE		20
#define TP_IP4_TOS		1
#define TP_IP4_LENGTH		2
#define TP_IP4_IDENT		4
#define TP_IP4_FRAGMENT		6
#define TP_IP4_TTL		8
#define TP_IP4_PROTOCOL		9
#define TP_IP4_CHECK		10
#define TP_IP4_SRC		12
#define TP_IP4_DST		16
#define TP_IP4_DF		0x4000
#define TP_IP4_MF_OFFSET	0x3fff	/* more fragments, fragment offset */
#define TP_IP4_OFFSET		0x1fff
/* RFC 7915 section 5.1: the largest IPv4 packet made of an IPv6 packet that is sent without DF. */
#define TP_IP4_ATOMIC_MIN	1260

/* IPv6, RFC 8200 */
#define TP_IP6_SIZE		40
#define TP_IP6_LENGTH		4
#define TP_IP6_NEXT		6
#define TP_IP6_HOPS		7
#define TP_IP6_SRC		8
#define TP_IP6_DST		24
#define TP_IP6_OFFSET		0xfff8	/* of the fragment header */
#define TP_IP6_MTU_MIN		1280

#define TP_PROTO_UDP		17
/* IPv6 extension headers that may stand before UDP */
#define TP_PROTO_HOPOPTS	0
#define TP_PROTO_ROUTING	43
#define TP_PROTO_FRAGMENT	44
#define TP_PROTO_AUTH		51
#define TP_PROTO_DSTOPTS	60

/* UDP, RFC 768 */
#define TP_UDP_SIZE		8
#define TP_UDP_DPORT		2
#define TP_UDP_LENGTH		4
#define TP_UDP_CHECK		6

/*
 * ChannelData, RFC 8656 section 12.4: channel number, length, data. STUN, RFC 8489
 * section 5: type, length, cookie, transaction id. Indications, RFC 8656 section 17.
 */
#define TP_CHANNEL_SIZE		4
#define TP_STUN_SIZE		20
#define TP_STUN_LENGTH		2
#define TP_STUN_COOKIE		4
#define TP_STUN_MAGIC		0x2112a442u
#define TP_STUN_SEND		0x0016
#define TP_STUN_DATA		0x0017
#define TP_ATTR_SIZE		4
#define TP_ATTR_XOR_PEER	0x0012
#define TP_ATTR_DATA		0x0013
#define TP_ATTR_OPTIONAL	0x8000	/* comprehension-optional from here on */
#define TP_ATTR_IP4_SIZE	8
#define TP_ATTR_IP6_SIZE	20
#define TP_ATTR_FAMILY4		1
#define TP_ATTR_FAMILY6		2

#endif /* TURNPIKE_WIRE_H */
