/* SPDX-License-Identifier: GPL-2.0 */
/* What tp_auth_new() makes of a configuration: refusals with a reason, keys for passwords, algorithms, no-auth. */
#include "auth/nonce.h"
#include "lib/auth_client.h"
#include "lib/stun_vectors.h"

/* MD5 of "alice:example.org:secret", SHA-256 of "bob:example.org:secret". */
static const struct tp_conf_user md5_user = {
	.name = "alice", .is_key = true, .key_size = 16,
	.key = { 0x54, 0x3e, 0x1a, 0xec, 0x5d, 0x36, 0x14, 0xf0, 0x31, 0x41, 0x65, 0x2d, 0x6a, 0xda, 0x51, 0xb2 },
};
static const struct tp_conf_user sha256_user = {
	.name = "bob", .is_key = true, .key_size = 32,
	.key = { 0xf7, 0xdf, 0xff, 0xb9, 0xff, 0xe9, 0x54, 0xf5, 0x56, 0x7e, 0x6c, 0xe0, 0x36, 0xfa, 0xb0, 0x5b,
		 0x75, 0xb1, 0x96, 0x0b, 0xdf, 0xc9, 0x19, 0x62, 0x52, 0x63, 0xab, 0x08, 0xb9, 0xf5, 0xe8, 0xe4 },
};

static struct tp_conf conf_of(struct tp_conf_user *users, size_t len)
{
	return (struct tp_conf){ .realm = "example.org", .lt_cred_mech = true, .user = users, .user_len = len,
				 .stale_nonce_s = 600 };
}

static void refused(const struct tp_conf *conf, const char *expected, const char *name)
{
	char err[256] = "";
	struct tp_auth *auth = tp_auth_new(conf, err, sizeof(err));

	if (!check(!auth && strstr(err, expected), "%s", name))
		printf("# says \"%s\"\n", err);
	tp_auth_free(auth);
}

static void test_refusals(void)
{
	struct tp_conf_user users[2] = { md5_user, sha256_user };
	struct tp_conf conf = conf_of(users, 2);
	char long_name[600], *secrets[33], *rows[] = { "north,AAAA,0,0,A256GCM" };

	refused(&conf, "no algorithm serves both", "MD5 keys and SHA-256 keys in one realm");
	users[1] = users[0];
	refused(&conf, "twice", "a user twice");
	users[1].key_size = 20;
	users[1].name = "carol";
	refused(&conf, "16 or 32", "a key of 20 bytes");
	users[1].is_key = false;
	refused(&conf, "neither a password nor a key", "no password");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[509] = 0;
	users[1] = (struct tp_conf_user){ .name = long_name, .password = "x" };
	refused(&conf, "508", "RFC 8489 14.3: a name of 509 bytes is refused");
	conf.user_len = 1;
	conf.password_algorithms = 2;
	refused(&conf, "algorithm that is off", "an MD5 key where only SHA-256 is on");
	conf = conf_of(NULL, 0);
	conf.realm = "";
	refused(&conf, "realm: empty", "no realm");
	long_name[128] = 0;
	conf.realm = long_name;
	refused(&conf, "longer than 127", "RFC 8489 14.9: a realm of 128 bytes is refused");
	conf.realm = "example.org";
	conf.nonce_key = "0011";
	refused(&conf, "nonce-key", "a short nonce-key");
	conf.nonce_key = NULL;
	conf.oauth = true;
	refused(&conf, "no oauth-key", "oauth without a key");
	conf.oauth_key = (struct tp_list){ rows, 1 };
	refused(&conf, "oauth-key 1: the key is not base64", "oauth with a short key");
	conf.oauth = false;
	for (size_t i = 0; i < 33; i++)
		secrets[i] = "s";
	conf.static_auth_secret = (struct tp_list){ secrets, 33 };
	refused(&conf, "more than 32", "too many secrets");
	secrets[0] = "";
	conf.static_auth_secret.len = 1;
	refused(&conf, "empty", "an empty secret");
}

static void test_md5_key(void)
{
	struct tp_conf_user users[] = { md5_user };
	struct tp_conf conf = conf_of(users, 1);
	struct tp_auth *auth = auth_new(&conf);
	struct client c = client_challenged(auth, "alice", "secret");

	check(c.algorithms_size == 0 && memcmp(c.nonce, "obMatJos2QAAC", 13) == 0,
	      "RFC 8489 9.2.4: a user with an MD5 key only: no algorithms are offered, the bit is 0");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "RFC 8489 9.2.2: a user with an MD5 key");
	tp_auth_free(auth);

	/* Without anonymity either, all bits are 0 and still sent. */
	conf.userdb = "x";
	auth = auth_new(&conf);
	c = client_challenged(auth, "alice", "secret");
	check(memcmp(c.nonce, "obMatJos2AAAA", 13) == 0,
	      "RFC 8489 9.2: without security features 24 zero bits are encoded");
	tp_auth_free(auth);
}

static void test_sha256_key(void)
{
	struct tp_conf_user users[] = { sha256_user };
	struct tp_conf conf = conf_of(users, 1);
	struct tp_auth *auth = auth_new(&conf);
	struct client c = client_challenged(auth, "bob", "secret");

	c.algorithm = TP_STUN_ALGORITHM_SHA256;
	c.integrity_sha256 = true;
	memcpy(c.key, sha256_user.key, 32);
	c.key_size = 32;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "RFC 8489 18.5.1.2: a user with a SHA-256 key");
	c.algorithm = 0;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED, "which is no MD5 key");
	tp_auth_free(auth);
}

