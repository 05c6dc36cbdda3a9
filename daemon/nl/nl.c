/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of `struct tp_nl`: start, events from the kernel, what is left for
 * later. Called by the bpf data path on the control thread.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "nl/internal.h"

#define NL_SWEEP_LOCKED	64	/* routes asked for while workers wait for the lock */
#define NL_SWEEP_INPUT	1024	/* and in one tp_nl_input() */
#define NL_SWEEP_NS	1000000	/* pause between two of those */

static int fd_open(struct tp_nl *nl)
{
	struct epoll_event event = { .events = EPOLLIN };

	nl->fd = epoll_create1(EPOLL_CLOEXEC);
	nl->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (nl->fd < 0 || nl->timer_fd < 0)
		return -errno;
	if (epoll_ctl(nl->fd, EPOLL_CTL_ADD, nl->timer_fd, &event) < 0 ||
	    epoll_ctl(nl->fd, EPOLL_CTL_ADD, mnl_socket_get_fd(nl->events), &event) < 0)
		return -errno;
	return 0;
}

/* The mirror as it is now. Events of the time between are in the socket and come after it. */
static int nl_mirror_load(struct tp_nl *nl)
{
	int err;

	nl->loading = true;
	nl_mirror_clear(nl);
	err = nl_dump(nl, RTM_GETLINK, AF_UNSPEC, nl_mirror_message);
	if (!err)
		err = nl_dump(nl, RTM_GETADDR, AF_UNSPEC, nl_mirror_message);
	nl->loading = false;
	return err;
}

int tp_nl_new(const struct tp_nl_params *params, struct tp_nl **ret)
{
	struct tp_nl *nl = calloc(1, sizeof(*nl));
	int err;

	if (!nl)
		return -ENOMEM;
	nl->params = *params;
	nl->fd = nl->timer_fd = -1;
	pthread_mutex_init(&nl->lock, NULL);
	err = nl_hops_init(nl);
	if (!err)
		err = nl_table_init(&nl->dest_table, (size_t)params->hops_len * 4);
	if (!err)
		err = nl_sockets_open(nl);
	if (!err)
		err = fd_open(nl);
	if (!err)
		err = nl_mirror_load(nl);
	if (err) {
		tp_nl_free(nl);
		return err;
	}
	nl->changed = false;
	*ret = nl;
	return 0;
}

void tp_nl_free(struct tp_nl *nl)
{
	if (nl->dest_table.buckets)
		nl_dests_fini(nl);
	nl_hops_fini(nl);
	nl_sockets_close(nl);
	nl_mirror_clear(nl);
	free(nl->programs);
	if (nl->fd >= 0)
		close(nl->fd);
	if (nl->timer_fd >= 0)
		close(nl->timer_fd);
	pthread_mutex_destroy(&nl->lock);
	free(nl);
}

int tp_nl_fd(struct tp_nl *nl)
{
	return nl->fd;
}

static void event_message(struct tp_nl *nl, const struct nlmsghdr *nlh)
{
	struct nl_route route;
	struct nl_neigh neigh;

	switch (nlh->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (nl_parse_route(nlh, &route))
			break;
		nl_dests_route(nl, &route);
		/* Devices of the default routes have programs, too. */
		nl->changed |= !route.dst_len;
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		nl_dests_all(nl);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (!nl_parse_neigh(nlh, &neigh))
			nl_hops_neigh(nl, &neigh, nlh->nlmsg_type == RTM_DELNEIGH);
		break;
	default:
		nl_mirror_message(nl, nlh);
	}
}

static void timer_set(struct tp_nl *nl, long ns)
{
	struct itimerspec at = { .it_value.tv_nsec = ns };

	timerfd_settime(nl->timer_fd, 0, &at, NULL);
}

/* Some routes at a time, so that workers get at the lock and the control thread at its other descriptors. */
static bool sweep(struct tp_nl *nl)
{
	bool more = true;

	for (size_t done = 0; more && done < NL_SWEEP_INPUT; done += NL_SWEEP_LOCKED) {
		pthread_mutex_lock(&nl->lock);
		more = nl_dests_resolve(nl, NL_SWEEP_LOCKED);
		pthread_mutex_unlock(&nl->lock);
	}
	return more;
}

void tp_nl_input(struct tp_nl *nl)
{
	bool changed;
	int more;

	timer_set(nl, 0);
	pthread_mutex_lock(&nl->lock);
	more = nl_events_read(nl, event_message);
	if (more == -ENOBUFS) {
		nl->stats.overruns++;
		nl_events_discard(nl);
		nl_mirror_load(nl);
		nl_hops_link(nl);
		nl_hops_ask(nl);
		nl_dests_all(nl);
		nl->changed = true;
	}
	changed = nl->changed;
	nl->changed = false;
	pthread_mutex_unlock(&nl->lock);
	if (changed && nl->params.changed)
		nl->params.changed(nl->params.arg);
	if (sweep(nl))
		timer_set(nl, NL_SWEEP_NS);
}

void tp_nl_tick(struct tp_nl *nl)
{
	pthread_mutex_lock(&nl->lock);
	nl_hops_tick(nl);
	if (nl->dirty)
		timer_set(nl, NL_SWEEP_NS);
	pthread_mutex_unlock(&nl->lock);
}

const struct tp_nl_link *tp_nl_links(struct tp_nl *nl, size_t *ret_len)
{
	*ret_len = nl->links_len;
	return nl->links;
}

const struct tp_nl_addr *tp_nl_addrs(struct tp_nl *nl, size_t *ret_len)
{
	*ret_len = nl->addrs_len;
	return nl->addrs;
}

unsigned int tp_nl_route_device(struct tp_nl *nl, const struct tp_addr *dst)
{
	struct nl_route route;
	int err;

	pthread_mutex_lock(&nl->lock);
	err = nl_route_ask(nl, dst, NULL, &route);
	pthread_mutex_unlock(&nl->lock);
	return err || route.type != RTN_UNICAST ? 0 : route.oif;
}

void tp_nl_read_stats(struct tp_nl *nl, struct tp_nl_stats *ret)
{
	struct nl_node *n, *next;

	pthread_mutex_lock(&nl->lock);
	*ret = nl->stats;
	ret->hops = nl->hop_table.len;
	ret->dests = nl->dest_table.len;
	ret->valid = 0;
	nl_table_for_each(&nl->hop_table, n, next)
		ret->valid += nl->params.hops[((struct nl_hop *)n)->index].flags & TP_HOP_VALID;
	pthread_mutex_unlock(&nl->lock);
}
