/* SPDX-License-Identifier: GPL-2.0 */
/* Addresses that follow from this host where a configuration names none; conf_check.c calls it. */
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parts.h"

static bool is_link_local(const struct tp_addr *addr)
{
	if (addr->family == 4)
		return addr->ip[0] == 169 && addr->ip[1] == 254;
	return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

static bool is_known(const struct tp_conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->listen_len; i++)
		if (tp_addr_equal(&conf->listen[i], addr))
			return true;
	return false;
}

static void add_listen(struct conf_load *load, const struct tp_addr *addr)
{
	struct tp_conf *conf = load->conf;
	struct tp_addr *listen;

	if (is_known(conf, addr))
		return;
	listen = conf_grow(load, conf->listen, conf->listen_len, sizeof(*addr));
	if (!listen)
		return;
	conf->listen = listen;
	listen[conf->listen_len++] = *addr;
}

/* The addresses of interfaces that are up; family 0 is both. Link-local ones would need a zone. */
static void add_host_addresses(struct conf_load *load, uint8_t family, bool loopback)
{
	struct ifaddrs *all, *i;
	struct tp_addr addr;

	if (getifaddrs(&all))
		return;
	for (i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || !!(i->ifa_flags & IFF_LOOPBACK) != loopback)
			continue;
		if (tp_addr_from_sockaddr(i->ifa_addr, &addr) || is_link_local(&addr))
			continue;
		addr.port = 0;
		if (!family || addr.family == family)
			add_listen(load, &addr);
	}
	freeifaddrs(all);
}

/* 0.0.0.0 and :: stand for every address of the family: answers must leave from the address that was asked. */
static void expand_any(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;
	bool any[2] = { false, false };
	size_t kept = 0;

	for (size_t i = 0; i < conf->listen_len; i++) {
		if (tp_addr_is_any(&conf->listen[i]))
			any[conf->listen[i].family == 6] = true;
		else
			conf->listen[kept++] = conf->listen[i];
	}
	if (!any[0] && !any[1])
		return;
	/* The array's room goes by its length (conf_grow()): a shorter one starts afresh. */
	conf_shrink(load, (void **)&conf->listen, &conf->listen_len, kept, sizeof(*conf->listen));
	for (int i = 0; i < 2; i++)
		if (any[i]) {
			add_host_addresses(load, i ? 6 : 4, false);
			add_host_addresses(load, i ? 6 : 4, true);
		}
}

static void set_listen(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;

	expand_any(load);
	if (!conf->listen_len && !conf_at(load, "listening-ip")) {
		add_host_addresses(load, 0, false);
		if (!conf->listen_len)
			add_host_addresses(load, 0, true);
	}
	conf_at(load, "listening-ip");
	if (!conf->listen_len && !load->report->errors)
		conf_error(load, "no interface that is up has an address");
}

static void set_relay(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;

	if (conf->relay_len || conf_at(load, "relay-ip"))
		return;
	conf->relay = calloc(conf->listen_len ? conf->listen_len : 1, sizeof(*conf->relay));
	load->no_memory |= !conf->relay;
	for (size_t i = 0; conf->relay && i < conf->listen_len; i++)
		conf->relay[conf->relay_len++].addr = conf->listen[i];
}

static bool prefix_has(const struct tp_relay_ip *relay, const struct tp_addr *addr)
{
	unsigned int bytes = relay->prefix_len / 8, bits = relay->prefix_len % 8;

	if (!relay->prefix_len)
		return tp_addr_same_ip(&relay->addr, addr);
	if (addr->family != 6 || memcmp(relay->addr.ip, addr->ip, bytes) != 0)
		return false;
	return !bits || (relay->addr.ip[bytes] ^ addr->ip[bytes]) >> (8 - bits) == 0;
}

static void check_external(struct conf_load *load)
{
	const struct tp_conf *conf = load->conf;
	char text[TP_ADDR_STRLEN];

	for (size_t i = 0; i < conf->external_len; i++) {
		const struct tp_external *external = &conf->external[i];
		bool found = false;

		for (size_t j = 0; j < conf->relay_len && !found; j++)
			found = external->private.family ? prefix_has(&conf->relay[j], &external->private) :
							   conf->relay[j].addr.family == external->public.family;
		if (found)
			continue;
		conf_at(load, "external-ip");
		if (external->private.family)
			conf_warning(load, "%s is no relay address here", tp_addr_format_ip(&external->private, text));
		else
			conf_warning(load, "%s: there is no relay address of its family",
				     tp_addr_format_ip(&external->public, text));
	}
}

/* NAT behaviour discovery (RFC 5780) answers from another address of the same family. */
static void check_discovery(struct conf_load *load)
{
	struct tp_conf *conf = load->conf;
	size_t of_family[2] = { 0, 0 };

	if (!conf->rfc5780)
		return;
	for (size_t i = 0; i < conf->listen_len; i++)
		of_family[conf->listen[i].family == 6]++;
	if (of_family[0] > 1 || of_family[1] > 1)
		return;
	conf_at(load, "rfc5780");
	conf_warning(load, "is off: there are no two listening addresses of one family");
	conf->rfc5780 = false;
}

void conf_check_addresses(struct conf_load *load)
{
	set_listen(load);
	set_relay(load);
	check_external(load);
	check_discovery(load);
}
