/* SPDX-License-Identifier: GPL-2.0 */
/* Stream clients of a worker: bounds, time-outs and the calls of the owner; see stream.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "net/grant.h"
#include "net/stream_internal.h"

#define NS_PER_MS	1000000ull
#define HELLO_MS	10000
#define IDLE_MS		60000
#define MEDIA_MAX	(128 * 1024)
#define CONTROL_EXTRA	(32 * 1024)

uint64_t stream_now_ns(void)
{
	return tp_dp_now_ns();
}

void tp_stream_params_default(struct tp_stream_params *params, uint32_t connections)
{
	memset(params, 0, sizeof(*params));
	params->hello_ms = HELLO_MS;
	params->idle_ms = IDLE_MS;
	/* Half of the room cannot be taken by those who only connect. */
	params->young_max = connections / 2 ? connections / 2 : 1;
	params->young_per_prefix = params->young_max < 512 ? params->young_max : 512;
	params->media_max = MEDIA_MAX;
	params->control_extra = CONTROL_EXTRA;
}

struct tp_streams *tp_streams_new(const struct tp_stream_params *params)
{
	struct tp_streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return NULL;
	/* OpenSSL writes to sockets without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	streams->params = *params;
	CDS_INIT_LIST_HEAD(&streams->listeners);
	CDS_INIT_LIST_HEAD(&streams->young_hello);
	CDS_INIT_LIST_HEAD(&streams->young_idle);
	CDS_INIT_LIST_HEAD(&streams->held);
	CDS_INIT_LIST_HEAD(&streams->half_closed);
	CDS_INIT_LIST_HEAD(&streams->work);
	if (getrandom(&streams->prefixes.seed, sizeof(uint64_t), 0) != sizeof(uint64_t)) {
		free(streams);
		return NULL;
	}
	return streams;
}

static void drop_list(struct cds_list_head *list)
{
	struct tp_stream *s, *next;

	cds_list_for_each_entry_safe(s, next, list, all) {
		s->spoken = false;
		if (s->splice)
			stream_splice_forget(s);
		stream_drop(s);
	}
}

void tp_streams_free(struct tp_streams *streams)
{
	struct listener *l, *next;

	if (!streams)
		return;
	cds_list_for_each_entry_safe(l, next, &streams->listeners, node)
		stream_listener_free(l);
	drop_list(&streams->young_hello);
	drop_list(&streams->young_idle);
	drop_list(&streams->held);
	drop_list(&streams->half_closed);
	while (streams->pipes_len) {
		streams->pipes_len--;
		close(streams->pipes[streams->pipes_len][0]);
		close(streams->pipes[streams->pipes_len][1]);
	}
	free(streams->proxy_from);
	free(streams);
}

void stream_queue_work(struct tp_stream *s)
{
	if (cds_list_empty(&s->work))
		cds_list_add_tail(&s->work, &s->streams->work);
}

void stream_touch(struct tp_stream *s)
{
	if (s->held)
		return;
	s->deadline_ns = stream_now_ns() + s->streams->params.idle_ms * NS_PER_MS;
	cds_list_del(&s->all);
	cds_list_add_tail(&s->all, &s->streams->young_idle);
}

bool stream_charge_prefix(struct tp_stream *s)
{
	struct tp_streams *streams = s->streams;

	s->bucket = tp_prefix_bucket(&streams->prefixes, &s->path.tuple.client);
	if (++streams->prefixes.count[s->bucket] <= streams->params.young_per_prefix)
		return true;
	streams->counters.refused_prefix++;
	return false;
}

bool stream_is_proxy(const struct tp_streams *streams, const struct tp_addr *addr)
{
	for (size_t i = 0; i < streams->proxy_from_len; i++) {
		const struct tp_range *range = &streams->proxy_from[i];
		size_t size = tp_addr_ip_size(addr);

		if (range->first.family == addr->family && memcmp(addr->ip, range->first.ip, size) >= 0 &&
		    memcmp(addr->ip, range->last.ip, size) <= 0)
			return true;
	}
	return false;
}

static void uncharge(struct tp_stream *s)
{
	if (s->bucket != BUCKET_UNKNOWN)
		s->streams->prefixes.count[s->bucket]--;
	s->streams->young--;
}

void stream_hold(struct tp_stream *s)
{
	int size = HELD_SEND_BUFFER;

	uncharge(s);
	s->held = true;
	cds_list_del(&s->all);
	cds_list_add(&s->all, &s->streams->held);
	s->out.media_max = s->streams->params.media_max;
	s->out.control_extra = s->streams->params.control_extra;
	setsockopt(s->watch.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

void stream_drop(struct tp_stream *s)
{
	struct tp_streams *streams = s->streams;

	tp_loop_remove(streams->params.loop, &s->watch);
	if (!s->held)
		uncharge(s);
	cds_list_del(&s->all);
	cds_list_del(&s->work);
	tp_conns_remove(streams->params.conns, s->path.conn);
	streams->counters.closed++;
	streams->counters.live--;
	if (s->splice)
		stream_splice_free(s);
	else if (s->spoken)
		streams->params.closed(streams->params.arg, &s->path);
	if (s->ssl) {
		if (SSL_is_init_finished(s->ssl))
			SSL_shutdown(s->ssl);
		SSL_free(s->ssl);
		tp_tls_context_put(s->tls);
	}
	close(s->watch.fd);
	tp_outbox_fini(&s->out);
	free(s->in);
	free(s);
}

int tp_streams_send(struct tp_streams *streams, const struct tp_path *to, const void *data, size_t size)
{
	struct tp_stream *s = tp_conns_find(streams->params.conns, to->conn, TP_CONN_STREAM);
	int r;

	if (!s || s->doomed)
		return -ENOTCONN;
	if (!s->held && tp_grants_allocation(data, size))
		stream_hold(s);
	r = tp_outbox_put(&s->out, tp_frame_is_media(data, size), data, size);
	if (r == -EAGAIN) {
		streams->counters.media_dropped_packets++;
		streams->counters.media_dropped_bytes += size;
		return r;
	}
	if (r) {
		streams->counters.control_overflow++;
		s->doomed = true;
	}
	stream_queue_work(s);
	return r;
}

void tp_streams_release(struct tp_streams *streams, const struct tp_path *path)
{
	struct tp_stream *s = tp_conns_find(streams->params.conns, path->conn, TP_CONN_STREAM);

	if (!s || !s->held)
		return;
	s->held = false;
	streams->young++;
	streams->prefixes.count[s->bucket]++;
	stream_touch(s);
}

/* What becomes work meanwhile is the next call's: a client that always has more to read stops nobody. */
void tp_streams_flush(struct tp_streams *streams)
{
	CDS_LIST_HEAD(round);

	cds_list_splice(&streams->work, &round);
	CDS_INIT_LIST_HEAD(&streams->work);
	while (!cds_list_empty(&round)) {
		struct tp_stream *s = cds_list_first_entry(&round, struct tp_stream, work);

		cds_list_del_init(&s->work);
		stream_work(s);
	}
}

static uint64_t expire(struct tp_streams *streams, struct cds_list_head *list, uint64_t now_ns)
{
	while (!cds_list_empty(list)) {
		struct tp_stream *s = cds_list_first_entry(list, struct tp_stream, all);

		if (s->deadline_ns > now_ns)
			return s->deadline_ns;
		streams->counters.timed_out++;
		stream_drop(s);
	}
	return UINT64_MAX;
}

uint64_t tp_streams_tick(struct tp_streams *streams, uint64_t now_ns)
{
	uint64_t hello = expire(streams, &streams->young_hello, now_ns);
	uint64_t idle = expire(streams, &streams->young_idle, now_ns);
	uint64_t half = expire(streams, &streams->half_closed, now_ns);
	uint64_t next = hello < idle ? hello : idle;
	struct listener *l;

	if (half < next)
		next = half;
	if (!cds_list_empty(&streams->work))
		return now_ns;
	if (!streams->listeners_paused)
		return next;
	if (streams->resume_ns > now_ns)
		return next < streams->resume_ns ? next : streams->resume_ns;
	streams->listeners_paused = false;
	cds_list_for_each_entry(l, &streams->listeners, node)
		tp_loop_modify(streams->params.loop, &l->watch, EPOLLIN);
	return next;
}

void tp_streams_read_counters(const struct tp_streams *streams, struct tp_stream_counters *ret)
{
	*ret = streams->counters;
	ret->young = streams->young;
}
