/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_zip.c - cold pages compressed in memory, one story a test. Random mixtures: test_pager_random.c.
 */
#include "mm/pager/zip.h"
#include "tests/unit/pager_env.h"

#define PAGES 300u
#define MAY_HOLD 200u
#define DISK 10000u

/* A guest of PAGES pages that may hold MAY_HOLD frames and has written pages [0, n), each its number in every
 * sector. */
static struct vm_mem *guest(u32 n, u8 percent)
{
	struct vm_mem *m;

	env_start(700, 700);
	m = env_vm(0, PAGES, MAY_HOLD, DISK, 2000);
	m->zplan.percent = percent;
	zip_plan(m);
	for (u32 g = 0; g < n; g++) {
		u8 *p = cpu_page(m, g, true);

		for (u32 s = 0; s < 8; s++)
			sector_set(p + s * SECTOR_SIZE, 1000 + g);
		if (g % 20 == 0)
			zip_plan(m); /* a share of what it has */
	}
	return m;
}

static void right(struct vm_mem *m, u32 g)
{
	const u8 *p = cpu_page(m, g, false);

	for (u32 s = 0; s < 8; s++)
		assert_int_equal(sector_get(p + s * SECTOR_SIZE), 1000 + g);
}

static u32 first_in(const struct vm_mem *m, u8 state)
{
	u32 g = 0;

	while (g < PAGES && m->page[g].state != state)
		g++;
	assert_true(g < PAGES);
	return g;
}

static void instead_of_writing(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 50);
	u32 g;

	(void)s;
	assert_true(m->n.zip_puts >= 80);
	assert_int_equal(m->n.swap_writes, 0);
	assert_true(vmmem_held(m) <= MAY_HOLD);
	assert_true(m->zip.frames * 8 < m->zip.pages); /* nearly all zeros: a chunk each */
	env_check();
	/* A touch brings it back at once, with the same content, dirty. */
	g = first_in(m, GPAGE_ZIP);
	assert_int_equal(pager_fault(m, (gpfn_t){ g }, false), V_RETRY);
	assert_int_equal(m->page[g].state, GPAGE_HOT);
	assert_true(m->page[g].flags & GPAGE_DIRTY);
	assert_int_equal(m->n.zip_hits, 1);
	assert_int_equal(env.submitted, 0);
	for (u32 i = 0; i < PAGES - 20; i++)
		right(m, i);
	assert_int_equal(env.submitted, 0);
	env_end();
}

static void off_is_off(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 0);

	(void)s;
	assert_int_equal(m->n.zip_puts + m->n.zip_refused + m->zplan.tried, 0);
	assert_true(m->n.swap_writes > 0);
	env_end();
}

/* The oldest go on to the swap area when the store is full, so that what comes next has room; nothing is
 * lost. */
static void the_oldest_go_on(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 1);
	u64 before;

	(void)s;
	for (u32 i = 0; i < 20; i++) {
		reclaim_take(m, 40);
		disk_run();
		pager_chore();
		env_check();
	}
	assert_true(m->n.zip_ousted > 0);
	assert_true(m->n.swap_writes >= m->n.zip_ousted);
	assert_true(m->zip.frames <= m->zplan.budget + 1);
	/* And all of them when the budget goes. */
	m->zplan.percent = 0;
	zip_plan(m);
	for (u32 i = 0; i < 50 && m->zip.pages; i++) {
		pager_chore();
		disk_run();
	}
	assert_int_equal(m->zip.pages, 0);
	assert_int_equal(frame_count_vm(m->id, FRAME_ZIP), 0);
	env_check();
	before = m->n.zip_puts;
	for (u32 i = 0; i < PAGES - 20; i++)
		right(m, i);
	assert_int_equal(m->n.zip_puts, before);
	env_end();
}

