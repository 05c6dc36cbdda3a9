/* SPDX-License-Identifier: GPL-2.0 */
/* Rules and hash keys out of flows, and flows out of rules. Pure but for the two map functions. Called by bpf.c. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dp/bpf.h"

_Static_assert((int)TP_DP_CHANNEL == TP_FLOW_CHANNEL && (int)TP_DP_PERMISSION == TP_FLOW_PERMISSION &&
	       (int)TP_DP_SEND == TP_FLOW_SEND, "the kinds of dp.h are those of abi.h");

static struct tp_ip ip_of(const struct tp_addr *addr)
{
	struct tp_ip ip = { 0 };

	memcpy(&ip, addr->ip, tp_addr_ip_size(addr));
	return ip;
}

static struct tp_addr addr_of(const struct tp_ip *ip, uint8_t family, __be16 port)
{
	struct tp_addr addr = { .family = family, .port = ntohs(port) };

	memcpy(addr.ip, ip, tp_addr_ip_size(&addr));
	return addr;
}

static bool prefix_has(const struct tp_relay_ip *relay, const struct tp_addr *addr)
{
	unsigned int bytes = relay->prefix_len / 8, bits = relay->prefix_len % 8;

	if (relay->addr.family != addr->family)
		return false;
	if (!relay->prefix_len)
		return tp_addr_same_ip(&relay->addr, addr);
	return !memcmp(relay->addr.ip, addr->ip, bytes) &&
	       (!bits || !((relay->addr.ip[bytes] ^ addr->ip[bytes]) >> (8 - bits)));
}

bool bpf_addr_is_relay(const struct bpf_conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->relay_len; i++)
		if (prefix_has(&conf->relay[i], addr))
			return true;
	return false;
}

/* What clients are told instead of this relay address; zero where it is the same. */
static __be32 external_ip4(const struct bpf_conf *conf, const struct tp_addr *addr)
{
	__be32 ip = 0;

	for (size_t i = 0; addr->family == 4 && i < conf->external_len; i++) {
		const struct tp_external *e = &conf->external[i];

		if (e->public.family != 4 || (e->private.family && !tp_addr_same_ip(&e->private, addr)))
			continue;
		memcpy(&ip, e->public.ip, sizeof(ip));
		if (e->private.family)
			break;	/* the most specific one */
	}
	return memcmp(&ip, addr->ip, sizeof(ip)) ? ip : 0;
}

/* All but the hops, which netlink knows. */
void bpf_rule_fill(const struct bpf_conf *conf, const struct tp_flow *flow, uint32_t gen, struct tp_rule *ret)
{
	struct tp_rule rule = {
		.gen = gen,
		.kind = (uint8_t)flow->kind,
		.client_family = flow->tuple.client.family,
		.peer_family = flow->relayed.family,
		.client_ip = ip_of(&flow->tuple.client),
		.server_ip = ip_of(&flow->tuple.server),
		.relayed_ip = ip_of(&flow->relayed),
		.client_port = htons(flow->tuple.client.port),
		.server_port = htons(flow->tuple.server.port),
		.relayed_port = htons(flow->relayed.port),
		.police = flow->police,
		.id = flow->id,
	};

	if (flow->kind != TP_DP_SEND) {
		rule.peer_ip = ip_of(&flow->peer);
		/* A channel to a port of ours that is not a relayed one is no hairpin. */
		if (bpf_addr_is_relay(conf, &flow->peer) &&
		    (flow->kind == TP_DP_PERMISSION ||
		     (flow->peer.port >= conf->min_port && flow->peer.port <= conf->max_port))) {
			rule.flags |= TP_RULE_PEER_IS_RELAYED;
			rule.external_ip4 = external_ip4(conf, &flow->peer);
		}
	}
	if (flow->kind == TP_DP_CHANNEL) {
		rule.peer_port = htons(flow->peer.port);
		rule.channel = htons(flow->channel);
	}
	*ret = rule;
}

void bpf_rule_decode(const struct tp_rule *rule, struct tp_flow *ret)
{
	*ret = (struct tp_flow){
		.kind = rule->kind,
		.tuple.client = addr_of(&rule->client_ip, rule->client_family, rule->client_port),
		.tuple.server = addr_of(&rule->server_ip, rule->client_family, rule->server_port),
		.tuple.transport = TP_UDP,
		.relayed = addr_of(&rule->relayed_ip, rule->peer_family, rule->relayed_port),
		.channel = ntohs(rule->channel),
		.id = rule->id,
		.police = rule->police,
	};
	if (rule->kind != TP_FLOW_SEND)
		ret->peer = addr_of(&rule->peer_ip, rule->peer_family, rule->peer_port);
}

