/* SPDX-License-Identifier: GPL-2.0 */
/* What a worker does for its engine (struct tp_turn_io), and what passes between workers. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "later.h"
#include "net/dtls.h"
#include "net/relay.h"
#include "net/stream.h"
#include "worker.h"

/* Messages on their way to one worker: beyond them it is overloaded, and UDP may lose. */
#define INBOX_MAX	4096
/* An allocation can move while its message is under way, but not for ever. */
#define HANDS_MAX	3

enum hand_kind { HAND_CLIENT_INPUT, HAND_CONN_SEND, HAND_CONN_GONE, HAND_CONN_CLOSED };

/* A message for another worker, with its bytes behind it. */
struct hand {
	struct tp_job job;
	struct tp_worker *to;
	enum hand_kind kind;
	unsigned int times;
	struct tp_path path;
	bool has_fields;
	struct tp_ip_fields fields;
	size_t size;
	uint8_t data[];
};

static void hand_run(struct tp_job *job);

static int hand_over(struct tp_worker *from, unsigned int to, enum hand_kind kind, unsigned int times,
		     const struct tp_path *path, const void *data, size_t size, const struct tp_ip_fields *fields)
{
	struct tp_worker *target = to < from->all->len ? &from->all->items[to] : NULL;
	struct hand *hand;

	if (from->all->ending)
		return -ESHUTDOWN;
	if (!target || times >= HANDS_MAX || atomic_fetch_add(&target->inbox, 1) >= INBOX_MAX)
		goto drop;
	hand = malloc(sizeof(*hand) + size);
	if (!hand)
		goto drop;
	hand->job.fn = hand_run;
	hand->to = target;
	hand->kind = kind;
	hand->times = times + 1;
	hand->path = *path;
	hand->has_fields = fields != NULL;
	if (fields)
		hand->fields = *fields;
	hand->size = size;
	if (size)
		memcpy(hand->data, data, size);
	from->counters.handed_over++;
	tp_loop_post(target->loop, &hand->job);
	return 0;

drop:
	if (target && times < HANDS_MAX)
		atomic_fetch_sub(&target->inbox, 1);
	from->counters.hand_over_dropped++;
	return -EAGAIN;
}

static void hand_run(struct tp_job *job)
{
	struct hand *hand = (struct hand *)job;
	struct tp_worker *worker = hand->to;
	const struct tp_ip_fields *fields = hand->has_fields ? &hand->fields : NULL;
	int owner;

	atomic_fetch_sub(&worker->inbox, 1);
	switch (hand->kind) {
	case HAND_CLIENT_INPUT:
		owner = tp_turn_client_input(worker->turn, &hand->path, hand->data, hand->size, fields, &worker->now);
		if (owner >= 0)
			hand_over(worker, (unsigned int)owner, hand->kind, hand->times, &hand->path, hand->data,
				  hand->size, fields);
		break;
	case HAND_CONN_SEND:
		/* It ended while its request was under way, before there was an allocation to be told of it. */
		if (worker->io.send_client(&worker->io, &hand->path, hand->data, hand->size, fields) == -ENOTCONN)
			tp_worker_conn_closed(worker, &hand->path);
		break;
	case HAND_CONN_GONE:
		worker->io.client_gone(&worker->io, &hand->path);
		break;
	case HAND_CONN_CLOSED:
		owner = tp_turn_conn_closed(worker->turn, &hand->path, &worker->now);
		if (owner >= 0)
			hand_over(worker, (unsigned int)owner, hand->kind, hand->times, &hand->path, NULL, 0, NULL);
		break;
	}
	free(hand);
}

void tp_worker_client_input(struct tp_worker *worker, const struct tp_path *from, const void *data, size_t size,
			    const struct tp_ip_fields *fields)
{
	int owner = tp_turn_client_input(worker->turn, from, data, size, fields, &worker->now);

	if (owner >= 0)
		hand_over(worker, (unsigned int)owner, HAND_CLIENT_INPUT, 0, from, data, size, fields);
}

void tp_worker_conn_closed(struct tp_worker *worker, const struct tp_path *path)
{
	int owner = tp_turn_conn_closed(worker->turn, path, &worker->now);

	if (owner >= 0)
		hand_over(worker, (unsigned int)owner, HAND_CONN_CLOSED, 0, path, NULL, 0, NULL);
	if (worker->later)
		tp_later_forget(worker->later, path->conn);
}

int tp_worker_send_datagram(struct tp_worker *worker, const struct tp_tuple *tuple, const void *data, size_t size,
			    const struct tp_ip_fields *fields)
{
	struct tp_udp_listener *l = worker_listener_find(worker, &tuple->server);

	if (!l) {
		worker->counters.no_listener++;
		return -EADDRNOTAVAIL;
	}
	return tp_outq_send(worker->out, &l->out, &tuple->client, data, size, fields);
}

static struct tp_worker *worker_of(struct tp_turn_io *io)
{
	return (struct tp_worker *)((char *)io - offsetof(struct tp_worker, io));
}

