/* SPDX-License-Identifier: GPL-2.0 */
/* The control thread: start and end of the daemon, its signals, its second's beat, its drain. */
#include "node.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "auth/node_key.h"
#include "auth/store.h"
#include "conf.h"
#include "ctl/ctl.h"
#include "dp/node.h"
#include "events.h"
#include "farm.h"
#include "log.h"
#include "net/tls_context.h"
#include "privileges.h"
#include "runtime.h"

#define SECOND_NS 1000000000ull
#define LISTS_WAIT_MS 3000
/* Sockets that are not relay sockets: listeners, maps, control connections, and room to refuse politely. */
#define DESCRIPTORS_SPARE 256

static void stop_at_signal(struct tp_node *node, int number)
{
	tp_notice("ending after signal %s", number == SIGINT ? "INT" : "TERM");
	tp_loop_stop(node->loop);
}

static void on_signal(struct tp_watch *watch, uint32_t events)
{
	struct tp_node *node = watch->arg;
	struct signalfd_siginfo info;
	char text[512];

	while (read(watch->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			stop_at_signal(node, (int)info.ssi_signo);
			break;
		case SIGHUP:
			tp_node_reload(node, text, sizeof(text));
			break;
		case SIGUSR1:
			tp_node_drain(node, 0);
			break;
		case SIGUSR2:
			tp_node_reload_certificates(node, text, sizeof(text));
			break;
		}
	}
}

static void on_network(struct tp_watch *watch, uint32_t events)
{
	struct tp_node *node = watch->arg;

	tp_dp_input(node->dp);
}

static void count_allocations(struct tp_worker *worker, void *arg)
{
	struct tp_turn_counters counters;

	tp_turn_read_counters(worker->turn, &counters);
	atomic_fetch_add((_Atomic uint64_t *)arg, counters.allocations);
}

bool tp_node_count(struct tp_node *node, uint64_t *ret_allocations)
{
	_Atomic uint64_t *sum = calloc(1, sizeof(*sum));

	if (!sum || !tp_workers_call(node->workers, count_allocations, sum, free))
		return false;
	*ret_allocations = *sum;
	free(sum);
	return true;
}

static void set_drain(struct tp_worker *worker, void *arg)
{
	tp_turn_set_drain(worker->turn, arg != NULL);
}

void tp_node_drain(struct tp_node *node, uint32_t timeout_s)
{
	node->draining = node->drain_ends = true;
	node->drain_until_ns = timeout_s ? tp_dp_now_ns() + timeout_s * SECOND_NS : 0;
	tp_workers_call(node->workers, set_drain, node, NULL);
	tp_notice("draining: no new allocations; the daemon ends with the last one");
}

void tp_node_undrain(struct tp_node *node)
{
	node->draining = node->drain_ends = false;
	tp_workers_call(node->workers, set_drain, NULL, NULL);
	tp_notice("not draining any more");
}

static void check_drained(struct tp_node *node)
{
	uint64_t allocations;

	if (!tp_node_count(node, &allocations))
		return;
	if (node->drain_until_ns && tp_dp_now_ns() >= node->drain_until_ns)
		tp_notice("the time of the drain is over: ending with %llu allocations left",
			  (unsigned long long)allocations);
	else if (allocations <= tp_runtime_current()->conf->drain_min_allocations)
		tp_notice("drained: ending");
	else
		return;
	node->end_calls = true;
	tp_loop_stop(node->loop);
}

static uint64_t node_idle(void *arg)
{
	struct tp_node *node = arg;
	uint64_t now = tp_dp_now_ns();

	if (now >= node->beat_ns) {
		node->beat_ns = now + SECOND_NS;
		tp_dp_beat(node->dp);
		if (node->drain_ends)
			check_drained(node);
	}
	rcu_thread_offline();
	return node->beat_ns;
}

static void node_wake(void *arg)
{
	rcu_thread_online();
}

static unsigned int thread_count(const struct tp_conf *conf)
{
	cpu_set_t cpus;

	if (conf->relay_threads)
		return conf->relay_threads;
	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned int)CPU_COUNT(&cpus) : 1;
}

