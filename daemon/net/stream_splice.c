/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data connections of RFC 6062: a client's stream and a peer's TCP connection,
 * joined. Between two plain sockets the bytes go through a pipe by splice(2) and
 * are never copied to here; where the client's side is TLS, or no descriptor is left
 * for a pipe, through one buffer a direction. A side is read from only while nothing
 * waits for the other one, so a connection holds one pipe's or buffer's worth at most,
 * and TCP's own windows slow the sender down. Idle, it holds neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_internal.h"

#define PUMP_ROUNDS	16	/* per event and direction: then it is the others' turn */
#define PUMP_SIZE	65536	/* a pipe's default capacity */
#define BUFFER_SIZE	16384	/* a TLS record's */
#define HALF_CLOSED_NS	30000000000ull

/* One direction. */
struct pump {
	int pipe[2];		/* -1: none at the moment */
	size_t in_pipe;
	uint8_t *buf;		/* instead of the pipe */
	size_t first, end;	/* what waits in buf */
	bool eof;		/* its source has said all */
	bool done;		/* and its sink has got all, or wants no more */
	uint64_t bytes;
};

struct splice {
	struct tp_watch peer;
	struct tp_stream *client;
	uint32_t peer_armed;
	bool peer_watched, client_watched;
	bool half_closed;
	struct pump up, down;	/* to the peer, to the client */
	const void *tag;
	bool forgotten;		/* the owner does not want to know */
};

static bool pump_waits(const struct pump *p)
{
	return p->in_pipe || p->first < p->end;
}

/* Pipes are taken for as long as bytes are in them. */
static bool pipe_get(struct tp_streams *streams, struct pump *p)
{
	if (p->pipe[0] >= 0)
		return true;
	if (!streams->pipes_len) {
		if (!pipe2(p->pipe, O_NONBLOCK | O_CLOEXEC))
			return true;
		p->pipe[0] = p->pipe[1] = -1;
		return false;
	}
	streams->pipes_len--;
	memcpy(p->pipe, streams->pipes[streams->pipes_len], sizeof(p->pipe));
	return true;
}

static void pump_rest(struct tp_streams *streams, struct pump *p)
{
	if (pump_waits(p))
		return;
	free(p->buf);
	p->buf = NULL;
	p->first = p->end = 0;
	if (p->pipe[0] < 0)
		return;
	if (streams->pipes_len < SPARE_PIPES) {
		memcpy(streams->pipes[streams->pipes_len++], p->pipe, sizeof(p->pipe));
	} else {
		close(p->pipe[0]);
		close(p->pipe[1]);
	}
	p->pipe[0] = p->pipe[1] = -1;
}

static void pump_fini(struct pump *p)
{
	free(p->buf);
	if (p->pipe[0] < 0)
		return;
	close(p->pipe[0]);
	close(p->pipe[1]);
}

