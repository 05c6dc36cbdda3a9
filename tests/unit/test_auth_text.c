/* SPDX-License-Identifier: GPL-2.0 */
/* base64, hexadecimal digits and prepared strings of daemon/auth. */
#include <errno.h>
#include <stdlib.h>

#include "auth/text.h"
#include "lib/tap.h"

static void test_base64url(void)
{
	static const uint8_t bytes[] = { 0xff, 0xef, 0xbe, 0x00, 0x10, 0x83 };
	uint8_t back[6] = { 0 }, in[3], out[3];
	char text[9] = "", quad[4];
	unsigned int wrong = 0;

	tp_base64url_encode(bytes, sizeof(bytes), text);
	check(strcmp(text, "_---ABCD") == 0, "RFC 4648 5: the URL alphabet");
	check(tp_base64url_decode(text, 8, back) && memcmp(back, bytes, 6) == 0, "and back");
	for (uint32_t i = 0; i < 0x1000000; i += 4093) {
		in[0] = (uint8_t)(i >> 16), in[1] = (uint8_t)(i >> 8), in[2] = (uint8_t)i;
		tp_base64url_encode(in, 3, quad);
		wrong += !tp_base64url_decode(quad, 4, out) || memcmp(in, out, 3) != 0;
	}
	check_eq(wrong, 0, "three bytes are four characters and three bytes again");
	for (int c = 0; c < 256; c++) {
		char one[] = { 'A', (char)c, 'A', 'A' };
		bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			    c == '_';

		wrong += tp_base64url_decode(one, 4, out) != good;
	}
	check_eq(wrong, 0, "no other character is taken");
	check(!tp_base64url_decode("AAAAA", 5, back) && !tp_base64url_decode("AA==", 4, back),
	      "nor another length, nor padding");
}

static void test_base64(void)
{
	static const struct {
		const char *text;
		int size;
	} cases[] = {
		{ "Zg==", 1 },	   { "Zm8=", 2 },      { "Zm9v", 3 },	   { "Zm9vYg==", 4 },
		{ "", -EINVAL },   { "Zg=", -EINVAL }, { "Z===", -EINVAL }, { "Zg==Zg==", -EINVAL },
		{ "=g==", -EINVAL }, { " Zg=", -EINVAL }, { "Zg==\n", -EINVAL }, { "Zm9\n", -EINVAL },
		{ "Z-9v", -EINVAL },
	};
	uint8_t out[6];
	unsigned int wrong = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int size = tp_base64_decode(cases[i].text, strlen(cases[i].text), out, sizeof(out));

		if (size != cases[i].size)
			printf("# '%s' is %d\n", cases[i].text, size);
		wrong += size != cases[i].size || (size > 0 && memcmp(out, "foobar", (size_t)size) != 0);
	}
	check_eq(wrong, 0, "RFC 4648 4, 10: base64 with padding, and nothing else");
	check_eq(tp_base64_decode("Zm9vYmFy", 8, out, 6), 6, "as much as there is room for");
	check_eq(tp_base64_decode("Zm9vYmFy", 8, out, 5), -EINVAL, "and not more");
}

static void test_hex(void)
{
	uint8_t out[2];

	check(tp_hex_decode("a0Ff", out, 2) == 2 && out[0] == 0xa0 && out[1] == 0xff,
	      "hexadecimal digits of either case");
	check(tp_hex_decode("", out, 2) < 0 && tp_hex_decode("a", out, 2) < 0 && tp_hex_decode("0x", out, 2) < 0 &&
	      tp_hex_decode("000000", out, 2) < 0, "none, half a byte, other characters and too many are refused");
}

static void prepared(const char *text, const char *expected, const char *name)
{
	char *got = tp_string_prepare(text);

	if (!check(got && strcmp(got, expected) == 0, "%s", name))
		printf("# is '%s'\n", got ? got : "NULL");
	free(got);
}

static void test_prepare(void)
{
	prepared("user name", "user name", "RFC 4013 3: plain text stays");
	prepared("I\u00adX", "IX", "RFC 4013 3: SOFT HYPHEN is mapped to nothing");
	prepared("\u00aa", "a", "RFC 4013 3: output is NFKC");
	prepared("\u2168", "IX", "RFC 4013 3: output is NFKC, a Roman numeral");
	prepared("a\u00a0b", "a b", "RFC 4013 2.1: other spaces are spaces");
	prepared("USER", "USER", "RFC 4013 3: case is kept");
	prepared("\a", "\a", "what the profile forbids stays as it is");
	prepared("\u0627" "1", "\u0627" "1", "so does what fails its bidirectional check");
	prepared("\xff\xfe", "\xff\xfe", "and what is no UTF-8");
	prepared("", "", "and nothing");
}

int main(void)
{
	test_base64url();
	test_base64();
	test_hex();
	test_prepare();
	return done();
}
