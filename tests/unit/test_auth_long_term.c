/* SPDX-License-Identifier: GPL-2.0 */
/* The server's rules for long-term credentials, RFC 8489 section 9.2, step by step. */
#include "auth/nonce.h"
#include "lib/auth_client.h"
#include "lib/stun_vectors.h"

static struct tp_conf_user users[] = {
	{ .name = "alice", .realm = "example.org", .password = "secret" },
	{ .name = "bob", .realm = "other.example", .password = "hidden" },
	{ .name = VECTOR_USER_LONG, .realm = "example.org", .password = VECTOR_PASSWORD_LONG },
};

static struct tp_conf conf = {
	.realm = "example.org", .lt_cred_mech = true, .user = users, .user_len = 3, .stale_nonce_s = 600,
	.nonce_key = "000102030405060708090a0b0c0d0e0f",
};

static void test_challenge(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret"), other = c;
	struct tp_identity identity;
	static const uint8_t list[] = { 0, 2, 0, 0, 0, 1, 0, 0 };

	check_eq(tp_auth_check(auth, &c.msg, &c.from, NOW_S, NULL, &identity), TP_AUTH_CHALLENGE,
		 "RFC 8489 9.2.4: a request without integrity is challenged");
	check(c.realm_size == 11 && memcmp(c.realm, "example.org", 11) == 0,
	      "RFC 8489 9.2.4: the challenge has the REALM");
	check_eq(c.nonce_size, TP_NONCE_SIZE, "RFC 8489 9.2.4: the challenge has a NONCE");
	check(memcmp(c.nonce, "obMatJos2wAAD", 13) == 0,
	      "RFC 8489 9.2, 18.1, erratum 6290: the NONCE begins with obMatJos2 and the bits 0 and 1, at both ends");
	check(c.algorithms_size == sizeof(list) && memcmp(c.algorithms, list, sizeof(list)) == 0,
	      "RFC 8489 9.2.4, 14.11: PASSWORD-ALGORITHMS lists SHA-256, then MD5");
	check_eq(c.response_size, 92, "ruling 3: the 401 for a realm of 11 bytes is small");

	other.from = client_at("192.0.2.7", 40001);
	client_take_challenge(&other, auth, NOW_S);
	check(memcmp(c.nonce, other.nonce, c.nonce_size) != 0,
	      "RFC 8489 9.2.4: another port of the same address gets another NONCE");
	other.from = client_at("192.0.2.8", 40000);
	client_take_challenge(&other, auth, NOW_S);
	check(memcmp(c.nonce, other.nonce, c.nonce_size) != 0, "RFC 8489 9.2.4: another address gets another NONCE");
}

static void test_missing(const struct tp_auth *auth)
{
	static const struct {
		unsigned int omit;
		const char *name;
	} cases[] = {
		{ OMIT_USER, "RFC 8489 9.2.4: integrity without USERNAME or USERHASH is a bad request" },
		{ OMIT_REALM, "RFC 8489 9.2.4: integrity without REALM is a bad request" },
		{ OMIT_NONCE, "RFC 8489 9.2.4: integrity without NONCE is a bad request" },
	};
	struct client c = client_challenged(auth, "alice", "secret");

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		c.omit = cases[i].omit;
		check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_BAD_REQUEST, "%s", cases[i].name);
	}
	c.omit = OMIT_INTEGRITY;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_CHALLENGE,
		 "RFC 8489 9.2.4: credentials without integrity are challenged");
}

