/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The peer's side of TCP allocations (RFC 6062): listening sockets at relayed
 * transport addresses, connections to and from peers until they are joined with a
 * client's stream. One per worker, called on its thread, behind the tcp_* calls of
 * struct tp_turn_io (turn/turn.h), which say what each does.
 *
 * A client's data connection may have come to another worker than its allocation
 * is at: then the peer's socket moves there (stream_splice.c has the bytes), and what
 * is left here is a record that knows where.
 */
#ifndef TP_NET_TCP_RELAY_H
#define TP_NET_TCP_RELAY_H

#include "loop.h"
#include "net/conn.h"
#include "net/stream.h"
#include "turn/turn.h"

struct tp_tcp_relays;

struct tp_tcp_relay_params {
	struct tp_loop *loop;
	struct tp_conns *conns;
	struct tp_streams *streams;
	unsigned int worker;
	void *arg;
	struct tp_tcp_relays *(*of)(void *arg, unsigned int worker); /* another worker's; NULL: there is none */
	/* into the engine */
	void (*connected)(void *arg, struct tp_tcp_link *link, int err);
	struct tp_tcp_link *(*accepted)(void *arg, struct tp_allocation *owner, const struct tp_addr *relayed,
					const struct tp_addr *peer, void *conn);
	void (*ended)(void *arg, struct tp_tcp_link *link, uint64_t up, uint64_t down);
};

struct tp_tcp_relays *tp_tcp_relays_new(const struct tp_tcp_relay_params *params);
void tp_tcp_relays_free(struct tp_tcp_relays *relays);	/* after the engine, which closed everything */

int tp_tcp_relay_listen(struct tp_tcp_relays *relays, const struct tp_addr *addr, struct tp_allocation *owner,
			struct tp_tcp_relay **ret);
void tp_tcp_relay_unlisten(struct tp_tcp_relay *relay);
int tp_tcp_relay_connect(struct tp_tcp_relay *relay, const struct tp_addr *peer, struct tp_tcp_link *link,
			 void **ret_conn);
int tp_tcp_relay_join(struct tp_tcp_relays *relays, void *conn, const struct tp_path *client);
void tp_tcp_relay_close(struct tp_tcp_relays *relays, void *conn);

/* The spliced_end callback of tp_streams, on the worker that has the data connection; `tag` is the peer's handle. */
void tp_tcp_relay_spliced_end(struct tp_tcp_relays *relays, const void *tag, uint64_t up, uint64_t down);

#endif
