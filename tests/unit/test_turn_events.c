/* SPDX-License-Identifier: GPL-2.0 */
/* What accounting is told of allocations (struct tp_turn_io): made, refreshed, ended, and traffic that adds up. */
#include "lib/tap.h"
#include "unit/turn_bench.h"

#define PEER	"203.0.113.5:7000"

static struct bench b;
static struct client c;
static char events[8];
static struct tp_allocation_info info;
static struct tp_flow_traffic last;
static uint64_t total_up;

static void on_event(struct tp_turn_io *io, enum tp_event event, const struct tp_allocation_info *i,
		     const struct tp_flow_traffic *since)
{
	static const char letters[] = "NRD";
	size_t len = strlen(events);

	if (len + 1 < sizeof(events))
		events[len] = letters[event];
	info = *i;
	last = *since;
	total_up += since->up.packets;
}

static void begin(void)
{
	bench_init(&b);
	b.conf.stale_nonce_s = 0;
	bench_start(&b);
	for (unsigned int i = 0; i < BENCH_WORKERS; i++)
		b.io[i].io.event = on_event;
	memset(events, 0, sizeof(events));
	total_up = 0;
	client_init(&c, &b, "198.51.100.7:40000");
	allocate(&c);
}

static void test_life(void)
{
	struct tp_flow_traffic kernel = { .up = { .packets = 5, .bytes = 500 } };

	begin();
	check(!strcmp(events, "N") && info.expires_in_s == 600 && info.relayed_len == 1, "made: told once, with its lifetime");
	allocate(&c);
	check(!strcmp(events, "N"), "an Allocate on it is nothing new");
	permit(&c, PEER);
	send_indication(&c, PEER, "hello");
	send_indication(&c, PEER, "again");
	tp_dp_mock_set_traffic(b.dp, tp_dp_mock_find(b.dp, 0, NULL, 0), &kernel);
	refresh(&c, 700);
	check(!strcmp(events, "NR") && info.expires_in_s == 700, "refreshed: told with the new lifetime");
	check(last.up.packets == 2 + 5 && last.up.bytes == 10 + 500, "with what userspace and the kernel relayed until then");
	send_indication(&c, PEER, "third");
	refresh(&c, 0);
	bench_tick(&b);
	check(!strcmp(events, "NRD"), "ended: told once its counters are final");
	check(last.up.packets == 1 && total_up == 8, "with what came since, so that the reports add up");
	check(info.kernel.up.packets == 5 && info.user.up.packets == 3, "and the whole");
	check_eq(bench_stop(&b), 0, "nothing is left behind");
}

static void test_stop(void)
{
	begin();
	check_eq(bench_stop(&b), 0, "the engine's end");
	check(!strcmp(events, "ND"), "ends its allocations, and each is told");
}

int main(void)
{
	test_life();
	test_stop();
	return done();
}
