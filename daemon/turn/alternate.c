/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ALTERNATE-SERVER (RFC 8489 section 10): configured alternates take new
 * allocations in turn, every one, or those past alternate-load and during a drain. Asked after authentication, so that nobody is redirected by
 * a forged answer, and a redirect is no reflector.
 */
#include <string.h>

#include "turn/engine.h"

/* Section 14.15: of the client's address family. tls-alternate-server is for clients on TLS or DTLS. */
static bool alternate_fits(const struct tp_alternate *alternate, const struct tp_tuple *tuple)
{
	bool tls = tuple->transport == TP_TLS || tuple->transport == TP_DTLS;

	return alternate->addr.family == tuple->client.family && (alternate->kind == TP_ALT_TLS) == tls;
}

/* Section 10: the other address family's, which a client with both may prefer. */
static const struct tp_alternate *alternate_other_family(const struct tp_conf *conf, const struct tp_alternate *first)
{
	for (size_t i = 0; i < conf->alternate_len; i++) {
		const struct tp_alternate *alternate = &conf->alternate[i];

		if (alternate->kind == first->kind && alternate->addr.family != first->addr.family)
			return alternate;
	}
	return NULL;
}

static const struct tp_alternate *alternate_next(struct tp_turn *turn, const struct tp_tuple *tuple)
{
	const struct tp_conf *conf = turn->conf;

	for (size_t i = 0; i < conf->alternate_len; i++) {
		const struct tp_alternate *alternate = &conf->alternate[turn->alternate_next++ % conf->alternate_len];

		if (alternate_fits(alternate, tuple))
			return alternate;
	}
	return NULL;
}

/* coturn's servers with alternates serve nobody; with alternate-load they do until they have enough, or drain. */
static bool alternate_due(const struct tp_turn *turn)
{
	uint32_t load = turn->conf->alternate_load;

	return !load || turn->drain || tp_charges_len(turn->registry) >= load;
}

bool tp_alternate_redirect(const struct tp_request *req)
{
	const struct tp_alternate *alternate = alternate_due(req->turn) ?
					       alternate_next(req->turn, &req->from->tuple) : NULL;
	const char *domain = req->turn->conf->alternate_domain;
	const struct tp_alternate *other;
	uint8_t buf[TP_RESPONSE_SIZE];
	struct tp_stun_writer w;

	if (!alternate)
		return false;
	tp_reply_begin(req, &w, buf, TP_STUN_ERROR);
	tp_stun_put_error(&w, TP_STUN_E_TRY_ALTERNATE, NULL);
	tp_stun_put_addr(&w, TP_STUN_ATTR_ALTERNATE_SERVER, &alternate->addr);
	other = alternate_other_family(req->turn->conf, alternate);
	if (other)
		tp_stun_put_addr(&w, TP_STUN_ATTR_ALTERNATE_SERVER, &other->addr);
	/* Section 14.16: what the client checks the other server's certificate against. */
	if (domain && alternate->kind == TP_ALT_TLS)
		tp_stun_put(&w, TP_STUN_ATTR_ALTERNATE_DOMAIN, domain, strlen(domain));
	tp_reply_send(req, &w);
	return true;
}
