/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/readahead.c kernel/lib/fmt.c tests/fake/fake_arch.c */
/*
 * test_readahead.c - runs on a disk, the window, what there is room for, and when a guest wakes up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pager/readahead.h"

#define MS 1000000ull
#define PAGES 1000u

/* Page 500 + i lies at 100 + i; nothing at 90 and 120. */
static u32 page_at(const void *ctx, u32 loc)
{
	(void)ctx;
	return loc > 90 && loc < 120 ? 400 + loc : AHEAD_NO_PAGE;
}

static void a_run_goes_forward_then_back(void **state)
{
	struct ahead_run r;

	(void)state;
	for (u32 most = 1; most <= AHEAD_MOST; most++) {
		u32 behind = most < 20 ? most - 1 : 19, before = most - 1 - behind;

		before = before < 9 ? before : 9;
		readahead_run(&r, 500, 100, most, page_at, NULL);
		assert_int_equal(r.n, 1 + behind + before);
		assert_int_equal(r.at, before);
		assert_int_equal(r.loc, 100 - before);
		for (u32 i = 0; i < r.n; i++)
			assert_int_equal(r.g[i], 400 + r.loc + i);
	}
	readahead_run(&r, 7, 3000, AHEAD_MOST, page_at, NULL);
	assert_true(r.n == 1 && r.g[0] == 7 && r.at == 0 && r.loc == 3000);
}

static enum readahead_seen see(const void *ctx, u32 g)
{
	(void)ctx;
	return g % 2 ? AHEAD_GONE : g ? AHEAD_NOT_YET : AHEAD_TOUCHED;
}

static void the_window_follows_the_disk_and_the_samples(void **state)
{
	struct ahead a = { 0 };
	u32 n = readahead_demand(&a, 1, PAGES, 10, true, 1000 * MS), used, wasted;

	(void)state;
	for (u32 i = 0; i < 5; i++) {
		readahead_follow(&a, 20 + i, true);
		assert_true(readahead_demand(&a, 1, PAGES, 20 + i, true, 2000 * MS) >= n);
	}
	assert_int_equal(a.window, AHEAD_MOST);
	readahead_follow(&a, 50, false); /* the other disk */
	a.window = 8;
	(void)readahead_demand(&a, 1, PAGES, 50, true, 2000 * MS);
	assert_int_equal(a.window, 8);
	for (u32 i = 0; i < AHEAD_SAMPLES + 9; i++)
		readahead_sample(&a, i);
	assert_int_equal(a.samples, AHEAD_SAMPLES);
	/* page 0 was touched; the odd ones are gone; the rest have time */
	readahead_look(&a, see, NULL, &used, &wasted);
	assert_true(used == 1 && wasted == AHEAD_SAMPLES / 2 && a.samples == AHEAD_SAMPLES / 2 - 1);
	assert_int_equal(a.window, 4);
	assert_false(readahead_may_pay(&a));
	readahead_look(&a, see, NULL, &used, &wasted); /* they had it */
	assert_true(used == 0 && wasted == AHEAD_SAMPLES / 2 - 1 && a.samples == 0);
	assert_int_equal(a.window, 2);
}

static void room_is_what_a_guest_deserves(void **state)
{
	struct ahead a = { .used = 3, .wasted = 1 };

	(void)state;
	assert_int_equal(readahead_room(&a, 31, true, 500, 100, 600), 31);
	assert_int_equal(readahead_room(&a, 31, false, 90, 100, 600), 10);
	assert_int_equal(readahead_room(&a, 31, false, 100, 100, 600), 3); /* a trial */
	a.used = 30;
	assert_int_equal(readahead_room(&a, 31, false, 100, 100, 600), 15);
	a.wasted = 11;
	assert_int_equal(readahead_room(&a, 31, false, 100, 100, 600), 0);
	a.wasted = 0;
	assert_int_equal(readahead_room(&a, 31, false, 600, 700, 600), 0);
}

static void demands_in_a_row_are_a_guest_that_wakes_up(void **state)
{
	struct ahead a = { 0 };

	(void)state;
	for (u32 i = 0; i < 4; i++) {
		assert_false(readahead_wakes(&a, (1000 + i) * MS));
		(void)readahead_demand(&a, 50 + i, PAGES, 10 * i, true, (1000 + i) * MS);
	}
	assert_true(readahead_wakes(&a, 1004 * MS));
	assert_true(a.cursor == 50 && a.left == PAGES);
	assert_false(readahead_wakes(&a, 1400 * MS)); /* asleep again */
	a.background = 1;
	assert_false(readahead_wakes(&a, 1004 * MS));
	a.background = 0;
	a.wasted = 40; /* what it gets back is of no use to it */
	assert_false(readahead_wakes(&a, 1004 * MS));
	assert_true(readahead_has_room(872, 1000, PAGES + 1));
	assert_false(readahead_has_room(873, 1000, PAGES + 1));
	assert_true(readahead_has_room(PAGES - AHEAD_MOST, PAGES, PAGES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_goes_forward_then_back),
		cmocka_unit_test(the_window_follows_the_disk_and_the_samples),
		cmocka_unit_test(room_is_what_a_guest_deserves),
		cmocka_unit_test(demands_in_a_row_are_a_guest_that_wakes_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
