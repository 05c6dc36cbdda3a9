/* SPDX-License-Identifier: GPL-2.0 */
/* The Allocate request (RFC 8656 section 7.2); its checks are in the section's order. */
#include <errno.h>
#include <string.h>

#include "turn/engine.h"

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* What the request asks for. */
struct wanted {
	uint8_t families[2];	/* 4 and 6; the second one is 0 unless both are wanted */
	bool even, reserve;
	bool has_token, mobile;
	bool tcp;
	uint64_t token;
	uint32_t lifetime_s;
};

static bool has(const struct tp_request *req, uint16_t type)
{
	struct tp_stun_attr attr;

	return tp_stun_find(req->msg, type, &attr);
}

/* coturn's client asks for both families by the number the attribute had before RFC 8656. */
static int additional_family(const struct tp_request *req)
{
	int family = tp_request_family(req, TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY);

	return family ? family : tp_request_family(req, TP_STUN_ATTR_OLD_ADDITIONAL_ADDRESS_FAMILY);
}

/* RFC 6062 section 5.1: over a stream only, and without what is about datagrams and ports. */
static int check_tcp(const struct tp_request *req, struct wanted *w)
{
	uint8_t transport = req->from->tuple.transport;

	if (req->turn->conf->no_tcp_relay || !req->turn->io->tcp_listen)
		return TP_STUN_E_UNSUPPORTED_TRANSPORT;
	if ((transport != TP_TCP && transport != TP_TLS) || has(req, TP_STUN_ATTR_DONT_FRAGMENT) ||
	    has(req, TP_STUN_ATTR_EVEN_PORT) || has(req, TP_STUN_ATTR_RESERVATION_TOKEN))
		return TP_STUN_E_BAD_REQUEST;
	w->tcp = true;
	return 0;
}

static int check_transport(const struct tp_request *req, struct wanted *w)
{
	uint8_t protocol;

	if (tp_stun_get_u8_first(req->msg, TP_STUN_ATTR_REQUESTED_TRANSPORT, &protocol))
		return TP_STUN_E_BAD_REQUEST;
	if (protocol == PROTOCOL_TCP)
		return check_tcp(req, w);
	return protocol == PROTOCOL_UDP && !req->turn->conf->no_udp_relay ? 0 : TP_STUN_E_UNSUPPORTED_TRANSPORT;
}

static int check_token(const struct tp_request *req, int requested, int additional, struct wanted *w)
{
	struct tp_stun_attr attr;

	if (!tp_stun_find(req->msg, TP_STUN_ATTR_RESERVATION_TOKEN, &attr))
		return 0;
	if (attr.size != sizeof(w->token) || requested || additional || has(req, TP_STUN_ATTR_EVEN_PORT))
		return TP_STUN_E_BAD_REQUEST;
	memcpy(&w->token, tp_stun_value(req->msg, &attr), sizeof(w->token));
	w->has_token = true;
	return 0;
}

static int check_even_port(const struct tp_request *req, int additional, struct wanted *w)
{
	struct tp_stun_attr attr;

	if (!tp_stun_find(req->msg, TP_STUN_ATTR_EVEN_PORT, &attr))
		return 0;
	if (attr.size != 1)
		return TP_STUN_E_BAD_REQUEST;
	w->even = true;
	w->reserve = *tp_stun_value(req->msg, &attr) & 0x80;
	return w->reserve && additional ? TP_STUN_E_BAD_REQUEST : 0;
}

/* RFC 8016 section 3.1: an empty MOBILITY-TICKET asks for one. */
static int check_ticket(const struct tp_request *req, struct wanted *w)
{
	struct tp_stun_attr attr;

	if (!tp_stun_find(req->msg, TP_STUN_ATTR_MOBILITY_TICKET, &attr))
		return 0;
	if (!req->turn->conf->mobility)
		return TP_STUN_E_MOBILITY_FORBIDDEN;
	w->mobile = true;
	return attr.size ? TP_STUN_E_BAD_REQUEST : 0;
}

/* Points 6, 7 and 9. Without a request for a family it is IPv4, or what allocation-default-address-family says. */
static int choose_families(const struct tp_request *req, int requested, int additional, struct wanted *w)
{
	const struct tp_conf *conf = req->turn->conf;
	uint8_t keep = req->from->tuple.client.family;

	if (requested == -EBADMSG || additional == -EBADMSG || (requested && additional))
		return TP_STUN_E_BAD_REQUEST;
	if (requested == -EPROTONOSUPPORT)
		return TP_STUN_E_FAMILY_NOT_SUPPORTED;
	if (additional) {
		if (additional != 6)
			return TP_STUN_E_BAD_REQUEST;
		w->families[0] = 4;
		w->families[1] = 6;
		return 0;
	}
	w->families[0] = (uint8_t)requested;
	if (!requested)
		w->families[0] = conf->default_family ? conf->default_family : keep;
	if (!w->has_token && !tp_relay_family_served(conf, w->families[0], &req->from->tuple))
		return TP_STUN_E_FAMILY_NOT_SUPPORTED;
	return 0;
}

