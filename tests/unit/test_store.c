/* SPDX-License-Identifier: GPL-2.0 */
/* User stores: what is remembered, what happens while one is slow or down, bounds; SQLite in coturn's schema. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/redis.h"
#include "auth/store_backend.h"
#include "auth/store_cache.h"
#include "conf.h"
#include "lib/fake_store.h"
#include "lib/tap.h"

static void answer(const struct store_query *query, struct store_rows *ret)
{
	if (query->kind == TP_STORE_SECRET) {
		store_rows_add(ret, "north", 5);
		store_rows_add(ret, "south", 5);
	} else if (strcmp(query->realm, "r") == 0 && query->name[0] == 'u') {
		store_rows_add(ret, query->name, strlen(query->name));
	}
}

static enum tp_store_result get(struct tp_store *store, const char *name)
{
	char text[TP_STORE_TEXT_SIZE];

	return tp_store_get(store, TP_STORE_USER, "r", name, strlen(name), 0, text);
}

static void test_remembered(void)
{
	struct tp_store *store = store_begin(answer);
	char text[TP_STORE_TEXT_SIZE] = "";

	fake_set(true, false);
	check_eq(get(store, "u1"), TP_STORE_PENDING, "what is not known is pending, and nobody waits");
	check_eq(get(store, "u1"), TP_STORE_PENDING, "and stays so while the store has not answered");
	fake_set(false, false);
	check(get_wait(store, TP_STORE_USER, "r", "u1", 0, text) == TP_STORE_FOUND && !strcmp(text, "u1"), "then found");
	check_eq(fake.asked, 1, "by one question");
	check_eq(get_wait(store, TP_STORE_USER, "r", "nobody", 0, text), TP_STORE_ABSENT, "a name that is not there");
	check_eq(get_wait(store, TP_STORE_USER, "q", "u1", 0, text), TP_STORE_ABSENT, "a name of another realm");
	check_eq(fake.asked, 3, "two more questions");
	check(get(store, "u1") == TP_STORE_FOUND && get(store, "nobody") == TP_STORE_ABSENT && fake.asked == 3,
	      "both answers are remembered");
	check(get_wait(store, TP_STORE_SECRET, "r", "", 1, text) == TP_STORE_FOUND && !strcmp(text, "south"),
	      "the second secret of a realm");
	check_eq(tp_store_get(store, TP_STORE_SECRET, "r", "", 0, 2, text), TP_STORE_ABSENT, "there is no third");
	tp_store_free(store);
}

/* Names are bytes of strangers: they never reach the store unless they are UTF-8 text (RFC 8489 section 14.3). */
static void test_names(void)
{
	static const struct {
		const char *name;
		size_t size;
	} bad[] = { { "u\0x", 3 }, { "u\xff", 2 }, { "u\xc0\xaf", 3 }, { "u\xed\xa0\x80", 4 }, { "u\xf4\x90\x80\x80", 5 },
		    { "u\xe2\x82", 3 }, { "u\x80", 2 } };
	struct tp_store *store = store_begin(answer);
	char text[TP_STORE_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_eq(tp_store_get(store, TP_STORE_USER, "r", bad[i].name, bad[i].size, 0, text), TP_STORE_ABSENT,
			 "bytes that are no text, %zu: absent, without a question", i);
	check_eq(fake.asked, 0, "none was asked");
	check_eq(get_wait(store, TP_STORE_USER, "r", "u\xe2\x82\xac", 0, text), TP_STORE_FOUND, "text of three bytes is");
	tp_store_free(store);
}

static void test_down(void)
{
	struct tp_store *store;
	struct tp_store_info info;
	char text[TP_STORE_TEXT_SIZE];

	settings.store_fresh_s = 0;	/* every answer is asked for again */
	store = store_begin(answer);
	fake_set(false, false);
	/* Fresh for no time: the answer shows as the entry that the failing store falls back to. */
	check_eq(get(store, "u1"), TP_STORE_PENDING, "a first look-up");
	check(wait_asked(1), "is asked");
	fake_set(false, true);
	check_eq(get_wait(store, TP_STORE_USER, "r", "u2", 0, text), TP_STORE_DOWN, "a failure is its own answer");
	tp_store_read(store, &info);
	check(info.down && info.failures >= 1 && !strcmp(info.error, "connection refused"), "with its reason and counter");
	check(get(store, "u1") == TP_STORE_FOUND, "a user known already stays while the store is down");
	tp_store_read(store, &info);
	check(info.stale >= 1, "which is counted");
	check_eq(get(store, "u3"), TP_STORE_DOWN, "one that is not known is refused at once");
	tp_store_free(store);
	settings.store_fresh_s = 60;
}

static void test_keep_ends(void)
{
	struct tp_store *store;
	char text[TP_STORE_TEXT_SIZE];

	settings.store_fresh_s = settings.store_keep_s = 0;
	store = store_begin(answer);
	check_eq(get(store, "u1"), TP_STORE_PENDING, "a look-up with store-keep=0");
	check(wait_asked(1), "is asked");
	fake_set(false, true);
	check_eq(get_wait(store, TP_STORE_USER, "r", "u1", 0, text), TP_STORE_DOWN,
		 "after store-keep nobody is known any more while the store is down");
	tp_store_free(store);
	settings.store_fresh_s = 60;
	settings.store_keep_s = 3600;
}

/* A flood of names: the queue and the memory of what is absent are bounded, and the known user is not evicted. */
static void test_bounds(void)
{
	struct tp_store *store = store_begin(answer);
	struct tp_store_info info;
	char name[32], text[TP_STORE_TEXT_SIZE];

	get_wait(store, TP_STORE_USER, "r", "u1", 0, text);
	fake_set(true, false);
	for (unsigned int i = 0; i < 2 * TP_STORE_ABSENT_MAX; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		get(store, name);
	}
	tp_store_read(store, &info);
	check(info.absent <= TP_STORE_ABSENT_MAX, "%llu unknown names are remembered, not more than the bound",
	      (unsigned long long)info.absent);
	check(info.refused >= 2 * TP_STORE_ABSENT_MAX - TP_STORE_QUEUE_MAX - 1, "questions beyond the queue are counted");
	check_eq(get(store, "u1"), TP_STORE_FOUND, "a known user is not pushed out by unknown names");
	fake_set(false, false);
	check_eq(get_wait(store, TP_STORE_USER, "r", "u2", 0, text), TP_STORE_FOUND, "and the queue drains");
	tp_store_free(store);
}

static void test_cache_eviction(void)
{
	struct store_cache cache;
	struct store_rows rows = { 0 };
	struct cache_entry *entry;
	char name[32];

	check_eq(store_cache_init(&cache), 0, "a cache");
	store_rows_add(&rows, "key", 3);
	for (unsigned int i = 0; i < TP_STORE_FOUND_MAX + 100; i++) {
		int size = snprintf(name, sizeof(name), "u%u", i);

		entry = store_cache_get(&cache, TP_STORE_USER, "r", name, (size_t)size);
		store_cache_answer(&cache, entry, &rows, 1);
	}
	check(cache.found_len == TP_STORE_FOUND_MAX && cache.others_len == 0, "found answers are bounded");
	entry = store_cache_get(&cache, TP_STORE_USER, "r", "u0", 2);
	check(entry->state == CACHE_UNKNOWN, "the least recently used went");
	entry = store_cache_get(&cache, TP_STORE_USER, "r", name, strlen(name));
	check(entry->state == CACHE_FOUND && !strcmp(cache_entry_text(entry, 0), "key") && !cache_entry_text(entry, 1),
	      "the last is there");
	store_cache_fini(&cache);
}

static char db_path[] = "/tmp/tp-store-XXXXXX";

/* coturn's schema and rows of its testsqldbsetup.sql. */
static void make_db(void)
{
	static const char sql[] =
		"CREATE TABLE turnusers_lt (realm varchar(127) default '', name varchar(512), hmackey char(128),"
		" PRIMARY KEY (realm,name));"
		"CREATE TABLE turn_secret (realm varchar(127) default '', value varchar(256), primary key (realm,value));"
		"CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint default 0,"
		" lifetime integer default 0, as_rs_alg varchar(64) default '', realm varchar(127), primary key (kid));"
		"CREATE TABLE allowed_peer_ip (realm varchar(127) default '', ip_range varchar(256));"
		"CREATE TABLE denied_peer_ip (realm varchar(127) default '', ip_range varchar(256));"
		"CREATE TABLE turn_origin_to_realm (origin varchar(127), realm varchar(127), primary key (origin));"
		"INSERT INTO allowed_peer_ip VALUES ('', '172.17.13.200');"
		"INSERT INTO denied_peer_ip VALUES ('north.gov', '172.17.17.133-172.17.19.56'), ('crinna.org', '123::77'),"
		" ('', 'nonsense');"
		"CREATE TABLE turn_realm_option (realm varchar(127) default '', opt varchar(32), value varchar(128),"
		" primary key (realm,opt));"
		"INSERT INTO turn_realm_option VALUES ('north.gov', 'max-bps', '500000'), ('north.gov', 'user-quota', '10000'),"
		" ('crinna.org', 'total-quota', '0'), ('crinna.org', 'max-bps', '-1'), ('', 'user-quota', '7'),"
		" ('north.gov', 'other', '1');"
		"INSERT INTO turn_origin_to_realm VALUES ('http://crinna.org:80', 'crinna.org');"
		"INSERT INTO turnusers_lt VALUES ('north.gov', 'ninefingers', 'bc807ee29df3c9ffa736523fb2c4e8ee');"
		"INSERT INTO turn_secret VALUES ('north.gov', 'logen'), ('north.gov', 'bloody9');"
		"INSERT INTO oauth_key VALUES ('north', 'MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK', 0, 0, '', 'crinna.org');";
	sqlite3 *db;

	if (sqlite3_open(db_path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		abort();
	sqlite3_close(db);
}

/* coturn's turn_realm_option: what a realm has of its own stands for the configuration's, 0 is no limit. */
static void test_realm_options(struct tp_conf *conf)
{
	struct tp_limits limits = tp_conf_limits(conf, "north.gov");

	check(limits.max_bps == 500000 && limits.user_quota == 10000 && limits.total_quota == 100, "a realm's own limits");
	limits = tp_conf_limits(conf, "crinna.org");
	check(limits.max_bps == 1000 && limits.total_quota == 0 && limits.user_quota == 0,
	      "a limit of 0 lifts the configuration's; a negative one is none");
	check_eq(tp_conf_limits(conf, "default.org").user_quota, 7, "options without a realm are the default realm's");
	limits = tp_conf_limits(conf, "elsewhere");
	check(limits.max_bps == 1000 && limits.total_quota == 100 && !limits.user_quota, "other realms have the configuration's");
}

/* coturn's allowed_peer_ip, denied_peer_ip and turn_origin_to_realm in a configuration. */
static void test_lists(struct tp_store *store)
{
	struct tp_conf *conf = tp_conf_default();
	char text[TP_ADDR_STRLEN];

	conf->realm = strdup("default.org");
	conf->max_bps = 1000;
	conf->total_quota = 100;
	check(tp_store_wait_lists(store, DEADLINE_S * 1000), "the lists are fetched");
	check_eq(tp_store_apply_lists(store, conf), 0, "and applied");
	check(conf->allowed_len == 1 && !conf->allowed[0].realm, "an allowed range of every realm");
	check(conf->denied_len == 2 && !strcmp(conf->denied[0].realm, "crinna.org") &&
	      !strcmp(conf->denied[1].realm, "north.gov") &&
	      !strcmp(tp_addr_format_ip(&conf->denied[1].last, text), "172.17.19.56"),
	      "denied ranges of their realms; what is none is left out");
	check(conf->origin_realm.len == 1 && !strcmp(conf->origin_realm.items[0], "http://crinna.org:80,crinna.org"),
	      "an origin with its realm");
	test_realm_options(conf);
	tp_conf_free(conf);
	conf = tp_conf_default();
	conf->no_dynamic_ip_list = conf->no_dynamic_realms = true;
	check(tp_store_apply_lists(store, conf) == 0 && !conf->allowed_len && !conf->denied_len &&
	      !conf->origin_realm.len && !conf->realm_limits_len, "no-dynamic-ip-list and no-dynamic-realms leave them out");
	tp_conf_free(conf);
}

static void test_sqlite(void)
{
	struct tp_conf conf = settings;
	struct tp_store_info info;
	struct tp_store *store;
	char err[128], text[TP_STORE_TEXT_SIZE];
	int fd = mkstemp(db_path);

	close(fd);
	make_db();
	conf.userdb = db_path;
	store = tp_store_new(&conf, err, sizeof(err));
	if (!check(store != NULL, "a store of SQLite"))
		return;
	tp_store_subscribe(store, on_answer, NULL);
	tp_store_start(store);
	check(get_wait(store, TP_STORE_USER, "north.gov", "ninefingers", 0, text) == TP_STORE_FOUND &&
	      !strcmp(text, "bc807ee29df3c9ffa736523fb2c4e8ee"), "coturn's user");
	check_eq(get_wait(store, TP_STORE_USER, "north.gov", "x' OR '1'='1", 0, text), TP_STORE_ABSENT,
		 "a name is never part of the query");
	check(get_wait(store, TP_STORE_SECRET, "north.gov", "", 1, text) == TP_STORE_FOUND, "coturn's secrets");
	check(get_wait(store, TP_STORE_OAUTH_KEY, "", "north", 0, text) == TP_STORE_FOUND &&
	      !strcmp(text, "north,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK,0,0,A256GCM"), "coturn's oauth_key");
	test_lists(store);
	tp_store_read(store, &info);
	check(!info.down && info.lookups == 4 && !strcmp(info.kind, "sqlite"), "four look-ups");
	tp_store_free(store);
	unlink(db_path);

	store = tp_store_new(&conf, err, sizeof(err));
	tp_store_subscribe(store, on_answer, NULL);
	tp_store_start(store);
	check_eq(get_wait(store, TP_STORE_USER, "r", "u", 0, text), TP_STORE_DOWN, "a file that is not there is a store down");
	tp_store_read(store, &info);
	check(strstr(info.error, "unable to open database file") != NULL, "and says why");
	tp_store_free(store);
}

static void test_conninfo(void)
{
	struct tp_conf conf = { 0 };
	struct tp_redis_conninfo info;
	char err[128];

	check(!tp_store_new(&conf, err, sizeof(err)) && !*err, "no store is none, and no error");
	conf.psql_userdb = "hunter2 nonsense";
	check(!tp_store_new(&conf, err, sizeof(err)) && *err && !strstr(err, "hunter2"), "a bad libpq string, not repeated");
	conf.psql_userdb = NULL;
	conf.redis_userdb = "ip=127.0.0.1 port=99999 password=hunter2";
	check(!tp_store_new(&conf, err, sizeof(err)) && strstr(err, "port is no setting"), "a bad port of Redis");
	check_eq(tp_redis_conninfo_parse("ip=127.0.0.2 dbname=2 password=turn port=6380 connect_timeout=30", &info, err,
					 sizeof(err)), 0, "coturn's example");
	check(!strcmp(info.host, "127.0.0.2") && info.port == 6380 && info.database == 2 && !strcmp(info.password, "turn"),
	      "is understood");
	tp_redis_conninfo_fini(&info);
}

int main(void)
{
	test_remembered();
	test_names();
	test_down();
	test_keep_ends();
	test_bounds();
	test_cache_eviction();
	test_sqlite();
	test_conninfo();
	return done();
}
