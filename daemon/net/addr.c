/* SPDX-License-Identifier: GPL-2.0 */
/* Transport addresses: conversion, comparison, text. Used by everything that carries a `struct tp_addr`. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool tp_addr_equal(const struct tp_addr *a, const struct tp_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool tp_addr_same_ip(const struct tp_addr *a, const struct tp_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool tp_addr_is_any(const struct tp_addr *a)
{
	static const uint8_t zero[16];

	return a->family && memcmp(a->ip, zero, sizeof(zero)) == 0;
}

/* Folding multiplication: every input bit reaches every output bit, so that a secret seed spreads chosen keys. */
static uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd6e8feb86659fd93u);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t tp_addr_hash(const struct tp_addr *a, uint64_t seed)
{
	uint64_t high, low;

	memcpy(&high, a->ip, sizeof(high));
	memcpy(&low, a->ip + 8, sizeof(low));
	seed = hash_mix(seed ^ high, ((uint64_t)a->family << 16 | a->port) + seed);
	return hash_mix(seed, low ^ 0xa0761d6478bd642fu);
}

static void addr_set(struct tp_addr *ret, uint8_t family, const void *ip, size_t ip_size, uint16_t port)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = family;
	ret->port = port;
	memcpy(ret->ip, ip, ip_size);
}

static void addr_set_v6(struct tp_addr *ret, const uint8_t ip[16], uint16_t port)
{
	if (memcmp(ip, v4_mapped, sizeof(v4_mapped)) == 0)
		addr_set(ret, 4, ip + sizeof(v4_mapped), 4, port);
	else
		addr_set(ret, 6, ip, 16, port);
}

int tp_addr_from_sockaddr(const struct sockaddr *sa, struct tp_addr *ret)
{
	/* Copied: a socket address inside a control message need not be aligned. */
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		addr_set(ret, 4, &in.sin_addr, 4, ntohs(in.sin_port));
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		addr_set_v6(ret, in6.sin6_addr.s6_addr, ntohs(in6.sin6_port));
		return 0;
	}
	return -EAFNOSUPPORT;
}

socklen_t tp_addr_to_sockaddr(const struct tp_addr *a, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	if (a->family == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
	return 0;
}

static int parse_port(const char *text, uint16_t *ret)
{
	unsigned int port = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9' || i >= 5)
			return -EINVAL;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	if (i == 0 || port > 65535)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

static int parse_ip(const char *text, size_t size, struct tp_addr *ret)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (size == 0 || size >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = 0;
	if (inet_pton(AF_INET, copy, ip) == 1)
		addr_set(ret, 4, ip, 4, 0);
	else if (inet_pton(AF_INET6, copy, ip) == 1)
		addr_set_v6(ret, ip, 0);
	else
		return -EINVAL;
	return 0;
}

int tp_addr_parse(const char *text, struct tp_addr *ret)
{
	const char *port = NULL, *end = text + strlen(text);
	struct tp_addr addr;
	uint16_t number = 0;
	int err;

	if (*text == '[') {
		end = strchr(++text, ']');
		if (!end || !memchr(text, ':', (size_t)(end - text)))
			return -EINVAL;
		if (end[1] == ':')
			port = end + 2;
		else if (end[1])
			return -EINVAL;
	} else {
		const char *colon = strchr(text, ':');

		/* One colon separates a port, more are an IPv6 address without one. */
		if (colon && !strchr(colon + 1, ':')) {
			end = colon;
			port = colon + 1;
		}
	}
	err = parse_ip(text, (size_t)(end - text), &addr);
	if (!err && port)
		err = parse_port(port, &number);
	if (err)
		return err;
	addr.port = number;
	*ret = addr;
	return 0;
}

const char *tp_addr_format_ip(const struct tp_addr *a, char buf[TP_ADDR_STRLEN])
{
	if (a->family != 4 && a->family != 6)
		snprintf(buf, TP_ADDR_STRLEN, "none");
	else if (!inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, buf, TP_ADDR_STRLEN))
		buf[0] = 0;
	return buf;
}

const char *tp_addr_format(const struct tp_addr *a, char buf[TP_ADDR_STRLEN])
{
	char ip[TP_ADDR_STRLEN];

	tp_addr_format_ip(a, ip);
	if (a->family == 6)
		snprintf(buf, TP_ADDR_STRLEN, "[%.45s]:%u", ip, a->port);
	else if (a->family == 4)
		snprintf(buf, TP_ADDR_STRLEN, "%.15s:%u", ip, a->port);
	else
		snprintf(buf, TP_ADDR_STRLEN, "none");
	return buf;
}

bool tp_tuple_equal(const struct tp_tuple *a, const struct tp_tuple *b)
{
	return a->transport == b->transport && tp_addr_equal(&a->client, &b->client) &&
	       tp_addr_equal(&a->server, &b->server);
}

uint64_t tp_tuple_hash(const struct tp_tuple *t, uint64_t seed)
{
	return tp_addr_hash(&t->client, tp_addr_hash(&t->server, seed + t->transport));
}

const char *tp_transport_name(enum tp_transport t)
{
	static const char *const names[] = { [TP_UDP] = "udp", [TP_TCP] = "tcp", [TP_TLS] = "tls", [TP_DTLS] = "dtls" };

	return (unsigned int)t < sizeof(names) / sizeof(names[0]) ? names[t] : "unknown";
}
