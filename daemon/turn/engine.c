/* SPDX-License-Identifier: GPL-2.0 */
/* An engine's life, and where what comes in goes; see turn.h. Called by its worker only. */
#include "turn/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void tp_random(struct tp_turn *turn, void *ret, size_t size)
{
	uint8_t *to = ret;

	while (size) {
		size_t n = size < turn->random_left ? size : turn->random_left;

		memcpy(to, turn->random + sizeof(turn->random) - turn->random_left, n);
		turn->random_left -= n;
		to += n;
		size -= n;
		/* Up to 256 bytes the call neither blocks after boot nor comes back short. */
		if (!turn->random_left) {
			if (getrandom(turn->random, sizeof(turn->random), 0) != sizeof(turn->random))
				abort();
			turn->random_left = sizeof(turn->random);
		}
	}
}

/* Without modulo bias. */
uint32_t tp_random_below(struct tp_turn *turn, uint32_t limit)
{
	uint32_t top = UINT32_MAX - UINT32_MAX % limit, r;

	do
		tp_random(turn, &r, sizeof(r));
	while (r >= top);
	return r % limit;
}

struct tp_turn *tp_turn_new(const struct tp_turn_params *params)
{
	struct tp_turn *turn = calloc(1, sizeof(*turn));

	if (!turn)
		return NULL;
	turn->worker = params->worker;
	turn->registry = params->registry;
	turn->io = params->io;
	turn->dp = params->dp;
	turn->graves_end = &turn->graves;
	turn->scratch = malloc(TP_DATAGRAM_SIZE + 1);
	tp_random(turn, &turn->seed, sizeof(turn->seed));
	tp_random(turn, &turn->limiter.seed, sizeof(turn->limiter.seed));
	if (turn->scratch && !tp_index_init(&turn->permissions) && !tp_index_init(&turn->channels_by_number) &&
	    !tp_index_init(&turn->channels_by_peer))
		return turn;
	tp_turn_free(turn);
	return NULL;
}

/* Nothing waits for a grace period here: the data path closes after its engines. */
static void graves_give_up(struct tp_turn *turn)
{
	struct tp_flow_slot *grave;

	while ((grave = turn->graves)) {
		struct tp_relay *relay = grave->relay;

		turn->graves = grave->next;
		relay->allocation->police = 0;
		relay->flows--;
		free(grave);
		if (!relay->live && !relay->flows)
			tp_allocation_reap(relay->allocation);
	}
	turn->graves_end = &turn->graves;
}

void tp_turn_free(struct tp_turn *turn)
{
	struct tp_allocation *a, *next;

	if (!turn)
		return;
	for (a = turn->allocations; a; a = next) {
		next = a->next;
		tp_allocation_end(a);
	}
	graves_give_up(turn);
	tp_timers_fini(&turn->timers);
	tp_index_fini(&turn->permissions);
	tp_index_fini(&turn->channels_by_number);
	tp_index_fini(&turn->channels_by_peer);
	free(turn->scratch);
	explicit_bzero(turn->random, sizeof(turn->random));
	free(turn);
}

/* Peers that a new policy forbids lose their permissions and channels. */
void tp_policy_follow(struct tp_allocation *a)
{
	const struct tp_conf *conf = a->turn->conf;

	for (struct tp_channel *c = a->channels, *next; c; c = next) {
		next = c->next;
		if (!tp_peer_allowed(conf, a->realm, &c->peer))
			tp_channel_free(c);
	}
	for (struct tp_permission *p = a->permissions, *next; p; p = next) {
		next = p->next;
		if (!tp_peer_allowed(conf, a->realm, &p->ip))
			tp_permission_free(p);
	}
	tp_tcp_follow_policy(a);
}

void tp_turn_configure(struct tp_turn *turn, const struct tp_conf *conf, const struct tp_auth *auth,
		       const struct tp_now *now)
{
	bool first = !turn->conf, changed = conf != turn->conf || auth != turn->auth;
	struct tp_allocation *next;
	struct tp_identity identity;

	turn->conf = conf;
	turn->auth = auth;
	if (!changed || first)
		return;
	for (struct tp_allocation *a = turn->allocations; a; a = next) {
		next = a->next;
		if (a->state == TP_ALLOCATION_ENDED)
			continue;
		tp_allocation_identity(a, &identity);
		if (!tp_auth_user_exists(auth, &identity, now->wall_s)) {
			tp_allocation_end(a);
			continue;
		}
		tp_allocation_set_bps(a);
		tp_policy_follow(a);
	}
	explicit_bzero(&identity, sizeof(identity));
}

static int stun_request(struct tp_request *req)
{
	struct tp_turn *turn = req->turn;

	if (req->msg->method != TP_STUN_BINDING && !req->msg->classic)
		return tp_request_handle(req);
	if (req->msg->method != TP_STUN_BINDING || turn->conf->no_stun) {
		turn->counters.malformed++;
		return TP_TURN_DONE;
	}
	turn->counters.binding_requests++;
	if (tp_request_admit(req))
		tp_binding_request(req);
	return TP_TURN_DONE;
}

