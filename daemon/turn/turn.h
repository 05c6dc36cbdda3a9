/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The TURN and STUN server engine (RFC 8489, RFC 8656): one instance per worker
 * thread, single-threaded, without sockets, clocks or configuration files of its
 * own. Bytes come in with their 5-tuple and the time, bytes go out through
 * `struct tp_turn_io`, flows are told to a data path. What workers share
 * (quotas, who owns a 5-tuple) is `struct tp_registry`.
 */
#ifndef TP_TURN_TURN_H
#define TP_TURN_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dp/dp.h"
#include "net/addr.h"

struct tp_conf;
struct tp_limits;
struct tp_auth;
struct tp_turn;
struct tp_registry;
struct tp_allocation;

/* A socket bound to a relayed transport address, opaque to the engine. */
struct tp_relay_socket;

/* RFC 6062: a listening TCP socket at a relayed transport address; the engine's record of a peer's connection. */
struct tp_tcp_relay;
struct tp_tcp_link;

/* Where a client's bytes come from. `conn` is NULL for UDP, else the stream connection, opaque to the engine. */
struct tp_path {
	struct tp_tuple tuple;
	void *conn;
};

/* IP header fields of a datagram that userspace relays (RFC 8656 sections 13, 14). */
struct tp_ip_fields {
	uint8_t ttl;		/* received hop limit; 0 unknown */
	uint8_t tos;		/* DSCP and ECN */
	bool df;		/* send: set DF; received: DF was set (where it can be known) */
};

/* What accounting elsewhere is told (coturn's redis-statsdb). */
enum tp_event { TP_EVENT_NEW, TP_EVENT_REFRESHED, TP_EVENT_DELETED };
struct tp_allocation_info;

/* What the engine needs of its worker; each returns 0 or a negative errno (send: also -EAGAIN, the packet is lost). */
struct tp_turn_io {
	int (*send_client)(struct tp_turn_io *io, const struct tp_path *to, const void *data, size_t size,
			   const struct tp_ip_fields *fields /* NULL: defaults */);
	/* RFC 5780, RFC 3489: answer from another of our addresses, possibly to another port. */
	int (*send_from)(struct tp_turn_io *io, const struct tp_addr *from, const struct tp_addr *to,
			 const void *data, size_t size);
	/* -EADDRINUSE: taken, try another port; -EADDRNOTAVAIL: no such address here. */
	int (*relay_open)(struct tp_turn_io *io, const struct tp_addr *addr, struct tp_allocation *owner,
			  struct tp_relay_socket **ret);
	void (*relay_close)(struct tp_turn_io *io, struct tp_relay_socket *socket);
	/* -EMSGSIZE: DF and too big. */
	int (*send_peer)(struct tp_turn_io *io, struct tp_relay_socket *socket, const struct tp_addr *peer,
			 const void *data, size_t size, const struct tp_ip_fields *fields);
	/* A stream client's allocation ended or moved: the connection may be closed. */
	void (*client_gone)(struct tp_turn_io *io, const struct tp_path *path);
	/* A user store was asked who this is, or a farm whether there is room: the message is to be given in again (a copy), or is lost. NULL: lost. */
	void (*later)(struct tp_turn_io *io, const struct tp_path *path, const void *data, size_t size);
	/* `info` without permissions and channels; `since`: relayed since the last event. Deleted: all is counted. NULL: untold. */
	void (*event)(struct tp_turn_io *io, enum tp_event event, const struct tp_allocation_info *info,
		      const struct tp_flow_traffic *since);

