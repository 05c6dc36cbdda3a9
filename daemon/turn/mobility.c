/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mobility (RFC 8016): an allocation moves to the 5-tuple from which its user
 * brings its ticket. The data path and what peers send follow at once; the old
 * 5-tuple stays good for what the client still sends there, until the client is
 * heard on the new one, at most OLD_TUPLE_S. A ticket names an allocation and is
 * numbered; the one before the latest is good only while its successor's
 * delivery is not certain.
 */
#include <errno.h>
#include <string.h>

#include "auth/seal.h"
#include "turn/engine.h"

#define OLD_TUPLE_S 30u

int tp_ticket_find(const struct tp_request *req, const struct tp_owner **ret_owner, uint32_t *ret_number)
{
	struct tp_ticket ticket;
	struct tp_stun_attr attr;

	*ret_owner = NULL;
	if (!tp_stun_find(req->msg, TP_STUN_ATTR_MOBILITY_TICKET, &attr))
		return 0;
	if (!attr.size)
		return 1;
	if (tp_ticket_open(tp_auth_seal(req->turn->auth), tp_stun_value(req->msg, &attr), attr.size, &ticket))
		return -EBADMSG;
	*ret_owner = tp_owner_find_number(req->turn->registry, TP_OWNER_ID, ticket.allocation);
	*ret_number = ticket.counter;
	return 2;
}

void tp_ticket_put(const struct tp_request *req, const struct tp_allocation *a, struct tp_stun_writer *w)
{
	struct tp_ticket ticket = { .allocation = a->id, .counter = a->ticket };
	char text[TP_TICKET_SIZE];

	if (a->mobile && !tp_ticket_make(tp_auth_seal(req->turn->auth), &ticket, text))
		tp_stun_put(w, TP_STUN_ATTR_MOBILITY_TICKET, text, sizeof(text));
}

void tp_allocation_forget_old(struct tp_allocation *a)
{
	struct tp_turn *turn = a->turn;

	tp_timer_clear(&turn->timers, &a->old_timer);
	if (!a->old_owner)
		return;
	tp_owner_remove(turn->registry, &a->old_owner);
	if (a->old_path.conn)
		turn->io->client_gone(turn->io, &a->old_path);
	a->old_path.conn = NULL;
}

static void old_expired(struct tp_timer *timer, uint64_t now_ns)
{
	tp_allocation_forget_old(tp_container(timer, struct tp_allocation, old_timer));
}

void tp_allocation_heard(struct tp_allocation *a, const struct tp_tuple *tuple)
{
	if (a->old_owner && tp_tuple_equal(&a->path.tuple, tuple))
		tp_allocation_forget_old(a);
}

int tp_allocation_move(struct tp_allocation *a, const struct tp_request *req)
{
	struct tp_turn *turn = a->turn;
	struct tp_owner *owner = tp_owner_add_tuple(turn->registry, turn->worker, a, &req->from->tuple);

	if (!owner)
		return -ENOMEM;
	/* Moved again before it was heard: the 5-tuple before the last one is over. */
	tp_allocation_forget_old(a);
	a->old_owner = a->owner;
	a->old_path = a->path;
	a->owner = owner;
	a->path = *req->from;
	a->move_id = req->msg->id;
	a->ticket++;
	if (a->old_owner && tp_timer_set(&turn->timers, &a->old_timer, req->now->mono_ns + OLD_TUPLE_S * TP_NS_PER_S,
					 old_expired))
		tp_allocation_forget_old(a);
	turn->counters.mobility_moves++;
	tp_allocation_keep(a);
	tp_flow_retell(a);
	return 0;
}

bool tp_allocation_detach(struct tp_allocation *a)
{
	if (!a->mobile || a->state != TP_ALLOCATION_LIVE)
		return false;
	/* Another connection may get the same 5-tuple: it is not this client's any more. */
	tp_owner_remove(a->turn->registry, &a->owner);
	tp_allocation_forget_old(a);
	return true;
}
