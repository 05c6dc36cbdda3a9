/* SPDX-License-Identifier: GPL-2.0 */
/* The batched sender of a worker; outq.h says what it promises. */
#include "net/outq.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SLOTS		256
#define ARENA_SIZE	(512 * 1024)
#define NONE		UINT16_MAX
#define GSO_SEGMENTS	64		/* UDP_MAX_SEGMENTS of kernels before 6.9 */
#define GSO_SIZE_MAX	65000		/* of a super-packet: below 64 KiB with its headers */

/* Some libc headers of the supported systems lack it. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

struct slot {
	struct tp_addr to;
	uint32_t offset, size;
	uint8_t ttl, tos;
	bool has_fields;
	uint16_t next;
};

union control {
	char bytes[CMSG_SPACE(sizeof(int)) * 2 + CMSG_SPACE(sizeof(uint16_t))];
	struct cmsghdr align;
};

struct tp_outq {
	uint64_t *sent, *failed;
	struct tp_out_socket *sockets;	/* with something queued */
	unsigned int slots_used;
	uint32_t arena_used;
	struct slot slots[SLOTS];
	/* One socket's queue on its way into the kernel. */
	struct mmsghdr headers[SLOTS];
	uint16_t counts[SLOTS];		/* datagrams of a header: more than one is GSO */
	uint16_t firsts[SLOTS];
	struct iovec vectors[SLOTS];
	struct sockaddr_storage names[SLOTS];
	union control controls[SLOTS];
	uint8_t arena[ARENA_SIZE];
};

struct tp_outq *tp_outq_new(uint64_t *sent, uint64_t *failed)
{
	struct tp_outq *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->sent = sent;
	q->failed = failed;
	return q;
}

void tp_outq_free(struct tp_outq *q)
{
	free(q);
}

