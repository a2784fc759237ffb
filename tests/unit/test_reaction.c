/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c tools/oracle.c tools/simguest.c tools/simhost.c tools/simreact.c */
/*
 * test_reaction.c - targets follow a change of load within a second, arrive within three, and are still
 * without one: with misses of 0.1 ms (NVMe) and of 6 ms (a disk that seeks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/simreact.h"

#define MS 1000000ull
#define FAST_NS (MS / 10)
#define SLOW_NS (6 * MS)

static void follows(u64 miss_ns)
{
	for (u32 i = 0; i < REACT_CHANGES; i++) {
		struct simreact r;

		simreact_run(i, miss_ns, &r);
		print_message("%s: target %u -> %u, first frame after %llu ms, settled after %llu ms, %llu "
			      "misses of %llu us\n",
			      r.name, r.before, r.after, (unsigned long long)(r.first_ns / MS),
			      (unsigned long long)(r.settled_ns / MS), (unsigned long long)r.misses,
			      (unsigned long long)(miss_ns / 1000));
		assert_true(r.after > r.before * 3 / 2); /* there was something to follow */
		assert_in_range(r.first_ns, 1, 1000 * MS);
		assert_in_range(r.settled_ns, 1, 3000 * MS);
	}
}

static void fast_disk(void **state)
{
	(void)state;
	follows(FAST_NS);
}

static void slow_disk(void **state)
{
	(void)state;
	follows(SLOW_NS);
}

static void still(void **state)
{
	(void)state;
	for (u32 i = 0; i < STEADY_NOISE; i++) {
		assert_int_equal(simreact_turns(i, FAST_NS, 60), 0);
		assert_int_equal(simreact_turns(i, SLOW_NS, 60), 0);
	}
	assert_int_equal(simreact_turns(STEADY_NOISE, SLOW_NS, 60), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_disk), cmocka_unit_test(slow_disk), cmocka_unit_test(still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
