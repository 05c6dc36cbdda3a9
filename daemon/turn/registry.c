/* SPDX-License-Identifier: GPL-2.0 */
/* The table of owners that all workers share; see registry.h. */
#include "turn/registry.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "conf.h"

#define BUCKETS_MIN	1024ul
#define BUCKETS_MAX	(1ul << 21)

struct tp_registry {
	struct cds_lfht *owners;
	uint64_t seed;			/* of the hash: clients choose keys */
	_Atomic uint64_t next_id;
	unsigned int workers;
	struct tp_quota *quota;
	struct tp_shares *shares;
	struct tp_port_table *ports;
};

static unsigned long buckets_for(const struct tp_conf *conf)
{
	unsigned long buckets = BUCKETS_MIN;

	/* Three or four entries per allocation; the table does not resize, so that no helper thread is needed. */
	while (buckets < BUCKETS_MAX && buckets < 2ul * conf->max_allocations)
		buckets *= 2;
	return buckets;
}

struct tp_registry *tp_registry_new(const struct tp_conf *conf, unsigned int workers)
{
	struct tp_registry *r = calloc(1, sizeof(*r));
	uint64_t random[2];
	unsigned long buckets = buckets_for(conf);

	if (!r)
		return NULL;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		goto fail;
	r->workers = workers;
	r->seed = random[0];
	/* Ids are handles for tools and tickets, unlike those of an earlier run. */
	atomic_init(&r->next_id, random[1] & 0x0000ffffff000000ull);
	r->owners = cds_lfht_new(buckets, buckets, buckets, 0, NULL);
	r->quota = tp_quota_new(conf);
	r->ports = tp_port_table_new();
	if (r->owners && r->quota && r->ports)
		return r;
fail:
	tp_registry_free(r);
	return NULL;
}

void tp_registry_free(struct tp_registry *r)
{
	if (!r)
		return;
	/* Entries that still wait for their grace period are freed without it: see owner_free_rcu(). */
	if (r->owners)
		cds_lfht_destroy(r->owners, NULL);
	tp_quota_free(r->quota);
	tp_port_table_free(r->ports);
	free(r);
}

uint64_t tp_registry_next_id(struct tp_registry *r)
{
	return atomic_fetch_add(&r->next_id, 1) + 1;
}

uint64_t tp_registry_seed(const struct tp_registry *r)
{
	return r->seed;
}

struct tp_quota *tp_registry_quota(struct tp_registry *r)
{
	return r->quota;
}

void tp_registry_set_shares(struct tp_registry *r, struct tp_shares *shares)
{
	r->shares = shares;
}

struct tp_shares *tp_registry_shares(struct tp_registry *r)
{
	return r->shares;
}

struct tp_port_table *tp_registry_ports(struct tp_registry *r)
{
	return r->ports;
}

/* splitmix64's finalizer */
static uint64_t number_hash(uint64_t n, uint64_t seed)
{
	n ^= seed;
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9ull;
	n = (n ^ n >> 27) * 0x94d049bb133111ebull;
	return n ^ n >> 31;
}

static uint64_t owner_hash(const struct tp_registry *r, const struct tp_owner *key)
{
	switch (key->kind) {
	case TP_OWNER_TUPLE:
		return tp_tuple_hash(&key->tuple, r->seed);
	case TP_OWNER_RELAYED:
		return tp_addr_hash(&key->relayed, r->seed);
	default:
		return number_hash(key->number, r->seed);
	}
}

static int owner_match(struct cds_lfht_node *node, const void *arg)
{
	const struct tp_owner *owner = caa_container_of(node, struct tp_owner, node), *key = arg;

	if (owner->kind != key->kind)
		return 0;
	switch (key->kind) {
	case TP_OWNER_TUPLE:
		return tp_tuple_equal(&owner->tuple, &key->tuple);
	case TP_OWNER_RELAYED:
		return tp_addr_equal(&owner->relayed, &key->relayed);
	default:
		return owner->number == key->number;
	}
}

static struct tp_owner *owner_add(struct tp_registry *r, const struct tp_owner *key)
{
	struct tp_owner *owner = malloc(sizeof(*owner));
	struct cds_lfht_node *node;

	if (!owner)
		return NULL;
	*owner = *key;
	cds_lfht_node_init(&owner->node);
	rcu_read_lock();
	node = cds_lfht_add_unique(r->owners, (unsigned long)owner_hash(r, owner), owner_match, owner, &owner->node);
	rcu_read_unlock();
	if (node == &owner->node)
		return owner;
	free(owner);
	return NULL;
}

static const struct tp_owner *owner_find(struct tp_registry *r, const struct tp_owner *key)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	rcu_read_lock();
	cds_lfht_lookup(r->owners, (unsigned long)owner_hash(r, key), owner_match, key, &iter);
	node = cds_lfht_iter_get_node(&iter);
	rcu_read_unlock();
	return node ? caa_container_of(node, struct tp_owner, node) : NULL;
}

struct tp_owner *tp_owner_add_tuple(struct tp_registry *r, unsigned int worker, struct tp_allocation *a,
				    const struct tp_tuple *tuple)
{
	struct tp_owner key = { .kind = TP_OWNER_TUPLE, .worker = worker, .allocation = a, .tuple = *tuple };

	return owner_add(r, &key);
}

struct tp_owner *tp_owner_add_relayed(struct tp_registry *r, unsigned int worker, struct tp_allocation *a,
				      const struct tp_addr *relayed)
{
	struct tp_owner key = { .kind = TP_OWNER_RELAYED, .worker = worker, .allocation = a, .relayed = *relayed };

	return owner_add(r, &key);
}

struct tp_owner *tp_owner_add_number(struct tp_registry *r, unsigned int worker, struct tp_allocation *a,
				     enum tp_owner_kind kind, uint64_t number)
{
	struct tp_owner key = { .kind = kind, .worker = worker, .allocation = a, .number = number };

	return owner_add(r, &key);
}

static void owner_free_rcu(struct rcu_head *head)
{
	free(caa_container_of(head, struct tp_owner, rcu));
}

void tp_owner_remove(struct tp_registry *r, struct tp_owner **owner)
{
	if (!*owner)
		return;
	rcu_read_lock();
	cds_lfht_del(r->owners, &(*owner)->node);
	rcu_read_unlock();
	call_rcu(&(*owner)->rcu, owner_free_rcu);
	*owner = NULL;
}

const struct tp_owner *tp_owner_find_tuple(struct tp_registry *r, const struct tp_tuple *tuple)
{
	struct tp_owner key = { .kind = TP_OWNER_TUPLE, .tuple = *tuple };

	return owner_find(r, &key);
}

const struct tp_owner *tp_owner_find_relayed(struct tp_registry *r, const struct tp_addr *relayed)
{
	struct tp_owner key = { .kind = TP_OWNER_RELAYED, .relayed = *relayed };

	return owner_find(r, &key);
}

const struct tp_owner *tp_owner_find_number(struct tp_registry *r, enum tp_owner_kind kind, uint64_t number)
{
	struct tp_owner key = { .kind = kind, .number = number };

	return owner_find(r, &key);
}
