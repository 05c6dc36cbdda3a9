/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The client's side of long-term credentials for tests of daemon/auth: takes a
 * challenge apart and builds the request that answers it, right or wrong on purpose.
 */
#ifndef TP_TESTS_AUTH_CLIENT_H
#define TP_TESTS_AUTH_CLIENT_H

#include <arpa/inet.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "conf.h"
#include "lib/tap.h"
#include "stun/digest.h"
#include "stun/stun.h"

#define NOW_S 1800000000u

static const struct tp_stun_id client_id = { { 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } };

struct client {
	struct tp_tuple from;
	/* of the challenge; 0 bytes: absent */
	char realm[256], nonce[256];
	size_t realm_size, nonce_size;
	uint8_t algorithms[64];
	size_t algorithms_size;
	char third_party[256];
	size_t response_size;
	/* what to answer with */
	const char *user, *password;
	uint8_t key[32];	/* used as it is where key_size is set */
	size_t key_size;
	bool userhash;		/* instead of USERNAME */
	uint16_t algorithm;	/* TP_STUN_ALGORITHM_*; 0: neither attribute is sent */
	bool integrity_sha256;
	const uint8_t *token;
	size_t token_size;
	unsigned int omit;	/* OMIT_* */
	/* the request */
	uint8_t buf[2048];
	struct tp_stun_msg msg;
};

enum { OMIT_USER = 1, OMIT_REALM = 2, OMIT_NONCE = 4, OMIT_INTEGRITY = 8, OMIT_ALGORITHM = 16, OMIT_ALGORITHMS = 32 };

__attribute__((unused)) static struct tp_tuple client_at(const char *ip, uint16_t port)
{
	struct tp_tuple t = { .client = { .port = port },
			      .server = { .family = 4, .port = 3478, .ip = { 10, 0, 0, 1 } } };

	t.client.family = strchr(ip, ':') ? 6 : 4;
	if (inet_pton(t.client.family == 6 ? AF_INET6 : AF_INET, ip, t.client.ip) != 1)
		abort();
	return t;
}

static struct tp_auth *auth_new(const struct tp_conf *conf)
{
	char err[256] = "";
	struct tp_auth *auth = tp_auth_new(conf, err, sizeof(err));

	if (!auth) {
		printf("Bail out! %s\n", err);
		exit(1);
	}
	return auth;
}

static void client_request_begin(struct client *c, struct tp_stun_writer *w)
{
	tp_stun_begin(w, c->buf, sizeof(c->buf), TP_STUN_ALLOCATE, TP_STUN_REQUEST, &client_id);
}

static void client_request_end(struct client *c, struct tp_stun_writer *w)
{
	int size = tp_stun_finish(w);

	if (size < 0 || tp_stun_parse(c->buf, (size_t)size, &c->msg))
		abort();
}

static size_t copy_attr(const struct tp_stun_msg *msg, uint16_t type, void *ret, size_t max)
{
	struct tp_stun_attr attr;

	if (!tp_stun_find(msg, type, &attr) || attr.size > max)
		return 0;
	memcpy(ret, tp_stun_value(msg, &attr), attr.size);
	return attr.size;
}

/* The challenge that answers the client's request of now. */
static void client_take_challenge(struct client *c, const struct tp_auth *auth, uint64_t now_s)
{
	uint8_t buf[512];
	struct tp_stun_writer w;
	struct tp_stun_msg msg;
	int size;

	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_ALLOCATE, TP_STUN_ERROR, &client_id);
	tp_stun_put_error(&w, 401, "");
	tp_auth_put_challenge(auth, &w, &c->msg, &c->from, now_s);
	size = tp_stun_finish(&w);
	if (size < 0 || tp_stun_parse(buf, (size_t)size, &msg))
		abort();
	c->response_size = (size_t)size;
	c->realm_size = copy_attr(&msg, TP_STUN_ATTR_REALM, c->realm, sizeof(c->realm));
	c->nonce_size = copy_attr(&msg, TP_STUN_ATTR_NONCE, c->nonce, sizeof(c->nonce));
	c->algorithms_size = copy_attr(&msg, TP_STUN_ATTR_PASSWORD_ALGORITHMS, c->algorithms, sizeof(c->algorithms));
	memset(c->third_party, 0, sizeof(c->third_party));
	copy_attr(&msg, TP_STUN_ATTR_THIRD_PARTY_AUTHORIZATION, c->third_party, sizeof(c->third_party) - 1);
}

