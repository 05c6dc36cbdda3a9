/* SPDX-License-Identifier: GPL-2.0 */
/* Stream clients over real sockets: messages, and everything that bounds a client. */
#include <sys/resource.h>

#include "lib/stream_lab.h"
#include "net/framing.h"

static void quick(struct tp_stream_params *params)
{
	params->hello_ms = 60;
	params->idle_ms = 120;
}

static void narrow(struct tp_stream_params *params)
{
	params->young_per_prefix = 5;
	params->young_max = 8;
}

static void evicting(struct tp_stream_params *params)
{
	params->young_per_prefix = 100;
	params->young_max = 8;
}

static bool closed(struct lab *lab, int fd)
{
	bool good = lab_until(lab, lab_is_closed, &fd);

	close(fd);
	return good;
}

static bool nobody(struct lab *lab, void *arg)
{
	return lab_counters(lab).live == 0;
}

static void test_messages(struct lab *lab)
{
	uint8_t two[40];
	int fd = lab_connect(lab), fd6 = lab_connect_to("::1", lab->conf.listening_port);
	bool good = true;

	send(fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd, 1), "a request is answered");
	check(lab->last.tuple.transport == TP_TCP && lab->last.tuple.server.port == lab->conf.listening_port,
	      "and came with its 5-tuple");
	memcpy(two, lab_binding, 20);
	memcpy(two + 20, lab_binding, 20);
	send(fd, two, 40, 0);
	check(lab_get_answers(lab, fd, 2), "two requests in one segment are two");
	for (int i = 0; i < 20; i++) {
		struct lab_answers none = { .fd = fd };

		good &= send(fd, lab_binding + i, 1, 0) == 1 && lab_until(lab, lab_answered, &none);
		good &= i == 19 || none.got_size == 0;
	}
	check(good, "a request byte by byte is not answered before its end");
	check(lab_get_answers(lab, fd, 1), "and then it is");
	send(fd6, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd6, 1) && lab->last.tuple.client.family == 6, "IPv6");
	close(fd6);

	send(fd, lab_binding, 20, 0);
	shutdown(fd, SHUT_WR);
	check(lab_get_answers(lab, fd, 1), "a client that closed its half is still answered");
	check(closed(lab, fd) && lab_until(lab, nobody, NULL) && lab->closes == 2,
	      "then the engine is told of both ends");
	check_eq(tp_streams_send(lab->streams, &lab->last, lab_binding, 20), -ENOTCONN,
		 "a dead connection is not written to");
	check_eq(lab_counters(lab).live, 0, "nothing is left");
}

/* More requests than any buffer holds, and not one answer read before all are sent. */
static void test_pipeline(struct lab *lab)
{
	enum { REQUESTS = 50000 };
	struct lab_answers a = { .fd = lab_connect(lab), .wanted = REQUESTS };
	uint8_t *all = malloc(REQUESTS * 20);
	size_t sent = 0;

	for (size_t i = 0; i < REQUESTS; i++)
		memcpy(all + i * 20, lab_binding, 20);
	while (sent < REQUESTS * 20) {
		struct lab_answers none = { .fd = a.fd };
		ssize_t n = send(a.fd, all + sent, REQUESTS * 20 - sent, 0);

		if (n > 0)
			sent += (size_t)n;
		/* Read only where the server has stopped reading. */
		if (n < 0) {
			lab_until(lab, lab_answered, &none);
			a.got_size += none.got_size;
		}
	}
	check(lab_until(lab, lab_answered, &a) && a.got_size == REQUESTS * 20,
	      "%d pipelined requests of a client that does not read meanwhile are all answered", REQUESTS);
	check_eq(lab_counters(lab).control_overflow, 0, "it was not read from instead of being closed");
	close(a.fd);
	free(all);
}

static void test_bad(struct lab *lab)
{
	static const uint8_t big[8] = { 0, 1, 0x20, 0, 0x21, 0x12, 0xa4, 0x42 };
	uint8_t bad[24];
	int fd = lab_connect(lab);

	send(fd, "GET / HTTP/1.1\r\n", 16, 0);
	check(closed(lab, fd) && lab_counters(lab).bad_protocol == 1, "another protocol is closed at its first byte");
	fd = lab_connect(lab);
	send(fd, "\x16\x03\x01", 3, 0);
	check(closed(lab, fd) && lab_counters(lab).refused_transport == 1, "TLS without a certificate is refused");
	fd = lab_connect(lab);
	memcpy(bad, lab_binding, 20);
	memcpy(bad + 20, "\x80xyz", 4);
	send(fd, bad, 24, 0);
	check(closed(lab, fd) && lab_counters(lab).bad_frame == 1, "a stream that lost its frames is closed");
	fd = lab_connect(lab);
	send(fd, big, 8, 0);
	check(closed(lab, fd) && lab_counters(lab).bad_frame == 2,
	      "a message of more than %d bytes from one without an allocation is not waited for", TP_STREAM_YOUNG_FRAME);
	lab->conf.no_tcp = true;
	tp_streams_configure(lab->streams, &lab->conf, (char[200]){ 0 }, 200);
	fd = lab_connect(lab);
	send(fd, lab_binding, 20, 0);
	check(closed(lab, fd) && lab_counters(lab).refused_transport == 2, "no-tcp: plain TCP is refused");
	lab->conf.no_tcp = false;
	tp_streams_configure(lab->streams, &lab->conf, (char[200]){ 0 }, 200);
}

