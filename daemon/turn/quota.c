/* SPDX-License-Identifier: GPL-2.0 */
/*
 * user-quota, total-quota, bps-capacity and the size of the table: what every
 * allocation and every reservation is charged for, across all workers, until
 * its port is free again (RFC 8656 section 7.2 point 10).
 */
#include "turn/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "turn/index.h"

struct quota_user {
	struct tp_index_node node;
	uint32_t allocations;
	size_t name_size;
	char key[];		/* realm, zero, name */
};

struct tp_quota {
	pthread_mutex_t lock;
	struct tp_index users;
	uint32_t allocations;
	uint64_t bps;
};

struct tp_charge {
	struct quota_user *user;
	uint64_t bps;
};

struct tp_quota *tp_quota_new(const struct tp_conf *conf)
{
	struct tp_quota *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	if (tp_index_init(&q->users)) {
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
	tp_index_fini(&q->users);
	pthread_mutex_destroy(&q->lock);
	free(q);
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

static struct quota_user *user_get(struct tp_quota *q, const char *realm, const struct tp_account *name, uint64_t seed)
{
	size_t realm_size = strlen(realm) + 1;
	uint64_t hash = name_hash(realm, name, seed);
	struct tp_index_node *node = tp_index_first(&q->users, hash);
	struct quota_user *user;

	for (; node; node = tp_index_next(node)) {
		user = tp_container(node, struct quota_user, node);
		if (!strcmp(user->key, realm) && user->name_size == name->size &&
		    !memcmp(user->key + realm_size, name->text, name->size))
			return user;
	}
	user = malloc(sizeof(*user) + realm_size + name->size);
	if (!user)
		return NULL;
	user->allocations = 0;
	memcpy(user->key, realm, realm_size);
	memcpy(user->key + realm_size, name->text, name->size);
	user->name_size = name->size;
	tp_index_add(&q->users, &user->node, hash);
	return user;
}

static void user_put(struct tp_quota *q, struct quota_user *user)
{
	if (user->allocations)
		return;
	tp_index_remove(&q->users, &user->node);
	free(user);
}

/* What an allocation may use of bps-capacity: coturn's meaning, max-bps or what is left. */
static uint64_t bps_grant(const struct tp_quota *q, const struct tp_conf *conf)
{
	uint64_t left = conf->bps_capacity > q->bps ? conf->bps_capacity - q->bps : 0;

	if (!conf->bps_capacity || conf->max_bps < left)
		return conf->max_bps;
	return left;
}

static int quota_check(const struct tp_quota *q, const struct tp_conf *conf, const struct quota_user *user)
{
	if (conf->max_allocations && q->allocations >= conf->max_allocations)
		return -ENOSPC;
	if (conf->total_quota && q->allocations >= conf->total_quota)
		return -EDQUOT;
	if (conf->user_quota && user->allocations >= conf->user_quota)
		return -EDQUOT;
	if (conf->max_bps && conf->bps_capacity && !bps_grant(q, conf))
		return -EDQUOT;
	return 0;
}

int tp_charge_new(struct tp_registry *registry, const struct tp_conf *conf, const struct tp_account *account,
		  const char *realm, struct tp_charge **ret)
{
	struct tp_quota *q = tp_registry_quota(registry);
	struct tp_charge *charge = calloc(1, sizeof(*charge));
	int err = -ENOMEM;

	if (!charge)
		return -ENOMEM;
	pthread_mutex_lock(&q->lock);
	charge->user = user_get(q, realm, account, tp_registry_seed(registry));
	if (charge->user) {
		err = quota_check(q, conf, charge->user);
		if (err) {
			user_put(q, charge->user);
		} else {
			charge->user->allocations++;
			charge->bps = conf->max_bps ? bps_grant(q, conf) : 0;
			q->allocations++;
			q->bps += charge->bps;
		}
	}
	pthread_mutex_unlock(&q->lock);
	if (err) {
		free(charge);
		return err;
	}
	*ret = charge;
	return 0;
}

void tp_charge_free(struct tp_registry *registry, struct tp_charge *charge)
{
	struct tp_quota *q = tp_registry_quota(registry);

	if (!charge)
		return;
	pthread_mutex_lock(&q->lock);
	q->allocations--;
	q->bps -= charge->bps;
	charge->user->allocations--;
	user_put(q, charge->user);
	pthread_mutex_unlock(&q->lock);
	free(charge);
}

uint64_t tp_charge_bps(const struct tp_charge *charge)
{
	return charge->bps;
}

void tp_charge_set_bps(struct tp_registry *registry, const struct tp_conf *conf, struct tp_charge *charge)
{
	struct tp_quota *q = tp_registry_quota(registry);

	pthread_mutex_lock(&q->lock);
	q->bps -= charge->bps;
	charge->bps = conf->max_bps ? bps_grant(q, conf) : 0;
	/* A live allocation is never cut to nothing by a reload: 0 would mean no limit. */
	if (conf->max_bps && !charge->bps)
		charge->bps = 1;
	q->bps += charge->bps;
	pthread_mutex_unlock(&q->lock);
}
