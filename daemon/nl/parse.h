/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnetlink messages as plain structs. Pure: bytes in, a struct or a negative
 * errno out (-EBADMSG: lengths that lie or a field missing; -EAFNOSUPPORT and
 * -ENODEV: well-formed, but nothing of ours). The caller has checked
 * mnl_nlmsg_ok(); nothing beyond nlmsg_len is read.
 */
#ifndef TP_NL_PARSE_H
#define TP_NL_PARSE_H

#include <linux/netlink.h>

#include "nl/nl.h"

struct nl_route {
	struct tp_addr dst;		/* family 4 or 6 also where it is all zero */
	struct tp_addr gateway;		/* family 0: none, the destination is on the link */
	uint8_t dst_len, type;		/* RTN_* */
	unsigned int oif;		/* 0: several, or none */
	uint32_t mtu;			/* RTAX_MTU or 0 */
};

struct nl_neigh {
	unsigned int ifindex;
	struct tp_addr addr;
	uint16_t state;			/* NUD_* */
	bool has_mac, managed;
	uint8_t mac[6];
};

int nl_parse_link(const struct nlmsghdr *nlh, struct tp_nl_link *ret);
int nl_parse_addr(const struct nlmsghdr *nlh, struct tp_nl_addr *ret);
int nl_parse_route(const struct nlmsghdr *nlh, struct nl_route *ret);
int nl_parse_neigh(const struct nlmsghdr *nlh, struct nl_neigh *ret);

#endif
