/* SPDX-License-Identifier: GPL-2.0 */
/* Two workers at once over one registry: quotas hold, ports are unique, everything is given back (RFC 8656 7.2). */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/tap.h"
#include "unit/turn_bench.h"

#define CYCLES	400
#define CLIENTS	8
#define QUOTA	10

static struct bench benches[2];
static _Atomic int live, most, doubles;
static _Atomic unsigned char port_used[65536];

static void hold(struct client *c)
{
	int now = atomic_fetch_add(&live, 1) + 1, seen = atomic_load(&most);

	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	atomic_fetch_add(&doubles, atomic_exchange(&port_used[relayed(c, 0).port], 1));
}

static void give_up(struct client *c, uint16_t *port)
{
	atomic_store(&port_used[*port], 0);
	atomic_fetch_sub(&live, 1);
	refresh(c, 0);
	*port = 0;
}

static void *work(void *arg)
{
	unsigned int which = (unsigned int)(uintptr_t)arg;
	struct bench *b = &benches[which];
	struct client clients[CLIENTS];
	uint16_t ports[CLIENTS] = { 0 };
	char text[32];

	rcu_register_thread();
	for (unsigned int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof(text), "198.51.%u.%u:40000", 100 + which, i + 1);
		client_init(&clients[i], b, text);
	}
	for (unsigned int cycle = 0; cycle < CYCLES; cycle++) {
		struct client *c = &clients[cycle * 7 % CLIENTS];
		uint16_t *port = &ports[cycle * 7 % CLIENTS];

		if (!*port && allocate(c) == 0) {
			*port = relayed(c, 0).port;
			hold(c);
		} else if (*port) {
			give_up(c, port);
		}
		bench_tick(b);
	}
	for (unsigned int i = 0; i < CLIENTS; i++) {
		if (ports[i])
			give_up(&clients[i], &ports[i]);
	}
	bench_tick(b);
	rcu_unregister_thread();
	return NULL;
}

/* The second bench's engine joins the first one's registry, as worker 1. */
static void join(void)
{
	struct tp_turn_params params = { .worker = 1, .registry = benches[0].registry, .io = &benches[1].io[0].io,
					 .dp = benches[1].dp };

	tp_turn_free(benches[1].turn[0]);
	benches[1].turn[0] = tp_turn_new(&params);
	tp_turn_configure(benches[1].turn[0], &benches[1].conf, benches[1].auth, &benches[1].now);
}

int main(void)
{
	pthread_t threads[2];
	struct client c;
	int granted = 0;
	char text[32];

	for (unsigned int i = 0; i < 2; i++) {
		bench_init(&benches[i]);
		benches[i].conf.user_quota = QUOTA;
		benches[i].conf.max_port = 50014;
		if (i)
			rcu_unregister_thread();	/* bench_start() registers this thread each time */
		bench_start(&benches[i]);
	}
	join();
	rcu_thread_offline();
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	rcu_thread_online();
	check(atomic_load(&most) > 0 && atomic_load(&most) <= QUOTA, "at most user-quota allocations at once (%d)",
	      atomic_load(&most));
	check_eq(atomic_load(&doubles), 0, "8656 6: no relayed address is given to two allocations");
	for (int i = 0; i < QUOTA + 2; i++) {
		snprintf(text, sizeof(text), "198.51.200.%d:40000", i + 1);
		client_init(&c, &benches[0], text);
		granted += allocate(&c) == 0;
	}
	check_eq(granted, QUOTA, "and all of it is there again at the end");
	tp_turn_free(benches[1].turn[0]);
	benches[1].turn[0] = NULL;
	rcu_unregister_thread();
	rcu_register_thread();
	check_eq(bench_stop(&benches[0]), 0, "nothing is left behind on worker 0");
	rcu_register_thread();
	check_eq(bench_stop(&benches[1]), 0, "nor on worker 1");
	return done();
}
