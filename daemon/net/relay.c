/* SPDX-License-Identifier: GPL-2.0 */
/* Relay sockets of a worker's allocations: opened and closed by the engine through worker_io.c. */
#include "net/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "conf.h"
#include "runtime.h"
#include "worker.h"

/* A key frame of video is hundreds of packets at once; the system's default holds about 90. */
#define RELAY_BUFFER	(512 * 1024)

struct tp_relay_socket {
	struct tp_watch watch;
	struct tp_out_socket out;
	struct tp_worker *worker;
	struct tp_allocation *owner;	/* NULL: closed */
	struct tp_relay_socket *next;	/* of the closed ones */
};

static bool addr_in_prefix(const struct tp_addr *addr, const struct tp_relay_ip *prefix)
{
	unsigned int whole = prefix->prefix_len / 8, rest = prefix->prefix_len % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return addr->family == prefix->addr.family && memcmp(addr->ip, prefix->addr.ip, whole) == 0 &&
	       (!rest || !((addr->ip[whole] ^ prefix->addr.ip[whole]) & mask));
}

/* Addresses of a relay-ip prefix are routed here and on no device. A single address must exist: it may be a typo. */
static unsigned int open_flags(const struct tp_conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->relay_len; i++)
		if (conf->relay[i].prefix_len && addr_in_prefix(addr, &conf->relay[i]))
			return TP_UDP_FREEBIND;
	return 0;
}

static void relay_receive(struct tp_watch *watch, uint32_t events)
{
	struct tp_relay_socket *socket = watch->arg;
	struct tp_worker *worker = socket->worker;
	struct tp_datagram d;

	if (tp_udp_receive(worker->batch, watch->fd) <= 0)
		return;
	worker->counters.udp_batches++;
	/* The allocation may end by what one of the datagrams does. */
	while (socket->owner && tp_udp_next(worker->batch, &d)) {
		worker->counters.udp_received++;
		tp_turn_peer_input(worker->turn, socket->owner, socket, &d.from, d.data, d.size, &d.fields,
				   &worker->now);
	}
}

int tp_relay_socket_open(struct tp_worker *worker, const struct tp_addr *addr, struct tp_allocation *owner,
		  struct tp_relay_socket **ret)
{
	struct tp_relay_socket *socket = calloc(1, sizeof(*socket));
	int fd, err;

	if (!socket)
		return -ENOMEM;
	fd = tp_udp_open(addr, open_flags(worker->runtime->conf, addr), RELAY_BUFFER);
	if (fd < 0) {
		free(socket);
		return fd;
	}
	err = tp_out_socket_init(&socket->out, fd, addr->family);
	if (err)
		goto err_close;
	socket->worker = worker;
	socket->owner = owner;
	socket->watch.fd = fd;
	socket->watch.fn = relay_receive;
	socket->watch.arg = socket;
	err = tp_loop_add(worker->loop, &socket->watch, EPOLLIN);
	if (err)
		goto err_close;
	worker->counters.relay_sockets++;
	*ret = socket;
	return 0;

err_close:
	close(fd);
	free(socket);
	return err;
}

void tp_relay_socket_close(struct tp_relay_socket *socket)
{
	struct tp_worker *worker = socket->worker;

	tp_outq_flush_socket(worker->out, &socket->out);
	tp_loop_remove(worker->loop, &socket->watch);
	close(socket->watch.fd);
	socket->owner = NULL;
	socket->next = worker->closed_relays;
	worker->closed_relays = socket;
	worker->counters.relay_sockets--;
}

int tp_relay_socket_send(struct tp_relay_socket *socket, const struct tp_addr *peer, const void *data, size_t size,
		  const struct tp_ip_fields *fields)
{
	return tp_outq_send(socket->worker->out, &socket->out, peer, data, size, fields);
}

void tp_relay_sockets_reap(struct tp_worker *worker)
{
	while (worker->closed_relays) {
		struct tp_relay_socket *socket = worker->closed_relays;

		worker->closed_relays = socket->next;
		free(socket);
	}
}
