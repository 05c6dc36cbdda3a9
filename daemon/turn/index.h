/* SPDX-License-Identifier: GPL-2.0 */
/* A hash index with intrusive nodes that grows by itself. One thread, or its owner's lock. Used all over turn/. */
#ifndef TP_TURN_INDEX_H
#define TP_TURN_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct tp_index_node {
	struct tp_index_node *next;
	uint64_t hash;
};

struct tp_index {
	struct tp_index_node **buckets;
	size_t mask;
	size_t len;
};

int tp_index_init(struct tp_index *index);	/* -ENOMEM */
void tp_index_fini(struct tp_index *index);
void tp_index_add(struct tp_index *index, struct tp_index_node *node, uint64_t hash); /* cannot fail */
void tp_index_remove(struct tp_index *index, struct tp_index_node *node);

/* The nodes of one hash; the caller compares keys. */
struct tp_index_node *tp_index_first(const struct tp_index *index, uint64_t hash);
struct tp_index_node *tp_index_next(const struct tp_index_node *node);

#define tp_container(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
