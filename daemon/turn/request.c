/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A request on its way through the checks that all methods share (RFC 8489
 * sections 6.3 and 9.2.4, RFC 8656 section 5), and how responses are built.
 */
#include <errno.h>
#include <string.h>

#include "turn/engine.h"

#define UNKNOWN_MAX	16
#define SOFTWARE	"turnpike"

/* What every TURN request may carry; what else is comprehension-required is answered with 420. */
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
	case TP_STUN_ATTR_CHANNEL_NUMBER:
	case TP_STUN_ATTR_LIFETIME:
	case TP_STUN_ATTR_XOR_PEER_ADDRESS:
	case TP_STUN_ATTR_DATA:
	case TP_STUN_ATTR_XOR_RELAYED_ADDRESS:
	case TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY:
	case TP_STUN_ATTR_EVEN_PORT:
	case TP_STUN_ATTR_REQUESTED_TRANSPORT:
	case TP_STUN_ATTR_DONT_FRAGMENT:
	case TP_STUN_ATTR_RESERVATION_TOKEN:
	case TP_STUN_ATTR_CONNECTION_ID:
		return true;
	default:
		return false;
	}
}

void tp_reply_begin(const struct tp_request *req, struct tp_stun_writer *w, uint8_t *buf, uint8_t class)
{
	tp_stun_begin(w, buf, TP_RESPONSE_SIZE, req->msg->method, class, &req->msg->id);
}

/* Integrity where the request was authenticated; FINGERPRINT where it is configured or the client uses it. */
static void reply_finish(const struct tp_request *req, struct tp_stun_writer *w)
{
	struct tp_turn *turn = req->turn;
	int size;

	if (req->identity && !req->identity->anonymous)
		tp_auth_put_integrity(req->identity, w);
	if (!req->msg->classic && (turn->conf->fingerprint || req->msg->fingerprint))
		tp_stun_put_fingerprint(w);
	size = tp_stun_finish(w);
	if (size < 0 || turn->io->send_client(turn->io, req->from, w->data, (size_t)size, NULL))
		turn->counters.send_failed++;
}

/* RFC 8656 section 5: SOFTWARE in Allocate and Refresh responses; ruling 3: to nobody who is not authenticated. */
void tp_reply_send(const struct tp_request *req, struct tp_stun_writer *w)
{
	bool software = req->msg->method == TP_STUN_ALLOCATE || req->msg->method == TP_STUN_REFRESH;

	if (software && req->identity && req->turn->conf->software_attribute)
		tp_stun_put(w, TP_STUN_ATTR_SOFTWARE, SOFTWARE, sizeof(SOFTWARE) - 1);
	reply_finish(req, w);
}

void tp_reply_error(const struct tp_request *req, int code)
{
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_reply_begin(req, &w, buf, TP_STUN_ERROR);
	tp_stun_put_error(&w, code, req->identity ? NULL : "");
	tp_reply_send(req, &w);
}

void tp_reply_unknown(const struct tp_request *req, const uint16_t *types, size_t len)
{
	uint8_t buf[TP_RESPONSE_SIZE], list[2 * UNKNOWN_MAX];
	struct tp_stun_writer w;

	for (size_t i = 0; i < len && i < UNKNOWN_MAX; i++) {
		list[2 * i] = (uint8_t)(types[i] >> 8);
		list[2 * i + 1] = (uint8_t)types[i];
	}
	req->turn->counters.unknown_attributes++;
	tp_reply_begin(req, &w, buf, TP_STUN_ERROR);
	tp_stun_put_error(&w, TP_STUN_E_UNKNOWN_ATTRIBUTE, req->identity ? NULL : "");
	tp_stun_put(&w, TP_STUN_ATTR_UNKNOWN_ATTRIBUTES, list, 2 * len);
	tp_reply_send(req, &w);
}

/* 401 and 438 in their shortest legal form: neither SOFTWARE nor reason. */
static void reply_challenge(const struct tp_request *req, int code)
{
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	tp_reply_begin(req, &w, buf, TP_STUN_ERROR);
	tp_stun_put_error(&w, code, "");
	tp_auth_put_challenge(req->turn->auth, &w, req->msg, &req->from->tuple, req->now->wall_s);
	reply_finish(req, &w);
}

int tp_request_family(const struct tp_request *req, uint16_t type)
{
	uint8_t family;
	int err = tp_stun_get_u8_first(req->msg, type, &family);

	if (err)
		return err == -ENOENT ? 0 : -EBADMSG;
	if (family == TP_STUN_FAMILY_IPV4)
		return 4;
	return family == TP_STUN_FAMILY_IPV6 ? 6 : -EPROTONOSUPPORT;
}

