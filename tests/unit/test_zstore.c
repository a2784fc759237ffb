/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/zstore.c mm/pager/lz4.c mm/frame.c kernel/lib/fmt.c kernel/lib/err.c tests/fake/fake_arch.c */
/*
 * test_zstore.c - the store of compressed pages: dense, in order, each page its own content whatever moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CHECK(cond) assert_true(cond)
#include "tests/unit/zstore_env.h"

static u64 seed = 1;

static u32 draw(u32 below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((seed >> 33) % below);
}

static u64 noise(u32 sixteenths)
{
	return (((u64)draw(1u << 30) << 16 | draw(1u << 16)) / 17) * 17 + sixteenths;
}

static void it_saves_frames(void **s)
{
	struct vm_mem *m = &zenv.mem[0];

	(void)s;
	zenv_start();
	for (u32 g = 0; g < 120; g++)
		zenv_put(0, g, noise(4)); /* a quarter: 1 KiB and a little */
	zenv_check();
	assert_int_equal(m->zip.pages, 120);
	assert_in_range(m->zip.frames, 30, 42);
	for (u32 g = 0; g < 120; g++)
		zenv_look(0, g);
	/* The other way round, so that every chunk moves. */
	for (u32 g = 0; g < 120; g += 2)
		zenv_drop(0, g);
	zenv_check();
	assert_in_range(m->zip.frames, 15, 21); /* dense again */
	for (u32 g = 1; g < 120; g += 2)
		zenv_look(0, g);
	for (u32 g = 1; g < 120; g += 2)
		zenv_drop(0, g);
	assert_int_equal(frame_held(0), 0);
	assert_int_equal(zstore_oldest(m), NO_GPFN.n);
}

static void what_does_not_compress_stays(void **s)
{
	pfn_t p;
	u8 before[PAGE_SIZE];

	(void)s;
	zenv_start();
	p = frame_get(0, FRAME_SOFT, false);
	zenv_fill(pfn_ptr(p), noise(16));
	memcpy(before, pfn_ptr(p), PAGE_SIZE);
	assert_int_equal(zstore_try(pfn_ptr(p)), 0);
	assert_memory_equal(before, pfn_ptr(p), PAGE_SIZE);
	assert_int_equal(zenv.page[0][3].state, GPAGE_ZERO);
	assert_int_equal(frame_of(p)->state, FRAME_SOFT);
	assert_int_equal(zenv.mem[0].zip.frames, 0);
	zenv_check();
	frame_put(p);
}

/* A store needs no free frame to take a page: it takes the page's own. */
static void without_a_free_frame(void **s)
{
	pfn_t taken[ZENV_FRAMES], p[10];
	u32 n = 0;

	(void)s;
	zenv_start();
	for (u32 g = 0; g < 10; g++) {
		p[g] = frame_get(0, FRAME_SOFT, false);
		zenv_fill(pfn_ptr(p[g]), zenv.content[0][g] = noise(6));
	}
	for (u32 g = 0; g < 10; g++) {
		while (!pfn_none(taken[n] = frame_get(1, FRAME_MAPPED, false)))
			n++;
		assert_int_equal(frame_free(), 0);
		assert_true(zstore_try(pfn_ptr(p[g])));
		zstore_put(&zenv.mem[0], g, p[g]);
	}
	zenv_check();
	for (u32 g = 0; g < 10; g++)
		zenv_look(0, g);
	while (n)
		frame_put(taken[--n]);
}

static void in_the_order_they_came(void **s)
{
	(void)s;
	zenv_start();
	for (u32 g = 50; g > 0; g--)
		zenv_put(0, g, noise(draw(9)));
	zenv_drop(0, 50);
	zenv_drop(0, 1);
	zenv_drop(0, 30);
	for (u32 g = 49; g > 1; g--) {
		if (g == 30)
			continue;
		assert_int_equal(zstore_oldest(&zenv.mem[0]), g);
		zenv_drop(0, g);
	}
	assert_int_equal(frame_held(0), 0);
}

static void anything(void **s)
{
	(void)s;
	zenv_start();
	for (u32 i = 0; i < 60000; i++) {
		zenv_step(draw(16), draw(ZENV_VMS), draw(ZENV_PAGES), noise(draw(17)));
		if (i % 50 == 0)
			zenv_check();
	}
	for (u32 v = 0; v < ZENV_VMS; v++) {
		for (u32 g = 0; g < ZENV_PAGES; g++)
			zenv_look(v, g);
		zenv_clear(v);
	}
	zenv_check();
	assert_true(zenv.puts > 5000 && zenv.refused > 1000);
}

static void wrong_use_panics(void **s)
{
	jmp_buf jump;
	u8 page[PAGE_SIZE];

	(void)s;
	zenv_start();
	zenv_put(0, 1, noise(3));
	fake_panic_jump = &jump;
	if (!setjmp(jump)) {
		zstore_put(&zenv.mem[0], 3, NO_PFN); /* nothing was tried */
		fail();
	}
	if (!setjmp(jump)) {
		zstore_get(&zenv.mem[0], 0, page);
		fail();
	}
	zenv.page[0][2] = zenv.page[0][1]; /* another page claims the chunk */
	if (!setjmp(jump)) {
		(void)zstore_drop(&zenv.mem[0], 2);
		fail();
	}
	fake_panic_jump = NULL;
	assert_int_equal(zstore_check(&zenv.mem[0], NULL, NULL), 0);
	zenv.page[0][1].loc++;
	assert_true(zstore_check(&zenv.mem[0], NULL, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_saves_frames),
		cmocka_unit_test(what_does_not_compress_stays),
		cmocka_unit_test(without_a_free_frame),
		cmocka_unit_test(in_the_order_they_came),
		cmocka_unit_test(anything),
		cmocka_unit_test(wrong_use_panics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
