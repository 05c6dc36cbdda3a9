/* SPDX-License-Identifier: GPL-2.0 */
/* Third-party authorisation, RFC 7635: tokens made by turnutils_oauth and turnutils_uclient of coturn 4.6.1. */
#include <errno.h>
#include <openssl/evp.h>

#include "auth/text.h"
#include "auth/token.h"
#include "lib/auth_client.h"
#include "lib/oauth_vectors.h"
#include "stun/wire.h"

#define KEY	"SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM="
#define SERVER	"example.com"
#define MAC_KEY	"ZksjpweoixXmvn67534m"
#define UCLIENT_S 1795611330u	/* when the requests of oauth_vectors.h were recorded */

/* turnutils_oauth -e with KEY, SERVER and MAC_KEY, of 1800000000 s for 3600 s; the first is from its manual. */
static const char token_manual[] =
	"AAy1JBYVLo16iq9gFdHyyknmx5T/Lq9YlbxgUdLcStOFS0H8xhHceHOL2f49qxp4uBpGuuLeLqk+RcAa5uP2EQ==";
static const char token_a256[] =
	"AAzJEPgDHEIdOZkZRhCfbNnpHysJJ7QKHMEijPsbcKMjq/Te41KtQbCogkYdtoT94uLmUSv3QT/MYLrh6rqDHA==";
static const char token_a128[] =
	"AAwApv6d+My0w/kUERSSObwbZCbJ2D9QXAsDPrk4DBSoZcvOO/TjiP959PKvSg0Sw55tSnr503CmzTMf8+2U/A==";

static char *rows[] = {
	"1234," KEY ",1800000000,86400,A256GCM",
	"128," KEY ",0,0,A128GCM",
	"north,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK,0,0,A256GCM",
	"union,MTIzNDU2Nzg5MDEyMzQ1Ngo=,0,0,A128GCM",
	"oldempire,MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK",
};
static struct tp_conf conf = {
	.realm = "example.org", .oauth = true, .oauth_key = { rows, 5 }, .server_name = SERVER, .stale_nonce_s = 600,
};

static size_t token_bytes(const char *text, uint8_t ret[128])
{
	int size = tp_base64_decode(text, strlen(text), ret, 128);

	if (size < 0)
		abort();
	return (size_t)size;
}

static struct tp_token_key key_of(const char *row)
{
	struct tp_token_key key;
	const char *reason = "";

	if (tp_token_key_parse(row, &key, &reason)) {
		printf("Bail out! %s\n", reason);
		exit(1);
	}
	return key;
}

static void test_rows(void)
{
	static const char *const bad[] = {
		"", ",", "north", "north,", "north,AAAA", "north,!!!!", ",MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK",
		"north," KEY ",x", "north," KEY ",0,x", "north," KEY ",0,0,A512GCM", "north," KEY ",0,0,A256GCM,realm",
		"north," KEY ",18446744073709551615,1", "north,MTIzNDU2Nzg5MDEyMzQ1Ngo=,0,0,A256GCM",
	};
	struct tp_token_key key = key_of(rows[0]);
	const char *reason;
	unsigned int accepted = 0;

	check(strcmp(key.kid, "1234") == 0 && key.key_size == 32 && key.expires_s == 1800086400,
	      "an oauth-key with all fields");
	key = key_of(rows[4]);
	check(key.key_size == 32 && !key.expires_s, "an oauth-key with two fields is A256GCM without an end");
	check_eq(key_of(rows[3]).key_size, 16, "an oauth-key of A128GCM takes 16 bytes");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		reason = NULL;
		accepted += tp_token_key_parse(bad[i], &key, &reason) == 0 || !reason;
	}
	check_eq(accepted, 0, "bad oauth-keys are refused, each with a reason");
}

