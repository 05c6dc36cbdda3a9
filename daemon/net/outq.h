/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a worker sends by UDP in one iteration: copied here, and handed to the
 * kernel by sendmmsg() per socket, runs of equal datagrams to one destination as
 * one UDP GSO super-packet. One queue per worker, its thread only.
 */
#ifndef TP_NET_OUTQ_H
#define TP_NET_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "turn/turn.h"

struct tp_outq;

/* A UDP socket as the queue sees it; embedded by its owner, zeroed but for fd and family. */
struct tp_out_socket {
	int fd;
	uint8_t family;			/* 4, 6 */
	bool df;			/* how IP_MTU_DISCOVER is set now */
	bool no_gso;			/* the device refused it once */
	uint16_t queued;
	uint16_t first, last;		/* while queued */
	struct tp_out_socket *next;	/* of the sockets with something queued */
};

/* `sent` and `failed` are counted up, also later, by tp_outq_flush(). NULL: no memory. */
struct tp_outq *tp_outq_new(uint64_t *sent, uint64_t *failed);
void tp_outq_free(struct tp_outq *q);

/* The socket's options for sending: DF clear. 0 or a negative errno. */
int tp_out_socket_init(struct tp_out_socket *socket, int fd, uint8_t family);

/*
 * Queues a datagram. With fields->df it is sent at once, after what is queued, with
 * DF set whatever the path MTU is thought to be: -EMSGSIZE where the device's MTU is
 * too small. fields NULL, ttl 0: the system's defaults. -EINVAL: the wrong family.
 */
int tp_outq_send(struct tp_outq *q, struct tp_out_socket *socket, const struct tp_addr *to, const void *data,
		 size_t size, const struct tp_ip_fields *fields);
void tp_outq_flush(struct tp_outq *q);
/* Sends what is queued for one socket: before its owner closes it. */
void tp_outq_flush_socket(struct tp_outq *q, struct tp_out_socket *socket);

#endif