	/*
	 * RFC 6062; all NULL where TCP is not relayed. A connection of a peer is known by its handle, which
	 * finds nothing once it is closed. tcp_listen: as relay_open. tcp_connect begins a connection from the
	 * relayed address; tp_turn_tcp_connected() tells how it went, later. tcp_join makes the stream `client`
	 * its data connection, behind what was sent to that client before; tp_turn_tcp_ended() tells of its end.
	 */
	int (*tcp_listen)(struct tp_turn_io *io, const struct tp_addr *addr, struct tp_allocation *owner,
			  struct tp_tcp_relay **ret);
	void (*tcp_unlisten)(struct tp_turn_io *io, struct tp_tcp_relay *relay);
	int (*tcp_connect)(struct tp_turn_io *io, struct tp_tcp_relay *relay, const struct tp_addr *peer,
			   struct tp_tcp_link *link, void **ret_conn);
	int (*tcp_join)(struct tp_turn_io *io, void *conn, const struct tp_path *client);
	void (*tcp_close)(struct tp_turn_io *io, void *conn);	/* in any state; nothing is told of it afterwards */
};

struct tp_turn_params {
	unsigned int worker;		/* index, below the registry's worker count */
	struct tp_registry *registry;
	struct tp_turn_io *io;
	struct tp_dp *dp;
};

/* The part of a user's name that quotas go by. */
struct tp_account {
	const char *text;	/* no final zero */
	size_t size;
};

/* Quotas that hold for several nodes: asked beside the node's own, by any worker; neither call waits. */
struct tp_shares {
	/*
	 * 0; -EDQUOT (486); -EINPROGRESS: not known yet, the request is to be given in again (tp_turn_io.later); -ENOMEM.
	 * Limits of 0 are none, but the share is counted all the same.
	 */
	int (*take)(struct tp_shares *shares, const char *realm, const struct tp_account *account,
		    const struct tp_limits *limits, void **ret_share);
	void (*give)(struct tp_shares *shares, void *share);
};

struct tp_registry *tp_registry_new(const struct tp_conf *conf, unsigned int workers);
void tp_registry_set_shares(struct tp_registry *registry, struct tp_shares *shares); /* before the first engine */
void tp_registry_free(struct tp_registry *registry);	/* after every engine */

struct tp_turn *tp_turn_new(const struct tp_turn_params *params);
void tp_turn_free(struct tp_turn *turn);		/* ends every allocation; waits for no grace period */

/* The time of every call below: monotonic as tp_dp_now_ns(), and wall clock for credentials. */
struct tp_now {
	uint64_t mono_ns;
	uint64_t wall_s;
};

/*
 * Configuration and users of the calls below: valid until the next call of this,
 * which the worker makes at the top of a loop iteration (RCU read side). When
 * they changed, users that are gone lose their allocations, quotas and max-bps follow.
 */
void tp_turn_configure(struct tp_turn *turn, const struct tp_conf *conf, const struct tp_auth *auth,
		       const struct tp_now *now);

#define TP_TURN_DONE	(-1)

/*
 * One message of a client: a datagram, or one framed message of a stream.
 * TP_TURN_DONE, or the index of the worker that owns its allocation: the caller
 * hands the bytes to that worker's tp_turn_client_input().
 */
int tp_turn_client_input(struct tp_turn *turn, const struct tp_path *from, const void *data, size_t size,
			 const struct tp_ip_fields *fields, const struct tp_now *now);

/* A datagram at a relayed address. */
void tp_turn_peer_input(struct tp_turn *turn, struct tp_allocation *owner, struct tp_relay_socket *socket,
			const struct tp_addr *peer, const void *data, size_t size,
			const struct tp_ip_fields *fields, const struct tp_now *now);

/* An ICMP error about a datagram that `relayed` sent to `peer` (RFC 8656 section 11.5); any worker's: as above. */
int tp_turn_icmp_input(struct tp_turn *turn, const struct tp_addr *relayed, const struct tp_addr *peer,
		       uint8_t type, uint8_t code, uint32_t data, const struct tp_now *now);

/* A stream connection ended: its allocation goes (or waits for its mobility ticket); another worker's: as above. */
int tp_turn_conn_closed(struct tp_turn *turn, const struct tp_path *path, const struct tp_now *now);

