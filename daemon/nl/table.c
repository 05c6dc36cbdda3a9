/* SPDX-License-Identifier: GPL-2.0 */
/* The chained hash that destinations and next hops are kept in. Called by the rest of nl/, under its mutex. */
#include <errno.h>
#include <stdlib.h>

#include "nl/internal.h"

int nl_table_init(struct nl_table *table, size_t buckets)
{
	size_t size = 16;

	while (size < buckets && size < (size_t)1 << 20)
		size *= 2;
	table->buckets = calloc(size, sizeof(struct nl_node *));
	if (!table->buckets)
		return -ENOMEM;
	table->mask = size - 1;
	table->len = 0;
	return 0;
}

void nl_table_fini(struct nl_table *table)
{
	free(table->buckets);
	table->buckets = NULL;
}

void nl_table_insert(struct nl_table *table, struct nl_node *node)
{
	struct nl_node **bucket = &table->buckets[node->hash & table->mask];

	node->next = *bucket;
	*bucket = node;
	table->len++;
}

void nl_table_remove(struct nl_table *table, struct nl_node *node)
{
	struct nl_node **link = &table->buckets[node->hash & table->mask];

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	table->len--;
}
