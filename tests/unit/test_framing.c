/* SPDX-License-Identifier: GPL-2.0 */
/* Frames of a byte stream: RFC 8489 section 6.2.2, RFC 8656 section 12.5. */
#include <errno.h>
#include <stdlib.h>

#include "lib/tap.h"
#include "net/framing.h"

static const uint8_t binding[20] = { 0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static const uint8_t channel5[12] = { 0x40, 0x01, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0 };

/* Every prefix of a frame, in a buffer of exactly that size so that ASan sees a read past it. */
static void check_prefixes(const uint8_t *frame, size_t span, size_t header, const char *name)
{
	struct tp_frame f;
	bool good = true;

	for (size_t n = 0; n < span; n++) {
		uint8_t *part = malloc(n ? n : 1);

		memcpy(part, frame, n);
		good &= tp_frame_next(part, n, &f) == 0 && f.span == (n < header ? 0 : span);
		free(part);
	}
	check(good, "%s: each of its prefixes asks for more, and says how much once the header is there", name);
	check_eq(tp_frame_next(frame, span, &f), 1, "%s: whole", name);
	check_eq(f.span, span, "%s: the next frame's place", name);
}

static void test_whole(void)
{
	uint8_t two[32];
	struct tp_frame f;

	check_prefixes(binding, sizeof(binding), 4, "Binding request");
	check_prefixes(channel5, sizeof(channel5), 4, "ChannelData of 5 bytes");
	tp_frame_next(channel5, sizeof(channel5), &f);
	check_eq(f.size, 9, "ChannelData is given on without padding (RFC 8656 section 12.5)");
	check_eq(tp_frame_next(channel5, 9, &f), 0, "ChannelData without its padding is not whole on a stream");

	memcpy(two, channel5, 12);
	memcpy(two + 12, binding, 20);
	check(tp_frame_next(two, 32, &f) == 1 && f.span == 12 && tp_frame_next(two + 12, 20, &f) == 1 && f.span == 20,
	      "two messages in one segment are taken apart");
}

static void test_limits(void)
{
	uint8_t head[20] = { 0x00, 0x16, 0xff, 0xe8, 0x21, 0x12, 0xa4, 0x42 };
	uint8_t channel[4] = { 0x40, 0x00, 0xff, 0xff };
	struct tp_frame f;

	check(tp_frame_next(head, 20, &f) == 0 && f.span == 65532, "the longest STUN message");
	head[3] = 0xec;
	check_eq(tp_frame_next(head, 20, &f), -EBADMSG, "a longer one than 65535 bytes is none");
	check(tp_frame_next(channel, 4, &f) == 0 && f.span == TP_FRAME_MAX, "the longest ChannelData is TP_FRAME_MAX");
	channel[2] = channel[3] = 0;
	check(tp_frame_next(channel, 4, &f) == 1 && f.size == 4 && f.span == 4, "empty ChannelData is a frame");
	check(tp_frame_padding(0) == 0 && tp_frame_padding(5) == 3 && tp_frame_padding(8) == 0, "padding to four");
}

static void test_bad(void)
{
	uint8_t bad[20];
	struct tp_frame f;

	memcpy(bad, binding, 20);
	bad[3] = 2;
	check_eq(tp_frame_next(bad, 4, &f), -EBADMSG, "a STUN length that is no multiple of four (RFC 8489 section 5)");
	memcpy(bad, binding, 20);
	bad[7] = 0x43;
	check_eq(tp_frame_next(bad, 8, &f), -EBADMSG, "a wrong cookie, before the rest of the header");
	check_eq(tp_frame_next("GET / HTTP/1.1\r\n", 16, &f), 0,
		 "0x47 is a channel number's first byte, as far as frames go");
	check_eq(tp_frame_next("\x80", 1, &f), -EBADMSG, "first bits 10");
	check_eq(tp_frame_next("\xc0", 1, &f), -EBADMSG, "first bits 11");
}

static void test_media(void)
{
	check(tp_frame_is_media("\x40\x00\x00\x00", 4), "ChannelData is media");
	check(tp_frame_is_media("\x00\x17\x00\x00", 4), "a Data indication is media");
	check(!tp_frame_is_media("\x01\x03\x00\x00", 4), "a response is control");
	check(!tp_frame_is_media("\x00\x1c\x00\x00", 4), "a ConnectionAttempt indication is control (RFC 6062)");
	check(!tp_frame_is_media("\x40", 1), "less than two bytes is nothing");
}

int main(void)
{
	test_whole();
	test_limits();
	test_bad();
	test_media();
	return done();
}
