/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DTLS clients (RFC 6347): cookies before state, lost datagrams, restarts, bounds.
 * Clients and server exchange datagrams through memory.
 */
#include <errno.h>
#include <unistd.h>

#include <openssl/err.h>

#include "conf.h"
#include "dp/dp.h"
#include "lib/certificates.h"
#include "lib/tap.h"
#include "net/dtls.h"
#include "net/dtls_bio.h"
#include "net/tls_context.h"

#define QUEUE_LEN	64
#define DATAGRAM_SIZE	2048
#define DEADLINE_NS	10000000000ull

struct datagram {
	uint8_t data[DATAGRAM_SIZE];
	size_t size;
};

struct client {
	struct tp_tuple tuple;
	struct tp_dtls_wire wire;
	SSL *ssl;
	struct datagram queue[QUEUE_LEN]; /* from the server */
	size_t first, end;
	unsigned int lose;		/* so many datagrams of the client */
	struct datagram hello;		/* its latest ClientHello */
};

static struct tp_dtls *dtls;
static struct tp_conns *conns;
static SSL_CTX *client_ctx;
static struct client *clients[8];
static unsigned int inputs, closes, lose_answers;
static bool grant;
static struct tp_path last;
static char last_data[64];

static int server_send(void *arg, const struct tp_tuple *tuple, const void *data, size_t size)
{
	if (lose_answers) {
		lose_answers--;
		return 0;
	}
	for (size_t i = 0; i < 8; i++) {
		struct client *c = clients[i];

		if (!c || !tp_addr_equal(&c->tuple.client, &tuple->client) || c->end - c->first == QUEUE_LEN)
			continue;
		memcpy(c->queue[c->end % QUEUE_LEN].data, data, size);
		c->queue[c->end++ % QUEUE_LEN].size = size;
	}
	return 0;
}

static void server_input(void *arg, const struct tp_path *from, const void *data, size_t size)
{
	static const uint8_t allocated[20] = { 1, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42 };

	inputs++;
	last = *from;
	memcpy(last_data, data, size < sizeof(last_data) ? size : sizeof(last_data));
	if (grant)
		tp_dtls_send(dtls, from, allocated, sizeof(allocated));
	else
		tp_dtls_send(dtls, from, data, size);
}

static void server_closed(void *arg, const struct tp_path *path)
{
	closes++;
}

static int client_send(void *arg, const struct tp_tuple *tuple, const void *data, size_t size)
{
	struct client *c = arg;

	if (size > 13 && ((const uint8_t *)data)[13] == 1) {
		memcpy(c->hello.data, data, size);
		c->hello.size = size;
	}
	if (c->lose)
		c->lose--;
	else
		tp_dtls_input(dtls, tuple, data, size);
	return 0;
}

static struct client *client_new(const char *address)
{
	struct client *c = calloc(1, sizeof(*c));

	tp_addr_parse(address, &c->tuple.client);
	tp_addr_parse("192.0.2.1:3478", &c->tuple.server);
	c->tuple.transport = TP_DTLS;
	c->wire.tuple = c->tuple;
	c->wire.send = client_send;
	c->wire.arg = c;
	c->ssl = SSL_new(client_ctx);
	SSL_set_connect_state(c->ssl);
	if (tp_dtls_wire_attach(c->ssl, &c->wire))
		abort();
	for (size_t i = 0; i < 8; i++)
		if (!clients[i]) {
			clients[i] = c;
			return c;
		}
	abort();
}

static void client_free(struct client *c)
{
	for (size_t i = 0; i < 8; i++)
		if (clients[i] == c)
			clients[i] = NULL;
	SSL_free(c->ssl);
	free(c);
}

/* One step of a client: what has arrived, else a retransmission if one is due. */
static void client_step(struct client *c)
{
	struct datagram d;

	if (c->first < c->end) {
		d = c->queue[c->first++ % QUEUE_LEN];
		c->wire.in = d.data;
		c->wire.in_size = d.size;
	} else {
		DTLSv1_handle_timeout(c->ssl);
	}
	SSL_do_handshake(c->ssl);
	ERR_clear_error();
	tp_dtls_tick(dtls, tp_dp_now_ns());
}

static bool client_connect(struct client *c)
{
	uint64_t end = tp_dp_now_ns() + DEADLINE_NS;

	SSL_do_handshake(c->ssl);
	while (!SSL_is_init_finished(c->ssl) && tp_dp_now_ns() < end) {
		client_step(c);
		if (c->first == c->end)
			usleep(500);
	}
	return SSL_is_init_finished(c->ssl);
}

