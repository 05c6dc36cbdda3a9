/* SPDX-License-Identifier: GPL-2.0 */
/* Worker threads: their life and their loop's iteration. worker_io.c has what they do for their engines. */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "auth/store.h"
#include "conf.h"
#include "farm.h"
#include "later.h"
#include "log.h"
#include "net/dtls.h"
#include "net/icmp.h"
#include "net/relay.h"
#include "net/stream.h"
#include "net/tcp_relay.h"
#include "runtime.h"

static void worker_read_clock(struct tp_worker *worker)
{
	struct timespec wall;

	worker->now.mono_ns = tp_dp_now_ns();
	clock_gettime(CLOCK_REALTIME_COARSE, &wall);
	worker->now.wall_s = (uint64_t)wall.tv_sec;
}

static void worker_configure(struct tp_worker *worker)
{
	const struct tp_runtime *runtime = tp_runtime_current();
	char err[256];

	worker->runtime = runtime;
	if (runtime->generation == worker->generation)
		return;
	worker->generation = runtime->generation;
	tp_turn_configure(worker->turn, runtime->conf, runtime->auth, &worker->now);
	worker_listeners_configure(worker, runtime->conf);
	if (tp_streams_configure(worker->streams, runtime->conf, err, sizeof(err)) < 0)
		tp_error("worker %u: %s; its TCP listeners are as before", worker->index, err);
}

void worker_configure_engine(struct tp_worker *worker, const struct tp_runtime *runtime)
{
	worker_read_clock(worker);
	tp_turn_configure(worker->turn, runtime->conf, runtime->auth, &worker->now);
}