static void test_sha256_only(void)
{
	struct tp_conf_user users[] = { { .name = "alice", .password = "secret" } };
	struct tp_conf conf = conf_of(users, 1);
	struct tp_auth *auth;
	struct client c;

	conf.password_algorithms = 2;
	auth = auth_new(&conf);
	c = client_challenged(auth, "alice", "secret");
	check(c.algorithms_size == 4 && c.algorithms[1] == 2, "password-algorithms without MD5 lists SHA-256 alone");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "and a request that is taken as MD5 is unauthenticated");
	c.algorithm = TP_STUN_ALGORITHM_SHA256;
	c.integrity_sha256 = true;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "while SHA-256 is good");
	tp_auth_free(auth);
}

/* Section 14.6: shorter values need a usage's permission, which TURN does not give. */
static void test_truncated(void)
{
	struct tp_conf_user users[] = { { .name = "alice", .password = "secret" } };
	struct tp_conf conf = conf_of(users, 1);
	struct tp_auth *auth = auth_new(&conf);
	struct client c = client_challenged(auth, "alice", "secret");
	struct tp_identity identity;
	size_t at;

	c.integrity_sha256 = true;
	client_answer(&c);
	at = c.msg.integrity_sha256;
	c.buf[at + 3] = 28;
	c.buf[3] = (uint8_t)(c.buf[3] - 4);
	check(!tp_stun_parse(c.buf, c.msg.size - 4, &c.msg),
	      "a message with MESSAGE-INTEGRITY-SHA256 of 28 bytes parses");
	check_eq(tp_auth_check(auth, &c.msg, &c.from, NOW_S, NULL, &identity), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 14.6: truncated MESSAGE-INTEGRITY-SHA256 is unauthenticated");
	tp_auth_free(auth);
}

static void test_no_auth(void)
{
	struct tp_conf conf = conf_of(NULL, 0);
	struct tp_auth *auth;
	struct client c;
	struct tp_identity identity = { 0 };
	struct tp_stun_writer w;
	uint8_t buf[64];

	conf.no_auth = true;
	auth = auth_new(&conf);
	c = client_challenged(auth, "alice", "secret");
	c.omit = OMIT_INTEGRITY;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && identity.anonymous && !identity.user[0],
	      "no-auth: everybody is anonymous");
	tp_stun_begin(&w, buf, sizeof(buf), TP_STUN_ALLOCATE, TP_STUN_SUCCESS, &client_id);
	tp_auth_put_integrity(&identity, &w);
	check_eq(tp_stun_finish(&w), TP_STUN_HEADER_SIZE, "no-auth: answers have no integrity");
	check(tp_auth_user_exists(auth, &identity, NOW_S), "no-auth: the anonymous exist");
	tp_auth_free(auth);
	conf.no_auth = false;
	auth = auth_new(&conf);
	check(!tp_auth_user_exists(auth, &identity, NOW_S), "and no more once there is authentication");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_CHALLENGE, "without users nobody gets in");
	tp_auth_free(auth);
}

/* Section 9.2.2: what is used as a key is without quotes and trailing zeroes. */
static void test_trimmed(void)
{
	struct tp_conf_user users[] = { { .name = "alice", .password = "secret" } };
	struct tp_conf conf = conf_of(users, 1);
	struct tp_auth *auth = auth_new(&conf);
	struct client c = client_challenged(auth, "\"alice\"", "secret");

	memcpy(c.key, md5_user.key, 16);
	c.key_size = 16;
	memcpy(c.realm, "example.org\0\0", 13);
	c.realm_size = 13;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK,
		 "RFC 8489 9.2.2: quotes and trailing zeroes of USERNAME and REALM do not count");
	tp_auth_free(auth);
}

/* Section 14.3: a USERNAME of up to 763 bytes is parsed; a longer one is nobody's. */
static void test_long_names(void)
{
	struct tp_conf_user users[] = { { .name = "alice", .password = "secret" } };
	struct tp_conf conf = conf_of(users, 1);
	char *secrets[] = { "s" }, name[1001] = "1800000100:";
	struct tp_auth *auth;
	struct client c;

	conf.static_auth_secret = (struct tp_list){ secrets, 1 };
	auth = auth_new(&conf);
	memset(name + 11, 'x', sizeof(name) - 12);
	c = client_challenged(auth, name, "");
	name[763] = 0;
	client_answer(&c);
	check_eq(c.msg.size > 763, 1, "RFC 8489 14.3: a message with a USERNAME of 763 bytes parses");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 14.3: a USERNAME of 763 bytes is read and, unknown, unauthenticated");
	name[763] = 'x';
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "a USERNAME of 1000 bytes is unauthenticated");
	tp_auth_free(auth);
}

/* A name has two forms, as it is written and prepared: both get in, as one account. */
static void test_name_forms(void)
{
	struct tp_conf_user users[] = { { .name = "Henry\u2163", .password = "secret" } };
	struct tp_conf conf = conf_of(users, 1);
	struct tp_auth *auth = auth_new(&conf);
	struct client c = client_challenged(auth, "Henry\u2163", "secret");
	struct tp_identity identity = { 0 };

	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && tp_auth_user_exists(auth, &identity, NOW_S),
	      "RFC 8265 4.2: a name as it is written");
	c.user = "HenryIV";
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && strcmp(identity.user, "Henry\u2163") == 0,
	      "RFC 4013: the same name prepared is the same account");
	check(tp_auth_user_exists(auth, &identity, NOW_S), "and exists after a reload");
	tp_auth_free(auth);
}

int main(void)
{
	test_refusals();
	test_md5_key();
	test_sha256_key();
	test_sha256_only();
	test_truncated();
	test_no_auth();
	test_trimmed();
	test_long_names();
	test_name_forms();
	return done();
}