/* RFC 6062: a Connect's outcome: 0 or a negative errno, after which its handle finds nothing. */
void tp_turn_tcp_connected(struct tp_turn *turn, struct tp_tcp_link *link, int err, const struct tp_now *now);
/* A peer has connected to a relayed address of `owner`. NULL: it is not permitted, close it. */
struct tp_tcp_link *tp_turn_tcp_accepted(struct tp_turn *turn, struct tp_allocation *owner,
					 const struct tp_addr *relayed, const struct tp_addr *peer, void *conn,
					 const struct tp_now *now);
/* A peer's connection is over, joined or not; bytes from and to the client. */
void tp_turn_tcp_ended(struct tp_turn *turn, struct tp_tcp_link *link, uint64_t up, uint64_t down);

/* Expiries and grace periods. Returns when to call it again at the latest (mono ns). */
uint64_t tp_turn_tick(struct tp_turn *turn, const struct tp_now *now);

/*
 * An allocation that an earlier daemon left, after the first tp_turn_configure() and before anything comes
 * in; no other thread runs an engine. Negative errno: it cannot go on (its port is taken, its user gone, its
 * time over, its record not ours), its record is gone, and its flows are left for the sweep.
 */
struct tp_keep;
int tp_turn_adopt(struct tp_turn *turn, const struct tp_keep *keep, const struct tp_now *now);
/* What the data path was told stays there for the next daemon: tp_turn_free() removes nothing of it. */
void tp_turn_leave(struct tp_turn *turn);

/* Drain: Allocate is answered with 300 (alternate server) or 508, everything else goes on. */
void tp_turn_set_drain(struct tp_turn *turn, bool drain);

/* --- for the control socket; called on the worker's own thread --- */

struct tp_permission_info {
	struct tp_addr peer;		/* without port */
	uint32_t expires_in_s;
};

struct tp_channel_info {
	uint16_t number;
	struct tp_addr peer;
	uint32_t expires_in_s;
};

struct tp_allocation_info {
	uint64_t id;
	const char *username, *realm;
	struct tp_tuple tuple;
	struct tp_addr relayed[2];	/* as the client sees them (external-ip applied) */
	unsigned int relayed_len;
	uint32_t expires_in_s;
	uint64_t age_s;
	const struct tp_permission_info *permissions;
	size_t permissions_len;
	const struct tp_channel_info *channels;
	size_t channels_len;
	struct tp_flow_traffic kernel, user;
};

typedef bool (*tp_allocation_visit_fn)(void *arg, const struct tp_allocation_info *info); /* false stops */
void tp_turn_visit(struct tp_turn *turn, const struct tp_now *now, tp_allocation_visit_fn fn, void *arg);

/* Ends allocations by id (0: any) and user (NULL: any; not both). Returns how many. */
size_t tp_turn_kill(struct tp_turn *turn, uint64_t id, const char *user, const struct tp_now *now);

/* Counters since start, monotonic. X(name): JSON and metrics name of each. */
#define TP_TURN_COUNTERS(X)								\
	X(binding_requests) X(allocate_requests) X(allocations_created) X(allocations_ended)	\
	X(refresh_requests) X(permission_requests) X(channel_requests)			\
	X(send_indications) X(data_indications) X(channel_data)				\
	X(unauthorized) X(stale_nonce) X(forbidden_peer) X(quota_reached) X(capacity_reached) \
	X(bad_requests) X(unknown_attributes) X(mismatched) X(malformed) X(no_permission) \
	X(no_channel) X(expired) X(policed) X(send_failed) X(too_big) X(icmp_forwarded)	\
	X(mobility_moves) X(reservations_made) X(accelerated_full) X(hop_limit) X(rate_limited)	\
	X(tcp_connected) X(tcp_attempts) X(tcp_failed)

struct tp_turn_counters {
#define TP_TURN_COUNTER(name) uint64_t name;
	TP_TURN_COUNTERS(TP_TURN_COUNTER)
#undef TP_TURN_COUNTER
	struct tp_flow_traffic kernel, user;	/* of ended and live allocations */
	uint64_t allocations;			/* live now */
};

void tp_turn_read_counters(struct tp_turn *turn, struct tp_turn_counters *ret);

#endif