static void worker_wake(void *arg)
{
	struct tp_worker *worker = arg;

	rcu_thread_online();
	worker_read_clock(worker);
	worker_configure(worker);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t worker_idle(void *arg)
{
	struct tp_worker *worker = arg;
	uint64_t next = tp_turn_tick(worker->turn, &worker->now);

	next = min64(next, worker_listeners_tick(worker));
	next = min64(next, tp_dtls_tick(worker->dtls, worker->now.mono_ns));
	tp_outq_flush(worker->out);
	tp_streams_flush(worker->streams);
	next = min64(next, tp_streams_tick(worker->streams, worker->now.mono_ns));
	tp_relay_sockets_reap(worker);
	/* Nothing read under RCU is kept past here: the whole wait is a quiescent state. */
	rcu_thread_offline();
	return next;
}

static void stream_input(void *arg, const struct tp_path *from, const void *data, size_t size)
{
	tp_worker_client_input(arg, from, data, size, NULL);
}

static void stream_closed(void *arg, const struct tp_path *path)
{
	struct tp_worker *worker = arg;

	/* Engines end before the last bytes are flushed. */
	if (!worker->all->ending)
		tp_worker_conn_closed(worker, path);
}

static void spliced_end(void *arg, const void *tag, uint64_t up, uint64_t down)
{
	struct tp_worker *worker = arg;

	tp_tcp_relay_spliced_end(worker->tcp_relays, tag, up, down);
}

static int dtls_send(void *arg, const struct tp_tuple *tuple, const void *data, size_t size)
{
	return tp_worker_send_datagram(arg, tuple, data, size, NULL);
}

static int worker_init_dtls(struct tp_worker *worker, uint32_t sessions)
{
	struct tp_dtls_params params;

	tp_dtls_params_default(&params, sessions);
	params.idle_ms = worker->runtime->conf->max_allocate_timeout_s * 1000;
	params.conns = worker->conns;
	params.arg = worker;
	params.send = dtls_send;
	params.input = stream_input;
	params.closed = stream_closed;
	worker->dtls = tp_dtls_new(&params);
	return worker->dtls ? 0 : -ENOMEM;
}

static int worker_init_streams(struct tp_worker *worker, const struct tp_conf *conf)
{
	struct tp_stream_params params;
	uint32_t connections = conf->max_allocations / worker->all->len + 1024;

	worker->conns = tp_conns_new(worker->index, connections);
	if (!worker->conns)
		return -ENOMEM;
	tp_stream_params_default(&params, connections);
	params.idle_ms = conf->max_allocate_timeout_s * 1000;
	params.loop = worker->loop;
	params.conns = worker->conns;
	params.arg = worker;
	params.input = stream_input;
	params.closed = stream_closed;
	params.spliced_end = spliced_end;
	worker->streams = tp_streams_new(&params);
	return worker->streams ? worker_init_dtls(worker, connections) : -ENOMEM;
}

static int worker_init_later(struct tp_worker *worker, const struct tp_services *services)
{
	int err = 0;

	if (!services->store && !services->farm)
		return 0;
	worker->later = tp_later_new(worker->loop, stream_input, worker);
	if (!worker->later)
		return -ENOMEM;
	if (services->store)
		err = tp_store_subscribe(services->store, tp_later_wake, worker->later);
	if (services->farm && !err)
		err = tp_farm_subscribe(services->farm, tp_later_wake, worker->later);
	return err;
}

static int worker_init_clients(struct tp_worker *worker, const struct tp_conf *conf)
{
	int err = worker_init_streams(worker, conf);

	err = err ? err : worker_init_later(worker, &worker->all->services);
	return err ? err : worker_tcp_init(worker);
}

static int worker_init(struct tp_worker *worker, const struct tp_runtime *runtime)
{
	struct tp_turn_params params = { .worker = worker->index, .registry = worker->all->registry,
					 .io = &worker->io, .dp = worker->all->services.dp };

	worker_io_init(worker);
	worker_read_clock(worker);
	worker->runtime = runtime;
	worker->retire_ns = UINT64_MAX;
	worker->loop = tp_loop_new();
	if (!worker->loop)
		return -errno;
	worker->out = tp_outq_new(&worker->counters.udp_sent, &worker->counters.udp_send_failed);
	worker->batch = tp_udp_batch_new();
	worker->turn = tp_turn_new(&params);
	if (!worker->out || !worker->batch || !worker->turn)
		return -ENOMEM;
	tp_loop_on_wake(worker->loop, worker_wake, worker);
	tp_loop_on_idle(worker->loop, worker_idle, worker);
	return worker_init_clients(worker, runtime->conf);
}

static void worker_fini(struct tp_worker *worker)
{
	if (worker->dtls)
		tp_dtls_free(worker->dtls);
	if (worker->out)
		tp_outq_flush(worker->out);
	if (worker->streams) {
		tp_streams_flush(worker->streams);
		tp_streams_free(worker->streams);
	}
	tp_tcp_relays_free(worker->tcp_relays);
	tp_later_free(worker->later);
	tp_relay_sockets_reap(worker);
	tp_icmp_close(worker->icmp);
	worker_listeners_free(worker);
	tp_conns_free(worker->conns);
	tp_udp_batch_free(worker->batch);
	tp_outq_free(worker->out);
	tp_loop_free(worker->loop);
}

static void *worker_run(void *arg)
{
	struct tp_worker *worker = arg;
	char name[16];

	snprintf(name, sizeof(name), "turnpike/%u", worker->index % 1000);
	pthread_setname_np(pthread_self(), name);
	rcu_register_thread();
	worker_wake(worker);
	tp_loop_run(worker->loop);
	rcu_unregister_thread();
	return NULL;
}

/* Worker 0 reads the ICMP errors: all of them reach every raw socket, one is enough. */
static void open_icmp(struct tp_worker *worker)
{
	int err = tp_icmp_open(worker, &worker->icmp);

	if (err == -EPERM || err == -EACCES)
		tp_notice("ICMP errors of peers are not forwarded to clients: that needs CAP_NET_RAW");
	else if (err)
		tp_warning("ICMP errors of peers are not forwarded to clients: %s", strerror(-err));
}

int tp_workers_new(unsigned int len, const struct tp_services *services, struct tp_workers **ret, char *err,
		   size_t err_size)
{
	const struct tp_runtime *runtime = tp_runtime_current();
	struct tp_workers *workers = calloc(1, sizeof(*workers));
	int res = -ENOMEM;

	snprintf(err, err_size, "out of memory");
	if (!workers)
		return res;
	workers->items = calloc(len, sizeof(*workers->items));
	workers->registry = tp_registry_new(runtime->conf, len);
	workers->services = *services;
	if (!workers->items || !workers->registry)
		goto err_free;
	workers->len = len;
	if (services->farm)
		tp_registry_set_shares(workers->registry, tp_farm_shares(services->farm));
	for (unsigned int i = 0; i < len; i++) {
		workers->items[i].index = i;
		workers->items[i].all = workers;
		res = worker_init(&workers->items[i], runtime);
		if (res) {
			snprintf(err, err_size, "cannot make worker thread %u: %s", i, strerror(-res));
			goto err_free;
		}
	}
	res = tp_workers_listen(workers, runtime->conf, err, err_size);
	for (unsigned int i = 0; i < len && !res; i++)
		res = tp_streams_configure(workers->items[i].streams, runtime->conf, err, err_size);
	if (res)
		goto err_free;
	open_icmp(&workers->items[0]);
	*ret = workers;
	return 0;

err_free:
	tp_workers_free(workers, false);
	return res;
}

int tp_workers_start(struct tp_workers *workers)
{
	for (unsigned int i = 0; i < workers->len; i++) {
		int err = pthread_create(&workers->items[i].thread, NULL, worker_run, &workers->items[i]);

		if (err)
			return -err;
		workers->items[i].running = true;
	}
	return 0;
}

static void workers_run_jobs(struct tp_workers *workers)
{
	for (unsigned int i = 0; i < workers->len; i++)
		if (workers->items[i].loop)
			tp_loop_run_jobs(workers->items[i].loop);
}

/* Messages that are still between workers arrive or are dropped; then every engine ends its allocations. */
static void workers_settle(struct tp_workers *workers, bool leave)
{
	workers->ending = true;
	workers_run_jobs(workers);
	for (unsigned int i = 0; i < workers->len; i++) {
		if (workers->items[i].turn && leave)
			tp_turn_leave(workers->items[i].turn);
		if (workers->items[i].turn)
			tp_turn_free(workers->items[i].turn);
		workers->items[i].turn = NULL;
	}
	/* Sockets that RFC 6062 had on their way to another worker. */
	workers_run_jobs(workers);
}

void tp_workers_stop(struct tp_workers *workers)
{
	for (unsigned int i = 0; i < workers->len; i++)
		if (workers->items[i].running)
			tp_loop_stop(workers->items[i].loop);
	for (unsigned int i = 0; i < workers->len; i++) {
		if (!workers->items[i].running)
			continue;
		rcu_thread_offline();
		pthread_join(workers->items[i].thread, NULL);
		rcu_thread_online();
		workers->items[i].running = false;
	}
}

void tp_workers_free(struct tp_workers *workers, bool leave)
{
	workers_settle(workers, leave);
	for (unsigned int i = 0; i < workers->len; i++)
		worker_fini(&workers->items[i]);
	if (workers->registry)
		tp_registry_free(workers->registry);
	free(workers->items);
	free(workers);
}
