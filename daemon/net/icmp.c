/* SPDX-License-Identifier: GPL-2.0 */
/* ICMP and ICMPv6 errors for worker 0, which gives them to whichever worker's allocation they are about. */
#include "net/icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

/* Per wake-up; what is beyond waits in the socket's buffer or is lost, as ICMP may be. */
#define BUDGET	32
/* Of an error's quotation, headers are all that is looked at. */
#define READ_SIZE 256

#ifndef ICMP_FILTER
#define ICMP_FILTER 1		/* linux/icmp.h, which netinet/ip_icmp.h cannot be mixed with */
#endif

struct icmp_socket {
	struct tp_watch watch;
	struct tp_icmp *icmp;
	uint8_t family;
};

struct tp_icmp {
	struct tp_worker *worker;
	struct icmp_socket sockets[2];
};

static uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void set_addr(struct tp_addr *ret, uint8_t family, const uint8_t *ip, const uint8_t *port)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = family;
	memcpy(ret->ip, ip, family == 4 ? 4 : 16);
	ret->port = load16(port);
}

/* The quoted datagram: its IP header and at least the ports (RFC 792: 8 bytes; RFC 4443: as much as fits). */
static bool quoted4(const uint8_t *p, size_t size, struct tp_icmp_error *ret)
{
	size_t header;

	if (size < 20 || p[0] >> 4 != 4)
		return false;
	header = (size_t)(p[0] & 15) * 4;
	if (header < 20 || size < header + 4 || p[9] != IPPROTO_UDP || load16(p + 6) & 0x1fff)
		return false;
	set_addr(&ret->source, 4, p + 12, p + header);
	set_addr(&ret->destination, 4, p + 16, p + header + 2);
	return true;
}

/* Relayed datagrams have no extension header but, where the stack fragmented them, the fragment header. */
static bool quoted6(const uint8_t *p, size_t size, struct tp_icmp_error *ret)
{
	size_t header = 40;
	uint8_t next;

	if (size < header || p[0] >> 4 != 6)
		return false;
	next = p[6];
	if (next == IPPROTO_FRAGMENT && size >= header + 8) {
		if (load16(p + header + 2) & 0xfff8)
			return false;
		next = p[header];
		header += 8;
	}
	if (next != IPPROTO_UDP || size < header + 4)
		return false;
	set_addr(&ret->source, 6, p + 8, p + header);
	set_addr(&ret->destination, 6, p + 24, p + header + 2);
	return true;
}

static bool is_error(uint8_t family, uint8_t type)
{
	if (family == 4)
		return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
	/* RFC 4443 section 2.1: errors have the high bit clear. */
	return type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB;
}

bool tp_icmp_parse(uint8_t family, const uint8_t *data, size_t size, struct tp_icmp_error *ret)
{
	if (family == 4) {
		size_t header = size ? (size_t)(data[0] & 15) * 4 : 0;

		if (header < 20 || size < header)
			return false;
		data += header;
		size -= header;
	}
	if (size < 8 || !is_error(family, data[0]))
		return false;
	ret->type = data[0];
	ret->code = data[1];
	ret->data = (uint32_t)load16(data + 4) << 16 | load16(data + 6);
	return family == 4 ? quoted4(data + 8, size - 8, ret) : quoted6(data + 8, size - 8, ret);
}

static void icmp_receive(struct tp_watch *watch, uint32_t events)
{
	struct icmp_socket *s = watch->arg;
	struct tp_worker *worker = s->icmp->worker;
	struct tp_icmp_error error;
	uint8_t data[READ_SIZE];

	for (unsigned int i = 0; i < BUDGET; i++) {
		ssize_t n = recv(watch->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n < 0)
			return;
		worker->counters.icmp_received++;
		if (tp_icmp_parse(s->family, data, (size_t)n, &error))
			tp_worker_icmp_input(worker, &error.source, &error.destination, error.type, error.code,
					     error.data);
		else
			worker->counters.icmp_ignored++;
	}
}

/* The kernel drops what is no error before it wakes us. */
static int icmp_filter(int fd, uint8_t family)
{
	if (family == 4) {
		uint32_t pass = 1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB;
		uint32_t blocked = ~pass;

		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &blocked, sizeof(blocked));
	} else {
		struct icmp6_filter filter;

		ICMP6_FILTER_SETBLOCKALL(&filter);
		for (int type = ICMP6_DST_UNREACH; type <= ICMP6_PARAM_PROB; type++)
			ICMP6_FILTER_SETPASS(type, &filter);
		return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
	}
}

static int socket_open(struct tp_icmp *icmp, struct icmp_socket *s, uint8_t family)
{
	int fd, err;

	s->watch.fd = -1;
	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (fd < 0)
		return -errno;
	s->watch.fn = icmp_receive;
	s->watch.arg = s;
	s->watch.fd = fd;
	s->icmp = icmp;
	s->family = family;
	err = icmp_filter(fd, family) < 0 ? -errno : tp_loop_add(icmp->worker->loop, &s->watch, EPOLLIN);
	if (err) {
		close(fd);
		s->watch.fd = -1;
	}
	return err;
}

int tp_icmp_open(struct tp_worker *worker, struct tp_icmp **ret)
{
	struct tp_icmp *icmp = calloc(1, sizeof(*icmp));
	int err4, err6;

	if (!icmp)
		return -ENOMEM;
	icmp->worker = worker;
	err4 = socket_open(icmp, &icmp->sockets[0], 4);
	err6 = socket_open(icmp, &icmp->sockets[1], 6);
	/* One family may be switched off on this node. */
	if (err4 && err6) {
		free(icmp);
		return err4;
	}
	*ret = icmp;
	return 0;
}

void tp_icmp_close(struct tp_icmp *icmp)
{
	if (!icmp)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		if (icmp->sockets[i].watch.fd < 0)
			continue;
		tp_loop_remove(icmp->worker->loop, &icmp->sockets[i].watch);
		close(icmp->sockets[i].watch.fd);
	}
	free(icmp);
}
