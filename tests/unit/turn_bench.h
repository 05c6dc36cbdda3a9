/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A bench for the engine: two workers over the mock data path and an io without
 * sockets, a clock that tests move, and clients that build requests with
 * credentials. Included by tests/unit/test_turn_*.c and the fuzz target; what a
 * test does not use is static and unused.
 */
#ifndef TP_TESTS_TURN_BENCH_H
#define TP_TESTS_TURN_BENCH_H

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#include "auth/auth.h"
#include "conf.h"
#include "dp/mock.h"
#include "stun/stun.h"
#include "turn/turn.h"

#pragma GCC diagnostic ignored "-Wunused-function"

#define BENCH_WORKERS	2
#define BENCH_SOCKETS	512
#define BENCH_S		1000000000ull

struct tp_relay_socket {
	struct tp_addr addr;
	struct tp_allocation *owner;
	bool open;
};

/* What the engine sent last, to a client or to a peer. */
struct bench_packet {
	uint8_t data[70000];
	size_t size;
	unsigned int count;
	struct tp_path path;		/* to a client */
	struct tp_addr from, to;	/* to a peer, or send_from */
	struct tp_ip_fields fields;
	bool has_fields;
};

struct bench_io {
	struct tp_turn_io io;
	struct bench *bench;
};

struct bench {
	struct tp_conf conf;
	struct tp_auth *auth;
	struct tp_registry *registry;
	struct tp_dp *dp;
	struct tp_turn *turn[BENCH_WORKERS];
	struct bench_io io[BENCH_WORKERS];
	struct tp_now now;
	struct bench_packet client, peer;
	struct tp_relay_socket sockets[BENCH_SOCKETS];
	unsigned int opened, closed, gone;
	int open_error;			/* of the next relay_open calls */
	unsigned int open_errors;
	int send_error;			/* of every send_peer while it is not 0 */
	struct tp_conf_user users[4];
	struct tp_relay_ip relays[8];
	struct tp_addr listen[4];
};

static struct tp_addr addr_of(const char *text)
{
	struct tp_addr a;

	if (tp_addr_parse(text, &a))
		abort();
	return a;
}

static int bench_send_client(struct tp_turn_io *io, const struct tp_path *to, const void *data, size_t size,
			     const struct tp_ip_fields *fields)
{
	struct bench *b = ((struct bench_io *)io)->bench;

	memcpy(b->client.data, data, size);
	b->client.size = size;
	b->client.path = *to;
	b->client.has_fields = fields != NULL;
	if (fields)
		b->client.fields = *fields;
	b->client.from = to->tuple.server;
	b->client.to = to->tuple.client;
	b->client.count++;
	return 0;
}

static int bench_send_from(struct tp_turn_io *io, const struct tp_addr *from, const struct tp_addr *to,
			   const void *data, size_t size)
{
	struct bench *b = ((struct bench_io *)io)->bench;

	memcpy(b->client.data, data, size);
	b->client.size = size;
	b->client.from = *from;
	b->client.to = *to;
	b->client.count++;
	return 0;
}

static int bench_relay_open(struct tp_turn_io *io, const struct tp_addr *addr, struct tp_allocation *owner,
			    struct tp_relay_socket **ret)
{
	struct bench *b = ((struct bench_io *)io)->bench;
	struct tp_relay_socket *unused = NULL;

	if (b->open_errors) {
		b->open_errors--;
		return b->open_error;
	}
	for (unsigned int i = 0; i < BENCH_SOCKETS; i++) {
		if (b->sockets[i].open && tp_addr_equal(&b->sockets[i].addr, addr))
			return -EADDRINUSE;
		if (!b->sockets[i].open && !unused)
			unused = &b->sockets[i];
	}
	if (!unused)
		return -EMFILE;
	*unused = (struct tp_relay_socket){ .addr = *addr, .owner = owner, .open = true };
	b->opened++;
	*ret = unused;
	return 0;
}

