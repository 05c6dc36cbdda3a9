/* SPDX-License-Identifier: GPL-2.0 */
/* Quotas of a farm in Redis: what workers ask, and the thread that asks Redis; see farm.h. */
#include "farm.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "auth/redis.h"
#include "conf.h"
#include "farm_users.h"
#include "log.h"

#define SECOND_NS	1000000000ull
#define ANSWER_S	2			/* Redis is slow beyond it */
#define REFRESH_NS	(2 * SECOND_NS)		/* of the lease */
#define TICK_NS		(SECOND_NS / 2)		/* who rests is looked at */
#define BATCH_MAX	128			/* commands on their way without their answers */
#define KEYS_TTL_MS	86400000u
#define SUBSCRIBERS_MAX	1024			/* worker threads: relay-threads */
#define KEY_NODES	"turnpike/quota/nodes"
#define KEY_REALM	"turnpike/quota/realm/"

/* Both scripts go by Redis' own clock: the nodes' clocks need not agree. */
#define LUA_NOW "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "

/* ARGV: node, lease in ms, 1 where the name is new, the old name. How many nodes there are; 0: the lease was lost. */
static const char lease_lua[] = LUA_NOW
	"local ends = redis.call('HGET', KEYS[1], ARGV[1]) "
	"if ARGV[3] == '0' and (not ends or tonumber(ends) <= now) then return 0 end "
	"redis.call('HDEL', KEYS[1], ARGV[4]) "
	"redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2])) "
	"local all, alive = redis.call('HGETALL', KEYS[1]), 0 "
	"for i = 1, #all, 2 do "
	"  if tonumber(all[i + 1]) > now then alive = alive + 1 else redis.call('HDEL', KEYS[1], all[i]) end "
	"end "
	"redis.call('PEXPIRE', KEYS[1], 2 * ARGV[2]) "
	"return alive";

/*
 * KEYS: nodes, the user, the realm; ARGV: node, change, 1 where one more is asked for, user-quota, total-quota, life
 * of the keys. 1; 0: the change is made, but there is no room for one more; -1: the lease was lost, nothing is done.
 */
static const char share_lua[] = LUA_NOW
	"local ends = redis.call('HGET', KEYS[1], ARGV[1]) "
	"if not ends or tonumber(ends) <= now then return -1 end "
	"local change, granted = tonumber(ARGV[2]), 1 "
	"local function has_room(key, quota) "
	"  if quota == 0 then return true end "
	"  local all, sum = redis.call('HGETALL', key), change "
	"  for i = 1, #all, 2 do "
	"    local lease = redis.call('HGET', KEYS[1], all[i]) "
	"    if lease and tonumber(lease) > now then sum = sum + all[i + 1] else redis.call('HDEL', key, all[i]) end "
	"  end "
	"  return sum < quota "
	"end "
	"if ARGV[3] == '1' then "
	"  if has_room(KEYS[2], tonumber(ARGV[4])) and has_room(KEYS[3], tonumber(ARGV[5])) "
	"  then change = change + 1 else granted = 0 end "
	"end "
	"for i = 2, 3 do "
	"  if redis.call('HINCRBY', KEYS[i], ARGV[1], change) < 1 then redis.call('HDEL', KEYS[i], ARGV[1]) "
	"  else redis.call('PEXPIRE', KEYS[i], ARGV[6]) end "
	"end "
	"return granted";

struct subscriber {
	void (*fn)(void *arg);
	void *arg;
};

struct tp_farm {
	struct tp_shares shares;	/* first: what workers have of it */
	struct tp_redis_conninfo conninfo;
	pthread_t thread;
	bool running;
	struct subscriber *subscriber;
	size_t subscribers_len;

	/* the thread's */
	redisContext *conn;
	char node[17], old_node[17];	/* the name of now, and of the connection before */
	char lease_sha[41], share_sha[41];
	uint64_t lease_due_ns, tick_due_ns;

	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t work;
	bool stop;
	bool up;
	struct farm_users users;
	struct tp_farm_info info;
};

