/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/promise.c */
/*
 * test_promise.c - what guests were promised against what there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mm/share/payer.h"
#include "mm/share/promise.h"

static const struct promise nothing;

static void ram_lies_in_frames_or_in_slots(void **state)
{
	struct promise p = { 0 };

	(void)state;
	promise_add(&p, 1000, 100, 1000);
	promise_add(&p, 500, 200, 5000);
	assert_int_equal(promise_check(&p, &nothing, 1500, 0), PROMISE_KEPT);
	assert_int_equal(promise_check(&p, &nothing, 300, 1200), PROMISE_KEPT);
	assert_int_equal(promise_check(&p, &nothing, 300, 1199), PROMISE_ALL);
	assert_int_equal(promise_check(&p, &nothing, 299, 5000), PROMISE_MINS);
}

static void a_min_counts_beyond_ram(void **state)
{
	struct promise p = { 0 };

	(void)state;
	promise_add(&p, 100, 600, 700);
	promise_add(&p, 1000, 0, 1000);
	assert_int_equal(promise_check(&p, &nothing, 1300, 300), PROMISE_KEPT);
	assert_int_equal(promise_check(&p, &nothing, 1300, 299), PROMISE_ALL);
}

static void what_max_keeps_out_lies_in_slots(void **state)
{
	struct promise p = { 0 };

	(void)state;
	promise_add(&p, 1000, 0, 256);
	promise_add(&p, 800, 0, 700);
	promise_add(&p, 800, 0, 800);
	assert_int_equal(promise_check(&p, &nothing, 9000, 744 + 100 + 4 * PAYER_WRITE), PROMISE_KEPT);
	assert_int_equal(promise_check(&p, &nothing, 9000, 744 + 100 + 4 * PAYER_WRITE - 1), PROMISE_BEYOND);
}

static void what_is_no_worse_is_kept(void **state)
{
	struct promise was = { 0 }, p = { 0 };

	(void)state;
	promise_add(&was, 1000, 500, 500);
	promise_add(&p, 1000, 500, 500);
	assert_int_equal(promise_check(&p, &was, 400, 500), PROMISE_KEPT);
	promise_add(&p, 1, 0, 1);
	assert_int_equal(promise_check(&p, &was, 400, 500), PROMISE_ALL);
	promise_add(&p, 1, 1, 1);
	assert_int_equal(promise_check(&p, &was, 400, 500), PROMISE_MINS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ram_lies_in_frames_or_in_slots),
		cmocka_unit_test(a_min_counts_beyond_ram),
		cmocka_unit_test(what_max_keeps_out_lies_in_slots),
		cmocka_unit_test(what_is_no_worse_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
