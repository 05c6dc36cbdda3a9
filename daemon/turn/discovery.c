/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Binding (RFC 8489 section 12), answered without state and, unless secure-stun,
 * without credentials; opt-in NAT behaviour discovery (RFC 5780) and classic STUN
 * (RFC 3489), which answer from another address, to another port, or padded.
 */
#include <string.h>

#include "turn/engine.h"

#define CHANGE_IP	0x4u
#define CHANGE_PORT	0x2u
#define UNKNOWN_MAX	8
#define PADDING_MAX	65000u
/* RESPONSE-PORT makes the server send where nobody asked from: 20 a second for each worker, in bursts of 20. */
#define RESPONSE_PORT_INTERVAL_NS	(50 * 1000000ull)

/* What a Binding request asks for besides its answer. */
struct wanted {
	uint32_t change;
	uint16_t response_port;		/* 0: where it came from */
	bool padded;
	uint16_t padding;
};

static bool attr_known(uint16_t type)
{
	switch (type) {
	case TP_STUN_ATTR_MAPPED_ADDRESS:
	case TP_STUN_ATTR_USERNAME:
	case TP_STUN_ATTR_MESSAGE_INTEGRITY:
	case TP_STUN_ATTR_MESSAGE_INTEGRITY_SHA256:
	case TP_STUN_ATTR_ERROR_CODE:
	case TP_STUN_ATTR_UNKNOWN_ATTRIBUTES:
	case TP_STUN_ATTR_REALM:
	case TP_STUN_ATTR_NONCE:
	case TP_STUN_ATTR_ACCESS_TOKEN:
	case TP_STUN_ATTR_PASSWORD_ALGORITHM:
	case TP_STUN_ATTR_USERHASH:
	case TP_STUN_ATTR_XOR_MAPPED_ADDRESS:
		return true;
	default:
		return false;
	}
}

static bool attr_known_5780(uint16_t type)
{
	return attr_known(type) || type == TP_STUN_ATTR_CHANGE_REQUEST || type == TP_STUN_ATTR_PADDING ||
	       type == TP_STUN_ATTR_RESPONSE_PORT;
}

/* RFC 3489 section 11.2, without RESPONSE-ADDRESS: it makes a reflector of every server. */
static bool attr_known_3489(uint16_t type)
{
	return type == TP_STUN_ATTR_CHANGE_REQUEST || type == TP_STUN_ATTR_USERNAME ||
	       type == TP_STUN_ATTR_MESSAGE_INTEGRITY;
}

/* The other listening port of the transport; 0: there is none. */
static uint16_t other_port(const struct tp_conf *conf, const struct tp_tuple *tuple)
{
	bool tls = tuple->transport == TP_TLS || tuple->transport == TP_DTLS;
	uint16_t port = tls ? conf->tls_listening_port : conf->listening_port;
	uint16_t alt = tls ? conf->alt_tls_listening_port : conf->alt_listening_port;

	if (!alt)
		alt = (uint16_t)(port + 1);
	if (tuple->server.port == port)
		return alt;
	return tuple->server.port == alt ? port : 0;
}

/* RFC 5780 section 6: Ca:Cp, where the listening addresses of a family are taken in pairs. */
static bool other_address(const struct tp_conf *conf, const struct tp_tuple *tuple, struct tp_addr *ret)
{
	const struct tp_addr *same[2] = { NULL, NULL };
	unsigned int n = 0;
	bool found = false;

	if (!conf->rfc5780 && !conf->rfc3489)
		return false;
	for (size_t i = 0; i < conf->listen_len; i++) {
		if (conf->listen[i].family != tuple->server.family)
			continue;
		same[n % 2] = &conf->listen[i];
		found |= tp_addr_same_ip(&conf->listen[i], &tuple->server);
		if (n++ % 2 && found)
			break;
	}
	if (n < 2 || n % 2 || !found || !other_port(conf, tuple))
		return false;
	*ret = tp_addr_same_ip(same[0], &tuple->server) ? *same[1] : *same[0];
	ret->port = other_port(conf, tuple);
	return true;
}

/* Table 1 of RFC 5780 section 6.1. */
static struct tp_addr origin_of(const struct tp_tuple *tuple, const struct tp_addr *other, uint32_t change)
{
	struct tp_addr origin = change & CHANGE_IP ? *other : tuple->server;

	origin.port = change & CHANGE_PORT ? other->port : tuple->server.port;
	return origin;
}

static int request_parse(const struct tp_request *req, struct wanted *w)
{
	struct tp_stun_attr attr;
	uint32_t value;

	if (tp_stun_find(req->msg, TP_STUN_ATTR_CHANGE_REQUEST, &attr)) {
		if (tp_stun_get_u32(req->msg, TP_STUN_ATTR_CHANGE_REQUEST, &value))
			return TP_STUN_E_BAD_REQUEST;
		w->change = value & (CHANGE_IP | CHANGE_PORT);
	}
	if (req->msg->classic)
		return 0;
	if (tp_stun_find(req->msg, TP_STUN_ATTR_PADDING, &attr)) {
		w->padded = true;
		w->padding = attr.size < PADDING_MAX ? attr.size : PADDING_MAX;
	}
	if (!tp_stun_find(req->msg, TP_STUN_ATTR_RESPONSE_PORT, &attr))
		return 0;
	if (w->padded || tp_stun_get_u16_first(req->msg, TP_STUN_ATTR_RESPONSE_PORT, &w->response_port))
		return TP_STUN_E_BAD_REQUEST;
	return w->response_port ? 0 : TP_STUN_E_BAD_REQUEST;
}