static bool count_accepted(struct lab *lab, void *arg)
{
	struct tp_stream_counters c = lab_counters(lab);

	return c.live + c.closed == *(unsigned int *)arg;
}

static void test_time_outs(void)
{
	struct lab lab;
	int silent, slow, idle, held;

	lab_init(&lab, quick);
	silent = lab_connect(&lab);
	slow = lab_connect(&lab);
	send(slow, lab_binding, 7, 0);
	check(closed(&lab, silent), "one that connects and says nothing is closed");
	check(closed(&lab, slow), "one that says part of a message is closed");
	check_eq(lab_counters(&lab).timed_out, 2, "both are counted");
	check_eq(lab.closes, 0, "the engine never knew of them");
	lab.hold = true;
	held = lab_connect(&lab);
	send(held, lab_binding, 20, 0);
	check(lab_get_answers(&lab, held, 1) && lab_counters(&lab).young == 0, "one with an allocation");
	lab.hold = false;
	idle = lab_connect(&lab);
	send(idle, lab_binding, 20, 0);
	check(lab_get_answers(&lab, idle, 1), "one without, that has spoken");
	check(closed(&lab, idle) && lab_counters(&lab).timed_out == 3, "is closed when it has been idle");
	check(lab_counters(&lab).live == 1, "the one with an allocation stays");
	send(held, lab_binding, 20, 0);
	check(lab_get_answers(&lab, held, 1), "it goes on");
	tp_streams_release(lab.streams, &lab.last);
	check(closed(&lab, held) && lab_until(&lab, nobody, NULL), "until its allocation has ended and it is idle");
	lab_fini(&lab);
}

static void test_prefix_limit(void)
{
	struct lab lab;
	int fd[20];
	unsigned int twenty = 20;

	lab_init(&lab, narrow);
	for (int i = 0; i < 20; i++)
		fd[i] = lab_connect(&lab);
	check(lab_until(&lab, count_accepted, &twenty), "twenty connections from one address");
	check(lab_counters(&lab).live == 5 && lab_counters(&lab).refused_prefix == 15,
	      "five may stay, the others are counted");
	send(fd[0], lab_binding, 20, 0);
	lab.hold = true;
	check(lab_get_answers(&lab, fd[0], 1), "one gets an allocation");
	fd[19] = (close(fd[19]), lab_connect(&lab));
	send(fd[19], lab_binding, 20, 0);
	check(lab_get_answers(&lab, fd[19], 1), "and makes room for another");
	for (int i = 0; i < 20; i++)
		close(fd[i]);
	check(lab_until(&lab, nobody, NULL) && lab_counters(&lab).young == 0, "what was charged is given back");
	lab_fini(&lab);
}

static void test_eviction(void)
{
	struct lab lab;
	int fd[30];
	unsigned int thirty = 30;

	lab_init(&lab, evicting);
	for (int i = 0; i < 30; i++)
		fd[i] = lab_connect(&lab);
	check(lab_until(&lab, count_accepted, &thirty), "thirty silent connections where eight may be");
	check(lab_counters(&lab).live == 8 && lab_counters(&lab).evicted == 22, "the oldest made room");
	check(lab_is_closed(&lab, &fd[0]) && !lab_is_closed(&lab, &fd[29]), "the newest is there");
	send(fd[29], lab_binding, 20, 0);
	check(lab_get_answers(&lab, fd[29], 1), "and is served");
	for (int i = 0; i < 30; i++)
		close(fd[i]);
	lab_fini(&lab);
}

static bool accept_failed(struct lab *lab, void *arg)
{
	return lab_counters(lab).accept_failed >= *(unsigned int *)arg;
}

