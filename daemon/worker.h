/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Worker threads: each has a loop, its listening sockets (SO_REUSEPORT), a TURN
 * engine, and the relay sockets of its allocations. Main makes them, the control
 * thread talks to them by posted jobs, everything else happens on their own threads.
 *
 * How a client's bytes reach the engine, and what it answers reaches the client:
 *
 *   UDP   net/udp.c receives a batch, tp_worker_client_input() for each datagram,
 *         path {tuple, conn NULL}. send_client picks the worker's own socket of
 *         path.tuple.server and queues in net/outq.c; the queue leaves by sendmmsg
 *         at the end of the iteration.
 *   TCP,  net/stream.h: one `struct tp_streams` per worker. Its input callback is
 *   TLS   tp_worker_client_input() with fields NULL, its closed callback
 *         tp_worker_conn_closed(); send_client calls tp_streams_send(), client_gone
 *         tp_streams_release(). Flush and tick run in the idle hook, configure when
 *         the runtime changes (and before the worker runs, so that a port in use
 *         stops the start).
 *   DTLS  net/dtls.h: a datagram of a listening UDP socket whose first byte is
 *         20..63 (RFC 7983) goes to tp_dtls_input(); its records leave by
 *         tp_worker_send_datagram(); the rest as for streams.
 *
 * Another worker's message: the engine says whose it is, its bytes are copied to
 * that worker, which answers through its own socket of the same address. A stream
 * stays with the worker that accepted it (tp_conn_worker()): what another worker's
 * engine sends to it travels back the same way.
 */
#ifndef TP_WORKER_H
#define TP_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "loop.h"
#include "net/conn.h"
#include "net/outq.h"
#include "net/udp.h"
#include "turn/turn.h"

struct tp_dtls;
struct tp_events;
struct tp_farm;
struct tp_icmp;
struct tp_runtime;
struct tp_later;
struct tp_store;
struct tp_streams;
struct tp_tcp_relays;
struct tp_workers;

#define TP_WORKER_COUNTERS(X)								\
	X(udp_received) X(udp_sent) X(udp_send_failed) X(udp_batches)			\
	X(handed_over) X(hand_over_dropped) X(relay_sockets) X(relay_open_failed)	\
	X(icmp_received) X(icmp_ignored) X(no_listener) X(plain_udp_refused)

struct tp_worker_counters {
#define TP_WORKER_COUNTER(name) uint64_t name;
	TP_WORKER_COUNTERS(TP_WORKER_COUNTER)
#undef TP_WORKER_COUNTER
};

struct tp_worker {
	unsigned int index;
	struct tp_workers *all;
	pthread_t thread;
	bool running;
	struct tp_loop *loop;
	struct tp_turn *turn;
	struct tp_turn_io io;
	struct tp_now now;			/* read once per iteration */
	const struct tp_runtime *runtime;	/* of this iteration */
	uint64_t generation;			/* of the runtime the engine was configured with */
	struct tp_outq *out;
	struct tp_udp_batch *batch;		/* receive buffers, used by one socket at a time */
	struct tp_udp_listener *listeners;	/* a list */
	_Atomic(struct tp_udp_listener *) new_listeners; /* opened by the control thread, taken with the next runtime */
	uint64_t retire_ns;			/* when to look at retired listeners again */
	struct tp_conns *conns;
	struct tp_streams *streams;
	struct tp_dtls *dtls;
	struct tp_tcp_relays *tcp_relays;	/* RFC 6062 */
	struct tp_later *later;			/* requests that wait for the store or the farm; NULL: there is neither */
	struct tp_icmp *icmp;			/* worker 0's, or NULL */
	struct tp_relay_socket *closed_relays;	/* until the end of the iteration */
	struct tp_worker_counters counters;
	_Atomic unsigned int inbox;		/* messages on their way to it: bounded */
};

/* A client's message. `fields` NULL: unknown. */
void tp_worker_client_input(struct tp_worker *worker, const struct tp_path *from, const void *data, size_t size,
			    const struct tp_ip_fields *fields);
void tp_worker_conn_closed(struct tp_worker *worker, const struct tp_path *path);

/* A datagram from the listening address tuple.server to tuple.client. */
int tp_worker_send_datagram(struct tp_worker *worker, const struct tp_tuple *tuple, const void *data, size_t size,
			    const struct tp_ip_fields *fields);

/* An ICMP error about a datagram of a relayed address: to whichever worker owns it. */
void tp_worker_icmp_input(struct tp_worker *worker, const struct tp_addr *relayed, const struct tp_addr *peer,
			  uint8_t type, uint8_t code, uint32_t data);

/* --- for main and the control thread --- */

/* What all workers use and none of them owns. */
struct tp_services {
	struct tp_dp *dp;
	struct tp_store *store;		/* NULL: no user database */
	struct tp_events *events;	/* NULL: nobody is told */
	struct tp_farm *farm;		/* NULL: quotas are the node's own */
};

struct tp_workers {
	struct tp_worker *items;
	unsigned int len;
	struct tp_registry *registry;
	struct tp_services services;
	bool ending;		/* no thread runs any more, nothing passes between workers */
};

/*
 * Makes `len` workers for the published runtime and opens their sockets, without
 * running them. On an error `err` says which address and what to do.
 */
int tp_workers_new(unsigned int len, const struct tp_services *services, struct tp_workers **ret, char *err,
		   size_t err_size);
/* Are the listening addresses free? Asked before anything is touched that another daemon may own. */
int tp_workers_check_ports(const struct tp_conf *conf, char *err, size_t err_size);
/* Before they start: the allocations that the data path has kept from an earlier daemon. */
void tp_workers_adopt(struct tp_workers *workers);
int tp_workers_start(struct tp_workers *workers);
void tp_workers_stop(struct tp_workers *workers);	/* and joins */
/* Once stopped. `leave`: the data path goes on with the allocations that it has; else every one ends. */
void tp_workers_free(struct tp_workers *workers, bool leave);

/*
 * UDP addresses of `conf` that are not open yet are opened for every worker, and TCP
 * addresses are tried; or none is and `err` says why. What is gone is retired, TCP
 * listeners are opened and closed, when the runtime with `conf` is published.
 */
int tp_workers_listen(struct tp_workers *workers, const struct tp_conf *conf, char *err, size_t err_size);

/*
 * Runs fn on every worker's thread and waits until all have. True: it is done, and `arg`
 * is the caller's again. False: a worker did not get to it within a bounded time; fn still
 * runs later, and the last one to run it frees `arg` by free_arg. fn must be short.
 */
typedef void (*tp_worker_fn)(struct tp_worker *worker, void *arg);
bool tp_workers_call(struct tp_workers *workers, tp_worker_fn fn, void *arg, void (*free_arg)(void *arg));

/* --- shared by worker*.c --- */

void worker_configure_engine(struct tp_worker *worker, const struct tp_runtime *runtime);	/* and reads the clock */
void worker_io_init(struct tp_worker *worker);
int worker_tcp_init(struct tp_worker *worker);	/* after the streams */
struct tp_udp_listener *worker_listener_find(const struct tp_worker *worker, const struct tp_addr *addr);
/* On the worker's thread, when the runtime changed: takes new listeners, retires those that are gone. */
void worker_listeners_configure(struct tp_worker *worker, const struct tp_conf *conf);
/* Closes retired listeners that no allocation uses. Returns when to call it again. */
uint64_t worker_listeners_tick(struct tp_worker *worker);
void worker_listeners_free(struct tp_worker *worker);

#endif
