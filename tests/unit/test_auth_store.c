/* SPDX-License-Identifier: GPL-2.0 */
/* Requests of users that only a store knows (RFC 8489 section 9.2.4): later, good, wrong, unavailable. */
#include "auth/rest.h"
#include "lib/auth_client.h"
#include "lib/fake_store.h"

static struct tp_conf_user users[] = { { .name = "alice", .realm = "north.gov", .password = "secret" } };
static struct tp_conf conf = {
	.realm = "north.gov", .use_auth_secret = true, .lt_cred_mech = true, .user = users, .user_len = 1,
	.rest_api_separator = ':', .stale_nonce_s = 600, .userdb = "fake",
};

/* coturn's own example: user gorst, password hero, in realm north.gov. */
static void answer(const struct store_query *query, struct store_rows *ret)
{
	static const char key[] = "7da2270ccfa49786e0115366d3a3d14d";

	if (strcmp(query->realm, "north.gov") == 0 && query->kind == TP_STORE_SECRET)
		store_rows_add(ret, "logen", 5);
	else if (query->kind == TP_STORE_USER && strcmp(query->name, "gorst") == 0)
		store_rows_add(ret, key, strlen(key));
	else if (query->kind == TP_STORE_USER && strcmp(query->name, "broken") == 0)
		store_rows_add(ret, "no key", 6);
}

/* The request is given in again when the store tells that there is an answer. */
static enum tp_auth_result try_again(struct client *c, const struct tp_auth *auth, struct tp_identity *ret)
{
	enum tp_auth_result result;
	struct timespec ts;

	deadline(&ts);
	pthread_mutex_lock(&told_lock);
	while ((result = client_try(c, auth, NOW_S, ret)) == TP_AUTH_LATER)
		if (pthread_cond_timedwait(&told_change, &told_lock, &ts))
			break;
	pthread_mutex_unlock(&told_lock);
	return result;
}

static void test_user(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "gorst", "hero");
	struct tp_identity identity;

	check_eq(c.algorithms_size, 0, "users of a store have MD5 keys: SHA-256 is not offered");
	fake_set(true, false);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_LATER, "a user of the store: later, without waiting");
	fake_set(false, false);
	check(try_again(&c, auth, &identity) == TP_AUTH_OK && !strcmp(identity.user,
	      "gorst") && identity.key_size == 16,
	      "then it is good");
	check(tp_auth_user_exists(auth, &identity, NOW_S), "and exists after a reload");
	identity.key[0] ^= 1;
	check(!tp_auth_user_exists(auth, &identity, NOW_S), "but not with another key");
	c.password = "villain";
	check_eq(try_again(&c, auth, NULL), TP_AUTH_UNAUTHORIZED, "a wrong password");
	c = client_challenged(auth, "nobody", "hero");
	check_eq(try_again(&c, auth, NULL), TP_AUTH_UNAUTHORIZED, "a name that is not there");
	c = client_challenged(auth, "broken", "hero");
	check_eq(try_again(&c, auth, NULL), TP_AUTH_UNAUTHORIZED, "a row that holds no key");
	c = client_challenged(auth, "alice", "secret");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "a configured user needs no store");
}

static void test_secret(const struct tp_auth *auth)
{
	static const char name[] = "1800000100:curnden";
	char password[TP_REST_PASSWORD_SIZE + 1] = "";
	struct client c;
	struct tp_identity identity;

	tp_rest_password("logen", name, strlen(name), password);
	c = client_challenged(auth, name, password);
	check(try_again(&c, auth, &identity) == TP_AUTH_OK && identity.expires_s == 1800000100,
	      "a REST name with a secret of the store");
	check(tp_auth_user_exists(auth, &identity, NOW_S), "and exists after a reload");
	c.password = "another";
	check_eq(try_again(&c, auth, NULL), TP_AUTH_UNAUTHORIZED, "with another secret it is none");
}

/* Spoofers cannot flood the store: their nonces are not theirs. */
static void test_nonce(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "unheard", "of");
	unsigned int asked = fake.asked;

	c.from = client_at("192.0.2.8", 40000);
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE, "a nonce of another address is stale");
	check_eq(fake.asked, asked, "and the store is not asked");
}

static void test_down(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "whirrun", "sword");
	struct tp_identity identity = { .user = "whirrun", .realm = "north.gov", .key_size = 16 };

	fake_set(false, true);
	check_eq(try_again(&c, auth, NULL), TP_AUTH_UNAVAILABLE, "a store that is down: 500, not 401");
	check(tp_auth_user_exists(auth, &identity, NOW_S), "whose users keep what they have");
	c = client_challenged(auth, "gorst", "hero");
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_OK, "a user seen before still logs in");
}

int main(void)
{
	struct tp_store *store = store_begin(answer);
	struct tp_auth *auth = auth_new(&conf);

	tp_auth_use_store(auth, store);
	test_user(auth);
	test_secret(auth);
	test_nonce(auth);
	test_down(auth);
	tp_auth_free(auth);
	tp_store_free(store);
	conf.password_algorithms = 2;
	{
		char err[128];

		check(!tp_auth_new(&conf, err, sizeof(err)) && strstr(err, "MD5 keys"),
		      "SHA-256 only and a store: refused");
	}
	return done();
}
