/* SPDX-License-Identifier: GPL-2.0 */
/* The addresses, prefixes and ranges of a configuration; conf_value.c and the user stores call it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parts.h"

/* An address without a port. */
static int parse_ip(const char *text, struct tp_addr *ret)
{
	struct tp_addr addr;

	if (tp_addr_parse(text, &addr) || addr.port || *text == '[')
		return -EINVAL;
	*ret = addr;
	return 0;
}

/* "64" into at most the bits of the family. */
static int parse_bits(const char *text, const struct tp_addr *addr, unsigned int *ret)
{
	unsigned int bits = 0;

	if (!*text || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	for (; *text; text++)
		bits = bits * 10 + (unsigned int)(*text - '0');
	if (bits > 8 * tp_addr_ip_size(addr))
		return -EINVAL;
	*ret = bits;
	return 0;
}

/* Host bits all zero, or all one. */
static void fill_host_bits(struct tp_addr *addr, unsigned int bits, bool one)
{
	for (unsigned int i = 0; i < tp_addr_ip_size(addr); i++) {
		unsigned int kept = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = kept >= 8 ? 0 : (uint8_t)(0xff >> kept);

		addr->ip[i] = one ? addr->ip[i] | mask : addr->ip[i] & (uint8_t)~mask;
	}
}

int tp_range_parse(const char *text, struct tp_range *ret)
{
	struct tp_range range = { 0 };
	char first[TP_ADDR_STRLEN];
	size_t size = strcspn(text, "-/");
	unsigned int bits;

	if (size >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, size);
	first[size] = 0;
	if (parse_ip(first, &range.first))
		return -EINVAL;
	range.last = range.first;
	if (text[size] == '-') {
		if (parse_ip(text + size + 1, &range.last) || range.last.family != range.first.family)
			return -EINVAL;
		if (memcmp(range.first.ip, range.last.ip, sizeof(range.first.ip)) > 0)
			return -ERANGE;
	} else if (text[size] == '/') {
		if (parse_bits(text + size + 1, &range.first, &bits))
			return -EINVAL;
		fill_host_bits(&range.first, bits, false);
		fill_host_bits(&range.last, bits, true);
	}
	*ret = range;
	return 0;
}

/* `where` is the array, `number` its length (conf_table.c). */
void conf_parse_range(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_range **ranges = (struct tp_range **)((char *)load->conf + key->where), *grown, range;
	size_t *len = (size_t *)((char *)load->conf + key->number);
	int r = tp_range_parse(value, &range);

	if (r == -ERANGE) {
		conf_error(load, "%.100s: the first address is above the last", value);
		return;
	}
	if (r) {
		conf_error(load, "'%.100s' is no address, a-b or a/bits", value);
		return;
	}
	grown = conf_grow(load, *ranges, *len, sizeof(range));
	if (!grown)
		return;
	*ranges = grown;
	grown[(*len)++] = range;
}

static bool is_unicast(const struct tp_addr *addr)
{
	return addr->family == 4 ? addr->ip[0] < 224 : addr->ip[0] != 0xff;
}

void conf_parse_listening_ip(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_conf *conf = load->conf;
	struct tp_addr addr, *listen;

	if (parse_ip(value, &addr) || !is_unicast(&addr)) {
		conf_error(load, "'%.64s' is no unicast IP address", value);
		return;
	}
	for (size_t i = 0; i < conf->listen_len; i++)
		if (tp_addr_equal(&conf->listen[i], &addr)) {
			conf_warning(load, "%.64s is given twice", value);
			return;
		}
	listen = conf_grow(load, conf->listen, conf->listen_len, sizeof(addr));
	if (!listen)
		return;
	conf->listen = listen;
	listen[conf->listen_len++] = addr;
}

void conf_parse_relay_ip(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_conf *conf = load->conf;
	struct tp_relay_ip relay = { 0 }, *grown;
	char *prefix = strchr(value, '/');
	unsigned int bits = 0;

	if (prefix)
		*prefix++ = 0;
	if (parse_ip(value, &relay.addr) || !is_unicast(&relay.addr) || tp_addr_is_any(&relay.addr)) {
		conf_error(load, "'%.64s' is no unicast IP address", value);
		return;
	}
	if (prefix && (relay.addr.family != 6 || parse_bits(prefix, &relay.addr, &bits) || !bits)) {
		conf_error(load, "/%.16s: a prefix is IPv6, 1 to 128 bits", prefix);
		return;
	}
	if (prefix && bits < 128) {
		fill_host_bits(&relay.addr, bits, false);
		relay.prefix_len = (uint8_t)bits;
	}
	for (size_t i = 0; i < conf->relay_len; i++)
		if (memcmp(&conf->relay[i], &relay, sizeof(relay)) == 0) {
			conf_warning(load, "%.64s is given twice", value);
			return;
		}
	grown = conf_grow(load, conf->relay, conf->relay_len, sizeof(relay));
	if (!grown)
		return;
	conf->relay = grown;
	grown[conf->relay_len++] = relay;
}

void conf_parse_external_ip(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_conf *conf = load->conf;
	struct tp_external external = { 0 }, *grown;
	char *private = strchr(value, '/');

	if (private)
		*private++ = 0;
	if (parse_ip(value, &external.public) || !is_unicast(&external.public) || tp_addr_is_any(&external.public)) {
		conf_error(load, "'%.64s' is no unicast IP address", value);
		return;
	}
	if (private && parse_ip(private, &external.private)) {
		conf_error(load, "'%.64s' after / is no IP address", private);
		return;
	}
	if (private && external.private.family != external.public.family) {
		conf_error(load, "%.64s and %.64s are of different families", value, private);
		return;
	}
	for (size_t i = 0; i < conf->external_len; i++) {
		const struct tp_external *other = &conf->external[i];

		if (tp_addr_equal(&other->private, &external.private) &&
		    other->public.family == external.public.family) {
			conf_error(load, "%.64s: %s already has a public address", value,
				   private ? private : "every relay address of the family");
			return;
		}
	}
	grown = conf_grow(load, conf->external, conf->external_len, sizeof(external));
	if (!grown)
		return;
	conf->external = grown;
	grown[conf->external_len++] = external;
}

void conf_parse_alternate(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_conf *conf = load->conf;
	struct tp_alternate alternate = { .kind = (enum tp_alt_kind)key->number }, *grown;

	if (tp_addr_parse(value, &alternate.addr) || !is_unicast(&alternate.addr) || tp_addr_is_any(&alternate.addr)) {
		conf_error(load, "'%.64s' is no unicast IP[:PORT]", value);
		return;
	}
	if (!alternate.addr.port)
		alternate.addr.port = alternate.kind == TP_ALT_TLS ? 5349 : 3478;
	grown = conf_grow(load, conf->alternate, conf->alternate_len, sizeof(alternate));
	if (!grown)
		return;
	conf->alternate = grown;
	grown[conf->alternate_len++] = alternate;
}

void conf_parse_proxy_port(struct conf_load *load, const struct conf_key *key, char *value)
{
	struct tp_addr addr = { 0 };
	unsigned long port;

	if (strspn(value, "0123456789") == strlen(value)) {
		port = strtoul(value, NULL, 10);
		addr.port = port <= UINT16_MAX ? (uint16_t)port : 0;
	} else if (tp_addr_parse(value, &addr)) {
		addr.port = 0;
	}
	if (!addr.port)
		conf_error(load, "'%.64s' is no [IP:]PORT", value);
	else
		load->conf->tcp_proxy = addr;
}
