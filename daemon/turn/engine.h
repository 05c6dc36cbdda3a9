/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside turn/: the engine's structures and what its files offer each other.
 *
 *   engine.c      an engine's life, dispatch of what comes in, counters
 *   request.c     a request: authentication, checks, its response
 *   allocate.c refresh.c create_permission.c channel_bind.c   the requests
 *   tcp_allocation.c   RFC 6062: Connect, ConnectionBind, peers' connections
 *   data.c        Send, Data, ChannelData, ICMP: what userspace relays itself
 *   allocation.c permission.c channel.c   the state, and its end
 *   flow.c        what the data path is told
 *   keep.c adopt.c   what the next daemon is left, and how it takes it
 *   mobility.c reservation.c alternate.c   tickets, tokens, redirection
 *   relay_addr.c  choice of relayed addresses and ports, external-ip
 *   peer_policy.c which peers are allowed
 *
 * The order of an end (ruling 8): the entry leaves the registry, its flows are
 * removed from the data path, the grace period passes, counters are harvested,
 * the relay socket is closed, the port is free, the quota is given back.
 */
#ifndef TP_TURN_ENGINE_H
#define TP_TURN_ENGINE_H

#include "auth/auth.h"
#include "conf.h"
#include "log.h"
#include "stun/stun.h"
#include "turn/index.h"
#include "turn/limiter.h"
#include "turn/registry.h"
#include "turn/timer.h"
#include "turn/turn.h"

#define TP_NS_PER_S		1000000000ull
#define TP_DEFAULT_LIFETIME_S	600u	/* RFC 8656 section 3.2 */
#define TP_RESPONSE_SIZE	2048
#define TP_GRACE_POLL_NS	(10 * 1000000ull)
#define TP_DATAGRAM_SIZE	65535

/* A flow that the data path was told; after its removal it waits in the engine's graves for its harvest. */
struct tp_flow_slot {
	struct tp_flow_slot *next;
	tp_flow_id id;
	uint64_t ticket;
	struct tp_relay *relay;
	struct tp_flow_traffic counted;	/* of a removed one: what its allocation has already */
};

/* One relayed transport address of an allocation. */
struct tp_relay {
	struct tp_allocation *allocation;
	struct tp_relay_socket *socket;	/* NULL: there is none */
	struct tp_tcp_relay *tcp;	/* instead of it, in a TCP allocation */
	struct tp_addr addr;		/* as bound here */
	struct tp_addr shown;		/* to clients: external-ip applied */
	struct tp_ports *ports;		/* where its port is taken; NULL: an address of a prefix, used once */
	struct tp_owner *owner;
	struct tp_flow_slot *send_flow;
	unsigned int flows;		/* told to the data path and not harvested yet */
	uint64_t expires_ns;
	bool live;			/* else it only waits for its flows */
};

enum tp_allocation_state {
	TP_ALLOCATION_RESERVED,		/* an odd port that waits for its RESERVATION-TOKEN; no client yet */
	TP_ALLOCATION_LIVE,
	TP_ALLOCATION_ENDED,		/* waits for its flows; unknown to everyone but the engine's list */
};

struct tp_allocation {
	struct tp_turn *turn;
	struct tp_allocation *prev, *next;	/* in turn->allocations */
	enum tp_allocation_state state;
	uint64_t id;
	uint64_t created_ns;

	struct tp_path path;
	struct tp_owner *owner;		/* of path.tuple; NULL while it waits for its ticket without a connection */
	/* The 5-tuple that it moved away from, usable until the client is heard on the new one; see mobility.c. */
	struct tp_path old_path;
	struct tp_owner *old_owner;
	struct tp_timer old_timer;
	struct tp_stun_id move_id;	/* recognises a retransmitted Refresh that moved it */
	bool mobile;			/* it has tickets */
	uint32_t ticket;		/* the latest one's number */
	struct tp_owner *id_owner;	/* for tickets */
	struct tp_stun_id allocate_id;	/* recognises a retransmitted Allocate */

	/* Whose it is: identity in short. */
	char *user, *realm;
	struct tp_account account;	/* inside user */
	uint8_t key[TP_AUTH_KEY_SIZE];
	uint8_t key_size;
	bool sha256, anonymous;
	uint64_t expires_s;		/* of the credentials, wall clock; 0: never */
	uint32_t max_lifetime_s;
	uint64_t origin;		/* of its Allocate, hashed; 0: none */

