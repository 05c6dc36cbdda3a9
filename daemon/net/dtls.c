/* SPDX-License-Identifier: GPL-2.0 */
/* DTLS clients of a worker; see dtls.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>

#include <openssl/err.h>
#include <urcu/list.h>

#include "net/dtls.h"
#include "net/dtls_bio.h"
#include "net/grant.h"
#include "net/prefix.h"
#include "net/tls_context.h"

#define NS_PER_MS	1000000ull
#define BUCKETS		4096
#define RECORD_MAX	16384

struct session {
	struct tp_path path;
	struct tp_dtls_wire wire;
	SSL *ssl;
	struct tp_tls_context *tls;
	bool open;			/* the handshake is done */
	bool held;			/* has an allocation */
	bool spoken;			/* the engine has seen it */
	bool doomed;
	uint32_t bucket;		/* of its prefix */
	uint64_t deadline_ns;		/* while young */
	uint64_t retransmit_ns;		/* of the handshake; UINT64_MAX: nothing waits for an answer */
	struct session *next;		/* of its hash bucket */
	struct cds_list_head all;	/* in young_hello, young_idle, held or doomed */
};

struct tp_dtls {
	struct tp_dtls_params params;
	struct session *candidate;	/* answers whoever has no session; becomes one when a cookie is good */
	struct session *table[BUCKETS];
	uint64_t seed;
	struct cds_list_head young_hello, young_idle, held, doomed;
	uint64_t next_retransmit_ns;
	uint32_t young;
	struct tp_prefixes prefixes;	/* of young sessions */
	struct tp_dtls_counters counters;
	uint8_t scratch[RECORD_MAX];
};

void tp_dtls_params_default(struct tp_dtls_params *params, uint32_t sessions)
{
	memset(params, 0, sizeof(*params));
	params->hello_ms = 10000;
	params->idle_ms = 60000;
	params->young_max = sessions / 2 ? sessions / 2 : 1;
	params->young_per_prefix = params->young_max < 512 ? params->young_max : 512;
}

struct tp_dtls *tp_dtls_new(const struct tp_dtls_params *params)
{
	struct tp_dtls *dtls = calloc(1, sizeof(*dtls));

	if (!dtls)
		return NULL;
	dtls->params = *params;
	dtls->next_retransmit_ns = UINT64_MAX;
	CDS_INIT_LIST_HEAD(&dtls->young_hello);
	CDS_INIT_LIST_HEAD(&dtls->young_idle);
	CDS_INIT_LIST_HEAD(&dtls->held);
	CDS_INIT_LIST_HEAD(&dtls->doomed);
	if (getrandom(&dtls->seed, sizeof(uint64_t), 0) != sizeof(uint64_t) ||
	    getrandom(&dtls->prefixes.seed, sizeof(uint64_t), 0) != sizeof(uint64_t)) {
		free(dtls);
		return NULL;
	}
	return dtls;
}

static void session_free(struct session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	tp_tls_context_put(s->tls);
	free(s);
}

static struct session **link_of(struct tp_dtls *dtls, const struct tp_tuple *tuple)
{
	struct session **link = &dtls->table[tp_tuple_hash(tuple, dtls->seed) % BUCKETS];

	while (*link && !tp_tuple_equal(&(*link)->path.tuple, tuple))
		link = &(*link)->next;
	return link;
}

static void move_to(struct session *s, struct cds_list_head *list)
{
	cds_list_del(&s->all);
	cds_list_add_tail(&s->all, list);
}

static void uncharge(struct tp_dtls *dtls, struct session *s)
{
	dtls->prefixes.count[s->bucket]--;
	dtls->young--;
}

static void session_close(struct tp_dtls *dtls, struct session *s)
{
	struct session **link = link_of(dtls, &s->path.tuple);

	*link = s->next;
	if (!s->held)
		uncharge(dtls, s);
	cds_list_del(&s->all);
	tp_conns_remove(dtls->params.conns, s->path.conn);
	dtls->counters.closed++;
	dtls->counters.live--;
	if (s->spoken)
		dtls->params.closed(dtls->params.arg, &s->path);
	if (s->open)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
	session_free(s);
}