static size_t client_key(const struct client *c, uint8_t ret[32])
{
	const struct tp_bytes parts[] = {
		{ c->user, strlen(c->user) }, { ":", 1 }, { c->realm, c->realm_size }, { ":", 1 },
		{ c->password, strlen(c->password) },
	};
	enum tp_digest_kind kind = c->algorithm == TP_STUN_ALGORITHM_SHA256 ? TP_DIGEST_SHA256 : TP_DIGEST_MD5;

	if (c->key_size) {
		memcpy(ret, c->key, c->key_size);
		return c->key_size;
	}
	tp_digest(kind, parts, 5, ret);
	return tp_digest_size(kind);
}

static void client_put_user(const struct client *c, struct tp_stun_writer *w)
{
	const struct tp_bytes parts[] = { { c->user, strlen(c->user) }, { ":", 1 }, { c->realm, c->realm_size } };
	uint8_t hash[32];

	if (!c->userhash) {
		tp_stun_put(w, TP_STUN_ATTR_USERNAME, c->user, strlen(c->user));
		return;
	}
	tp_digest(TP_DIGEST_SHA256, parts, 3, hash);
	tp_stun_put(w, TP_STUN_ATTR_USERHASH, hash, sizeof(hash));
}

/* Builds the request that answers the challenge. */
static void client_answer(struct client *c)
{
	struct tp_stun_writer w;
	uint8_t key[32];
	size_t key_size;

	client_request_begin(c, &w);
	if (!(c->omit & OMIT_USER))
		client_put_user(c, &w);
	if (!(c->omit & OMIT_REALM))
		tp_stun_put(&w, TP_STUN_ATTR_REALM, c->realm, c->realm_size);
	if (!(c->omit & OMIT_NONCE))
		tp_stun_put(&w, TP_STUN_ATTR_NONCE, c->nonce, c->nonce_size);
	if (c->algorithm && !(c->omit & OMIT_ALGORITHMS))
		tp_stun_put(&w, TP_STUN_ATTR_PASSWORD_ALGORITHMS, c->algorithms, c->algorithms_size);
	if (c->algorithm && !(c->omit & OMIT_ALGORITHM))
		tp_stun_put_u32(&w, TP_STUN_ATTR_PASSWORD_ALGORITHM, (uint32_t)c->algorithm << 16);
	if (c->token)
		tp_stun_put(&w, TP_STUN_ATTR_ACCESS_TOKEN, c->token, c->token_size);
	key_size = client_key(c, key);
	if (c->omit & OMIT_INTEGRITY)
		;
	else if (c->integrity_sha256)
		tp_stun_put_integrity_sha256(&w, key, key_size);
	else
		tp_stun_put_integrity(&w, key, key_size);
	client_request_end(c, &w);
}

/* A client that has sent its first request, without credentials, and has the challenge. */
__attribute__((unused)) static struct client client_challenged(const struct tp_auth *auth, const char *user,
							       const char *password)
{
	struct client c = { .from = client_at("192.0.2.7", 40000), .user = user, .password = password };
	struct tp_stun_writer w;

	client_request_begin(&c, &w);
	client_request_end(&c, &w);
	client_take_challenge(&c, auth, NOW_S);
	return c;
}

/* Answers the challenge and asks `auth` about it. */
__attribute__((unused)) static enum tp_auth_result client_try(struct client *c, const struct tp_auth *auth,
							      uint64_t now_s, struct tp_identity *ret)
{
	struct tp_identity identity;

	client_answer(c);
	return tp_auth_check(auth, &c->msg, &c->from, now_s, NULL, ret ? ret : &identity);
}

#endif
