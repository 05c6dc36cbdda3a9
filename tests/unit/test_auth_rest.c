/* SPDX-License-Identifier: GPL-2.0 */
/* Shared secrets of the TURN REST API, alone and beside configured users. */
#include "auth/rest.h"
#include "lib/auth_client.h"

static char *secrets[] = { "north-secret", "south-secret" };
static struct tp_conf_user users[] = { { .name = "alice", .realm = "example.org", .password = "secret" } };
static struct tp_conf conf = {
	.realm = "example.org", .use_auth_secret = true, .lt_cred_mech = true, .user = users, .user_len = 1,
	.static_auth_secret = { secrets, 2 }, .rest_api_separator = ':', .stale_nonce_s = 600,
};

static const char *rest_password(const char *secret, const char *name)
{
	static char password[TP_REST_PASSWORD_SIZE + 1];

	if (tp_rest_password(secret, name, strlen(name), password))
		abort();
	return password;
}

static void test_names(void)
{
	static const struct {
		const char *name;
		bool good;
		uint64_t expires_s;
		const char *user;
	} cases[] = {
		{ "1800000100:alice", true, 1800000100, "alice" },
		{ "alice:1800000100", true, 1800000100, "alice" },
		{ "1800000100", true, 1800000100, "" },
		{ "1800000100:", true, 1800000100, "" },
		{ "1800000100:a:b", true, 1800000100, "a:b" },
		{ ":1800000100", true, 1800000100, "" },
		{ "alice", false, 0, "" },
		{ "", false, 0, "" },
		{ ":", false, 0, "" },
		{ "alice:", false, 0, "" },
		{ "alice:12x", false, 0, "" },
		{ "-5:alice", false, 0, "" },
		{ "18446744073709551616:alice", false, 0, "" },
		{ "99999999999999999999999:alice", false, 0, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tp_rest_name name = { 0 };
		bool good = tp_rest_name_parse(cases[i].name, strlen(cases[i].name), ':', &name);

		check(good == cases[i].good && name.expires_s == cases[i].expires_s &&
		      name.user_size == strlen(cases[i].user) &&
		      memcmp(cases[i].name + name.user_offset, cases[i].user, name.user_size) == 0,
		      "REST name '%s'", cases[i].name);
	}
	check(!tp_rest_name_parse("1800000100:a\0b", 14, ':', &(struct tp_rest_name){ 0 }),
	      "a REST name with a zero byte is refused");
	/* printf %s 1800000100:alice | openssl dgst -sha1 -hmac north-secret -binary | base64 */
	check(strcmp(rest_password("north-secret", "1800000100:alice"), "Q6G3M0N63ZYdyYZxnrdqNqC5yhE=") == 0,
	      "the password is base64 of the HMAC-SHA1 of the name");
}

static void test_check(const struct tp_auth *auth)
{
	static const char name[] = "1800000100:alice";
	struct client c = client_challenged(auth, name, rest_password("north-secret", name));
	struct tp_identity identity = { 0 };

	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && strcmp(identity.user, name) == 0 &&
	      identity.expires_s == 1800000100, "a REST name with the first secret, and its expiry");
	check(identity.account_size == 5 && memcmp(identity.user + identity.account_offset, "alice", 5) == 0,
	      "the account of a REST name is without its expiry");
	check_eq(client_try(&c, auth, NOW_S + 99, NULL), TP_AUTH_OK, "a REST name in its last second");
	check_eq(client_try(&c, auth, NOW_S + 100, NULL), TP_AUTH_UNAUTHORIZED,
		 "an expired REST name is unauthenticated");
	c.password = rest_password("south-secret", name);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "a REST name with the second secret");
	c.algorithm = TP_STUN_ALGORITHM_SHA256;
	c.integrity_sha256 = true;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && identity.sha256, "a REST name with SHA-256");
	c.password = rest_password("east-secret", name);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED, "another secret is unauthenticated");

	c = client_challenged(auth, "1800000100", rest_password("south-secret", "1800000100"));
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && identity.account_size == 10,
	      "a bare expiry is a REST name, its account the whole of it");
	check(memcmp(c.nonce, "obMatJos2gAAB", 13) == 0,
	      "RFC 8489 9.2.4: username anonymity is not offered where names cannot be found by their hash");
	c = client_challenged(auth, "alice", "secret");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "a configured user beside the secrets");
	c.user = "carol";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "a name without an expiry is unauthenticated");
}

static void test_exists(const struct tp_auth *auth)
{
	static const char name[] = "1800000100:alice";
	static char *south[] = { "south-secret" };
	struct client rest = client_challenged(auth, name, rest_password("north-secret", name));
	struct client alice = client_challenged(auth, "alice", "secret");
	struct tp_identity by_secret, by_conf;
	struct tp_conf changed = conf;
	struct tp_auth *after;

	client_try(&rest, auth, NOW_S, &by_secret);
	client_try(&alice, auth, NOW_S, &by_conf);
	check(tp_auth_user_exists(auth, &by_secret, NOW_S) && tp_auth_user_exists(auth, &by_conf, NOW_S),
	      "users exist after a reload that changed nothing");
	check(tp_auth_user_exists(auth, &by_secret, NOW_S + 1000), "an expired REST name exists for what it has");

	changed.static_auth_secret = (struct tp_list){ south, 1 };
	after = auth_new(&changed);
	check(!tp_auth_user_exists(after, &by_secret, NOW_S), "a REST name goes with its secret");
	check(tp_auth_user_exists(after, &by_conf, NOW_S), "and a configured user stays");
	tp_auth_free(after);
	changed.user_len = 0;
	after = auth_new(&changed);
	check(!tp_auth_user_exists(after, &by_conf, NOW_S), "a deleted user does not exist");
	tp_auth_free(after);
	changed.user_len = 1;
	users[0].password = "changed";
	after = auth_new(&changed);
	check(!tp_auth_user_exists(after, &by_conf, NOW_S), "a user with a new password is not the same");
	users[0].password = "secret";
	tp_auth_free(after);
}

int main(void)
{
	struct tp_auth *auth = auth_new(&conf);

	test_names();
	test_check(auth);
	test_exists(auth);
	tp_auth_free(auth);
	return done();
}
