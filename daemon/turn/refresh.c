/* SPDX-License-Identifier: GPL-2.0 */
/* The Refresh request (RFC 8656 section 8.2). */
#include <errno.h>

#include "turn/engine.h"

static void reply_lifetime(const struct tp_request *req, uint32_t lifetime_s)
{
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	tp_stun_put_u32(&w, TP_STUN_ATTR_LIFETIME, lifetime_s);
	tp_reply_send(req, &w);
}

/* Without REQUESTED-ADDRESS-FAMILY it is about both addresses of a dual allocation (section 8.1). */
static void refresh_apply(const struct tp_request *req, int family, uint32_t lifetime_s)
{
	struct tp_allocation *a = req->allocation;
	uint64_t end = req->now->mono_ns + lifetime_s * TP_NS_PER_S;

	if (!lifetime_s) {
		if (family)
			tp_allocation_end_relay(&a->relays[tp_family_index((uint8_t)family)]);
		else
			tp_allocation_end(a);
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (a->relays[i].live && (!family || tp_family_index((uint8_t)family) == i))
			tp_allocation_set_life(&a->relays[i], end);
	}
}

void tp_refresh_request(struct tp_request *req)
{
	int family = tp_request_family(req, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	bool bad;
	uint32_t lifetime_s = tp_request_lifetime(req, &bad);

	if (bad || family == -EBADMSG) {
		req->turn->counters.bad_requests++;
		tp_reply_error(req, TP_STUN_E_BAD_REQUEST);
		return;
	}
	if (family < 0 || (family && !req->allocation->relays[tp_family_index((uint8_t)family)].live)) {
		tp_reply_error(req, TP_STUN_E_PEER_FAMILY_MISMATCH);
		return;
	}
	refresh_apply(req, family, lifetime_s);
	reply_lifetime(req, lifetime_s);
}
