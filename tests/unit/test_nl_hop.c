/* SPDX-License-Identifier: GPL-2.0 */
/* What is written into a hop: device, tags, MACs and MTU, out of a mirror made by hand. */
#include "nl/internal.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "lib/tap.h"
#include "nl/device.h"

enum { ETH0 = 2, VLAN100, QINQ200, DEEP300, TUN0 };

static struct tp_nl_link links[] = {
	{ .ifindex = ETH0, .name = "eth0", .up = true, .ethernet = true, .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1500 },
	{ .ifindex = VLAN100, .lower = ETH0, .name = "eth0.100", .up = true, .ethernet = true, .has_vlan = true,
	  .mac = { 2, 0, 0, 0, 0, 2 }, .vlan_id = 100, .vlan_proto = ETH_P_8021AD, .mtu = 1496 },
	{ .ifindex = QINQ200, .lower = VLAN100, .name = "eth0.100.200", .up = true, .ethernet = true, .has_vlan = true,
	  .mac = { 2, 0, 0, 0, 0, 3 }, .vlan_id = 200, .vlan_proto = ETH_P_8021Q, .mtu = 1492 },
	{ .ifindex = DEEP300, .lower = QINQ200, .name = "deep", .up = true, .ethernet = true, .has_vlan = true,
	  .vlan_id = 300, .vlan_proto = ETH_P_8021Q, .mtu = 1488 },
	{ .ifindex = TUN0, .name = "tun0", .up = true, .mtu = 1400 },
};

static struct nl_program programs[2];
static struct tp_nl nl = { .links = links, .links_len = 5, .programs = programs, .programs_len = 2 };

static struct tp_hop render(unsigned int ifindex, bool resolved, uint32_t mtu)
{
	struct nl_hop hop = { .ifindex = ifindex, .resolved = resolved, .mtu = mtu, .mac = { 2, 0, 0, 0, 0, 0xfe } };
	struct tp_hop ret;

	nl_hop_render(&nl, &hop, &ret);
	return ret;
}

static void test_plain(void)
{
	struct tp_hop h;

	programs[0] = (struct nl_program){ ETH0, TP_NL_PROGRAM | TP_NL_XDP_XMIT };
	programs[1] = (struct nl_program){ 0, 0 };
	h = render(ETH0, true, 0);
	check(h.flags == (TP_HOP_VALID | TP_HOP_XDP_XMIT) && h.ifindex == ETH0 && h.dst_mac[5] == 0xfe &&
	      h.src_mac[5] == 1 && h.mtu == 1500 && !h.vlan_proto[0], "a device with a program");
	check_eq(render(ETH0, true, 1300).mtu, 1300, "a route's MTU below the device's counts");
	check_eq(render(ETH0, true, 9000).mtu, 1500, "one above it does not");
	check(!(render(ETH0, false, 0).flags & TP_HOP_VALID), "without a resolved neighbour it is not valid");
	check(!(render(TUN0, true, 0).flags & TP_HOP_VALID), "nor a device that is not Ethernet");
	check(!(render(99, true, 0).flags & TP_HOP_VALID), "nor one that is not there");
	check(!(render(VLAN100, true, 0).flags & TP_HOP_VALID),
	      "nor a VLAN device, where the program below does not find the tags");
	links[0].up = false;
	check(!(render(ETH0, true, 0).flags & TP_HOP_VALID), "nor one that is down");
	links[0].up = true;
}

static void test_vlan(void)
{
	struct tp_hop h;

	programs[0] = (struct nl_program){ ETH0, TP_NL_PROGRAM | TP_NL_TAGS };
	h = render(VLAN100, true, 0);
	check(h.flags == TP_HOP_VALID && h.ifindex == ETH0 && h.vlan_tci[0] == htons(100) &&
	      h.vlan_proto[0] == htons(ETH_P_8021AD) && !h.vlan_proto[1], "a VLAN device goes out below, with its tag");
	check(h.src_mac[5] == 2 && h.mtu == 1496, "from its own MAC, within its own MTU");
	h = render(QINQ200, true, 0);
	check(h.vlan_tci[0] == htons(100) && h.vlan_tci[1] == htons(200) && h.vlan_proto[1] == htons(ETH_P_8021Q),
	      "QinQ: the outer tag is the lower device's");
	check(!(render(DEEP300, true, 0).flags & TP_HOP_VALID), "three tags are too many");
	programs[1] = (struct nl_program){ VLAN100, TP_NL_PROGRAM };
	h = render(VLAN100, true, 0);
	check(h.ifindex == VLAN100 && !h.vlan_proto[0], "with a program of its own it goes out by itself, without a tag");
	links[0].up = false;
	programs[1].flags = 0;
	check(!(render(VLAN100, true, 0).flags & TP_HOP_VALID), "with the device below down it is not valid");
	links[0].up = true;
}

static void test_drivers(void)
{
	struct tp_nl_device d = { 0 };

	tp_nl_device_by_driver("gve", &d);
	check(!d.xdp, "before 6.3: a driver without headroom is not taken for XDP");
	tp_nl_device_by_driver("nfp", &d);
	check(d.xdp && !d.xdp_xmit, "one that has XDP but takes no redirects");
	tp_nl_device_by_driver("mlx5_core", &d);
	check(d.xdp && d.xdp_xmit, "and one that has both");
}

int main(void)
{
	test_plain();
	test_vlan();
	test_drivers();
	return done();
}
