/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: tools/oracle.c tools/simguest.c tools/simhost.c tools/simreact.c mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c */
/*
 * reaction - how fast targets follow a change, how still they are without one; one JSON object a line:
 * {change, miss_us, before, after, first_ms, settled_ms, misses} and {load, miss_us, seconds, turns}.
 */
#include <stdio.h>

#include "tools/simreact.h"

#define STEADY_SECONDS 120

int main(void)
{
	static const u64 miss_ns[] = { 100 * 1000, 6000 * 1000 };

	for (u32 m = 0; m < ARRAY_SIZE(miss_ns); m++) {
		for (u32 i = 0; i < REACT_CHANGES; i++) {
			struct simreact r;

			simreact_run(i, miss_ns[m], &r);
			printf("{\"change\":\"%s\",\"miss_us\":%llu,\"before\":%u,\"after\":%u,\"first_ms\":%"
			       "llu,"
			       "\"settled_ms\":%llu,\"misses\":%llu}\n",
			       r.name, (unsigned long long)miss_ns[m] / 1000, r.before, r.after,
			       (unsigned long long)r.first_ns / 1000000,
			       (unsigned long long)r.settled_ns / 1000000, (unsigned long long)r.misses);
		}
		for (u32 i = 0; i < STEADY_LOADS; i++)
			printf("{\"load\":\"%s\",\"miss_us\":%llu,\"seconds\":%u,\"turns\":%u}\n",
			       simreact_load_name(i), (unsigned long long)miss_ns[m] / 1000, STEADY_SECONDS,
			       simreact_turns(i, miss_ns[m], STEADY_SECONDS));
	}
	return 0;
}
