/* SPDX-License-Identifier: GPL-2.0 */
/*
 * user-quota, total-quota, bps-capacity and the size of the table: what every
 * allocation and every reservation is charged for, across all workers, until
 * its port is free again (RFC 8656 section 7.2 point 10). total-quota is a
 * realm's, as coturn counts it. What the nodes of a farm share is asked of
 * struct tp_shares.
 */
#include "turn/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "turn/index.h"

/* A realm, or a user of one: gone with its last allocation. */
struct quota_count {
	struct tp_index_node node;
	struct quota_count *realm;	/* of a user */
	uint32_t allocations;
	size_t name_size;
	char key[];		/* realm, zero, name of the user */
};

struct tp_quota {
	pthread_mutex_t lock;
	struct tp_index realms, users;
	uint32_t allocations;
	uint64_t bps;
};

struct tp_charge {
	struct quota_count *user;
	uint64_t bps;
	void *share;	/* of the farm's quota; NULL: there is none */
};

struct tp_quota *tp_quota_new(const struct tp_conf *conf)
{
	struct tp_quota *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	if (tp_index_init(&q->realms) || tp_index_init(&q->users)) {
		tp_index_fini(&q->realms);
		free(q);
		return NULL;
	}
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

void tp_quota_free(struct tp_quota *q)
{
	if (!q)
		return;
	tp_index_fini(&q->realms);
	tp_index_fini(&q->users);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

uint32_t tp_charges_len(struct tp_registry *registry)
{
	struct tp_quota *q = tp_registry_quota(registry);
	uint32_t len;

	pthread_mutex_lock(&q->lock);
	len = q->allocations;
	pthread_mutex_unlock(&q->lock);
	return len;
}

/* FNV-1a over both names and the zero between them, seeded: users choose names. */
static uint64_t name_hash(const char *realm, const struct tp_account *name, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ seed;

	for (; *realm; realm++)
		hash = (hash ^ (uint8_t)*realm) * 0x100000001b3ull;
	hash *= 0x100000001b3ull;
	for (size_t i = 0; i < name->size; i++)
		hash = (hash ^ (uint8_t)name->text[i]) * 0x100000001b3ull;
	return hash ^ hash >> 29;
}

static struct quota_count *count_find(const struct tp_index *index, const char *realm, const struct tp_account *name,
				      uint64_t hash)
{
	for (struct tp_index_node *node = tp_index_first(index, hash); node; node = tp_index_next(node)) {
		struct quota_count *count = tp_container(node, struct quota_count, node);

		if (!strcmp(count->key, realm) && count->name_size == name->size &&
		    !memcmp(count->key + strlen(realm) + 1, name->text, name->size))
			return count;
	}
	return NULL;
}

/* The count of a name, a new one of 0 if need be. NULL: no memory. */
static struct quota_count *count_get(struct tp_index *index, const char *realm, const struct tp_account *name,
				     uint64_t seed)
{
	size_t realm_size = strlen(realm) + 1;
	uint64_t hash = name_hash(realm, name, seed);
	struct quota_count *count = count_find(index, realm, name, hash);

	if (count)
		return count;
	count = malloc(sizeof(*count) + realm_size + name->size);
	if (!count)
		return NULL;
	count->realm = NULL;
	count->allocations = 0;
	memcpy(count->key, realm, realm_size);
	memcpy(count->key + realm_size, name->text, name->size);
	count->name_size = name->size;
	tp_index_add(index, &count->node, hash);
	return count;
}

static void count_put(struct tp_index *index, struct quota_count *count)
{
	if (count->allocations)
		return;
	tp_index_remove(index, &count->node);
	free(count);
}

static struct quota_count *user_get(struct tp_quota *q, const char *realm, const struct tp_account *name, uint64_t seed)
{
	static const struct tp_account nobody = { "", 0 };
	struct quota_count *of_realm = count_get(&q->realms, realm, &nobody, seed);
	struct quota_count *user = of_realm ? count_get(&q->users, realm, name, seed) : NULL;

	if (user)
		user->realm = of_realm;
	else if (of_realm)
		count_put(&q->realms, of_realm);
	return user;
}

static void user_put(struct tp_quota *q, struct quota_count *user)
{
	count_put(&q->realms, user->realm);
	count_put(&q->users, user);
}

/* What an allocation may use of bps-capacity: coturn's meaning, max-bps or what is left. */
static uint64_t bps_grant(const struct tp_quota *q, const struct tp_conf *conf, uint64_t max_bps)
{
	uint64_t left = conf->bps_capacity > q->bps ? conf->bps_capacity - q->bps : 0;

	if (!conf->bps_capacity || max_bps < left)
		return max_bps;
	return left;
}

static int quota_check(const struct tp_quota *q, const struct tp_conf *conf, const struct tp_limits *limits,
		       const struct quota_count *user)
{
	if (conf->max_allocations && q->allocations >= conf->max_allocations)
		return -ENOSPC;
	if (limits->total_quota && user->realm->allocations >= limits->total_quota)
		return -EDQUOT;
	if (limits->user_quota && user->allocations >= limits->user_quota)
		return -EDQUOT;
	if (limits->max_bps && conf->bps_capacity && !bps_grant(q, conf, limits->max_bps))
		return -EDQUOT;
	return 0;
}

/* The node's own limits. Without a charge it is only asked whether there is room. */
static int charge_locally(struct tp_registry *registry, const struct tp_conf *conf, const struct tp_limits *limits,
			  const struct tp_account *account, const char *realm, struct tp_charge *charge)
{
	struct tp_quota *q = tp_registry_quota(registry);
	struct quota_count *user;
	int err = -ENOMEM;

	pthread_mutex_lock(&q->lock);
	user = user_get(q, realm, account, tp_registry_seed(registry));
	if (user)
		err = quota_check(q, conf, limits, user);
	if (!err && charge) {
		charge->user = user;
		charge->bps = limits->max_bps ? bps_grant(q, conf, limits->max_bps) : 0;
		user->allocations++;
		user->realm->allocations++;
		q->allocations++;
		q->bps += charge->bps;
	} else if (user) {
		user_put(q, user);
	}
	pthread_mutex_unlock(&q->lock);
	return err;
}

int tp_charge_new(struct tp_registry *registry, const struct tp_conf *conf, const struct tp_account *account,
		  const char *realm, struct tp_charge **ret)
{
	struct tp_limits limits = tp_conf_limits(conf, realm);
	struct tp_shares *shares = tp_registry_shares(registry);
	struct tp_charge *charge = calloc(1, sizeof(*charge));
	int err = -ENOMEM;

	if (!charge)
		return -ENOMEM;
	/* What this node refuses, the farm is not asked about. */
	if (shares) {
		err = charge_locally(registry, conf, &limits, account, realm, NULL);
		err = err ? err : shares->take(shares, realm, account, &limits, &charge->share);
		if (err)
			goto fail;
	}
	err = charge_locally(registry, conf, &limits, account, realm, charge);
	if (err && shares)
		shares->give(shares, charge->share);
	if (err)
		goto fail;
	*ret = charge;
	return 0;
fail:
	free(charge);
	return err;
}

void tp_charge_free(struct tp_registry *registry, struct tp_charge *charge)
{
	struct tp_quota *q = tp_registry_quota(registry);
	struct tp_shares *shares = tp_registry_shares(registry);

	if (!charge)
		return;
	pthread_mutex_lock(&q->lock);
	q->allocations--;
	q->bps -= charge->bps;
	charge->user->allocations--;
	charge->user->realm->allocations--;
	user_put(q, charge->user);
	pthread_mutex_unlock(&q->lock);
	if (shares)
		shares->give(shares, charge->share);
	free(charge);
}

uint64_t tp_charge_bps(const struct tp_charge *charge)
{
	return charge->bps;
}

void tp_charge_set_bps(struct tp_registry *registry, const struct tp_conf *conf, struct tp_charge *charge)
{
	struct tp_quota *q = tp_registry_quota(registry);
	uint64_t max_bps = tp_conf_limits(conf, charge->user->key).max_bps;

	pthread_mutex_lock(&q->lock);
	q->bps -= charge->bps;
	charge->bps = max_bps ? bps_grant(q, conf, max_bps) : 0;
	/* A live allocation is never cut to nothing by a reload: 0 would mean no limit. */
	if (max_bps && !charge->bps)
		charge->bps = 1;
	q->bps += charge->bps;
	pthread_mutex_unlock(&q->lock);
}