static void bench_relay_close(struct tp_turn_io *io, struct tp_relay_socket *socket)
{
	struct bench *b = ((struct bench_io *)io)->bench;

	if (!socket->open)
		abort();
	socket->open = false;
	b->closed++;
}

static int bench_send_peer(struct tp_turn_io *io, struct tp_relay_socket *socket, const struct tp_addr *peer,
			   const void *data, size_t size, const struct tp_ip_fields *fields)
{
	struct bench *b = ((struct bench_io *)io)->bench;

	if (b->send_error)
		return b->send_error;
	memcpy(b->peer.data, data, size);
	b->peer.size = size;
	b->peer.from = socket->addr;
	b->peer.to = *peer;
	b->peer.has_fields = fields != NULL;
	if (fields)
		b->peer.fields = *fields;
	b->peer.count++;
	return 0;
}

static void bench_client_gone(struct tp_turn_io *io, const struct tp_path *path)
{
	((struct bench_io *)io)->bench->gone++;
}

/* The configuration that tests start from; change it before bench_start(). */
static void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->now.mono_ns = 1000 * BENCH_S;
	b->now.wall_s = 1800000000;
	b->users[0] = (struct tp_conf_user){ .name = (char *)"alice", .password = (char *)"wonder" };
	b->users[1] = (struct tp_conf_user){ .name = (char *)"bob", .password = (char *)"builder" };
	b->relays[0].addr = addr_of("192.0.2.10");
	b->relays[1].addr = addr_of("2001:db8::10");
	b->listen[0] = addr_of("192.0.2.1");
	b->listen[1] = addr_of("2001:db8::1");
	b->conf = (struct tp_conf){
		.listen = b->listen, .listen_len = 2, .listening_port = 3478, .tls_listening_port = 5349,
		.relay = b->relays, .relay_len = 2, .min_port = 50000, .max_port = 50099,
		.realm = (char *)"example.org", .lt_cred_mech = true, .user = b->users, .user_len = 2,
		.rest_api_separator = ':', .password_algorithms = 3, .stale_nonce_s = 600,
		.max_allocate_lifetime_s = 3600, .channel_lifetime_s = 600, .permission_lifetime_s = 300,
		.max_allocations = 1024, .max_permissions = 16, .max_channels = 8,
		.software_attribute = true, .default_family = 4,
	};
}

static void bench_start(struct bench *b)
{
	static const struct tp_turn_io io = {
		.send_client = bench_send_client, .send_from = bench_send_from, .relay_open = bench_relay_open,
		.relay_close = bench_relay_close, .send_peer = bench_send_peer, .client_gone = bench_client_gone,
	};
	char err[256] = "";

	rcu_register_thread();
	b->auth = tp_auth_new(&b->conf, err, sizeof(err));
	b->registry = tp_registry_new(&b->conf, BENCH_WORKERS);
	b->dp = tp_dp_mock_new();
	if (!b->auth || !b->registry || !b->dp) {
		fprintf(stderr, "bench: %s\n", err);
		abort();
	}
	for (unsigned int i = 0; i < BENCH_WORKERS; i++) {
		struct tp_turn_params params = { .worker = i, .registry = b->registry, .io = &b->io[i].io, .dp = b->dp };

		b->io[i].io = io;
		b->io[i].bench = b;
		b->turn[i] = tp_turn_new(&params);
		tp_turn_configure(b->turn[i], &b->conf, b->auth, &b->now);
	}
}

/* Ends the bench. How many sockets are left open, flows live, and misuses of the data path: 0 in a good test. */
static size_t bench_stop(struct bench *b)
{
	size_t left;

	for (unsigned int i = 0; i < BENCH_WORKERS; i++)
		tp_turn_free(b->turn[i]);
	left = b->opened - b->closed + tp_dp_mock_count(b->dp, 0) + tp_dp_mock_misused(b->dp);
	tp_registry_free(b->registry);
	tp_auth_free(b->auth);
	b->dp->ops->close(b->dp);
	rcu_unregister_thread();
	return left;
}