/* Sections 7.2 and 8.2; ruling 2: the default itself is bounded by max-allocate-lifetime. 0 only where it was asked for. */
uint32_t tp_request_lifetime(const struct tp_request *req, bool zero_ends, bool *ret_bad)
{
	const struct tp_conf *conf = req->turn->conf;
	uint32_t max = conf->max_allocate_lifetime_s, wanted;
	int err = tp_stun_get_u32(req->msg, TP_STUN_ATTR_LIFETIME, &wanted);

	*ret_bad = err == -EBADMSG;
	if (!err && !wanted && zero_ends)
		return 0;
	if (req->identity->max_lifetime_s && req->identity->max_lifetime_s < max)
		max = req->identity->max_lifetime_s;
	if (err || wanted < TP_DEFAULT_LIFETIME_S)
		wanted = TP_DEFAULT_LIFETIME_S;
	return wanted < max ? wanted : max;
}

static enum tp_auth_result request_check(const struct tp_request *req, struct tp_identity *identity)
{
	const struct tp_allocation *a = req->allocation;
	bool by_token = a && a->max_lifetime_s;
	enum tp_auth_result result;
	struct tp_identity session;

	if (by_token)
		tp_allocation_identity(a, &session);
	result = tp_auth_check(req->turn->auth, req->msg, &req->from->tuple, req->now->wall_s,
			       by_token ? &session : NULL, identity);
	explicit_bzero(&session, sizeof(session));
	return result;
}

bool tp_request_admit(struct tp_request *req)
{
	const struct tp_conf *conf = req->turn->conf;

	if (req->from->tuple.transport != TP_UDP ||
	    tp_limiter_admit(&req->turn->limiter, &req->from->tuple.client, conf->unauth_prefix_rate,
			     conf->unauth_rate, req->now->mono_ns))
		return true;
	req->turn->counters.rate_limited++;
	return false;
}

/* Answers for the request where it is not authenticated; true where it is. */
bool tp_request_authenticate(struct tp_request *req, struct tp_identity *identity)
{
	struct tp_turn_counters *counters = &req->turn->counters;
	enum tp_auth_result result;

	result = request_check(req, identity);
	/* Binding was admitted already. */
	if (result != TP_AUTH_OK && result != TP_AUTH_LATER && req->msg->method != TP_STUN_BINDING &&
	    !tp_request_admit(req))
		return false;
	switch (result) {
	case TP_AUTH_OK:
		req->identity = identity;
		return true;
	case TP_AUTH_CHALLENGE:
	case TP_AUTH_UNAUTHORIZED:
		counters->unauthorized++;
		reply_challenge(req, TP_STUN_E_UNAUTHENTICATED);
		return false;
	case TP_AUTH_STALE_NONCE:
		counters->stale_nonce++;
		reply_challenge(req, TP_STUN_E_STALE_NONCE);
		return false;
	case TP_AUTH_BAD_REQUEST:
		counters->bad_requests++;
		tp_reply_error(req, TP_STUN_E_BAD_REQUEST);
		return false;
	case TP_AUTH_FORBIDDEN:
		counters->unauthorized++;
		tp_reply_error(req, TP_STUN_E_FORBIDDEN);
		return false;
	case TP_AUTH_UNAVAILABLE:
		tp_reply_error(req, TP_STUN_E_SERVER_ERROR);
		return false;
	case TP_AUTH_LATER:
		if (req->turn->io->later)
			req->turn->io->later(req->turn->io, req->from, req->msg->data, req->msg->size);
		break;
	}
	return false;
}

