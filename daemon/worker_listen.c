/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The listening UDP sockets of workers. They are opened on the control thread, for
 * all workers or for none, and taken over by each worker with the runtime that
 * wants them. An address that a reload removes is retired: its sockets stay open
 * for the allocations made through it, take no new ones, and close after the last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "net/dtls.h"
#include "net/listen.h"
#include "runtime.h"
#include "stun/stun.h"
#include "worker.h"

#define LISTEN_BUFFER	(4 * 1024 * 1024)	/* every client's packets pass here */
#define RETIRE_CHECK_NS	(2 * 1000000000ull)

/* RFC 7983: what comes on one port is told apart by its first byte. */
static bool is_dtls(const uint8_t *data, size_t size)
{
	return size && data[0] >= 20 && data[0] <= 63;
}

/* Without an allocation nothing starts on a retired address. */
static bool starts_something(const uint8_t *data, size_t size)
{
	uint16_t type = size >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : 0;

	return type == TP_STUN_BINDING || type == TP_STUN_ALLOCATE;
}

static void listener_receive(struct tp_watch *watch, uint32_t events)
{
	struct tp_udp_listener *l = watch->arg;
	struct tp_worker *worker = l->worker;
	struct tp_path path = { .tuple = { .server = l->addr, .transport = TP_UDP } };
	struct tp_datagram d;

	if (tp_udp_receive(worker->batch, watch->fd) <= 0)
		return;
	worker->counters.udp_batches++;
	while (tp_udp_next(worker->batch, &d)) {
		worker->counters.udp_received++;
		path.tuple.client = d.from;
		if (is_dtls(d.data, d.size)) {
			tp_dtls_input(worker->dtls, &path.tuple, d.data, d.size);
			continue;
		}
		if (worker->runtime->conf->no_udp) {
			worker->counters.plain_udp_refused++;
			continue;
		}
		if (l->retired && starts_something(d.data, d.size))
			continue;
		tp_worker_client_input(worker, &path, d.data, d.size, &d.fields);
	}
}

struct tp_udp_listener *worker_listener_find(const struct tp_worker *worker, const struct tp_addr *addr)
{
	struct tp_udp_listener *l = worker->listeners;

	while (l && !tp_addr_equal(&l->addr, addr))
		l = l->next;
	return l;
}

static void listener_free(struct tp_udp_listener *l)
{
	close(l->watch.fd);
	free(l);
}

static int listener_new(struct tp_worker *worker, const struct tp_addr *addr, struct tp_udp_listener **ret)
{
	struct tp_udp_listener *l = calloc(1, sizeof(*l));
	int fd, err;

	if (!l)
		return -ENOMEM;
	fd = tp_udp_open(addr, TP_UDP_REUSEPORT, LISTEN_BUFFER);
	if (fd < 0) {
		free(l);
		return fd;
	}
	l->watch.fd = fd;
	l->watch.fn = listener_receive;
	l->watch.arg = l;
	l->addr = *addr;
	l->worker = worker;
	err = tp_out_socket_init(&l->out, fd, addr->family);
	if (err) {
		listener_free(l);
		return err;
	}
	*ret = l;
	return 0;
}

static bool addr_listed(const struct tp_addr *items, size_t len, const struct tp_addr *addr)
{
	for (size_t i = 0; i < len; i++)
		if (tp_addr_equal(&items[i], addr))
			return true;
	return false;
}

void worker_listeners_configure(struct tp_worker *worker, const struct tp_conf *conf)
{
	struct tp_udp_listener *l = atomic_exchange(&worker->new_listeners, NULL), *next;
	struct tp_addr *wanted;
	size_t len;

	for (; l; l = next) {
		next = l->next;
		if (tp_loop_add(worker->loop, &l->watch, EPOLLIN) < 0) {
			listener_free(l);
			continue;
		}
		l->next = worker->listeners;
		worker->listeners = l;
	}
	if (tp_listen_udp(conf, &wanted, &len) < 0)
		return;
	for (l = worker->listeners; l; l = l->next)
		l->retired = !addr_listed(wanted, len, &l->addr);
	free(wanted);
	worker->retire_ns = worker->now.mono_ns + RETIRE_CHECK_NS;
}