static void bench_tick(struct bench *b)
{
	for (unsigned int i = 0; i < BENCH_WORKERS; i++)
		tp_turn_tick(b->turn[i], &b->now);
	rcu_quiescent_state();
}

static void bench_advance(struct bench *b, uint64_t ns)
{
	b->now.mono_ns += ns;
	b->now.wall_s += ns / BENCH_S;
	bench_tick(b);
}

static struct tp_turn_counters bench_counters(struct bench *b)
{
	struct tp_turn_counters c;

	tp_turn_read_counters(b->turn[0], &c);
	return c;
}

/* A changed configuration: `conf` is another object, as after a reload. */
static void bench_reload(struct bench *b, struct tp_conf *conf)
{
	char err[256];
	struct tp_auth *auth = tp_auth_new(conf, err, sizeof(err));

	if (!auth)
		abort();
	for (unsigned int i = 0; i < BENCH_WORKERS; i++)
		tp_turn_configure(b->turn[i], conf, auth, &b->now);
	tp_auth_free(b->auth);
	b->auth = auth;
	bench_tick(b);
}

/* --- a client --- */

struct client {
	struct bench *b;
	struct tp_path path;
	unsigned int worker;
	const char *user, *password, *realm;
	uint8_t nonce[256];
	size_t nonce_size;
	uint8_t key[16];
	uint32_t transactions;
	struct tp_stun_id last_id;
	struct tp_stun_msg reply;	/* the last answer, in the bench's packet */
	struct tp_ip_fields *fields;
};

static void client_init(struct client *c, struct bench *b, const char *addr)
{
	memset(c, 0, sizeof(*c));
	c->b = b;
	c->path.tuple.client = addr_of(addr);
	c->path.tuple.server = addr_of(c->path.tuple.client.family == 4 ? "192.0.2.1:3478" : "[2001:db8::1]:3478");
	c->path.tuple.transport = TP_UDP;
	c->user = "alice";
	c->password = "wonder";
	c->realm = "example.org";
}

static void client_key(struct client *c)
{
	char text[512];
	unsigned int size;

	snprintf(text, sizeof(text), "%s:%s:%s", c->user, c->realm, c->password);
	EVP_Digest(text, strlen(text), c->key, &size, EVP_md5(), NULL);
}

/* Hands bytes to the client's worker. The worker that wants them instead, or TP_TURN_DONE. */
static int client_input(struct client *c, const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int owner;

	/* On the heap at its exact size, so that ASan sees a read past the end. */
	memcpy(copy, data, size);
	owner = tp_turn_client_input(c->b->turn[c->worker], &c->path, copy, size, c->fields, &c->b->now);
	free(copy);
	return owner;
}

/* A message being built. */
struct message {
	struct client *c;
	struct tp_stun_writer w;
	uint8_t buf[4096];
	bool bare;		/* without credentials */
};

static void message_begin_id(struct message *m, struct client *c, uint16_t method, uint8_t class,
			     const struct tp_stun_id *id)
{
	m->c = c;
	m->bare = class != TP_STUN_REQUEST || method == TP_STUN_BINDING;
	c->last_id = *id;
	tp_stun_begin(&m->w, m->buf, sizeof(m->buf), method, class, id);
}

static void message_begin(struct message *m, struct client *c, uint16_t method, uint8_t class)
{
	struct tp_stun_id id = { .bytes = { 0x21, 0x12, 0xa4, 0x42 } };

	c->transactions++;
	memcpy(id.bytes + 4, &c->transactions, sizeof(c->transactions));
	memcpy(id.bytes + 8, &c->path.tuple.client.port, 2);
	message_begin_id(m, c, method, class, &id);
}

