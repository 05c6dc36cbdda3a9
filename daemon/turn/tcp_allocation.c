/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP allocations (RFC 6062): Connect, ConnectionBind, ConnectionAttempt, and the
 * connections of peers that they are about. The text was not on hand: sections 4 to
 * 6 as quoted in public implementations. Bytes never come here, only their count.
 *
 * A link is a peer's connection: being made, waiting for its ConnectionBind, or
 * joined with a client's data connection. It ends with its allocation.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "turn/engine.h"

#define LINKS_MAX	128	/* of an allocation */
/* "The timeout value MUST be at least 30 seconds" (5.2), and 30 s for the ConnectionBind (5.2, 5.3). */
#define CONNECT_NS	(30 * TP_NS_PER_S)
#define BIND_NS		(30 * TP_NS_PER_S)

enum link_state { LINK_CONNECTING, LINK_WAITING, LINK_JOINED };

struct tp_tcp_link {
	struct tp_tcp_link *next;	/* of the allocation */
	struct tp_relay *relay;
	struct tp_addr peer;
	enum link_state state;
	void *conn;
	uint32_t id;			/* CONNECTION-ID */
	struct tp_owner *owner;		/* of the id */
	struct tp_timer timer;
	struct tp_stun_id request;	/* the Connect that is to be answered */
	bool fingerprint;		/* and whether its answer has one */
};

static void link_free(struct tp_tcp_link *link)
{
	struct tp_allocation *a = link->relay->allocation;
	struct tp_tcp_link **at = &a->links;

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	a->links_len--;
	tp_timer_clear(&a->turn->timers, &link->timer);
	tp_owner_remove(a->turn->registry, &link->owner);
	free(link);
}

static void link_close(struct tp_tcp_link *link)
{
	struct tp_turn *turn = link->relay->allocation->turn;

	if (link->conn)
		turn->io->tcp_close(turn->io, link->conn);
	link_free(link);
}

void tp_tcp_end_links(struct tp_relay *relay)
{
	struct tp_tcp_link *next;

	for (struct tp_tcp_link *link = relay->allocation->links; link; link = next) {
		next = link->next;
		if (link->relay == relay)
			link_close(link);
	}
}

void tp_tcp_follow_policy(struct tp_allocation *a)
{
	struct tp_tcp_link *next;

	for (struct tp_tcp_link *link = a->links; link; link = next) {
		next = link->next;
		if (!tp_peer_allowed(a->turn->conf, a->realm, &link->peer))
			link_close(link);
	}
}

/* The answer to a Connect comes when its connection is there, with the identity that the allocation has. */
static void answer_connect(const struct tp_tcp_link *link, int code)
{
	struct tp_allocation *a = link->relay->allocation;
	struct tp_stun_msg msg = { .method = TP_STUN_CONNECT, .id = link->request, .fingerprint = link->fingerprint };
	struct tp_identity identity;
	struct tp_request req = { .turn = a->turn, .from = &a->path, .msg = &msg, .allocation = a,
				  .identity = &identity };
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_allocation_identity(a, &identity);
	if (code) {
		tp_reply_error(&req, code);
	} else {
		tp_reply_begin(&req, &w, buf, TP_STUN_SUCCESS);
		tp_stun_put_u32(&w, TP_STUN_ATTR_CONNECTION_ID, link->id);
		tp_reply_send(&req, &w);
	}
	explicit_bzero(identity.key, sizeof(identity.key));
}

static void link_timed_out(struct tp_timer *timer, uint64_t now_ns)
{
	struct tp_tcp_link *link = tp_container(timer, struct tp_tcp_link, timer);

	if (link->state == LINK_CONNECTING)
		answer_connect(link, TP_STUN_E_CONNECTION_FAILED);
	link_close(link);
}

static struct tp_tcp_link *link_new(struct tp_relay *relay, const struct tp_addr *peer, uint64_t end_ns)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_tcp_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->relay = relay;
	link->peer = *peer;
	if (tp_timer_set(&a->turn->timers, &link->timer, end_ns, link_timed_out)) {
		free(link);
		return NULL;
	}
	link->next = a->links;
	a->links = link;
	a->links_len++;
	return link;
}

