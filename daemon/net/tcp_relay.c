/* SPDX-License-Identifier: GPL-2.0 */
/* Peers' TCP connections; see tcp_relay.h. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tcp_relay.h"

#define BACKLOG		64
#define ACCEPT_BATCH	16

enum peer_state { PEER_CONNECTING, PEER_WAITING, PEER_JOINED };

struct tp_tcp_relay {
	struct tp_watch watch;
	struct tp_tcp_relays *relays;
	struct tp_allocation *owner;
	struct tp_addr addr;
};

struct peer {
	struct tp_watch watch;		/* fd -1 once it is the data connection's */
	struct tp_tcp_relays *relays;
	enum peer_state state;
	struct tp_tcp_link *link;
	void *conn;			/* its handle */
	struct tp_path client;		/* PEER_JOINED: the data connection */
};

struct tp_tcp_relays {
	struct tp_tcp_relay_params params;
	int spare_fd;			/* given up to take in and refuse a connection when there is no other left */
};

/* What one worker asks of another. */
enum order_kind { ORDER_JOIN, ORDER_CUT, ORDER_ENDED };

struct order {
	struct tp_job job;
	struct tp_tcp_relays *to;
	enum order_kind kind;
	const void *conn;		/* of the peer */
	struct tp_path client;
	int fd;
	uint64_t up, down;
};