static void request(struct message *m, struct client *c, uint16_t method)
{
	message_begin(m, c, method, TP_STUN_REQUEST);
}

static void put_peer(struct message *m, const char *peer)
{
	struct tp_addr addr = addr_of(peer);

	tp_stun_put_xor_addr(&m->w, TP_STUN_ATTR_XOR_PEER_ADDRESS, &addr);
}

/* Attributes of one byte and three that are reserved: families and protocols. */
static void put_u8(struct message *m, uint16_t type, uint8_t value)
{
	uint8_t bytes[4] = { value };

	tp_stun_put(&m->w, type, bytes, sizeof(bytes));
}

static void put_channel(struct message *m, uint16_t number)
{
	uint8_t bytes[4] = { (uint8_t)(number >> 8), (uint8_t)number };

	tp_stun_put(&m->w, TP_STUN_ATTR_CHANNEL_NUMBER, bytes, sizeof(bytes));
}

static void put_credentials(struct message *m)
{
	struct client *c = m->c;

	tp_stun_put(&m->w, TP_STUN_ATTR_USERNAME, c->user, strlen(c->user));
	tp_stun_put(&m->w, TP_STUN_ATTR_REALM, c->realm, strlen(c->realm));
	tp_stun_put(&m->w, TP_STUN_ATTR_NONCE, c->nonce, c->nonce_size);
	client_key(c);
	tp_stun_put_integrity(&m->w, c->key, sizeof(c->key));
}

/* The error code of what came back, 0 success, -1 nothing; -2 - N: worker N wants it. The answer is c->reply. */
static int send_raw(struct client *c, const void *data, size_t size)
{
	unsigned int before = c->b->client.count;
	int owner = client_input(c, data, size), code = 0;

	if (owner != TP_TURN_DONE)
		return -2 - owner;
	if (c->b->client.count == before)
		return -1;
	if (tp_stun_parse(c->b->client.data, c->b->client.size, &c->reply))
		return -1000;
	if (c->reply.class == TP_STUN_ERROR && tp_stun_get_error(&c->reply, &code))
		return -1001;
	return code;
}

static int message_send(struct message *m)
{
	int size;

	if (!m->bare)
		put_credentials(m);
	size = tp_stun_finish(&m->w);
	if (size < 0)
		abort();
	return send_raw(m->c, m->buf, (size_t)size);
}

/* Learns the nonce from a 401. */
static bool client_challenge(struct client *c)
{
	struct tp_stun_attr attr;
	struct message m;

	request(&m, c, TP_STUN_ALLOCATE);
	m.bare = true;
	put_u8(&m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
	if (message_send(&m) != 401 || !tp_stun_find(&c->reply, TP_STUN_ATTR_NONCE, &attr) ||
	    attr.size > sizeof(c->nonce))
		return false;
	memcpy(c->nonce, tp_stun_value(&c->reply, &attr), attr.size);
	c->nonce_size = attr.size;
	return true;
}

static void allocate_begin(struct message *m, struct client *c)
{
	if (!c->nonce_size && !client_challenge(c))
		fprintf(stderr, "bench: no challenge\n");
	request(m, c, TP_STUN_ALLOCATE);
	put_u8(m, TP_STUN_ATTR_REQUESTED_TRANSPORT, 17);
}

static int allocate(struct client *c)
{
	struct message m;

	allocate_begin(&m, c);
	return message_send(&m);
}

static int allocate_family(struct client *c, uint8_t family)
{
	struct message m;

	allocate_begin(&m, c);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, family == 6 ? 2 : 1);
	return message_send(&m);
}

static int allocate_dual(struct client *c)
{
	struct message m;

	allocate_begin(&m, c);
	put_u8(&m, TP_STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	return message_send(&m);
}

static int refresh(struct client *c, int lifetime_s)
{
	struct message m;

	request(&m, c, TP_STUN_REFRESH);
	if (lifetime_s >= 0)
		tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, (uint32_t)lifetime_s);
	return message_send(&m);
}

