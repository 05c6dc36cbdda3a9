/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker's stream clients on loopback, alone: a loop, tp_streams, and an engine
 * that answers every STUN request with its header. Client and server run in one
 * thread; lab_until() turns the loop until a condition holds. Header only.
 */
#ifndef TP_TESTS_STREAM_LAB_H
#define TP_TESTS_STREAM_LAB_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "dp/dp.h"
#include "lib/tap.h"
#include "loop.h"
#include "net/stream.h"

#define LAB_DEADLINE_NS 10000000000ull

struct lab {
	struct tp_loop *loop;
	struct tp_conns *conns;
	struct tp_streams *streams;
	struct tp_conf conf;
	struct tp_addr listen[2];
	unsigned int inputs, closes;
	size_t last_size;
	struct tp_path last;		/* of the last message */
	bool hold;			/* the engine makes an allocation: it answers with an Allocate success */
	/* Instead of the engine that answers. */
	void (*engine)(struct lab *lab, const struct tp_path *from);
	bool (*until)(struct lab *lab, void *arg);
	void *arg;
	uint64_t deadline_ns;
	bool met;
};

static void lab_input(void *arg, const struct tp_path *from, const void *data, size_t size)
{
	struct lab *lab = arg;
	uint8_t answer[20];

	lab->inputs++;
	lab->last = *from;
	lab->last_size = size;
	if (lab->engine) {
		lab->engine(lab, from);
		return;
	}
	if (size < 20 || *(const uint8_t *)data > 3)
		return;
	memcpy(answer, data, 20);
	answer[0] = 1;
	answer[1] = lab->hold ? 3 : 1;
	answer[2] = answer[3] = 0;
	tp_streams_send(lab->streams, from, answer, 20);
}

static void lab_closed(void *arg, const struct tp_path *path)
{
	((struct lab *)arg)->closes++;
}

static uint64_t lab_idle(void *arg)
{
	struct lab *lab = arg;
	uint64_t now = tp_dp_now_ns(), next;

	tp_streams_flush(lab->streams);
	next = tp_streams_tick(lab->streams, now);
	lab->met = lab->until && lab->until(lab, lab->arg);
	if (lab->met || now > lab->deadline_ns)
		tp_loop_stop(lab->loop);
	/* The conditions are about client sockets, which this loop does not watch. */
	return next < now + 1000000 ? next : now + 1000000;
}

/* Turns the loop until it holds; false after ten seconds. */
__attribute__((unused)) static bool lab_until(struct lab *lab, bool (*until)(struct lab *, void *), void *arg)
{
	lab->until = until;
	lab->arg = arg;
	lab->deadline_ns = tp_dp_now_ns() + LAB_DEADLINE_NS;
	lab->met = false;
	tp_loop_run(lab->loop);
	return lab->met;
}

/* A port that is free on loopback at the moment. */
__attribute__((unused)) static uint16_t lab_free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&sin, size) || getsockname(fd, (struct sockaddr *)&sin, &size))
		abort();
	close(fd);
	return ntohs(sin.sin_port);
}

__attribute__((unused)) static void lab_init(struct lab *lab, void (*tune)(struct tp_stream_params *))
{
	struct tp_stream_params params;
	char err[200] = "";
	int tries = 0;

	memset(lab, 0, sizeof(*lab));
	tp_stream_params_default(&params, 4096);
	if (tune)
		tune(&params);
	lab->loop = tp_loop_new();
	lab->conns = tp_conns_new(0, 4096);
	params.loop = lab->loop;
	params.conns = lab->conns;
	params.arg = lab;
	params.input = lab_input;
	params.closed = lab_closed;
	lab->streams = tp_streams_new(&params);
	tp_loop_on_idle(lab->loop, lab_idle, lab);
	tp_addr_parse("127.0.0.1", &lab->listen[0]);
	tp_addr_parse("::1", &lab->listen[1]);
	lab->conf.listen = lab->listen;
	lab->conf.listen_len = 2;
	do {
		lab->conf.listening_port = lab_free_port();
	} while (tp_streams_configure(lab->streams, &lab->conf, err, sizeof(err)) && ++tries < 20);
	if (tries == 20)
		printf("# %s\n", err);
}

__attribute__((unused)) static void lab_fini(struct lab *lab)
{
	tp_streams_free(lab->streams);
	tp_conns_free(lab->conns);
	tp_loop_free(lab->loop);
}

/* A connected, non-blocking client socket. The kernel completes the connection before the server accepts. */
__attribute__((unused)) static int lab_connect_to(const char *ip, uint16_t port)
{
	struct sockaddr_storage ss;
	struct tp_addr addr;
	socklen_t size;
	int fd;

	tp_addr_parse(ip, &addr);
	addr.port = port;
	size = tp_addr_to_sockaddr(&addr, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, size))
		abort();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

__attribute__((unused)) static int lab_connect(struct lab *lab)
{
	return lab_connect_to("127.0.0.1", lab->conf.listening_port);
}

__attribute__((unused)) static const uint8_t lab_binding[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 'a' };

/* Conditions. */
__attribute__((unused)) static bool lab_is_closed(struct lab *lab, void *arg)
{
	char byte;
	ssize_t n = recv(*(int *)arg, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Reads answers of 20 bytes until there are so many. */
struct lab_answers {
	int fd;
	unsigned int wanted;
	size_t got_size;
};

__attribute__((unused)) static bool lab_answered(struct lab *lab, void *arg)
{
	struct lab_answers *a = arg;
	uint8_t buf[4096];
	ssize_t n;

	while ((n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		a->got_size += (size_t)n;
	return a->got_size >= a->wanted * 20;
}

__attribute__((unused)) static bool lab_get_answers(struct lab *lab, int fd, unsigned int wanted)
{
	struct lab_answers a = { .fd = fd, .wanted = wanted };

	return lab_until(lab, lab_answered, &a) && a.got_size == wanted * 20;
}

__attribute__((unused)) static struct tp_stream_counters lab_counters(struct lab *lab)
{
	struct tp_stream_counters c;

	tp_streams_read_counters(lab->streams, &c);
	return c;
}

#endif