static int client_read(struct client *c, char *buf, size_t size)
{
	struct datagram d;
	int n = -1;

	while (n <= 0 && c->first < c->end) {
		d = c->queue[c->first++ % QUEUE_LEN];
		c->wire.in = d.data;
		c->wire.in_size = d.size;
		n = SSL_read(c->ssl, buf, (int)size);
	}
	ERR_clear_error();
	return n;
}

static bool echoes(struct client *c, const char *text)
{
	char buf[64] = "";
	int size = (int)strlen(text);

	SSL_write(c->ssl, text, size);
	return client_read(c, buf, sizeof(buf)) == size && !memcmp(buf, text, (size_t)size);
}

static struct tp_dtls_counters counters(void)
{
	struct tp_dtls_counters c;

	tp_dtls_read_counters(dtls, &c);
	return c;
}

static void begin(uint32_t hello_ms, uint32_t idle_ms, uint32_t young_max, uint32_t young_per_prefix)
{
	struct tp_dtls_params params;

	tp_dtls_params_default(&params, 1000);
	conns = tp_conns_new(1, 1000);
	params.conns = conns;
	params.send = server_send;
	params.input = server_input;
	params.closed = server_closed;
	params.hello_ms = hello_ms;
	params.idle_ms = idle_ms;
	params.young_max = young_max;
	params.young_per_prefix = young_per_prefix;
	dtls = tp_dtls_new(&params);
	inputs = closes = 0;
}

static void end(void)
{
	tp_dtls_free(dtls);
	tp_conns_free(conns);
}

static bool until_live(uint64_t live)
{
	uint64_t until = tp_dp_now_ns() + DEADLINE_NS;

	while (counters().live != live && tp_dp_now_ns() < until) {
		usleep(500);
		tp_dtls_tick(dtls, tp_dp_now_ns());
	}
	return counters().live == live;
}

static void test_session(void)
{
	struct client *c = client_new("198.51.100.1:4000"), *d = client_new("[2001:db8::1]:4000");

	begin(10000, 60000, 500, 100);
	check(client_connect(c) && counters().cookies_sent == 1,
	      "a handshake, after one cookie (RFC 6347 section 4.2.1)");
	check(!strcmp(SSL_get_version(c->ssl), "DTLSv1.2"), "is DTLS 1.2");
	check(client_connect(d), "another client, over IPv6");
	check(echoes(c,
	      "hello") && last.tuple.transport == TP_DTLS && tp_addr_equal(&last.tuple.client, &c->tuple.client),
	      "a message and its answer, with its 5-tuple");
	check(echoes(d, "other") && tp_addr_equal(&last.tuple.client, &d->tuple.client),
	      "each client has its own session");
	check_eq(tp_dtls_send(dtls, &last, "x", 70000), -EMSGSIZE, "more than a record is refused");
	SSL_shutdown(d->ssl);
	check(until_live(1) && closes == 1, "close_notify ends the session, and the engine is told");
	check_eq(tp_dtls_send(dtls, &last, "x", 1), -ENOTCONN, "a dead session is not written to");
	check(echoes(c, "still"), "the other one goes on");
	client_free(c);
	client_free(d);
	end();
}

static void test_no_state(void)
{
	struct client *c = client_new("198.51.100.1:4000");
	struct tp_tuple from = c->tuple;
	uint8_t junk[100] = { 22, 0xfe, 0xfd };

	begin(10000, 60000, 500, 100);
	SSL_do_handshake(c->ssl);
	for (unsigned int i = 0; i < 2000; i++) {
		from.client.ip[3] = (uint8_t)i;
		from.client.port = (uint16_t)(10000 + i);
		tp_dtls_input(dtls, &from, c->hello.data, c->hello.size);
	}
	check(counters().cookies_sent == 2001, "2000 ClientHellos are answered with a cookie each");
	check(!counters().live && !tp_conns_live(conns), "and leave nothing behind");
	check(client_connect(c), "a client that returns its cookie gets in");
	from.client.port = 20000;
	tp_dtls_input(dtls, &from, c->hello.data, c->hello.size);
	check(counters().live == 1, "its cookie is good for nobody else's address");
	tp_dtls_input(dtls, &from, junk, sizeof(junk));
	tp_dtls_input(dtls, &from, junk, 1);
	check(counters().live == 1 && counters().not_a_hello == 2, "what is no ClientHello is dropped and counted");
	check(echoes(c, "fine"), "the session is not disturbed");
	client_free(c);
	end();
}

