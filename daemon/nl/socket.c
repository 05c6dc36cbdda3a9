/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two rtnetlink sockets: one that hears events and never blocks, one for
 * requests with their answers. Called by the rest of nl/, under its mutex.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "nl/internal.h"

#define NL_EVENTS_BUFFER	(4 << 20)	/* room for a flood of events; an overrun asks for everything again */
#define NL_EVENTS_BATCH		64		/* datagrams at a time */
#define NL_EVENTS_DISCARD	65536		/* more than the buffer holds */
#define NL_REQUEST_DATAGRAMS	4096		/* of one dump: a bound, not an expectation */
#define NL_RECEIVE_SIZE		32768		/* what the kernel fills at most in one datagram of a dump */

static const int nl_groups[] = {
	RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
	RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
};

static struct mnl_socket *socket_open(unsigned int flags)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (int)flags);
	int saved;

	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		saved = errno;
		mnl_socket_close(s);
		errno = saved;
		return NULL;
	}
	return s;
}

int nl_sockets_open(struct tp_nl *nl)
{
	struct timeval timeout = { .tv_sec = 1 };
	int buffer = NL_EVENTS_BUFFER, err;

	nl->events = socket_open(SOCK_NONBLOCK);
	nl->requests = nl->events ? socket_open(0) : NULL;
	if (!nl->requests) {
		err = -errno;
		nl_sockets_close(nl);
		return err;
	}
	if (setsockopt(mnl_socket_get_fd(nl->events), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(mnl_socket_get_fd(nl->events), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	setsockopt(mnl_socket_get_fd(nl->requests), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	nl->requests_port = mnl_socket_get_portid(nl->requests);
	for (size_t i = 0; i < sizeof(nl_groups) / sizeof(nl_groups[0]); i++) {
		int group = nl_groups[i];

		/* Nexthop objects are of 5.3; every other group is older than BPF. */
		if (mnl_socket_setsockopt(nl->events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 &&
		    group != RTNLGRP_NEXTHOP) {
			err = -errno;
			nl_sockets_close(nl);
			return err;
		}
	}
	return 0;
}

void nl_sockets_close(struct tp_nl *nl)
{
	if (nl->events)
		mnl_socket_close(nl->events);
	if (nl->requests)
		mnl_socket_close(nl->requests);
	nl->events = nl->requests = NULL;
}

/* The messages of one datagram. 1: the answer goes on; 0: it is complete; or the kernel's error. */
static int answer_read(struct tp_nl *nl, const void *data, ssize_t size, nl_message_fn fn)
{
	const struct nlmsghdr *nlh = data;
	int left = (int)size, result = 1;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != nl->requests_seq || nlh->nlmsg_pid != nl->requests_port)
			continue;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

			return mnl_nlmsg_get_payload_len(nlh) < sizeof(e->error) ? -EBADMSG : e->error;
		}
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 0;
		if (fn)
			fn(nl, nlh);
		if (!(nlh->nlmsg_flags & NLM_F_MULTI))
			result = 0;
	}
	return result;
}

int nl_request(struct tp_nl *nl, struct nlmsghdr *request, nl_message_fn fn)
{
	char buffer[NL_RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t size;
	int err;

	request->nlmsg_seq = ++nl->requests_seq;
	if (mnl_socket_sendto(nl->requests, request, request->nlmsg_len) < 0)
		return -errno;
	for (int i = 0; i < NL_REQUEST_DATAGRAMS; i++) {
		size = mnl_socket_recvfrom(nl->requests, buffer, sizeof(buffer));
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		err = answer_read(nl, buffer, size, fn);
		if (err <= 0)
			return err;
	}
	return -EMSGSIZE;
}

int nl_dump(struct tp_nl *nl, int type, int family, nl_message_fn fn)
{
	char buffer[NLMSG_ALIGN(sizeof(struct nlmsghdr)) + 64] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = (uint16_t)type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	/* Links and addresses are both dumped by a header that begins with the family; the larger does for both. */
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = (unsigned char)family;
	return nl_request(nl, nlh, fn);
}

void nl_events_discard(struct tp_nl *nl)
{
	char buffer[64];

	for (int i = 0; i < NL_EVENTS_DISCARD; i++)
		if (mnl_socket_recvfrom(nl->events, buffer, sizeof(buffer)) < 0 &&
		    (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
}

int nl_events_read(struct tp_nl *nl, nl_message_fn fn)
{
	char buffer[NL_RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *nlh;
	ssize_t size;
	int left;

	for (int i = 0; i < NL_EVENTS_BATCH; i++) {
		size = mnl_socket_recvfrom(nl->events, buffer, sizeof(buffer));
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == ENOBUFS || errno == ENOSPC ? -ENOBUFS : 0;
		left = (int)size;
		for (nlh = (const void *)buffer; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			fn(nl, nlh);
	}
	return 1;
}
