/* SPDX-License-Identifier: GPL-2.0 */
/* Batched sending and receiving over loopback: order, sizes, header fields, runs as GSO, DF. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/tap.h"
#include "net/outq.h"
#include "net/udp.h"

static uint64_t sent, failed;
static struct tp_outq *queue;
static struct tp_udp_batch *batch;

static int open_at(const char *ip, struct tp_addr *ret)
{
	struct sockaddr_storage ss;
	socklen_t size = sizeof(ss);
	int fd;

	tp_addr_parse(ip, ret);
	fd = tp_udp_open(ret, 0, 1 << 20);
	if (fd >= 0 && getsockname(fd, (struct sockaddr *)&ss, &size) == 0)
		tp_addr_from_sockaddr((struct sockaddr *)&ss, ret);
	return fd;
}

/* Waits for datagrams and hands them to `fn` until there were `count`, 5 s at most. */
static unsigned int receive(int fd, unsigned int count, void (*fn)(const struct tp_datagram *d, unsigned int index))
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct tp_datagram d;
	unsigned int n = 0;

	while (n < count && poll(&p, 1, 5000) == 1) {
		if (tp_udp_receive(batch, fd) <= 0)
			break;
		while (tp_udp_next(batch, &d))
			fn(&d, n++);
	}
	return n;
}

static uint8_t payload[65536];
static struct tp_addr expected_from;
static unsigned int wrong;
static size_t (*size_of)(unsigned int index);
static struct tp_ip_fields seen;

static void verify(const struct tp_datagram *d, unsigned int index)
{
	uint32_t number = index;

	seen = d->fields;
	wrong += d->size != size_of(index) || !tp_addr_equal(&d->from, &expected_from);
	if (d->size >= sizeof(number))
		wrong += memcmp(d->data, &number, sizeof(number)) != 0;
}

static size_t size_equal(unsigned int index)
{
	return 160;
}

static size_t size_mixed(unsigned int index)
{
	static const size_t sizes[] = { 4, 160, 160, 100, 1200, 0, 1200, 1200, 0, 9000, 40000 };

	return sizes[index % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void round_trip(const char *ip, unsigned int count, size_t (*sizes)(unsigned int),
		       const struct tp_ip_fields *fields, const char *name)
{
	struct tp_addr to, from;
	struct tp_out_socket out;
	int in = open_at(ip, &to), fd = open_at(ip, &from);
	uint64_t before = sent;

	check_eq(tp_out_socket_init(&out, fd, from.family), 0, "%s: a socket", name);
	size_of = sizes;
	expected_from = from;
	wrong = 0;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(payload, &i, sizeof(i));
		if (tp_outq_send(queue, &out, &to, payload, sizes(i), fields))
			wrong++;
	}
	tp_outq_flush(queue);
	check_eq(receive(in, count, verify), count, "%s: all arrive", name);
	check_eq(wrong, 0, "%s: in order, with their sizes, bytes and source", name);
	check_eq(sent - before, count, "%s: and are counted", name);
	close(in);
	close(fd);
}

static void test_fields(void)
{
	struct tp_ip_fields fields = { .ttl = 17, .tos = 0xb8 | 2 };

	round_trip("127.0.0.1", 3, size_equal, &fields, "IPv4 fields");
	check(seen.ttl == 17 && seen.tos == 0xba, "IPv4: TTL, DSCP and ECN go out and are seen (RFC 8656 section 14)");
	round_trip("::1", 3, size_equal, &fields, "IPv6 fields");
	check(seen.ttl == 17 && seen.tos == 0xba, "IPv6: hop limit and traffic class (RFC 8656 section 13)");
	round_trip("127.0.0.1", 1, size_equal, NULL, "no fields");
	check(seen.ttl >= 32 && seen.tos == 0, "without fields the system's own");
}

static int mtu_discover(int fd)
{
	int value = -1;
	socklen_t size = sizeof(value);

	getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &size);
	return value;
}