	struct tp_relay relays[2];	/* [0] IPv4, [1] IPv6 */
	struct tp_timer timer;		/* the earliest end of a relay, or of the reservation */
	struct tp_permission *permissions;
	struct tp_channel *channels;
	uint32_t permissions_len, channels_len;
	bool tcp;			/* RFC 6062 */
	struct tp_tcp_link *links;
	uint32_t links_len;

	struct tp_charge *charge;
	uint32_t police;		/* the data path's bucket */
	uint64_t tat_ns;		/* userspace's, as struct tp_police of abi.h */
	uint64_t ns_per_kb;		/* 0: no limit */
	bool kept;			/* the data path has a record of it for the next daemon */
	bool user_only;			/* limited, and the data path has no bucket for it */

	int partial_error;		/* ADDRESS-ERROR-CODE of the family that could not be had, 0 */
	uint8_t partial_family;
	uint64_t reservation_token;	/* returned with EVEN-PORT, or its own while reserved; 0 */
	struct tp_owner *reservation_owner;

	struct tp_flow_traffic user_traffic, harvested;
	struct tp_flow_traffic told;	/* with the last event */
	uint64_t icmp_tat_ns;		/* rate limit of ICMP indications */
};

struct tp_permission {
	struct tp_permission *next;	/* of the allocation */
	struct tp_index_node by_ip;
	struct tp_relay *relay;
	struct tp_addr ip;		/* port 0 */
	uint64_t expires_ns;
	struct tp_timer timer;
	struct tp_flow_slot *flow;
};

struct tp_channel {
	struct tp_channel *next;	/* of the allocation */
	struct tp_index_node by_number, by_peer;
	struct tp_relay *relay;
	struct tp_addr peer;
	uint16_t number;
	uint64_t expires_ns;
	struct tp_timer timer;
	struct tp_flow_slot *flow;
};

struct tp_turn {
	unsigned int worker;
	struct tp_registry *registry;
	struct tp_turn_io *io;
	struct tp_dp *dp;
	const struct tp_conf *conf;
	const struct tp_auth *auth;
	bool drain;
	bool leaving;				/* allocations go on without this daemon: nobody is told of ends */
	uint64_t seed;

	struct tp_allocation *allocations;
	struct tp_index permissions;		/* by allocation and address */
	struct tp_index channels_by_number;	/* by allocation and number */
	struct tp_index channels_by_peer;	/* by allocation and peer */
	struct tp_timers timers;
	struct tp_flow_slot *graves, **graves_end;	/* removed flows, oldest first */

	unsigned int alternate_next;
	uint64_t response_port_tat_ns;		/* rate limit of answers to RESPONSE-PORT */
	uint8_t random[256];
	size_t random_left;
	struct tp_limiter limiter;
	struct tp_turn_counters counters;
	uint8_t *scratch;			/* one outgoing datagram */
};

/* A request (or the Send indication) while it is handled. */
struct tp_request {
	struct tp_turn *turn;
	const struct tp_path *from;
	const struct tp_stun_msg *msg;
	const struct tp_ip_fields *fields;
	const struct tp_now *now;
	struct tp_allocation *allocation;	/* of the 5-tuple, or NULL */
	struct tp_identity *identity;		/* NULL until authenticated */
};

/* --- engine.c --- */

void tp_random(struct tp_turn *turn, void *ret, size_t size);
uint32_t tp_random_below(struct tp_turn *turn, uint32_t limit);	/* limit > 0 */
void tp_policy_follow(struct tp_allocation *a);	/* forbidden peers lose their permissions and channels */

static inline unsigned int tp_family_index(uint8_t family)
{
	return family == 6;
}

/* --- request.c --- */

int tp_request_handle(struct tp_request *req);		/* TP_TURN_DONE or the owning worker */
void tp_reply_begin(const struct tp_request *req, struct tp_stun_writer *w, uint8_t *buf, uint8_t class);
void tp_reply_send(const struct tp_request *req, struct tp_stun_writer *w);
void tp_reply_error(const struct tp_request *req, int code);
void tp_reply_unknown(const struct tp_request *req, const uint16_t *types, size_t len);
/* A family attribute as TURN has them: 4, 6; 0 absent; -EPROTONOSUPPORT another value; -EBADMSG. */
int tp_request_family(const struct tp_request *req, uint16_t type);
/* `zero_ends`: a wish for 0 is 0, as in a Refresh; else it is below the default like any other. */
uint32_t tp_request_lifetime(const struct tp_request *req, bool zero_ends, bool *ret_bad);

/* May a source that proved nothing be answered? Only over UDP it may be forged. */
bool tp_request_admit(struct tp_request *req);
bool tp_request_authenticate(struct tp_request *req, struct tp_identity *identity); /* false: it is answered */

