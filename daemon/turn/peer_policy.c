/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which peers may be relayed to. First every IPv4 address that an IPv6 address
 * leads to is taken out of it, then one range matcher decides over all forms:
 * allowed-peer-ip wins, then denied-peer-ip, the node itself, and the safe
 * defaults. Private networks are allowed by default: users' peers live there.
 * Teredo and 6to4 are not: RFC 8656 section 21.4 forbids them for their loops.
 */
#include <string.h>

#include "turn/engine.h"

#define FORMS_MAX 2

/* The addresses that a packet to `peer` may end at. */
struct forms {
	struct tp_addr items[FORMS_MAX];
	unsigned int len;
};

static void form_add_v4(struct forms *f, const uint8_t ip[4])
{
	struct tp_addr *a = &f->items[f->len++];

	memset(a, 0, sizeof(*a));
	a->family = 4;
	a->port = f->items[0].port;
	memcpy(a->ip, ip, 4);
}

/* RFC 4291 2.5.5, RFC 6052 and 8215 (NAT64), RFC 5214 (ISATAP). */
static void forms_get(const struct tp_addr *peer, struct forms *ret)
{
	static const uint8_t zero[12], mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }, nat64_local[6] = { 0x00, 0x64, 0xff, 0x9b, 0, 1 };
	const uint8_t *ip = peer->ip;

	ret->items[0] = *peer;
	ret->len = 1;
	if (peer->family != 6)
		return;
	if (!memcmp(ip, zero, 12) || !memcmp(ip, mapped, 12) || !memcmp(ip, nat64, 12) ||
	    !memcmp(ip, nat64_local, 6)) {
		/* "::" and "::1" are themselves. */
		if (memcmp(ip, zero, 12) != 0 || ip[12] || ip[13] || ip[14] || ip[15] > 1)
			form_add_v4(ret, ip + 12);
	} else if (!(ip[8] & 0xfd) && !ip[9] && ip[10] == 0x5e && ip[11] == 0xfe) {
		form_add_v4(ret, ip + 12);
	}
}

static bool range_has(const struct tp_range *range, const struct tp_addr *addr)
{
	size_t size = tp_addr_ip_size(addr);

	return range->first.family == addr->family && memcmp(addr->ip, range->first.ip, size) >= 0 &&
	       memcmp(addr->ip, range->last.ip, size) <= 0;
}

static bool ranges_have(const struct tp_range *ranges, size_t len, const char *realm, const struct tp_addr *addr)
{
	for (size_t i = 0; i < len; i++) {
		if (ranges[i].realm && (!realm || strcmp(ranges[i].realm, realm) != 0))
			continue;
		if (range_has(&ranges[i], addr))
			return true;
	}
	return false;
}

static const struct tp_range loopback[] = {
	{ .first = { .family = 4, .ip = { 127 } }, .last = { .family = 4, .ip = { 127, 255, 255, 255 } } },
	{ .first = { .family = 6, .ip = { [15] = 1 } }, .last = { .family = 6, .ip = { [15] = 1 } } },
};

/* This network, link-local (cloud metadata lives there), multicast, reserved and broadcast; unspecified, discard. */
static const struct tp_range never[] = {
	{ .first = { .family = 4 }, .last = { .family = 4, .ip = { 0, 255, 255, 255 } } },
	{ .first = { .family = 4, .ip = { 169, 254 } }, .last = { .family = 4, .ip = { 169, 254, 255, 255 } } },
	{ .first = { .family = 4, .ip = { 224 } }, .last = { .family = 4, .ip = { 255, 255, 255, 255 } } },
	{ .first = { .family = 6 }, .last = { .family = 6 } },
	{ .first = { .family = 6, .ip = { 0xfe, 0x80 } },
	  .last = { .family = 6, .ip = { 0xfe, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff } } },
	{ .first = { .family = 6, .ip = { 0xff } },
	  .last = { .family = 6, .ip = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff } } },
};

bool tp_port_is_listening(const struct tp_conf *conf, uint16_t port)
{
	return port && (port == conf->listening_port || port == conf->tls_listening_port ||
			port == conf->alt_listening_port || port == conf->alt_tls_listening_port ||
			port == conf->tcp_proxy.port);
}

static bool is_relay(const struct tp_conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->relay_len; i++) {
		if (!conf->relay[i].prefix_len && tp_addr_same_ip(&conf->relay[i].addr, addr))
			return true;
	}
	return false;
}

/* The node's own addresses are peers only as relayed addresses; its listeners never are (RFC 8656 21.1.7). */
static bool is_own(const struct tp_conf *conf, const struct tp_addr *addr)
{
	bool relay = is_relay(conf, addr);

	if (relay && tp_port_is_listening(conf, addr->port))
		return true;
	if (addr->port && tp_addr_equal(&conf->tcp_proxy, addr))
		return true;
	for (size_t i = 0; i < conf->listen_len; i++) {
		if (!tp_addr_same_ip(&conf->listen[i], addr))
			continue;
		if ((conf->relay_len && !relay) || tp_port_is_listening(conf, addr->port))
			return true;
	}
	return false;
}

static bool form_denied(const struct tp_conf *conf, const char *realm, const struct tp_addr *addr)
{
	if (ranges_have(conf->allowed, conf->allowed_len, realm, addr))
		return false;
	if (ranges_have(conf->denied, conf->denied_len, realm, addr) || is_own(conf, addr))
		return true;
	if (ranges_have(loopback, sizeof(loopback) / sizeof(loopback[0]), NULL, addr))
		return !conf->allow_loopback_peers;
	return ranges_have(never, sizeof(never) / sizeof(never[0]), NULL, addr);
}

bool tp_addr_is_tunnel(const struct tp_addr *addr)
{
	static const uint8_t teredo[4] = { 0x20, 0x01, 0, 0 }, to4[2] = { 0x20, 0x02 };

	return addr->family == 6 && (!memcmp(addr->ip, teredo, 4) || !memcmp(addr->ip, to4, 2));
}

bool tp_peer_allowed(const struct tp_conf *conf, const char *realm, const struct tp_addr *peer)
{
	struct forms forms;

	forms_get(peer, &forms);
	if (ranges_have(conf->allowed, conf->allowed_len, realm, peer))
		return true;
	if (tp_addr_is_tunnel(peer))
		return false;
	for (unsigned int i = 0; i < forms.len; i++) {
		if (form_denied(conf, realm, &forms.items[i]))
			return false;
	}
	return true;
}