static void test_decode(void)
{
	struct tp_token_key key = key_of(rows[0]);
	struct tp_token token = { 0 };
	uint8_t data[128];
	size_t size = token_bytes(token_manual, data);

	check(!tp_token_decode(&key, SERVER, data, size, &token) && token.mac_key_size == 20 &&
	      memcmp(token.mac_key, MAC_KEY, 20) == 0 && token.issued_s == 249231600 && token.lifetime_s == 3600,
	      "RFC 7635 6.2: the token of turnutils_oauth's manual");
	size = token_bytes(token_a256, data);
	check(!tp_token_decode(&key, SERVER, data, size, &token) && token.issued_s == 1800000000,
	      "RFC 7635 6.2: a token of AES-256-GCM");
	check_eq(tp_token_decode(&key, "example.net", data, size, &token), -EBADMSG,
		 "RFC 7635 6.2: a token for another server is refused");
	key.key[0] ^= 1;
	check_eq(tp_token_decode(&key, SERVER, data, size, &token), -EBADMSG,
		 "RFC 7635 6.2: a token of another key is refused");
	key = key_of(rows[1]);
	size = token_bytes(token_a128, data);
	check(!tp_token_decode(&key, SERVER, data, size, &token) && memcmp(token.mac_key, MAC_KEY, 20) == 0,
	      "RFC 7635 6.2: a token of AES-128-GCM");
}

static void test_decode_bounds(void)
{
	struct tp_token_key key = key_of(rows[0]);
	struct tp_token token;
	uint8_t data[512] = { 0 }, *exact;
	size_t size = token_bytes(token_a256, data);
	unsigned int accepted = 0;

	for (size_t i = 0; i < size; i++)
		for (int bit = 0; bit < 8; bit++) {
			data[i] ^= (uint8_t)(1 << bit);
			accepted += tp_token_decode(&key, SERVER, data, size, &token) == 0;
			data[i] ^= (uint8_t)(1 << bit);
		}
	check_eq(accepted, 0, "RFC 7635 6.2: a token with any bit changed is refused");
	for (size_t other = 0; other <= sizeof(data); other++) {
		if (other == size)
			continue;
		/* On the heap and no longer than said, so that ASan sees a read past the end. */
		exact = malloc(other ? other : 1);
		memcpy(exact, data, other);
		accepted += tp_token_decode(&key, SERVER, exact, other, &token) == 0;
		free(exact);
	}
	check_eq(accepted, 0, "RFC 7635 6.2: a token of any other size is refused");
}

/* Sealed with the right key, but what is inside does not add up. */
static void test_decode_inside(void)
{
	struct tp_token_key key = key_of(rows[0]);
	struct tp_token token;
	unsigned int accepted = 0, sizes = 0;

	for (size_t block_size = 0; block_size <= 80; block_size++)
		for (unsigned int claimed = 0; claimed < 80; claimed++) {
			uint8_t data[2 + 12 + 80 + 16] = { 0, 12 }, block[80] = { 0 };
			EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
			bool good = block_size == claimed + 14 && claimed >= 16 && claimed <= 32;
			int n;

			if (block_size >= 2)
				store_be16(block, (uint16_t)claimed);
			EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key.key, data + 2, NULL);
			EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)SERVER, (int)strlen(SERVER));
			EVP_EncryptUpdate(c, data + 14, &n, block, (int)block_size);
			EVP_EncryptFinal_ex(c, data + 14 + n, &n);
			EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, data + 14 + block_size);
			EVP_CIPHER_CTX_free(c);
			accepted += (tp_token_decode(&key, SERVER, data, 14 + block_size + 16, &token) == 0) != good;
			sizes += good;
		}
	check(accepted == 0 && sizes == 17, "RFC 7635 6.2: key_length has to fit the block, and be 16 to 32");
}

