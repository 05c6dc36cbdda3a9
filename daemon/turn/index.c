/* SPDX-License-Identifier: GPL-2.0 */
/* See index.h. */
#include "turn/index.h"

#include <errno.h>
#include <stdlib.h>

#define INDEX_MIN 64

int tp_index_init(struct tp_index *index)
{
	index->buckets = calloc(INDEX_MIN, sizeof(struct tp_index_node *));
	index->mask = INDEX_MIN - 1;
	index->len = 0;
	return index->buckets ? 0 : -ENOMEM;
}

void tp_index_fini(struct tp_index *index)
{
	free(index->buckets);
	index->buckets = NULL;
}

/* Without memory the chains just get longer. */
static void index_grow(struct tp_index *index)
{
	size_t size = (index->mask + 1) * 2;
	struct tp_index_node **buckets = calloc(size, sizeof(struct tp_index_node *)), *node, *next;

	if (!buckets)
		return;
	for (size_t i = 0; i <= index->mask; i++) {
		for (node = index->buckets[i]; node; node = next) {
			next = node->next;
			node->next = buckets[node->hash & (size - 1)];
			buckets[node->hash & (size - 1)] = node;
		}
	}
	free(index->buckets);
	index->buckets = buckets;
	index->mask = size - 1;
}

void tp_index_add(struct tp_index *index, struct tp_index_node *node, uint64_t hash)
{
	if (index->len > index->mask)
		index_grow(index);
	node->hash = hash;
	node->next = index->buckets[hash & index->mask];
	index->buckets[hash & index->mask] = node;
	index->len++;
}

void tp_index_remove(struct tp_index *index, struct tp_index_node *node)
{
	struct tp_index_node **at = &index->buckets[node->hash & index->mask];

	while (*at && *at != node)
		at = &(*at)->next;
	if (*at) {
		*at = node->next;
		index->len--;
	}
}

struct tp_index_node *tp_index_first(const struct tp_index *index, uint64_t hash)
{
	struct tp_index_node *node = index->buckets[hash & index->mask];

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct tp_index_node *tp_index_next(const struct tp_index_node *node)
{
	uint64_t hash = node->hash;

	for (node = node->next; node && node->hash != hash; node = node->next)
		;
	return (struct tp_index_node *)node;
}