/* A command that is under way. */
struct said {
	struct farm_user *user;
	struct farm_step step;
	long long answer;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* --- for workers --- */

/* Counted here, and told later. */
static void use(struct tp_farm *farm, struct farm_user *user, bool alone)
{
	user->used++;
	farm->info.alone += alone;
	farm_user_ready(&farm->users, user);
	pthread_cond_signal(&farm->work);
}

static int ask(struct tp_farm *farm, struct farm_user *user, uint64_t now)
{
	if (!user->asking) {
		user->asking = true;
		user->asked_ns = now;
		farm->info.asked++;
	}
	farm_user_ready(&farm->users, user);
	pthread_cond_signal(&farm->work);
	return -EINPROGRESS;
}

static int take_locked(struct tp_farm *farm, struct farm_user *user, const struct tp_limits *limits)
{
	uint64_t now = now_ns();

	user->limits = *limits;
	if (user->used < user->held) {
		user->used++;
		return 0;
	}
	if (!farm->up || (!limits->user_quota && !limits->total_quota)) {
		use(farm, user, !farm->up);
		return 0;
	}
	if (farm_user_denied(user, now))
		return -EDQUOT;
	/* The client has asked again meanwhile: it is not to wait longer for a Redis that is slow. */
	if (user->asking && now - user->asked_ns > ANSWER_S * SECOND_NS) {
		use(farm, user, true);
		return 0;
	}
	return ask(farm, user, now);
}

static int farm_take(struct tp_shares *shares, const char *realm, const struct tp_account *account,
		     const struct tp_limits *limits, void **ret_share)
{
	struct tp_farm *farm = (struct tp_farm *)shares;
	struct farm_user *user;
	int r = -ENOMEM;

	pthread_mutex_lock(&farm->lock);
	user = farm_user_get(&farm->users, realm, account);
	if (user)
		r = take_locked(farm, user, limits);
	pthread_mutex_unlock(&farm->lock);
	*ret_share = user;
	return r;
}

static void farm_give(struct tp_shares *shares, void *share)
{
	struct tp_farm *farm = (struct tp_farm *)shares;
	struct farm_user *user = share;

	pthread_mutex_lock(&farm->lock);
	user->used--;
	if (!farm->up) {
		farm_user_settle(&farm->users, user, now_ns());
	} else {
		farm_user_ready(&farm->users, user);
		pthread_cond_signal(&farm->work);
	}
	pthread_mutex_unlock(&farm->lock);
}

/* --- the thread: talking to Redis --- */

static void notify(struct tp_farm *farm)
{
	for (size_t i = 0; i < farm->subscribers_len; i++)
		farm->subscriber[i].fn(farm->subscriber[i].arg);
}

/* With the lock. The node's own quota decides from now on; who waits is told. */
static void set_down(struct tp_farm *farm, const char *why)
{
	if (farm->up || !farm->info.error[0])
		tp_warning("redis-quotadb: %s; the quotas of this node alone hold", why);
	farm->up = false;
	farm->info.failures++;
	farm->info.nodes = 0;
	snprintf(farm->info.error, sizeof(farm->info.error), "%s", why);
	farm_users_give_up(&farm->users);
	redisFree(farm->conn);
	farm->conn = NULL;
	pthread_mutex_unlock(&farm->lock);
	notify(farm);
	pthread_mutex_lock(&farm->lock);
}

/* An integer answer; -1 and why. */
static long long take_integer(redisContext *conn, redisReply *reply, char *why, size_t size)
{
	long long r = -1;

	if (reply && reply->type == REDIS_REPLY_INTEGER)
		r = reply->integer;
	else
		snprintf(why, size, "%s", !reply ? conn->errstr : reply->type == REDIS_REPLY_ERROR ? reply->str :
						   "an answer of another kind");
	if (reply && r < 0 && reply->type == REDIS_REPLY_INTEGER)
		snprintf(why, size, "the lease of this node was lost");
	if (reply)
		freeReplyObject(reply);
	return r;
}

static bool load_script(redisContext *conn, const char *text, char ret_sha[41], char *why, size_t size)
{
	redisReply *reply = redisCommand(conn, "SCRIPT LOAD %s", text);
	bool good = reply && reply->type == REDIS_REPLY_STRING && reply->len == 40;

	if (good)
		memcpy(ret_sha, reply->str, 41);
	else
		snprintf(why, size, "SCRIPT LOAD: %.100s", reply && reply->type == REDIS_REPLY_ERROR ? reply->str : conn->errstr);
	if (reply)
		freeReplyObject(reply);
	return good;
}

/* How many nodes there are; 0 or -1 and why: there is no lease. */
static long long send_lease(struct tp_farm *farm, bool fresh, char *why, size_t size)
{
	redisReply *reply = redisCommand(farm->conn, "EVALSHA %s 1 " KEY_NODES " %s %d %d %s", farm->lease_sha, farm->node,
					 TP_FARM_LEASE_S * 1000, (int)fresh, farm->old_node);
	long long r = take_integer(farm->conn, reply, why, size);

	if (r == 0)
		snprintf(why, size, "the lease of this node was lost");
	farm->lease_due_ns = now_ns() + REFRESH_NS;
	return r;
}

static bool connect_node(struct tp_farm *farm, char *why, size_t size, long long *ret_nodes)
{
	const struct timeval answer = { .tv_sec = ANSWER_S };
	uint64_t name;

	if (getrandom(&name, sizeof(name), 0) != sizeof(name)) {
		snprintf(why, size, "no random number");
		return false;
	}
	farm->conn = tp_redis_connect(&farm->conninfo, why, size);
	if (!farm->conn)
		return false;
	memcpy(farm->old_node, farm->node, sizeof(farm->node));
	snprintf(farm->node, sizeof(farm->node), "%016llx", (unsigned long long)name);
	redisSetTimeout(farm->conn, answer);
	if (!load_script(farm->conn, lease_lua, farm->lease_sha, why, size) ||
	    !load_script(farm->conn, share_lua, farm->share_sha, why, size))
		return false;
	*ret_nodes = send_lease(farm, true, why, size);
	return *ret_nodes > 0;
}

static void append(struct tp_farm *farm, const struct farm_user *user, const struct farm_step *step)
{
	const char *name = user->key + user->realm_size + 1;

	redisAppendCommand(farm->conn, "EVALSHA %s 3 " KEY_NODES " " KEY_REALM "%b/user/%b " KEY_REALM "%b/total "
			   "%s %lld %d %u %u %u", farm->share_sha, user->key, user->realm_size, name, user->name_size,
			   user->key, user->realm_size, farm->node, (long long)step->change, (int)step->ask,
			   user->limits.user_quota, user->limits.total_quota, KEYS_TTL_MS);
}

/* The answers in their order; false and why: the connection is of no use any more. */
static bool take_answers(struct tp_farm *farm, struct said *said, size_t len, char *why, size_t size)
{
	for (size_t i = 0; i < len; i++) {
		void *reply = NULL;

		redisGetReply(farm->conn, &reply);
		said[i].answer = take_integer(farm->conn, reply, why, size);
		if (said[i].answer < 0)
			return false;
	}
	return true;
}

/* --- the thread: what it does; all with the lock, which is not held while Redis is asked --- */

static void wait_until(struct tp_farm *farm, uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / SECOND_NS), .tv_nsec = (long)(until_ns % SECOND_NS) };

	pthread_cond_clockwait(&farm->work, &farm->lock, CLOCK_MONOTONIC, &until);
}

