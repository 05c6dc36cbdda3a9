/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Relayed transport addresses: which address and port an allocation gets, from
 * a cryptographic source (RFC 8656 section 7.2, RFC 6056), and what external-ip
 * makes of it for clients.
 */
#include <errno.h>
#include <string.h>

#include "turn/engine.h"

#define OPEN_TRIES	32	/* ports that somebody else on this machine holds */
#define CANDIDATES_MAX	64

/* The relay addresses of a family that this allocation may use. */
struct candidates {
	struct tp_relay_ip items[CANDIDATES_MAX];
	unsigned int len;
};

static void candidate_add(struct candidates *c, const struct tp_addr *addr, uint8_t prefix_len, uint8_t family)
{
	if (addr->family != family || tp_addr_is_any(addr) || c->len == CANDIDATES_MAX)
		return;
	c->items[c->len].addr = *addr;
	c->items[c->len].addr.port = 0;
	c->items[c->len++].prefix_len = prefix_len;
}

/* relay-ip; without any, the listening addresses; without those, where the client has found us. */
static void candidates_get(const struct tp_conf *conf, uint8_t family, const struct tp_tuple *tuple,
			   struct candidates *ret)
{
	ret->len = 0;
	for (size_t i = 0; i < conf->relay_len; i++)
		candidate_add(ret, &conf->relay[i].addr, conf->relay[i].prefix_len, family);
	if (conf->relay_len)
		return;
	for (size_t i = 0; i < conf->listen_len; i++)
		candidate_add(ret, &conf->listen[i], 0, family);
	if (!ret->len && tuple)
		candidate_add(ret, &tuple->server, 0, family);
}

bool tp_relay_family_served(const struct tp_conf *conf, uint8_t family, const struct tp_tuple *tuple)
{
	struct candidates c;

	candidates_get(conf, family, tuple, &c);
	return c.len > 0;
}

/* An address of the prefix with random host bits: never the subnet-router anycast address (all zeroes). */
static void prefix_pick(struct tp_turn *turn, const struct tp_relay_ip *ip, struct tp_addr *ret)
{
	uint8_t host[16];

	tp_random(turn, host, sizeof(host));
	host[15] |= 1;
	*ret = ip->addr;
	for (unsigned int i = 0; i < 16; i++) {
		unsigned int bits = ip->prefix_len > i * 8 ? ip->prefix_len - i * 8 : 0;
		uint8_t mask = (uint8_t)(bits >= 8 ? 0xffu : 0xff00u >> bits);

		ret->ip[i] = (uint8_t)((ip->addr.ip[i] & mask) | (host[i] & ~mask));
	}
}

static uint16_t port_pick(struct tp_turn *turn)
{
	const struct tp_conf *conf = turn->conf;

	return (uint16_t)(conf->min_port + tp_random_below(turn, (uint32_t)conf->max_port - conf->min_port + 1));
}

static bool socket_is_open(const struct tp_relay *relay)
{
	return relay->socket || relay->tcp;
}

static int socket_open(struct tp_relay *relay, const struct tp_addr *addr)
{
	struct tp_allocation *a = relay->allocation;
	struct tp_turn_io *io = a->turn->io;
	int err = a->tcp ? io->tcp_listen(io, addr, a, &relay->tcp) : io->relay_open(io, addr, a, &relay->socket);

	if (err) {
		relay->tcp = NULL;
		relay->socket = NULL;
	}
	return err;
}

static void socket_close(struct tp_relay *relay)
{
	struct tp_turn_io *io = relay->allocation->turn->io;

	if (relay->tcp)
		io->tcp_unlisten(io, relay->tcp);
	else
		io->relay_close(io, relay->socket);
	relay->tcp = NULL;
	relay->socket = NULL;
}

