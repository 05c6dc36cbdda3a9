/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Peers' connections and data connections (RFC 6062 sections 5.2 to 5.5), over real
 * sockets: bytes in both directions by splice(2) and through TLS, ends of either
 * side, and what a side that does not read costs.
 */
#include <openssl/err.h>

#include "lib/certificates.h"
#include "lib/stream_lab.h"
#include "net/tcp_relay.h"
#include "net/tls_context.h"

#define BULK (3 * 1024 * 1024)

static struct lab lab;
static struct tp_tcp_relays *relays;
static struct tp_tcp_relay *relay;
static struct tp_addr relayed;
static void *conn;			/* of the latest peer */
static int connected_err;
static unsigned int connected, accepted, ended;
static uint64_t ended_up, ended_down;
static bool permit = true;
static SSL_CTX *client_ctx;
static const uint8_t bind_success[20] = { 0x01, 0x0b, 0, 0, 0x21, 0x12, 0xa4, 0x42 };

/* One end of a byte stream that a test holds: plain, or TLS. */
struct end {
	int fd;
	SSL *ssl;
	size_t sent, got;
	bool eof;
	uint8_t first[64];	/* of what was got */
	bool good;		/* so far every byte was the expected one */
	size_t skip;		/* bytes before the pattern */
};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static ssize_t end_write(struct end *e, const void *data, size_t size)
{
	ERR_clear_error();
	return e->ssl ? SSL_write(e->ssl, data, (int)size) : send(e->fd, data, size, MSG_NOSIGNAL);
}

