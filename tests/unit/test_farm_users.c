/* SPDX-License-Identifier: GPL-2.0 */
/* Shares of a farm's quotas: what is told to Redis about a user and when, and that nobody stays who has none. */
#include <string.h>

#include "farm_users.h"
#include "lib/tap.h"

#define S	1000000000ull

static struct farm_users users;
static struct farm_step step;

static struct farm_user *get(const char *realm, const char *name)
{
	const struct tp_account account = { name, strlen(name) };

	return farm_user_get(&users, realm, &account);
}

/* As farm.c when Redis has answered. */
static void answer(struct farm_user *user, bool granted, uint64_t now)
{
	user->held = (uint32_t)(user->held + step.change + granted);
	if (step.ask) {
		user->asking = false;
		user->granted_ns = granted ? now : user->granted_ns;
		user->denied_ns = granted ? 0 : now;
	}
	farm_user_settle(&users, user, now);
}

static struct farm_user *question(uint64_t now)
{
	struct farm_user *user = get("r", "alice");

	user->asking = true;
	farm_user_ready(&users, user);
	return farm_users_next(&users, now, &step);
}

static void test_life(void)
{
	uint64_t now = 1000 * S;
	struct farm_user *user = question(now);

	check(user == get("r", "alice") && user != get("r", "bob") && get("q", "alice") != user, "users of their realms");
	check(step.ask && !step.change && !farm_users_next(&users, now, &step), "a question is asked once");
	step.ask = true;
	answer(user, true, now);
	check(user->held == 1 && !farm_users_next(&users, now, &step), "a share waits for the request that asked");
	user->used = 1;
	farm_user_settle(&users, user, now);
	farm_users_wake(&users);
	check(!farm_users_next(&users, now + 2 * S, &step), "of who has what is told nothing is to be said");
	user->used = 0;
	farm_user_ready(&users, user);
	check(farm_users_next(&users, now + 2 * S, &step) == user && step.change == -1 && !step.ask, "a share is given back");
	answer(user, false, now + 2 * S);
	check_eq(users.index.len, 2, "and who has none is forgotten");
}

static void test_spare(void)
{
	uint64_t now = 2000 * S;
	struct farm_user *user = question(now);

	answer(user, true, now);
	farm_users_wake(&users);
	check(!farm_users_next(&users, now + S / 2, &step), "a share that nobody came for is kept a moment");
	farm_users_wake(&users);
	check(farm_users_next(&users, now + 2 * S, &step) == user && step.change == -1, "and then given back");
	answer(user, false, now + 2 * S);
	check_eq(users.index.len, 2, "its user is forgotten");
}

static void test_denied(void)
{
	uint64_t now = 3000 * S;
	struct farm_user *user = question(now);

	answer(user, false, now);
	check(farm_user_denied(user, now + S / 4) && !farm_user_denied(user, now + S), "a refusal is good for half a second");
	farm_users_wake(&users);
	check(!farm_users_next(&users, now + S, &step) && users.index.len == 2, "and then forgotten");
}

static void test_outage(void)
{
	uint64_t now = 4000 * S;
	struct farm_user *user = question(now);

	answer(user, true, now);
	user->used = 1;
	farm_users_give_up(&users);
	check_eq(users.index.len, 1, "Redis is gone: who has no allocation is forgotten");
	user->used = 3;
	farm_users_restart(&users);
	check(farm_users_next(&users, now, &step) == user && step.change == 3 && !step.ask, "it is back: all is told");
	answer(user, false, now);
	check(user->held == 3 && !farm_users_next(&users, now + S, &step), "once");
	check(farm_users_next(&users, now + 7200 * S, &step) == user && !step.change && !step.ask,
	      "what is counted for hours is touched, so that its key stays");
	answer(user, false, now + 7200 * S);
	check(!farm_users_next(&users, now + 7201 * S, &step), "now and then");
}

int main(void)
{
	if (farm_users_init(&users))
		return 1;
	test_life();
	test_spare();
	test_denied();
	test_outage();
	farm_users_fini(&users);
	return done();
}
