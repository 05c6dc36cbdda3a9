/* SPDX-License-Identifier: GPL-2.0 */
/* The Refresh request (RFC 8656 section 8.2), and by ticket from a new 5-tuple (RFC 8016 section 3.2). */
#include <errno.h>
#include <string.h>

#include "turn/engine.h"

struct wanted {
	int family;		/* 0: every address of the allocation */
	uint32_t lifetime_s;
	int ticket;		/* as tp_ticket_find() */
};

static void refuse(const struct tp_request *req, int code)
{
	req->turn->counters.bad_requests += code == TP_STUN_E_BAD_REQUEST;
	req->turn->counters.mismatched += code == TP_STUN_E_ALLOCATION_MISMATCH || code == TP_STUN_E_WRONG_CREDENTIALS;
	tp_reply_error(req, code);
}

static int request_parse(const struct tp_request *req, struct wanted *w)
{
	const struct tp_owner *owner;
	uint32_t number;
	bool bad;

	w->family = tp_request_family(req, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	w->lifetime_s = tp_request_lifetime(req, true, &bad);
	w->ticket = tp_ticket_find(req, &owner, &number);
	if (w->ticket && !req->turn->conf->mobility)
		return TP_STUN_E_MOBILITY_FORBIDDEN;
	if (bad || w->family == -EBADMSG || w->ticket < 0)
		return TP_STUN_E_BAD_REQUEST;
	if (w->family < 0)
		return TP_STUN_E_PEER_FAMILY_MISMATCH;
	return 0;
}

static int family_check(const struct tp_allocation *a, const struct wanted *w)
{
	if (w->family && !a->relays[tp_family_index((uint8_t)w->family)].live)
		return TP_STUN_E_PEER_FAMILY_MISMATCH;
	return 0;
}

/* Before what it is about may be gone: the response is built first, and sent either way. */
static void refresh_apply(const struct tp_request *req, const struct wanted *w)
{
	struct tp_allocation *a = req->allocation;
	uint64_t end = req->now->mono_ns + w->lifetime_s * TP_NS_PER_S;
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer writer;

	tp_reply_begin(req, &writer, buf, TP_STUN_SUCCESS);
	tp_stun_put_u32(&writer, TP_STUN_ATTR_LIFETIME, w->lifetime_s);
	if (w->ticket > 0 && w->lifetime_s)
		tp_ticket_put(req, a, &writer);
	for (unsigned int i = 0; i < 2 && w->lifetime_s; i++) {
		if (a->relays[i].live && (!w->family || tp_family_index((uint8_t)w->family) == i))
			tp_allocation_set_life(&a->relays[i], end);
	}
	tp_reply_send(req, &writer);
	if (w->lifetime_s) {
		tp_allocation_tell(a, TP_EVENT_REFRESHED, w->lifetime_s);
		return;
	}
	if (w->family)
		tp_allocation_end_relay(&a->relays[tp_family_index((uint8_t)w->family)]);
	else
		tp_allocation_end(a);
}

void tp_refresh_request(struct tp_request *req)
{
	struct wanted w;
	int code = request_parse(req, &w);

	if (!code)
		code = family_check(req->allocation, &w);
	/* On the 5-tuple that the allocation has, a ticket moves nothing; the client learns the current one. */
	if (code)
		refuse(req, code);
	else
		refresh_apply(req, &w);
}

/* The ticket must be the latest, or the one before while the client may not have got the latest. */
static int ticket_check(const struct tp_request *req, const struct tp_owner *owner, uint32_t number)
{
	const struct tp_allocation *a;

	if (!owner || owner->worker != req->turn->worker)
		return TP_STUN_E_ALLOCATION_MISMATCH;
	a = owner->allocation;
	if (!tp_allocation_is_users(a, req->identity))
		return TP_STUN_E_WRONG_CREDENTIALS;
	if (number != a->ticket && !(a->old_owner && number + 1 == a->ticket))
		return TP_STUN_E_BAD_REQUEST;
	return 0;
}

bool tp_refresh_by_ticket(struct tp_request *req)
{
	const struct tp_owner *owner;
	struct wanted w;
	uint32_t number;
	int found = tp_ticket_find(req, &owner, &number), code;

	if (!found)
		return false;
	code = request_parse(req, &w);
	if (!code && found != 2)
		code = TP_STUN_E_BAD_REQUEST;
	if (!code && tp_addr_is_tunnel(&req->from->tuple.client))
		code = TP_STUN_E_FORBIDDEN;
	if (!code)
		code = ticket_check(req, owner, number);
	if (!code) {
		req->allocation = owner->allocation;
		code = family_check(req->allocation, &w);
	}
	if (!code && tp_allocation_move(req->allocation, req))
		code = TP_STUN_E_INSUFFICIENT_CAPACITY;
	if (code)
		refuse(req, code);
	else
		refresh_apply(req, &w);
	return true;
}