static int refresh_family(struct client *c, int lifetime_s, uint8_t family)
{
	struct message m;

	request(&m, c, TP_STUN_REFRESH);
	tp_stun_put_u32(&m.w, TP_STUN_ATTR_LIFETIME, (uint32_t)lifetime_s);
	put_u8(&m, TP_STUN_ATTR_REQUESTED_ADDRESS_FAMILY, family == 6 ? 2 : 1);
	return message_send(&m);
}

static int permit(struct client *c, const char *peer)
{
	struct message m;

	request(&m, c, TP_STUN_CREATE_PERMISSION);
	put_peer(&m, peer);
	return message_send(&m);
}

static int bind_channel(struct client *c, uint16_t number, const char *peer)
{
	struct message m;

	request(&m, c, TP_STUN_CHANNEL_BIND);
	put_channel(&m, number);
	put_peer(&m, peer);
	return message_send(&m);
}

/* Send indication and ChannelData: whether a packet went to a peer. */
static bool send_indication(struct client *c, const char *peer, const char *data)
{
	unsigned int before = c->b->peer.count;
	struct message m;

	message_begin(&m, c, TP_STUN_SEND, TP_STUN_INDICATION);
	put_peer(&m, peer);
	tp_stun_put(&m.w, TP_STUN_ATTR_DATA, data, strlen(data));
	message_send(&m);
	return c->b->peer.count != before;
}

static bool send_channel(struct client *c, uint16_t number, const char *data)
{
	unsigned int before = c->b->peer.count;
	size_t size = strlen(data);
	uint8_t buf[1024] = { (uint8_t)(number >> 8), (uint8_t)number, (uint8_t)(size >> 8), (uint8_t)size };

	memcpy(buf + 4, data, size);
	client_input(c, buf, 4 + size);
	return c->b->peer.count != before;
}

/* The relayed address of the last answer; `index` counts them. Unset where there is none. */
static struct tp_addr relayed(struct client *c, unsigned int index)
{
	struct tp_addr addr = { 0 };
	struct tp_stun_attr attr;
	size_t pos = 0;

	while (tp_stun_next(&c->reply, &pos, &attr)) {
		if (attr.type == TP_STUN_ATTR_XOR_RELAYED_ADDRESS && index-- == 0) {
			tp_stun_get_xor_addr(&c->reply, &attr, &addr);
			return addr;
		}
	}
	return addr;
}

static uint32_t lifetime(struct client *c)
{
	uint32_t value = UINT32_MAX;

	tp_stun_get_u32(&c->reply, TP_STUN_ATTR_LIFETIME, &value);
	return value;
}

static bool reply_has(struct client *c, uint16_t type)
{
	struct tp_stun_attr attr;

	return tp_stun_find(&c->reply, type, &attr);
}

static struct tp_relay_socket *socket_of(struct bench *b, const struct tp_addr *addr)
{
	for (unsigned int i = 0; i < BENCH_SOCKETS; i++) {
		if (b->sockets[i].open && tp_addr_equal(&b->sockets[i].addr, addr))
			return &b->sockets[i];
	}
	return NULL;
}

/* A peer sends to a relayed address (as bound). What came out at the client: 0 nothing, 'C' ChannelData, 'D' Data. */
static char peer_sends(struct bench *b, const struct tp_addr *to, const char *from, const void *data, size_t size,
		       const struct tp_ip_fields *fields)
{
	struct tp_relay_socket *s = socket_of(b, to);
	struct tp_addr peer = addr_of(from);
	unsigned int before = b->client.count;

	if (!s)
		return 0;
	tp_turn_peer_input(b->turn[0], s->owner, s, &peer, data, size, fields, &b->now);
	if (b->client.count == before)
		return 0;
	return b->client.data[0] & 0x40 ? 'C' : 'D';
}

#endif