static ssize_t by_splice(int from, int to, size_t size)
{
	ssize_t n = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

static ssize_t peer_read(struct splice *sp, void *buf, size_t size)
{
	ssize_t n = recv(sp->peer.fd, buf, size, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

static ssize_t peer_write(struct splice *sp, const void *data, size_t size)
{
	ssize_t n = send(sp->peer.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

/* Fills an empty pump from its source. >0; 0: the end; negative errno. */
static ssize_t pump_fill(struct splice *sp, struct pump *p)
{
	struct tp_stream *s = sp->client;
	bool up = p == &sp->up;
	ssize_t n;

	if (!s->ssl && !p->buf && pipe_get(s->streams, p)) {
		n = by_splice(up ? s->watch.fd : sp->peer.fd, p->pipe[1], PUMP_SIZE);
		if (n > 0)
			p->in_pipe = (size_t)n;
		return n;
	}
	if (!p->buf)
		p->buf = malloc(BUFFER_SIZE);
	if (!p->buf)
		return -ENOMEM;
	n = up ? stream_read(s, p->buf, BUFFER_SIZE) : peer_read(sp, p->buf, BUFFER_SIZE);
	p->first = 0;
	p->end = n > 0 ? (size_t)n : 0;
	return n;
}

/* Empties it into its sink as far as that takes it. */
static ssize_t pump_drain(struct splice *sp, struct pump *p)
{
	struct tp_stream *s = sp->client;
	bool up = p == &sp->up;
	ssize_t n;

	if (p->in_pipe) {
		n = by_splice(p->pipe[0], up ? sp->peer.fd : s->watch.fd, p->in_pipe);
		if (n > 0)
			p->in_pipe -= (size_t)n;
	} else {
		n = up ? peer_write(sp, p->buf + p->first, p->end - p->first) :
			 stream_write(s, p->buf + p->first, p->end - p->first);
		if (n > 0)
			p->first += (size_t)n;
		/* It may be of another size than the next one: what came behind ConnectionBind is as it is. */
		if (p->first == p->end) {
			free(p->buf);
			p->buf = NULL;
		}
	}
	if (n > 0)
		p->bytes += (uint64_t)n;
	return n ? n : -EPIPE;
}

/* The end of one direction is handed on. */
static void pump_finish(struct splice *sp, struct pump *p)
{
	struct tp_stream *s = sp->client;

	p->done = true;
	if (p == &sp->up)
		shutdown(sp->peer.fd, SHUT_WR);
	else if (s->ssl)
		SSL_shutdown(s->ssl);
	else
		shutdown(s->watch.fd, SHUT_WR);
}

/* True: it may have more to do at once. */
static bool pump_run(struct splice *sp, struct pump *p)
{
	for (unsigned int i = 0; i < PUMP_ROUNDS && !p->done; i++) {
		ssize_t n;

		if (pump_waits(p))
			n = pump_drain(sp, p);
		else if (p->eof)
			n = (pump_finish(sp, p), 1);
		else
			n = pump_fill(sp, p);
		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			sp->client->doomed = true;
			return false;
		}
		p->eof |= n == 0;
	}
	return !p->done;
}

static void peer_arm(struct splice *sp)
{
	struct tp_loop *loop = sp->client->streams->params.loop;
	uint32_t events = 0;

	if (!sp->peer_watched)
		return;
	if (!sp->down.eof && !sp->down.done && !pump_waits(&sp->down) && !sp->client->out.size)
		events |= EPOLLIN;
	if (pump_waits(&sp->up))
		events |= EPOLLOUT;
	if (events == sp->peer_armed)
		return;
	sp->peer_armed = events;
	if (tp_loop_modify(loop, &sp->peer, events))
		sp->client->doomed = true;
}

static void client_arm(struct splice *sp)
{
	struct tp_stream *s = sp->client;
	uint32_t events = 0;

	if (!sp->client_watched)
		return;
	if (!sp->up.eof && !sp->up.done && !pump_waits(&sp->up))
		events |= EPOLLIN;
	if (s->out.size || pump_waits(&sp->down))
		events |= EPOLLOUT;
	if (events == s->armed)
		return;
	s->armed = events;
	if (tp_loop_modify(s->streams->params.loop, &s->watch, events))
		s->doomed = true;
}

/* When one direction is over the other one has to show some life. */
static void follow_half_close(struct splice *sp, bool moved)
{
	struct tp_stream *s = sp->client;

	if (sp->up.done && sp->down.done)
		s->doomed = true;
	if (!sp->up.done && !sp->down.done)
		return;
	if (sp->half_closed && !moved)
		return;
	sp->half_closed = true;
	s->deadline_ns = stream_now_ns() + HALF_CLOSED_NS;
	cds_list_del(&s->all);
	cds_list_add_tail(&s->all, &s->streams->half_closed);
}

/* What came behind ConnectionBind in the same segment is the peer's. */
static void take_leftover(struct splice *sp)
{
	struct tp_stream *s = sp->client;

	if (!s->in_size)
		return;
	sp->up.buf = s->in;
	sp->up.end = s->in_size;
	s->in = NULL;
	s->in_size = s->in_capacity = 0;
}

void stream_splice_run(struct tp_stream *s)
{
	struct splice *sp = s->splice;
	uint64_t before = sp->up.bytes + sp->down.bytes;
	bool more;

	take_leftover(sp);
	stream_write_out(s);
	if (s->doomed)
		return;
	more = pump_run(sp, &sp->up);
	/* The answer to ConnectionBind is the first thing that the client reads. */
	if (!s->doomed && !s->out.size)
		more |= pump_run(sp, &sp->down);
	if (s->doomed)
		return;
	pump_rest(s->streams, &sp->up);
	pump_rest(s->streams, &sp->down);
	follow_half_close(sp, sp->up.bytes + sp->down.bytes != before);
	client_arm(sp);
	peer_arm(sp);
	if (more)
		stream_queue_work(s);
}

/*
 * EPOLLHUP and EPOLLERR cannot be masked, and come while the other side still has
 * to take what was read before: then the descriptor is not watched any more, the
 * other side's events drive the rest.
 */
static void peer_event(struct tp_watch *watch, uint32_t events)
{
	struct splice *sp = watch->arg;
	struct tp_stream *s = sp->client;

	if (events & EPOLLERR)
		s->doomed = true;
	if (events & EPOLLHUP) {
		tp_loop_remove(s->streams->params.loop, &sp->peer);
		sp->peer_watched = false;
		sp->up.done = true;
	}
	stream_work(s);
}

void stream_splice_client_event(struct tp_stream *s, uint32_t events)
{
	struct splice *sp = s->splice;

	if (events & EPOLLERR)
		s->doomed = true;
	if (events & EPOLLHUP && sp->client_watched) {
		tp_loop_remove(s->streams->params.loop, &s->watch);
		sp->client_watched = false;
		sp->down.done = true;
	}
}

int tp_streams_splice(struct tp_streams *streams, const struct tp_path *client, int peer_fd, const void *tag)
{
	struct tp_stream *s = tp_conns_find(streams->params.conns, client->conn, TP_CONN_STREAM);
	struct splice *sp = calloc(1, sizeof(*sp));
	int r = -ENOMEM;

	if (!sp)
		goto err;
	r = -ENOTCONN;
	if (!s || s->doomed || s->state != STREAM_OPEN)
		goto err;
	sp->client = s;
	sp->tag = tag;
	sp->peer = (struct tp_watch){ .fd = peer_fd, .fn = peer_event, .arg = sp };
	sp->up.pipe[0] = sp->up.pipe[1] = sp->down.pipe[0] = sp->down.pipe[1] = -1;
	r = tp_loop_add(streams->params.loop, &sp->peer, 0);
	if (r)
		goto err;
	sp->peer_watched = sp->client_watched = true;
	s->splice = sp;
	s->state = STREAM_SPLICED;
	s->paused = false;
	streams->counters.spliced++;
	if (!s->held)
		stream_hold(s);
	stream_queue_work(s);
	return 0;

err:
	close(peer_fd);
	free(sp);
	return r;
}

void stream_splice_free(struct tp_stream *s)
{
	struct splice *sp = s->splice;

	if (sp->peer_watched)
		tp_loop_remove(s->streams->params.loop, &sp->peer);
	close(sp->peer.fd);
	pump_fini(&sp->up);
	pump_fini(&sp->down);
	if (!sp->forgotten)
		s->streams->params.spliced_end(s->streams->params.arg, sp->tag, sp->up.bytes, sp->down.bytes);
	free(sp);
	s->splice = NULL;
}

void stream_splice_forget(struct tp_stream *s)
{
	s->splice->forgotten = true;
}

void tp_streams_cut(struct tp_streams *streams, const struct tp_path *client)
{
	struct tp_stream *s = tp_conns_find(streams->params.conns, client->conn, TP_CONN_STREAM);

	if (!s || !s->splice)
		return;
	s->splice->forgotten = true;
	s->doomed = true;
	stream_queue_work(s);
}
