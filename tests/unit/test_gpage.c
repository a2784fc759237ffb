/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @mem tests/fake/fake_arch.c */
/*
 * test_gpage.c - the small steps of a guest page's life, and the making and unmaking of a guest's memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"
#include "tests/fake/fake_arch.h"

static const struct slat_format format = {
	.table = 7,
	.leaf = 5,
	.write = 2,
	.present = 7,
	.accessed = 1 << 8,
	.dirty = 1 << 9,
	.addr = 0x000ffffffffff000ull,
};
static struct block_dev dev;
static struct vm_mem m;

static void ready(void)
{
	struct boot_range r = { 0, 2048 * PAGE_SIZE, true };
	struct block_extent swap = { &dev, 0, 800 };

	fake_arena(2048);
	assert_int_equal(frame_init(&r, 1, NULL, 0), 0);
	assert_int_equal(swap_init(&swap), 0);
	memset(vmmem_all, 0, sizeof(vmmem_all));
	memset(&m, 0, sizeof(m));
	m.max = 1000;
	m.disk[0] = (struct guest_disk){ .used = true, .ext = { &dev, 1000, 8000 } };
	assert_int_equal(vmmem_init(&m, NULL, 1, 600, &format), 0);
}

static void done(void)
{
	vmmem_destroy(&m);
	assert_null(vmmem_all[1]);
	assert_int_equal(frame_held(1) + frame_count_vm(1, FRAME_TABLE), 0);
	assert_int_equal(swap_used(), 0);
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

static void hot(u32 g)
{
	gpage_map(&m, g, frame_get(1, FRAME_MAPPED, true), true);
	ages_arrive(&m.ages, &m.age[g]);
}

/* What reclaim does; write: the guest wrote before. */
static void soften(u32 g, bool write)
{
	if (write)
		slat_mark(&m.slat, (gpfn_t){ g }, true, true);
	gpage_soft_enter(&m, g, gpage_unmap(&m, g).dirty);
}

static void soft_and_back(void **s)
{
	(void)s;
	ready();
	for (u32 g = 0; g < 10; g++)
		hot(g);
	for (u32 g = 0; g < 10; g++)
		soften(g, false);
	assert_int_equal(m.soft_count, 10);
	assert_int_equal(m.ages.resident, 0);
	assert_int_equal(frame_of((pfn_t){ m.soft_head })->gpfn, 0);
	gpage_soft_touch(&m, 0); /* head, middle, tail */
	gpage_soft_touch(&m, 5);
	gpage_soft_touch(&m, 9);
	assert_int_equal(frame_of((pfn_t){ m.soft_head })->gpfn, 1);
	assert_int_equal(frame_of((pfn_t){ m.soft_tail })->gpfn, 8);
	assert_int_equal(m.soft_count, 7);
	assert_true(slat_get(&m.slat, (gpfn_t){ 5 }).present && !slat_get(&m.slat, (gpfn_t){ 5 }).dirty);
	assert_int_equal(m.ages.resident, 3);
	assert_int_equal(m.n.soft_hits, 3);
	done();
}

static void association_and_dirt(void **s)
{
	(void)s;
	ready();
	hot(3);
	assert_true(gpage_associate(&m, 3, 77));
	assert_int_equal(blockmap_block_of(&m, 3), 77);
	assert_true(blockmap_resident(&m, 77, NO_GPFN.n));
	assert_false(blockmap_resident(&m, 77, 3));
	assert_true(gpage_associate(&m, 3, 78)); /* one block at a time */
	assert_int_equal(blockmap_next(&m, 77, NO_GPFN.n), NO_GPFN.n);
	/* Clean: to its block. */
	soften(3, false);
	assert_true(gpage_droppable(&m, 3));
	gpage_drop(&m, 3);
	assert_int_equal(m.page[3].state, GPAGE_DISC);
	assert_int_equal(m.page[3].loc, 78);
	assert_int_equal(blockmap_next(&m, 78, NO_GPFN.n), 3);
	assert_false(blockmap_resident(&m, 78, NO_GPFN.n));
	gpage_discard_evicted(&m, 3, true);
	assert_int_equal(m.page[3].state, GPAGE_ZERO);
	assert_int_equal(m.blockmap_count, 0);
	/* Written after it was read: nowhere else. */
	hot(3);
	assert_true(gpage_associate(&m, 3, 78));
	soften(3, true);
	assert_false(gpage_droppable(&m, 3));
	assert_int_equal(blockmap_block_of(&m, 3), BLOCK_NONE);
	assert_true(m.page[3].flags & GPAGE_DIRTY);
	gpage_soft_touch(&m, 3); /* D is clear in the table, the flag remembers */
	soften(3, false);
	assert_false(gpage_droppable(&m, 3));
	done();
}

