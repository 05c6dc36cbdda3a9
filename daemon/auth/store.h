/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Users in a database: SQLite, PostgreSQL or Redis with coturn's own tables and key
 * names. Looking up never waits: what is not known is asked for by the store's own
 * thread, and who asked is told when there is an answer. One store per process; get and
 * read may be called from any thread.
 *
 *   found      is an answer for store-fresh seconds (60), and while the store is down, or takes
 *              more than half a second, for store-keep (3600)
 *   absent     is an answer for store-absent seconds (5)
 *   down       for one second after a failure nothing is asked; then the next look-up tries again
 *
 * Bounds: TP_STORE_FOUND_MAX and TP_STORE_ABSENT_MAX remembered answers, the least recently
 * used go first; TP_STORE_QUEUE_MAX questions waiting, further ones are counted and not asked.
 */
#ifndef TP_AUTH_STORE_H
#define TP_AUTH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tp_conf;
struct tp_store;

#define TP_STORE_FOUND_MAX	65536
#define TP_STORE_ABSENT_MAX	8192
#define TP_STORE_QUEUE_MAX	1024
#define TP_STORE_TEXT_SIZE	512	/* of one value, with its final zero */

enum tp_store_kind {
	TP_STORE_USER,		/* turnusers_lt: the key in hexadecimal digits */
	TP_STORE_SECRET,	/* turn_secret: the secrets of a realm; no name */
	TP_STORE_OAUTH_KEY,	/* oauth_key: "kid,ikm_key,timestamp,lifetime,as_rs_alg"; no realm */
};

enum tp_store_result {
	TP_STORE_FOUND,
	TP_STORE_ABSENT,	/* or no value with that index */
	TP_STORE_PENDING,	/* the subscribers are told when there is an answer */
	TP_STORE_DOWN,
};

/* What the configuration names. NULL with an empty `err`: it names none; else what is wrong. */
struct tp_store *tp_store_new(const struct tp_conf *conf, char *err, size_t err_size);
/* The thread, with the privileges that the caller has now. Questions may be waiting already. 0 or a negative errno. */
int tp_store_start(struct tp_store *store);
/* Ends the thread: nobody is told any more. Waits for a question that is under way: some seconds at most. */
void tp_store_stop(struct tp_store *store);
void tp_store_free(struct tp_store *store);	/* stops it where that was not done; NULL is fine */

/* Called on the store's thread after answers or a failure, for whoever got TP_STORE_PENDING. Before the first look-up. */
typedef void (*tp_store_notify_fn)(void *arg);
int tp_store_subscribe(struct tp_store *store, tp_store_notify_fn fn, void *arg);

/* The value with an index, for TP_STORE_USER and TP_STORE_OAUTH_KEY 0. */
enum tp_store_result tp_store_get(struct tp_store *store, enum tp_store_kind kind, const char *realm, const void *name,
				  size_t name_size, size_t index, char ret[TP_STORE_TEXT_SIZE]);

/*
 * What a store has for everybody: allowed_peer_ip, denied_peer_ip, turn_origin_to_realm and turn_realm_option.
 * They are fetched at the start and every store-fresh seconds; `changed` is called on the store's thread when
 * they differ from before. While the store is down the last ones stay. Set before the start.
 */
void tp_store_on_lists(struct tp_store *store, tp_store_notify_fn changed, void *arg);
/* Until they were fetched, or that failed; false: not in this time. */
bool tp_store_wait_lists(struct tp_store *store, unsigned int timeout_ms);
/* Adds them to a configuration that nobody reads yet. Rows that make no sense are logged. 0 or -ENOMEM. */
int tp_store_apply_lists(struct tp_store *store, struct tp_conf *conf);

struct tp_store_info {
	const char *kind;	/* "sqlite", "pgsql", "redis" */
	bool down;
	char error[160];	/* why; empty: it is not */
	uint64_t lookups;	/* asked of the store */
	uint64_t failures;
	uint64_t refused;	/* not asked: too many were waiting */
	uint64_t stale;		/* answered from memory while it was down */
	uint64_t found, absent;	/* remembered now */
	uint64_t slowest_us;	/* look-up since start */
};

void tp_store_read(struct tp_store *store, struct tp_store_info *ret);

#endif
