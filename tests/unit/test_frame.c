/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/frame.c kernel/lib/fmt.c kernel/lib/err.c tests/fake/fake_arch.c */
/*
 * test_frame.c - the frame table: odd memory maps, states and their counters, runs, zeroing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/frame.h"
#include "tests/fake/fake_arch.h"

#define PAGES(a, b) { (u64)(a) * PAGE_SIZE, (u64)(b) * PAGE_SIZE, true }

static void odd_maps(void **s)
{
	/* Unaligned, adjoining, a hole, not usable; reserved ones overlap each other and the hole. */
	struct boot_range usable[] = { { 100, 159 * PAGE_SIZE + 5, true }, PAGES(256, 700), PAGES(700, 1000),
				       { 1000 * PAGE_SIZE, 1010 * PAGE_SIZE, false }, PAGES(1020, 1024) };
	struct boot_range reserved[] = { { 300 * PAGE_SIZE + 1, 310 * PAGE_SIZE + 1, true },
					 { 305 * PAGE_SIZE, 320 * PAGE_SIZE, true },
					 { 150 * PAGE_SIZE, 260 * PAGE_SIZE, true }, { 50, 50, true },
					 { 1023 * PAGE_SIZE, ~0ull, true } };
	u32 table = (1024 * 24 + 4095) / 4096;

	(void)s;
	fake_arena(1024);
	assert_int_equal(frame_init(usable, 5, reserved, 5), 0);
	assert_int_equal(frame_limit(), 1024);
	assert_int_equal(frame_total(), 158 + 744 + 4);
	assert_int_equal(frame_free(), frame_total() - 20 - 9 - 4 - 1 - table);
	assert_int_equal(frame_of((pfn_t){ 0 })->state, FRAME_RESERVED);
	assert_int_equal(frame_of((pfn_t){ 1 })->state, FRAME_FREE);
	assert_int_equal(frame_of((pfn_t){ 158 })->state, FRAME_HYP);
	assert_int_equal(frame_of((pfn_t){ 159 })->state, FRAME_RESERVED);
	assert_int_equal(frame_of((pfn_t){ 300 })->state, FRAME_HYP);
	assert_int_equal(frame_of((pfn_t){ 310 })->state, FRAME_HYP);
	assert_int_equal(frame_of((pfn_t){ 1005 })->state, FRAME_RESERVED);
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

static void no_room(void **s)
{
	struct boot_range usable[] = { PAGES(1, 300) }, reserved[] = { PAGES(0, 300) };

	(void)s;
	fake_arena(300);
	assert_int_equal(frame_init(usable, 1, reserved, 1), E_NOMEM);
	assert_int_equal(frame_init(usable, 0, NULL, 0), E_NOMEM);
	assert_true(pfn_none(frame_get(0, FRAME_MAPPED, false)));
}

static void ready(u32 n)
{
	struct boot_range usable[] = { PAGES(0, n) };

	fake_arena(n);
	memset(arch_direct_map, 0x5a, (size_t)n * PAGE_SIZE);
	assert_int_equal(frame_init(usable, 1, NULL, 0), 0);
}

static bool zero(pfn_t p)
{
	return arch_page_is_zero(pfn_ptr(p));
}

static void get_and_put(void **s)
{
	u32 n, free_at_first;
	pfn_t p[2000];

	(void)s;
	ready(1000);
	free_at_first = frame_free();
	for (n = 0; !pfn_none(p[n] = frame_get(3, n & 1 ? FRAME_MAPPED : FRAME_BOUNCE, n % 3 == 0)); n++) {
		assert_true(p[n].n != 0);
		assert_true(n % 3 || zero(p[n]));
		memset(pfn_ptr(p[n]), 0x77, PAGE_SIZE);
	}
	assert_int_equal(n, free_at_first);
	assert_int_equal(frame_held(3), n);
	assert_int_equal(frame_count_vm(3, FRAME_MAPPED), n / 2);
	frame_set_state(p[0], 3, FRAME_TABLE); /* not held */
	assert_int_equal(frame_held(3), n - 1);
	frame_set_state(p[0], 4, FRAME_SOFT);
	assert_int_equal(frame_held(4), 1);
	assert_int_equal(frame_recount(NULL, NULL), 0);
	for (u32 i = 0; i < n; i++)
		frame_put(p[(i * 7) % n]);
	assert_int_equal(frame_free(), free_at_first);
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

static void zeroing(void **s)
{
	u32 n = 0;
	pfn_t p;

	(void)s;
	ready(400);
	while (frame_zero_one())
		n++;
	assert_int_equal(n, frame_free());
	assert_int_equal(frame_count(FRAME_FREE), 0);
	p = frame_get(1, FRAME_MAPPED, false); /* none other left */
	assert_false(pfn_none(p));
	memset(pfn_ptr(p), 1, PAGE_SIZE);
	frame_put(p);
	/* dirty ones first for those who don't care */
	assert_int_equal(frame_get(1, FRAME_MAPPED, false).n, p.n);
	frame_put(p);
	for (u32 i = 0; i < n; i++)
		assert_true(zero(frame_get(1, FRAME_MAPPED, true)));
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

static void runs(void **s)
{
	pfn_t a, b;

	(void)s;
	ready(600);
	a = frame_get_run(200);
	b = frame_get_run(100);
	assert_false(pfn_none(a) || pfn_none(b));
	for (u32 i = 0; i < 200; i++) {
		assert_true(zero((pfn_t){ a.n + i }));
		assert_int_equal(frame_of((pfn_t){ a.n + i })->state, FRAME_HYP);
	}
	assert_true(pfn_none(frame_get_run(320)));
	assert_true(pfn_none(frame_get_run(0)));
	frame_put_run(a, 200);
	a = frame_get_run(200);
	assert_false(pfn_none(a));
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

static void our_own_bugs_panic(void **s)
{
	jmp_buf jump;
	pfn_t p;

	(void)s;
	ready(300);
	p = frame_get(0, FRAME_MAPPED, false);
	frame_put(p);
	fake_panic_jump = &jump;
	if (!setjmp(jump)) {
		frame_put(p);
		fail_msg("a frame was freed twice");
	}
	if (!setjmp(jump)) {
		frame_of((pfn_t){ 300 });
		fail_msg("no such frame");
	}
	fake_panic_jump = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_maps), cmocka_unit_test(no_room), cmocka_unit_test(get_and_put),
		cmocka_unit_test(zeroing),  cmocka_unit_test(runs),    cmocka_unit_test(our_own_bugs_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
