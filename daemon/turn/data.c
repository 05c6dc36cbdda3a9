/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What userspace relays itself (RFC 8656 sections 11.2-11.5, 12.6, 12.7):
 * everything when nothing is accelerated, and whatever the fast path passes up.
 * Header fields are carried as sections 13 to 15 say, see fields_forward().
 */
#include <errno.h>
#include <string.h>

#include "turn/engine.h"

#define CHANNEL_HEADER_SIZE	4
#define DATA_OVERHEAD		(TP_STUN_HEADER_SIZE + 4 + 20 + 4)	/* XOR-PEER-ADDRESS of IPv6, DATA's header */
#define ICMP_INTERVAL_NS	(50 * 1000000ull)	/* 20 a second, in bursts of 20 */

static bool attr_known(uint16_t type)
{
	return type == TP_STUN_ATTR_XOR_PEER_ADDRESS || type == TP_STUN_ATTR_DATA ||
	       type == TP_STUN_ATTR_DONT_FRAGMENT;
}

/*
 * Preferred behaviour where the receiving socket tells the incoming fields,
 * else the system's defaults: DSCP and ECN are carried, the hop limit is
 * decremented (between two IPv4 legs too: no loop lives for ever), DF is
 * copied between IPv4 legs. Of a stream only the DSCP is carried (section 15).
 * False: the hop limit is used up.
 */
static bool fields_forward(const struct tp_ip_fields *in, bool stream, uint8_t in_family, uint8_t out_family,
			   struct tp_ip_fields *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!in)
		return true;
	if (stream) {
		ret->tos = in->tos & 0xfc;
		return true;
	}
	if (in->ttl == 1)
		return false;
	ret->ttl = in->ttl ? (uint8_t)(in->ttl - 1) : 0;
	ret->tos = in->tos;
	ret->df = in->df && in_family == 4 && out_family == 4;
	return true;
}

static bool is_stream(const struct tp_path *path)
{
	return path->tuple.transport == TP_TCP || path->tuple.transport == TP_TLS;
}

static void count(struct tp_traffic *traffic, size_t size, uint64_t now_ns)
{
	traffic->packets++;
	traffic->bytes += size;
	traffic->last_ns = now_ns;
}

static bool admit(struct tp_allocation *a, struct tp_traffic *traffic, size_t size, uint64_t now_ns)
{
	if (tp_allocation_admit(a, size, now_ns))
		return true;
	a->turn->counters.policed++;
	traffic->dropped++;
	return false;
}

static void send_peer(struct tp_relay *relay, const struct tp_addr *peer, const void *data, size_t size,
		      const struct tp_ip_fields *fields, uint64_t now_ns)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_turn *turn = a->turn;
	int err;

	if (!admit(a, &a->user_traffic.up, size, now_ns))
		return;
	err = turn->io->send_peer(turn->io, relay->socket, peer, data, size, fields);
	if (!err) {
		count(&a->user_traffic.up, size, now_ns);
		return;
	}
	if (err == -EMSGSIZE)
		turn->counters.too_big++;
	else
		turn->counters.send_failed++;
	a->user_traffic.up.dropped++;
}

/* XOR-PEER-ADDRESS and DATA; nothing else counts. */
static bool send_parse(const struct tp_request *req, struct tp_addr *ret_peer, struct tp_stun_attr *ret_data)
{
	struct tp_stun_attr attr;
	uint16_t unknown;

	return tp_stun_find(req->msg, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr) &&
	       !tp_stun_get_xor_addr(req->msg, &attr, ret_peer) && ret_peer->port &&
	       tp_stun_find(req->msg, TP_STUN_ATTR_DATA, ret_data) &&
	       !tp_stun_unknown(req->msg, attr_known, &unknown, 1);
}

/* DONT-FRAGMENT counts between IPv4 legs and from a stream; section 13 translations of UDP ignore it. */
static bool wants_df(const struct tp_request *req, uint8_t peer_family)
{
	struct tp_stun_attr attr;

	if (!tp_stun_find(req->msg, TP_STUN_ATTR_DONT_FRAGMENT, &attr))
		return false;
	if (is_stream(req->from))
		return true;
	return peer_family == 4 && req->from->tuple.client.family == 4;
}