static int watch_signals(struct tp_node *node)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	node->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	node->signals.fn = on_signal;
	node->signals.arg = node;
	return node->signals.fd < 0 ? -errno : tp_loop_add(node->loop, &node->signals, EPOLLIN);
}

static int init_loop(struct tp_node *node)
{
	node->loop = tp_loop_new();
	if (!node->loop)
		return -errno;
	tp_loop_on_idle(node->loop, node_idle, node);
	tp_loop_on_wake(node->loop, node_wake, node);
	return watch_signals(node);
}

static int open_datapath(struct tp_node *node, const struct tp_conf *conf)
{
	int err = tp_dp_open(conf, &node->dp);

	if (err)
		return err;
	node->network.fd = tp_dp_fd(node->dp);
	node->network.fn = on_network;
	node->network.arg = node;
	return node->network.fd < 0 ? 0 : tp_loop_add(node->loop, &node->network, EPOLLIN);
}

static void check_descriptors(struct tp_node *node, const struct tp_conf *conf)
{
	node->descriptors = tp_descriptors_raise();
	if (node->descriptors < (uint64_t)conf->max_allocations + DESCRIPTORS_SPARE)
		tp_notice("max-allocations is %u, but the limit of descriptors (%llu) ends at about %llu: raise it by "
			  "LimitNOFILE= or ulimit -n", conf->max_allocations, (unsigned long long)node->descriptors,
			  (unsigned long long)(node->descriptors > DESCRIPTORS_SPARE ?
					       node->descriptors - DESCRIPTORS_SPARE : 0));
}

static int drop_privileges(struct tp_node *node, const struct tp_conf *conf)
{
	const char *paths[] = { tp_ctl_folder(node->ctl), conf->control_socket, conf->pidfile, conf->log_file };
	char err[512];
	int res = tp_privileges_drop(conf->proc_user, conf->proc_group, paths, sizeof(paths) / sizeof(paths[0]), err,
				     sizeof(err));

	if (res)
		tp_error("%s", err);
	return res;
}

/* Databases: neither is connected to yet, and the daemon starts without them. */
static int open_stores(struct tp_node *node, const struct tp_conf *conf)
{
	char text[512] = "";

	node->store = tp_store_new(conf, text, sizeof(text));
	if (!node->store && text[0]) {
		tp_error("%s", text);
		return -EINVAL;
	}
	node->events = tp_events_new(conf, text, sizeof(text));
	if (!node->events && text[0]) {
		tp_error("%s", text);
		return -EINVAL;
	}
	node->farm = tp_farm_new(conf, text, sizeof(text));
	if (!node->farm && text[0]) {
		tp_error("%s", text);
		return -EINVAL;
	}
	return 0;
}

static int open_workers(struct tp_node *node, const struct tp_conf *conf)
{
	struct tp_services services = { .dp = node->dp, .store = node->store, .events = node->events,
					.farm = node->farm };
	char text[512];
	int err = tp_workers_new(thread_count(conf), &services, &node->workers, text, sizeof(text));

	if (err)
		tp_error("%s", text);
	return err;
}

static void take_lists(struct tp_job *job)
{
	struct tp_node *node = job->arg;

	atomic_store(&node->lists_posted, false);
	node_take_lists(node);
}

/* On the store's thread. */
static void on_lists(void *arg)
{
	struct tp_node *node = arg;

	if (!atomic_exchange(&node->lists_posted, true))
		tp_loop_post(node->loop, &node->lists);
}

/* What nobody may relay to holds from the first packet on, if the store answers. */
static void wait_for_lists(struct tp_node *node)
{
	if (!tp_store_wait_lists(node->store, LISTS_WAIT_MS))
		tp_warning("the user store does not answer: starting without its peer lists");
	/* They were posted before the wait ended, and no worker runs yet. */
	tp_loop_run_jobs(node->loop);
}