/* Room for either family. */
union bpf_key {
	struct tp_key_up4 up4;
	struct tp_key_up6 up6;
	struct tp_key_down4 down4;
	struct tp_key_down6 down6;
};

static __be16 rule_channel(const struct tp_rule *rule)
{
	if (rule->kind == TP_FLOW_CHANNEL)
		return rule->channel;
	return htons(rule->peer_family == TP_IPV4 ? TP_CHANNEL_SEND4 : TP_CHANNEL_SEND6);
}

/* The client's side; false: this kind has none. */
static bool rule_key_up(const struct tp_rule *r, enum bpf_map_id *ret_map, union bpf_key *ret)
{
	if (r->kind == TP_FLOW_PERMISSION)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (r->client_family == TP_IPV4) {
		*ret_map = BPF_UP4;
		ret->up4 = (struct tp_key_up4){ r->client_ip.w[0], r->server_ip.w[0], r->client_port, r->server_port,
						rule_channel(r), 0 };
	} else {
		*ret_map = BPF_UP6;
		ret->up6 = (struct tp_key_up6){ r->client_ip, r->server_ip, r->client_port, r->server_port,
						rule_channel(r), 0 };
	}
	return true;
}

/* The peer's side. */
static bool rule_key_down(const struct tp_rule *r, enum bpf_map_id *ret_map, union bpf_key *ret)
{
	if (r->kind == TP_FLOW_SEND)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (r->peer_family == TP_IPV4) {
		*ret_map = BPF_DOWN4;
		ret->down4 = (struct tp_key_down4){ r->relayed_ip.w[0], r->peer_ip.w[0], r->relayed_port, r->peer_port };
	} else {
		*ret_map = BPF_DOWN6;
		ret->down6 = (struct tp_key_down6){ r->relayed_ip, r->peer_ip, r->relayed_port, r->peer_port };
	}
	return true;
}

int bpf_keys_insert(const struct bpf_maps *maps, const struct tp_rule *rule, uint64_t ref)
{
	enum bpf_map_id up_map = BPF_UP4, down_map = BPF_DOWN4;
	union bpf_key up, down;
	bool has_up = rule_key_up(rule, &up_map, &up), has_down = rule_key_down(rule, &down_map, &down);

	if (has_down && bpf_map_update_elem(maps->fd[down_map], &down, &ref, BPF_NOEXIST) < 0)
		return -errno;
	if (has_up && bpf_map_update_elem(maps->fd[up_map], &up, &ref, BPF_NOEXIST) < 0) {
		int err = -errno;

		if (has_down)
			bpf_map_delete_elem(maps->fd[down_map], &down);
		return err;
	}
	return 0;
}

void bpf_keys_delete(const struct bpf_maps *maps, const struct tp_rule *rule)
{
	enum bpf_map_id map;
	union bpf_key key;

	if (rule_key_up(rule, &map, &key))
		bpf_map_delete_elem(maps->fd[map], &key);
	if (rule_key_down(rule, &map, &key))
		bpf_map_delete_elem(maps->fd[map], &key);
}

static bool entry_is(const struct bpf_maps *maps, enum bpf_map_id map, const union bpf_key *key, uint64_t ref)
{
	uint64_t found;

	return !bpf_map_lookup_elem(maps->fd[map], key, &found) && found == ref;
}

bool bpf_keys_whole(const struct bpf_maps *maps, const struct tp_rule *rule, uint64_t ref)
{
	enum bpf_map_id map;
	union bpf_key key;

	if (rule->kind < TP_FLOW_CHANNEL || rule->kind > TP_FLOW_SEND)
		return false;
	if (rule_key_up(rule, &map, &key) && !entry_is(maps, map, &key, ref))
		return false;
	return !rule_key_down(rule, &map, &key) || entry_is(maps, map, &key, ref);
}

void bpf_keys_delete_ref(const struct bpf_maps *maps, const struct tp_rule *rule, uint64_t ref)
{
	enum bpf_map_id map;
	union bpf_key key;

	if (rule_key_up(rule, &map, &key) && entry_is(maps, map, &key, ref))
		bpf_map_delete_elem(maps->fd[map], &key);
	if (rule_key_down(rule, &map, &key) && entry_is(maps, map, &key, ref))
		bpf_map_delete_elem(maps->fd[map], &key);
}
