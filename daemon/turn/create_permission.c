/* SPDX-License-Identifier: GPL-2.0 */
/* The CreatePermission request (RFC 8656 section 10.2): all of its addresses or none. */
#include <errno.h>

#include "turn/engine.h"

#define PEERS_MAX 64	/* of one request */

struct peers {
	struct tp_addr items[PEERS_MAX];
	unsigned int len;
};

static int peers_get(const struct tp_request *req, struct peers *ret)
{
	struct tp_stun_attr attr;
	size_t pos = 0;

	ret->len = 0;
	while (tp_stun_next(req->msg, &pos, &attr)) {
		if (attr.type != TP_STUN_ATTR_XOR_PEER_ADDRESS)
			continue;
		if (ret->len == PEERS_MAX)
			return TP_STUN_E_INSUFFICIENT_CAPACITY;
		if (tp_stun_get_xor_addr(req->msg, &attr, &ret->items[ret->len]))
			return TP_STUN_E_BAD_REQUEST;
		ret->items[ret->len++].port = 0;
	}
	return ret->len ? 0 : TP_STUN_E_BAD_REQUEST;
}

/* How many permissions the request would add, each address counted once. */
static unsigned int peers_new(const struct tp_request *req, const struct peers *peers)
{
	unsigned int new = 0;

	for (unsigned int i = 0; i < peers->len; i++) {
		unsigned int k = 0;

		while (k < i && !tp_addr_equal(&peers->items[k], &peers->items[i]))
			k++;
		new += k == i && !tp_permission_find(req->allocation, &peers->items[i]);
	}
	return new;
}

static int peers_check(const struct tp_request *req, struct peers *peers)
{
	const struct tp_allocation *a = req->allocation;
	const struct tp_conf *conf = req->turn->conf;

	for (unsigned int i = 0; i < peers->len; i++) {
		if (!a->relays[tp_family_index(peers->items[i].family)].live)
			return TP_STUN_E_PEER_FAMILY_MISMATCH;
	}
	for (unsigned int i = 0; i < peers->len; i++) {
		tp_addr_to_private(conf, &peers->items[i]);
		if (!tp_peer_allowed(conf, a->realm, &peers->items[i]))
			return TP_STUN_E_FORBIDDEN;
	}
	if (a->permissions_len + peers_new(req, peers) > conf->max_permissions)
		return TP_STUN_E_INSUFFICIENT_CAPACITY;
	return 0;
}

static void count_error(struct tp_turn_counters *counters, int code)
{
	counters->bad_requests += code == TP_STUN_E_BAD_REQUEST;
	counters->forbidden_peer += code == TP_STUN_E_FORBIDDEN;
	counters->capacity_reached += code == TP_STUN_E_INSUFFICIENT_CAPACITY;
}

void tp_create_permission_request(struct tp_request *req)
{
	struct tp_allocation *a = req->allocation;
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;
	struct peers peers;
	int code = peers_get(req, &peers);

	if (!code)
		code = peers_check(req, &peers);
	for (unsigned int i = 0; !code && i < peers.len; i++) {
		if (tp_permission_refresh(&a->relays[tp_family_index(peers.items[i].family)], &peers.items[i],
					  req->now->mono_ns))
			code = TP_STUN_E_INSUFFICIENT_CAPACITY;
	}
	if (code) {
		count_error(&req->turn->counters, code);
		tp_reply_error(req, code);
		return;
	}
	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	tp_reply_send(req, &w);
}
