/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine's request handlers through the mock data path. An input is a script
 * of steps: a byte says what happens, two bytes its size, then its bytes. Some
 * steps are messages as they are, some are attributes of a request that the bench
 * gives credentials, so that mutations reach what is behind authentication.
 */
#include <stdint.h>

#include "unit/turn_bench.h"

#define STEPS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t methods[] = {
	TP_STUN_ALLOCATE, TP_STUN_REFRESH, TP_STUN_CREATE_PERMISSION, TP_STUN_CHANNEL_BIND, TP_STUN_BINDING,
};

static void configure(struct bench *b, uint8_t switches)
{
	bench_init(b);
	b->conf.mobility = switches & 0x01;
	b->conf.rfc5780 = switches & 0x02;
	b->conf.rfc3489 = switches & 0x04;
	b->conf.rfc5766_channels = switches & 0x08;
	b->conf.max_bps = switches & 0x10 ? 4000 : 0;
	b->conf.user_quota = switches & 0x20 ? 1 : 0;
	b->conf.max_port = switches & 0x40 ? 50001 : 50099;
	b->conf.fingerprint = switches & 0x80;
	bench_start(b);
}

/* Attributes, as they are on the wire, in a request with credentials. */
static void authenticated(struct client *c, uint16_t method, const uint8_t *attrs, size_t size)
{
	struct message m;
	size_t padded = size & ~(size_t)3;

	if (!c->nonce_size)
		client_challenge(c);
	request(&m, c, method);
	if (padded > sizeof(m.buf) - 512)
		return;
	memcpy(m.buf + m.w.size, attrs, padded);
	m.w.size += padded;
	message_send(&m);
}

static void peer_step(struct bench *b, const uint8_t *data, size_t size)
{
	struct tp_addr peer = { .family = 4, .port = 7000, .ip = { 203, 0, 113, 5 } };

	for (unsigned int i = 0; i < BENCH_SOCKETS; i++) {
		struct tp_relay_socket *s = &b->sockets[i];

		if (!s->open)
			continue;
		if (size & 1)
			tp_turn_peer_input(b->turn[0], s->owner, s, &peer, data, size, NULL, &b->now);
		else if (size >= 2)
			tp_turn_icmp_input(b->turn[0], &s->addr, &peer, data[0], data[1], 1400, &b->now);
		return;
	}
}

static void step(struct bench *b, struct client *clients, uint8_t what, const uint8_t *data, size_t size)
{
	struct client *c = &clients[what >> 6 & 1];

	switch (what & 0x0f) {
	case 0:
		client_input(c, data, size);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		authenticated(c, methods[(what & 0x0f) - 1], data, size);
		break;
	case 6:
		allocate(c);
		break;
	case 7:
		permit(c, "203.0.113.5:7000");
		break;
	case 8:
		bind_channel(c, 0x4000, "203.0.113.5:7000");
		break;
	case 9:
		peer_step(b, data, size);
		break;
	case 10:
		bench_advance(b, (uint64_t)size * BENCH_S);
		break;
	case 11:
		tp_dp_mock_hold(b->dp, size & 1);
		break;
	case 12:
		refresh(c, (int)size);
		break;
	case 13:
		tp_turn_kill(b->turn[0], 0, "alice", &b->now);
		break;
	default:
		bench_tick(b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bench b;
	struct client clients[2];
	unsigned int steps = 0;

	if (!size)
		return 0;
	configure(&b, data[0]);
	client_init(&clients[0], &b, "198.51.100.7:40000");
	client_init(&clients[1], &b, "[2001:db8:1::7]:40000");
	for (size_t at = 1; at + 3 <= size && steps++ < STEPS_MAX;) {
		size_t len = (size_t)data[at + 1] << 8 | data[at + 2];

		if (len > size - at - 3)
			len = size - at - 3;
		step(&b, clients, data[at], data + at + 3, len);
		at += 3 + len;
	}
	if (bench_stop(&b))
		abort();
	return 0;
}
