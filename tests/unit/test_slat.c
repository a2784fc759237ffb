/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/slat.c mm/frame.c kernel/lib/fmt.c kernel/lib/err.c tests/fake/fake_arch.c */
/*
 * test_slat.c - the second-level table, read as the hardware would, in both formats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/frame.h"
#include "mm/slat.h"
#include "tests/fake/fake_arch.h"

static const struct slat_format ept = {
	.name = "EPT", .table = 7, .leaf = 5 | 6 << 3 | 1 << 6, .write = 2, .present = 7, .accessed = 1 << 8,
	.dirty = 1 << 9, .addr = 0x000ffffffffff000ull,
};
static const struct slat_format npt = {
	.name = "NPT", .table = 7, .leaf = 5, .write = 2, .present = 1, .accessed = 1 << 5, .dirty = 1 << 6,
	.addr = 0x000ffffffffff000ull,
};

/* The processor's walk: sets A on the way, D in the leaf if write. 0: fault. */
static u64 hardware(const struct slat *s, u32 g, bool write)
{
	u64 *t = pfn_ptr(s->root), *e = NULL;

	for (int l = 3; l >= 0; l--) {
		e = &t[g >> (9 * l) & 511];
		if (!(*e & s->fmt->present) || (write && !(*e & 2)))
			return 0;
		*e |= s->fmt->accessed;
		t = pfn_ptr(hpa_pfn((hpa_t){ *e & s->fmt->addr }));
	}
	if (write)
		*e |= s->fmt->dirty;
	return *e;
}

static void ready(struct slat *s, const struct slat_format *f)
{
	struct boot_range r = { 0, 1024 * PAGE_SIZE, true };

	fake_arena(1024);
	memset(arch_direct_map, 0xff, 1024 * PAGE_SIZE);
	assert_int_equal(frame_init(&r, 1, NULL, 0), 0);
	assert_int_equal(slat_init(s, f, 2), 0);
}

static void map_and_unmap(const struct slat_format *f)
{
	static const u32 pages[] = { 0, 1, 511, 512, 262143, 262144, 0xbffff, 0xfee00, 0xfffffff };
	struct slat_leaf l;
	struct slat s;

	ready(&s, f);
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		gpfn_t g = { pages[i] };

		assert_int_equal(hardware(&s, g.n, false), 0);
		assert_int_equal(slat_prepare(&s, g), 0);
		assert_int_equal(hardware(&s, g.n, false), 0);
		slat_map(&s, g, (pfn_t){ 100 + i }, i % 2, i % 3 == 0, false);
		assert_false(s.stale); /* nothing to forget */
		l = slat_get(&s, g);
		assert_true(l.present && l.pfn.n == 100 + i && l.writable == i % 2 && !l.dirty);
		assert_int_equal(l.accessed, i % 3 == 0);
		assert_int_equal(!!hardware(&s, g.n, true), i % 2);
		assert_int_equal(slat_get(&s, g).dirty, i % 2);
	}
	assert_int_equal(s.ntables, frame_count_vm(2, FRAME_TABLE));
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		s.stale = false;
		l = slat_unmap(&s, (gpfn_t){ pages[i] });
		assert_true(l.present && s.stale);
		assert_int_equal(l.pfn.n, 100 + i);
		assert_int_equal(l.dirty, i % 2);
		assert_int_equal(hardware(&s, pages[i], false), 0);
		s.stale = false;
		assert_false(slat_unmap(&s, (gpfn_t){ pages[i] }).present);
		assert_false(s.stale);
	}
	slat_destroy(&s);
	assert_int_equal(frame_count_vm(2, FRAME_TABLE), 0);
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

static void both_formats(void **s)
{
	(void)s;
	map_and_unmap(&ept);
	map_and_unmap(&npt);
}

static void bits(void **st)
{
	gpfn_t g = { 700 };
	struct slat s;

	(void)st;
	ready(&s, &ept);
	slat_mark(&s, g, true, true); /* nothing there: nothing happens */
	assert_int_equal(slat_prepare(&s, g), 0);
	slat_mark(&s, g, true, true);
	assert_false(slat_get(&s, g).present);
	assert_false(slat_clear_dirty(&s, g));
	slat_map(&s, g, (pfn_t){ 5 }, true, false, false);
	assert_false(slat_clear_dirty(&s, g) || s.stale);
	hardware(&s, g.n, true);
	assert_true(slat_clear_dirty(&s, g) && s.stale);
	assert_false(slat_get(&s, g).dirty);
	u64 gen = s.generation;
	slat_owe_flush(&s);
	assert_int_equal(s.generation, gen);
	slat_flushed(&s);
	slat_flushed(&s);
	assert_int_equal(s.flushes, 1);
	assert_false(s.stale);
	slat_mark(&s, g, true, true);
	assert_true(slat_get(&s, g).dirty && slat_get(&s, g).accessed && !s.stale);
	slat_destroy(&s);
}

static u32 visits, touched_visits;

static void visit(void *ctx, u64 *entries, gpfn_t first, bool touched)
{
	u32 *last = ctx;

	assert_true(first.n % 512 == 0 && (!visits || first.n > *last));
	assert_non_null(entries);
	*last = first.n;
	visits++;
	touched_visits += touched;
}

static void count(struct slat *s, u32 all, u32 touched)
{
	u32 last = 0;

	visits = touched_visits = 0;
	slat_each_leaf_table(s, visit, &last);
	assert_int_equal(visits, all);
	assert_int_equal(touched_visits, touched);
}

static void leaf_tables(void **st)
{
	struct slat s;

	(void)st;
	ready(&s, &ept);
	for (u32 g = 0; g < 10; g++) {
		assert_int_equal(slat_prepare(&s, (gpfn_t){ g * 1024 }), 0);
		slat_map(&s, (gpfn_t){ g * 1024 }, (pfn_t){ 50 + g }, true, g == 3, false);
	}
	count(&s, 10, 1); /* software's A counts */
	count(&s, 10, 0);
	hardware(&s, 5 * 1024, false);
	hardware(&s, 7 * 1024, true);
	slat_mark(&s, (gpfn_t){ 9 * 1024 }, true, false);
	count(&s, 10, 3);
	count(&s, 10, 0);
	slat_destroy(&s);
}

static void no_frames_for_tables(void **st)
{
	struct slat s;
	pfn_t p;

	(void)st;
	ready(&s, &ept);
	while (frame_free() > 1)
		p = frame_get(0, FRAME_HYP, false);
	(void)p;
	assert_int_equal(slat_prepare(&s, (gpfn_t){ 5 }), E_NOMEM);
	assert_false(slat_get(&s, (gpfn_t){ 5 }).present);
	slat_destroy(&s);
	assert_int_equal(frame_count_vm(2, FRAME_TABLE), 0);
	assert_int_equal(frame_recount(NULL, NULL), 0);
	while (frame_free())
		p = frame_get(0, FRAME_HYP, false);
	assert_int_equal(slat_init(&s, &ept, 2), E_NOMEM);
	slat_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_formats), cmocka_unit_test(bits), cmocka_unit_test(leaf_tables),
		cmocka_unit_test(no_frames_for_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