static void test_md5(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret");
	struct tp_identity identity = { 0 };

	check_eq(client_try(&c, auth, NOW_S, &identity), TP_AUTH_OK,
		 "RFC 8489 9.2.4: with neither algorithm attribute the request is taken as MD5");
	check(strcmp(identity.user, "alice") == 0 && strcmp(identity.realm, "example.org") == 0 && !identity.anonymous,
	      "RFC 8489 9.2.4: the identity is the user's");
	check(identity.account_offset == 0 && identity.account_size == 5, "the account is the whole name");
	check(!identity.sha256 && identity.key_size == 16,
	      "RFC 8489 9.2.4: as though MD5, the response has MESSAGE-INTEGRITY");
	c.integrity_sha256 = true;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && !identity.sha256,
	      "RFC 8489 9.2.4: MESSAGE-INTEGRITY-SHA256 with the MD5 key is good, the response has MESSAGE-INTEGRITY");
	c.integrity_sha256 = false;
	c.password = "wrong";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 9.2.4: integrity that does not match is unauthenticated");
	c.password = "secret";
	c.user = "mallory";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 9.2.4: a USERNAME that is not valid is unauthenticated");
	c.user = "bob";
	c.password = "hidden";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 9.2.4: a user of another realm is unauthenticated");
}

static void test_algorithms(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret"), good;
	struct tp_identity identity = { 0 };

	c.algorithm = TP_STUN_ALGORITHM_SHA256;
	c.integrity_sha256 = true;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && identity.sha256 && identity.key_size == 32,
	      "RFC 8489 9.2.4, 18.5.1.2: SHA-256 negotiated, the response has MESSAGE-INTEGRITY-SHA256");
	good = c;
	c.algorithm = TP_STUN_ALGORITHM_MD5;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && identity.sha256 && identity.key_size == 16,
	      "RFC 8489 9.2.4, 18.5.1.1: MD5 negotiated, the response has MESSAGE-INTEGRITY-SHA256");
	c = good;
	c.omit = OMIT_ALGORITHM;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_BAD_REQUEST,
		 "RFC 8489 9.2.4: PASSWORD-ALGORITHMS without PASSWORD-ALGORITHM is a bad request");
	c.omit = OMIT_ALGORITHMS;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_BAD_REQUEST,
		 "RFC 8489 9.2.4: PASSWORD-ALGORITHM without PASSWORD-ALGORITHMS is a bad request");
	c = good;
	c.algorithms_size = 4;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_BAD_REQUEST,
		 "RFC 8489 9.2.4: PASSWORD-ALGORITHMS other than the list that was sent is a bad request");
	c = good;
	c.algorithm = 3;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_BAD_REQUEST,
		 "RFC 8489 9.2.4: PASSWORD-ALGORITHM that is not in the list is a bad request");
}

/* Section 9.2.1: who strikes a feature off changes the nonce, and then it is not ours. */
static void test_bid_down(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret");

	memcpy(c.nonce + 9, "QAAC", 4);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE,
		 "RFC 8489 9.2.1: a NONCE whose Password algorithms bit was struck off is stale");
	memcpy(c.nonce + 9, "gAAB", 4);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE,
		 "RFC 8489 9.2.1: a NONCE whose Username anonymity bit was struck off is stale");
	memcpy(c.nonce + 9, "wAAH", 4);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE,
		 "RFC 8489 9.2.1: a NONCE with another bit set is stale");
}