/* Binds the address with its port and enters it into the registry. */
static int relay_bind(struct tp_allocation *a, struct tp_ports *ports, const struct tp_addr *addr)
{
	struct tp_turn *turn = a->turn;
	struct tp_relay *relay = &a->relays[tp_family_index(addr->family)];
	int err = socket_open(relay, addr);

	if (err)
		return err;
	relay->owner = tp_owner_add_relayed(turn->registry, turn->worker, a, addr);
	if (!relay->owner) {
		socket_close(relay);
		return -EADDRINUSE;
	}
	relay->addr = relay->shown = *addr;
	tp_addr_to_public(turn->conf, &relay->shown);
	relay->ports = ports;
	relay->live = true;
	return 0;
}

void tp_relay_close(struct tp_relay *relay)
{
	struct tp_turn *turn = relay->allocation->turn;

	if (!socket_is_open(relay))
		return;
	tp_owner_remove(turn->registry, &relay->owner);
	socket_close(relay);
	if (relay->ports)
		tp_ports_give(relay->ports, relay->addr.port);
	relay->ports = NULL;
}

/* -ENOSPC: every port of the address is taken; another error: this address is of no use now. */
static int open_on_address(struct tp_allocation *a, const struct tp_addr *ip, bool even)
{
	const struct tp_conf *conf = a->turn->conf;
	struct tp_ports *ports = tp_ports_get(a->turn->registry, ip);
	struct tp_addr addr = *ip;
	int err = -ENOMEM;

	for (int i = 0; ports && i < OPEN_TRIES; i++) {
		addr.port = tp_ports_take(ports, conf->min_port, conf->max_port, port_pick(a->turn), even, false);
		if (!addr.port)
			return -ENOSPC;
		err = relay_bind(a, ports, &addr);
		if (!err)
			return 0;
		tp_ports_give(ports, addr.port);
		if (err != -EADDRINUSE)
			return err;
	}
	return err;
}

static int open_in_prefix(struct tp_allocation *a, const struct tp_relay_ip *ip, bool even)
{
	struct tp_addr addr;
	int err = -EADDRINUSE;

	for (int i = 0; i < OPEN_TRIES && err == -EADDRINUSE; i++) {
		prefix_pick(a->turn, ip, &addr);
		addr.port = port_pick(a->turn);
		if (even && addr.port & 1)
			addr.port = addr.port > a->turn->conf->min_port ? (uint16_t)(addr.port - 1) :
									  (uint16_t)(addr.port + 1);
		if (addr.port > a->turn->conf->max_port)
			return -ENOSPC;
		err = relay_bind(a, NULL, &addr);
	}
	return err;
}

int tp_relay_open(struct tp_allocation *a, uint8_t family, bool even, const struct tp_tuple *tuple)
{
	struct candidates c;
	uint32_t start;

	candidates_get(a->turn->conf, family, tuple, &c);
	if (!c.len)
		return -EAFNOSUPPORT;
	start = tp_random_below(a->turn, c.len);
	for (uint32_t i = 0; i < c.len; i++) {
		const struct tp_relay_ip *ip = &c.items[(start + i) % c.len];
		int err = ip->prefix_len ? open_in_prefix(a, ip, even) : open_on_address(a, &ip->addr, even);

		if (!err)
			return 0;
	}
	return -ENOSPC;
}

/* Is it one that this allocation could be given now? */
static bool candidate_has(const struct tp_relay_ip *ip, const struct tp_addr *addr)
{
	unsigned int bytes = ip->prefix_len / 8, bits = ip->prefix_len % 8;

	if (!ip->prefix_len)
		return tp_addr_same_ip(&ip->addr, addr);
	return !memcmp(ip->addr.ip, addr->ip, bytes) &&
	       (!bits || !((ip->addr.ip[bytes] ^ addr->ip[bytes]) >> (8 - bits)));
}

int tp_relay_reopen(struct tp_allocation *a, const struct tp_addr *addr, const struct tp_tuple *tuple)
{
	const struct tp_conf *conf = a->turn->conf;
	struct tp_ports *ports = NULL;
	struct tp_addr ip = *addr;
	struct candidates c;
	unsigned int i = 0;
	int err;

	candidates_get(conf, addr->family, tuple, &c);
	while (i < c.len && !candidate_has(&c.items[i], addr))
		i++;
	if (i == c.len || addr->port < conf->min_port || addr->port > conf->max_port)
		return -EADDRNOTAVAIL;
	if (!c.items[i].prefix_len) {
		ip.port = 0;
		ports = tp_ports_get(a->turn->registry, &ip);
		if (!ports)
			return -ENOMEM;
		if (!tp_ports_take(ports, addr->port, addr->port, addr->port, false, false))
			return -EADDRINUSE;
	}
	err = relay_bind(a, ports, addr);
	if (err && ports)
		tp_ports_give(ports, addr->port);
	return err;
}

