/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reservations (RFC 8656 section 7.2, EVEN-PORT with R): the next-higher port is
 * an allocation already, charged to its user, that only lacks a 5-tuple. It waits
 * 30 seconds for the Allocate request that brings its token.
 */
#include <errno.h>

#include "turn/engine.h"

#define RESERVATION_S 30u

int tp_reservation_make(struct tp_allocation *a, uint8_t family, const struct tp_request *req)
{
	struct tp_turn *turn = req->turn;
	struct tp_relay *relay;
	struct tp_allocation *reserved;
	uint64_t token;
	int err;

	reserved = tp_allocation_new(turn, req->identity, &err);
	if (!reserved)
		return err;
	err = tp_relay_open_pair(a, reserved, family, &req->from->tuple);
	if (err)
		goto fail;
	do
		tp_random(turn, &token, sizeof(token));
	while (!token);
	relay = &reserved->relays[tp_family_index(family)];
	relay->expires_ns = req->now->mono_ns + RESERVATION_S * TP_NS_PER_S;
	err = -ENOMEM;
	reserved->reservation_owner = tp_owner_add_number(turn->registry, turn->worker, reserved,
							  TP_OWNER_RESERVATION, token);
	if (!reserved->reservation_owner || tp_allocation_schedule(reserved))
		goto fail;
	a->reservation_token = token;
	turn->counters.reservations_made++;
	return 0;
fail:
	tp_allocation_end(reserved);
	return err;
}

struct tp_allocation *tp_reservation_take(const struct tp_request *req, uint64_t token)
{
	struct tp_turn *turn = req->turn;
	const struct tp_owner *owner = tp_owner_find_number(turn->registry, TP_OWNER_RESERVATION, token);
	struct tp_allocation *a;

	if (!owner || owner->worker != turn->worker)
		return NULL;
	a = owner->allocation;
	if (!tp_allocation_is_users(a, req->identity))
		return NULL;
	tp_owner_remove(turn->registry, &a->reservation_owner);
	return a;
}
