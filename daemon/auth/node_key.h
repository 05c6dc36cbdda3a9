/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The node's key: random bytes in a file of state-dir that only its owner may read. What this daemon
 * seals for the next one (nonces, tickets, integrity keys) is derived from it; see seal.h. Whoever has
 * the file and the maps has the integrity keys of live allocations, and nothing else.
 */
#ifndef TP_AUTH_NODE_KEY_H
#define TP_AUTH_NODE_KEY_H

#include <stdint.h>

#define TP_NODE_KEY_SIZE	32

/*
 * Read from `folder`, made there where there is none yet; at the start, before a thread or tp_node_key().
 * Negative errno: the process has a key of its own, which ends with it. -EBADMSG: the file holds none;
 * -EPERM: others may read or write it.
 */
int tp_node_key_load(const char *folder);

/* 0 or -EIO: no random bytes. */
int tp_node_key(uint8_t ret[TP_NODE_KEY_SIZE]);

#endif
