/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NONCEs that carry their own proof (RFC 8489 section 9.2): "obMatJos2", the
 * security features in 4 characters, then when and for which port it was made and
 * a MAC, in 16. Made and checked by auth.c.
 */
#ifndef TP_AUTH_NONCE_H
#define TP_AUTH_NONCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/seal.h"
#include "net/addr.h"

#define TP_NONCE_SIZE	29

/*
 * Section 18.1: bits 0 and 1 of 24. The text counts from the left, as does the example
 * of RFC 8656 section 20; erratum 6290, verified, and appendix B.1 from the right.
 * Clients do either, so each feature is sent, and read, at both ends; the bits
 * between are unassigned.
 */
#define TP_NONCE_PASSWORD_ALGORITHMS	0x800001u
#define TP_NONCE_USERNAME_ANONYMITY	0x400002u

struct tp_nonce_params {
	const struct tp_seal *seal;
	const char *realm;
	uint8_t algorithms;	/* offered with it, as in tp_conf.password_algorithms */
	uint32_t features;	/* TP_NONCE_* */
};

enum tp_nonce_state {
	TP_NONCE_FOREIGN,	/* not made here with these parameters, or for another address */
	TP_NONCE_EXPIRED,	/* ours, but too old */
	TP_NONCE_VALID,
};

/* 0 or -EIO. No final zero. */
int tp_nonce_make(const struct tp_nonce_params *params, const struct tp_addr *client, uint64_t now_s,
		  char ret[TP_NONCE_SIZE]);
/* `max_age_s` 0: it never expires. */
enum tp_nonce_state tp_nonce_check(const struct tp_nonce_params *params, const struct tp_addr *client,
				   uint64_t now_s, uint32_t max_age_s, const uint8_t *nonce, size_t size);
/* The security features that a nonce, anybody's, claims at either end; 0 where it has no "nonce cookie". */
uint32_t tp_nonce_features(const uint8_t *nonce, size_t size);

#endif