/* RFC 8489 section 6.3.1, and the checks of RFC 8656 section 5 that name a 5-tuple's allocation. */
static bool request_acceptable(struct tp_request *req)
{
	uint16_t unknown[UNKNOWN_MAX];
	size_t len = tp_stun_unknown(req->msg, attr_known, unknown, UNKNOWN_MAX);

	if (len) {
		tp_reply_unknown(req, unknown, len);
		return false;
	}
	if (req->msg->method == TP_STUN_ALLOCATE)
		return true;
	/* A Refresh from a new 5-tuple may bring the ticket of its allocation. */
	if (!req->allocation && req->msg->method == TP_STUN_REFRESH && tp_refresh_by_ticket(req))
		return false;
	if (!req->allocation) {
		req->turn->counters.mismatched++;
		/* RFC 6062 section 5.4: a ConnectionBind is about a connection, not its 5-tuple. */
		tp_reply_error(req, req->msg->method == TP_STUN_CONNECTION_BIND ? TP_STUN_E_BAD_REQUEST :
										   TP_STUN_E_ALLOCATION_MISMATCH);
		return false;
	}
	if (!tp_allocation_is_users(req->allocation, req->identity) ||
	    !tp_origin_consistent(req->allocation, req->msg)) {
		req->turn->counters.mismatched++;
		tp_reply_error(req, TP_STUN_E_WRONG_CREDENTIALS);
		return false;
	}
	tp_allocation_renew(req->allocation, req->identity);
	/* The Refresh that moved it, retransmitted, does not say that the client has our answer. */
	if (memcmp(&req->allocation->move_id, &req->msg->id, sizeof(req->msg->id)) != 0)
		tp_allocation_heard(req->allocation, &req->from->tuple);
	return true;
}

static void request_dispatch(struct tp_request *req)
{
	switch (req->msg->method) {
	case TP_STUN_ALLOCATE:
		tp_allocate_request(req);
		break;
	case TP_STUN_REFRESH:
		tp_refresh_request(req);
		break;
	case TP_STUN_CREATE_PERMISSION:
		tp_create_permission_request(req);
		break;
	case TP_STUN_CHANNEL_BIND:
		tp_channel_bind_request(req);
		break;
	case TP_STUN_CONNECT:
		tp_connect_request(req);
		break;
	case TP_STUN_CONNECTION_BIND:
		tp_connection_bind_request(req);
		break;
	}
}

static void request_count(struct tp_request *req)
{
	struct tp_turn_counters *counters = &req->turn->counters;

	switch (req->msg->method) {
	case TP_STUN_ALLOCATE:
		counters->allocate_requests++;
		break;
	case TP_STUN_REFRESH:
		counters->refresh_requests++;
		break;
	case TP_STUN_CREATE_PERMISSION:
		counters->permission_requests++;
		break;
	case TP_STUN_CHANNEL_BIND:
		counters->channel_requests++;
		break;
	}
}

static bool is_turn_request(uint16_t method)
{
	return method == TP_STUN_ALLOCATE || method == TP_STUN_REFRESH || method == TP_STUN_CREATE_PERMISSION ||
	       method == TP_STUN_CHANNEL_BIND || method == TP_STUN_CONNECT || method == TP_STUN_CONNECTION_BIND;
}

/* From a new 5-tuple: a ticket or a reservation token says whose worker it is for. */
static const struct tp_owner *owner_by_token(const struct tp_request *req)
{
	const struct tp_owner *owner = NULL;
	struct tp_stun_attr attr;
	uint64_t token;
	uint32_t number;

	if (req->msg->method == TP_STUN_REFRESH && tp_ticket_find(req, &owner, &number) >= 0)
		return owner;
	if (req->msg->method != TP_STUN_ALLOCATE ||
	    !tp_stun_find(req->msg, TP_STUN_ATTR_RESERVATION_TOKEN, &attr) || attr.size != sizeof(token))
		return NULL;
	memcpy(&token, tp_stun_value(req->msg, &attr), sizeof(token));
	return tp_owner_find_number(req->turn->registry, TP_OWNER_RESERVATION, token);
}

/* The worker that owns what the request is about, where it is another one's. */
static int request_owner(struct tp_request *req)
{
	struct tp_turn *turn = req->turn;
	const struct tp_owner *owner = req->msg->method == TP_STUN_CONNECTION_BIND ?
					       tp_connection_owner(req) :
					       tp_owner_find_tuple(turn->registry, &req->from->tuple);

	if (owner && owner->worker == turn->worker)
		req->allocation = owner->allocation;
	if (!owner)
		owner = owner_by_token(req);
	return !owner || owner->worker == turn->worker ? TP_TURN_DONE : (int)owner->worker;
}

int tp_request_handle(struct tp_request *req)
{
	struct tp_identity identity;
	int owner;

	/* RFC 8489 section 6.3: a method that is not known, or not as a request, is silently discarded. */
	if (!is_turn_request(req->msg->method) || req->turn->conf->stun_only) {
		req->turn->counters.malformed++;
		return TP_TURN_DONE;
	}
	owner = request_owner(req);
	if (owner != TP_TURN_DONE)
		return owner;
	request_count(req);
	if (tp_request_authenticate(req, &identity) && request_acceptable(req))
		request_dispatch(req);
	explicit_bzero(identity.key, sizeof(identity.key));
	return TP_TURN_DONE;
}