/* What a nonce of another server says, whichever end its bits are counted from. */
static void test_features(void)
{
	static const struct {
		const char *nonce;
		uint32_t features;
	} cases[] = {
		{ "obMatJos2gAAAx", TP_NONCE_PASSWORD_ALGORITHMS },
		{ "obMatJos2AAABx", TP_NONCE_PASSWORD_ALGORITHMS },
		{ "obMatJos2QAAA", TP_NONCE_USERNAME_ANONYMITY },
		{ "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA", TP_NONCE_USERNAME_ANONYMITY },
		{ "obMatJos2wAAD", TP_NONCE_PASSWORD_ALGORITHMS | TP_NONCE_USERNAME_ANONYMITY },
		{ "obMatJos2AAAA", 0 },
		{ "obMatJos2P//8", 0 },
		{ "obMatJos2gAA", 0 },
		{ "obMatJos3gAAA", 0 },
		{ "f//499k954d6OL34oL9FSTvy64sA", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_eq(tp_nonce_features((const uint8_t *)cases[i].nonce, strlen(cases[i].nonce)), cases[i].features,
			 "RFC 8489 9.2, 18.1, erratum 6290: features of '%s'", cases[i].nonce);
}

static void test_userhash(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret");
	struct tp_identity identity = { 0 };

	c.userhash = true;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && strcmp(identity.user, "alice") == 0,
	      "RFC 8489 9.2.4, 14.4: USERHASH stands for USERNAME");
	c.algorithm = TP_STUN_ALGORITHM_SHA256;
	c.integrity_sha256 = true;
	check_eq(client_try(&c, auth, NOW_S, &identity), TP_AUTH_OK, "RFC 8489 9.2.4, 14.4: USERHASH with SHA-256");
	c.user = "mallory";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 9.2.4: a USERHASH that is not valid is unauthenticated");
}

static void test_nonce(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret"), fresh;

	check_eq(client_try(&c, auth, NOW_S + 600, NULL), TP_AUTH_OK,
		 "RFC 8489 9.2.4: a NONCE of stale-nonce's age is valid");
	check_eq(client_try(&c, auth, NOW_S + 601, NULL), TP_AUTH_STALE_NONCE,
		 "RFC 8489 9.2.4: an older NONCE is stale");
	check_eq(client_try(&c, auth, NOW_S - 60, NULL), TP_AUTH_OK,
		 "a NONCE of a farm's node whose clock is ahead is valid");
	check_eq(client_try(&c, auth, NOW_S - 61, NULL), TP_AUTH_STALE_NONCE, "a NONCE from the future is stale");
	fresh = c;
	client_take_challenge(&fresh, auth, NOW_S + 601);
	check_eq(client_try(&fresh, auth, NOW_S + 601, NULL), TP_AUTH_OK,
		 "RFC 8489 9.2.4: the NONCE of a 438 is valid");

	c.from.client.port++;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "a NONCE is good from another port of its address");
	c.from = client_at("192.0.2.8", 40000);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE,
		 "ruling 3: a NONCE is stale from another address");
	c.password = "wrong";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 8489 9.2.4: integrity is checked before the NONCE");
}

static void test_every_nonce_byte(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "alice", "secret");
	unsigned int accepted = 0;

	for (size_t i = 0; i < c.nonce_size; i++) {
		c.nonce[i] ^= 1;
		accepted += client_try(&c, auth, NOW_S, NULL) == TP_AUTH_OK;
		c.nonce[i] ^= 1;
	}
	check_eq(accepted, 0, "RFC 8489 9.2: a NONCE with any byte changed is not valid");
	for (size_t size = 0; size < TP_NONCE_SIZE; size++) {
		c.nonce_size = size;
		accepted += client_try(&c, auth, NOW_S, NULL) != TP_AUTH_STALE_NONCE;
	}
	check_eq(accepted, 0, "RFC 8489 9.2: a NONCE of any other size is stale");
}

static void test_farm(const struct tp_auth *auth)
{
	struct tp_auth *node = auth_new(&conf), *stranger;
	struct tp_conf other = conf;
	struct client c = client_challenged(auth, "alice", "secret");

	check_eq(client_try(&c, node, NOW_S, NULL), TP_AUTH_OK,
		 "a NONCE is good on another node with the same nonce-key");
	other.nonce_key = NULL;
	stranger = auth_new(&other);
	check_eq(client_try(&c, stranger, NOW_S, NULL), TP_AUTH_STALE_NONCE, "and stale on one with another nonce-key");
	tp_auth_free(node);
	node = auth_new(&other);
	client_take_challenge(&c, stranger, NOW_S);
	check_eq(client_try(&c, node, NOW_S, NULL), TP_AUTH_OK, "without a nonce-key a NONCE survives a reload");
	tp_auth_free(node);
	tp_auth_free(stranger);

	other = conf;
	other.stale_nonce_s = 0;
	node = auth_new(&other);
	client_take_challenge(&c, node, NOW_S);
	check_eq(client_try(&c, node, NOW_S + 1000000, NULL), TP_AUTH_OK, "stale-nonce=0: a NONCE does not expire");
	tp_auth_free(node);
}

