/* SPDX-License-Identifier: GPL-2.0 */
/* Allocations of clients with access tokens (RFC 7635): their lifetime, requests without, tokens that are renewed. */
#include "auth/text.h"
#include "lib/tap.h"
#include "unit/turn_bench.h"

#define KEY	"SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM="

/* turnutils_oauth -e for example.com, of the bench's time for 3600 s, with KEY by AES-256-GCM and AES-128-GCM. */
static const char token_a256[] =
	"AAzJEPgDHEIdOZkZRhCfbNnpHysJJ7QKHMEijPsbcKMjq/Te41KtQbCogkYdtoT94uLmUSv3QT/MYLrh6rqDHA==";
static const char token_a128[] =
	"AAwApv6d+My0w/kUERSSObwbZCbJ2D9QXAsDPrk4DBSoZcvOO/TjiP959PKvSg0Sw55tSnr503CmzTMf8+2U/A==";
static const char mac_key[] = "ZksjpweoixXmvn67534m";

static char *rows[] = { "north," KEY ",0,0,A256GCM", "south," KEY ",0,0,A128GCM" };

static struct bench b;
static struct client c;

static void begin(void)
{
	bench_init(&b);
	b.conf.oauth = true;
	b.conf.server_name = (char *)"example.com";
	b.conf.oauth_key = (struct tp_list){ rows, 2 };
	bench_start(&b);
	client_init(&c, &b, "198.51.100.7:40000");
	if (!client_challenge(&c))
		abort();
}

/* Finishes a request with a token in place of the password, and sends it; NULL: with what comes of the token alone. */
static int send_token(struct message *m, const char *kid, const char *token)
{
	uint8_t bytes[128];
	int size = token ? tp_base64_decode(token, strlen(token), bytes, sizeof(bytes)) : 0;

	if (size < 0)
		abort();
	m->bare = true;
	tp_stun_put(&m->w, TP_STUN_ATTR_USERNAME, kid, strlen(kid));
	tp_stun_put(&m->w, TP_STUN_ATTR_REALM, c.realm, strlen(c.realm));
	tp_stun_put(&m->w, TP_STUN_ATTR_NONCE, c.nonce, c.nonce_size);
	if (token)
		tp_stun_put(&m->w, TP_STUN_ATTR_ACCESS_TOKEN, bytes, (size_t)size);
	tp_stun_put_integrity(&m->w, mac_key, strlen(mac_key));
	return message_send(m);
}

static int allocate_north(void)
{
	struct message m;

	allocate_begin(&m, &c);
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, 3600);
	return send_token(&m, "north", token_a256);
}

static int refresh_with(const char *kid, const char *token)
{
	struct message m;

	request(&m, &c, TP_STUN_REFRESH);
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, 3600);
	return send_token(&m, kid, token);
}

static void test_lifetime(void)
{
	begin();
	check(reply_has(&c, TP_STUN_ATTR_THIRD_PARTY_AUTHORIZATION),
	      "RFC 7635 6.1: a 401 has THIRD-PARTY-AUTHORIZATION");
	check(allocate_north() == 0 && tp_stun_check_integrity(&c.reply, mac_key, strlen(mac_key)),
	      "RFC 7635: a token makes an allocation, the response is protected with its mac_key");
	check_eq(lifetime(&c), 3600, "of the lifetime that was asked for");
	bench_advance(&b, 3000 * BENCH_S);
	client_challenge(&c);
	check(refresh_with("north", token_a256) == 0 && lifetime(&c) == 605,
	      "RFC 7635: no longer than the token, and five seconds for the clocks");
	check_eq(bench_stop(&b), 0, "lifetime: nothing is left behind");
}

static int permit_with(const char *kid)
{
	struct message m;

	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.5:9");
	return send_token(&m, kid, NULL);
}

static void test_without(void)
{
	struct tp_conf changed;
	struct message m;

	begin();
	allocate_begin(&m, &c);
	check_eq(send_token(&m, "north", NULL), 401,
		 "RFC 7635: without an allocation there is no request without a token");
	check(allocate_north() == 0, "an allocation with a token");
	check(permit_with("north") == 0 && tp_stun_check_integrity(&c.reply, mac_key, strlen(mac_key)),
	      "RFC 7635: requests after it come without the token");
	check_eq(permit_with("south"), 401, "under its key id only");
	check(refresh_with("south", token_a128) == 0 && permit_with("south") == 0 && permit_with("north") == 401,
	      "which is that of the last token");
	bench_advance(&b, 3000 * BENCH_S);
	client_challenge(&c);
	check_eq(refresh_with("south", token_a128), 0, "it is refreshed for what is left");
	bench_advance(&b, 604 * BENCH_S);
	client_challenge(&c);
	check_eq(permit_with("south"), 0, "to the last second of the token");
	bench_advance(&b, BENCH_S);
	check_eq(permit_with("south"), 401, "and not after it");
	check_eq(bench_stop(&b), 0, "session: nothing is left behind");

	begin();
	check(allocate_north() == 0, "another");
	changed = b.conf;
	changed.oauth = false;
	changed.stale_nonce_s = 0;
	bench_reload(&b, &changed);
	check_eq(permit_with("north"), 401, "without oauth there is no token and nothing that comes of one");
	check_eq(bench_stop(&b), 0, "without: nothing is left behind");
}

static void test_renewed(void)
{
	struct tp_conf changed;
	struct message m;

	begin();
	check(allocate_north() == 0, "an allocation with a token");
	check_eq(refresh_with("south", token_a128), 0, "RFC 7635: a token of another key renews it");
	request(&m, &c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, "203.0.113.5:9");
	check_eq(send_token(&m, "north", token_a256), 0, "RFC 7635: and the first one is still good");
	check_eq(refresh_with("south", token_a128), 0, "which came last");
	check_eq(permit(&c, "203.0.113.5:9"), 441, "a user with a password has no part in it");

	changed = b.conf;
	changed.oauth_key = (struct tp_list){ rows + 1, 1 };
	bench_reload(&b, &changed);
	check_eq(bench_counters(&b).allocations, 1, "a reload without the first key leaves it");
	changed.oauth_key = (struct tp_list){ rows, 1 };
	bench_reload(&b, &changed);
	check_eq(bench_counters(&b).allocations, 0, "a reload without the last one ends it");
	check_eq(bench_stop(&b), 0, "renewed: nothing is left behind");
}

int main(void)
{
	test_lifetime();
	test_without();
	test_renewed();
	return done();
}
