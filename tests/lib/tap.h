/* SPDX-License-Identifier: GPL-2.0 */
/* TAP for C tests: check(), check_eq(), skip(), and done() as the exit status of main(). Header only. */
#ifndef TP_TESTS_TAP_H
#define TP_TESTS_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned int tap_run, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool check(bool good, const char *format, ...)
{
	va_list ap;

	tap_failed += !good;
	printf("%sok %u - ", good ? "" : "not ", ++tap_run);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return good;
}

#define check_eq(got, expected, ...)						\
	do {									\
		long long tap_got = (long long)(got), tap_exp = (long long)(expected);	\
		if (!check(tap_got == tap_exp, __VA_ARGS__))			\
			printf("# %s:%d: is %lld, expected %lld\n", __FILE__, __LINE__, tap_got, tap_exp); \
	} while (0)

#define check_bytes(got, expected, size, ...)					\
	do {									\
		if (!check(memcmp(got, expected, size) == 0, __VA_ARGS__))	\
			printf("# %s:%d: bytes differ\n", __FILE__, __LINE__);	\
	} while (0)

__attribute__((unused)) static void skip(const char *name, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++tap_run, name, why);
}

__attribute__((unused)) static int done(void)
{
	printf("1..%u\n", tap_run);
	return tap_failed ? 1 : 0;
}

#endif
