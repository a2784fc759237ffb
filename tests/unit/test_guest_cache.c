/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_guest_cache.c - what the guest itself evicts: its swap areas, and what the cache keeps of it.
 */
#include "tests/unit/pager_env.h"

#define DISK0 8000u
#define SWAP0 100u /* the block of the guest's disk where its swap area begins */
#define SLOTS 200u

static u64 slot_sector(u32 slot) { return (SWAP0 + slot) * SECTORS_PER_PAGE; }

/* A guest of 256 pages with a swap area on its disk, whose header it has read into its last page. */
static struct vm_mem *swapping_guest(u32 max)
{
	struct vm_mem *m;

	env_start(4096, 512);
	m = env_vm(0, 256, max, DISK0, 4000);
	swap_header(env.disk + (DISK0 + slot_sector(0)) * SECTOR_SIZE, SLOTS);
	assert_int_equal(io_simple(m, GUEST_IO_READ, slot_sector(0), 8, 255 * PAGE_SIZE), 0);
	return m;
}

/* The guest writes page g to a slot, and gives it to somebody who clears it by REP STOS; v: what is there
 * then. */
static void swap_out(struct vm_mem *m, u32 g, u32 slot)
{
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, slot_sector(slot), 8, (u64)g * PAGE_SIZE), 0);
}

static void overwrite(struct vm_mem *m, u32 g, u64 v)
{
	u8 page[PAGE_SIZE];

	for (u32 s = 0; s < 8; s++)
		sector_set(page + s * SECTOR_SIZE, v + s);
	while (!overwrite_now(m, g, page))
		disk_run();
}

static void an_area_is_recognised(void **s)
{
	struct vm_mem *m = swapping_guest(256);
	u8 page[PAGE_SIZE];

	(void)s;
	assert_int_equal(guest_swap_slots(m), SLOTS - 1);
	assert_int_equal(guest_swap_live_slots(m), 0);
	assert_false(guest_swap_holds(m, SWAP0));
	assert_true(guest_swap_holds(m, SWAP0 + 1) && guest_swap_holds(m, SWAP0 + SLOTS - 1));
	assert_false(guest_swap_holds(m, SWAP0 + SLOTS));
	/* The same again is nothing new; written again (mkswap) it is empty. */
	guest_swap_set(m, SWAP0 + 7, true);
	swap_header(page, SLOTS);
	assert_false(guest_swap_look(m, SWAP0, page, false));
	assert_true(guest_swap_live(m, SWAP0 + 7));
	assert_true(guest_swap_look(m, SWAP0, page, true));
	assert_false(guest_swap_live(m, SWAP0 + 7));
	assert_true(guest_swap_dead(m, SWAP0 + 7));
	assert_false(guest_swap_dead(m, SWAP0 + SLOTS));
	env_end();
}

static void a_header_that_lies(void **s)
{
	struct vm_mem *m = swapping_guest(256);
	u8 page[PAGE_SIZE];

	(void)s;
	swap_header(page, 1);
	assert_false(guest_swap_look(m, 5, page, true)); /* no slots */
	swap_header(page, 50);
	page[1024] = 2;
	assert_false(guest_swap_look(m, 5, page, true)); /* a version that we do not know */
	swap_header(page, 0);
	assert_true(guest_swap_look(m, 5, page, true)); /* 2^32 - 1 slots: cut at the disk's end */
	assert_true(guest_swap_holds(m, 499));
	assert_false(guest_swap_holds(m, 500));
	assert_false(guest_swap_look(m, 600, page, true)); /* on no disk */
	for (u32 b = 10; b < 20; b++) /* areas over areas, more than there is room for */
		guest_swap_look(m, b, page, true);
	assert_int_equal(m->swap.areas, GUEST_SWAP_AREAS);
	for (u32 b = 0; b < 600; b++) {
		guest_swap_set(m, b, true);
		guest_swap_set(m, b, false);
		assert_false(guest_swap_live(m, b));
	}
	assert_int_equal(pager_reset(m), 0);
	assert_int_equal(m->swap.areas, 0);
	env_end();
}