static void zeros(void **s)
{
	(void)s;
	ready();
	hot(1);
	m.page[1].flags = GPAGE_KNOWN_ZERO;
	soften(1, false);
	gpage_drop(&m, 1);
	assert_int_equal(m.page[1].state, GPAGE_ZERO);
	hot(1);
	m.page[1].flags = GPAGE_KNOWN_ZERO;
	soften(1, true);
	assert_false(gpage_droppable(&m, 1));
	assert_false(m.page[1].flags & GPAGE_KNOWN_ZERO);
	done();
}

static void many_pages_of_one_block(void **s)
{
	u32 n = 0;

	(void)s;
	ready();
	for (u32 g = 0; g < 300; g++) {
		hot(g);
		n += gpage_associate(&m, g, 5);
	}
	assert_int_equal(n, BLOCKMAP_CHAIN_MAX);
	for (u32 g = 0; g < 300; g++)
		assert_true(!!(m.page[g].flags & GPAGE_DIRTY) != (blockmap_block_of(&m, g) == 5));
	n = 0;
	for (u32 g = blockmap_next(&m, 5, NO_GPFN.n); g != NO_GPFN.n; g = blockmap_next(&m, 5, g))
		n++;
	assert_int_equal(n, BLOCKMAP_CHAIN_MAX);
	done();
}

static void clear_gives_all_back(void **s)
{
	u32 slot;

	(void)s;
	ready();
	for (u32 g = 0; g < 50; g++)
		hot(g);
	soften(7, true);
	assert_true(gpage_associate(&m, 8, 9));
	soften(8, false);
	gpage_drop(&m, 8);
	assert_int_equal(swap_take(1, &slot), 1);
	gpage_soft_leave(&m, 7);
	frame_put((pfn_t){ m.page[7].loc });
	m.page[7].state = GPAGE_SWAP;
	m.page[7].flags = 0;
	m.page[7].loc = slot;
	assert_true(page_cache_put(&m, frame_get(1, FRAME_FILLING, false), 123, 0, false));
	vmmem_clear(&m);
	assert_int_equal(frame_held(1), 0);
	assert_int_equal(swap_used(), 0);
	assert_true(m.slat.stale);
	assert_true(pfn_none(page_cache_find(&m, 123)));
	for (u32 g = 0; g < m.npages; g++)
		assert_true(m.page[g].state == GPAGE_ZERO && !slat_get(&m.slat, (gpfn_t){ g }).present);
	done();
}

static void no_memory_for_a_guest(void **s)
{
	pfn_t p = NO_PFN;

	(void)s;
	ready();
	vmmem_destroy(&m);
	for (u32 left = 40; left-- > 0;) {
		while (frame_free() > left)
			p = frame_get(0, FRAME_HYP, false);
		memset(&m, 0, sizeof(m));
		if (vmmem_init(&m, NULL, 1, 2000, &format) == 0)
			vmmem_destroy(&m);
		assert_int_equal(frame_free(), left);
	}
	(void)p;
	assert_int_equal(vmmem_init(&m, NULL, 1, 0, &format), E_RANGE);
	assert_int_equal(vmmem_init(&m, NULL, 1, 786433, &format), E_RANGE);
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(soft_and_back),           cmocka_unit_test(association_and_dirt),
		cmocka_unit_test(zeros),                   cmocka_unit_test(many_pages_of_one_block),
		cmocka_unit_test(clear_gives_all_back),    cmocka_unit_test(no_memory_for_a_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
