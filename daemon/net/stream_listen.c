/* SPDX-License-Identifier: GPL-2.0 */
/* Where a worker listens for streams, and who is let in; see stream.h. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "net/stream_internal.h"

#define BACKLOG		1024
#define ACCEPT_BATCH	64
#define PAUSE_NS	100000000ull	/* after running out of descriptors */
#define DEAD_PEER_MS	60000

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_listener(struct tp_streams *streams, const struct tp_addr *addr, bool proxy, struct listener **ret)
{
	struct sockaddr_storage ss;
	socklen_t ss_size = tp_addr_to_sockaddr(addr, &ss);
	struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->streams = streams;
	l->addr = *addr;
	l->proxy = proxy;
	l->watch.fn = stream_accept;
	l->watch.arg = l;
	l->watch.fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->watch.fd < 0) {
		r = -errno;
		free(l);
		return r;
	}
	if (ss.ss_family == AF_INET6)
		set_int(l->watch.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	set_int(l->watch.fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(l->watch.fd, SOL_SOCKET, SO_REUSEPORT, 1);
	/* Inherited by what is accepted. */
	set_int(l->watch.fd, SOL_SOCKET, SO_SNDBUF, YOUNG_SEND_BUFFER);
	set_int(l->watch.fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(l->watch.fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(l->watch.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_PEER_MS);
	set_int(l->watch.fd, IPPROTO_TCP, TCP_KEEPIDLE, DEAD_PEER_MS / 1000);
	set_int(l->watch.fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
	if (bind(l->watch.fd, (struct sockaddr *)&ss, ss_size) || listen(l->watch.fd, BACKLOG)) {
		r = -errno;
		close(l->watch.fd);
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void stream_listener_free(struct listener *l)
{
	tp_loop_remove(l->streams->params.loop, &l->watch);
	close(l->watch.fd);
	cds_list_del(&l->node);
	free(l);
}

static struct listener *find_listener(struct cds_list_head *list, const struct tp_addr *addr, bool proxy)
{
	struct listener *l;

	cds_list_for_each_entry(l, list, node)
		if (tp_addr_equal(&l->addr, addr) && l->proxy == proxy)
			return l;
	return NULL;
}

/* Moves the listener of this address from the old ones to the new, or opens it. */
static int want_listener(struct tp_streams *streams, const struct tp_addr *addr, bool proxy,
			 struct cds_list_head *wanted, struct cds_list_head *opened)
{
	struct listener *l = find_listener(&streams->listeners, addr, proxy);
	int r;

	if (l) {
		cds_list_move(&l->node, wanted);
		return 0;
	}
	if (find_listener(wanted, addr, proxy) || find_listener(opened, addr, proxy))
		return 0;
	r = open_listener(streams, addr, proxy, &l);
	if (!r)
		cds_list_add(&l->node, opened);
	return r;
}

/* tcp-proxy-port=PORT is on every listening address, IP:PORT on that one. */
static int want_proxy(struct tp_streams *streams, const struct tp_conf *conf, struct cds_list_head *wanted,
		      struct cds_list_head *opened, struct tp_addr *ret_addr)
{
	size_t len = !conf->tcp_proxy.port ? 0 : conf->tcp_proxy.family ? 1 : conf->listen_len;
	int r = 0;

	for (size_t i = 0; i < len && !r; i++) {
		*ret_addr = conf->tcp_proxy.family ? conf->tcp_proxy : conf->listen[i];
		ret_addr->port = conf->tcp_proxy.port;
		r = want_listener(streams, ret_addr, true, wanted, opened);
	}
	return r;
}

static int want_all(struct tp_streams *streams, const struct tp_conf *conf, struct cds_list_head *wanted,
		    struct cds_list_head *opened, struct tp_addr *ret_addr)
{
	int r = 0;

	for (size_t i = 0; i < conf->listen_len && !r; i++) {
		*ret_addr = conf->listen[i];
		ret_addr->port = conf->listening_port;
		r = want_listener(streams, ret_addr, false, wanted, opened);
		if (r || !conf->tls_listening_port || conf->no_tls)
			continue;
		ret_addr->port = conf->tls_listening_port;
		r = want_listener(streams, ret_addr, false, wanted, opened);
	}
	return r ? r : want_proxy(streams, conf, wanted, opened, ret_addr);
}

static void close_all(struct cds_list_head *list)
{
	struct listener *l, *next;

	cds_list_for_each_entry_safe(l, next, list, node)
		stream_listener_free(l);
}

static int take_settings(struct tp_streams *streams, const struct tp_conf *conf)
{
	struct tp_range *proxy_from = NULL;

	if (conf->proxy_from_len) {
		proxy_from = malloc(conf->proxy_from_len * sizeof(*proxy_from));
		if (!proxy_from)
			return -ENOMEM;
		memcpy(proxy_from, conf->proxy_from, conf->proxy_from_len * sizeof(*proxy_from));
	}
	free(streams->proxy_from);
	streams->proxy_from = proxy_from;
	streams->proxy_from_len = conf->proxy_from_len;
	streams->proxy_any_port = !conf->tcp_proxy.port;
	streams->no_tcp = conf->no_tcp;
	streams->no_tls = conf->no_tls;
	return 0;
}

int tp_streams_configure(struct tp_streams *streams, const struct tp_conf *conf, char *err, size_t err_size)
{
	CDS_LIST_HEAD(wanted);
	CDS_LIST_HEAD(opened);
	struct tp_addr addr = { 0 };
	struct listener *l;
	char text[TP_ADDR_STRLEN];
	int r = 0;

	if (!conf->no_tcp || !conf->no_tls)
		r = want_all(streams, conf, &wanted, &opened, &addr);
	cds_list_for_each_entry(l, &opened, node)
		if (!r)
			r = tp_loop_add(streams->params.loop, &l->watch, EPOLLIN);
	if (!r)
		r = take_settings(streams, conf);
	if (r) {
		snprintf(err, err_size, "tcp %s: %s", tp_addr_format(&addr, text), strerror(-r));
		close_all(&opened);
	} else {
		close_all(&streams->listeners);
	}
	cds_list_splice(&wanted, &streams->listeners);
	cds_list_splice(&opened, &streams->listeners);
	return r;
}

/* The oldest of those that never said a word, else the one that has been idle longest. */
static bool evict_young(struct tp_streams *streams)
{
	struct cds_list_head *list =
		cds_list_empty(&streams->young_hello) ? &streams->young_idle : &streams->young_hello;

	if (cds_list_empty(list))
		return false;
	streams->counters.evicted++;
	stream_drop(cds_list_first_entry(list, struct tp_stream, all));
	return true;
}

/* Closed by a reset instead of a FIN: what was refused leaves no TIME-WAIT here. */
static void set_reset(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static struct tp_stream *make_stream(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
	struct tp_streams *streams = l->streams;
	struct tp_stream *s = calloc(1, sizeof(*s));
	struct sockaddr_storage local;
	socklen_t local_size = sizeof(local);

	if (!s)
		return NULL;
	if (getsockname(fd, (struct sockaddr *)&local, &local_size) ||
	    tp_addr_from_sockaddr((struct sockaddr *)&local, &s->path.tuple.server) ||
	    tp_addr_from_sockaddr((const struct sockaddr *)peer, &s->path.tuple.client))
		goto err;
	s->path.tuple.transport = TP_TCP;
	s->path.conn = tp_conns_add(streams->params.conns, TP_CONN_STREAM, s);
	if (!s->path.conn)
		goto err;
	s->streams = streams;
	s->watch = (struct tp_watch){ .fd = fd, .fn = stream_on_event, .arg = s };
	s->armed = EPOLLIN;
	s->bucket = BUCKET_UNKNOWN;
	s->state = STREAM_SNIFF;
	tp_outbox_init(&s->out, YOUNG_OUTBOX, YOUNG_OUTBOX);
	CDS_INIT_LIST_HEAD(&s->work);
	return s;

err:
	free(s);
	return NULL;
}

/* tcp-proxy-port takes proxies only, and always with a header; elsewhere a known proxy must send one. */
static bool admit(struct listener *l, struct tp_stream *s)
{
	bool from_proxy = stream_is_proxy(l->streams, &s->path.tuple.client);

	if (l->proxy && !from_proxy) {
		l->streams->counters.refused_proxy++;
		return false;
	}
	if (l->proxy || (from_proxy && l->streams->proxy_any_port)) {
		s->state = STREAM_PROXY;
		return true;
	}
	return stream_charge_prefix(s);
}

static void take_in(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
	struct tp_streams *streams = l->streams;
	struct tp_stream *s;

	if (streams->young >= streams->params.young_max)
		evict_young(streams);
	s = make_stream(l, fd, peer);
	if (!s && evict_young(streams))
		s = make_stream(l, fd, peer);
	if (!s) {
		streams->counters.refused_full++;
		set_reset(fd);
		close(fd);
		return;
	}
	streams->counters.live++;
	streams->young++;
	s->deadline_ns = stream_now_ns() + streams->params.hello_ms * 1000000ull;
	cds_list_add_tail(&s->all, &streams->young_hello);
	if (!admit(l, s) || tp_loop_add(streams->params.loop, &s->watch, EPOLLIN)) {
		set_reset(fd);
		stream_drop(s);
	}
}

/* Out of descriptors, the backlog would wake the loop for ever: make room, else look away for a moment. */
static void out_of_descriptors(struct tp_streams *streams)
{
	struct listener *l;

	streams->counters.accept_failed++;
	if (evict_young(streams))
		return;
	streams->listeners_paused = true;
	streams->resume_ns = stream_now_ns() + PAUSE_NS;
	cds_list_for_each_entry(l, &streams->listeners, node)
		tp_loop_modify(streams->params.loop, &l->watch, 0);
}

void stream_accept(struct tp_watch *watch, uint32_t events)
{
	struct listener *l = watch->arg;

	for (unsigned int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage peer;
		socklen_t peer_size = sizeof(peer);
		int fd = accept4(watch->fd, (struct sockaddr *)&peer, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_in(l, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			out_of_descriptors(l->streams);
			return;
		}
		if (errno == EAGAIN)
			return;
		/* The rest is that connection's end (ECONNABORTED and whatever the network said of it). */
	}
}
