/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which ports of the relay addresses are taken, shared by all workers: a bitmap
 * per address, so that a nearly full range costs a scan of words, not of
 * bind() calls. A port is given back when its socket was closed, that is after
 * the grace period and the harvest of its flows.
 */
#include "turn/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PORTS_MAX_ADDRESSES 4096	/* reloads may bring new addresses */

struct tp_ports {
	struct tp_ports *next;
	struct tp_addr addr;
	_Atomic uint64_t taken[65536 / 64];
};

struct tp_port_table {
	pthread_mutex_t lock;		/* of the list's growth; entries stay */
	_Atomic(struct tp_ports *) head;
	unsigned int len;
};

struct tp_port_table *tp_port_table_new(void)
{
	struct tp_port_table *table = calloc(1, sizeof(*table));

	if (table)
		pthread_mutex_init(&table->lock, NULL);
	return table;
}

void tp_port_table_free(struct tp_port_table *table)
{
	struct tp_ports *ports, *next;

	if (!table)
		return;
	for (ports = atomic_load(&table->head); ports; ports = next) {
		next = ports->next;
		free(ports);
	}
	pthread_mutex_destroy(&table->lock);
	free(table);
}

static struct tp_ports *table_find(struct tp_port_table *table, const struct tp_addr *addr)
{
	struct tp_ports *ports = atomic_load_explicit(&table->head, memory_order_acquire);

	while (ports && !tp_addr_same_ip(&ports->addr, addr))
		ports = ports->next;
	return ports;
}

struct tp_ports *tp_ports_get(struct tp_registry *registry, const struct tp_addr *addr)
{
	struct tp_port_table *table = tp_registry_ports(registry);
	struct tp_ports *ports = table_find(table, addr);

	if (ports)
		return ports;
	pthread_mutex_lock(&table->lock);
	ports = table_find(table, addr);
	if (!ports && table->len < PORTS_MAX_ADDRESSES) {
		ports = calloc(1, sizeof(*ports));
		if (ports) {
			ports->addr = *addr;
			ports->next = atomic_load(&table->head);
			atomic_store_explicit(&table->head, ports, memory_order_release);
			table->len++;
		}
	}
	pthread_mutex_unlock(&table->lock);
	return ports;
}

static bool port_take(struct tp_ports *ports, uint32_t port)
{
	uint64_t bit = 1ull << port % 64;

	if (atomic_load_explicit(&ports->taken[port / 64], memory_order_relaxed) & bit)
		return false;
	return !(atomic_fetch_or(&ports->taken[port / 64], bit) & bit);
}

static bool port_take_with_next(struct tp_ports *ports, uint32_t port, bool pair)
{
	if (!port_take(ports, port))
		return false;
	if (!pair || port_take(ports, port + 1))
		return true;
	tp_ports_give(ports, (uint16_t)port);
	return false;
}

uint16_t tp_ports_take(struct tp_ports *ports, uint16_t first, uint16_t last, uint16_t start, bool even, bool pair)
{
	uint32_t len = (uint32_t)last - first + 1, port;

	for (uint32_t i = 0; i < len; i++) {
		port = first + (start - first + i) % len;
		/* A full word is skipped whole; the step stays inside the range. */
		if (port % 64 == 0 && port + 63 <= last && i + 63 < len &&
		    atomic_load_explicit(&ports->taken[port / 64], memory_order_relaxed) == UINT64_MAX) {
			i += 63;
			continue;
		}
		if ((even && port & 1) || (pair && port == last))
			continue;
		if (port_take_with_next(ports, port, pair))
			return (uint16_t)port;
	}
	return 0;
}

void tp_ports_give(struct tp_ports *ports, uint16_t port)
{
	atomic_fetch_and(&ports->taken[port / 64], ~(1ull << port % 64));
}