/* --- the requests --- */

void tp_binding_request(struct tp_request *req);	/* discovery.c */
void tp_allocate_request(struct tp_request *req);
void tp_refresh_request(struct tp_request *req);
bool tp_refresh_by_ticket(struct tp_request *req);	/* false: it has none */
void tp_create_permission_request(struct tp_request *req);
void tp_channel_bind_request(struct tp_request *req);

/* --- tcp_allocation.c --- */

void tp_connect_request(struct tp_request *req);
void tp_connection_bind_request(struct tp_request *req);
const struct tp_owner *tp_connection_owner(const struct tp_request *req); /* whose CONNECTION-ID it names */
void tp_tcp_end_links(struct tp_relay *relay);
void tp_tcp_follow_policy(struct tp_allocation *a);

/* --- data.c --- */

void tp_send_indication(struct tp_request *req);
void tp_channel_data_input(struct tp_allocation *a, const struct tp_path *from, const void *data, size_t size,
			   const struct tp_ip_fields *fields, const struct tp_now *now);

/* --- allocation.c --- */

struct tp_allocation *tp_allocation_new(struct tp_turn *turn, const struct tp_identity *identity, int *ret_err);
/* Registers it under its 5-tuple. -EEXIST, -ENOMEM. */
int tp_allocation_start(struct tp_allocation *a, const struct tp_path *path, const struct tp_stun_id *id,
			const struct tp_now *now);
/* Sets the timer to the earliest end of its addresses. -ENOMEM only where it was not set yet. */
int tp_allocation_schedule(struct tp_allocation *a);
void tp_allocation_end(struct tp_allocation *a);	/* `a` may be gone afterwards */
void tp_allocation_end_relay(struct tp_relay *relay);	/* the last one ends the allocation */
/* As tp_allocation_start() of one that an earlier daemon started; its flows are not told yet. */
int tp_allocation_adopt(struct tp_allocation *a, const struct tp_path *path, const struct tp_stun_id *id,
			uint64_t created_ns);
void tp_allocation_set_life(struct tp_relay *relay, uint64_t expires_ns);
void tp_allocation_reap(struct tp_allocation *a);	/* frees what no flow needs any longer */
bool tp_allocation_is_users(const struct tp_allocation *a, const struct tp_identity *identity);
/* The first ORIGIN of a message, hashed; 0: none. With check-origin-consistency requests must have the allocation's. */
uint64_t tp_origin_first(const struct tp_stun_msg *msg);
bool tp_origin_consistent(const struct tp_allocation *a, const struct tp_stun_msg *msg);
/* Follows a token to its successor, in what a reload asks about; what is charged stays where it is. */
void tp_allocation_renew(struct tp_allocation *a, const struct tp_identity *identity);
void tp_allocation_identity(const struct tp_allocation *a, struct tp_identity *ret);
uint64_t tp_allocation_expires_ns(const struct tp_allocation *a);
void tp_allocation_set_bps(struct tp_allocation *a);
bool tp_allocation_admit(struct tp_allocation *a, size_t size, uint64_t now_ns); /* max-bps in userspace */

/* --- keep.c --- */

void tp_allocation_keep(struct tp_allocation *a);	/* as it is now; forgets one that is not kept */
void tp_allocation_forget(struct tp_allocation *a);

/* --- permission.c --- */

/* Installed or refreshed. -ENOSPC: too many; -ENOMEM. */
int tp_permission_refresh(struct tp_relay *relay, const struct tp_addr *peer, uint64_t now_ns);
struct tp_permission *tp_permission_find(struct tp_allocation *a, const struct tp_addr *peer);
/* With an end that an earlier daemon gave it, and without telling the data path. NULL: too many, or no memory. */
struct tp_permission *tp_permission_adopt(struct tp_relay *relay, const struct tp_addr *peer, uint64_t expires_ns);
bool tp_permission_alive(const struct tp_permission *p, uint64_t now_ns);
void tp_permission_free(struct tp_permission *p);

/* --- channel.c --- */

/* -EEXIST: number or peer are bound otherwise; -ENOSPC; -ENOMEM. The permission is the caller's. */
int tp_channel_refresh(struct tp_relay *relay, uint16_t number, const struct tp_addr *peer, uint64_t now_ns);
struct tp_channel *tp_channel_find(struct tp_allocation *a, uint16_t number);
struct tp_channel *tp_channel_find_peer(struct tp_allocation *a, const struct tp_addr *peer);
struct tp_channel *tp_channel_adopt(struct tp_relay *relay, uint16_t number, const struct tp_addr *peer,
				    uint64_t expires_ns);	/* as tp_permission_adopt() */