static void spare_open(struct tp_tcp_relays *relays)
{
	relays->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

struct tp_tcp_relays *tp_tcp_relays_new(const struct tp_tcp_relay_params *params)
{
	struct tp_tcp_relays *relays = calloc(1, sizeof(*relays));

	if (!relays)
		return NULL;
	relays->params = *params;
	spare_open(relays);
	return relays;
}

void tp_tcp_relays_free(struct tp_tcp_relays *relays)
{
	if (!relays)
		return;
	if (relays->spare_fd >= 0)
		close(relays->spare_fd);
	free(relays);
}

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* The listener and every connection from its address share it: SO_REUSEPORT, and never two listeners by the engine. */
static int bound_socket(const struct tp_addr *addr)
{
	struct sockaddr_storage ss;
	socklen_t size = tp_addr_to_sockaddr(addr, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (ss.ss_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (bind(fd, (struct sockaddr *)&ss, size)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static void on_peer_event(struct tp_watch *watch, uint32_t events);

static struct peer *peer_new(struct tp_tcp_relays *relays, int fd, enum peer_state state)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->relays = relays;
	p->state = state;
	p->watch = (struct tp_watch){ .fd = fd, .fn = on_peer_event, .arg = p };
	p->conn = tp_conns_add(relays->params.conns, TP_CONN_PEER, p);
	if (p->conn)
		return p;
	free(p);
	return NULL;
}

static void peer_free(struct peer *p)
{
	if (p->watch.fd >= 0) {
		tp_loop_remove(p->relays->params.loop, &p->watch);
		close(p->watch.fd);
	}
	tp_conns_remove(p->relays->params.conns, p->conn);
	free(p);
}

static struct peer *peer_find(struct tp_tcp_relays *relays, const void *conn)
{
	return tp_conns_find(relays->params.conns, conn, TP_CONN_PEER);
}

static void peer_connected(struct peer *p)
{
	struct tp_tcp_relay_params *params = &p->relays->params;
	struct tp_tcp_link *link = p->link;
	int err = 0;
	socklen_t size = sizeof(err);

	if (getsockopt(p->watch.fd, SOL_SOCKET, SO_ERROR, &err, &size))
		err = errno;
	/* Its bytes stay in the socket until somebody is there to read them; its end shows as EPOLLHUP. */
	if (!err)
		err = -tp_loop_modify(params->loop, &p->watch, 0);
	if (err) {
		peer_free(p);
	} else {
		p->state = PEER_WAITING;
	}
	params->connected(params->arg, link, -err);
}

static void on_peer_event(struct tp_watch *watch, uint32_t events)
{
	struct peer *p = watch->arg;
	struct tp_tcp_relay_params *params = &p->relays->params;
	struct tp_tcp_link *link = p->link;

	if (p->state == PEER_CONNECTING) {
		peer_connected(p);
		return;
	}
	/* Reset, before it was joined. */
	peer_free(p);
	params->ended(params->arg, link, 0, 0);
}

/* RFC 6062 section 5.3: it is accepted first, and closed at once where it is not permitted. */
static void take_in(struct tp_tcp_relay *relay, int fd, const struct sockaddr_storage *ss)
{
	struct tp_tcp_relays *relays = relay->relays;
	struct linger linger = { .l_onoff = 1 };
	struct tp_addr from;
	struct peer *p;

	p = tp_addr_from_sockaddr((const struct sockaddr *)ss, &from) ? NULL : peer_new(relays, fd, PEER_WAITING);
	if (!p) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(fd);
		return;
	}
	if (!tp_loop_add(relays->params.loop, &p->watch, 0))
		p->link = relays->params.accepted(relays->params.arg, relay->owner, &relay->addr, &from, p->conn);
	if (p->link)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	peer_free(p);
}

static void refuse_one(struct tp_tcp_relay *relay)
{
	int fd;

	if (relay->relays->spare_fd >= 0)
		close(relay->relays->spare_fd);
	fd = accept4(relay->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	spare_open(relay->relays);
}

static void on_accept(struct tp_watch *watch, uint32_t events)
{
	struct tp_tcp_relay *relay = watch->arg;

	for (unsigned int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage ss;
		socklen_t size = sizeof(ss);
		int fd = accept4(watch->fd, (struct sockaddr *)&ss, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_in(relay, fd, &ss);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			refuse_one(relay);
		return;
	}
}

int tp_tcp_relay_listen(struct tp_tcp_relays *relays, const struct tp_addr *addr, struct tp_allocation *owner,
			struct tp_tcp_relay **ret)
{
	struct tp_tcp_relay *relay = calloc(1, sizeof(*relay));
	int fd, err;

	if (!relay)
		return -ENOMEM;
	fd = bound_socket(addr);
	if (fd < 0) {
		free(relay);
		return fd;
	}
	relay->relays = relays;
	relay->owner = owner;
	relay->addr = *addr;
	relay->watch = (struct tp_watch){ .fd = fd, .fn = on_accept, .arg = relay };
	err = listen(fd, BACKLOG) ? -errno : tp_loop_add(relays->params.loop, &relay->watch, EPOLLIN);
	if (err) {
		close(fd);
		free(relay);
		return err;
	}
	*ret = relay;
	return 0;
}

void tp_tcp_relay_unlisten(struct tp_tcp_relay *relay)
{
	tp_loop_remove(relay->relays->params.loop, &relay->watch);
	close(relay->watch.fd);
	free(relay);
}

int tp_tcp_relay_connect(struct tp_tcp_relay *relay, const struct tp_addr *peer, struct tp_tcp_link *link,
			 void **ret_conn)
{
	struct tp_tcp_relays *relays = relay->relays;
	struct sockaddr_storage ss;
	socklen_t size = tp_addr_to_sockaddr(peer, &ss);
	struct peer *p;
	int fd = bound_socket(&relay->addr), err;

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, size) && errno != EINPROGRESS) {
		err = -errno;
		close(fd);
		return err;
	}
	p = peer_new(relays, fd, PEER_CONNECTING);
	if (!p) {
		close(fd);
		return -ENOMEM;
	}
	p->link = link;
	/* One that is there at once shows as writable like any other. */
	err = tp_loop_add(relays->params.loop, &p->watch, EPOLLOUT);
	if (err) {
		peer_free(p);
		return err;
	}
	*ret_conn = p->conn;
	return 0;
}

/* --- between workers --- */

static void order_run(struct tp_job *job)
{
	struct order *o = (struct order *)job;
	struct tp_tcp_relays *relays = o->to;

	switch (o->kind) {
	case ORDER_JOIN:
		if (tp_streams_splice(relays->params.streams, &o->client, o->fd, o->conn))
			tp_tcp_relay_spliced_end(relays, o->conn, 0, 0);
		break;
	case ORDER_CUT:
		tp_streams_cut(relays->params.streams, &o->client);
		break;
	case ORDER_ENDED:
		tp_tcp_relay_spliced_end(relays, o->conn, o->up, o->down);
		break;
	}
	free(o);
}

static int order_post(struct tp_tcp_relays *from, unsigned int worker, const struct order *order)
{
	struct tp_tcp_relays *to = from->params.of(from->params.arg, worker);
	struct order *o;

	if (!to)
		return -ENOTCONN;
	o = malloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	*o = *order;
	o->job.fn = order_run;
	o->to = to;
	tp_loop_post(to->params.loop, &o->job);
	return 0;
}

int tp_tcp_relay_join(struct tp_tcp_relays *relays, void *conn, const struct tp_path *client)
{
	struct peer *p = peer_find(relays, conn);
	unsigned int worker = tp_conn_worker(client->conn);
	int fd, err;

	if (!p || p->state != PEER_WAITING)
		return -ENOTCONN;
	fd = p->watch.fd;
	tp_loop_remove(relays->params.loop, &p->watch);
	p->watch.fd = -1;
	p->state = PEER_JOINED;
	p->client = *client;
	if (worker == relays->params.worker) {
		err = tp_streams_splice(relays->params.streams, client, fd, conn);
	} else {
		err = order_post(relays, worker, &(struct order){ .kind = ORDER_JOIN, .conn = conn, .client = *client,
								   .fd = fd });
		if (err)
			close(fd);
	}
	if (err)
		peer_free(p);
	return err;
}

void tp_tcp_relay_close(struct tp_tcp_relays *relays, void *conn)
{
	struct peer *p = peer_find(relays, conn);
	unsigned int worker;

	if (!p)
		return;
	worker = tp_conn_worker(p->client.conn);
	if (p->state == PEER_JOINED && worker == relays->params.worker)
		tp_streams_cut(relays->params.streams, &p->client);
	else if (p->state == PEER_JOINED)
		order_post(relays, worker, &(struct order){ .kind = ORDER_CUT, .client = p->client, .fd = -1 });
	peer_free(p);
}

void tp_tcp_relay_spliced_end(struct tp_tcp_relays *relays, const void *tag, uint64_t up, uint64_t down)
{
	struct tp_tcp_link *link;
	struct peer *p;

	if (tp_conn_worker(tag) != relays->params.worker) {
		order_post(relays, tp_conn_worker(tag),
			   &(struct order){ .kind = ORDER_ENDED, .conn = tag, .fd = -1, .up = up, .down = down });
		return;
	}
	p = peer_find(relays, tag);
	if (!p)
		return;
	link = p->link;
	peer_free(p);
	relays->params.ended(relays->params.arg, link, up, down);
}