static void close_list(struct tp_dtls *dtls, struct cds_list_head *list)
{
	struct session *s, *next;

	cds_list_for_each_entry_safe(s, next, list, all) {
		s->spoken = false;
		session_close(dtls, s);
	}
}

void tp_dtls_free(struct tp_dtls *dtls)
{
	if (!dtls)
		return;
	close_list(dtls, &dtls->young_hello);
	close_list(dtls, &dtls->young_idle);
	close_list(dtls, &dtls->held);
	close_list(dtls, &dtls->doomed);
	session_free(dtls->candidate);
	free(dtls);
}

/* It ends at the next tick: the engine may be on the stack. */
static void session_doom(struct tp_dtls *dtls, struct session *s)
{
	s->doomed = true;
	move_to(s, &dtls->doomed);
}

static void session_touch(struct tp_dtls *dtls, struct session *s)
{
	if (s->held)
		return;
	s->deadline_ns = tp_dp_now_ns() + dtls->params.idle_ms * NS_PER_MS;
	move_to(s, &dtls->young_idle);
}

/* The flight that is out, if one is, and when it is sent again (RFC 6347 section 4.2.4). */
static void follow_retransmit(struct tp_dtls *dtls, struct session *s)
{
	struct timeval left;

	s->retransmit_ns = UINT64_MAX;
	if (s->open || DTLSv1_get_timeout(s->ssl, &left) != 1)
		return;
	s->retransmit_ns = tp_dp_now_ns() + (uint64_t)left.tv_sec * 1000000000ull + (uint64_t)left.tv_usec * 1000;
	if (s->retransmit_ns < dtls->next_retransmit_ns)
		dtls->next_retransmit_ns = s->retransmit_ns;
}

/* True: nothing is wrong, more is to come. */
static bool wants_more(struct session *s, int r)
{
	int error = SSL_get_error(s->ssl, r);

	ERR_clear_error();
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void session_handshake(struct tp_dtls *dtls, struct session *s)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(s->ssl);
	if (r == 1) {
		s->open = true;
		dtls->counters.accepted++;
	} else if (!wants_more(s, r)) {
		dtls->counters.failed++;
		session_doom(dtls, s);
		return;
	}
	follow_retransmit(dtls, s);
}

static void session_read(struct tp_dtls *dtls, struct session *s)
{
	while (!s->doomed) {
		int n;

		ERR_clear_error();
		n = SSL_read(s->ssl, dtls->scratch, sizeof(dtls->scratch));
		if (n <= 0) {
			if (!wants_more(s, n) && !s->doomed)
				session_doom(dtls, s);
			return;
		}
		s->spoken = true;
		session_touch(dtls, s);
		dtls->params.input(dtls->params.arg, &s->path, dtls->scratch, (size_t)n);
	}
}

static void session_input(struct tp_dtls *dtls, struct session *s, const void *data, size_t size)
{
	if (s->doomed)
		return;
	s->wire.in = data;
	s->wire.in_size = size;
	if (!s->open)
		session_handshake(dtls, s);
	if (s->open)
		session_read(dtls, s);
	s->wire.in = NULL;
}

/* A session object that answers ClientHellos without a cookie, with the certificates of now. */
static struct session *candidate_get(struct tp_dtls *dtls)
{
	struct tp_tls_context *tls = tp_tls_context_current();
	struct session *s = dtls->candidate;

