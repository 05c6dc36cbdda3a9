/* SPDX-License-Identifier: GPL-2.0 */
/*
 * UDP sockets: listening ones and the receiving side of all. Each is bound to one
 * address, so that no packet info is needed to know where a datagram came in.
 */
#ifndef TP_NET_UDP_H
#define TP_NET_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "net/addr.h"
#include "net/outq.h"
#include "turn/turn.h"

struct tp_worker;

/* A listening socket of one worker. */
struct tp_udp_listener {
	struct tp_watch watch;
	struct tp_out_socket out;
	struct tp_addr addr;
	struct tp_worker *worker;
	bool retired;			/* no longer configured: serves the allocations it has */
	struct tp_udp_listener *next;
};

#define TP_UDP_REUSEPORT	0x1
#define TP_UDP_FREEBIND		0x2	/* an address of a routed prefix, on no device */

/*
 * A non-blocking socket bound to `addr`, set up for TTL, TOS and GRO, with buffers of up to that many bytes
 * (0: the system's). The descriptor or a negative errno.
 */
int tp_udp_open(const struct tp_addr *addr, unsigned int flags, int buffer);

/* Is the address free? With SO_REUSEPORT alone a second daemon would quietly take half of the clients. */
int tp_udp_probe(const struct tp_addr *addr);

/* Receive buffers for a batch; one per worker. */
struct tp_udp_batch;
struct tp_udp_batch *tp_udp_batch_new(void);
void tp_udp_batch_free(struct tp_udp_batch *batch);

struct tp_datagram {
	struct tp_addr from;
	const uint8_t *data;
	size_t size;
	struct tp_ip_fields fields;
};

/* Receives what is there, up to the batch's size. How many messages, or a negative errno (-EAGAIN: none). */
int tp_udp_receive(struct tp_udp_batch *batch, int fd);
/* The next datagram of what was received (a message that GRO has put together is several). False at the end. */
bool tp_udp_next(struct tp_udp_batch *batch, struct tp_datagram *ret);

#endif
