/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A scratch pair of veth devices for the proof of the programs, in a network
 * namespace of the calling thread alone: nothing of it is ever seen in the node's
 * own, and it goes with the thread. The far end has an XDP program that passes
 * everything, without which it would not receive what XDP sends.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dp/bpf.h"

static int scratch_talk(struct nlmsghdr *nlh)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char buffer[8192];
	ssize_t size;
	int err = 0;

	if (!s)
		return -errno;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		err = -errno;
	if (!err) {
		size = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
		if (size < 0 || mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(s), NULL, NULL) < 0)
			err = -errno;
	}
	mnl_socket_close(s);
	return err;
}

static struct nlmsghdr *link_header(char *buffer, unsigned int ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	nlh->nlmsg_type = RTM_NEWLINK;
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	return nlh;
}

static int scratch_add_pair(void)
{
	static const uint8_t near_mac[6] = BPF_SCRATCH_NEAR_MAC, far_mac[6] = BPF_SCRATCH_FAR_MAC;
	char buffer[1024] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = link_header(buffer, 0);
	struct nlattr *info, *data, *peer;
	struct ifinfomsg *ifi;

	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "tp-near");
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(near_mac), near_mac);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	*ifi = (struct ifinfomsg){ 0 };
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "tp-far");
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(far_mac), far_mac);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return scratch_talk(nlh);
}

static int scratch_up(unsigned int ifindex)
{
	char buffer[256] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };

	return scratch_talk(link_header(buffer, ifindex));
}

static int scratch_attach_pass(struct bpf_scratch *s)
{
	struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);

	s->pass_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "tp_pass", "GPL", pass, 2, NULL);
	if (s->pass_fd < 0)
		return -errno;
	s->pass_link_fd = bpf_link_create(s->pass_fd, (int)s->far, BPF_XDP, &opts);
	return s->pass_link_fd < 0 ? -errno : 0;
}

static int scratch_open_socket(struct bpf_scratch *s)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)s->far };

	s->far_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (s->far_fd < 0 || bind(s->far_fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return 0;
}

int bpf_scratch_open(struct bpf_scratch *ret)
{
	struct bpf_scratch s = { .far_fd = -1, .pass_fd = -1, .pass_link_fd = -1 };
	int err = unshare(CLONE_NEWNET) < 0 ? -errno : 0;

	if (!err)
		err = scratch_add_pair();
	if (!err) {
		s.near = if_nametoindex("tp-near");
		s.far = if_nametoindex("tp-far");
		err = s.near && s.far ? scratch_up(s.near) : -ENODEV;
	}
	if (!err)
		err = scratch_up(s.far);
	if (!err)
		err = scratch_attach_pass(&s);
	if (!err)
		err = scratch_open_socket(&s);
	if (err)
		bpf_scratch_close(&s);
	else
		*ret = s;
	return err;
}

void bpf_scratch_close(struct bpf_scratch *s)
{
	if (s->far_fd >= 0)
		close(s->far_fd);
	if (s->pass_link_fd >= 0)
		close(s->pass_link_fd);
	if (s->pass_fd >= 0)
		close(s->pass_fd);
}