static bool response_port_admit(struct tp_turn *turn, uint64_t now_ns)
{
	uint64_t tat = turn->response_port_tat_ns > now_ns ? turn->response_port_tat_ns : now_ns;

	if (tat + RESPONSE_PORT_INTERVAL_NS - now_ns > TP_NS_PER_S)
		return false;
	turn->response_port_tat_ns = tat + RESPONSE_PORT_INTERVAL_NS;
	return true;
}

/* The shortest answer there is: 32 bytes for IPv4, 44 for IPv6 (ruling 3). */
static void reply_plain(const struct tp_request *req)
{
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_reply_begin(req, &w, buf, TP_STUN_SUCCESS);
	tp_stun_put_xor_addr(&w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &req->from->tuple.client);
	tp_reply_send(req, &w);
}

static void put_discovery(const struct tp_request *req, struct tp_stun_writer *w, const struct wanted *wanted,
			  const struct tp_addr *origin, const struct tp_addr *other)
{
	bool classic = req->msg->classic;

	tp_stun_put_addr(w, TP_STUN_ATTR_MAPPED_ADDRESS, &req->from->tuple.client);
	tp_stun_put_addr(w, classic ? TP_STUN_ATTR_SOURCE_ADDRESS : TP_STUN_ATTR_RESPONSE_ORIGIN, origin);
	if (other)
		tp_stun_put_addr(w, classic ? TP_STUN_ATTR_CHANGED_ADDRESS : TP_STUN_ATTR_OTHER_ADDRESS, other);
	if (classic)
		return;
	tp_stun_put_xor_addr(w, TP_STUN_ATTR_XOR_MAPPED_ADDRESS, &req->from->tuple.client);
	if (wanted->padded) {
		static const uint8_t zero[PADDING_MAX];

		tp_stun_put(w, TP_STUN_ATTR_PADDING, zero, wanted->padding);
	}
}

/* Built in the engine's scratch buffer, because of PADDING: as long as the request's, never longer (ruling 3). */
static void reply_discovery(const struct tp_request *req, const struct wanted *wanted, const struct tp_addr *other)
{
	const struct tp_tuple *tuple = &req->from->tuple;
	struct tp_addr origin = other ? origin_of(tuple, other, wanted->change) : tuple->server, to = tuple->client;
	struct tp_turn *turn = req->turn;
	struct tp_stun_writer w;
	int size, err;

	tp_stun_begin(&w, turn->scratch, TP_DATAGRAM_SIZE, TP_STUN_BINDING, TP_STUN_SUCCESS, &req->msg->id);
	put_discovery(req, &w, wanted, &origin, other);
	if (req->identity && !req->identity->anonymous)
		tp_auth_put_integrity(req->identity, &w);
	if (!req->msg->classic && (turn->conf->fingerprint || req->msg->fingerprint))
		tp_stun_put_fingerprint(&w);
	size = tp_stun_finish(&w);
	if (size < 0)
		return;
	if (wanted->response_port)
		to.port = wanted->response_port;
	if (wanted->change || wanted->response_port)
		err = turn->io->send_from(turn->io, &origin, &to, turn->scratch, (size_t)size);
	else
		err = turn->io->send_client(turn->io, req->from, turn->scratch, (size_t)size, NULL);
	turn->counters.send_failed += err != 0;
}

static void binding_discovery(struct tp_request *req)
{
	struct wanted w = { 0 };
	struct tp_addr other;
	bool has_other = other_address(req->turn->conf, &req->from->tuple, &other);
	uint16_t change = TP_STUN_ATTR_CHANGE_REQUEST, port = TP_STUN_ATTR_RESPONSE_PORT;
	int code = request_parse(req, &w);

	if (code) {
		req->turn->counters.bad_requests++;
		tp_reply_error(req, code);
		return;
	}
	/* A connection's answers come from its own address and go back into it. */
	if (w.change && (!has_other || req->from->tuple.transport != TP_UDP)) {
		tp_reply_unknown(req, &change, 1);
		return;
	}
	if (w.response_port && req->from->tuple.transport != TP_UDP) {
		tp_reply_unknown(req, &port, 1);
		return;
	}
	if (w.response_port && !response_port_admit(req->turn, req->now->mono_ns))
		return;
	reply_discovery(req, &w, has_other ? &other : NULL);
}

void tp_binding_request(struct tp_request *req)
{
	const struct tp_conf *conf = req->turn->conf;
	bool (*known)(uint16_t) = req->msg->classic ? attr_known_3489 : conf->rfc5780 ? attr_known_5780 : attr_known;
	uint16_t unknown[UNKNOWN_MAX];
	struct tp_identity identity;
	size_t len;

	if (conf->secure_stun && !req->msg->classic && !tp_request_authenticate(req, &identity))
		return;
	len = tp_stun_unknown(req->msg, known, unknown, UNKNOWN_MAX);
	if (len)
		tp_reply_unknown(req, unknown, len);
	else if (conf->rfc5780 || req->msg->classic)
		binding_discovery(req);
	else
		reply_plain(req);
}
