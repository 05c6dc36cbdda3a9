/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What comes sealed: access tokens (RFC 7635), mobility tickets, and oauth-key rows.
 * The first byte chooses. A token is given as it is, and with the input as what is
 * inside it, sealed rightly, so that the fuzzer gets past the AEAD.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth/seal.h"
#include "auth/text.h"
#include "auth/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK_MAX 256
#define SERVER "turn.example.org"

static struct tp_token_key key = { .kid = "north", .key = "01234567890123456789012345678901", .key_size = 32 };

static void must(bool good)
{
	if (!good)
		abort();
}

static void token_decode(const uint8_t *data, size_t size)
{
	struct tp_token token;

	if (tp_token_decode(&key, SERVER, data, size, &token) == 0)
		must(token.mac_key_size >= TP_TOKEN_MAC_KEY_MIN && token.mac_key_size <= TP_TOKEN_MAC_KEY_MAX);
}

static void token_seal_and_decode(const uint8_t *block, size_t size)
{
	uint8_t data[2 + 12 + BLOCK_MAX + 16] = { 0, 12 }, *exact;
	EVP_CIPHER_CTX *c;
	int n;

	if (size > BLOCK_MAX)
		return;
	c = EVP_CIPHER_CTX_new();
	must(c && EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key.key, data + 2, NULL) &&
	     EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)SERVER, (int)strlen(SERVER)) &&
	     EVP_EncryptUpdate(c, data + 14, &n, block, (int)size) &&
	     EVP_EncryptFinal_ex(c, data + 14 + size, &n) &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, data + 14 + size));
	EVP_CIPHER_CTX_free(c);
	exact = malloc(14 + size + 16);
	must(exact != NULL);
	memcpy(exact, data, 14 + size + 16);
	token_decode(exact, 14 + size + 16);
	free(exact);
}

static void ticket_open(const uint8_t *data, size_t size)
{
	static struct tp_seal seal;
	static bool ready;
	struct tp_ticket ticket = { 0 }, opened;
	char text[TP_TICKET_SIZE];

	if (!ready)
		must(tp_seal_init(&seal, "000102030405060708090a0b0c0d0e0f") == 0);
	ready = true;
	/* The fuzzer does not know the key: what it makes up must never open. */
	must(tp_ticket_open(&seal, data, size, &opened) != 0);
	memcpy(&ticket.allocation, data, size < 8 ? size : 8);
	must(tp_ticket_make(&seal, &ticket, text) == 0);
	must(tp_ticket_open(&seal, text, sizeof(text), &opened) == 0 && opened.allocation == ticket.allocation &&
	     opened.counter == 0);
}

static void row_parse(const uint8_t *data, size_t size)
{
	struct tp_token_key parsed;
	const char *reason = NULL;
	char *row = malloc(size + 1);

	must(row != NULL);
	memcpy(row, data, size);
	row[size] = 0;
	if (tp_token_key_parse(row, &parsed, &reason) == 0)
		must(parsed.kid[0] && (parsed.key_size == 16 || parsed.key_size == 32));
	else
		must(reason != NULL);
	free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	switch (data[0] % 4) {
	case 0:
		token_decode(data + 1, size - 1);
		break;
	case 1:
		token_seal_and_decode(data + 1, size - 1);
		break;
	case 2:
		ticket_open(data + 1, size - 1);
		break;
	default:
		row_parse(data + 1, size - 1);
	}
	return 0;
}
