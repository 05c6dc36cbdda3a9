/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways to destinations follow the network: gateways' MACs, routes, links.
 * As root, in a network namespace of its own and one for the far end:
 *
 *   this process                                 far (named tpnl-PID)
 *   up0 10.93.1.1, fd93:1::1 ------------------- up1 10.93.1.254 .253, fd93:1::fe
 *
 *   203.0.113.0/24 via 10.93.1.254, 2001:db8:93::/48 via fd93:1::fe
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp/dp.h"
#include "lib/tap.h"
#include "nl/nl.h"

#define HOPS 64
#define SOON_NS 5000000000u	/* the bound on a busy machine; how long it took is printed */

static struct tp_hop hops[HOPS];
static struct tp_nl *nl;
static unsigned int changes, up0;
static char far_name[32];

__attribute__((format(printf, 1, 2))) static bool sh(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (!system(command))
		return true;
	printf("# failed: %s\n", command);
	return false;
}

static void cleanup(void)
{
	sh("ip netns del %s 2>/dev/null", far_name);
}

static bool build(void)
{
	snprintf(far_name, sizeof(far_name), "tpnl-%d", (int)getpid());
	if (unshare(CLONE_NEWNET) || !sh("ip netns add %s", far_name))
		return false;
	atexit(cleanup);
	return sh("ip link add up0 type veth peer name up1 netns %s", far_name) &&
	       sh("ip addr add 10.93.1.1/24 dev up0 && ip addr add fd93:1::1/64 dev up0 nodad") &&
	       sh("sysctl -qw net.ipv4.neigh.up0.locktime=0 net.ipv6.conf.up0.accept_dad=0") &&
	       sh("ip link set up0 up && ip link set lo up") &&
	       sh("ip netns exec %s sysctl -qw net.ipv4.conf.up1.arp_notify=1 net.ipv6.conf.up1.ndisc_notify=1 "
		  "net.ipv6.conf.up1.accept_dad=0", far_name) &&
	       sh("ip -n %s link set up1 address 02:00:00:00:00:fe up", far_name) &&
	       sh("ip -n %s addr add 10.93.1.254/24 dev up1 && ip -n %s addr add 10.93.1.253/24 dev up1", far_name, far_name) &&
	       sh("ip -n %s addr add fd93:1::fe/64 dev up1 nodad", far_name) &&
	       sh("ip route add 203.0.113.0/24 via 10.93.1.254 && ip -6 route add 2001:db8:93::/48 via fd93:1::fe");
}

static struct tp_addr addr(const char *text)
{
	struct tp_addr a = { 0 };

	tp_addr_parse(text, &a);
	return a;
}

static struct tp_nl_leg *bind_leg(const char *dst, const char *src, __u32 *word)
{
	struct tp_nl_leg *leg = calloc(1, sizeof(*leg));
	struct tp_addr d = addr(dst), s = addr(src);

	*word = 99;
	tp_nl_bind(nl, &d, &s, word, leg);
	return leg;
}

static bool has_mac(__u32 index, uint8_t last)
{
	return index && index < HOPS && (hops[index].flags & TP_HOP_VALID) && hops[index].dst_mac[5] == last;
}

/* What is waited for; each looks at the words it is about. */
static __u32 seven, eight, six;

static bool seven_valid(void) { return has_mac(seven, 0xfe); }
static bool six_valid(void) { return has_mac(six, 0xfe); }
static bool seven_new_mac(void) { return has_mac(seven, 0xaa); }
static bool seven_invalid(void) { return !(hops[seven].flags & TP_HOP_VALID); }
static bool eight_moved(void) { return eight && eight != seven; }
static bool seven_joined(void) { return seven && eight == seven; }
static bool owner_told(void) { return changes; }
static bool seven_none(void) { return !seven; }
static bool seven_small(void) { return hops[seven].mtu == 1300 && (hops[seven].flags & TP_HOP_VALID); }

