/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One stream connection from its first byte: PROXY header, TLS or not, messages
 * in, queued messages out; see stream.h. Nothing here frees a connection but
 * settle(), which is the last thing that is done with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "net/proxy.h"
#include "net/stream_internal.h"

#define READ_ROUNDS	8	/* per event: then it is the others' turn */
#define WRITE_VECTORS	16
#define FRAME_HEADER	4

static void doom(struct tp_stream *s, uint64_t *counter)
{
	if (counter)
		(*counter)++;
	s->doomed = true;
}

/* What SSL_get_error() says, as an errno. After a fatal error the protocol wants no more of us, not even a shutdown. */
static ssize_t tls_result(struct tp_stream *s, int r)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		s->want_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		SSL_set_quiet_shutdown(s->ssl, 1);
		ERR_clear_error();
		return -EPIPE;
	}
}

ssize_t stream_read(struct tp_stream *s, void *buf, size_t size)
{
	ssize_t n;

	if (s->ssl) {
		ERR_clear_error();
		n = SSL_read(s->ssl, buf, (int)size);
		return n > 0 ? n : tls_result(s, (int)n);
	}
	n = recv(s->watch.fd, buf, size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

ssize_t stream_write(struct tp_stream *s, const void *data, size_t size)
{
	ssize_t n;

	if (s->ssl) {
		ERR_clear_error();
		n = SSL_write(s->ssl, data, (int)size);
		return n > 0 ? n : tls_result(s, (int)n);
	}
	n = send(s->watch.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/* One system call for all that waits, or one TLS record per message. */
static ssize_t write_some(struct tp_stream *s)
{
	struct iovec iov[WRITE_VECTORS];
	struct msghdr msg = { .msg_iov = iov };
	ssize_t n;

	if (s->ssl) {
		tp_outbox_peek_frame(&s->out, iov);
		return stream_write(s, iov[0].iov_base, iov[0].iov_len);
	}
	msg.msg_iovlen = tp_outbox_peek(&s->out, iov, WRITE_VECTORS);
	n = sendmsg(s->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

void stream_write_out(struct tp_stream *s)
{
	while (s->out.size && !s->doomed) {
		ssize_t n = write_some(s);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			doom(s, NULL);
			return;
		}
		tp_outbox_consume(&s->out, (size_t)n);
	}
}

/*
 * A client that sends requests and does not read the answers is not read from
 * until it does. Media that waits is no reason: it never gets to this mark.
 */
static bool check_pause(struct tp_stream *s)
{
	size_t mark = s->out.media_max + s->out.control_extra / 2;

	if (s->out.size > mark)
		stream_write_out(s);
	s->paused = s->out.size > mark;
	return s->paused;
}

static bool too_big(const struct tp_stream *s, size_t span)
{
	return !s->held && span > TP_STREAM_YOUNG_FRAME;
}

/* Gives whole messages to the engine; returns how many bytes they were. */
static size_t deliver(struct tp_stream *s, const uint8_t *data, size_t size)
{
	struct tp_streams *streams = s->streams;
	struct tp_frame frame;
	size_t used = 0;

	while (used < size && !s->doomed && s->state == STREAM_OPEN && !check_pause(s)) {
		int r = tp_frame_next(data + used, size - used, &frame);

		if (r < 0 || too_big(s, frame.span)) {
			doom(s, &streams->counters.bad_frame);
			break;
		}
		if (!r)
			break;
		s->spoken = true;
		stream_touch(s);
		streams->params.input(streams->params.arg, &s->path, data + used, frame.size);
		used += frame.span;
	}
	return used;
}

/* Room for what is known of the message at the front, which is no more than the largest frame. */
static int reserve_in(struct tp_stream *s, size_t size)
{
	uint8_t *in;

	if (size <= s->in_capacity)
		return 0;
	in = realloc(s->in, size);
	if (!in)
		return -ENOMEM;
	s->in = in;
	s->in_capacity = size;
	return 0;
}

static void keep(struct tp_stream *s, const uint8_t *data, size_t size)
{
	if (!size || s->doomed)
		return;
	if (reserve_in(s, size)) {
		doom(s, NULL);
		return;
	}
	memcpy(s->in, data, size);
	s->in_size = size;
}

static void deliver_kept(struct tp_stream *s)
{
	size_t used = deliver(s, s->in, s->in_size);

	s->in_size -= used;
	memmove(s->in, s->in + used, s->in_size);
	if (s->in_size)
		return;
	free(s->in);
	s->in = NULL;
	s->in_capacity = 0;
}

/* Reads the rest of the message whose beginning is kept, and no further. As stream_read(). */
static ssize_t read_rest(struct tp_stream *s)
{
	struct tp_frame frame;
	size_t end;
	ssize_t n;

	if (tp_frame_next(s->in, s->in_size, &frame) == 1) {
		deliver_kept(s);
		return 1;
	}
	end = frame.span ? frame.span : s->in_size + FRAME_HEADER;
	if (reserve_in(s, end))
		return -ENOMEM;
	n = stream_read(s, s->in + s->in_size, end - s->in_size);
	if (n <= 0)
		return n;
	s->in_size += (size_t)n;
	deliver_kept(s);
	return n;
}

static ssize_t read_fresh(struct tp_stream *s)
{
	/* What a young connection can make us keep is bounded by what is read of it at a time. */
	size_t size = s->held ? READ_SIZE : TP_STREAM_YOUNG_FRAME;
	ssize_t n = stream_read(s, s->streams->scratch, size);
	size_t used;

	if (n <= 0)
		return n;
	used = deliver(s, s->streams->scratch, (size_t)n);
	keep(s, s->streams->scratch + used, (size_t)n - used);
	return n;
}

static void read_messages(struct tp_stream *s)
{
	s->more = false;
	for (unsigned int i = 0; i < READ_ROUNDS; i++) {
		ssize_t n = s->in_size ? read_rest(s) : read_fresh(s);

		if (s->doomed || n == -EAGAIN || s->state != STREAM_OPEN)
			return;
		if (n <= 0) {
			/* It may have closed its half only, and wait for the answer to what it said before. */
			if (!n)
				stream_write_out(s);
			doom(s, NULL);
			return;
		}
		if (s->paused)
			break;
	}
	s->more = s->in_size || (s->ssl && SSL_has_pending(s->ssl));
	if (s->more && !s->paused)
		stream_queue_work(s);
}

static void handshake(struct tp_stream *s)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(s->ssl);
	if (r != 1) {
		if (tls_result(s, r) != -EAGAIN)
			doom(s, &s->streams->counters.tls_failed);
		return;
	}
	s->state = STREAM_OPEN;
	s->streams->counters.tls_accepted++;
	read_messages(s);
}

static void start_tls(struct tp_stream *s)
{
	s->tls = s->streams->no_tls ? NULL : tp_tls_context_current();
	if (!s->tls) {
		doom(s, &s->streams->counters.refused_transport);
		return;
	}
	s->ssl = tp_tls_context_open(s->tls, false);
	if (!s->ssl || SSL_set_fd(s->ssl, s->watch.fd) != 1) {
		SSL_free(s->ssl);
		s->ssl = NULL;
		tp_tls_context_put(s->tls);
		doom(s, &s->streams->counters.tls_failed);
		return;
	}
	/* One system call for several records. */
	SSL_set_read_ahead(s->ssl, 1);
	s->path.tuple.transport = TP_TLS;
	s->state = STREAM_HANDSHAKE;
	handshake(s);
}

/*
 * RFC 7983's ranges: 0..3 is STUN, 22 is a TLS handshake record. Nobody has a
 * channel yet, so nothing else can be a first byte.
 */
static void sniff(struct tp_stream *s)
{
	uint8_t first;
	ssize_t n = recv(s->watch.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		doom(s, NULL);
	} else if (first == 22) {
		start_tls(s);
	} else if (first > 3) {
		doom(s, &s->streams->counters.bad_protocol);
	} else if (s->streams->no_tcp) {
		doom(s, &s->streams->counters.refused_transport);
	} else {
		s->state = STREAM_OPEN;
		s->streams->counters.tcp_accepted++;
		read_messages(s);
	}
}

static void set_low_water(struct tp_stream *s, size_t size)
{
	int value = (int)size;

	setsockopt(s->watch.fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
}

/*
 * The header is looked at and taken off the socket whole, so that TLS finds its
 * record at the front. A header in pieces waits for the next piece by the
 * low-water mark; the end of the stream would get past that, hence EPOLLRDHUP.
 */
static void read_proxy_header(struct tp_stream *s, uint32_t events)
{
	struct tp_proxy proxy;
	ssize_t n = recv(s->watch.fd, s->streams->scratch, TP_PROXY_MAX, MSG_PEEK | MSG_DONTWAIT);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		doom(s, NULL);
		return;
	}
	r = tp_proxy_decode(s->streams->scratch, (size_t)n, &proxy);
	if (!r && !(events & EPOLLRDHUP)) {
		set_low_water(s, (size_t)n + 1);
		return;
	}
	if (r <= 0 || recv(s->watch.fd, s->streams->scratch, (size_t)r, MSG_DONTWAIT) != r) {
		doom(s, &s->streams->counters.refused_proxy);
		return;
	}
	set_low_water(s, 1);
	if (!proxy.local) {
		s->path.tuple.client = proxy.source;
		s->path.tuple.server = proxy.destination;
	}
	s->state = STREAM_SNIFF;
	if (stream_charge_prefix(s))
		sniff(s);
	else
		doom(s, NULL);
}

static void arm(struct tp_stream *s)
{
	uint32_t events = 0;

	if (!s->paused)
		events |= EPOLLIN;
	if (s->state == STREAM_PROXY)
		events |= EPOLLRDHUP;
	if (s->out.size || s->want_write)
		events |= EPOLLOUT;
	if (events == s->armed)
		return;
	if (tp_loop_modify(s->streams->params.loop, &s->watch, events))
		doom(s, NULL);
	else
		s->armed = events;
}

/* The end of every way into this file: `s` may be gone afterwards. */
static void settle(struct tp_stream *s)
{
	if (!s->doomed && s->state == STREAM_SPLICED)
		stream_splice_run(s);
	else if (!s->doomed)
		arm(s);
	if (s->doomed)
		stream_drop(s);
}

static void step(struct tp_stream *s, uint32_t events)
{
	switch (s->state) {
	case STREAM_PROXY:
		read_proxy_header(s, events);
		break;
	case STREAM_SNIFF:
		sniff(s);
		break;
	case STREAM_HANDSHAKE:
		handshake(s);
		break;
	case STREAM_OPEN:
		if (!s->paused)
			read_messages(s);
		break;
	case STREAM_SPLICED:
		break;
	}
}

/* There is room again, and some more than that so that it does not flutter. */
static void check_resume(struct tp_stream *s)
{
	if (!s->paused || s->out.size > s->out.media_max + s->out.control_extra / 4)
		return;
	s->paused = false;
	if (s->more)
		read_messages(s);
}

void stream_on_event(struct tp_watch *watch, uint32_t events)
{
	struct tp_stream *s = watch->arg;

	if (s->state == STREAM_SPLICED) {
		stream_splice_client_event(s, events);
		settle(s);
		return;
	}
	/* Both directions are over, or the connection was reset: nobody reads an answer. */
	if (events & (EPOLLERR | EPOLLHUP)) {
		stream_drop(s);
		return;
	}
	if (events & EPOLLOUT) {
		/* Input may wait in the TLS layer for that write: epoll does not know of it. */
		s->more |= s->want_write && s->state == STREAM_OPEN;
		s->want_write = false;
		stream_write_out(s);
		if (!s->doomed)
			check_resume(s);
		if (!s->doomed && s->more && !s->paused)
			read_messages(s);
	}
	if (!s->doomed && (events & EPOLLIN || s->state == STREAM_HANDSHAKE))
		step(s, events);
	settle(s);
}

void stream_work(struct tp_stream *s)
{
	if (!s->doomed && s->state == STREAM_OPEN)
		stream_write_out(s);
	if (!s->doomed && s->state == STREAM_OPEN)
		check_resume(s);
	if (!s->doomed && s->state == STREAM_OPEN && s->more && !s->paused)
		read_messages(s);
	settle(s);
}
