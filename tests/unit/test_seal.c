/* SPDX-License-Identifier: GPL-2.0 */
/* Sealed mobility tickets (RFC 8016 leaves their contents to the server). */
#include <errno.h>

#include "auth/seal.h"
#include "lib/tap.h"

static void test_keys(void)
{
	struct tp_seal seal, again;

	check_eq(tp_seal_init(&seal, "000102030405060708090a0b0c0d0e0f"), 0, "a nonce-key of 16 bytes");
	check_eq(tp_seal_init(&seal, "000102030405060708090a0b0c0d0e"), -EINVAL, "a nonce-key of 15 bytes is refused");
	check_eq(tp_seal_init(&seal, ""), -EINVAL, "an empty nonce-key is refused");
	check_eq(tp_seal_init(&seal, "000102030405060708090a0b0c0d0e0g"), -EINVAL, "other digits are refused");
	check_eq(tp_seal_init(&seal, "000102030405060708090a0b0c0d0e0f0"), -EINVAL, "half a byte is refused");
	check(!tp_seal_init(&seal, NULL) && !tp_seal_init(&again, NULL) && memcmp(&seal, &again, sizeof(seal)) == 0,
	      "without a nonce-key the keys stay the same in a process");
	check(memcmp(seal.nonce_key, seal.ticket_mac_key, TP_SEAL_KEY_SIZE) != 0 &&
	      memcmp(seal.ticket_mask_key, seal.ticket_mac_key, TP_SEAL_KEY_SIZE) != 0, "each purpose has its own key");
}

static void test_ticket(const struct tp_seal *seal)
{
	static const char text[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const struct tp_ticket ticket = { 0x0123456789abcdef, 7 }, next = { 0x0123456789abcdef, 8 };
	struct tp_ticket opened = { 0 };
	char made[TP_TICKET_SIZE], other[TP_TICKET_SIZE];
	unsigned int same = 0, foreign = 0, accepted = 0;

	check_eq(tp_ticket_make(seal, &ticket, made), 0, "a ticket is made");
	for (size_t i = 0; i < sizeof(made); i++)
		foreign += !memchr(text, made[i], sizeof(text) - 1);
	check_eq(foreign, 0, "it is text without a zero, which clients copy as a C string");
	check(!tp_ticket_open(seal, made, sizeof(made), &opened) && opened.allocation == ticket.allocation &&
	      opened.counter == ticket.counter, "it opens to what it was made of");

	tp_ticket_make(seal, &next, other);
	for (size_t i = 0; i < sizeof(made); i++)
		same += made[i] == other[i];
	check(same < 12, "the next ticket of the same allocation has nothing to do with it");

	for (size_t i = 0; i < sizeof(made); i++)
		for (int bit = 0; bit < 8; bit++) {
			made[i] = (char)(made[i] ^ 1 << bit);
			accepted += tp_ticket_open(seal, made, sizeof(made), &opened) == 0;
			made[i] = (char)(made[i] ^ 1 << bit);
		}
	check_eq(accepted, 0, "a ticket with any bit changed is refused");
	for (size_t size = 0; size < sizeof(made); size++)
		accepted += tp_ticket_open(seal, made, size, &opened) != -EBADMSG;
	check_eq(accepted, 0, "a ticket of any shorter size is refused");
}

int main(void)
{
	struct tp_seal seal, stranger;
	const struct tp_ticket ticket = { 1, 1 };
	struct tp_ticket opened;
	char made[TP_TICKET_SIZE];

	test_keys();
	tp_seal_init(&seal, "000102030405060708090a0b0c0d0e0f");
	tp_seal_init(&stranger, "000102030405060708090a0b0c0d0e0e");
	test_ticket(&seal);
	tp_ticket_make(&stranger, &ticket, made);
	check_eq(tp_ticket_open(&seal, made, sizeof(made), &opened), -EBADMSG,
		 "a ticket of another nonce-key is refused");
	return done();
}