static int socket_set_df(struct tp_out_socket *socket, bool df)
{
	/* PROBE sets DF and ignores what ICMP made the kernel believe; DONT leaves fragmenting to the path. */
	int value = socket->family == 4 ? (df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT) :
					  (df ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
	int err = socket->family == 4 ?
		  setsockopt(socket->fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, sizeof(value)) :
		  setsockopt(socket->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value, sizeof(value));

	if (err < 0)
		return -errno;
	socket->df = df;
	return 0;
}

int tp_out_socket_init(struct tp_out_socket *socket, int fd, uint8_t family)
{
	memset(socket, 0, sizeof(*socket));
	socket->fd = fd;
	socket->family = family;
	return socket_set_df(socket, false);
}

static void control_add(struct msghdr *msg, union control *control, int level, int type, const void *value, size_t size)
{
	size_t used = msg->msg_control ? msg->msg_controllen : 0;
	struct cmsghdr *cmsg = (struct cmsghdr *)(control->bytes + used);

	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(size);
	memset(CMSG_DATA(cmsg), 0, CMSG_SPACE(size) - CMSG_LEN(0));
	memcpy(CMSG_DATA(cmsg), value, size);
	msg->msg_control = control->bytes;
	msg->msg_controllen = used + CMSG_SPACE(size);
}

static void message_fields(struct msghdr *msg, union control *control, uint8_t family, uint8_t ttl, uint8_t tos)
{
	int hops = ttl, class = tos;

	if (ttl)
		control_add(msg, control, family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
			    family == 4 ? IP_TTL : IPV6_HOPLIMIT, &hops, sizeof(hops));
	control_add(msg, control, family == 4 ? IPPROTO_IP : IPPROTO_IPV6, family == 4 ? IP_TOS : IPV6_TCLASS,
		    &class, sizeof(class));
}

static void message_fill(struct tp_outq *q, unsigned int at, const struct slot *slot, struct iovec *vectors,
			 uint16_t count)
{
	struct msghdr *msg = &q->headers[at].msg_hdr;
	uint16_t segment = (uint16_t)slot->size;

	memset(msg, 0, sizeof(*msg));
	msg->msg_namelen = tp_addr_to_sockaddr(&slot->to, &q->names[at]);
	msg->msg_name = &q->names[at];
	msg->msg_iov = vectors;
	msg->msg_iovlen = count;
	if (slot->has_fields)
		message_fields(msg, &q->controls[at], slot->to.family, slot->ttl, slot->tos);
	if (count > 1)
		control_add(msg, &q->controls[at], IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
}

static bool slot_joins(const struct slot *a, const struct slot *b)
{
	return b->size <= a->size && b->size && a->has_fields == b->has_fields && a->ttl == b->ttl &&
	       a->tos == b->tos && tp_addr_equal(&a->to, &b->to);
}

/* Turns the list of slots from `first` on into messages; returns how many. */
static unsigned int gather(struct tp_outq *q, const struct tp_out_socket *socket, uint16_t first)
{
	unsigned int messages = 0, vectors = 0;
	uint16_t at = first;

	while (at != NONE) {
		const struct slot *head = &q->slots[at];
		struct iovec *start = &q->vectors[vectors];
		uint16_t count = 0, begin = at;
		uint32_t total = 0;
		bool last;

		/* Equal sizes but for the last, which may be shorter: that is how the kernel cuts it again. */
		do {
			const struct slot *slot = &q->slots[at];

			q->vectors[vectors].iov_base = q->arena + slot->offset;
			q->vectors[vectors++].iov_len = slot->size;
			total += slot->size;
			count++;
			last = slot->size != head->size;
			at = slot->next;
		} while (!last && !socket->no_gso && at != NONE && count < GSO_SEGMENTS && head->size &&
			 slot_joins(head, &q->slots[at]) && total + q->slots[at].size <= GSO_SIZE_MAX);
		q->counts[messages] = count;
		q->firsts[messages] = begin;
		message_fill(q, messages++, head, start, count);
	}
	return messages;
}

/* Errors that say something about segmentation offload rather than about the destination. */
static bool gso_refused(int err)
{
	return err == EIO || err == EINVAL || err == EMSGSIZE || err == EOPNOTSUPP;
}

static void send_gathered(struct tp_outq *q, struct tp_out_socket *socket, uint16_t first)
{
	unsigned int messages = gather(q, socket, first), done = 0;

	while (done < messages) {
		int n = sendmmsg(socket->fd, q->headers + done, messages - done, MSG_NOSIGNAL);

		if (n > 0) {
			for (; n > 0; n--)
				*q->sent += q->counts[done++];
			continue;
		}
		if (errno == EINTR)
			continue;
		if (q->counts[done] > 1 && gso_refused(errno)) {
			/* From here on one by one, on this socket for good: at most one level deep. */
			socket->no_gso = true;
			send_gathered(q, socket, q->firsts[done]);
			return;
		}
		if (errno == EAGAIN) {
			/* The socket's buffer is full: more of the same would fare no better. */
			for (; done < messages; done++)
				*q->failed += q->counts[done];
			return;
		}
		*q->failed += q->counts[done++];
	}
}

static void socket_flush(struct tp_outq *q, struct tp_out_socket *socket)
{
	uint16_t queued = socket->queued;

	socket->queued = 0;
	if (socket->df && socket_set_df(socket, false) < 0)
		*q->failed += queued;
	else
		send_gathered(q, socket, socket->first);
}

void tp_outq_flush(struct tp_outq *q)
{
	while (q->sockets) {
		struct tp_out_socket *socket = q->sockets;

		q->sockets = socket->next;
		socket_flush(q, socket);
	}
	q->slots_used = 0;
	q->arena_used = 0;
}

void tp_outq_flush_socket(struct tp_outq *q, struct tp_out_socket *socket)
{
	struct tp_out_socket **at = &q->sockets;

	if (!socket->queued)
		return;
	while (*at != socket)
		at = &(*at)->next;
	*at = socket->next;
	socket_flush(q, socket);
}

static int send_now(struct tp_outq *q, struct tp_out_socket *socket, const struct tp_addr *to, const void *data,
		    size_t size, const struct tp_ip_fields *fields, bool df)
{
	struct sockaddr_storage name;
	struct iovec vector = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_name = &name, .msg_iov = &vector, .msg_iovlen = 1 };
	union control control;
	int err;

	tp_outq_flush_socket(q, socket);
	if (socket->df != df) {
		err = socket_set_df(socket, df);
		if (err)
			return err;
	}
	msg.msg_namelen = tp_addr_to_sockaddr(to, &name);
	if (fields)
		message_fields(&msg, &control, to->family, fields->ttl, fields->tos);
	if (sendmsg(socket->fd, &msg, MSG_NOSIGNAL) < 0) {
		(*q->failed)++;
		return -errno;
	}
	(*q->sent)++;
	return 0;
}

int tp_outq_send(struct tp_outq *q, struct tp_out_socket *socket, const struct tp_addr *to, const void *data,
		 size_t size, const struct tp_ip_fields *fields)
{
	struct slot *slot;
	uint16_t index;

	if (to->family != socket->family)
		return -EINVAL;
	if ((fields && fields->df) || size > ARENA_SIZE / 4)
		return send_now(q, socket, to, data, size, fields, fields && fields->df);
	if (q->slots_used == SLOTS || q->arena_used + size > ARENA_SIZE)
		tp_outq_flush(q);
	index = (uint16_t)q->slots_used++;
	slot = &q->slots[index];
	slot->to = *to;
	slot->offset = q->arena_used;
	slot->size = (uint32_t)size;
	slot->has_fields = fields != NULL;
	slot->ttl = fields ? fields->ttl : 0;
	slot->tos = fields ? fields->tos : 0;
	slot->next = NONE;
	memcpy(q->arena + q->arena_used, data, size);
	q->arena_used += (uint32_t)size;
	if (socket->queued++) {
		q->slots[socket->last].next = index;
	} else {
		socket->first = index;
		socket->next = q->sockets;
		q->sockets = socket;
	}
	socket->last = index;
	return 0;
}
