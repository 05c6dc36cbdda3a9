/* SPDX-License-Identifier: GPL-2.0 */
/* UDP sockets and their batched receiving; used by workers for listening and relay sockets. */
#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH		32
#define BUFFER_SIZE	65536
/* Buffers a whole number of pages apart would all compete for the same cache sets. */
#define BUFFER_STRIDE	(BUFFER_SIZE + 5 * 64)

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

union control {
	char bytes[CMSG_SPACE(sizeof(int)) * 3];
	struct cmsghdr align;
};

struct tp_udp_batch {
	int received;
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_storage names[BATCH];
	union control controls[BATCH];
	/* The message that tp_udp_next() is in. */
	int current;
	struct tp_datagram datagram;
	size_t segment;
	uint8_t *buffers;
};

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int udp_socket(const struct tp_addr *addr)
{
	int fd = socket(addr->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = addr->family == 6 ? set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) : 0;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int udp_bind(int fd, const struct tp_addr *addr)
{
	struct sockaddr_storage name;
	socklen_t size = tp_addr_to_sockaddr(addr, &name);

	return bind(fd, (struct sockaddr *)&name, size) < 0 ? -errno : 0;
}

static int udp_options(int fd, uint8_t family, unsigned int flags)
{
	int err = 0;

	if (flags & TP_UDP_REUSEPORT)
		err = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && family == 4) {
		err = set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
		err = err ? err : set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
		if (!err && flags & TP_UDP_FREEBIND)
			err = set_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
	} else if (!err) {
		err = set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
		err = err ? err : set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		if (!err && flags & TP_UDP_FREEBIND)
			err = set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	}
	return err;
}

/* Without CAP_NET_ADMIN net.core.rmem_max and wmem_max are the limit. */
static void udp_buffers(int fd, int size)
{
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, size) < 0)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, size);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, size) < 0)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, size);
}

int tp_udp_open(const struct tp_addr *addr, unsigned int flags, int buffer)
{
	int fd = udp_socket(addr), err;

	if (fd < 0)
		return fd;
	err = udp_options(fd, addr->family, flags);
	if (err)
		goto err_close;
	/* Both are improvements, not needs: an older kernel or a lower limit does without. */
	set_int(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (buffer)
		udp_buffers(fd, buffer);
	err = udp_bind(fd, addr);
	if (err)
		goto err_close;
	return fd;

err_close:
	close(fd);
	return err;
}

int tp_udp_probe(const struct tp_addr *addr)
{
	int fd = udp_socket(addr), err;

	if (fd < 0)
		return fd;
	err = udp_bind(fd, addr);
	close(fd);
	return err;
}

struct tp_udp_batch *tp_udp_batch_new(void)
{
	struct tp_udp_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->buffers = malloc((size_t)BATCH * BUFFER_STRIDE);
	if (!batch->buffers) {
		free(batch);
		return NULL;
	}
	for (unsigned int i = 0; i < BATCH; i++) {
		batch->vectors[i].iov_base = batch->buffers + (size_t)i * BUFFER_STRIDE;
		batch->vectors[i].iov_len = BUFFER_SIZE;
	}
	return batch;
}

void tp_udp_batch_free(struct tp_udp_batch *batch)
{
	if (!batch)
		return;
	free(batch->buffers);
	free(batch);
}

int tp_udp_receive(struct tp_udp_batch *batch, int fd)
{
	int n;

	for (unsigned int i = 0; i < BATCH; i++) {
		struct msghdr *msg = &batch->headers[i].msg_hdr;

		msg->msg_name = &batch->names[i];
		msg->msg_namelen = sizeof(batch->names[i]);
		msg->msg_iov = &batch->vectors[i];
		msg->msg_iovlen = 1;
		msg->msg_control = batch->controls[i].bytes;
		msg->msg_controllen = sizeof(batch->controls[i].bytes);
	}
	n = recvmmsg(fd, batch->headers, BATCH, MSG_DONTWAIT, NULL);
	batch->received = n > 0 ? n : 0;
	batch->current = -1;
	batch->datagram.size = 0;
	return n < 0 ? -errno : n;
}

static void control_read(struct msghdr *msg, struct tp_ip_fields *ret_fields, size_t *ret_segment)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		int value = 0;

		/* IP_TOS comes as one byte, the others as an int. */
		if (cmsg->cmsg_len >= CMSG_LEN(sizeof(int)))
			memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
		else
			value = *CMSG_DATA(cmsg);
		if (cmsg->cmsg_level == IPPROTO_UDP && cmsg->cmsg_type == UDP_GRO)
			*ret_segment = value > 0 ? (size_t)value : 0;
		else if ((cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_TTL) ||
			 (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_HOPLIMIT))
			ret_fields->ttl = (uint8_t)value;
		else if ((cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_TOS) ||
			 (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_TCLASS))
			ret_fields->tos = (uint8_t)value;
	}
}

/* The next message that is whole and from an address that we know; its data is cut by `segment`. */
static bool message_next(struct tp_udp_batch *batch)
{
	struct tp_datagram *d = &batch->datagram;

	while (++batch->current < batch->received) {
		struct mmsghdr *header = &batch->headers[batch->current];

		memset(&d->fields, 0, sizeof(d->fields));
		if (header->msg_hdr.msg_flags & MSG_TRUNC ||
		    tp_addr_from_sockaddr((struct sockaddr *)&batch->names[batch->current], &d->from) < 0)
			continue;
		batch->segment = 0;
		control_read(&header->msg_hdr, &d->fields, &batch->segment);
		d->data = batch->vectors[batch->current].iov_base;
		d->size = header->msg_len;
		return true;
	}
	return false;
}

bool tp_udp_next(struct tp_udp_batch *batch, struct tp_datagram *ret)
{
	struct tp_datagram *d = &batch->datagram;

	/* A datagram of no bytes is one too: what is left of a message is only then none at all. */
	if (batch->current < 0 || d->size == 0) {
		if (!message_next(batch))
			return false;
	}
	*ret = *d;
	if (batch->segment && d->size > batch->segment) {
		ret->size = batch->segment;
		d->data += batch->segment;
		d->size -= batch->segment;
	} else {
		d->size = 0;
	}
	return true;
}
