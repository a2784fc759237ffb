/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/payer.c mm/share/ages.c kernel/lib/fmt.c tests/fake/fake_arch.c */
/*
 * test_payer.c - what is idle, and who gives frames up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/share/payer.h"

#define S 1000000000ull

/* Ten pages of each age from 1 to 20, passes two seconds apart: idle is what was last touched before the last
 * 10 s. */
static void what_no_pass_saw_touched_is_idle(void **state)
{
	struct payer_idle idle = { 0 };
	struct ages a;

	(void)state;
	ages_reset(&a);
	for (u32 k = AGE_TOUCHED; k <= 20; k++)
		a.pop[k] = 10;
	for (u32 i = 1; i <= 4; i++) {
		payer_idle_pass(&idle, &a, i * 2 * S);
		assert_int_equal(idle.pages, 0); /* there is no pass that is so long ago */
	}
	for (u32 i = 5; i <= 30; i++)
		payer_idle_pass(&idle, &a, i * 2 * S);
	/* This one and those 2, 4, 6 and 8 s ago are too young: five ages. */
	assert_int_equal(idle.pages, 10 * (20 - 5));
	payer_idle_pass(&idle, &a, 60 * S + 9 * S); /* none for long: two ages are too young */
	assert_int_equal(idle.pages, 10 * (20 - 2));
	assert_int_equal(payer_pass_ns(&idle, 0), 69 * S);
	assert_int_equal(payer_pass_ns(&idle, 1), 60 * S);
	assert_int_equal(payer_pass_ns(&idle, 31), 0);
}

static void the_ring_of_passes_goes_round(void **state)
{
	struct payer_idle idle = { 0 };
	struct ages a;

	(void)state;
	ages_reset(&a);
	for (u64 i = 1; i <= 3 * IDLE_PASSES + 7; i++)
		payer_idle_pass(&idle, &a, i * S);
	for (u32 back = 0; back < IDLE_PASSES; back++)
		assert_int_equal(payer_pass_ns(&idle, back), (3 * IDLE_PASSES + 7 - back) * S);
	assert_int_equal(payer_pass_ns(&idle, IDLE_PASSES), 0);
}

static void a_guest_pays_down_to_its_floor(void **state)
{
	struct payer p = { .held = 1000, .min = 200, .target = 700 };

	(void)state;
	assert_int_equal(payer_above(&p, false), 300);
	assert_int_equal(payer_above(&p, true), 800);
	p.writing = 400; /* those are gone already */
	assert_int_equal(payer_above(&p, false), 0);
	assert_int_equal(payer_above(&p, true), 400);
	p = (struct payer){ .held = 1000, .min = 800, .target = 700 };
	assert_int_equal(payer_above(&p, false), 200);
}

static void idle_pages_go_by_the_batch_and_not_below_min(void **state)
{
	struct payer p = { .held = 1000, .min = 200, .target = 2000, .idle = PAYER_BATCH };

	(void)state;
	assert_int_equal(payer_idle(&p), 0);
	p.idle++;
	assert_int_equal(payer_idle(&p), PAYER_BATCH + 1); /* whatever its target */
	p.min = 1000 - PAYER_BATCH;
	assert_int_equal(payer_idle(&p), 0);
	p.min--;
	assert_int_equal(payer_idle(&p), PAYER_BATCH + 1);
	p.min = 0;
	p.writing = 2 * PAYER_WRITE + 1; /* enough of its frames are on their way */
	assert_int_equal(payer_idle(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_pass_saw_touched_is_idle),
		cmocka_unit_test(the_ring_of_passes_goes_round),
		cmocka_unit_test(a_guest_pays_down_to_its_floor),
		cmocka_unit_test(idle_pages_go_by_the_batch_and_not_below_min),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