struct in_use {
	const struct tp_addr *addr;
	bool found;
};

static bool visit_in_use(void *arg, const struct tp_allocation_info *info)
{
	struct in_use *use = arg;

	use->found = tp_addr_equal(&info->tuple.server, use->addr);
	return !use->found;
}

uint64_t worker_listeners_tick(struct tp_worker *worker)
{
	struct tp_udp_listener **at = &worker->listeners;
	bool retired = false;

	if (worker->now.mono_ns < worker->retire_ns)
		return worker->retire_ns;
	while (*at) {
		struct tp_udp_listener *l = *at;
		struct in_use use = { .addr = &l->addr };

		if (l->retired)
			tp_turn_visit(worker->turn, &worker->now, visit_in_use, &use);
		if (!l->retired || use.found) {
			retired |= l->retired;
			at = &l->next;
			continue;
		}
		tp_outq_flush_socket(worker->out, &l->out);
		tp_loop_remove(worker->loop, &l->watch);
		*at = l->next;
		listener_free(l);
	}
	worker->retire_ns = retired ? worker->now.mono_ns + RETIRE_CHECK_NS : UINT64_MAX;
	return worker->retire_ns;
}

static void listeners_free(struct tp_udp_listener *l)
{
	while (l) {
		struct tp_udp_listener *next = l->next;

		listener_free(l);
		l = next;
	}
}

void worker_listeners_free(struct tp_worker *worker)
{
	listeners_free(worker->listeners);
	listeners_free(atomic_exchange(&worker->new_listeners, NULL));
	worker->listeners = NULL;
}

/* --- on the control thread --- */

/* What every worker has open, retired ones too. */
struct open_addrs {
	struct {
		struct tp_addr *items;
		size_t len;
		bool failed;
	} of[1024];
};

static void open_addrs_free(void *arg)
{
	struct open_addrs *open = arg;

	for (size_t i = 0; i < sizeof(open->of) / sizeof(open->of[0]); i++)
		free(open->of[i].items);
	free(open);
}

static void open_addrs_collect(struct tp_worker *worker, void *arg)
{
	struct open_addrs *open = arg;
	size_t len = 0;

	for (struct tp_udp_listener *l = worker->listeners; l; l = l->next)
		len++;
	open->of[worker->index].items = calloc(len + 1, sizeof(struct tp_addr));
	if (!open->of[worker->index].items) {
		open->of[worker->index].failed = true;
		return;
	}
	for (struct tp_udp_listener *l = worker->listeners; l; l = l->next)
		open->of[worker->index].items[open->of[worker->index].len++] = l->addr;
}

static void explain(const char *protocol, const struct tp_addr *addr, int err, char *text, size_t size)
{
	char name[TP_ADDR_STRLEN];

	tp_addr_format(addr, name);
	switch (-err) {
	case EADDRINUSE:
		snprintf(text, size, "%s %s is in use: another program listens there (see `ss -ltunp`); stop it, or "
			 "choose another listening-port", protocol, name);
		break;
	case EADDRNOTAVAIL:
		snprintf(text, size, "this node has no address %s: correct listening-ip, or add the address", name);
		break;
	case EACCES:
	case EPERM:
		snprintf(text, size, "listening on %s %s is not permitted: ports below 1024 need CAP_NET_BIND_SERVICE",
			 protocol, name);
		break;
	case EMFILE:
		snprintf(text, size, "no descriptor left for %s %s: raise the limit (ulimit -n, LimitNOFILE=)", protocol,
			 name);
		break;
	default:
		snprintf(text, size, "cannot listen on %s %s: %s", protocol, name, strerror(-err));
	}
}