static void what_does_not_compress_is_written(void **s)
{
	struct vm_mem *m = guest(60, 50);
	u8 noise[PAGE_SIZE];

	(void)s;
	for (u32 g = 0; g < 60; g++) {
		u8 *p = cpu_page(m, g, true);

		for (u32 i = 0; i < PAGE_SIZE; i++)
			p[i] = noise[i] = (u8)env_rand(256);
	}
	for (u32 i = 0; i < 12; i++) {
		reclaim_take(m, 40);
		disk_run();
	}
	assert_true(m->n.zip_refused > 0);
	assert_true(m->n.swap_writes > 0);
	assert_int_equal(m->n.zip_puts, 0);
	env_check();
	assert_memory_equal(cpu_page(m, 59, false), noise, PAGE_SIZE);
	env_end();
}

static void overwritten_unread(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 50);
	u32 g = first_in(m, GPAGE_ZIP), pages = m->zip.pages;
	u8 sevens[PAGE_SIZE];

	(void)s;
	memset(sevens, 7, sizeof(sevens));
	assert_true(pager_overwrite_helps(m, (gpfn_t){ g }));
	assert_true(overwrite_now(m, g, sevens));
	assert_true(m->zip.pages >= pages - 1); /* a frame for it may have cost another page its own */
	assert_int_equal(m->n.overwrites_unread, 1);
	assert_int_equal(m->n.zip_hits, 0);
	env_check();
	env_end();
}

/* The guest writes such a page to its disk: from a copy, the page stays compressed. And reads into one:
 * unread. */
static void guest_disk_transfers(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 50);
	u32 g = first_in(m, GPAGE_ZIP);

	(void)s;
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 80, 8, (u64)g * PAGE_SIZE), 0);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(sector_get(env.disk + (DISK + 80 + i) * SECTOR_SIZE), 1000 + g);
	assert_int_equal(m->page[g].state, GPAGE_ZIP);
	assert_int_equal(m->n.zip_hits, 0);
	env_check();
	for (u32 i = 0; i < 8; i++)
		sector_set(env.disk + (DISK + 160 + i) * SECTOR_SIZE, 77 + i);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 160, 8, (u64)g * PAGE_SIZE), 0);
	assert_int_equal(m->page[g].state, GPAGE_HOT);
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(sector_get(cpu_page(m, g, false) + i * SECTOR_SIZE), 77 + i);
	/* A part of another: that has to be brought back. */
	g = first_in(m, GPAGE_ZIP);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 163, 2, (u64)g * PAGE_SIZE + SECTOR_SIZE), 0);
	assert_int_equal(sector_get(cpu_page(m, g, false)), 1000 + g);
	assert_int_equal(sector_get(cpu_page(m, g, false) + SECTOR_SIZE), 80);
	assert_int_equal(m->n.stale_reads + m->n.double_paging + m->n.silent_swap_writes, 0);
	env_check();
	env_end();
}

static void reset_gives_all_back(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 50);

	(void)s;
	assert_true(m->zip.frames > 0);
	assert_int_equal(pager_reset(m), 0);
	assert_int_equal(vmmem_held(m), 0);
	assert_int_equal(m->zip.pages + m->zip.frames + m->zip.chunks, 0);
	assert_int_equal(m->zplan.percent, 50); /* the operator's word stays */
	env_check();
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(sector_get(cpu_page(m, 3, false) + i * SECTOR_SIZE), 0);
	env_end();
}

/* Clean pages that a slot still holds would have to be read again: the store takes them, and the slot is
 * free. */
static void copies_in_slots_too(void **s)
{
	struct vm_mem *m = guest(PAGES - 20, 0);
	u32 used;

	(void)s;
	for (u32 g = 0; g < PAGES - 20; g++)
		right(m, g);
	disk_run();
	used = swap_used();
	assert_true(swap_copies() > 0);
	m->zplan.percent = 50;
	zip_plan(m);
	for (u32 i = 0; i < 6; i++)
		reclaim_take(m, 30);
	assert_true(m->n.zip_puts > 0);
	assert_true(swap_used() < used);
	disk_run();
	env_check();
	for (u32 g = 0; g < PAGES - 20; g++)
		right(m, g);
	env_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instead_of_writing),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(the_oldest_go_on),
		cmocka_unit_test(what_does_not_compress_is_written),
		cmocka_unit_test(overwritten_unread),
		cmocka_unit_test(guest_disk_transfers),
		cmocka_unit_test(reset_gives_all_back),
		cmocka_unit_test(copies_in_slots_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
