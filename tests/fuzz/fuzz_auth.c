/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Credentials of any request, against configured users, REST secrets and tokens. The
 * first byte says what is put right before: a nonce of ours in place of the request's
 * own NONCE, integrity with a real key, and whether the request is about the allocation
 * of a token, so that the fuzzer gets to the later checks.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "conf.h"
#include "stun/digest.h"
#include "stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S 1800000000u

static const struct tp_tuple from = {
	.client = { .family = 4, .port = 40000, .ip = { 192, 0, 2, 7 } },
	.server = { .family = 4, .port = 3478, .ip = { 192, 0, 2, 1 } },
};

/* In the token of the corpus. */
static const char mac_key[] = "ZksjpweoixXmvn67534m";

static void must(bool good)
{
	if (!good)
		abort();
}

static struct tp_auth *auth_get(void)
{
	static struct tp_conf_user users[] = {
		{ .name = "alice", .password = "secret" },
		{ .name = "bob", .realm = "other.example", .password = "hidden" },
	};
	static char *secrets[] = { "north-secret" }, *rows[] = {
		"north,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK,0,0,A256GCM",
	};
	static const struct tp_conf conf = {
		.realm = "example.org", .user = users, .user_len = 2,
		.use_auth_secret = true, .static_auth_secret = { secrets, 1 },
		.oauth = true, .oauth_key = { rows, 1 }, .stale_nonce_s = 600,
		.nonce_key = "000102030405060708090a0b0c0d0e0f",
	};
	static struct tp_auth *auth;
	char err[256];

	if (!auth)
		auth = tp_auth_new(&conf, err, sizeof(err));
	must(auth != NULL);
	return auth;
}

static size_t challenge(const struct tp_stun_msg *request, uint8_t *buf, size_t size)
{
	struct tp_stun_writer w;
	struct tp_stun_msg msg;
	struct tp_stun_attr nonce;

	tp_stun_begin(&w, buf, size, request->method, TP_STUN_ERROR, &request->id);
	tp_stun_put_error(&w, 401, "");
	tp_auth_put_challenge(auth_get(), &w, request, &from, NOW_S);
	must(tp_stun_finish(&w) > 0 && tp_stun_parse(buf, w.size, &msg) == 0);
	must(tp_stun_find(&msg, TP_STUN_ATTR_NONCE, &nonce));
	return nonce.offset;
}

/* The request once more with what `how` says put right. */
static int repair(const struct tp_stun_msg *msg, uint8_t how, uint8_t *buf, size_t capacity)
{
	static const char text[] = "alice:example.org:secret";
	const struct tp_bytes part = { text, sizeof(text) - 1 };
	uint8_t answer[512], key[TP_DIGEST_MAX_SIZE];
	size_t nonce = challenge(msg, answer, sizeof(answer)), pos = 0;
	enum tp_digest_kind kind = how & 2 ? TP_DIGEST_SHA256 : TP_DIGEST_MD5;
	size_t key_size = tp_digest_size(kind);
	struct tp_stun_writer w;
	struct tp_stun_attr attr;

	tp_stun_begin(&w, buf, capacity, msg->method, TP_STUN_REQUEST, &msg->id);
	while (tp_stun_next(msg, &pos, &attr)) {
		if (how & 1 && attr.type == TP_STUN_ATTR_NONCE)
			tp_stun_put(&w, attr.type, answer + nonce, 29);
		else
			tp_stun_put(&w, attr.type, tp_stun_value(msg, &attr), attr.size);
	}
	tp_digest(kind, &part, 1, key);
	if (how & 16) {
		key_size = sizeof(mac_key) - 1;
		memcpy(key, mac_key, key_size);
	}
	if (how & 4)
		tp_stun_put_integrity_sha256(&w, key, key_size);
	else
		tp_stun_put_integrity(&w, key, key_size);
	return tp_stun_finish(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[4096];
	/* Of an allocation that a token made. */
	static const struct tp_identity session = {
		.user = "north", .realm = "example.org", .account_size = 5,
		.key = "ZksjpweoixXmvn67534m", .key_size = 20,
		.expires_s = NOW_S + 60, .max_lifetime_s = 3600,
	};
	struct tp_identity identity;
	struct tp_stun_msg msg;
	int repaired;

	if (!size || size > 2048 || tp_stun_parse(data + 1, size - 1, &msg) < 0)
		return 0;
	if (data[0] & 8) {
		repaired = repair(&msg, data[0], buf, sizeof(buf));
		if (repaired < 0 || tp_stun_parse(buf, (size_t)repaired, &msg) < 0)
			return 0;
	}
	if (tp_auth_check(auth_get(), &msg, &from, NOW_S, data[0] & 32 ? &session : NULL, &identity) != TP_AUTH_OK)
		return 0;
	must(strlen(identity.user) < TP_AUTH_NAME_SIZE && strlen(identity.realm) < TP_AUTH_REALM_SIZE);
	must(identity.account_offset + identity.account_size <= strlen(identity.user) && identity.key_size >= 16);
	must(tp_auth_user_exists(auth_get(), &identity, NOW_S));
	return 0;
}
