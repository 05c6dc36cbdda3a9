/* SPDX-License-Identifier: GPL-2.0 */
/* Counts the filters on a device's clsact qdisc, before it is removed. Called by the bpf data path's detach. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "nl/device.h"

static int filter_count(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);

	/* A chain of filters is told, too, as one without a handle. */
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*tc) && tc->tcm_handle)
		++*(int *)arg;
	return MNL_CB_OK;
}

static int filter_dump(struct mnl_socket *s, unsigned int ifindex, uint32_t parent, int *count)
{
	char buffer[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	ssize_t size;
	int more = MNL_CB_OK;

	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	for (int i = 0; i < 1024 && more > MNL_CB_STOP; i++) {
		size = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
		more = size < 0 ? MNL_CB_ERROR : mnl_cb_run(buffer, (size_t)size, 0, 0, filter_count, count);
	}
	return more < 0 ? -errno : 0;
}

int tp_nl_device_filters(unsigned int ifindex)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int count = 0, err;

	if (!s)
		return -errno;
	err = filter_dump(s, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), &count);
	if (!err)
		err = filter_dump(s, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), &count);
	mnl_socket_close(s);
	return err ? err : count;
}