/* An id that nobody else has, and that tells nothing of others. 0 or -ENOMEM. */
static int link_wait(struct tp_tcp_link *link, uint64_t now_ns)
{
	struct tp_allocation *a = link->relay->allocation;
	struct tp_turn *turn = a->turn;

	for (int i = 0; i < 8 && !link->owner; i++) {
		tp_random(turn, &link->id, sizeof(link->id));
		link->owner = tp_owner_add_number(turn->registry, turn->worker, a, TP_OWNER_CONNECTION, link->id);
	}
	if (!link->owner)
		return -ENOMEM;
	link->state = LINK_WAITING;
	return tp_timer_set(&turn->timers, &link->timer, now_ns + BIND_NS, link_timed_out);
}

static struct tp_tcp_link *link_to(const struct tp_allocation *a, const struct tp_addr *peer)
{
	struct tp_tcp_link *link = a->links;

	while (link && !tp_addr_equal(&link->peer, peer))
		link = link->next;
	return link;
}

/* --- Connect, section 5.2 --- */

static int connect_check(const struct tp_request *req, struct tp_addr *ret_peer)
{
	const struct tp_conf *conf = req->turn->conf;
	struct tp_allocation *a = req->allocation;
	struct tp_stun_attr attr;

	if (!a->tcp || !tp_stun_find(req->msg, TP_STUN_ATTR_XOR_PEER_ADDRESS, &attr) ||
	    tp_stun_get_xor_addr(req->msg, &attr, ret_peer) || !ret_peer->port)
		return TP_STUN_E_BAD_REQUEST;
	if (!a->relays[tp_family_index(ret_peer->family)].live)
		return TP_STUN_E_PEER_FAMILY_MISMATCH;
	tp_addr_to_private(conf, ret_peer);
	if (link_to(a, ret_peer))
		return TP_STUN_E_CONNECTION_EXISTS;
	if (!tp_peer_allowed(conf, a->realm, ret_peer))
		return TP_STUN_E_FORBIDDEN;
	return a->links_len < LINKS_MAX ? 0 : TP_STUN_E_INSUFFICIENT_CAPACITY;
}

static int connect_begin(const struct tp_request *req, const struct tp_addr *peer)
{
	struct tp_turn *turn = req->turn;
	struct tp_relay *relay = &req->allocation->relays[tp_family_index(peer->family)];
	struct tp_tcp_link *link = link_new(relay, peer, req->now->mono_ns + CONNECT_NS);

	if (!link)
		return TP_STUN_E_INSUFFICIENT_CAPACITY;
	link->request = req->msg->id;
	link->fingerprint = req->msg->fingerprint != 0;
	if (!turn->io->tcp_connect(turn->io, relay->tcp, peer, link, &link->conn))
		return 0;
	link_free(link);
	return TP_STUN_E_CONNECTION_FAILED;
}

void tp_connect_request(struct tp_request *req)
{
	struct tp_turn_counters *counters = &req->turn->counters;
	struct tp_addr peer;
	int code = connect_check(req, &peer);

	if (!code)
		code = connect_begin(req, &peer);
	if (!code)
		return;
	counters->bad_requests += code == TP_STUN_E_BAD_REQUEST;
	counters->forbidden_peer += code == TP_STUN_E_FORBIDDEN;
	counters->capacity_reached += code == TP_STUN_E_INSUFFICIENT_CAPACITY;
	counters->tcp_failed += code == TP_STUN_E_CONNECTION_FAILED;
	tp_reply_error(req, code);
}

void tp_turn_tcp_connected(struct tp_turn *turn, struct tp_tcp_link *link, int err, const struct tp_now *now)
{
	if (err)
		link->conn = NULL;
	if (!err)
		err = link_wait(link, now->mono_ns);
	if (err) {
		turn->counters.tcp_failed++;
		answer_connect(link, TP_STUN_E_CONNECTION_FAILED);
		link_close(link);
		return;
	}
	turn->counters.tcp_connected++;
	answer_connect(link, 0);
}

/* --- ConnectionAttempt, section 5.3 --- */

