/* SPDX-License-Identifier: GPL-2.0 */
/* rtnetlink messages as plain structs; see nl/parse.h. Called by the mirror and the resolver. */
#include "nl/parse.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define NL_ATTR_MAX 128

/* Attributes by type. Later ones of a type win, as in the kernel; types beyond the table are left out. */
struct nl_attrs {
	const struct nlattr *of[NL_ATTR_MAX];
};

static int attrs_walk(const struct nlattr *attr, const char *end, struct nl_attrs *ret)
{
	memset(ret, 0, sizeof(*ret));
	while ((const char *)attr < end) {
		if (!mnl_attr_ok(attr, (int)(end - (const char *)attr)))
			return -EBADMSG;
		if (mnl_attr_get_type(attr) < NL_ATTR_MAX)
			ret->of[mnl_attr_get_type(attr)] = attr;
		attr = mnl_attr_next(attr);
	}
	return 0;
}

static int attrs_of_message(const struct nlmsghdr *nlh, size_t header_size, struct nl_attrs *ret)
{
	if (mnl_nlmsg_get_payload_len(nlh) < header_size)
		return -EBADMSG;
	return attrs_walk(mnl_nlmsg_get_payload_offset(nlh, header_size), (const char *)nlh + nlh->nlmsg_len, ret);
}

static int attrs_of_nest(const struct nlattr *nest, struct nl_attrs *ret)
{
	const char *start = mnl_attr_get_payload(nest);

	return attrs_walk((const struct nlattr *)start, start + mnl_attr_get_payload_len(nest), ret);
}

/* Fixed-size values; false where the attribute is missing or of another size. */
static bool attr_bytes(const struct nlattr *attr, void *ret, size_t size)
{
	if (!attr || mnl_attr_get_payload_len(attr) != size)
		return false;
	memcpy(ret, mnl_attr_get_payload(attr), size);
	return true;
}

static uint32_t attr_u32(const struct nlattr *attr)
{
	uint32_t v;

	return attr_bytes(attr, &v, sizeof(v)) ? v : 0;
}

static void attr_name(const struct nlattr *attr, char ret[IFNAMSIZ])
{
	size_t size = attr ? mnl_attr_get_payload_len(attr) : 0;

	memset(ret, 0, IFNAMSIZ);
	memcpy(ret, attr ? mnl_attr_get_payload(attr) : "", size < IFNAMSIZ ? size : IFNAMSIZ - 1);
}

static bool attr_addr(const struct nlattr *attr, int family, struct tp_addr *ret)
{
	*ret = (struct tp_addr){ .family = family == AF_INET ? 4 : 6 };
	return attr_bytes(attr, ret->ip, tp_addr_ip_size(ret));
}

static int family_check(int family)
{
	return family == AF_INET || family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}

/* IFLA_VLAN_*: only for kind "vlan", where the numbers mean this. */
static void link_parse_vlan(const struct nlattr *data, struct tp_nl_link *ret)
{
	struct nl_attrs a;
	uint16_t proto;

	if (attrs_of_nest(data, &a) < 0 || !attr_bytes(a.of[IFLA_VLAN_ID], &ret->vlan_id, sizeof(ret->vlan_id)) ||
	    !attr_bytes(a.of[IFLA_VLAN_PROTOCOL], &proto, sizeof(proto)))
		return;
	ret->vlan_proto = (uint16_t)(proto << 8 | proto >> 8);
	ret->has_vlan = true;
}

int nl_parse_link(const struct nlmsghdr *nlh, struct tp_nl_link *ret)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct tp_nl_link link = { 0 };
	struct nl_attrs a, info, xdp;

	if (attrs_of_message(nlh, sizeof(*ifi), &a) < 0 || ifi->ifi_index <= 0)
		return -EBADMSG;
	/* Bridges tell about their ports under their own family: not a link's own message. */
	if (ifi->ifi_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	link.ifindex = (unsigned int)ifi->ifi_index;
	link.up = (ifi->ifi_flags & (IFF_UP | IFF_LOWER_UP)) == (IFF_UP | IFF_LOWER_UP);
	link.loopback = ifi->ifi_flags & IFF_LOOPBACK;
	link.ethernet = ifi->ifi_type == ARPHRD_ETHER;
	attr_name(a.of[IFLA_IFNAME], link.name);
	attr_bytes(a.of[IFLA_ADDRESS], link.mac, sizeof(link.mac));
	link.mtu = attr_u32(a.of[IFLA_MTU]);
	link.master = attr_u32(a.of[IFLA_MASTER]);
	/* With IFLA_LINK_NETNSID the lower device's index is one of another namespace. */
	if (!a.of[IFLA_LINK_NETNSID])
		link.lower = attr_u32(a.of[IFLA_LINK]);
	if (a.of[IFLA_LINKINFO] && !attrs_of_nest(a.of[IFLA_LINKINFO], &info)) {
		attr_name(info.of[IFLA_INFO_KIND], link.kind);
		if (!strcmp(link.kind, "vlan") && info.of[IFLA_INFO_DATA])
			link_parse_vlan(info.of[IFLA_INFO_DATA], &link);
	}
	if (a.of[IFLA_XDP] && !attrs_of_nest(a.of[IFLA_XDP], &xdp)) {
		uint8_t mode = XDP_ATTACHED_NONE;

		attr_bytes(xdp.of[IFLA_XDP_ATTACHED], &mode, sizeof(mode));
		link.xdp_prog_id = attr_u32(xdp.of[IFLA_XDP_PROG_ID]);
		/* Several at once have no single id, but there is a program. */
		if (mode != XDP_ATTACHED_NONE && !link.xdp_prog_id)
			link.xdp_prog_id = UINT32_MAX;
	}
	*ret = link;
	return 0;
}

