/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What turnpike hands out and wants back unchanged, without keeping it: NONCEs, and
 * mobility tickets (RFC 8016), which turn/ makes and opens. All keys come from
 * nonce-key, which a farm shares; without one, from the node's key, which is in a
 * file and outlives the process, or failing that a secret of this process that
 * outlives every reload.
 *
 * Tickets are sealed deterministically, with a synthetic IV: the MAC of the contents
 * is also what they are masked with. No nonce, so there is none to use twice.
 */
#ifndef TP_AUTH_SEAL_H
#define TP_AUTH_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TP_SEAL_KEY_SIZE	32
#define TP_SEAL_SECRET_MIN	16	/* bytes of nonce-key: at least, and at most */
#define TP_SEAL_SECRET_MAX	64

struct tp_seal {
	uint8_t nonce_key[TP_SEAL_KEY_SIZE];
	uint8_t ticket_mac_key[TP_SEAL_KEY_SIZE];
	uint8_t ticket_mask_key[TP_SEAL_KEY_SIZE];
	/* Of the node's key always: what is kept is for the next daemon here, not for the farm. */
	uint8_t keep_mac_key[TP_SEAL_KEY_SIZE];
	uint8_t keep_mask_key[TP_SEAL_KEY_SIZE];
};


/* `hex`: nonce-key, or NULL. 0; -EINVAL: not hexadecimal, too short or too long; -EIO: no entropy. */
int tp_seal_init(struct tp_seal *ret, const char *hex);

/* Text of base64url characters: clients are known to copy tickets as C strings. */
#define TP_TICKET_SIZE	32

/*
 * `counter` counts an allocation's tickets: a ticket whose counter is not the
 * allocation's latest has been used or replaced.
 */
struct tp_ticket {
	uint64_t allocation;
	uint32_t counter;
};

/* 0 or -EIO. No final zero. */
int tp_ticket_make(const struct tp_seal *seal, const struct tp_ticket *ticket, char ret[TP_TICKET_SIZE]);
/* 0, or -EBADMSG where it is none of this key's. */
int tp_ticket_open(const struct tp_seal *seal, const void *text, size_t size, struct tp_ticket *ret);

/*
 * An integrity key, sealed together with the record that it belongs to, which is in the clear: the
 * MAC of both is what the key is masked with. A record that was changed does not open: -EBADMSG.
 */
#define TP_SEALED_KEY_SIZE	48
#define TP_SEALED_SECRET_SIZE	32

int tp_key_seal(const struct tp_seal *seal, const void *record, size_t size,
		const uint8_t key[TP_SEALED_SECRET_SIZE], uint8_t ret[TP_SEALED_KEY_SIZE]);
int tp_key_unseal(const struct tp_seal *seal, const void *record, size_t size,
		  const uint8_t sealed[TP_SEALED_KEY_SIZE], uint8_t ret[TP_SEALED_SECRET_SIZE]);

#endif
