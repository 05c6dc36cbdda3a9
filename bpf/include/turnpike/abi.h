/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between bpf/, kernel/, daemon/, tools/ and tests/.
 *
 * A *flow* is one way that media may take: an allocation's client, its relayed
 * transport address, and one peer. It is described once, by an immutable
 * `struct tp_rule` in an array slot, and found from two sides by two hash maps:
 *
 *   up    client -> peer   key: client 5-tuple and channel number
 *   down  peer -> client   key: relayed transport address and peer
 *
 * The value of both hash maps is one aligned 64-bit word, `tp_ref`: the slot and
 * the slot's generation. A hash element is reused at once when it is deleted or
 * overwritten, so the word is all that a program may take from it. A slot is
 * reused only after a grace period (no program that saw it still runs), and then
 * under another generation: a rule is never torn and never another client's.
 *
 * There are three kinds of flow:
 *
 *   TP_FLOW_CHANNEL     up key with the channel number, down key with the
 *                       peer's port. ChannelData <-> UDP.
 *   TP_FLOW_PERMISSION  no up key; down key with peer port 0. Data indications
 *                       to the client, and the licence for a Send indication.
 *   TP_FLOW_SEND        up key with the pseudo channel TP_CHANNEL_SEND4 or
 *                       TP_CHANNEL_SEND6 (by the family of the relayed address);
 *                       no down key. A Send indication finds it first, takes
 *                       the relayed address from it, and then looks up the
 *                       permission {relayed address, peer ip, port 0} in the
 *                       down map. A ChannelBind installs the permission too, so
 *                       this second lookup is enough for every Send. A Send
 *                       is good until min(up_ns of this flow, which is the
 *                       allocation's end, down_ns of the permission), takes the
 *                       permission's peer_hop, flags and police, and is counted
 *                       in the permission's slot.
 *
 * Maps                written by          read by       lifetime
 *
 *   tp1_up4/up6       daemon (syscall)    programs      a flow's
 *   tp1_down4/down6   daemon (syscall)    programs      a flow's
 *   tp1_rules         daemon (mmap)       programs      until the slot's reuse
 *   tp1_lives         daemon (mmap)       programs      as the rule
 *   tp1_counts        programs (atomic)   daemon (mmap) as the rule
 *   tp1_police        daemon, programs    both          an allocation's
 *   tp1_hops          daemon (mmap)       programs      while a rule names it
 *   tp1_local         daemon (syscall)    programs      a listener's
 *   tp1_state         daemon (mmap)       programs      the daemon's
 *   tp1_reasons       programs (per CPU)  daemon        the map's
 *   tp1_scratch       programs (per CPU)  programs      one packet's
 *   tp1_keeps         daemon (syscall)    next daemon   an allocation's
 *
 * What a daemon that was killed leaves is adopted by the next one, at whichever write it died: a
 * flow counts only where its rule and every one of its hash entries are there and agree, and only
 * if its allocation has a record in tp1_keeps. One hash update replaces a record whole. The record
 * is written before the flows of a new allocation and deleted before those of one that ended.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC_COARSE in the initial time namespace
 * (bpf_ktime_get_coarse_ns). Packets extend nothing: only the daemon writes
 * expiries. Permissions are per peer address and shared by several flows; the
 * daemon fans a refresh out to the `tp_life` of every flow it concerns.
 *
 * The layout version is part of each map's name, and `tp_state.magic`,
 * `.version` and the record sizes are compared before a daemon adopts pinned maps.
 */
#ifndef TURNPIKE_ABI_H
#define TURNPIKE_ABI_H

#include <linux/types.h>

#define TP_ABI_MAGIC	0x74706b65u	/* "tpke" */
#define TP_ABI_VERSION	1

#define TP_ABI_SIZE(type, size) \
	_Static_assert(sizeof(type) == (size), #type " is not " #size " bytes")

/* Address families as the rules store them: the IP version. */
#define TP_IPV4 4
#define TP_IPV6 6

/* RFC 8656 section 12: channel numbers are 0x4000-0x4FFF; RFC 5766 went up to
 * 0x7FFF. Numbers below 0x4000 are never channels, two of them select a Send. */
#define TP_CHANNEL_SEND4	0x0004
#define TP_CHANNEL_SEND6	0x0006
#define TP_CHANNEL_MIN		0x4000
#define TP_CHANNEL_MAX		0x4fff
#define TP_CHANNEL_MAX_RFC5766	0x7fff

/* An IPv4 address is in w[0], the rest zero. */
struct tp_ip {
	__be32 w[4];
};
TP_ABI_SIZE(struct tp_ip, 16);

/* Keys. Every field in wire order; `zero` is zero. */
struct tp_key_up4 {
	__be32 client_ip;
	__be32 server_ip;
	__be16 client_port;
	__be16 server_port;
	__be16 channel;		/* a channel number or TP_CHANNEL_SEND* */
	__be16 zero;
};
TP_ABI_SIZE(struct tp_key_up4, 16);

struct tp_key_up6 {
	struct tp_ip client_ip;
	struct tp_ip server_ip;
	__be16 client_port;
	__be16 server_port;
	__be16 channel;
	__be16 zero;
};
TP_ABI_SIZE(struct tp_key_up6, 40);

struct tp_key_down4 {
	__be32 relayed_ip;
	__be32 peer_ip;
	__be16 relayed_port;
	__be16 peer_port;	/* 0: the permission of this peer address */
};
TP_ABI_SIZE(struct tp_key_down4, 12);

struct tp_key_down6 {
	struct tp_ip relayed_ip;
	struct tp_ip peer_ip;
	__be16 relayed_port;
	__be16 peer_port;
};
TP_ABI_SIZE(struct tp_key_down6, 36);

/* The value of the hash maps: generation in the upper half, slot in the lower. */
#define TP_REF(slot, gen)	(((__u64)(gen) << 32) | (__u32)(slot))
#define TP_REF_SLOT(ref)	((__u32)(ref))
#define TP_REF_GEN(ref)		((__u32)((ref) >> 32))

#define TP_FLOW_CHANNEL		1
#define TP_FLOW_PERMISSION	2
#define TP_FLOW_SEND		3

/* tp_rule.flags */
#define TP_RULE_PEER_IS_RELAYED	0x01	/* the peer's address is one of this node's relay addresses:
					 * look the packet up again in the down map (both sides of the
					 * call are here); permission flows only say that it may be */
#define TP_RULE_NO_HOP_CHECK	0x02	/* accept it from any ingress device (asymmetric routing) */

/*
 * Immutable while a map refers to it. Client leg and peer leg may differ in
 * family. A slot's rule is written whole before the hash entries that refer to it.
 * Two cache lines.
 */
struct tp_rule {
	__u32 gen;		/* equals TP_REF_GEN of every valid reference */
	__u8 kind;		/* TP_FLOW_* */
	__u8 flags;		/* TP_RULE_* */
	__u8 client_family;	/* TP_IPV4, TP_IPV6: client and server */
	__u8 peer_family;	/* of relayed and peer */
	struct tp_ip client_ip;
	struct tp_ip server_ip;
	struct tp_ip relayed_ip;
	struct tp_ip peer_ip;	/* zero in TP_FLOW_SEND */
	__be16 client_port;
	__be16 server_port;
	__be16 relayed_port;
	__be16 peer_port;	/* zero but in TP_FLOW_CHANNEL */
	__be16 channel;		/* TP_FLOW_CHANNEL: the number */
	__be16 zero;
	__u32 client_hop;	/* index of tp1_hops, 0 is none: pass up. The one exception to immutable: */
	__u32 peer_hop;		/* an aligned word each, stored anew when the route to the address changes */
	__u32 police;		/* index of tp1_police, 0 is no limit */
	__u32 slot_zero;	/* zero */
	__be32 external_ip4;	/* what XOR-PEER-ADDRESS shows for a peer that is relayed here and
				 * behind external-ip; zero where the address is shown as it is */
	__u64 id;		/* the allocation, for tools */
	__u64 zero2[2];
};
TP_ABI_SIZE(struct tp_rule, 128);

/* When a flow ends, each in coarse monotonic ns. One aligned word each, read once. */
struct tp_life {
	__u64 up_ns;		/* CHANNEL: min(channel, allocation). SEND: the allocation's end. PERMISSION: as
				 * down_ns, not read */
	__u64 down_ns;		/* min(permission, allocation) */
	__u64 channel_ns;	/* peer -> client as ChannelData until then, as a Data indication afterwards */
	__u64 own_ns;		/* the end of the channel, the permission, or for SEND the allocation, by itself;
				 * for the next daemon, not read by programs */
};
TP_ABI_SIZE(struct tp_life, 32);

/* Counted by atomic addition. Bytes are the UDP payload on the peer's side. */
struct tp_count {
	__u64 packets;
	__u64 bytes;
	__u64 dropped;		/* expired, policed: the reason is in tp1_reasons */
	__u64 last_ns;		/* last activity, coarse monotonic */
};
TP_ABI_SIZE(struct tp_count, 32);

struct tp_counts {
	struct tp_count up;
	struct tp_count down;
};
TP_ABI_SIZE(struct tp_counts, 64);

/*
 * max-bps of an allocation, both directions together, as the generic cell rate
 * algorithm: `tat_ns` is the theoretical arrival time, moved by
 * bytes * ps_per_byte / 1000 with one compare-and-swap. A packet that would move
 * it further than burst_ns past now is dropped.
 */
struct tp_police {
	__u64 tat_ns;
	__u64 burst_ns;
	__u64 ps_per_byte;
	__u64 zero;
};
TP_ABI_SIZE(struct tp_police, 32);

/* tp_hop.flags */
#define TP_HOP_VALID	0x1	/* the neighbour is resolved and the link is up */
#define TP_HOP_XDP_XMIT	0x2	/* XDP on another device can redirect to this one. Without it XDP sends only what
				 * leaves by the device it came by, else passes up (NO_HOP); tc does not care */

/*
 * Where a leg's packets go on the wire, and where its packets must come from:
 * a packet of this leg that arrives on another device, or with other VLAN tags,
 * is passed up (strict reverse path). Written in place by the daemon under
 * `seq`: odd while being written; a program copies the record and compares `seq`
 * before and after.
 */
struct tp_hop {
	__u32 seq;
	__u32 ifindex;		/* of the device that has the program */
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__be16 vlan_tci[2];	/* outer, inner */
	__be16 vlan_proto[2];	/* 0x88a8 or 0x8100; 0 is no tag */
	__u16 mtu;		/* of the IP packet */
	__u16 flags;		/* TP_HOP_* */
};
TP_ABI_SIZE(struct tp_hop, 32);

/* tp1_local: addresses of the node that are turnpike's business, looked at on a miss only. */
struct tp_key_local {
	struct tp_ip ip;
	__be16 port;		/* a listening port; 0: the relay range of this address */
	__u8 family;
	__u8 zero;
};
TP_ABI_SIZE(struct tp_key_local, 20);

#define TP_LOCAL_LISTEN		1	/* a listening UDP address */
#define TP_LOCAL_RELAY		2	/* a relay address: ports first..last, host order */

struct tp_local {
	__u32 kind;		/* TP_LOCAL_* */
	__u16 first;
	__u16 last;
};
TP_ABI_SIZE(struct tp_local, 8);

/* tp1_state has one element. */
#define TP_STATE_RFC5766_CHANNELS	0x1	/* channel-numbers=rfc5766 */
#define TP_STATE_AUTHORITATIVE		0x2	/* every live channel of a UDP client is in the maps (no table was
						 * ever full): ChannelData of no channel may be dropped */

#define TP_HEARTBEAT_LEFT	1	/* the daemon ended and left its calls: dead at once */

struct tp_state {
	__u32 magic;
	__u32 version;
	__u32 flags;		/* TP_STATE_* */
	__u32 zero;
	__u64 heartbeat_ns;	/* the daemon was alive, coarse monotonic; 0: never started; TP_HEARTBEAT_LEFT */
	__u64 dead_after_ns;	/* how old a heartbeat means a dead daemon; 0: never */
	__u8 boot_id[16];
	__u64 zero2[2];
};
TP_ABI_SIZE(struct tp_state, 64);

/*
 * tp1_keeps: what the next daemon needs of an allocation of a UDP client, by the allocation's id (a
 * u64, host order). Permissions and channels are in the rules. No secret is in the clear: the key of
 * its requests is sealed (ruling 13) under a key that is in a file of state-dir only, together with
 * all of `who`. Times are as in struct tp_life.
 */
#define TP_KEEP_USER_SIZE	764
#define TP_KEEP_REALM_SIZE	128
#define TP_KEEP_SEALED_SIZE	48

/* tp_keep_who.flags */
#define TP_KEEP_SHA256		0x1	/* MESSAGE-INTEGRITY-SHA256 was negotiated */
#define TP_KEEP_ANONYMOUS	0x2	/* no-auth */
#define TP_KEEP_MOBILE		0x4	/* it has tickets (RFC 8016) */

/* A relayed transport address, IPv4 in relays[0] and IPv6 in [1]; expires_ns 0: there is none. */
struct tp_keep_relay {
	struct tp_ip bound;
	struct tp_ip shown;	/* to the client: external-ip applied */
	__be16 bound_port;
	__be16 shown_port;
	__u32 zero;
	__u64 expires_ns;
};
TP_ABI_SIZE(struct tp_keep_relay, 48);

/* Whose it is. Texts end with a zero, and are zero up to their end. */
struct tp_keep_who {
	__u64 id;
	__u64 expires_s;	/* of the credentials, wall clock; 0: never */
	__u32 max_lifetime_s;	/* of a token (RFC 7635); 0: it is none */
	__u32 flags;		/* TP_KEEP_* */
	__u32 key_size;
	__u16 account_offset, account_size;	/* the part of `user` that quotas go by */
	char user[TP_KEEP_USER_SIZE];
	char realm[TP_KEEP_REALM_SIZE];
	__u32 zero;
};
TP_ABI_SIZE(struct tp_keep_who, 928);

struct tp_keep {
	struct tp_keep_who who;
	__u8 sealed[TP_KEEP_SEALED_SIZE];
	struct tp_ip client_ip;
	struct tp_ip server_ip;
	__be16 client_port;
	__be16 server_port;
	__u32 client_family;	/* TP_IPV4, TP_IPV6 */
	__u32 ticket;		/* the latest one's number */
	__u32 zero;
	__u8 allocate_id[16];	/* transaction of the Allocate, which may be retransmitted */
	__u64 created_ns;
	__u64 origin;		/* of the Allocate, hashed; 0: none */
	struct tp_keep_relay relays[2];
};
TP_ABI_SIZE(struct tp_keep, 1152);

/*
 * Why a packet was relayed, passed or dropped. X(name, verdict, text).
 * The text is the key in `turnpikectl --json stats` "reasons".
 */
#define TP_REASONS(X)									\
	X(RELAYED_UP,		RELAY,	"relayed_up")					\
	X(RELAYED_DOWN,		RELAY,	"relayed_down")					\
	X(RELAYED_BOTH,		RELAY,	"relayed_both")	/* relayed to relayed address */\
	/* up to the stack: nothing that concerns the fast path */			\
	X(NOT_IP,		PASS,	"pass_not_ip")					\
	X(NOT_UDP,		PASS,	"pass_not_udp")					\
	X(NO_RULE,		PASS,	"pass_no_rule")					\
	X(STUN,			PASS,	"pass_stun")	/* requests and odd indications */\
	/* up to the daemon, which relays it itself */					\
	X(FRAGMENT,		PASS,	"pass_fragment")				\
	X(IP_OPTIONS,		PASS,	"pass_ip_options")				\
	X(IPV6_EXTENSION,	PASS,	"pass_ipv6_extension")				\
	X(TTL,			PASS,	"pass_ttl")	/* 1: the stack answers */	\
	X(TOO_BIG,		PASS,	"pass_too_big")	/* for the egress MTU */	\
	X(NO_CHECKSUM,		PASS,	"pass_no_checksum") /* UDP zero to IPv6 */	\
	X(NO_HOP,		PASS,	"pass_no_hop")	/* neighbour not resolved */	\
	X(OTHER_DEVICE,		PASS,	"pass_other_device")				\
	X(NO_HEADROOM,		PASS,	"pass_no_headroom")				\
	X(GSO,			PASS,	"pass_gso")					\
	X(MULTI_BUFFER,		PASS,	"pass_multi_buffer")				\
	X(BUSY,			PASS,	"pass_busy")	/* a record changed under the reader */\
	X(NO_PERMISSION,	PASS,	"pass_no_permission") /* a Send without one */	\
	X(ODD_LENGTH,		PASS,	"pass_odd_length") /* surplus bytes, a long Send */\
	X(LOOP,			PASS,	"pass_loop")	/* relayed to itself */		\
	X(HAIRPIN_MISS,		PASS,	"pass_hairpin_miss")				\
	/* dropped */									\
	X(MALFORMED,		DROP,	"drop_malformed")				\
	X(MARTIAN,		DROP,	"drop_martian")	/* own or impossible source */	\
	X(EXPIRED,		DROP,	"drop_expired")					\
	X(POLICED,		DROP,	"drop_max_bps")					\
	X(NO_CHANNEL,		DROP,	"drop_no_channel") /* RFC 8656 section 12.6 */	\
	X(NOT_TURN,		DROP,	"drop_not_turn") /* first byte, on a listening port */\
	X(DAEMON_DEAD,		DROP,	"drop_daemon_dead")				\
	X(ERROR,		DROP,	"drop_error")	/* a helper failed after a write */

#define TP_REASON_ENUM(name, verdict, text) TP_REASON_##name,
enum tp_reason {
	TP_REASONS(TP_REASON_ENUM)
	TP_REASON_COUNT
};

/* The element of tp1_reasons, one per reason and CPU. */
struct tp_reason_count {
	__u64 packets;
	__u64 bytes;		/* of the frame */
};
TP_ABI_SIZE(struct tp_reason_count, 16);

#endif /* TURNPIKE_ABI_H */