int nl_parse_addr(const struct nlmsghdr *nlh, struct tp_nl_addr *ret)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct tp_nl_addr addr = { 0 };
	const struct nlattr *ip;
	struct nl_attrs a;

	if (attrs_of_message(nlh, sizeof(*ifa), &a) < 0)
		return -EBADMSG;
	if (family_check(ifa->ifa_family) < 0)
		return -EAFNOSUPPORT;
	/* On point-to-point links IFA_ADDRESS is the other end. */
	ip = a.of[IFA_LOCAL] ? a.of[IFA_LOCAL] : a.of[IFA_ADDRESS];
	if (!attr_addr(ip, ifa->ifa_family, &addr.addr))
		return -EBADMSG;
	addr.ifindex = ifa->ifa_index;
	addr.prefix_len = ifa->ifa_prefixlen;
	addr.link_local = ifa->ifa_scope >= RT_SCOPE_LINK;
	*ret = addr;
	return 0;
}

/* RTA_VIA: a gateway of the other family (RFC 8950 routes). */
static bool route_parse_via(const struct nlattr *attr, struct tp_addr *ret)
{
	struct tp_addr addr = { 0 };
	struct rtvia via;

	if (mnl_attr_get_payload_len(attr) < sizeof(via))
		return false;
	memcpy(&via, mnl_attr_get_payload(attr), sizeof(via));
	if (family_check(via.rtvia_family) < 0)
		return false;
	addr.family = via.rtvia_family == AF_INET ? 4 : 6;
	if (mnl_attr_get_payload_len(attr) != sizeof(via) + tp_addr_ip_size(&addr))
		return false;
	memcpy(addr.ip, (const char *)mnl_attr_get_payload(attr) + sizeof(via), tp_addr_ip_size(&addr));
	*ret = addr;
	return true;
}

int nl_parse_route(const struct nlmsghdr *nlh, struct nl_route *ret)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct nl_route route = { 0 };
	struct nl_attrs a, metrics;

	if (attrs_of_message(nlh, sizeof(*rtm), &a) < 0)
		return -EBADMSG;
	if (family_check(rtm->rtm_family) < 0)
		return -EAFNOSUPPORT;
	route.type = rtm->rtm_type;
	route.dst_len = rtm->rtm_dst_len;
	if (a.of[RTA_DST]) {
		if (!attr_addr(a.of[RTA_DST], rtm->rtm_family, &route.dst))
			return -EBADMSG;
	} else {
		route.dst.family = rtm->rtm_family == AF_INET ? 4 : 6;
	}
	if (route.dst_len > tp_addr_ip_size(&route.dst) * 8)
		return -EBADMSG;
	if (a.of[RTA_GATEWAY] && !attr_addr(a.of[RTA_GATEWAY], rtm->rtm_family, &route.gateway))
		return -EBADMSG;
	if (a.of[RTA_VIA] && !route_parse_via(a.of[RTA_VIA], &route.gateway))
		return -EBADMSG;
	route.oif = attr_u32(a.of[RTA_OIF]);
	if (a.of[RTA_METRICS] && !attrs_of_nest(a.of[RTA_METRICS], &metrics))
		route.mtu = attr_u32(metrics.of[RTAX_MTU]);
	*ret = route;
	return 0;
}

int nl_parse_neigh(const struct nlmsghdr *nlh, struct nl_neigh *ret)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct nl_neigh neigh = { 0 };
	struct nl_attrs a;

	if (attrs_of_message(nlh, sizeof(*ndm), &a) < 0 || ndm->ndm_ifindex <= 0)
		return -EBADMSG;
	if (family_check(ndm->ndm_family) < 0)
		return -EAFNOSUPPORT;
	if (!attr_addr(a.of[NDA_DST], ndm->ndm_family, &neigh.addr))
		return -EBADMSG;
	neigh.ifindex = (unsigned int)ndm->ndm_ifindex;
	neigh.state = ndm->ndm_state;
	neigh.has_mac = attr_bytes(a.of[NDA_LLADDR], neigh.mac, sizeof(neigh.mac));
	neigh.managed = attr_u32(a.of[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED;
	*ret = neigh;
	return 0;
}
