/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnetlink messages as structs: recorded ones of Linux 6.18, VLAN devices built by
 * hand, and hostile ones, each in a block of exactly its size so that ASan sees any
 * byte read beyond it.
 */
#include "nl/parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "lib/tap.h"

/* ip addr add 192.0.2.1/24 dev va */
static const char addr_hex[] = "4c00000014000000dfde066bb7630000021880000300000008000100c000020108000200c000020107000300"
	"76610000080008008000000014000600ffffffffffffffffc0480b00c0480b00";
/* ip addr add 2001:db8::1/64 dev va nodad */
static const char addr6_hex[] = "480000001400000000000000000000000a408200030000001400010020010db80000000000000000000000"
	"0114000600ffffffffffffffffc0480b00c0480b000800080082000000";
/* ip route add 203.0.113.0/24 via 192.0.2.254 */
static const char route_hex[] = "3c00000018000006dfde066bb863000002180000fe0300010000000008000f00fe00000008000100cb00710008"
	"000500c00002fe0800040003000000";
/* ip route add 2001:db8:1::/48 via fe80::1 dev va */
static const char route6_hex[] = "8800000018000006dfde066bbb6300000a300000fe0300010000000008000f00fe0000001400010020010db80001"
	"00000000000000000000080006000004000014000500fe800000000000000000000000000001080004000300000024000c00000000000000"
	"00000000000000000000000000000000000000000000000000000500140000000000";
/* ip route get 203.0.113.7, and of an address of its own */
static const char get_hex[] = "7000000018000000070000006aa148f602200000fe0000010002000008000f00fe00000008000100cb00710708000400"
	"0300000008000700c000020108000500c00002fe080019000000000024000c000200000000000000000000000000000000000000000000000000"
	"000000000000";
static const char get_local_hex[] = "6800000018000000070000006aa148f602200000fe0000020002008008000f00fe00000008000100c000020108"
	"0004000100000008000700c0000201080019000000000024000c0001000000000000000000000000000000000000000000000000000000000000"
	"00";
/* ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:fe dev va nud reachable */
static const char neigh_hex[] = "4c0000001c00000000000000b963000002000000030000000200000108000100c00002fe0a00020002000000"
	"00fe000008000400000000001400030000000000000000000000000002000000";

typedef int (*parse_fn)(const struct nlmsghdr *nlh);

static int parse_link(const struct nlmsghdr *nlh)
{
	struct tp_nl_link ret;

	return nl_parse_link(nlh, &ret);
}

static int parse_addr(const struct nlmsghdr *nlh)
{
	struct tp_nl_addr ret;

	return nl_parse_addr(nlh, &ret);
}

static int parse_route(const struct nlmsghdr *nlh)
{
	struct nl_route ret;

	return nl_parse_route(nlh, &ret);
}

static int parse_neigh(const struct nlmsghdr *nlh)
{
	struct nl_neigh ret;

	return nl_parse_neigh(nlh, &ret);
}

/* The bytes in a block of their own; freed by the caller. */
static struct nlmsghdr *unhex(const char *hex)
{
	size_t size = strlen(hex) / 2;
	unsigned int byte;
	uint8_t *p = malloc(size);

	for (size_t i = 0; i < size; i++) {
		sscanf(hex + 2 * i, "%2x", &byte);
		p[i] = (uint8_t)byte;
	}
	((struct nlmsghdr *)p)->nlmsg_len = (uint32_t)size;
	return (struct nlmsghdr *)p;
}

static bool addr_is(const struct tp_addr *addr, const char *text)
{
	char buf[TP_ADDR_STRLEN];

	return !strcmp(tp_addr_format_ip(addr, buf), text);
}

static void test_recorded(void)
{
	struct nlmsghdr *m;
	struct tp_nl_addr a;
	struct nl_route r;
	struct nl_neigh n;

	m = unhex(addr_hex);
	check(!nl_parse_addr(m, &a) && addr_is(&a.addr, "192.0.2.1") && a.prefix_len == 24 && a.ifindex == 3 &&
	      !a.link_local, "an IPv4 address");
	free(m);
	m = unhex(addr6_hex);
	check(!nl_parse_addr(m, &a) && addr_is(&a.addr, "2001:db8::1") && a.prefix_len == 64, "an IPv6 address");
	free(m);
	m = unhex(route_hex);
	check(!nl_parse_route(m, &r) && addr_is(&r.dst, "203.0.113.0") && r.dst_len == 24 && r.oif == 3 &&
	      addr_is(&r.gateway, "192.0.2.254") && r.type == RTN_UNICAST, "an IPv4 route");
	free(m);
	m = unhex(route6_hex);
	check(!nl_parse_route(m, &r) && addr_is(&r.dst, "2001:db8:1::") && r.dst_len == 48 &&
	      addr_is(&r.gateway, "fe80::1"), "an IPv6 route");
	free(m);
	m = unhex(get_hex);
	check(!nl_parse_route(m, &r) && addr_is(&r.gateway, "192.0.2.254") && r.oif == 3 && !r.mtu,
	      "the answer to RTM_GETROUTE");
	free(m);
	m = unhex(get_local_hex);
	check(!nl_parse_route(m, &r) && r.type == RTN_LOCAL && !r.gateway.family, "the answer for an own address");
	free(m);
	m = unhex(neigh_hex);
	check(!nl_parse_neigh(m, &n) && addr_is(&n.addr, "192.0.2.254") && n.has_mac && n.mac[5] == 0xfe &&
	      n.state == NUD_REACHABLE && !n.managed, "a neighbour");
	free(m);
}

