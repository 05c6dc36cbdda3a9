/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ICMP errors about relayed datagrams (RFC 8656 section 11.5): raw sockets, because
 * what the kernel path sends belongs to no socket whose error queue could tell.
 */
#ifndef TP_NET_ICMP_H
#define TP_NET_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "net/addr.h"

struct tp_icmp;
struct tp_worker;

/* On the worker's loop, from now on. -EPERM: CAP_NET_RAW is missing. */
int tp_icmp_open(struct tp_worker *worker, struct tp_icmp **ret);
void tp_icmp_close(struct tp_icmp *icmp);

/* An ICMP error and the UDP datagram that it quotes. */
struct tp_icmp_error {
	uint8_t type, code;
	uint32_t data;			/* the second word: an MTU, a pointer, or zero; host order */
	struct tp_addr source, destination;
};

/*
 * Parses what a raw socket received: for family 4 with the IP header before it. False: not an
 * error, not about UDP over the same family, or too short.
 */
bool tp_icmp_parse(uint8_t family, const uint8_t *data, size_t size, struct tp_icmp_error *ret);

#endif
