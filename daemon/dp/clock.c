/* SPDX-License-Identifier: GPL-2.0 */
/* The clock of all expiries: what bpf_ktime_get_coarse_ns() reads in the programs. Called by everyone. */
#include <time.h>

#include "dp/dp.h"

uint64_t tp_dp_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
