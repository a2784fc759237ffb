/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/swap.c mm/frame.c kernel/lib/fmt.c kernel/lib/err.c tests/fake/fake_arch.c */
/*
 * test_swap.c - slots: contiguous runs, one owner each, against a plain model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/frame.h"
#include "mm/pager/swap.h"
#include "tests/fake/fake_arch.h"

static struct block_dev dev;

static void ready(u64 sectors)
{
	struct boot_range r = { 0, 600 * PAGE_SIZE, true };
	struct block_extent e = { &dev, 64, sectors };

	fake_arena(600);
	assert_int_equal(frame_init(&r, 1, NULL, 0), 0);
	assert_int_equal(swap_init(&e), 0);
}

static void runs_are_contiguous(void **s)
{
	u32 a, b, c;

	(void)s;
	ready(1003 * 8 + 7);
	assert_int_equal(swap_slots(), 1003);
	assert_int_equal(swap_take(32, &a), 32);
	assert_int_equal(swap_take(32, &b), 32);
	assert_int_equal(b, a + 32); /* one eviction follows the other on the disk */
	assert_int_equal(swap_sector(3), 64 + 24);
	for (u32 i = 0; i < 32; i++)
		swap_free(a + i);
	assert_int_equal(swap_used(), 32);
	assert_int_equal(swap_take(2000, &c), 1003 - 64);
	assert_int_equal(swap_take(40, &c), 32);
	assert_int_equal(c, a);
	assert_int_equal(swap_take(1, &c), 0);
}

static void fragments(void **s)
{
	u32 a, n, got = 0;

	(void)s;
	ready(640 * 8);
	assert_int_equal(swap_take(640, &a), 640);
	for (u32 i = 0; i < 640; i += 2)
		swap_free(i);
	while ((n = swap_take(32, &a)) != 0)
		got += n;
	assert_int_equal(got, 320);
	assert_int_equal(swap_used(), 640);
}

static void against_a_model(void **s)
{
	static u8 owner[777];
	u32 used = 0, first;
	unsigned int seed = 5;

	(void)s;
	ready(777 * 8);
	memset(owner, 0, sizeof(owner));
	for (u32 i = 0; i < 50000; i++) {
		u32 r = (u32)rand_r(&seed);

		if (r % 3) {
			u32 slot = r / 3 % 777;

			if (owner[slot])
				swap_free(slot);
			used -= owner[slot];
			owner[slot] = 0;
		} else {
			u32 n = swap_take(1 + r / 3 % 40, &first);

			for (u32 k = 0; k < n; k++) {
				assert_int_equal(owner[first + k], 0);
				owner[first + k] = 1;
			}
			used += n;
			assert_true(n || used == 777);
		}
		assert_int_equal(swap_used(), used);
	}
	swap_check_begin();
	for (u32 i = 0; i < 777; i++) {
		assert_int_equal(swap_check_owner(i), owner[i]);
		assert_false(swap_check_owner(i)); /* a second owner */
	}
	assert_false(swap_check_owner(777));
}

static void double_use_panics(void **s)
{
	jmp_buf jump;
	u32 a;

	(void)s;
	ready(80);
	assert_int_equal(swap_take(1, &a), 1);
	swap_free(a);
	fake_panic_jump = &jump;
	if (!setjmp(jump)) {
		swap_free(a);
		fail_msg("a slot was freed twice");
	}
	fake_panic_jump = NULL;
}

static void no_area(void **s)
{
	u32 a;

	(void)s;
	ready(7);
	assert_int_equal(swap_slots(), 0);
	assert_int_equal(swap_take(1, &a), 0);
	assert_int_equal(swap_init(NULL), 0);
	swap_check_begin();
	assert_false(swap_check_owner(0));
}

static void each_guests_slots(void **s)
{
	u32 a, b;

	(void)s;
	ready(1000);
	assert_int_equal(swap_take(3, &a), 3);
	assert_int_equal(swap_take(1, &b), 1);
	for (u32 i = 0; i < 3; i++)
		swap_note_page(a + i, 2, i);
	swap_note_page(b, 5, 0);
	assert_int_equal(swap_only(2), 3);
	assert_int_equal(swap_only(5), 1);
	swap_copy_begin(a + 1);
	swap_free(a);
	assert_int_equal(swap_only(2), 1);
	swap_copy_end(a + 1);
	assert_int_equal(swap_only(2), 2);
	swap_free(a + 1);
	swap_free(a + 2);
	assert_int_equal(swap_only(2), 0);
	assert_int_equal(swap_only(5), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_contiguous), cmocka_unit_test(fragments),
		cmocka_unit_test(against_a_model),     cmocka_unit_test(double_use_panics),
		cmocka_unit_test(no_area),	       cmocka_unit_test(each_guests_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