void tp_send_indication(struct tp_request *req)
{
	struct tp_turn_counters *counters = &req->turn->counters;
	struct tp_allocation *a = req->allocation;
	uint64_t now_ns = req->now->mono_ns;
	struct tp_ip_fields fields;
	struct tp_permission *p;
	struct tp_stun_attr data;
	struct tp_addr peer;

	counters->send_indications++;
	/* The peers of a TCP allocation have connections (RFC 6062), not datagrams. */
	if (a->tcp || !send_parse(req, &peer, &data)) {
		counters->malformed++;
		return;
	}
	tp_addr_to_private(req->turn->conf, &peer);
	p = tp_permission_find(a, &peer);
	if (!tp_permission_alive(p, now_ns)) {
		counters->no_permission++;
		return;
	}
	/* The address was allowed with its permission, and a reload takes that back. */
	if (tp_port_is_listening(req->turn->conf, peer.port) &&
	    !tp_peer_allowed(req->turn->conf, a->realm, &peer)) {
		counters->forbidden_peer++;
		return;
	}
	if (!fields_forward(req->fields, is_stream(req->from), req->from->tuple.client.family, peer.family, &fields)) {
		counters->hop_limit++;
		return;
	}
	fields.df |= wants_df(req, peer.family);
	send_peer(p->relay, &peer, tp_stun_value(req->msg, &data), data.size, &fields, now_ns);
}

/* Section 12.6. What follows the length is padding, which a stream has and UDP may have. */
void tp_channel_data_input(struct tp_allocation *a, const struct tp_path *from, const void *data, size_t size,
			   const struct tp_ip_fields *in, const struct tp_now *now)
{
	struct tp_turn *turn = a->turn;
	const uint8_t *p = data;
	struct tp_ip_fields fields;
	struct tp_channel *c;
	size_t len;

	turn->counters.channel_data++;
	if (size < CHANNEL_HEADER_SIZE) {
		turn->counters.malformed++;
		return;
	}
	len = (size_t)p[2] << 8 | p[3];
	if (len > size - CHANNEL_HEADER_SIZE) {
		turn->counters.malformed++;
		return;
	}
	c = tp_channel_find(a, (uint16_t)(p[0] << 8 | p[1]));
	if (!tp_channel_alive(c, now->mono_ns)) {
		turn->counters.no_channel++;
		return;
	}
	if (!fields_forward(in, is_stream(from), from->tuple.client.family, c->peer.family, &fields)) {
		turn->counters.hop_limit++;
		return;
	}
	send_peer(c->relay, &c->peer, p + CHANNEL_HEADER_SIZE, len, &fields, now->mono_ns);
}

/* Over a stream ChannelData is padded to a multiple of four (section 12.5). */
static size_t build_channel_data(struct tp_allocation *a, const struct tp_channel *c, const void *data, size_t size)
{
	uint8_t *p = a->turn->scratch;
	size_t total = CHANNEL_HEADER_SIZE + size;

	p[0] = (uint8_t)(c->number >> 8);
	p[1] = (uint8_t)c->number;
	p[2] = (uint8_t)(size >> 8);
	p[3] = (uint8_t)size;
	memcpy(p + CHANNEL_HEADER_SIZE, data, size);
	while (is_stream(&a->path) && total % 4)
		p[total++] = 0;
	return total;
}

/* What the client knows a peer by that is relayed on this node, behind external-ip. */
static struct tp_addr peer_shown(struct tp_turn *turn, const struct tp_addr *peer)
{
	struct tp_addr shown = *peer;

	if (turn->conf->external_len && tp_owner_find_relayed(turn->registry, peer))
		tp_addr_to_public(turn->conf, &shown);
	return shown;
}

static void indication_begin(struct tp_turn *turn, struct tp_stun_writer *w, const struct tp_addr *peer)
{
	struct tp_addr shown = peer_shown(turn, peer);
	struct tp_stun_id id = { .bytes = { 0x21, 0x12, 0xa4, 0x42 } };

	tp_random(turn, id.bytes + 4, 12);
	tp_stun_begin(w, turn->scratch, TP_DATAGRAM_SIZE, TP_STUN_DATA, TP_STUN_INDICATION, &id);
	tp_stun_put_xor_addr(w, TP_STUN_ATTR_XOR_PEER_ADDRESS, &shown);
}

static int build_data_indication(struct tp_turn *turn, const struct tp_addr *peer, const void *data, size_t size)
{
	struct tp_stun_writer w;

	indication_begin(turn, &w, peer);
	tp_stun_put(&w, TP_STUN_ATTR_DATA, data, size);
	if (turn->conf->fingerprint)
		tp_stun_put_fingerprint(&w);
	return tp_stun_finish(&w);
}