/* The descriptors run out: a young connection makes room, and where there is none the backlog waits. */
static void test_descriptors(void)
{
	struct rlimit old, low;
	struct lab lab;
	int held, fd[4];
	unsigned int one = 1;

	lab_init(&lab, NULL);
	lab.hold = true;
	held = lab_connect(&lab);
	send(held, lab_binding, 20, 0);
	check(lab_get_answers(&lab, held, 1), "a client with an allocation");
	lab.hold = false;
	for (int i = 0; i < 4; i++)
		fd[i] = lab_connect(&lab);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	/* Descriptors are dense: the next one is the first that is not allowed. */
	low.rlim_cur = (rlim_t)fd[3] + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	send(fd[0], lab_binding, 20, 0);
	check(lab_until(&lab, accept_failed, &one), "no descriptor is left for those who come: counted");
	send(held, lab_binding, 20, 0);
	check(lab_get_answers(&lab, held, 1), "who is in is served");
	setrlimit(RLIMIT_NOFILE, &old);
	check(lab_get_answers(&lab, fd[0], 1), "who waited is let in when there are some again");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	close(held);
	lab_fini(&lab);
}

static bool drained(struct lab *lab, void *arg)
{
	struct lab_answers *a = arg;
	static uint8_t buf[65536];
	ssize_t n;

	/* The control answer is the last thing that was queued. */
	while ((n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		a->got_size += (size_t)n;
		if (n >= 20 && !memcmp(buf + n - 20, "\x01\x01\x00\x00", 4))
			return true;
	}
	return false;
}

/* A client that stops reading. */
static void test_slow_reader(struct lab *lab)
{
	uint8_t media[1004] = { 0x40, 0x00, 0x03, 0xe8 };
	struct lab_answers a = { .fd = lab_connect(lab) };
	unsigned int control = 0;
	uint64_t dropped;
	int r = 0;

	lab->hold = true;
	send(a.fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, a.fd, 1), "a client with an allocation");
	lab->hold = false;
	/* Three times what all buffers together hold, at both ends. */
	for (int i = 0; i < 30000; i++) {
		r = tp_streams_send(lab->streams, &lab->last, media, sizeof(media));
		if (i % 64 == 0)
			tp_streams_flush(lab->streams);
	}
	dropped = lab_counters(lab).media_dropped_packets;
	check(r == -EAGAIN && dropped > 0 && dropped < 30000, "it stops reading: media is dropped and counted");
	send(a.fd, lab_binding, 20, 0);
	check(lab_until(lab, drained, &a), "its request was answered behind the media that waited");
	check((a.got_size - 20) / sizeof(media) == 30000 - dropped && (a.got_size - 20) % sizeof(media) == 0,
	      "every packet that was not counted as dropped came, whole");
	while (!tp_streams_send(lab->streams, &lab->last, media, sizeof(media)))
		;
	while (control < 10000 && !tp_streams_send(lab->streams, &lab->last, lab_binding, 20))
		control++;
	check(control > 100 && control < 10000, "control has room of its own, and a bound");
	check(closed(lab, a.fd) && lab_counters(lab).control_overflow == 1, "one that lets that fill up is closed");
}

static void test_reload(struct lab *lab)
{
	struct tp_conf other = lab->conf;
	struct tp_addr elsewhere[2];
	char err[200] = "";
	int fd = lab_connect(lab), again;

	send(fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd, 1), "a connection");
	tp_addr_parse("127.0.0.1", &elsewhere[0]);
	tp_addr_parse("192.0.2.1", &elsewhere[1]);
	other.listen = elsewhere;
	other.listening_port = lab_free_port();
	check(tp_streams_configure(lab->streams, &other, err, sizeof(err)) < 0 && strstr(err, "192.0.2.1:"),
	      "an address that is not here is refused by name: %s", err);
	again = lab_connect(lab);
	send(again, lab_binding, 20, 0);
	check(lab_get_answers(lab, again, 1), "and the old ones are still listened to");
	close(again);
	other.listen_len = 1;
	check_eq(tp_streams_configure(lab->streams, &other, err, sizeof(err)), 0, "another port");
	again = lab_connect_to("127.0.0.1", other.listening_port);
	send(again, lab_binding, 20, 0);
	check(lab_get_answers(lab, again, 1), "is listened to");
	send(fd, lab_binding, 20, 0);
	check(lab_get_answers(lab, fd, 1), "the connection of before goes on");
	close(again);
	close(fd);
}

int main(void)
{
	struct lab lab;

	lab_init(&lab, NULL);
	test_messages(&lab);
	test_pipeline(&lab);
	test_bad(&lab);
	test_slow_reader(&lab);
	test_reload(&lab);
	lab_fini(&lab);
	test_time_outs();
	test_prefix_limit();
	test_eviction();
	test_descriptors();
	return done();
}
