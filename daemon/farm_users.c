/* SPDX-License-Identifier: GPL-2.0 */
/* Who has shares of the farm's quotas here; see farm_users.h. */
#include "farm_users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MS_NS		1000000ull
/* A refusal is good for as long: who insists costs Redis two questions a second. */
#define DENIED_NS	(500 * MS_NS)
/* A share that nobody took yet: the request that it was for is given in again within milliseconds, or never. */
#define SPARE_NS	(1000 * MS_NS)
/* Keys that nobody touches end after a day: those of long calls are touched. */
#define TOUCH_NS	(3600 * 1000 * MS_NS)

int farm_users_init(struct farm_users *users)
{
	CDS_INIT_LIST_HEAD(&users->all);
	CDS_INIT_LIST_HEAD(&users->ready);
	CDS_INIT_LIST_HEAD(&users->resting);
	/* Clients choose names. */
	if (getrandom(&users->seed, sizeof(users->seed), 0) != sizeof(users->seed))
		return -EIO;
	return tp_index_init(&users->index);
}

static void user_free(struct farm_users *users, struct farm_user *user)
{
	tp_index_remove(&users->index, &user->node);
	cds_list_del(&user->all);
	cds_list_del(&user->work);
	free(user);
}

void farm_users_fini(struct farm_users *users)
{
	struct farm_user *user, *next;

	cds_list_for_each_entry_safe(user, next, &users->all, all)
		user_free(users, user);
	tp_index_fini(&users->index);
}

/* FNV-1a, seeded. */
static uint64_t name_hash(const struct farm_users *users, const char *text, size_t size, uint64_t hash)
{
	hash ^= users->seed;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return hash ^ hash >> 29;
}

static struct farm_user *user_new(const char *realm, size_t realm_size, const struct tp_account *account)
{
	struct farm_user *user = calloc(1, sizeof(*user) + realm_size + 1 + account->size);

	if (!user)
		return NULL;
	user->realm_size = realm_size;
	user->name_size = account->size;
	memcpy(user->key, realm, realm_size + 1);
	memcpy(user->key + realm_size + 1, account->text, account->size);
	CDS_INIT_LIST_HEAD(&user->work);
	return user;
}

struct farm_user *farm_user_get(struct farm_users *users, const char *realm, const struct tp_account *account)
{
	size_t realm_size = strlen(realm);
	uint64_t hash = name_hash(users, account->text, account->size, name_hash(users, realm, realm_size, 0));
	struct farm_user *user;

	for (struct tp_index_node *node = tp_index_first(&users->index, hash); node; node = tp_index_next(node)) {
		user = tp_container(node, struct farm_user, node);
		if (user->name_size == account->size && !strcmp(user->key, realm) &&
		    !memcmp(user->key + realm_size + 1, account->text, account->size))
			return user;
	}
	user = user_new(realm, realm_size, account);
	if (!user)
		return NULL;
	tp_index_add(&users->index, &user->node, hash);
	cds_list_add_tail(&user->all, &users->all);
	return user;
}

static void user_move(struct farm_user *user, struct cds_list_head *list)
{
	cds_list_del(&user->work);
	cds_list_add_tail(&user->work, list);
}

void farm_user_ready(struct farm_users *users, struct farm_user *user)
{
	user_move(user, &users->ready);
}

bool farm_user_denied(const struct farm_user *user, uint64_t now_ns)
{
	return user->denied_ns && now_ns - user->denied_ns < DENIED_NS;
}

/* A share that a request may still come for. */
static bool has_spare(const struct farm_user *user, uint64_t now_ns)
{
	return user->held > user->used && (user->asking || now_ns - user->granted_ns < SPARE_NS);
}

static bool is_untouched(const struct farm_user *user, uint64_t now_ns)
{
	return user->held && now_ns - user->touched_ns > TOUCH_NS;
}

void farm_user_settle(struct farm_users *users, struct farm_user *user, uint64_t now_ns)
{
	user->busy = false;
	cds_list_del(&user->work);
	CDS_INIT_LIST_HEAD(&user->work);
	if (user->asking || (user->held != user->used && !has_spare(user, now_ns)))
		cds_list_add_tail(&user->work, &users->ready);
	else if (user->held != user->used || (!user->used && farm_user_denied(user, now_ns)))
		cds_list_add_tail(&user->work, &users->resting);
	else if (!user->used)
		user_free(users, user);
}

struct farm_user *farm_users_next(struct farm_users *users, uint64_t now_ns, struct farm_step *ret)
{
	struct farm_user *user = NULL, *next;

	cds_list_for_each_entry_safe(user, next, &users->ready, work) {
		ret->ask = user->asking;
		ret->change = has_spare(user, now_ns) ? 0 : (int64_t)user->used - user->held;
		if (ret->ask || ret->change)
			goto found;
		farm_user_settle(users, user, now_ns);
	}
	if (cds_list_empty(&users->all))
		return NULL;
	user = cds_list_first_entry(&users->all, struct farm_user, all);
	if (user->busy || !is_untouched(user, now_ns))
		return NULL;
	*ret = (struct farm_step){ 0 };
found:
	cds_list_del(&user->work);
	CDS_INIT_LIST_HEAD(&user->work);
	cds_list_del(&user->all);
	cds_list_add_tail(&user->all, &users->all);
	user->touched_ns = now_ns;
	user->busy = true;
	return user;
}

void farm_users_wake(struct farm_users *users)
{
	cds_list_splice(&users->resting, &users->ready);
	CDS_INIT_LIST_HEAD(&users->resting);
}

void farm_users_restart(struct farm_users *users)
{
	struct farm_user *user;

	cds_list_for_each_entry(user, &users->all, all) {
		user->held = 0;
		user_move(user, &users->ready);
	}
}

void farm_users_give_up(struct farm_users *users)
{
	struct farm_user *user, *next;

	cds_list_for_each_entry_safe(user, next, &users->all, all) {
		user->busy = user->asking = false;
		user->denied_ns = 0;
		user->held = 0;
		cds_list_del(&user->work);
		CDS_INIT_LIST_HEAD(&user->work);
		if (!user->used)
			user_free(users, user);
	}
}