static void the_guests_swapping_is_served_from_memory(void **s)
{
	struct vm_mem *m = swapping_guest(512);
	u32 before;

	(void)s;
	for (u32 g = 0; g < 100; g++) {
		fill_page_with(m, g, 1000 + g * 8);
		swap_out(m, g, 1 + g);
		overwrite(m, g, 50000 + g * 8);
	}
	env_check();
	assert_int_equal(m->n.swap_outs, 100);
	assert_int_equal(guest_swap_live_slots(m), 100);
	assert_int_equal(m->cache_count, 100);
	before = env.submitted;
	for (u32 g = 0; g < 100; g++) {
		assert_int_equal(io_simple(m, GUEST_IO_READ, slot_sector(1 + g), 8,
					   (u64)(100 + g) * PAGE_SIZE),
				 0);
		expect_page(m, 100 + g, 1000 + g * 8);
		expect_page(m, g, 50000 + g * 8);
	}
	assert_int_equal(env.submitted, before);
	assert_int_equal(m->n.cache_hits, 100);
	assert_int_equal(m->cache_count, 0);
	env_check();
	/* Read back and changed: the slot is dead, and of no use to the cache. */
	fill_page_with(m, 100, 7);
	evict_all(m);
	assert_true(guest_swap_dead(m, SWAP0 + 1));
	assert_true(guest_swap_live(m, SWAP0 + 2));
	env_end();
}

/* Read, evicted by another read into the same page, and asked for again: proven, and so it stays. */
static void what_is_asked_for_again_is_proven(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 256, 512, DISK0, 4000);

	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 0), 0);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 8, 8, 0), 0);
	assert_int_equal(m->cache[CACHE_PROBATION].count, 1);
	for (u32 i = 0; i < 3; i++) {
		assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, PAGE_SIZE), 0);
		assert_int_equal(m->n.cache_hits, i + 1);
		assert_int_equal(m->cache[CACHE_PROVEN].count, 0);
		assert_int_equal(io_simple(m, GUEST_IO_READ, 16 + i * 8, 8, PAGE_SIZE), 0);
		assert_int_equal(m->cache[CACHE_PROVEN].count, 1);
		assert_true(frame_of(page_cache_find(m, 0))->flags & FRAME_PROVEN);
	}
	env_check();
	env_end();
}

/* With cache=off it is not kept, and its distance is known all the same. */
static void nothing_is_kept_where_told(void **s)
{
	struct vm_mem *m = swapping_guest(512);
	u64 cold;

	(void)s;
	m->no_cache = true;
	for (u32 g = 0; g < 20; g++) {
		fill_page_with(m, g, 1000 + g * 8);
		swap_out(m, g, 1 + g);
		assert_int_equal(m->page[g].state, GPAGE_HOT);
		overwrite(m, g, 50000 + g * 8);
	}
	assert_int_equal(guest_swap_live_slots(m), 20);
	assert_int_equal(m->cache_count + m->n.cache_puts + m->soft_count, 0);
	cold = m->curve.total_cold;
	for (u32 g = 0; g < 20; g++) {
		assert_int_equal(io_simple(m, GUEST_IO_READ, slot_sector(1 + g), 8,
					   (u64)(100 + g) * PAGE_SIZE),
				 0);
		expect_page(m, 100 + g, 1000 + g * 8);
		expect_page(m, g, 50000 + g * 8);
	}
	assert_int_equal(m->n.cache_hits, 0);
	assert_int_equal(m->curve.total_cold, cold);
	env_check();
	env_end();
}

/* Dropped before the guest re-uses it: the content is on the disk, and only its distance is remembered. */
static void what_was_dropped_tells_its_distance(void **s)
{
	struct vm_mem *m = swapping_guest(256);
	u64 cold;

	(void)s;
	fill_page_with(m, 3, 300);
	swap_out(m, 3, 9);
	assert_int_equal(m->page[3].state, GPAGE_SOFT);
	evict_all(m);
	assert_int_equal(m->page[3].state, GPAGE_DISC);
	assert_true(pager_overwrite_helps(m, (gpfn_t){ 3 }));
	overwrite(m, 3, 400);
	cold = m->curve.total_cold;
	assert_int_equal(io_simple(m, GUEST_IO_READ, slot_sector(9), 8, 4 * PAGE_SIZE), 0);
	assert_int_equal(m->curve.total_cold, cold);
	assert_int_equal(m->curve.total[CURVE_DISC], cold + 1);
	expect_page(m, 4, 300);
	expect_page(m, 3, 400);
	/* Re-used by plain writes, unseen: still no cold miss. */
	fill_page_with(m, 5, 500);
	swap_out(m, 5, 10);
	fill_page_with(m, 5, 600);
	evict_all(m);
	assert_true(guest_swap_live(m, SWAP0 + 10));
	assert_int_equal(io_simple(m, GUEST_IO_READ, slot_sector(10), 8, 6 * PAGE_SIZE), 0);
	assert_int_equal(m->curve.total_cold, cold);
	expect_page(m, 6, 500);
	expect_page(m, 5, 600);
	assert_int_equal(m->n.swap_ins, 2);
	env_end();
}