static ssize_t end_read(struct end *e, void *buf, size_t size)
{
	int n;

	if (!e->ssl)
		return recv(e->fd, buf, size, 0);
	ERR_clear_error();
	n = SSL_read(e->ssl, buf, (int)size);
	return n <= 0 && SSL_get_error(e->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : n > 0 ? n : -1;
}

static void end_push(struct end *e, size_t total)
{
	uint8_t buf[16384];

	while (e->sent < total) {
		size_t n = total - e->sent < sizeof(buf) ? total - e->sent : sizeof(buf);
		ssize_t r;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(e->sent + i);
		r = end_write(e, buf, n);
		if (r <= 0)
			return;
		e->sent += (size_t)r;
	}
}

static void end_pull(struct end *e)
{
	uint8_t buf[16384];
	ssize_t n;

	while ((n = end_read(e, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, e->got++) {
			if (e->got < sizeof(e->first))
				e->first[e->got] = buf[i];
			if (e->got >= e->skip)
				e->good &= buf[i] == pattern(e->got - e->skip);
		}
	e->eof |= n == 0;
}

/* --- the owner --- */

static void on_connected(void *arg, struct tp_tcp_link *link, int err)
{
	connected++;
	connected_err = err;
}

static struct tp_tcp_link *on_accepted(void *arg, struct tp_allocation *owner, const struct tp_addr *at,
				       const struct tp_addr *peer, void *handle)
{
	accepted++;
	conn = handle;
	return permit ? (struct tp_tcp_link *)&accepted : NULL;
}

static void on_ended(void *arg, struct tp_tcp_link *link, uint64_t up, uint64_t down)
{
	ended++;
	ended_up = up;
	ended_down = down;
}

static struct tp_tcp_relays *no_other(void *arg, unsigned int worker)
{
	return NULL;
}

static void on_spliced_end(void *arg, const void *tag, uint64_t up, uint64_t down)
{
	tp_tcp_relay_spliced_end(relays, tag, up, down);
}

static void tune(struct tp_stream_params *params)
{
	params->spliced_end = on_spliced_end;
}

/* Every message is a ConnectionBind to the latest peer. */
static void bind_latest(struct lab *l, const struct tp_path *from)
{
	tp_streams_send(l->streams, from, bind_success, sizeof(bind_success));
	tp_tcp_relay_join(relays, conn, from);
}

static bool has_accepted(struct lab *l, void *arg)
{
	return accepted == *(unsigned int *)arg;
}

static bool has_ended(struct lab *l, void *arg)
{
	return ended == *(unsigned int *)arg;
}

static int peer_connect(void)
{
	unsigned int wanted = accepted + 1;
	int fd = lab_connect_to("127.0.0.1", relayed.port);

	if (!lab_until(&lab, has_accepted, &wanted))
		printf("# a peer was not accepted\n");
	return fd;
}

struct tls_wait {
	SSL *ssl;
};

static bool handshaken(struct lab *l, void *arg)
{
	ERR_clear_error();
	return SSL_do_handshake(((struct tls_wait *)arg)->ssl) == 1;
}

static void client_open(struct end *e, bool tls)
{
	*e = (struct end){ .fd = lab_connect(&lab), .good = true, .skip = sizeof(bind_success) };
	if (!tls)
		return;
	e->ssl = SSL_new(client_ctx);
	SSL_set_mode(e->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_fd(e->ssl, e->fd);
	SSL_set_connect_state(e->ssl);
	lab_until(&lab, handshaken, &(struct tls_wait){ e->ssl });
}

static void end_close(struct end *e)
{
	SSL_free(e->ssl);
	e->ssl = NULL;
	close(e->fd);
	ERR_clear_error();
}

struct both {
	struct end *client, *peer;
	size_t up, down;
};

static bool moved(struct lab *l, void *arg)
{
	struct both *x = arg;

	end_push(x->client, x->up);
	end_push(x->peer, x->down);
	end_pull(x->client);
	end_pull(x->peer);
	return x->peer->got == x->up && x->client->got == x->down + sizeof(bind_success);
}

static void test_bytes(bool tls)
{
	struct end client, peer = { .good = true };
	struct both x = { .client = &client, .peer = &peer, .up = BULK, .down = BULK };
	const char *name = tls ? "TLS" : "plain";
	unsigned int wanted = ended + 1;
	uint8_t request[24];

	peer.fd = peer_connect();
	client_open(&client, tls);
	/* The peer speaks before anybody listens, the client behind its request at once. */
	end_push(&peer, 1000);
	memcpy(request, lab_binding, 20);
	for (size_t i = 0; i < 4; i++)
		request[20 + i] = pattern(i);
	end_write(&client, request, 24);
	client.sent = 4;
	check(lab_until(&lab, moved, &x), "%s: 3 MB in each direction at the same time", name);
	check(client.good && peer.good,
	      "%s: byte for byte, with what was sent before and behind the ConnectionBind", name);
	check(!memcmp(client.first, bind_success, 20), "%s: the ConnectionBind's answer came first (6062 5.4)", name);
	end_close(&client);
	check(lab_until(&lab, lab_is_closed, &peer.fd), "%s: the client's end is the peer's (6062 5.5)", name);
	close(peer.fd);
	check(lab_until(&lab, has_ended, &wanted) && ended_up == BULK && ended_down == BULK,
	      "%s: both counts are told", name);
}

static bool peer_at_eof(struct lab *l, void *arg)
{
	end_pull(((struct both *)arg)->peer);
	return ((struct both *)arg)->peer->eof;
}

static void test_half_close(void)
{
	struct end client, peer = { .good = true };
	struct both x = { .client = &client, .peer = &peer, .up = 100 };
	unsigned int wanted = ended + 1;

	peer.fd = peer_connect();
	client_open(&client, false);
	end_write(&client, lab_binding, 20);
	check(lab_until(&lab, moved, &x), "a request to the peer");
	shutdown(client.fd, SHUT_WR);
	check(lab_until(&lab, peer_at_eof, &x), "the client's half close gets to the peer");
	x.down = 500000;
	check(lab_until(&lab, moved, &x) && client.good, "whose answer still gets back");
	close(peer.fd);
	check(lab_until(&lab, lab_is_closed, &client.fd), "until the peer closes too");
	close(client.fd);
	check(lab_until(&lab, has_ended, &wanted), "then it is over");
}

static bool stalled(struct lab *l, void *arg)
{
	struct both *x = arg;
	size_t before = x->client->sent;

	end_push(x->client, 100 * BULK);
	/* Nothing more goes in for a while: full. */
	if (x->client->sent != before)
		x->up = 0;
	return ++x->up > 200;
}

static void test_backpressure(void)
{
	struct end client, peer = { .good = true };
	struct both x = { .client = &client, .peer = &peer };
	size_t sent;

	peer.fd = peer_connect();
	client_open(&client, false);
	end_write(&client, lab_binding, 20);
	check(lab_until(&lab, stalled, &x), "a peer that does not read");
	sent = client.sent;
	check(sent < 64 * BULK, "stops the client after %zu bytes in the kernel's buffers", sent);
	x.up = sent;
	check(lab_until(&lab, moved, &x) && peer.good, "what was sent comes when it reads");
	tp_tcp_relay_close(relays, conn);
	check(lab_until(&lab, lab_is_closed, &client.fd) && lab_until(&lab, lab_is_closed, &peer.fd),
	      "the allocation's end closes both sides (6062 5.5)");
	end_close(&client);
	close(peer.fd);
}

static bool has_connected(struct lab *l, void *arg)
{
	return connected == *(unsigned int *)arg;
}

static void test_connect(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct end client, peer = { .good = true };
	struct both x = { .client = &client, .peer = &peer, .up = 10000, .down = 10000 };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(sin);
	struct tp_addr to, from;
	unsigned int wanted = connected + 1;
	void *other;

	if (bind(listener, (struct sockaddr *)&sin, size) || listen(listener, 5) ||
	    getsockname(listener, (struct sockaddr *)&sin, &size))
		abort();
	tp_addr_from_sockaddr((struct sockaddr *)&sin, &to);
	check_eq(tp_tcp_relay_connect(relay, &to, NULL, &conn), 0, "a connection to a peer");
	check(lab_until(&lab, has_connected, &wanted) && !connected_err, "is made");
	size = sizeof(sin);
	peer.fd = accept(listener, (struct sockaddr *)&sin, &size);
	tp_addr_from_sockaddr((struct sockaddr *)&sin, &from);
	check(tp_addr_equal(&from, &relayed), "from the relayed address, which still listens (6062 5.2)");
	fcntl(peer.fd, F_SETFL, O_NONBLOCK);
	client_open(&client, false);
	end_write(&client, lab_binding, 20);
	check(lab_until(&lab, moved, &x), "and carries bytes when it is bound");
	end_close(&client);
	close(peer.fd);
	close(listener);
	wanted++;
	to.port = lab_free_port();
	check_eq(tp_tcp_relay_connect(relay, &to, NULL, &other), 0, "to a port where nobody listens");
	check(lab_until(&lab, has_connected, &wanted) && connected_err == -ECONNREFUSED, "fails, and says how");
	check_eq(tp_tcp_relay_join(relays, other, &lab.last), -ENOTCONN, "its handle finds nothing");
}

static void test_refused(void)
{
	unsigned int wanted;
	int fd;

	permit = false;
	fd = peer_connect();
	check(lab_until(&lab, lab_is_closed, &fd), "a peer that is not permitted is closed (6062 5.3)");
	close(fd);
	permit = true;
	fd = peer_connect();
	wanted = ended + 1;
	/* A reset: what a peer that just closes has said can still be had. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	close(fd);
	check(lab_until(&lab, has_ended, &wanted), "one that goes before it is bound is told");
	check_eq(tp_tcp_relay_join(relays, conn, &lab.last), -ENOTCONN, "and cannot be bound any more");
}

int main(void)
{
	struct tp_conf conf = { 0 };
	struct tp_tcp_relay_params params = { .connected = on_connected, .accepted = on_accepted, .ended = on_ended,
					      .of = no_other };
	char err[200] = "";
	int tries = 0;

	if (!cert_begin())
		return 1;
	cert_make("one", NULL);
	conf.cert = cert_path("one", "pem");
	conf.pkey = cert_path("one", "key");
	tp_tls_context_publish(tp_tls_context_new(&conf, err, sizeof(err)));
	client_ctx = SSL_CTX_new(TLS_client_method());
	lab_init(&lab, tune);
	lab.engine = bind_latest;
	params.loop = lab.loop;
	params.conns = lab.conns;
	params.streams = lab.streams;
	relays = tp_tcp_relays_new(&params);
	tp_addr_parse("127.0.0.1", &relayed);
	do
		relayed.port = lab_free_port();
	while (tp_tcp_relay_listen(relays, &relayed, NULL, &relay) && ++tries < 20);
	test_bytes(false);
	test_bytes(true);
	test_half_close();
	test_backpressure();
	test_connect();
	test_refused();
	tp_tcp_relay_unlisten(relay);
	lab_fini(&lab);
	tp_tcp_relays_free(relays);
	tp_tls_context_publish(NULL);
	SSL_CTX_free(client_ctx);
	free(conf.cert), free(conf.pkey);
	cert_end();
	return done();
}