static void test_realms(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "bob", "hidden");

	strcpy(c.realm, "other.example");
	c.realm_size = strlen(c.realm);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE, "a NONCE of one realm is stale in another");
	client_take_challenge(&c, auth, NOW_S);
	check(c.realm_size == 13 && memcmp(c.realm, "other.example", 13) == 0,
	      "the challenge keeps to the realm that the client tried");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "a user of another realm gets in there");
	strcpy(c.realm, "nowhere");
	c.realm_size = 7;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED, "an unknown REALM is unauthenticated");
	client_take_challenge(&c, auth, NOW_S);
	check(c.realm_size == 11, "and the challenge has the default realm");
}

/* The draft's ORIGIN says which realm a client is for before it has any credentials. */
static const char *realm_of_origins(const struct tp_auth *auth, const char *first, const char *second)
{
	static struct client c;
	struct tp_stun_writer w;

	c = client_challenged(auth, "bob", "hidden");
	client_request_begin(&c, &w);
	tp_stun_put(&w, TP_STUN_ATTR_ORIGIN, first, strlen(first));
	if (second)
		tp_stun_put(&w, TP_STUN_ATTR_ORIGIN, second, strlen(second));
	client_request_end(&c, &w);
	client_take_challenge(&c, auth, NOW_S);
	c.realm[c.realm_size] = 0;
	return c.realm;
}

static void test_origin(void)
{
	char *list[] = { "https://calls.other.example,other.example", "https://third.example:8443,third.example" };
	struct tp_conf origins = conf;
	struct tp_auth *auth;
	struct client c;

	origins.origin_realm = (struct tp_list){ list, 2 };
	auth = auth_new(&origins);
	check(strcmp(realm_of_origins(auth, "https://calls.other.example", NULL), "other.example") == 0,
	      "ORIGIN: its realm in the challenge");
	check(strcmp(realm_of_origins(auth, "HTTPS://Third.Example:8443", NULL), "third.example") == 0,
	      "ORIGIN: in any case, a realm without users too");
	check(strcmp(realm_of_origins(auth, "https://third.example", NULL), "example.org") == 0,
	      "ORIGIN: another port is another origin, with the default realm");
	check(strcmp(realm_of_origins(auth, "", "https://third.example:8443"), "third.example") == 0,
	      "ORIGIN: of several the first that has a realm");
	c = client_challenged(auth, "bob", "hidden");
	strcpy(c.realm, "other.example");
	c.realm_size = strlen(c.realm);
	client_answer(&c);
	client_take_challenge(&c, auth, NOW_S);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "ORIGIN: a user of that realm gets in");
	tp_auth_free(auth);
}

/* RFC 5769 2.4's user: the password is prepared, or sent as it is by clients that do not. */
static void test_strings(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, VECTOR_USER_LONG, "TheMatrIX");

	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "RFC 8489 9.2.2: a password in its prepared form");
	c.password = VECTOR_PASSWORD_LONG;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "RFC 8265 4.2: a password as it is written");
	c.userhash = true;
	c.algorithm = TP_STUN_ALGORITHM_SHA256;
	c.integrity_sha256 = true;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "RFC 8489 14.4: USERHASH of a name in UTF-8");
	c.password = "TheMatrix";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED, "RFC 8489 9.2.2: but no other password");
}

int main(void)
{
	struct tp_auth *auth = auth_new(&conf);

	test_challenge(auth);
	test_missing(auth);
	test_md5(auth);
	test_algorithms(auth);
	test_bid_down(auth);
	test_features();
	test_userhash(auth);
	test_nonce(auth);
	test_every_nonce_byte(auth);
	test_farm(auth);
	test_realms(auth);
	test_origin();
	test_strings(auth);
	tp_auth_free(auth);
	return done();
}