static struct nlmsghdr *link_begin(char *buffer, unsigned int ifindex, const char *name)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	nlh->nlmsg_type = RTM_NEWLINK;
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_type = ARPHRD_ETHER;
	ifi->ifi_flags = IFF_UP | IFF_LOWER_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1400);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	return nlh;
}

static void link_put_vlan(struct nlmsghdr *nlh, const char *kind, uint16_t id, uint16_t proto)
{
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u16(nlh, IFLA_VLAN_ID, id);
	mnl_attr_put_u16(nlh, IFLA_VLAN_PROTOCOL, htons(proto));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

static void test_links(void)
{
	char buffer[1024] __attribute__((aligned(4))) = { 0 };
	struct tp_nl_link link;
	struct nlattr *xdp;
	struct nlmsghdr *m = link_begin(buffer, 7, "eth0.100");

	mnl_attr_put_u32(m, IFLA_LINK, 3);
	link_put_vlan(m, "vlan", 100, ETH_P_8021AD);
	check(!nl_parse_link(m, &link) && link.up && link.ethernet && link.mtu == 1400 && link.mac[5] == 9 &&
	      !strcmp(link.name, "eth0.100"), "a link");
	check(link.has_vlan && link.vlan_id == 100 && link.vlan_proto == ETH_P_8021AD && link.lower == 3,
	      "a VLAN device has its tag, protocol and what it sits on");
	m = link_begin(buffer, 7, "mv0");
	link_put_vlan(m, "macvlan", 100, ETH_P_8021Q);
	check(!nl_parse_link(m, &link) && !link.has_vlan, "the same numbers mean nothing in another kind of device");
	m = link_begin(buffer, 7, "eth0.100");
	mnl_attr_put_u32(m, IFLA_LINK, 3);
	mnl_attr_put_u32(m, IFLA_LINK_NETNSID, 0);
	check(!nl_parse_link(m, &link) && !link.lower, "a lower device of another namespace is none");
	m = link_begin(buffer, 7, "eth0");
	xdp = mnl_attr_nest_start(m, IFLA_XDP);
	mnl_attr_put_u8(m, IFLA_XDP_ATTACHED, XDP_ATTACHED_DRV);
	mnl_attr_put_u32(m, IFLA_XDP_PROG_ID, 42);
	mnl_attr_nest_end(m, xdp);
	check(!nl_parse_link(m, &link) && link.xdp_prog_id == 42, "an XDP program on it is seen");
	m = link_begin(buffer, 7, "a-name-that-is-longer-than-any-can-be");
	check(!nl_parse_link(m, &link) && link.name[IFNAMSIZ - 1] == 0, "a name too long is cut, and ends");
	m = link_begin(buffer, 0, "none");
	check_eq(nl_parse_link(m, &link), -EBADMSG, "a link without an index is none");
}

/* Every length from nothing to all of it, and the same with attribute lengths that lie. */
static void hostile(const char *name, parse_fn fn, const struct nlmsghdr *whole)
{
	unsigned int good = 0, runs = 0;

	for (uint32_t size = sizeof(*whole); size <= whole->nlmsg_len; size++) {
		struct nlmsghdr *m = malloc(size);

		memcpy(m, whole, size);
		m->nlmsg_len = size;
		good += fn(m) == 0;
		runs++;
		free(m);
	}
	for (uint32_t at = sizeof(*whole); at + 2 <= whole->nlmsg_len; at++) {
		static const uint16_t lies[] = { 0, 1, 3, 4, 5, 0x7fff, 0xffff };

		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			struct nlmsghdr *m = malloc(whole->nlmsg_len);

			memcpy(m, whole, whole->nlmsg_len);
			memcpy((char *)m + at, &lies[i], sizeof(lies[i]));
			good += fn(m) == 0;
			runs++;
			free(m);
		}
	}
	check(good > 0 && good < runs, "%s: of %u broken ones %u can be read, and none beyond its end", name, runs, good);
}

static void test_hostile(void)
{
	char buffer[1024] __attribute__((aligned(4))) = { 0 };
	struct nlmsghdr *m = link_begin(buffer, 7, "eth0.100");

	link_put_vlan(m, "vlan", 100, ETH_P_8021Q);
	hostile("links", parse_link, m);
	m = unhex(addr_hex);
	hostile("addresses", parse_addr, m);
	free(m);
	m = unhex(route6_hex);
	hostile("routes", parse_route, m);
	free(m);
	m = unhex(neigh_hex);
	hostile("neighbours", parse_neigh, m);
	free(m);
}

static void test_via(void)
{
	char buffer[256] __attribute__((aligned(4))) = { 0 };
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(m, sizeof(*rtm));
	struct { uint16_t family; uint8_t ip[16]; } __attribute__((packed)) via = { AF_INET6, { 0xfe, 0x80 } };
	struct nl_route r;

	rtm->rtm_family = AF_INET;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(m, RTA_OIF, 3);
	mnl_attr_put(m, RTA_VIA, sizeof(via), &via);
	check(!nl_parse_route(m, &r) && addr_is(&r.gateway, "fe80::") && r.dst.family == 4,
	      "an IPv4 route by an IPv6 gateway (RFC 8950)");
	rtm->rtm_dst_len = 33;
	check_eq(nl_parse_route(m, &r), -EBADMSG, "a prefix longer than an address is refused");
}

int main(void)
{
	test_recorded();
	test_links();
	test_via();
	test_hostile();
	return done();
}