static void discarded_slots_are_dead(void **s)
{
	struct vm_mem *m = swapping_guest(512);

	(void)s;
	for (u32 g = 0; g < 20; g++) {
		fill_page_with(m, g, 1000 + g * 8);
		swap_out(m, g, 1 + g);
		overwrite(m, g, 5);
	}
	assert_int_equal(m->cache_count, 20);
	assert_int_equal(io_simple(m, GUEST_IO_DISCARD, slot_sector(1), 80, 0), 0);
	assert_int_equal(guest_swap_live_slots(m), 10);
	assert_int_equal(m->cache_count, 10);
	assert_int_equal(m->n.cache_false, 10);
	env_check();
	/* A slot that is used anew drops what the cache held of it. */
	fill_page_with(m, 30, 3);
	swap_out(m, 30, 15);
	assert_int_equal(m->n.cache_false, 11);
	env_check();
	env_end();
}

/* A page that our own swap write still reads, touched, and swapped out by the guest before that write is
 * done. */
static void swapped_out_under_our_own_write(void **s)
{
	struct vm_mem *m = swapping_guest(256);
	struct guest_io io;

	(void)s;
	fill_page_with(m, 1, 50);
	for (u32 i = 0; i < 10 && !(m->page[1].flags & GPAGE_WRITEBACK); i++)
		reclaim_take(m, 1000);
	assert_true(m->page[1].flags & GPAGE_WRITEBACK);
	assert_int_equal(env.nqueue, 1);
	assert_non_null(cpu_touch(m, 1, false)); /* without waiting for the disk */
	assert_true(m->page[1].flags & GPAGE_WRITEBACK);
	io_make(&io, m, GUEST_IO_WRITE, slot_sector(3), 8, PAGE_SIZE);
	env_submit(&io);
	disk_complete(env.nqueue - 1);
	env_check();
	disk_run();
	env_check();
	expect_page(m, 1, 50);
	env_end();
}

/* At its max the cache takes the place of colder pages, and the guest never holds more. */
static void max_holds_with_a_cache(void **s)
{
	struct vm_mem *m = swapping_guest(120);

	(void)s;
	for (u32 round = 0; round < 5; round++)
		for (u32 g = 0; g < 100; g++) {
			fill_page_with(m, g, round * 10000 + g * 8);
			swap_out(m, g, 1 + g);
			overwrite(m, g, round * 10000 + 5000 + g * 8);
			if (g % 10 == 0)
				pager_scan(m);
			assert_true(vmmem_held(m) <= 120);
			disk_run();
		}
	env_check();
	for (u32 g = 0; g < 100; g++)
		expect_page(m, g, 40000 + 5000 + g * 8);
	for (u32 g = 0; g < 100; g++) {
		assert_int_equal(io_simple(m, GUEST_IO_READ, slot_sector(1 + g), 8, 200 * PAGE_SIZE), 0);
		expect_page(m, 200, 40000 + g * 8);
	}
	env_end();
}

/* A clean page of a file that is cleared for somebody else is an eviction too. */
static void a_file_page_that_is_cleared_goes_to_the_cache(void **s)
{
	struct vm_mem *m;
	u32 before, g = 0;

	(void)s;
	env_start(4096, 512);
	m = env_vm(0, 256, 512, DISK0, 4000);
	for (u32 b = 0; b < 16; b++)
		fill_block(DISK0 + b * 8, 5000 + b * 8);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 128, 0), 0);
	reclaim_take(m, 1); /* unmaps all of them and drops one */
	while (m->page[g].state != GPAGE_SOFT)
		g++;
	overwrite(m, g, 9);
	assert_int_equal(m->cache_count, 1);
	before = env.submitted;
	assert_int_equal(io_simple(m, GUEST_IO_READ, g * 8, 8, 50 * PAGE_SIZE), 0);
	assert_int_equal(env.submitted, before);
	expect_page(m, 50, 5000 + g * 8);
	expect_page(m, g, 9);
	env_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_area_is_recognised),
		cmocka_unit_test(a_header_that_lies),
		cmocka_unit_test(the_guests_swapping_is_served_from_memory),
		cmocka_unit_test(what_is_asked_for_again_is_proven),
		cmocka_unit_test(nothing_is_kept_where_told),
		cmocka_unit_test(what_was_dropped_tells_its_distance),
		cmocka_unit_test(discarded_slots_are_dead),
		cmocka_unit_test(swapped_out_under_our_own_write),
		cmocka_unit_test(max_holds_with_a_cache),
		cmocka_unit_test(a_file_page_that_is_cleared_goes_to_the_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
