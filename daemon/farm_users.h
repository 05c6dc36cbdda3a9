/* SPDX-License-Identifier: GPL-2.0 */
/* Who has shares of the farm's quotas here, and what is to be told about it; farm.c's, under its lock. */
#ifndef TP_FARM_USERS_H
#define TP_FARM_USERS_H

#include <urcu/list.h>

#include "conf.h"
#include "farm.h"
#include "turn/index.h"

struct farm_user {
	struct tp_index_node node;
	struct cds_list_head all;	/* farm_users.all: those untouched for longest first */
	struct cds_list_head work;	/* in `ready` or `resting`, or empty */
	bool busy;			/* a command about it is under way: it is not freed */
	bool asking;			/* one more share is wanted */
	uint32_t used;			/* allocations of this node */
	uint32_t held;			/* what Redis counts for this node */
	struct tp_limits limits;	/* of the question */
	uint64_t asked_ns, granted_ns, denied_ns, touched_ns;
	size_t realm_size, name_size;	/* without zeroes */
	char key[];			/* realm, zero, name */
};

struct farm_users {
	struct tp_index index;
	uint64_t seed;
	struct cds_list_head all;
	struct cds_list_head ready;	/* there is something to tell or to ask */
	struct cds_list_head resting;	/* will be, in a moment */
};

/* What is to be said about a user in one command. */
struct farm_step {
	int64_t change;		/* of what Redis counts, in any case */
	bool ask;		/* and one more, if there is room */
};

int farm_users_init(struct farm_users *users);
void farm_users_fini(struct farm_users *users);

/* The user, a new one if need be. NULL: no memory. */
struct farm_user *farm_user_get(struct farm_users *users, const char *realm, const struct tp_account *account);
void farm_user_ready(struct farm_users *users, struct farm_user *user);
/* Puts a user where it belongs when something was said about it, or frees it: nothing holds it any more. */
void farm_user_settle(struct farm_users *users, struct farm_user *user, uint64_t now_ns);
/* The next one of whom there is something to say, busy, or NULL. */
struct farm_user *farm_users_next(struct farm_users *users, uint64_t now_ns, struct farm_step *ret);
void farm_users_wake(struct farm_users *users);		/* who rested is looked at again */
void farm_users_restart(struct farm_users *users);	/* Redis counts nothing for this node: all is to be told */
void farm_users_give_up(struct farm_users *users);	/* no question will be answered */

bool farm_user_denied(const struct farm_user *user, uint64_t now_ns);	/* a moment ago */

#endif