static void send_attempt(struct tp_tcp_link *link)
{
	struct tp_allocation *a = link->relay->allocation;
	struct tp_turn *turn = a->turn;
	struct tp_addr shown = link->peer;
	struct tp_stun_id id = { .bytes = { 0x21, 0x12, 0xa4, 0x42 } };
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;
	int size;

	if (turn->conf->external_len && tp_owner_find_relayed(turn->registry, &link->peer))
		tp_addr_to_public(turn->conf, &shown);
	tp_random(turn, id.bytes + 4, 12);
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_CONNECTION_ATTEMPT, TP_STUN_INDICATION, &id);
	tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_PEER_ADDRESS, &shown);
	tp_stun_put_u32(&w, TP_STUN_ATTR_CONNECTION_ID, link->id);
	if (turn->conf->fingerprint)
		tp_stun_put_fingerprint(&w);
	size = tp_stun_finish(&w);
	if (size < 0 || turn->io->send_client(turn->io, &a->path, buf, (size_t)size, NULL))
		turn->counters.send_failed++;
}

struct tp_tcp_link *tp_turn_tcp_accepted(struct tp_turn *turn, struct tp_allocation *owner,
					 const struct tp_addr *relayed, const struct tp_addr *peer, void *conn,
					 const struct tp_now *now)
{
	struct tp_relay *relay = &owner->relays[tp_family_index(relayed->family)];
	struct tp_permission *p = tp_permission_find(owner, peer);
	struct tp_tcp_link *link;

	if (!relay->live || !p || !tp_permission_alive(p, now->mono_ns) || owner->links_len >= LINKS_MAX) {
		turn->counters.no_permission++;
		return NULL;
	}
	link = link_new(relay, peer, now->mono_ns + BIND_NS);
	if (!link)
		return NULL;
	if (link_wait(link, now->mono_ns)) {
		link_free(link);
		return NULL;
	}
	link->conn = conn;
	turn->counters.tcp_attempts++;
	send_attempt(link);
	return link;
}

/* --- ConnectionBind, section 5.4 --- */

const struct tp_owner *tp_connection_owner(const struct tp_request *req)
{
	uint32_t id;

	if (tp_stun_get_u32(req->msg, TP_STUN_ATTR_CONNECTION_ID, &id))
		return NULL;
	return tp_owner_find_number(req->turn->registry, TP_OWNER_CONNECTION, id);
}

static struct tp_tcp_link *waiting_link(const struct tp_request *req)
{
	struct tp_tcp_link *link = req->allocation ? req->allocation->links : NULL;
	uint32_t id;

	if (tp_stun_get_u32(req->msg, TP_STUN_ATTR_CONNECTION_ID, &id))
		return NULL;
	while (link && (link->id != id || link->state != LINK_WAITING))
		link = link->next;
	return link;
}

void tp_connection_bind_request(struct tp_request *req)
{
	struct tp_turn *turn = req->turn;
	uint8_t transport = req->from->tuple.transport;
	struct tp_tcp_link *link = waiting_link(req);
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	/* A connection that controls an allocation cannot carry data as well. */
	if (!link || !req->from->conn || (transport != TP_TCP && transport != TP_TLS) ||
	    tp_owner_find_tuple(turn->registry, &req->from->tuple)) {
		turn->counters.bad_requests++;
		tp_reply_error(req, TP_STUN_E_BAD_REQUEST);
		return;
	}
	/* The answer goes first: behind it the stream is the peer's. */
	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	tp_reply_send(req, &w);
	tp_timer_clear(&turn->timers, &link->timer);
	link->state = LINK_JOINED;
	if (turn->io->tcp_join(turn->io, link->conn, req->from)) {
		link->conn = NULL;
		link_close(link);
	}
}

void tp_turn_tcp_ended(struct tp_turn *turn, struct tp_tcp_link *link, uint64_t up, uint64_t down)
{
	struct tp_flow_traffic *traffic = &link->relay->allocation->user_traffic;

	traffic->up.bytes += up;
	traffic->down.bytes += down;
	link->conn = NULL;
	link_close(link);
}
