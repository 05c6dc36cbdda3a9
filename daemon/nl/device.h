/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a device can do for XDP, asked by generic netlink (libnl-3): the netdev
 * family (Linux 6.3) for XDP features, the ethtool family for VLAN offload. On
 * older kernels a table of drivers stands in. Control thread only.
 */
#ifndef TP_NL_DEVICE_H
#define TP_NL_DEVICE_H

#include <stdbool.h>

struct tp_nl_device {
	char driver[32];	/* empty: not told */
	bool asked;		/* the kernel said it; false: the table of drivers did */
	bool xdp;		/* native XDP, with XDP_TX and redirect */
	bool xdp_xmit;		/* XDP on other devices can redirect to it */
	bool vlan_strip;	/* VLAN tags are taken off before XDP sees the frame */
};

/* Never fails: what cannot be found out is false. */
void tp_nl_device_query(unsigned int ifindex, const char *name, struct tp_nl_device *ret);

/* Of the table of drivers, by name; what tp_nl_device_query() uses before 6.3. */
void tp_nl_device_by_driver(const char *driver, struct tp_nl_device *ret);

/* How many filters there are on a device's clsact qdisc; negative errno. */
int tp_nl_device_filters(unsigned int ifindex);

#endif