	if (s && s->tls == tls) {
		tp_tls_context_put(tls);
		return s;
	}
	session_free(s);
	dtls->candidate = NULL;
	if (!tls) {
		dtls->counters.refused_transport++;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		tp_tls_context_put(tls);
		return NULL;
	}
	s->tls = tls;
	s->wire.send = dtls->params.send;
	s->wire.arg = dtls->params.arg;
	s->ssl = tp_tls_context_open(tls, true);
	if (!s->ssl || tp_dtls_wire_attach(s->ssl, &s->wire)) {
		session_free(s);
		return NULL;
	}
	dtls->candidate = s;
	return s;
}

/* Whoever never finished a handshake first, then the one that has been idle longest. */
static void evict_young(struct tp_dtls *dtls)
{
	struct cds_list_head *list = cds_list_empty(&dtls->young_hello) ? &dtls->young_idle : &dtls->young_hello;

	if (cds_list_empty(list))
		return;
	dtls->counters.evicted++;
	session_close(dtls, cds_list_first_entry(list, struct session, all));
}

/* The address is proved: the candidate becomes a session, if there is room for one. */
static struct session *session_admit(struct tp_dtls *dtls, struct session *s)
{
	struct tp_dtls_params *params = &dtls->params;
	struct session **link;

	s->bucket = tp_prefix_bucket(&dtls->prefixes, &s->path.tuple.client);
	if (dtls->prefixes.count[s->bucket] >= params->young_per_prefix) {
		dtls->counters.refused_prefix++;
		return NULL;
	}
	if (dtls->young >= params->young_max)
		evict_young(dtls);
	s->path.conn = tp_conns_add(params->conns, TP_CONN_DTLS, s);
	if (!s->path.conn) {
		evict_young(dtls);
		s->path.conn = tp_conns_add(params->conns, TP_CONN_DTLS, s);
	}
	if (!s->path.conn) {
		dtls->counters.refused_full++;
		return NULL;
	}
	dtls->candidate = NULL;
	dtls->prefixes.count[s->bucket]++;
	dtls->young++;
	dtls->counters.live++;
	link = link_of(dtls, &s->path.tuple);
	s->next = *link;
	*link = s;
	s->deadline_ns = tp_dp_now_ns() + params->hello_ms * NS_PER_MS;
	s->retransmit_ns = UINT64_MAX;
	cds_list_add_tail(&s->all, &dtls->young_hello);
	return s;
}

/*
 * A ClientHello: record header of 13 bytes (type 22, epoch 0), message header of
 * 12 (type 1), version, and then the client's random, which tells one from its
 * retransmission.
 */
#define HELLO_RANDOM_OFFSET	27
#define HELLO_RANDOM_SIZE	32

static bool is_client_hello(const uint8_t *data, size_t size)
{
	return size >= HELLO_RANDOM_OFFSET + HELLO_RANDOM_SIZE && data[0] == 22 && !data[3] && !data[4] &&
	       data[13] == 1;
}

static bool is_retransmission(const struct session *s, const uint8_t *data)
{
	unsigned char random[HELLO_RANDOM_SIZE];

	return SSL_get_client_random(s->ssl, random, sizeof(random)) == sizeof(random) &&
	       !memcmp(data + HELLO_RANDOM_OFFSET, random, sizeof(random));
}

/*
 * Somebody who has no session, or starts again from the same port (RFC 6347
 * section 4.2.8): the old session ends when the cookie has come back, not before.
 */
static void hello_input(struct tp_dtls *dtls, struct session *old, const struct tp_tuple *tuple, const uint8_t *data,
			size_t size)
{
	struct session *s = candidate_get(dtls);
	BIO_ADDR *ignored = BIO_ADDR_new();
	int r = -1;

	if (s && ignored) {
		s->path.tuple = s->wire.tuple = *tuple;
		s->wire.in = data;
		s->wire.in_size = size;
		ERR_clear_error();
		r = DTLSv1_listen(s->ssl, ignored);
		ERR_clear_error();
	}
	BIO_ADDR_free(ignored);
	if (r == 0)
		dtls->counters.cookies_sent++;
	if (r < 0 && s) {
		session_free(s);
		dtls->candidate = NULL;
	}
	if (r <= 0)
		return;
	if (old) {
		dtls->counters.restarted++;
		session_close(dtls, old);
	}
	if (session_admit(dtls, s))
		session_input(dtls, s, data, size);
}

