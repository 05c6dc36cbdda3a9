/* SPDX-License-Identifier: GPL-2.0 */
/* Device features by generic netlink; see nl/device.h. Called by the bpf data path when it chooses hooks. */
#include "nl/device.h"

#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/netdev.h of 6.3, which Debian 12's headers do not have yet. */
#define DEV_CMD_GET		1
#define DEV_A_IFINDEX		1
#define DEV_A_XDP_FEATURES	3
#define DEV_XDP_BASIC		0x1
#define DEV_XDP_REDIRECT	0x2
#define DEV_XDP_NDO_XMIT	0x4

/*
 * Drivers of 6.1 with native XDP, and whether ndo_xdp_xmit works there without
 * conditions. gve is not among them: its receive buffers leave no headroom.
 */
static const struct {
	const char *driver;
	bool xmit;
} device_drivers[] = {
	{ "atlantic", true }, { "bnxt_en", true }, { "cpsw", true }, { "dpaa2-eth", true }, { "ena", true },
	{ "fec", true }, { "fsl_dpaa2_eth", true }, { "fsl_enetc", true }, { "hv_netvsc", true }, { "i40e", true },
	{ "ice", true }, { "igb", true }, { "igc", true }, { "ixgbe", true }, { "ixgbevf", false }, { "mana", true },
	{ "mlx4_en", false }, { "mlx5_core", true }, { "mvneta", true }, { "mvpp2", true }, { "netsec", true },
	{ "nfp", false }, { "qede", true }, { "sfc", true }, { "st_gmac", true }, { "tsnep", true },
	{ "tun", true }, { "veth", false }, { "virtio_net", true },
};

void tp_nl_device_by_driver(const char *driver, struct tp_nl_device *ret)
{
	for (size_t i = 0; i < sizeof(device_drivers) / sizeof(device_drivers[0]); i++) {
		if (!strcmp(device_drivers[i].driver, driver)) {
			ret->xdp = true;
			ret->xdp_xmit = device_drivers[i].xmit;
		}
	}
}

static void driver_read(const char *name, struct tp_nl_device *ret)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (char *)&info };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (!ioctl(fd, SIOCETHTOOL, &request)) {
		info.driver[sizeof(info.driver) - 1] = 0;
		memcpy(ret->driver, info.driver, sizeof(ret->driver));
		ret->driver[sizeof(ret->driver) - 1] = 0;
	}
	close(fd);
}

static int netdev_answer(struct nl_msg *msg, void *arg)
{
	struct tp_nl_device *ret = arg;
	struct nlattr *a[DEV_A_XDP_FEATURES + 1];
	uint64_t features;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, a, DEV_A_XDP_FEATURES, NULL) < 0 || !a[DEV_A_XDP_FEATURES] ||
	    nla_len(a[DEV_A_XDP_FEATURES]) != sizeof(features))
		return NL_OK;
	features = nla_get_u64(a[DEV_A_XDP_FEATURES]);
	ret->asked = true;
	ret->xdp = (features & DEV_XDP_BASIC) && (features & DEV_XDP_REDIRECT);
	ret->xdp_xmit = features & DEV_XDP_NDO_XMIT;
	return NL_OK;
}

/* A verbose bit set: names of the features that are on. */
static int features_answer(struct nl_msg *msg, void *arg)
{
	struct tp_nl_device *ret = arg;
	struct nlattr *a[ETHTOOL_A_FEATURES_MAX + 1], *set[ETHTOOL_A_BITSET_MAX + 1];
	struct nlattr *bit[ETHTOOL_A_BITSET_BIT_MAX + 1], *item;
	int left;

	if (genlmsg_parse(nlmsg_hdr(msg), 0, a, ETHTOOL_A_FEATURES_MAX, NULL) < 0 || !a[ETHTOOL_A_FEATURES_ACTIVE] ||
	    nla_parse_nested(set, ETHTOOL_A_BITSET_MAX, a[ETHTOOL_A_FEATURES_ACTIVE], NULL) < 0 ||
	    !set[ETHTOOL_A_BITSET_BITS])
		return NL_OK;
	nla_for_each_nested(item, set[ETHTOOL_A_BITSET_BITS], left) {
		if (nla_parse_nested(bit, ETHTOOL_A_BITSET_BIT_MAX, item, NULL) < 0 || !bit[ETHTOOL_A_BITSET_BIT_NAME])
			continue;
		if (!nla_strcmp(bit[ETHTOOL_A_BITSET_BIT_NAME], "rx-vlan-hw-parse"))
			ret->vlan_strip = true;
	}
	return NL_OK;
}

static int genl_ask(struct nl_sock *sock, struct nl_msg *msg, nl_recvmsg_msg_cb_t fn, struct tp_nl_device *ret)
{
	int err;

	err = nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, fn, ret);
	if (err >= 0)
		err = nl_send_auto(sock, msg);
	if (err >= 0)
		err = nl_recvmsgs_default(sock);
	if (err >= 0)
		err = nl_wait_for_ack(sock);
	return err;
}

static int netdev_ask(struct nl_sock *sock, unsigned int ifindex, struct tp_nl_device *ret)
{
	int family = genl_ctrl_resolve(sock, "netdev"), err;
	struct nl_msg *msg;

	if (family < 0)
		return family;
	msg = nlmsg_alloc();
	if (!msg)
		return -NLE_NOMEM;
	err = -NLE_NOMEM;
	if (genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, DEV_CMD_GET, 1) &&
	    !nla_put_u32(msg, DEV_A_IFINDEX, ifindex))
		err = genl_ask(sock, msg, netdev_answer, ret);
	nlmsg_free(msg);
	return err;
}

static int features_ask(struct nl_sock *sock, unsigned int ifindex, struct tp_nl_device *ret)
{
	int family = genl_ctrl_resolve(sock, ETHTOOL_GENL_NAME), err;
	struct nlattr *header;
	struct nl_msg *msg;

	if (family < 0)
		return family;
	msg = nlmsg_alloc();
	if (!msg)
		return -NLE_NOMEM;
	err = -NLE_NOMEM;
	if (genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, ETHTOOL_MSG_FEATURES_GET, ETHTOOL_GENL_VERSION)) {
		header = nla_nest_start(msg, ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED);
		if (header && !nla_put_u32(msg, ETHTOOL_A_HEADER_DEV_INDEX, ifindex)) {
			nla_nest_end(msg, header);
			err = genl_ask(sock, msg, features_answer, ret);
		}
	}
	nlmsg_free(msg);
	return err;
}

static struct nl_sock *genl_open(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (sock && genl_connect(sock) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	return sock;
}

void tp_nl_device_query(unsigned int ifindex, const char *name, struct tp_nl_device *ret)
{
	/* One socket per question: what is left of an answer that went wrong cannot be taken for the next. */
	struct nl_sock *sock = genl_open();

	*ret = (struct tp_nl_device){ 0 };
	driver_read(name, ret);
	if (sock) {
		netdev_ask(sock, ifindex, ret);
		nl_socket_free(sock);
	}
	if (!ret->asked)
		tp_nl_device_by_driver(ret->driver, ret);
	sock = genl_open();
	if (sock) {
		features_ask(sock, ifindex, ret);
		nl_socket_free(sock);
	}
}