/* Section 5: an indication that names no allocation is silently ignored, and so are all but Send. */
static int stun_indication(struct tp_request *req)
{
	const struct tp_owner *owner;

	if (req->msg->method != TP_STUN_SEND || req->msg->classic)
		return TP_TURN_DONE;
	owner = tp_owner_find_tuple(req->turn->registry, &req->from->tuple);
	if (!owner) {
		req->turn->counters.mismatched++;
		return TP_TURN_DONE;
	}
	if (owner->worker != req->turn->worker)
		return (int)owner->worker;
	req->allocation = owner->allocation;
	tp_allocation_heard(req->allocation, &req->from->tuple);
	tp_send_indication(req);
	return TP_TURN_DONE;
}

static int stun_input(struct tp_turn *turn, const struct tp_path *from, const void *data, size_t size,
		      const struct tp_ip_fields *fields, const struct tp_now *now)
{
	struct tp_stun_msg msg;
	struct tp_request req = { .turn = turn, .from = from, .msg = &msg, .fields = fields, .now = now };

	if (tp_stun_parse(data, size, &msg)) {
		turn->counters.malformed++;
		return TP_TURN_DONE;
	}
	if (msg.classic && (from->tuple.transport == TP_DTLS || !turn->conf->rfc3489)) {
		turn->counters.malformed++;
		/* RFC 8489 section 11. Elsewhere what has no cookie is not STUN. */
		if (from->tuple.transport == TP_DTLS && msg.class == TP_STUN_REQUEST)
			tp_reply_error(&req, TP_STUN_E_SERVER_ERROR);
		return TP_TURN_DONE;
	}
	switch (msg.class) {
	case TP_STUN_REQUEST:
		return stun_request(&req);
	case TP_STUN_INDICATION:
		return stun_indication(&req);
	default:
		turn->counters.malformed++;	/* we ask nobody, so no response is ours */
		return TP_TURN_DONE;
	}
}

static int channel_data_input(struct tp_turn *turn, const struct tp_path *from, const void *data, size_t size,
			      const struct tp_ip_fields *fields, const struct tp_now *now)
{
	const struct tp_owner *owner = tp_owner_find_tuple(turn->registry, &from->tuple);

	if (!owner) {
		turn->counters.no_channel++;
		return TP_TURN_DONE;
	}
	if (owner->worker != turn->worker)
		return (int)owner->worker;
	tp_allocation_heard(owner->allocation, &from->tuple);
	tp_channel_data_input(owner->allocation, from, data, size, fields, now);
	return TP_TURN_DONE;
}

/* RFC 7983: the first byte of STUN is 0..3, of ChannelData 64..79 (to 127 where RFC 5766 numbers are admitted). */
int tp_turn_client_input(struct tp_turn *turn, const struct tp_path *from, const void *data, size_t size,
			 const struct tp_ip_fields *fields, const struct tp_now *now)
{
	uint8_t first = size ? *(const uint8_t *)data : 0xff;

	tp_timers_run(&turn->timers, now->mono_ns);
	if (first <= 3)
		return stun_input(turn, from, data, size, fields, now);
	if (first >= 0x40 && first <= (turn->conf->rfc5766_channels ? 0x7f : 0x4f))
		return channel_data_input(turn, from, data, size, fields, now);
	turn->counters.malformed++;
	return TP_TURN_DONE;
}

int tp_turn_conn_closed(struct tp_turn *turn, const struct tp_path *path, const struct tp_now *now)
{
	const struct tp_owner *owner = tp_owner_find_tuple(turn->registry, &path->tuple);
	struct tp_allocation *a;

	if (!owner)
		return TP_TURN_DONE;
	if (owner->worker != turn->worker)
		return (int)owner->worker;
	a = owner->allocation;
	if (a->old_owner && a->old_path.conn == path->conn && tp_tuple_equal(&a->old_path.tuple, &path->tuple)) {
		a->old_path.conn = NULL;
		tp_allocation_forget_old(a);
		return TP_TURN_DONE;
	}
	if (a->path.conn != path->conn)
		return TP_TURN_DONE;
	a->path.conn = NULL;	/* it is gone already: no client_gone() about it */
	if (!tp_allocation_detach(a))
		tp_allocation_end(a);
	return TP_TURN_DONE;
}

uint64_t tp_turn_tick(struct tp_turn *turn, const struct tp_now *now)
{
	uint64_t next = tp_timers_run(&turn->timers, now->mono_ns);

	tp_flow_harvest(turn);
	if (turn->graves && next > now->mono_ns + TP_GRACE_POLL_NS)
		next = now->mono_ns + TP_GRACE_POLL_NS;
	return next;
}

void tp_turn_leave(struct tp_turn *turn)
{
	turn->dp = tp_dp_none();
	turn->leaving = true;
}

void tp_turn_set_drain(struct tp_turn *turn, bool drain)
{
	turn->drain = drain;
}