void tp_dtls_input(struct tp_dtls *dtls, const struct tp_tuple *tuple, const void *data, size_t size)
{
	struct tp_tuple key = *tuple;
	struct session *s;

	key.transport = TP_DTLS;
	s = *link_of(dtls, &key);
	if (s && s->doomed)
		return;
	if (is_client_hello(data, size) && (!s || !is_retransmission(s, data)))
		hello_input(dtls, s, &key, data, size);
	else if (s)
		session_input(dtls, s, data, size);
	else
		dtls->counters.not_a_hello++;
}

int tp_dtls_send(struct tp_dtls *dtls, const struct tp_path *to, const void *data, size_t size)
{
	struct session *s = tp_conns_find(dtls->params.conns, to->conn, TP_CONN_DTLS);
	int n;

	if (!s || s->doomed)
		return -ENOTCONN;
	if (size > RECORD_MAX)
		return -EMSGSIZE;
	if (!s->held && tp_grants_allocation(data, size)) {
		uncharge(dtls, s);
		s->held = true;
		move_to(s, &dtls->held);
	}
	ERR_clear_error();
	n = SSL_write(s->ssl, data, (int)size);
	if (n > 0 || wants_more(s, n))
		return 0;
	session_doom(dtls, s);
	return -ENOTCONN;
}

void tp_dtls_release(struct tp_dtls *dtls, const struct tp_path *path)
{
	struct session *s = tp_conns_find(dtls->params.conns, path->conn, TP_CONN_DTLS);

	if (!s || !s->held)
		return;
	s->held = false;
	dtls->young++;
	dtls->prefixes.count[s->bucket]++;
	if (!s->doomed)
		session_touch(dtls, s);
}

static uint64_t expire(struct tp_dtls *dtls, struct cds_list_head *list, uint64_t now_ns)
{
	while (!cds_list_empty(list)) {
		struct session *s = cds_list_first_entry(list, struct session, all);

		if (s->deadline_ns > now_ns)
			return s->deadline_ns;
		dtls->counters.timed_out++;
		session_close(dtls, s);
	}
	return UINT64_MAX;
}

/* Walks the handshakes only when one of them is due. */
static void retransmit(struct tp_dtls *dtls, uint64_t now_ns)
{
	struct session *s, *next;

	if (dtls->next_retransmit_ns > now_ns)
		return;
	dtls->next_retransmit_ns = UINT64_MAX;
	cds_list_for_each_entry_safe(s, next, &dtls->young_hello, all) {
		if (s->retransmit_ns > now_ns) {
			if (s->retransmit_ns < dtls->next_retransmit_ns)
				dtls->next_retransmit_ns = s->retransmit_ns;
			continue;
		}
		ERR_clear_error();
		if (DTLSv1_handle_timeout(s->ssl) < 0) {
			dtls->counters.failed++;
			session_doom(dtls, s);
		} else {
			follow_retransmit(dtls, s);
		}
	}
}

uint64_t tp_dtls_tick(struct tp_dtls *dtls, uint64_t now_ns)
{
	struct session *s, *next;
	uint64_t hello, idle, first;

	retransmit(dtls, now_ns);
	cds_list_for_each_entry_safe(s, next, &dtls->doomed, all)
		session_close(dtls, s);
	hello = expire(dtls, &dtls->young_hello, now_ns);
	idle = expire(dtls, &dtls->young_idle, now_ns);
	first = hello < idle ? hello : idle;
	return first < dtls->next_retransmit_ns ? first : dtls->next_retransmit_ns;
}

void tp_dtls_read_counters(const struct tp_dtls *dtls, struct tp_dtls_counters *ret)
{
	*ret = dtls->counters;
	ret->young = dtls->young;
}
