/* SPDX-License-Identifier: GPL-2.0 */
/* Connection handles; see conn.h. */
#include <stddef.h>
#include <stdlib.h>

#include "net/conn.h"

/* Worker, generation and slot in one pointer-sized word. A generation is never 0: no handle is NULL. */
#define SLOT_BITS	24
#define GENERATION_BITS 32
#define SLOT_MASK	((1u << SLOT_BITS) - 1)

_Static_assert(sizeof(void *) == sizeof(uint64_t), "handles are 64 bits");

struct conn_slot {
	void *object;		/* NULL: free */
	uint32_t generation;
	uint32_t next_free;	/* index + 1 */
	uint8_t kind;
};

struct tp_conns {
	unsigned int worker;
	uint32_t max, live;
	uint32_t size;		/* of slots: grows up to max */
	uint32_t first_free;	/* index + 1 */
	struct conn_slot *slots;
};

struct tp_conns *tp_conns_new(unsigned int worker, uint32_t max)
{
	struct tp_conns *conns = calloc(1, sizeof(*conns));

	if (!conns)
		return NULL;
	conns->worker = worker;
	conns->max = max < SLOT_MASK ? max : SLOT_MASK;
	return conns;
}

void tp_conns_free(struct tp_conns *conns)
{
	if (!conns)
		return;
	free(conns->slots);
	free(conns);
}

static int grow(struct tp_conns *conns)
{
	uint32_t size = conns->size ? conns->size * 2 : 64;
	struct conn_slot *slots;

	if (size > conns->max)
		size = conns->max;
	if (size == conns->size)
		return -1;
	slots = realloc(conns->slots, size * sizeof(*slots));
	if (!slots)
		return -1;
	for (uint32_t i = size; i-- > conns->size;) {
		slots[i] = (struct conn_slot){ .next_free = conns->first_free };
		conns->first_free = i + 1;
	}
	conns->slots = slots;
	conns->size = size;
	return 0;
}

void *tp_conns_add(struct tp_conns *conns, enum tp_conn_kind kind, void *object)
{
	struct conn_slot *slot;
	uint32_t index;

	if (!conns->first_free && grow(conns))
		return NULL;
	index = conns->first_free - 1;
	slot = &conns->slots[index];
	conns->first_free = slot->next_free;
	conns->live++;
	slot->object = object;
	slot->kind = (uint8_t)kind;
	if (!++slot->generation)
		slot->generation = 1;
	return (void *)((uint64_t)conns->worker << (SLOT_BITS + GENERATION_BITS) |
			(uint64_t)slot->generation << SLOT_BITS | index);
}

static struct conn_slot *slot_of(const struct tp_conns *conns, const void *conn)
{
	uint64_t handle = (uint64_t)conn;
	uint32_t index = handle & SLOT_MASK;

	if (tp_conn_worker(conn) != conns->worker || index >= conns->size ||
	    conns->slots[index].generation != (uint32_t)(handle >> SLOT_BITS) || !conns->slots[index].object)
		return NULL;
	return &conns->slots[index];
}

void tp_conns_remove(struct tp_conns *conns, const void *conn)
{
	struct conn_slot *slot = slot_of(conns, conn);

	if (!slot)
		return;
	slot->object = NULL;
	slot->next_free = conns->first_free;
	conns->first_free = (uint32_t)(slot - conns->slots) + 1;
	conns->live--;
}

void *tp_conns_find(const struct tp_conns *conns, const void *conn, enum tp_conn_kind kind)
{
	const struct conn_slot *slot = slot_of(conns, conn);

	return slot && slot->kind == kind ? slot->object : NULL;
}

uint32_t tp_conns_live(const struct tp_conns *conns)
{
	return conns->live;
}

unsigned int tp_conn_worker(const void *conn)
{
	return (unsigned int)((uint64_t)conn >> (SLOT_BITS + GENERATION_BITS));
}
