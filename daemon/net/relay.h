/* SPDX-License-Identifier: GPL-2.0 */
/* Relay sockets: one UDP socket per relayed transport address, for what the data path leaves to userspace. */
#ifndef TP_NET_RELAY_H
#define TP_NET_RELAY_H

#include "turn/turn.h"

struct tp_worker;

/* The relay calls of struct tp_turn_io, which see. A closed socket's memory lives until tp_relay_sockets_reap(). */
int tp_relay_socket_open(struct tp_worker *worker, const struct tp_addr *addr, struct tp_allocation *owner,
		  struct tp_relay_socket **ret);
void tp_relay_socket_close(struct tp_relay_socket *socket);
int tp_relay_socket_send(struct tp_relay_socket *socket, const struct tp_addr *peer, const void *data, size_t size,
		  const struct tp_ip_fields *fields);

/* Frees what was closed: where no socket is in the middle of receiving. */
void tp_relay_sockets_reap(struct tp_worker *worker);

#endif