static int request_parse(const struct tp_request *req, struct wanted *w)
{
	int requested = tp_request_family(req, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	int additional = additional_family(req);
	struct tp_stun_attr attr;
	bool bad;
	int code = check_transport(req, w);

	if (code)
		return code;
	if (tp_stun_find(req->msg, TP_STUN_ATTR_DONT_FRAGMENT, &attr) && attr.size)
		return TP_STUN_E_BAD_REQUEST;
	code = check_token(req, requested, additional, w);
	if (!code)
		code = choose_families(req, requested, additional, w);
	if (!code)
		code = check_even_port(req, additional, w);
	if (!code)
		code = check_ticket(req, w);
	w->lifetime_s = tp_request_lifetime(req, false, &bad);
	if (!code && bad)
		code = TP_STUN_E_BAD_REQUEST;
	return code;
}

static void put_address_error(struct tp_stun_writer *w, uint8_t family, int code)
{
	uint8_t value[4] = { family == 6 ? TP_STUN_FAMILY_IPV6 : TP_STUN_FAMILY_IPV4, 0, (uint8_t)(code / 100),
			     (uint8_t)(code % 100) };

	tp_stun_put(w, TP_STUN_ATTR_ADDRESS_ERROR_CODE, value, sizeof(value));
}

/* Built from the allocation alone, so that a retransmitted request gets the same again. */
static void reply_success(const struct tp_request *req, struct tp_allocation *a)
{
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live)
			tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_RELAYED_ADDRESS, &a->relays[i].shown);
	}
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME,
			(uint32_t)((tp_allocation_expires_ns(a) - req->now->mono_ns) / TP_NS_PER_S));
	tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &req->from->tuple.client);
	if (a->reservation_token)
		tp_stun_put(&w, TP_STUN_ATTR_RESERVATION_TOKEN, &a->reservation_token, sizeof(a->reservation_token));
	if (a->partial_error)
		put_address_error(&w, a->partial_family, a->partial_error);
	tp_ticket_put(req, a, &w);
	tp_reply_send(req, &w);
}

static int error_of(const struct tp_request *req, int err)
{
	switch (err) {
	case -EDQUOT:
		req->turn->counters.quota_reached++;
		return TP_STUN_E_ALLOCATION_QUOTA;
	case -EAFNOSUPPORT:
		return TP_STUN_E_FAMILY_NOT_SUPPORTED;
	default:
		req->turn->counters.capacity_reached++;
		return TP_STUN_E_INSUFFICIENT_CAPACITY;
	}
}

static void reply_failure(const struct tp_request *req, int err)
{
	if (err != -EINPROGRESS)
		tp_reply_error(req, error_of(req, err));
	else if (req->turn->io->later)
		req->turn->io->later(req->turn->io, req->from, req->msg->data, req->msg->size);
}

/* One address, or both: then one is enough, and the other one's error is told (point 9). */
static int open_relays(const struct tp_request *req, struct tp_allocation *a, const struct wanted *w)
{
	const struct tp_tuple *tuple = &req->from->tuple;
	int err, second;

	if (w->reserve)
		return tp_reservation_make(a, w->families[0], req);
	err = tp_relay_open(a, w->families[0], w->even, tuple);
	if (!w->families[1])
		return err;
	second = tp_relay_open(a, w->families[1], w->even, tuple);
	if (err && second)
		return err == -EAFNOSUPPORT ? second : err;
	if (err || second) {
		a->partial_family = w->families[err ? 0 : 1];
		a->partial_error = (err ? err : second) == -EAFNOSUPPORT ? TP_STUN_E_FAMILY_NOT_SUPPORTED :
									     TP_STUN_E_INSUFFICIENT_CAPACITY;
	}
	return 0;
}

static void allocate_new(const struct tp_request *req, const struct wanted *w)
{
	struct tp_allocation *a;
	int err = -ENOSPC;

	if (w->has_token)
		a = tp_reservation_take(req, w->token);
	else
		a = tp_allocation_new(req->turn, req->identity, &err);
	if (!a) {
		reply_failure(req, err);
		return;
	}
	a->tcp = w->tcp;
	a->origin = tp_origin_first(req->msg);
	/* A stream's peers cannot follow it to a datagram transport. */
	a->mobile = w->mobile && !w->tcp;
	err = w->has_token ? 0 : open_relays(req, a, w);
	for (unsigned int i = 0; i < 2; i++)
		a->relays[i].expires_ns = req->now->mono_ns + w->lifetime_s * TP_NS_PER_S;
	if (!err)
		err = tp_allocation_start(a, req->from, &req->msg->id, req->now);
	if (err) {
		tp_allocation_end(a);
		/* Another worker was given the same request just now, and answers it. */
		if (err != -EEXIST)
			reply_failure(req, err);
		return;
	}
	reply_success(req, a);
	tp_allocation_tell(a, TP_EVENT_NEW, w->lifetime_s);
}

/* Point 2, and the retransmission that the note at the end of section 7.2 describes. */
static void allocate_again(const struct tp_request *req)
{
	struct tp_allocation *a = req->allocation;

	if (!memcmp(&a->allocate_id, &req->msg->id, sizeof(a->allocate_id)) &&
	    tp_allocation_is_users(a, req->identity)) {
		reply_success(req, a);
		return;
	}
	req->turn->counters.mismatched++;
	tp_reply_error(req, TP_STUN_E_ALLOCATION_MISMATCH);
}

void tp_allocate_request(struct tp_request *req)
{
	struct wanted w = { 0 };
	int code;

	if (req->allocation) {
		allocate_again(req);
		return;
	}
	code = request_parse(req, &w);
	/* Section 21.4: loops through tunnels. */
	if (!code && tp_addr_is_tunnel(&req->from->tuple.client))
		code = TP_STUN_E_FORBIDDEN;
	if (code) {
		req->turn->counters.bad_requests++;
		tp_reply_error(req, code);
		return;
	}
	if (tp_alternate_redirect(req))
		return;
	if (req->turn->drain) {
		req->turn->counters.capacity_reached++;
		tp_reply_error(req, TP_STUN_E_INSUFFICIENT_CAPACITY);
		return;
	}
	allocate_new(req, &w);
}
