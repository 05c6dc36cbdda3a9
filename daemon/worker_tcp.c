/* SPDX-License-Identifier: GPL-2.0 */
/* RFC 6062 at a worker: its engine's calls go to net/tcp_relay.c, what happens there comes back. */
#include <errno.h>
#include <stddef.h>

#include "net/tcp_relay.h"
#include "worker.h"

static struct tp_worker *worker_of(struct tp_turn_io *io)
{
	return (struct tp_worker *)((char *)io - offsetof(struct tp_worker, io));
}

static int io_tcp_listen(struct tp_turn_io *io, const struct tp_addr *addr, struct tp_allocation *owner,
			 struct tp_tcp_relay **ret)
{
	return tp_tcp_relay_listen(worker_of(io)->tcp_relays, addr, owner, ret);
}

static void io_tcp_unlisten(struct tp_turn_io *io, struct tp_tcp_relay *relay)
{
	tp_tcp_relay_unlisten(relay);
}

static int io_tcp_connect(struct tp_turn_io *io, struct tp_tcp_relay *relay, const struct tp_addr *peer,
			  struct tp_tcp_link *link, void **ret_conn)
{
	return tp_tcp_relay_connect(relay, peer, link, ret_conn);
}

static int io_tcp_join(struct tp_turn_io *io, void *conn, const struct tp_path *client)
{
	return tp_tcp_relay_join(worker_of(io)->tcp_relays, conn, client);
}

static void io_tcp_close(struct tp_turn_io *io, void *conn)
{
	tp_tcp_relay_close(worker_of(io)->tcp_relays, conn);
}

static struct tp_tcp_relays *relays_of(void *arg, unsigned int index)
{
	struct tp_worker *worker = arg;

	return index < worker->all->len && !worker->all->ending ? worker->all->items[index].tcp_relays : NULL;
}

static void on_connected(void *arg, struct tp_tcp_link *link, int err)
{
	struct tp_worker *worker = arg;

	tp_turn_tcp_connected(worker->turn, link, err, &worker->now);
}

static struct tp_tcp_link *on_accepted(void *arg, struct tp_allocation *owner, const struct tp_addr *relayed,
				       const struct tp_addr *peer, void *conn)
{
	struct tp_worker *worker = arg;

	return tp_turn_tcp_accepted(worker->turn, owner, relayed, peer, conn, &worker->now);
}

static void on_ended(void *arg, struct tp_tcp_link *link, uint64_t up, uint64_t down)
{
	struct tp_worker *worker = arg;

	tp_turn_tcp_ended(worker->turn, link, up, down);
}

int worker_tcp_init(struct tp_worker *worker)
{
	struct tp_tcp_relay_params params = { .loop = worker->loop, .conns = worker->conns, .streams = worker->streams,
					      .worker = worker->index, .arg = worker, .of = relays_of,
					      .connected = on_connected, .accepted = on_accepted, .ended = on_ended };

	worker->tcp_relays = tp_tcp_relays_new(&params);
	if (!worker->tcp_relays)
		return -ENOMEM;
	worker->io.tcp_listen = io_tcp_listen;
	worker->io.tcp_unlisten = io_tcp_unlisten;
	worker->io.tcp_connect = io_tcp_connect;
	worker->io.tcp_join = io_tcp_join;
	worker->io.tcp_close = io_tcp_close;
	return 0;
}
