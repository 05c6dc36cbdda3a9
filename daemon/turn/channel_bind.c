/* SPDX-License-Identifier: GPL-2.0 */
/* The ChannelBind request (RFC 8656 section 12.2). */
#include <errno.h>

#include "turn/engine.h"

#define CHANNEL_MIN		0x4000
#define CHANNEL_MAX		0x4fff
#define CHANNEL_MAX_RFC5766	0x7fff

static int request_parse(const struct tp_request *req, uint16_t *ret_number, struct tp_addr *ret_peer)
{
	uint16_t max = req->turn->conf->rfc5766_channels ? CHANNEL_MAX_RFC5766 : CHANNEL_MAX;
	struct tp_stun_attr attr;

	/* A TCP allocation has data connections instead (RFC 6062). */
	if (req->allocation->tcp || tp_stun_get_u16_first(req->msg, TP_STUN_ATTR_CHANNEL_NUMBER, ret_number) ||
	    !tp_stun_find(req->msg, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr) ||
	    tp_stun_get_xor_addr(req->msg, &attr, ret_peer))
		return TP_STUN_E_BAD_REQUEST;
	if (*ret_number < CHANNEL_MIN || *ret_number > max)
		return TP_STUN_E_BAD_REQUEST;
	/* A datagram cannot be sent to port 0. */
	return ret_peer->port ? 0 : TP_STUN_E_BAD_REQUEST;
}

/* Everything that can be refused is, before anything is changed. */
static int request_check(const struct tp_request *req, uint16_t number, struct tp_addr *peer)
{
	const struct tp_conf *conf = req->turn->conf;
	struct tp_allocation *a = req->allocation;
	struct tp_channel *c;

	if (!a->relays[tp_family_index(peer->family)].live)
		return TP_STUN_E_PEER_FAMILY_MISMATCH;
	tp_addr_to_private(conf, peer);
	c = tp_channel_find(a, number);
	if (c != tp_channel_find_peer(a, peer))
		return TP_STUN_E_BAD_REQUEST;
	if (!tp_peer_allowed(conf, a->realm, peer))
		return TP_STUN_E_FORBIDDEN;
	if (!c && a->channels_len >= conf->max_channels)
		return TP_STUN_E_INSUFFICIENT_CAPACITY;
	if (!tp_permission_find(a, peer) && a->permissions_len >= conf->max_permissions)
		return TP_STUN_E_INSUFFICIENT_CAPACITY;
	return 0;
}

void tp_channel_bind_request(struct tp_request *req)
{
	struct tp_turn_counters *counters = &req->turn->counters;
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;
	struct tp_relay *relay;
	struct tp_addr peer;
	uint16_t number;
	int code = request_parse(req, &number, &peer);

	if (!code)
		code = request_check(req, number, &peer);
	if (!code) {
		relay = &req->allocation->relays[tp_family_index(peer.family)];
		if (tp_permission_refresh(relay, &peer, req->now->mono_ns) ||
		    tp_channel_refresh(relay, number, &peer, req->now->mono_ns))
			code = TP_STUN_E_INSUFFICIENT_CAPACITY;
	}
	if (code) {
		counters->bad_requests += code == TP_STUN_E_BAD_REQUEST;
		counters->forbidden_peer += code == TP_STUN_E_FORBIDDEN;
		counters->capacity_reached += code == TP_STUN_E_INSUFFICIENT_CAPACITY;
		tp_reply_error(req, code);
		return;
	}
	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	tp_reply_send(req, &w);
}