static bool three_left(void)
{
	struct tp_nl_stats stats;

	tp_nl_read_stats(nl, &stats);
	return stats.dests == 3;
}

static bool nothing_left(void)
{
	struct tp_nl_stats stats;

	tp_nl_read_stats(nl, &stats);
	return !stats.hops && !stats.dests;
}

static bool wait_for(bool (*done_fn)(void), const char *what)
{
	uint64_t start = tp_dp_now_ns(), tick = start;

	while (!done_fn() && tp_dp_now_ns() - start < SOON_NS) {
		struct pollfd p = { .fd = tp_nl_fd(nl), .events = POLLIN };

		if (poll(&p, 1, 50) > 0)
			tp_nl_input(nl);
		if (tp_dp_now_ns() - tick > 1000000000u) {
			tp_nl_tick(nl);
			tick = tp_dp_now_ns();
		}
	}
	printf("# %s: after %llu ms\n", what, (unsigned long long)(tp_dp_now_ns() - start) / 1000000);
	return check(done_fn(), "%s", what);
}

static void on_change(void *arg)
{
	changes++;
}

static void test_routes(struct tp_nl_leg *legs[])
{
	legs[0] = bind_leg("203.0.113.7:5000", "10.93.1.1:3478", &seven);
	legs[1] = bind_leg("203.0.113.8:5000", "10.93.1.1:3478", &eight);
	legs[2] = bind_leg("2001:db8:93::7", "fd93:1::1", &six);
	check(seven && seven == eight, "destinations behind one gateway share a hop");
	check_eq(hops[seven].ifindex, up0, "on the device of the route");
	wait_for(seven_valid, "the gateway is resolved without a packet of ours");
	wait_for(six_valid, "and the IPv6 gateway");
	check(sh("ip neigh show 10.93.1.254 dev up0 | grep -q managed"), "the kernel manages the neighbour");
	check(sh("ip -n %s link set up1 address 02:00:00:00:00:aa", far_name), "the gateway gets another MAC");
	wait_for(seven_new_mac, "the hop has it");
	check(sh("ip route add 203.0.113.8/32 via 10.93.1.253"), "one destination gets a route of its own");
	wait_for(eight_moved, "its rule's word moves to another hop, the other's stays");
	check(sh("ip route replace 203.0.113.0/24 via 10.93.1.253"), "the prefix follows");
	wait_for(seven_joined, "they share a hop again");
	check(sh("ip route replace 203.0.113.0/24 via 10.93.1.253 mtu 1300"), "the route gets an MTU");
	wait_for(seven_small, "the hop has it");
	check(sh("ip route del 203.0.113.0/24"), "the route goes");
	wait_for(seven_none, "there is no hop: the daemon's socket gives the error");
	check(sh("ip route add 203.0.113.0/24 via 10.93.1.254"), "it comes back");
	wait_for(seven_new_mac, "with its hop");
}

static void test_links(void)
{
	changes = 0;
	check(sh("ip -n %s link set up1 down", far_name), "the link loses its carrier");
	wait_for(seven_invalid, "the hop is not valid or gone");
	wait_for(owner_told, "the owner is told");
	check(sh("ip -n %s link set up1 up", far_name), "it comes back");
	wait_for(seven_new_mac, "the hop is valid");
	tp_nl_set_program(nl, up0, 0);
	check(seven_invalid(), "without a program on the device the hop is not valid");
	tp_nl_set_program(nl, up0, TP_NL_PROGRAM | TP_NL_XDP_XMIT);
	check(has_mac(seven, 0xaa) && (hops[seven].flags & TP_HOP_XDP_XMIT), "with one it is, and says what XDP can do");
}