static void test_check(const struct tp_auth *auth)
{
	struct client c = client_challenged(auth, "1234", "");
	struct tp_identity identity = { 0 };
	uint8_t data[128];

	check(strcmp(c.third_party, SERVER) == 0,
	      "RFC 7635 6.1: the challenge has THIRD-PARTY-AUTHORIZATION with the server's name");
	c.token_size = token_bytes(token_a256, data);
	c.token = data;
	memcpy(c.key, MAC_KEY, 20);
	c.key_size = 20;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && strcmp(identity.user, "1234") == 0,
	      "RFC 7635: a request with a token and its mac_key");
	check(identity.key_size == 20 && identity.expires_s == NOW_S + 3605 && identity.max_lifetime_s == 3605,
	      "RFC 7635: the token's lifetime bounds the allocation's");
	check(tp_auth_user_exists(auth, &identity, NOW_S) && !tp_auth_user_exists(auth, &identity, NOW_S + 3605),
	      "after a reload a token's user exists until its end");
	c.key_size = 16;
	check(client_try(&c, auth, NOW_S, &identity) == TP_AUTH_OK && identity.key_size == 16,
	      "the first 16 bytes of mac_key, as coturn's clients use it");
	c.key_size = 20;
	client_take_challenge(&c, auth, NOW_S + 3604);
	check(client_try(&c, auth, NOW_S + 3604, &identity) == TP_AUTH_OK && identity.max_lifetime_s == 1,
	      "RFC 7635: a token in its last second, with five of allowance");
	check_eq(client_try(&c, auth, NOW_S + 3605, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 7635: a token past its end is refused");
	client_take_challenge(&c, auth, NOW_S - 3606);
	check_eq(client_try(&c, auth, NOW_S - 3606, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 7635: a token from too far in the future is refused");
	client_take_challenge(&c, auth, NOW_S);
	c.nonce[20] = c.nonce[20] == 'A' ? 'B' : 'A';
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_STALE_NONCE,
		 "RFC 7635: a token does not replace a valid NONCE");
	client_take_challenge(&c, auth, NOW_S);
	c.key[0] ^= 1;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 7635: integrity with another key is refused");
	c.key[0] ^= 1;
	c.user = "4321";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED, "RFC 7635: an unknown key id is refused");
	c.user = "128";
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 7635: a token of another key id is refused");
	c.user = "1234";
	c.token = NULL;
	check_eq(client_try(&c, auth, NOW_S, NULL), TP_AUTH_UNAUTHORIZED,
		 "RFC 7635: without a token there is no such user");
}

static void test_key_end(void)
{
	struct tp_token_key key = key_of(rows[0]);
	struct tp_auth *auth;
	struct tp_conf ended = conf;
	char *row[] = { "1234," KEY ",1799000000,1000000,A256GCM" };
	struct client c;
	uint8_t data[128];

	check_eq(key.expires_s, 1800086400, "a key's end is its timestamp and lifetime");
	ended.oauth_key = (struct tp_list){ row, 1 };
	auth = auth_new(&ended);
	c = client_challenged(auth, "1234", "");
	c.token_size = token_bytes(token_a256, data);
	c.token = data;
	memcpy(c.key, MAC_KEY, 20);
	c.key_size = 20;
	check(client_try(&c, auth, NOW_S - 1, NULL) == TP_AUTH_OK &&
	      client_try(&c, auth, NOW_S, NULL) == TP_AUTH_UNAUTHORIZED,
	      "RFC 7635: a key that has ended opens no token");
	tp_auth_free(auth);
}

/* The requests answer a challenge of another server, so all that is wrong with them here is the nonce. */
static void test_uclient(void)
{
	static const struct {
		const uint8_t *data;
		size_t size;
		const char *name;
	} cases[] = {
		{ uclient_north, sizeof(uclient_north), "north" },
		{ uclient_union, sizeof(uclient_union), "union" },
		{ uclient_oldempire, sizeof(uclient_oldempire), "oldempire" },
	};
	struct tp_conf at = conf;
	struct tp_tuple from = client_at("127.0.0.1", 40000);
	struct tp_identity identity;
	struct tp_stun_msg msg;
	struct tp_auth *auth;

	at.realm = "north.gov";
	at.server_name = "turn.example.org";
	auth = auth_new(&at);
	for (size_t i = 0; i < 3; i++)
		check(!tp_stun_parse(cases[i].data, cases[i].size, &msg) &&
		      tp_auth_check(auth, &msg, &from, UCLIENT_S, NULL, &identity) == TP_AUTH_STALE_NONCE,
		      "turnutils_uclient -J, key '%s': the token is good, the foreign nonce stale", cases[i].name);
	tp_auth_free(auth);
	at.server_name = "turn.example.com";
	auth = auth_new(&at);
	check(!tp_stun_parse(cases[0].data, cases[0].size, &msg) &&
	      tp_auth_check(auth, &msg, &from, UCLIENT_S, NULL, &identity) == TP_AUTH_UNAUTHORIZED,
	      "turnutils_uclient -J: at another server the token is refused");
	tp_auth_free(auth);
}

int main(void)
{
	struct tp_auth *auth = auth_new(&conf);

	test_rows();
	test_decode();
	test_decode_bounds();
	test_decode_inside();
	test_check(auth);
	test_key_end();
	test_uclient();
	tp_auth_free(auth);
	return done();
}
