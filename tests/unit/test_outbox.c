/* SPDX-License-Identifier: GPL-2.0 */
/* The send queue of a stream: order, bound, and who is dropped first. */
#include <errno.h>
#include <stdlib.h>

#include "lib/tap.h"
#include "net/outbox.h"

/* Drains up to `size` bytes into `to`, at most `step` per consume. */
static size_t drain(struct tp_outbox *o, uint8_t *to, size_t size, size_t step)
{
	size_t done_size = 0;

	while (done_size < size) {
		struct iovec iov;
		size_t n;

		if (!tp_outbox_peek(o, &iov, 1))
			break;
		n = iov.iov_len < step ? iov.iov_len : step;
		if (n > size - done_size)
			n = size - done_size;
		memcpy(to + done_size, iov.iov_base, n);
		tp_outbox_consume(o, n);
		done_size += n;
	}
	return done_size;
}

static void test_order(void)
{
	struct tp_outbox o;
	uint8_t out[16] = { 0 };
	struct iovec iov[4];

	tp_outbox_init(&o, 1000, 100);
	check_eq(tp_outbox_peek(&o, iov, 4), 0, "empty: nothing to write");
	check_eq(tp_outbox_put(&o, true, "\x40\x00\x00\x01x", 5), 0, "a frame of 5 bytes");
	check_eq(o.size, 8, "is padded to 8 (RFC 8656 section 12.5)");
	check_eq(tp_outbox_put(&o, false, "abcd", 4), 0, "and one of 4");
	check_eq(drain(&o, out, sizeof(out), 3), 12, "both come out");
	check_bytes(out, "\x40\x00\x00\x01x\0\0\0abcd", 12, "in order, padding zeroed");
	check(!o.head && !o.tail && !o.size, "an empty queue owns no memory");
	tp_outbox_fini(&o);
}

/* Many frames of odd sizes across chunk borders, written in odd pieces, come out byte for byte. */
static void test_bytes(void)
{
	enum { TOTAL = 400000 };
	struct tp_outbox o;
	uint8_t *in = calloc(1, TOTAL + 4096), *out = calloc(1, TOTAL + 4096), *frame = malloc(4096);
	size_t put = 0, got = 0;
	uint32_t seed = 7;
	bool good = true;

	tp_outbox_init(&o, 60000, 0);
	while (put < TOTAL) {
		size_t size = 4 * (1 + (seed = seed * 1103515245 + 12345) / 65536 % 900);

		for (size_t i = 0; i < size; i++)
			frame[i] = (uint8_t)(put + i * 7);
		if (tp_outbox_put(&o, true, frame, size)) {
			got += drain(&o, out + got, 1 + seed % 30000, 5000);
			continue;
		}
		memcpy(in + put, frame, size);
		put += size;
	}
	got += drain(&o, out + got, TOTAL + 4096 - got, 7777);
	good = got == put && !memcmp(in, out, put);
	check(good, "%zu bytes in frames across chunk borders come out as they went in", put);
	check(!o.head && !o.size, "and the queue is empty again");
	tp_outbox_fini(&o);
	free(in), free(out), free(frame);
}

static void test_policy(void)
{
	struct tp_outbox o;
	uint8_t frame[1000] = { 0 };
	size_t media = 0;

	tp_outbox_init(&o, 10000, 3000);
	while (!tp_outbox_put(&o, true, frame, sizeof(frame)))
		media++;
	check_eq(media, 10, "media up to its bound");
	check_eq(tp_outbox_put(&o, true, frame, 100), -EAGAIN, "then media is dropped");
	check(o.dropped_packets == 2 && o.dropped_bytes == 1100, "and counted, packets and bytes");
	check_eq(o.size, 10000, "nothing of it stays");
	check_eq(tp_outbox_put(&o, false, frame, 1000), 0, "control still goes in");
	check_eq(tp_outbox_put(&o, true, frame, 4), -EAGAIN, "media never uses control's room");
	check_eq(tp_outbox_put(&o, false, frame, 1000), 0, "more control");
	check_eq(tp_outbox_put(&o, false, frame, 1000), 0, "up to the bound");
	check_eq(tp_outbox_put(&o, false, frame, 4), -ENOBUFS, "control beyond it: the caller closes");
	tp_outbox_consume(&o, 4000);
	check_eq(tp_outbox_put(&o, true, frame, 1000), 0, "a client that reads again gets media again");
	tp_outbox_fini(&o);
	check(!o.head && !o.size, "fini frees what was never written");
}

static void test_oversize(void)
{
	static uint8_t frame[70000];
	struct tp_outbox o;

	tp_outbox_init(&o, 1000, 1000);
	check_eq(tp_outbox_put(&o, true, frame, 1001), -EAGAIN,
		 "a frame that cannot fit is dropped, not wrapped around");
	check_eq(tp_outbox_put(&o, false, frame, sizeof(frame)), -ENOBUFS, "control likewise");
	check(!o.head, "no chunk was taken for it");
	tp_outbox_fini(&o);
	tp_outbox_init(&o, 70000, 0);
	check_eq(tp_outbox_put(&o, true, frame, sizeof(frame)), 0, "a frame of several chunks");
	check_eq(drain(&o, frame, sizeof(frame), sizeof(frame)), sizeof(frame), "comes out whole");
	tp_outbox_fini(&o);
}

/* Frame by frame, across chunk borders, and one larger than a chunk in pieces. */
static void test_frames(void)
{
	static uint8_t frame[40000];
	struct tp_outbox o;
	struct iovec iov;
	size_t pieces = 0, total = 0;
	bool good = true;

	tp_outbox_init(&o, 200000, 0);
	frame[0] = 0x40;
	for (unsigned int i = 0; i < 100; i++) {
		size_t size = 4 + i * 13 % 1400;

		frame[2] = (uint8_t)((size - 4) >> 8);
		frame[3] = (uint8_t)(size - 4);
		good &= !tp_outbox_put(&o, true, frame, size);
	}
	for (unsigned int i = 0; i < 100; i++) {
		size_t span = (4 + i * 13 % 1400 + 3) / 4 * 4;

		good &= tp_outbox_peek_frame(&o, &iov) && iov.iov_len == span;
		/* As a partial write leaves it. */
		if (span > 8) {
			tp_outbox_consume(&o, 5);
			good &= tp_outbox_peek_frame(&o, &iov) && iov.iov_len == span - 5;
		}
		tp_outbox_consume(&o, iov.iov_len);
	}
	check(good && !o.size && !o.head, "a hundred frames come out one by one, each whole");
	frame[2] = (uint8_t)((sizeof(frame) - 4) >> 8);
	frame[3] = (uint8_t)(sizeof(frame) - 4);
	tp_outbox_put(&o, true, frame, sizeof(frame));
	while (tp_outbox_peek_frame(&o, &iov)) {
		pieces++;
		total += iov.iov_len;
		tp_outbox_consume(&o, iov.iov_len);
	}
	check(pieces == 3 && total == sizeof(frame), "one of 40,000 bytes in three pieces");
	tp_outbox_fini(&o);
	check(!tp_outbox_peek_frame(&o, &iov), "nothing is no frame");
}

int main(void)
{
	test_order();
	test_bytes();
	test_policy();
	test_oversize();
	test_frames();
	return done();
}