static int io_send_client(struct tp_turn_io *io, const struct tp_path *to, const void *data, size_t size,
			  const struct tp_ip_fields *fields)
{
	struct tp_worker *worker = worker_of(io);

	if (to->tuple.transport == TP_UDP)
		return tp_worker_send_datagram(worker, &to->tuple, data, size, fields);
	if (!to->conn)
		return -ENOTCONN;
	if (tp_conn_worker(to->conn) != worker->index)
		return hand_over(worker, tp_conn_worker(to->conn), HAND_CONN_SEND, 0, to, data, size, fields);
	if (to->tuple.transport == TP_DTLS)
		return tp_dtls_send(worker->dtls, to, data, size);
	return tp_streams_send(worker->streams, to, data, size);
}

static int io_send_from(struct tp_turn_io *io, const struct tp_addr *from, const struct tp_addr *to, const void *data,
			size_t size)
{
	struct tp_tuple tuple = { .client = *to, .server = *from, .transport = TP_UDP };

	return tp_worker_send_datagram(worker_of(io), &tuple, data, size, NULL);
}

static int io_relay_open(struct tp_turn_io *io, const struct tp_addr *addr, struct tp_allocation *owner,
			 struct tp_relay_socket **ret)
{
	struct tp_worker *worker = worker_of(io);
	int err = tp_relay_socket_open(worker, addr, owner, ret);

	worker->counters.relay_open_failed += err != 0;
	return err;
}

static void io_relay_close(struct tp_turn_io *io, struct tp_relay_socket *socket)
{
	tp_relay_socket_close(socket);
}

static int io_send_peer(struct tp_turn_io *io, struct tp_relay_socket *socket, const struct tp_addr *peer,
			const void *data, size_t size, const struct tp_ip_fields *fields)
{
	return tp_relay_socket_send(socket, peer, data, size, fields);
}

static void io_client_gone(struct tp_turn_io *io, const struct tp_path *path)
{
	struct tp_worker *worker = worker_of(io);

	if (!path->conn)
		return;
	if (tp_conn_worker(path->conn) != worker->index)
		hand_over(worker, tp_conn_worker(path->conn), HAND_CONN_GONE, 0, path, NULL, 0, NULL);
	else if (path->tuple.transport == TP_DTLS)
		tp_dtls_release(worker->dtls, path);
	else
		tp_streams_release(worker->streams, path);
}

static void io_later(struct tp_turn_io *io, const struct tp_path *path, const void *data, size_t size)
{
	struct tp_worker *worker = worker_of(io);

	if (worker->later)
		tp_later_add(worker->later, path, data, size);
}

static void io_event(struct tp_turn_io *io, enum tp_event event, const struct tp_allocation_info *info,
		     const struct tp_flow_traffic *since)
{
	tp_events_add(worker_of(io)->all->services.events, event, info, since);
}

void worker_io_init(struct tp_worker *worker)
{
	worker->io.later = io_later;
	worker->io.event = worker->all->services.events ? io_event : NULL;
	worker->io.send_client = io_send_client;
	worker->io.send_from = io_send_from;
	worker->io.relay_open = io_relay_open;
	worker->io.relay_close = io_relay_close;
	worker->io.send_peer = io_send_peer;
	worker->io.client_gone = io_client_gone;
}

/* --- ICMP: small enough for a message of its own --- */

struct icmp_hand {
	struct tp_job job;
	struct tp_worker *to;
	struct tp_addr relayed, peer;
	uint8_t type, code;
	uint32_t data;
};

static void icmp_hand_run(struct tp_job *job)
{
	struct icmp_hand *hand = (struct icmp_hand *)job;

	atomic_fetch_sub(&hand->to->inbox, 1);
	tp_turn_icmp_input(hand->to->turn, &hand->relayed, &hand->peer, hand->type, hand->code, hand->data,
			   &hand->to->now);
	free(hand);
}

void tp_worker_icmp_input(struct tp_worker *worker, const struct tp_addr *relayed, const struct tp_addr *peer,
			  uint8_t type, uint8_t code, uint32_t data)
{
	int owner = tp_turn_icmp_input(worker->turn, relayed, peer, type, code, data, &worker->now);
	struct tp_worker *target;
	struct icmp_hand *hand;

	if (owner < 0 || (unsigned int)owner >= worker->all->len)
		return;
	target = &worker->all->items[owner];
	hand = atomic_fetch_add(&target->inbox, 1) < INBOX_MAX ? malloc(sizeof(*hand)) : NULL;
	if (!hand) {
		atomic_fetch_sub(&target->inbox, 1);
		worker->counters.hand_over_dropped++;
		return;
	}
	*hand = (struct icmp_hand){ .job.fn = icmp_hand_run, .to = target, .relayed = *relayed, .peer = *peer,
				    .type = type, .code = code, .data = data };
	tp_loop_post(target->loop, &hand->job);
}