/* Events that are lost: what is queued from before is older than what is asked for then. */
static void test_overrun(void)
{
	struct tp_nl_stats stats;

	check(sh("ip link set up0 mtu 1400"), "a link changes");
	check(sh("for i in $(seq 3 250); do for j in $(seq 24); do echo addr add 10.77.$i.$j/32 dev lo; done; done | "
		 "ip -batch -"), "thousands of events nobody reads");
	check(sh("ip link set up0 mtu 1500"), "it changes back, which is lost");
	tp_nl_input(nl);
	tp_nl_read_stats(nl, &stats);
	check(stats.overruns > 0, "events were lost");
	wait_for(seven_new_mac, "the hop is valid");
	for (int i = 0; i < 1000; i++)
		tp_nl_input(nl);
	check_eq(hops[seven].mtu, 1500, "the link's last change counts, not the last event that was queued");
	check(sh("ip addr flush dev lo to 10.77.0.0/16"), "the addresses go");
	for (int i = 0; i < 1000; i++)
		tp_nl_input(nl);
}

/* The data path puts programs on the devices of the default routes. */
static void test_default_route(void)
{
	for (int i = 0; i < 1000; i++)
		tp_nl_input(nl);
	changes = 0;
	check(sh("ip route add default via 10.93.1.254 dev up0"), "a default route comes");
	wait_for(owner_told, "the owner is told");
	changes = 0;
	check(sh("ip route del default"), "it goes");
	wait_for(owner_told, "the owner is told");
}

static void test_nowhere(void)
{
	__u32 self, none, lo;
	struct tp_nl_leg *legs[3] = {
		bind_leg("10.93.1.1", "10.93.1.1", &self),
		bind_leg("198.51.100.1", "10.93.1.1", &none),
		bind_leg("127.0.0.1", "127.0.0.1", &lo),
	};

	check(!self, "an own address has no hop");
	check(!none, "a destination without a route has none");
	check(!lo, "loopback has none");
	for (int i = 0; i < 3; i++) {
		tp_nl_unbind(nl, legs[i]);
		free(legs[i]);
	}
}

/* A relay address that is on no interface cannot be the source of a route query. */
static void test_foreign_source(void)
{
	__u32 word;
	struct tp_nl_leg *leg = bind_leg("203.0.113.7", "192.0.2.77", &word);

	check_eq(word, seven, "a source that is on no interface still finds the way");
	tp_nl_unbind(nl, leg);
	free(leg);
}

static void test_full(void)
{
	static __u32 words[2 * HOPS];
	static struct tp_nl_leg *legs[2 * HOPS];
	struct tp_nl_stats stats;
	unsigned int found = 0;
	char dst[64];

	for (int i = 0; i < 2 * HOPS; i++) {
		snprintf(dst, sizeof(dst), "10.93.1.%d", i + 2);
		legs[i] = bind_leg(dst, "10.93.1.1", &words[i]);
		found += words[i] != 0;
	}
	tp_nl_read_stats(nl, &stats);
	check(found > 0 && found < HOPS && stats.hops_full > 0, "beyond the table's room destinations have no hop, counted");
	for (int i = 0; i < 2 * HOPS; i++) {
		tp_nl_unbind(nl, legs[i]);
		free(legs[i]);
	}
	wait_for(three_left, "and all of it comes back");
}

static void test_end(struct tp_nl_leg *legs[])
{
	for (int i = 0; i < 3; i++) {
		tp_nl_unbind(nl, legs[i]);
		free(legs[i]);
	}
	wait_for(nothing_left, "unbound, nothing is left");
	check(sh("! ip neigh show dev up0 | grep -q managed"), "nor a neighbour that the kernel manages for us");
}

int main(void)
{
	struct tp_nl_params params = { .hops = hops, .hops_len = HOPS, .changed = on_change };
	struct tp_nl_leg *legs[3];

	if (geteuid() || !build()) {
		check(false, "namespaces can be built (run as root)");
		return done();
	}
	check_eq(tp_nl_new(&params, &nl), 0, "netlink opens");
	up0 = if_nametoindex("up0");
	tp_nl_set_program(nl, up0, TP_NL_PROGRAM);
	test_routes(legs);
	test_links();
	test_default_route();
	test_overrun();
	test_nowhere();
	test_foreign_source();
	test_full();
	test_end(legs);
	tp_nl_free(nl);
	return done();
}