static void begin(struct tp_farm *farm)
{
	char why[128] = "";
	long long nodes = 0;
	uint64_t until;
	bool good;

	pthread_mutex_unlock(&farm->lock);
	good = connect_node(farm, why, sizeof(why), &nodes);
	pthread_mutex_lock(&farm->lock);
	if (good) {
		tp_notice("redis-quotadb: quotas hold for the whole farm, %lld nodes now", nodes);
		farm->up = true;
		farm->info.nodes = (uint64_t)nodes;
		farm->info.error[0] = 0;
		farm_users_restart(&farm->users);
		return;
	}
	set_down(farm, why);
	for (until = now_ns() + SECOND_NS; !farm->stop && now_ns() < until;)
		wait_until(farm, until);
}

static void renew_lease(struct tp_farm *farm)
{
	char why[128] = "";
	long long nodes;

	pthread_mutex_unlock(&farm->lock);
	nodes = send_lease(farm, false, why, sizeof(why));
	pthread_mutex_lock(&farm->lock);
	if (nodes > 0)
		farm->info.nodes = (uint64_t)nodes;
	else
		set_down(farm, why);
}

/* True: somebody waits for what came of it. */
static bool apply(struct tp_farm *farm, const struct said *said, uint64_t now)
{
	struct farm_user *user = said->user;
	bool granted = said->step.ask && said->answer;

	user->held = (uint32_t)(user->held + said->step.change + granted);
	if (said->step.ask) {
		user->asking = false;
		user->granted_ns = granted ? now : user->granted_ns;
		user->denied_ns = granted ? 0 : now;
		farm->info.granted += granted;
		farm->info.refused += !granted;
	}
	farm_user_settle(&farm->users, user, now);
	return said->step.ask;
}

static size_t collect(struct tp_farm *farm, struct said said[BATCH_MAX])
{
	size_t len;

	for (len = 0; len < BATCH_MAX; len++) {
		said[len].user = farm_users_next(&farm->users, now_ns(), &said[len].step);
		if (!said[len].user)
			break;
		/* Under the lock: workers may write the limits. */
		append(farm, said[len].user, &said[len].step);
	}
	return len;
}