bool tp_channel_alive(const struct tp_channel *c, uint64_t now_ns);
void tp_channel_free(struct tp_channel *c);

/* --- flow.c --- */

void tp_flow_tell_send(struct tp_relay *relay);
void tp_flow_tell_permission(struct tp_permission *p);	/* and the channels of its address */
void tp_flow_tell_channel(struct tp_channel *c);
void tp_flow_drop(struct tp_turn *turn, struct tp_flow_slot **slot);
void tp_flow_retell(struct tp_allocation *a);		/* under the allocation's new 5-tuple, or new police */
void tp_allocation_tell(struct tp_allocation *a, enum tp_event event, uint32_t lifetime_s);	/* event.c */
void tp_flow_traffic(const struct tp_allocation *a, struct tp_flow_traffic *ret); /* kernel: live and harvested */
void tp_flow_harvest(struct tp_turn *turn);
void tp_traffic_add(struct tp_flow_traffic *sum, const struct tp_flow_traffic *more);

/* Can anything be sent to its client? Not while it waits for its ticket without a connection. */
static inline bool tp_allocation_attached(const struct tp_allocation *a)
{
	return a->owner != NULL;
}

/* --- mobility.c --- */

/* MOBILITY-TICKET of a request: 0 absent, 1 empty, 2 a ticket of a live allocation here or elsewhere, -EBADMSG. */
int tp_ticket_find(const struct tp_request *req, const struct tp_owner **ret_owner, uint32_t *ret_number);
void tp_ticket_put(const struct tp_request *req, const struct tp_allocation *a, struct tp_stun_writer *w);
/* Moves the request's allocation to its 5-tuple. -ENOMEM. */
int tp_allocation_move(struct tp_allocation *a, const struct tp_request *req);
/* The client was heard on `path`: if that is the new one, the old one is over. */
void tp_allocation_heard(struct tp_allocation *a, const struct tp_tuple *tuple);
void tp_allocation_forget_old(struct tp_allocation *a);
/* A stream ended: wait for the ticket. False: there is none to wait for. */
bool tp_allocation_detach(struct tp_allocation *a);

/* --- reservation.c --- */

/* EVEN-PORT with R: opens both ports; the higher one waits for its token. As tp_relay_open(), -EDQUOT, -ENOMEM. */
int tp_reservation_make(struct tp_allocation *a, uint8_t family, const struct tp_request *req);
/* The allocation that waits for a token, its user's, taken out of waiting; NULL: not valid any more. */
struct tp_allocation *tp_reservation_take(const struct tp_request *req, uint64_t token);

/* --- alternate.c --- */

/* Answers an Allocate with 300 where clients are sent elsewhere; false: it is served here. */
bool tp_alternate_redirect(const struct tp_request *req);

/* --- relay_addr.c --- */

/* Opens a relayed address of a family into `relay`. -EAFNOSUPPORT: none is configured; -ENOSPC: none is free. */
int tp_relay_open(struct tp_allocation *a, uint8_t family, bool even, const struct tp_tuple *tuple);
/* EVEN-PORT with R: the even one into `a`, the odd one into `reserved`. */
int tp_relay_open_pair(struct tp_allocation *a, struct tp_allocation *reserved, uint8_t family,
		       const struct tp_tuple *tuple);
/* The address and port that it had before. -EADDRNOTAVAIL: it is not configured any more; -EADDRINUSE. */
int tp_relay_reopen(struct tp_allocation *a, const struct tp_addr *addr, const struct tp_tuple *tuple);
void tp_relay_close(struct tp_relay *relay);
bool tp_relay_family_served(const struct tp_conf *conf, uint8_t family, const struct tp_tuple *tuple);
/* external-ip: of a local address what others see, and the way back; both leave what is not mapped. */
void tp_addr_to_public(const struct tp_conf *conf, struct tp_addr *addr);
void tp_addr_to_private(const struct tp_conf *conf, struct tp_addr *addr);

/* --- peer_policy.c --- */

bool tp_peer_allowed(const struct tp_conf *conf, const char *realm, const struct tp_addr *peer);
/* The one thing about a peer that its port decides, not its address: a listener of the node's own is none. */
bool tp_port_is_listening(const struct tp_conf *conf, uint16_t port);
bool tp_addr_is_tunnel(const struct tp_addr *addr);	/* Teredo, 6to4 */

#endif