/* After the privileges are dropped, which an earlier thread would keep. */
static int start_stores(struct tp_node *node)
{
	int err = 0;

	if (node->store) {
		node->lists.fn = take_lists;
		node->lists.arg = node;
		tp_store_on_lists(node->store, on_lists, node);
		err = tp_store_start(node->store);
		if (err)
			return err;
		wait_for_lists(node);
	}
	if (node->events)
		err = tp_events_start(node->events);
	return node->farm && !err ? tp_farm_start(node->farm) : err;
}

/*
 * Another daemon is found here by its control socket or its ports, before the data path is
 * opened: its maps and programs may be in the same place.
 */
static int open_control(struct tp_node *node, const struct tp_conf *conf)
{
	char text[512];
	int err = init_loop(node);

	if (err) {
		tp_error("cannot make the event loop: %s", strerror(-err));
		return err;
	}
	err = tp_ctl_open(node, conf->control_socket, &node->ctl, text, sizeof(text));
	err = err ? err : tp_workers_check_ports(conf, text, sizeof(text));
	if (err)
		tp_error("%s", text);
	return err;
}

/* Before the first users are made of the configuration. */
static void load_key(const struct tp_conf *conf)
{
	int err = tp_node_key_load(conf->state_dir);

	if (err)
		tp_notice("no node key in state-dir %s (%s): nonces end with this daemon, and the next one can adopt no "
			  "calls", conf->state_dir, strerror(-err));
}

int tp_node_init(struct tp_node *node, struct tp_conf *conf)
{
	char text[512] = "";
	int err;

	node->signals.fd = node->network.fd = -1;
	node->started_ns = tp_dp_now_ns();
	err = open_stores(node, conf);
	if (err) {
		tp_conf_free(conf);
		return err;
	}
	load_key(conf);
	err = node_publish(node, conf, text, sizeof(text));
	if (err) {
		tp_error("%s", text);
		tp_conf_free(conf);
		return err;
	}
	check_descriptors(node, conf);
	err = open_control(node, conf);
	err = err ? err : open_datapath(node, conf);
	err = err ? err : open_workers(node, conf);
	return err ? err : drop_privileges(node, conf);
}

int tp_node_run(struct tp_node *node)
{
	const struct tp_conf *conf;
	int err = start_stores(node);

	if (!err)
		tp_workers_adopt(node->workers);
	err = err ? err : tp_workers_start(node->workers);
	if (err) {
		tp_error("cannot start the threads: %s", strerror(-err));
		return 1;
	}
	conf = tp_runtime_current()->conf;
	node->started = true;
	node->draining = conf->drain_at_start;
	if (node->draining)
		tp_workers_call(node->workers, set_drain, node, NULL);
	tp_notice("turnpike is ready: %u worker threads, %zu listening addresses, control socket %s",
		  node->workers->len, conf->listen_len, conf->control_socket);
	tp_loop_run(node->loop);
	return 0;
}

/* Does the kernel go on with the calls? A daemon that could not start ends none that it found. */
static bool leave_calls(struct tp_node *node)
{
	uint64_t calls;

	if (!node->dp || (node->started && (node->end_calls || tp_runtime_current()->conf->end_calls_on_exit)))
		return false;
	calls = tp_dp_leave(node->dp);
	if (calls)
		tp_notice("%llu allocations go on in the kernel until they expire or the next turnpiked adopts them; "
			  "`turnpikectl purge` ends them", (unsigned long long)calls);
	return calls > 0;
}

void tp_node_fini(struct tp_node *node)
{
	bool leave;

	tp_ctl_close(node->ctl);
	/* Their threads tell workers of answers: they end before those do, and go after them. */
	if (node->store)
		tp_store_stop(node->store);
	if (node->farm)
		tp_farm_stop(node->farm);
	if (node->workers)
		tp_workers_stop(node->workers);
	leave = leave_calls(node);
	if (node->workers)
		tp_workers_free(node->workers, leave);
	tp_events_free(node->events);
	tp_farm_free(node->farm);
	if (node->dp)
		node->dp->ops->close(node->dp);
	if (node->signals.fd >= 0)
		close(node->signals.fd);
	tp_loop_free(node->loop);
	tp_tls_context_publish(NULL);
	tp_runtime_clear();
	tp_store_free(node->store);
}