static int open_pair_on(struct tp_allocation *a, struct tp_allocation *reserved, const struct tp_addr *ip,
			struct tp_ports *ports, uint16_t port)
{
	struct tp_addr addr = *ip;
	int err;

	addr.port = port;
	err = relay_bind(a, ports, &addr);
	if (err) {
		if (ports)
			tp_ports_give(ports, port);
		if (ports)
			tp_ports_give(ports, (uint16_t)(port + 1));
		return err;
	}
	addr.port++;
	err = relay_bind(reserved, ports, &addr);
	if (err) {
		a->relays[tp_family_index(ip->family)].live = false;
		tp_relay_close(&a->relays[tp_family_index(ip->family)]);
		if (ports)
			tp_ports_give(ports, addr.port);
	}
	return err;
}

static int open_pair_try(struct tp_allocation *a, struct tp_allocation *reserved, const struct tp_relay_ip *ip)
{
	const struct tp_conf *conf = a->turn->conf;
	struct tp_addr addr = ip->addr;
	struct tp_ports *ports = NULL;
	uint16_t port = port_pick(a->turn);

	if (ip->prefix_len) {
		prefix_pick(a->turn, ip, &addr);
		port &= 0xfffe;
		if (port < conf->min_port || port >= conf->max_port)
			return -EADDRINUSE;
	} else {
		ports = tp_ports_get(a->turn->registry, &addr);
		port = ports ? tp_ports_take(ports, conf->min_port, conf->max_port, port, true, true) : 0;
		if (!port)
			return -ENOSPC;
	}
	return open_pair_on(a, reserved, &addr, ports, port);
}

int tp_relay_open_pair(struct tp_allocation *a, struct tp_allocation *reserved, uint8_t family,
		       const struct tp_tuple *tuple)
{
	struct candidates c;
	uint32_t start;
	int err;

	candidates_get(a->turn->conf, family, tuple, &c);
	if (!c.len)
		return -EAFNOSUPPORT;
	start = tp_random_below(a->turn, c.len);
	for (uint32_t i = 0; i < c.len; i++) {
		for (int try = 0; try < OPEN_TRIES; try++) {
			err = open_pair_try(a, reserved, &c.items[(start + i) % c.len]);
			if (!err)
				return 0;
			if (err != -EADDRINUSE)
				break;
		}
	}
	return -ENOSPC;
}

/* A mapping without a private address is the whole family's, behind the more exact ones. */
void tp_addr_to_public(const struct tp_conf *conf, struct tp_addr *addr)
{
	const struct tp_external *found = NULL;

	for (size_t i = 0; i < conf->external_len; i++) {
		const struct tp_external *e = &conf->external[i];

		if (e->public.family != addr->family)
			continue;
		if (e->private.family && !tp_addr_same_ip(&e->private, addr))
			continue;
		if (!found || e->private.family)
			found = e;
	}
	if (found)
		memcpy(addr->ip, found->public.ip, sizeof(addr->ip));
}

/* A peer that is given by a public address of ours is relayed here: its packets come from the private one. */
void tp_addr_to_private(const struct tp_conf *conf, struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->external_len; i++) {
		const struct tp_external *e = &conf->external[i];

		if (!tp_addr_same_ip(&e->public, addr))
			continue;
		if (e->private.family) {
			memcpy(addr->ip, e->private.ip, sizeof(addr->ip));
			return;
		}
		for (size_t k = 0; k < conf->relay_len; k++) {
			if (conf->relay[k].addr.family == addr->family && !conf->relay[k].prefix_len) {
				memcpy(addr->ip, conf->relay[k].addr.ip, sizeof(addr->ip));
				return;
			}
		}
	}
}