static void test_df(void)
{
	struct tp_ip_fields df = { .ttl = 64, .df = true }, plain = { .ttl = 64 };
	struct tp_addr to, from;
	struct tp_out_socket out;
	int in = open_at("127.0.0.1", &to), fd = open_at("127.0.0.1", &from);

	tp_out_socket_init(&out, fd, 4);
	check_eq(mtu_discover(fd), IP_PMTUDISC_DONT, "a relay socket clears DF (RFC 8656 section 14)");
	check_eq(tp_outq_send(queue, &out, &to, payload, 100, &df), 0, "DONT-FRAGMENT is sent at once");
	check_eq(mtu_discover(fd), IP_PMTUDISC_PROBE, "with DF set, whatever the path MTU is thought to be");
	/* Loopback's MTU is 65536: with DF more than 65507 bytes of UDP do not exist, and less always fit. */
	check_eq(tp_outq_send(queue, &out, &to, payload, 65508, &df), -EMSGSIZE, "too big with DF is told to the caller");
	check_eq(tp_outq_send(queue, &out, &to, payload, 100, &plain), 0, "the next one without");
	tp_outq_flush(queue);
	check_eq(mtu_discover(fd), IP_PMTUDISC_DONT, "clears DF again");
	close(in);
	close(fd);
}

static void test_errors(void)
{
	struct tp_addr addr, other;
	struct tp_out_socket out;
	int fd = open_at("127.0.0.1", &addr);
	uint64_t failed_before = failed;

	check_eq(tp_udp_open(&addr, 0, 0), -EADDRINUSE, "a port that is taken");
	check_eq(tp_udp_probe(&addr), -EADDRINUSE, "and the probe says the same");
	tp_addr_parse("192.0.2.1:0", &other);
	check_eq(tp_udp_open(&other, 0, 0), -EADDRNOTAVAIL, "an address that the node does not have");
	close(tp_udp_open(&other, TP_UDP_FREEBIND, 0));
	tp_addr_parse("2001:db8::7", &other);
	check(tp_udp_open(&other, 0, 0) < 0, "IPv6 likewise");
	tp_out_socket_init(&out, fd, 4);
	check_eq(tp_outq_send(queue, &out, &other, payload, 10, NULL), -EINVAL, "a destination of the other family");
	/* Port 0 is no destination: sendmmsg fails in the middle, what is behind it goes out. */
	tp_addr_parse("127.0.0.1:0", &other);
	tp_outq_send(queue, &out, &addr, payload, 10, NULL);
	tp_outq_send(queue, &out, &other, payload, 11, NULL);
	tp_outq_send(queue, &out, &addr, payload, 12, NULL);
	tp_outq_flush(queue);
	check_eq(failed - failed_before, 1, "a datagram that cannot be sent is counted, and is the only one lost");
	close(fd);
}

/* More than the queue has room for, over two sockets in turn: it flushes itself and mixes nothing up. */
static void test_two_sockets(void)
{
	struct tp_addr to[2], from[2];
	struct tp_out_socket out[2];
	int in[2], fd[2];

	for (int s = 0; s < 2; s++) {
		in[s] = open_at(s ? "::1" : "127.0.0.1", &to[s]);
		fd[s] = open_at(s ? "::1" : "127.0.0.1", &from[s]);
		tp_out_socket_init(&out[s], fd[s], from[s].family);
	}
	size_of = size_equal;
	wrong = 0;
	for (uint32_t i = 0; i < 700; i++) {
		memcpy(payload, &i, sizeof(i));
		for (int s = 0; s < 2; s++)
			wrong += tp_outq_send(queue, &out[s], &to[s], payload, 160, NULL) != 0;
	}
	tp_outq_flush_socket(queue, &out[0]);
	expected_from = from[0];
	check_eq(receive(in[0], 700, verify), 700, "two sockets: all of the first, flushed alone");
	tp_outq_flush(queue);
	expected_from = from[1];
	check_eq(receive(in[1], 700, verify), 700, "two sockets: all of the second");
	check_eq(wrong, 0, "two sockets: each in order and its own");
	for (int s = 0; s < 2; s++) {
		close(in[s]);
		close(fd[s]);
	}
}

int main(void)
{
	queue = tp_outq_new(&sent, &failed);
	batch = tp_udp_batch_new();
	round_trip("127.0.0.1", 600, size_equal, NULL, "IPv4, equal sizes");
	round_trip("::1", 600, size_equal, NULL, "IPv6, equal sizes");
	round_trip("127.0.0.1", 22, size_mixed, NULL, "IPv4, mixed sizes");
	round_trip("::1", 22, size_mixed, NULL, "IPv6, mixed sizes");
	test_fields();
	test_df();
	test_errors();
	test_two_sockets();
	tp_udp_batch_free(batch);
	tp_outq_free(queue);
	return done();
}
