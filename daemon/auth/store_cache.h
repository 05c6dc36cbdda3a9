/* SPDX-License-Identifier: GPL-2.0 */
/* The answers that a store remembers; inside daemon/auth. Not locked: store.c does. */
#ifndef TP_AUTH_STORE_CACHE_H
#define TP_AUTH_STORE_CACHE_H

#include <urcu/list.h>

#include "auth/store_backend.h"

enum cache_state { CACHE_UNKNOWN, CACHE_FOUND, CACHE_ABSENT };

struct cache_entry {
	struct cache_entry *next;	/* of its bucket */
	struct cds_list_head used;	/* least recently used first */
	struct cds_list_head waiting;	/* of the store's queue */
	bool wanted;			/* in the queue, or under way: it is not evicted */
	uint8_t kind;			/* enum tp_store_kind */
	uint8_t state;			/* enum cache_state */
	uint32_t hash;
	uint64_t fetched_ns;
	char *text;			/* FOUND: `len` strings one after the other */
	size_t text_size;
	unsigned int len;
	size_t realm_size, name_size;	/* with their final zeroes */
	char key[];			/* realm, name */
};

struct store_cache {
	struct cache_entry **bucket;
	struct cds_list_head found, others;
	size_t found_len, others_len;
	uint64_t seed;
};

int store_cache_init(struct store_cache *cache);
void store_cache_fini(struct store_cache *cache);

/* The entry, a new CACHE_UNKNOWN one if need be; it becomes the most recently used. NULL: no memory. */
struct cache_entry *store_cache_get(struct store_cache *cache, enum tp_store_kind kind, const char *realm,
				    const void *name, size_t name_size);
/* An answer: the rows, or that there are none. Where memory lacks the entry is as before. */
void store_cache_answer(struct store_cache *cache, struct cache_entry *entry, const struct store_rows *rows,
			uint64_t now_ns);
/* The index-th string, or NULL. */
const char *cache_entry_text(const struct cache_entry *entry, size_t index);

#endif