/* The sockets of one address for every worker that lacks one, put in front of `made[worker]`. */
static int listen_one(struct tp_workers *workers, const struct open_addrs *open, const struct tp_addr *addr,
		      struct tp_udp_listener **made)
{
	bool ours = false;
	int err;

	for (unsigned int i = 0; i < workers->len; i++)
		ours |= addr_listed(open->of[i].items, open->of[i].len, addr);
	err = ours ? 0 : tp_udp_probe(addr);
	for (unsigned int i = 0; i < workers->len && !err; i++) {
		struct tp_udp_listener *l;

		if (addr_listed(open->of[i].items, open->of[i].len, addr))
			continue;
		err = listener_new(&workers->items[i], addr, &l);
		if (err)
			break;
		l->next = made[i];
		made[i] = l;
	}
	return err;
}

static struct open_addrs *collect(struct tp_workers *workers)
{
	struct open_addrs *open = calloc(1, sizeof(*open));

	if (open && workers->items[0].running && !tp_workers_call(workers, open_addrs_collect, open, open_addrs_free))
		return NULL;
	return open;
}

/* Workers open their TCP listeners themselves, when the runtime changes: what would fail is found here. */
static int check_tcp(const struct tp_conf *conf, const struct tp_conf *old, char *err, size_t err_size)
{
	struct tp_addr *wanted = NULL, *have = NULL;
	size_t len = 0, have_len = 0;
	int res = tp_listen_tcp(conf, &wanted, &len);

	if (!res && old)
		res = tp_listen_tcp(old, &have, &have_len);
	if (res)
		snprintf(err, err_size, "out of memory");
	for (size_t i = 0; i < len && !res; i++) {
		if (addr_listed(have, have_len, &wanted[i]))
			continue;
		res = tp_listen_tcp_probe(&wanted[i]);
		if (res)
			explain("TCP", &wanted[i], res, err, err_size);
	}
	free(wanted);
	free(have);
	return res;
}

static int listen_udp(struct tp_workers *workers, const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_udp_listener **made = calloc(workers->len, sizeof(struct tp_udp_listener *));
	struct tp_addr *wanted = NULL;
	struct open_addrs *open = collect(workers);
	size_t len;
	int res = made && open ? tp_listen_udp(conf, &wanted, &len) : -ENOMEM;

	if (res) {
		snprintf(err, err_size, "out of memory, or a worker thread does not answer");
		goto out;
	}
	for (size_t i = 0; i < len && !res; i++) {
		res = listen_one(workers, open, &wanted[i], made);
		if (res)
			explain("UDP", &wanted[i], res, err, err_size);
	}
	for (unsigned int i = 0; i < workers->len; i++) {
		if (res)
			listeners_free(made[i]);
		else
			listeners_free(atomic_exchange(&workers->items[i].new_listeners, made[i]));
	}
out:
	if (open)
		open_addrs_free(open);
	free(wanted);
	free(made);
	return res;
}

int tp_workers_listen(struct tp_workers *workers, const struct tp_conf *conf, char *err, size_t err_size)
{
	const struct tp_conf *old = workers->items[0].running ? tp_runtime_current()->conf : NULL;
	int res = check_tcp(conf, old, err, err_size);

	return res ? res : listen_udp(workers, conf, err, err_size);
}

int tp_workers_check_ports(const struct tp_conf *conf, char *err, size_t err_size)
{
	struct tp_addr *wanted;
	size_t len;
	int res = check_tcp(conf, NULL, err, err_size);

	if (res)
		return res;
	if (tp_listen_udp(conf, &wanted, &len) < 0) {
		snprintf(err, err_size, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < len && !res; i++) {
		res = tp_udp_probe(&wanted[i]);
		if (res)
			explain("UDP", &wanted[i], res, err, err_size);
	}
	free(wanted);
	return res;
}
