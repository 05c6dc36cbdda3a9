/* SPDX-License-Identifier: GPL-2.0 */
/* The engine's timers and indexes, against plain arrays; the bitmap of relay ports. */
#include <stdlib.h>

#include "lib/tap.h"
#include "turn/index.h"
#include "turn/timer.h"
#include "unit/turn_bench.h"
#include "turn/registry.h"

#define N 500

static uint64_t random_state = 0x1234567;

static uint32_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static struct tp_timer timers[N];
static uint64_t last_ns;
static unsigned int fired, early, disordered;

static void fire(struct tp_timer *timer, uint64_t now_ns)
{
	fired++;
	early += timer->at_ns > now_ns;
	disordered += timer->at_ns < last_ns;
	last_ns = timer->at_ns;
}

static void test_timers(void)
{
	struct tp_timers t = { 0 };
	unsigned int set = 0, wrong = 0;

	for (unsigned int i = 0; i < N; i++)
		wrong += tp_timer_set(&t, &timers[i], random_next() % 1000, fire) != 0;
	for (unsigned int i = 0; i < 2000; i++) {
		struct tp_timer *timer = &timers[random_next() % N];

		if (random_next() % 3)
			tp_timer_set(&t, timer, random_next() % 1000, fire);
		else
			tp_timer_clear(&t, timer);
	}
	for (unsigned int i = 0; i < N; i++)
		set += timers[i].pos != 0;
	check_eq(wrong, 0, "timers are set");
	check_eq(t.len, set, "moved and cleared");
	for (uint64_t now = 0; now < 1000; now += 7) {
		uint64_t next;

		last_ns = 0;
		next = tp_timers_run(&t, now);
		wrong += next <= now;
	}
	tp_timers_run(&t, 1000);
	check(!wrong && !early, "none fires before its time, the next one is told");
	check_eq(disordered, 0, "they fire in order");
	check_eq(fired, set, "each once");
	check_eq(tp_timers_run(&t, 5000), UINT64_MAX, "and then there is none");
	tp_timers_fini(&t);
}

struct item {
	struct tp_index_node node;
	unsigned int key;
	bool in;
};

static struct item items[N];

static struct item *index_find(const struct tp_index *index, unsigned int key)
{
	/* Only 16 hashes: many keys share one. */
	for (struct tp_index_node *n = tp_index_first(index, key % 16); n; n = tp_index_next(n)) {
		if (tp_container(n, struct item, node)->key == key)
			return tp_container(n, struct item, node);
	}
	return NULL;
}

static void test_index(void)
{
	struct tp_index index;
	unsigned int wrong = 0;

	tp_index_init(&index);
	for (unsigned int round = 0; round < 5000; round++) {
		unsigned int i = random_next() % N;

		items[i].key = i;
		if (items[i].in)
			tp_index_remove(&index, &items[i].node);
		else
			tp_index_add(&index, &items[i].node, i % 16);
		items[i].in = !items[i].in;
	}
	for (unsigned int i = 0; i < N; i++)
		wrong += (index_find(&index, i) != NULL) != items[i].in;
	check_eq(wrong, 0, "an index finds what is in it and nothing else");
	tp_index_fini(&index);
}

static void test_ports(void)
{
	static struct bench b;
	struct tp_addr addr = addr_of("192.0.2.10");
	unsigned int taken = 0, odd = 0;
	struct tp_ports *ports;
	uint16_t port;

	bench_init(&b);
	bench_start(&b);
	ports = tp_ports_get(b.registry, &addr);
	check(ports && tp_ports_get(b.registry, &addr) == ports, "an address has one bitmap");
	while ((port = tp_ports_take(ports, 1001, 1200, (uint16_t)(1001 + random_next() % 200), true, false))) {
		odd += port & 1;
		taken++;
	}
	check(taken == 100 && !odd, "even ports: all 100 of the range, and no others");
	check_eq(tp_ports_take(ports, 1001, 1200, 1100, false, true), 0, "no pair is left");
	for (taken = 0; tp_ports_take(ports, 1001, 1200, 1150, false, false);)
		taken++;
	check_eq(taken, 100, "the odd ones are");
	tp_ports_give(ports, 1064);
	tp_ports_give(ports, 1065);
	tp_ports_give(ports, 1200);
	check_eq(tp_ports_take(ports, 1001, 1200, 1199, true, true), 1064, "a pair that was given back, past the end");
	check_eq(tp_ports_take(ports, 1001, 1200, 1001, false, true), 0, "a pair does not reach over the range's end");
	check_eq(tp_ports_take(ports, 1001, 1200, 1001, false, false), 1200, "the last port of the range");
	check_eq(tp_ports_take(ports, 65535, 65535, 65535, false, false), 65535, "and the last of all");
	check_eq(bench_stop(&b), 0, "nothing is left behind");
}

int main(void)
{
	test_timers();
	test_index();
	test_ports();
	return done();
}