static void send_client(struct tp_allocation *a, size_t message_size, size_t payload_size,
			const struct tp_ip_fields *fields, uint64_t now_ns)
{
	struct tp_turn *turn = a->turn;

	if (turn->io->send_client(turn->io, &a->path, turn->scratch, message_size, fields)) {
		turn->counters.send_failed++;
		a->user_traffic.down.dropped++;
		return;
	}
	count(&a->user_traffic.down, payload_size, now_ns);
}

void tp_turn_peer_input(struct tp_turn *turn, struct tp_allocation *a, struct tp_relay_socket *socket,
			const struct tp_addr *peer, const void *data, size_t size, const struct tp_ip_fields *in,
			const struct tp_now *now)
{
	struct tp_ip_fields fields;
	struct tp_permission *p;
	struct tp_channel *c;
	int total;

	if (a->state != TP_ALLOCATION_LIVE || !tp_allocation_attached(a) || size > TP_DATAGRAM_SIZE - DATA_OVERHEAD)
		return;
	p = tp_permission_find(a, peer);
	if (!tp_permission_alive(p, now->mono_ns) || p->relay->socket != socket) {
		turn->counters.no_permission++;
		return;
	}
	if (!fields_forward(in, false, peer->family, a->path.tuple.client.family, &fields)) {
		turn->counters.hop_limit++;
		return;
	}
	if (!admit(a, &a->user_traffic.down, size, now->mono_ns))
		return;
	c = tp_channel_find_peer(a, peer);
	if (tp_channel_alive(c, now->mono_ns)) {
		total = (int)build_channel_data(a, c, data, size);
	} else {
		turn->counters.data_indications++;
		total = build_data_indication(turn, peer, data, size);
	}
	if (total > 0)
		send_client(a, (size_t)total, size, &fields, now->mono_ns);
}

/* Section 11.5: what is forwarded at all. */
static bool icmp_wanted(uint8_t family, uint8_t type)
{
	return family == 4 ? type == 3 || type == 11 : type >= 1 && type <= 3;
}

/*
 * Section 18.13. The type has 7 bits and the code 9; the error data is the next
 * hop's MTU for packet-too-big and fragmentation-needed, else zero.
 */
static void icmp_value(uint8_t family, uint8_t type, uint8_t code, uint32_t mtu, uint8_t ret[8])
{
	bool too_big = family == 4 ? type == 3 && code == 4 : type == 2;

	ret[0] = ret[1] = 0;
	ret[2] = (uint8_t)(type << 1);
	ret[3] = code;
	if (!too_big)
		mtu = 0;
	for (unsigned int i = 0; i < 4; i++)
		ret[4 + i] = (uint8_t)(mtu >> (24 - 8 * i));
}

static bool icmp_admit(struct tp_allocation *a, uint64_t now_ns)
{
	uint64_t tat = a->icmp_tat_ns > now_ns ? a->icmp_tat_ns : now_ns;

	if (tat + ICMP_INTERVAL_NS - now_ns > TP_NS_PER_S)
		return false;
	a->icmp_tat_ns = tat + ICMP_INTERVAL_NS;
	return true;
}

int tp_turn_icmp_input(struct tp_turn *turn, const struct tp_addr *relayed, const struct tp_addr *peer,
		       uint8_t type, uint8_t code, uint32_t data, const struct tp_now *now)
{
	const struct tp_owner *owner = tp_owner_find_relayed(turn->registry, relayed);
	struct tp_allocation *a;
	struct tp_stun_writer w;
	uint8_t value[8];
	int size;

	if (!owner || !icmp_wanted(relayed->family, type))
		return TP_TURN_DONE;
	if (owner->worker != turn->worker)
		return (int)owner->worker;
	a = owner->allocation;
	/* The permission is of the quoted destination, not of the router that reports. */
	if (a->state != TP_ALLOCATION_LIVE || !tp_allocation_attached(a) ||
	    !tp_permission_alive(tp_permission_find(a, peer), now->mono_ns) || !icmp_admit(a, now->mono_ns))
		return TP_TURN_DONE;
	icmp_value(relayed->family, type, code, data, value);
	indication_begin(turn, &w, peer);
	tp_stun_put(&w, TP_STUN_ATTR_ICMP, value, sizeof(value));
	if (turn->conf->fingerprint)
		tp_stun_put_fingerprint(&w);
	size = tp_stun_finish(&w);
	if (size < 0 || turn->io->send_client(turn->io, &a->path, turn->scratch, (size_t)size, NULL))
		turn->counters.send_failed++;
	else
		turn->counters.icmp_forwarded++;
	return TP_TURN_DONE;
}