/* False: there was nothing to say. */
static bool say(struct tp_farm *farm)
{
	struct said said[BATCH_MAX];
	size_t len = collect(farm, said);
	char why[128] = "";
	bool good, awaited = false;

	if (!len)
		return false;
	pthread_mutex_unlock(&farm->lock);
	good = take_answers(farm, said, len, why, sizeof(why));
	pthread_mutex_lock(&farm->lock);
	if (!good) {
		set_down(farm, why);
		return true;
	}
	for (size_t i = 0; i < len; i++)
		awaited |= apply(farm, &said[i], now_ns());
	if (awaited) {
		pthread_mutex_unlock(&farm->lock);
		notify(farm);
		pthread_mutex_lock(&farm->lock);
	}
	return true;
}

static void *run(void *arg)
{
	struct tp_farm *farm = arg;

	pthread_mutex_lock(&farm->lock);
	while (!farm->stop) {
		uint64_t now = now_ns();

		if (!farm->up) {
			begin(farm);
			continue;
		}
		if (now >= farm->lease_due_ns) {
			renew_lease(farm);
			continue;
		}
		if (now >= farm->tick_due_ns) {
			farm_users_wake(&farm->users);
			farm->tick_due_ns = now + TICK_NS;
		}
		if (!say(farm) && !farm->stop)
			wait_until(farm, farm->tick_due_ns < farm->lease_due_ns ? farm->tick_due_ns : farm->lease_due_ns);
	}
	farm->up = false;
	pthread_mutex_unlock(&farm->lock);
	/* What the node held is void with its name. */
	if (farm->conn)
		freeReplyObject(redisCommand(farm->conn, "HDEL " KEY_NODES " %s", farm->node));
	return NULL;
}

/* --- life --- */

struct tp_farm *tp_farm_new(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_farm *farm;
	char why[128] = "out of memory";

	snprintf(err, err_size, "%s", "");
	if (!conf->redis_quotadb)
		return NULL;
	farm = calloc(1, sizeof(*farm));
	if (!farm || tp_redis_conninfo_parse(conf->redis_quotadb, &farm->conninfo, why, sizeof(why))) {
		free(farm);
		snprintf(err, err_size, "redis-quotadb: %s", why);
		return NULL;
	}
	farm->shares = (struct tp_shares){ .take = farm_take, .give = farm_give };
	pthread_mutex_init(&farm->lock, NULL);
	pthread_cond_init(&farm->work, NULL);
	if (farm_users_init(&farm->users)) {
		tp_farm_free(farm);
		snprintf(err, err_size, "redis-quotadb: out of memory");
		return NULL;
	}
	return farm;
}

int tp_farm_subscribe(struct tp_farm *farm, void (*fn)(void *arg), void *arg)
{
	struct subscriber *grown;

	if (farm->subscribers_len == SUBSCRIBERS_MAX)
		return -ENOSPC;
	grown = reallocarray(farm->subscriber, farm->subscribers_len + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	farm->subscriber = grown;
	grown[farm->subscribers_len++] = (struct subscriber){ fn, arg };
	return 0;
}

/* Signals are the control thread's. */
int tp_farm_start(struct tp_farm *farm)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&farm->thread, NULL, run, farm);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	farm->running = !err;
	return -err;
}

void tp_farm_stop(struct tp_farm *farm)
{
	pthread_mutex_lock(&farm->lock);
	farm->stop = true;
	pthread_cond_signal(&farm->work);
	pthread_mutex_unlock(&farm->lock);
	if (farm->running)
		pthread_join(farm->thread, NULL);
	farm->running = false;
}

void tp_farm_free(struct tp_farm *farm)
{
	if (!farm)
		return;
	tp_farm_stop(farm);
	farm_users_fini(&farm->users);
	redisFree(farm->conn);
	tp_redis_conninfo_fini(&farm->conninfo);
	pthread_cond_destroy(&farm->work);
	pthread_mutex_destroy(&farm->lock);
	free(farm->subscriber);
	free(farm);
}

struct tp_shares *tp_farm_shares(struct tp_farm *farm)
{
	return &farm->shares;
}

void tp_farm_read(struct tp_farm *farm, struct tp_farm_info *ret)
{
	pthread_mutex_lock(&farm->lock);
	*ret = farm->info;
	ret->down = !farm->up;
	pthread_mutex_unlock(&farm->lock);
}
