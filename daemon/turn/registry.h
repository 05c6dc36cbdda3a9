/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the engines of all workers share: who owns a 5-tuple, a relayed address,
 * an allocation or a reservation (lock-free lookups, liburcu), what users and
 * the node have been charged for (quota.c), and which relay ports are taken
 * (port.c). Internal to turn/.
 *
 * Callers are registered QSBR readers; an entry may be looked at until the
 * thread's next quiescent state. `allocation` may only be followed by its worker.
 */
#ifndef TP_TURN_REGISTRY_H
#define TP_TURN_REGISTRY_H

#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include "turn/turn.h"

enum tp_owner_kind { TP_OWNER_TUPLE = 1, TP_OWNER_RELAYED, TP_OWNER_ID, TP_OWNER_RESERVATION, TP_OWNER_CONNECTION };

struct tp_owner {
	struct cds_lfht_node node;
	struct rcu_head rcu;
	enum tp_owner_kind kind;
	unsigned int worker;
	struct tp_allocation *allocation;
	union {
		struct tp_tuple tuple;
		struct tp_addr relayed;
		uint64_t number;	/* the allocation's id, the reservation's token, the CONNECTION-ID */
	};
};

/* An entry for an allocation; NULL: no memory, or the key is taken. */
struct tp_owner *tp_owner_add_tuple(struct tp_registry *registry, unsigned int worker, struct tp_allocation *a,
				    const struct tp_tuple *tuple);
struct tp_owner *tp_owner_add_relayed(struct tp_registry *registry, unsigned int worker, struct tp_allocation *a,
				      const struct tp_addr *relayed);
struct tp_owner *tp_owner_add_number(struct tp_registry *registry, unsigned int worker, struct tp_allocation *a,
				     enum tp_owner_kind kind, uint64_t number);
void tp_owner_remove(struct tp_registry *registry, struct tp_owner **owner); /* may be NULL inside; is afterwards */

const struct tp_owner *tp_owner_find_tuple(struct tp_registry *registry, const struct tp_tuple *tuple);
const struct tp_owner *tp_owner_find_relayed(struct tp_registry *registry, const struct tp_addr *relayed);
const struct tp_owner *tp_owner_find_number(struct tp_registry *registry, enum tp_owner_kind kind, uint64_t number);

uint64_t tp_registry_next_id(struct tp_registry *registry);
uint64_t tp_registry_seed(const struct tp_registry *registry);

/* --- quota.c: one charge per allocation or reservation, given back when its resources are really free --- */

struct tp_charge;

/*
 * 0; -EDQUOT: the user's or total quota or bps-capacity (486); -ENOSPC: the table is full (508); -EINPROGRESS: the farm
 * was asked; -ENOMEM.
 */
int tp_charge_new(struct tp_registry *registry, const struct tp_conf *conf, const struct tp_account *account,
		  const char *realm, struct tp_charge **ret);
void tp_charge_free(struct tp_registry *registry, struct tp_charge *charge);
uint32_t tp_charges_len(struct tp_registry *registry);	/* of all workers, until each is really freed */
uint64_t tp_charge_bps(const struct tp_charge *charge);	/* bytes per second granted; 0: no limit */
void tp_charge_set_bps(struct tp_registry *registry, const struct tp_conf *conf, struct tp_charge *charge);
struct tp_quota *tp_quota_new(const struct tp_conf *conf);
void tp_quota_free(struct tp_quota *quota);
struct tp_quota *tp_registry_quota(struct tp_registry *registry);
struct tp_shares *tp_registry_shares(struct tp_registry *registry);	/* NULL: there are none */

/* --- port.c: ports of single relay addresses --- */

struct tp_ports;

/* The ports of an address; made on first use, lives as long as the registry. NULL: no memory. */
struct tp_ports *tp_ports_get(struct tp_registry *registry, const struct tp_addr *addr);
/*
 * Takes a free port of first..last, searching upwards from `start` and around. `step` 2 and an even
 * `start`: even ports only; with `pair` the next port is taken too. The port, or 0: none is free.
 */
uint16_t tp_ports_take(struct tp_ports *ports, uint16_t first, uint16_t last, uint16_t start, bool even, bool pair);
void tp_ports_give(struct tp_ports *ports, uint16_t port);

struct tp_port_table *tp_port_table_new(void);
void tp_port_table_free(struct tp_port_table *table);
struct tp_port_table *tp_registry_ports(struct tp_registry *registry);

#endif
