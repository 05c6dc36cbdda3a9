/* SPDX-License-Identifier: GPL-2.0 */
/* Transport addresses: the one form in which the daemon carries them. Pure, no I/O. */
#ifndef TP_NET_ADDR_H
#define TP_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TP_ADDR_STRLEN 56	/* "[ipv6]:port" and the final zero */

/*
 * Compared and hashed as bytes: unused bytes are zero. IPv4 addresses are in the
 * first four bytes of `ip`; v4-mapped IPv6 addresses are made IPv4 on the way in.
 */
struct tp_addr {
	uint8_t family;		/* 0 (unset), 4 or 6 */
	uint8_t zero;
	uint16_t port;		/* host order */
	uint8_t ip[16];		/* wire order */
};

static inline size_t tp_addr_ip_size(const struct tp_addr *a)
{
	return a->family == 6 ? 16 : a->family == 4 ? 4 : 0;
}

bool tp_addr_equal(const struct tp_addr *a, const struct tp_addr *b);
bool tp_addr_same_ip(const struct tp_addr *a, const struct tp_addr *b);
bool tp_addr_is_any(const struct tp_addr *a);
uint64_t tp_addr_hash(const struct tp_addr *a, uint64_t seed);

/* 0, or -EAFNOSUPPORT. */
int tp_addr_from_sockaddr(const struct sockaddr *sa, struct tp_addr *ret);
socklen_t tp_addr_to_sockaddr(const struct tp_addr *a, struct sockaddr_storage *ret);

/* "192.0.2.1", "192.0.2.1:3478", "2001:db8::1", "[2001:db8::1]:3478". 0 or -EINVAL. */
int tp_addr_parse(const char *text, struct tp_addr *ret);

/* With the port, and without it. Return `buf`. */
const char *tp_addr_format(const struct tp_addr *a, char buf[TP_ADDR_STRLEN]);
const char *tp_addr_format_ip(const struct tp_addr *a, char buf[TP_ADDR_STRLEN]);

/*
 * A client's 5-tuple as RFC 8656 section 2 means it, and for stream clients the
 * connection it came by. `conn` is opaque to everyone but net/; NULL for UDP.
 */
enum tp_transport { TP_UDP, TP_TCP, TP_TLS, TP_DTLS };

struct tp_tuple {
	struct tp_addr client;
	struct tp_addr server;
	uint8_t transport;	/* enum tp_transport */
};

bool tp_tuple_equal(const struct tp_tuple *a, const struct tp_tuple *b);
uint64_t tp_tuple_hash(const struct tp_tuple *t, uint64_t seed);
const char *tp_transport_name(enum tp_transport t);	/* "udp", "tcp", "tls", "dtls" */

#endif