static void test_loss(void)
{
	struct client *c = client_new("198.51.100.1:4000");

	begin(10000, 60000, 500, 100);
	SSL_do_handshake(c->ssl);
	c->first = c->end; /* the HelloVerifyRequest is lost */
	check(client_connect(c), "a lost HelloVerifyRequest: the client asks again");
	client_free(c);
	end();

	begin(10000, 60000, 500, 100);
	c = client_new("198.51.100.1:4000");
	SSL_do_handshake(c->ssl);
	lose_answers = 1;	/* the first datagram of the server's first flight */
	check(client_connect(c) && echoes(c, "ok"), "a lost flight of the server is sent again");
	client_free(c);
	end();
}

static void test_restart(void)
{
	struct client *c = client_new("198.51.100.1:4000"), *again;
	struct datagram hello;

	begin(10000, 60000, 500, 100);
	check(client_connect(c) && echoes(c, "one"), "a session");
	hello = c->hello;
	tp_dtls_input(dtls, &c->tuple, hello.data, hello.size);
	check(echoes(c, "two") && counters().restarted == 0, "a late copy of its ClientHello does not end it");
	again = client_new("198.51.100.1:4000");
	SSL_do_handshake(again->ssl);
	check(echoes(c, "three") && counters().live == 1, "a new ClientHello without a cookie does not end it either");
	check(client_connect(again) && echoes(again, "four"),
	      "a client that starts again from its port gets in (section 4.2.8)");
	check(counters().restarted == 1 && counters().live == 1 && closes == 1,
	      "and the engine is told that the old one is over");
	client_free(c);
	client_free(again);
	end();
}

static void test_bounds(void)
{
	struct client *c = client_new("198.51.100.1:4000"), *d = client_new("203.0.113.1:4000");
	char answer[64];

	begin(50, 100, 500, 100);
	check(client_connect(c) && until_live(0) && counters().timed_out == 1, "one that says nothing is ended");
	check(closes == 0, "the engine never knew of it");
	grant = true;
	check(client_connect(d), "one that");
	SSL_write(d->ssl, "allocate", 8);
	grant = false;
	check(client_read(d, answer, sizeof(answer)) == 20, "gets an allocation");
	client_free(c);
	c = client_new("198.51.100.1:4001");
	check(client_connect(c) && echoes(c, "hi") && until_live(1), "is ended when it has been idle");
	check(counters().young == 0 && echoes(d, "here"), "one with an allocation is not");
	tp_dtls_release(dtls, &last);
	check(until_live(0), "until the allocation has ended and it is idle");
	client_free(c);
	client_free(d);
	end();

	begin(10000, 60000, 2, 1);
	c = client_new("198.51.100.1:4000");
	d = client_new("198.51.100.1:4001");
	check(client_connect(c), "one session of an address");
	SSL_do_handshake(d->ssl);
	while (d->first < d->end)
		client_step(d);
	check(counters().refused_prefix == 1 && counters().live == 1, "a second one is refused where one is the bound");
	client_free(d);
	d = client_new("203.0.113.1:4000");
	check(client_connect(d), "another address's");
	client_free(d);
	d = client_new("203.0.114.1:4000");
	check(client_connect(d) && counters().evicted == 1 && counters().live == 2, "a third one makes the oldest go");
	check(!echoes(c, "gone"), "which is the first");
	client_free(c);
	client_free(d);
	end();
}

static void test_no_certificate(void)
{
	struct client *c = client_new("198.51.100.1:4000");

	begin(10000, 60000, 500, 100);
	tp_tls_context_publish(NULL);
	SSL_do_handshake(c->ssl);
	check(counters().refused_transport == 1 && c->first == c->end, "without a certificate there is no answer");
	client_free(c);
	end();
}

int main(void)
{
	struct tp_conf conf = { 0 };
	char err[256] = "";

	if (!cert_begin())
		return 1;
	cert_make("one", NULL);
	conf.cert = cert_path("one", "pem");
	conf.pkey = cert_path("one", "key");
	tp_tls_context_publish(tp_tls_context_new(&conf, err, sizeof(err)));
	client_ctx = SSL_CTX_new(DTLS_client_method());
	SSL_CTX_set_options(client_ctx, SSL_OP_NO_QUERY_MTU);
	test_session();
	test_no_state();
	test_loss();
	test_restart();
	test_bounds();
	test_no_certificate();
	SSL_CTX_free(client_ctx);
	free(conf.cert), free(conf.pkey);
	cert_end();
	return done();
}
