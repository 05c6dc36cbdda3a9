/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tp1_local: which addresses are turnpike's. A wildcard listener is every address
 * of the node, so it follows the mirror. Called at the start and when addresses
 * change, on the control thread.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp/bpf.h"
#include "log.h"

struct local_set {
	struct tp_key_local *keys;
	struct tp_local *values;
	size_t len, size;
};

static int set_add(struct local_set *set, const struct tp_addr *addr, uint16_t port, const struct tp_local *value)
{
	struct tp_key_local key = { .port = htons(port), .family = addr->family };

	memcpy(&key.ip, addr->ip, tp_addr_ip_size(addr));
	for (size_t i = 0; i < set->len; i++)
		if (!memcmp(&set->keys[i], &key, sizeof(key)))
			return 0;
	if (set->len == set->size) {
		size_t size = set->size ? set->size * 2 : 16;
		struct tp_key_local *keys = realloc(set->keys, size * sizeof(*keys));
		struct tp_local *values;

		if (!keys)
			return -ENOMEM;
		set->keys = keys;
		values = realloc(set->values, size * sizeof(*values));
		if (!values)
			return -ENOMEM;
		set->values = values;
		set->size = size;
	}
	set->keys[set->len] = key;
	set->values[set->len++] = *value;
	return 0;
}

/* One address, or for a wildcard all of the node's of that family (0: both). */
static int set_add_all(struct bpf_dp *b, struct local_set *set, const struct tp_addr *addr, uint16_t port,
		       const struct tp_local *value)
{
	const struct tp_nl_addr *addrs;
	size_t len;
	int err = 0;

	if (addr->family && !tp_addr_is_any(addr))
		return set_add(set, addr, port, value);
	addrs = tp_nl_addrs(b->nl, &len);
	for (size_t i = 0; i < len && !err; i++)
		if (!addr->family || addr->family == addrs[i].addr.family)
			err = set_add(set, &addrs[i].addr, port, value);
	return err;
}

static int set_build(struct bpf_dp *b, struct local_set *set)
{
	struct tp_local listen = { .kind = TP_LOCAL_LISTEN };
	struct tp_local relay = { .kind = TP_LOCAL_RELAY, .first = b->conf.min_port, .last = b->conf.max_port };
	int err = 0;

	for (size_t i = 0; i < b->conf.listen_len && !err; i++)
		err = set_add_all(b, set, &b->conf.listen[i], b->conf.listen[i].port, &listen);
	/* The addresses of a prefix are too many to name: what misses there goes up. */
	for (size_t i = 0; i < b->conf.relay_len && !err; i++)
		if (!b->conf.relay[i].prefix_len)
			err = set_add_all(b, set, &b->conf.relay[i].addr, 0, &relay);
	return err;
}

static bool set_has(const struct local_set *set, const struct tp_key_local *key)
{
	for (size_t i = 0; i < set->len; i++)
		if (!memcmp(&set->keys[i], key, sizeof(*key)))
			return true;
	return false;
}

/* What the map has of another configuration, an earlier daemon's included. */
static void map_prune(int fd, const struct local_set *set)
{
	struct tp_key_local key, last;
	bool begun = false;

	while (!bpf_map_get_next_key(fd, begun ? &last : NULL, &key)) {
		if (set_has(set, &key)) {
			last = key;
			begun = true;
		} else if (bpf_map_delete_elem(fd, &key) < 0) {
			return;
		}
	}
}

int bpf_local_sync(struct bpf_dp *b)
{
	struct local_set set = { 0 };
	int fd = b->maps.fd[BPF_LOCAL], err = set_build(b, &set);

	for (size_t i = 0; i < set.len && !err; i++)
		if (bpf_map_update_elem(fd, &set.keys[i], &set.values[i], BPF_ANY) < 0)
			err = -errno;
	if (!err)
		map_prune(fd, &set);
	free(set.values);
	free(set.keys);
	return err;
}
