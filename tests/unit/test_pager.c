/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_pager.c - a guest page's life, one story a test. Random mixtures: test_pager_random.c.
 */
#include "tests/unit/pager_env.h"

#define DISK0 8000u /* first sector of guest 0's disk: swap is below */

static void zero_pages_need_no_io(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 g = 0; g < 300; g++)
		for (u32 i = 0; i < PAGE_SIZE; i += 512)
			assert_int_equal(cpu_page(m, g, false)[i], 0);
	assert_true(m->n.around > 100);
	env_check();
	evict_all(m);
	assert_int_equal(env.submitted, 0);
	assert_int_equal(swap_used(), 0);
	cpu_page(m, 5, true)[77] = 0; /* written with zeros: found */
	evict_all(m);
	assert_int_equal(env.submitted, 0);
	/* Nor does what a loader clears take frames. */
	u32 held = vmmem_held(m);

	assert_int_equal(m->page[700].state, GPAGE_ZERO);
	assert_int_equal(pager_load(m, (gpa_t){ 700 * PAGE_SIZE + 5 }, NULL, 64 * PAGE_SIZE), 0);
	assert_int_equal(vmmem_held(m), held);
	env_end();
}

static void dirty_pages_go_to_swap_and_back(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 g = 0; g < 200; g++)
		fill_page_with(m, g, 1000 + g * 8);
	evict_all(m);
	assert_int_equal(m->n.swap_writes, 200);
	assert_true(env.submitted < 20); /* clustered */
	for (u32 g = 200; g-- > 0;)
		expect_page(m, g, 1000 + g * 8);
	assert_int_equal(swap_used() - swap_copies(), 0);
	env_check();
	/* What has not changed since is not written again. */
	fill_page_with(m, 7, 3);
	evict_all(m);
	assert_int_equal(m->n.swap_writes, 201);
	assert_int_equal(m->n.copy_drops, 199);
	assert_int_equal(swap_used(), 200);
	for (u32 g = 200; g-- > 0;)
		expect_page(m, g, g == 7 ? 3 : 1000 + g * 8);
	env_check();
	/* A page that is asked for by a write keeps no copy; one that is written later loses it when it is
	 * unmapped. */
	evict_all(m);
	assert_int_equal(swap_copies(), 0);
	for (u32 g = 0; g < 200; g++)
		fill_page_with(m, g, 5 + g);
	env_check();
	evict_all(m);
	assert_int_equal(m->n.swap_writes, 401);
	for (u32 g = 0; g < 200; g++)
		expect_page(m, g, 5 + g);
	env_end();
}

static void copies_make_room(void **s)
{
	(void)s;
	env_start(4096, 256);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);
	u32 held;

	for (u32 g = 0; g < 250; g++)
		fill_page_with(m, g, 100 + g * 8);
	evict_all(m);
	for (u32 g = 0; g < 250; g++)
		expect_page(m, g, 100 + g * 8);
	assert_in_range(swap_copies(), 100, 192);
	for (u32 g = 300; g < 500; g++)
		fill_page_with(m, g, 200 + g * 8);
	/* The area holds 256 of 450 pages: copies of what stays give way. */
	held = vmmem_held(m);
	squeeze(m, 200);
	assert_true(vmmem_held(m) <= held - 200);
	assert_false(m->dead);
	env_check();
	for (u32 g = 0; g < 250; g++)
		expect_page(m, g, 100 + g * 8);
	for (u32 g = 300; g < 500; g++)
		expect_page(m, g, 200 + g * 8);
	env_end();
}

static void a_touch_under_writeback_keeps_the_page(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	fill_page_with(m, 1, 50);
	for (u32 i = 0; i < 10 && !(m->page[1].flags & GPAGE_WRITEBACK); i++)
		reclaim_take(m, 1000);
	assert_true(m->page[1].flags & GPAGE_WRITEBACK);
	env_check();
	fill_page_with(m, 1, 90);
	env_check();
	disk_run();
	assert_int_equal(m->page[1].state, GPAGE_HOT);
	assert_int_equal(swap_used(), 0);
	expect_page(m, 1, 90);
	evict_all(m);
	expect_page(m, 1, 90);
	env_end();
}

static void clean_blocks_are_dropped_and_read_again(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 b = 0; b < 32; b++)
		fill_block(DISK0 + b * 8, 5000 + b * 8);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 256, 64 * PAGE_SIZE), 0);
	assert_int_equal(env.submitted, 1);
	env_check();
	evict_all(m);
	assert_int_equal(m->n.swap_writes, 0);
	assert_int_equal(m->n.clean_drops, 32);
	assert_int_equal(m->page[70].state, GPAGE_DISC);
	for (u32 b = 0; b < 32; b++)
		expect_page(m, 64 + b, 5000 + b * 8);
	/* Written once, it must be kept by swap. */
	fill_page_with(m, 64, 1);
	evict_all(m);
	assert_int_equal(m->n.swap_writes, 1);
	expect_page(m, 64, 1);
	assert_int_equal(m->n.silent_swap_writes, 0);
	env_end();
}

static void written_pages_are_clean_after(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 g = 0; g < 16; g++)
		fill_page_with(m, g, 100 + g * 8);
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 80, 128, 0), 0);
	evict_all(m);
	assert_int_equal(m->n.swap_writes, 0);
	for (u32 g = 0; g < 16; g++)
		expect_page(m, g, 100 + g * 8);
	/* A write while the transfer is under way is seen, also through a cached translation. */
	fill_page_with(m, 3, 7000);
	struct guest_io io;
	io_make(&io, m, GUEST_IO_WRITE, 800, 8, 3 * PAGE_SIZE);
	env_submit(&io);
	fill_page_with(m, 3, 8000);
	disk_run();
	evict_all(m);
	expect_page(m, 3, 8000);
	env_end();
}

static void evicted_blocks_come_from_the_cache(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 256, 1024, DISK0, 4000);

	for (u32 b = 0; b < 64; b++)
		fill_block(DISK0 + b * 8, 5000 + b * 8);
	/* The same 8 pages read block after block: the guest evicts. */
	for (u32 b = 0; b < 64; b += 8)
		assert_int_equal(io_simple(m, GUEST_IO_READ, b * 8, 64, 0), 0);
	assert_int_equal(m->cache_count, 56);
	env_check();
	u32 before = env.submitted;
	for (u32 b = 0; b < 56; b += 8) {
		assert_int_equal(io_simple(m, GUEST_IO_READ, b * 8, 64, 0), 0);
		for (u32 g = 0; g < 8; g++)
			expect_page(m, g, 5000 + (b + g) * 8);
	}
	assert_int_equal(env.submitted, before);
	assert_int_equal(m->n.cache_hits, 56);
	env_check();
	/* A block that a clean page holds is not cached. */
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 100 * PAGE_SIZE), 0);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 101 * PAGE_SIZE), 0);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 640, 8, 100 * PAGE_SIZE), 0);
	assert_true(pfn_none(page_cache_find(m, 0)));
	env_check();
	/* Overwriting a block drops it from the cache. */
	fill_page_with(m, 9, 1);
	assert_false(pfn_none(page_cache_find(m, 20)));
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 160, 8, 9 * PAGE_SIZE), 0);
	assert_true(pfn_none(page_cache_find(m, 20)));
	assert_int_equal(io_simple(m, GUEST_IO_READ, 160, 8, 10 * PAGE_SIZE), 0);
	expect_page(m, 10, 1);
	env_end();
}

static void overwritten_blocks_are_rescued(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 b = 0; b < 16; b++)
		fill_block(DISK0 + b * 8, 5000 + b * 8);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 128, 0), 0);
	evict_all(m);
	fill_page_with(m, 500, 1);
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 16, 8, 500 * PAGE_SIZE), 0);
	assert_int_equal(m->n.rescues, 1);
	assert_int_equal(io_simple(m, GUEST_IO_WRITE_ZEROES, 60, 13, 0), 0);
	assert_int_equal(m->n.rescues, 4);
	env_check();
	evict_all(m);
	for (u32 b = 0; b < 16; b++)
		expect_page(m, b, 5000 + b * 8);
	assert_int_equal(sector_get(env.disk + (DISK0 + 59) * SECTOR_SIZE), 5059);
	assert_int_equal(sector_get(env.disk + (DISK0 + 60) * SECTOR_SIZE), 0);
	assert_int_equal(sector_get(env.disk + (DISK0 + 72) * SECTOR_SIZE), 0);
	assert_int_equal(sector_get(env.disk + (DISK0 + 73) * SECTOR_SIZE), 5073);
	/* All of the disk at once. */
	evict_all(m);
	assert_int_equal(io_simple(m, GUEST_IO_WRITE_ZEROES, 0, 4000, 0), 0);
	for (u32 b = 0; b < 16; b++)
		expect_page(m, b, 5000 + b * 8);
	assert_int_equal(m->blockmap_count, 0);
	env_end();
}

/* The host disk keeps what it has, so pages that live there can stay; what is cached is forgotten. */
static void a_discard_rescues_nothing(void **s)
{
	u32 submitted;

	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 12000);

	for (u32 b = 0; b < 17; b++)
		fill_block(DISK0 + b * 8, 5000 + b * 8);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 128, 8, 200 * PAGE_SIZE), 0);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 8000, 8, 200 * PAGE_SIZE), 0);
	assert_false(pfn_none(page_cache_find(m, 16)));
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 128, 0), 0);
	for (u32 g = 0; g < 8; g++)
		assert_int_equal(reclaim_take(m, 2), 2);
	assert_int_equal(m->page[0].state, GPAGE_DISC);
	submitted = env.submitted;
	/* More than goes at once. */
	assert_int_equal(io_simple(m, GUEST_IO_DISCARD, 0, 12000, 0), 0);
	assert_int_equal(env.submitted, submitted);
	assert_int_equal(m->n.rescues, 0);
	assert_int_equal(m->page[0].state, GPAGE_DISC);
	assert_true(pfn_none(page_cache_find(m, 16)));
	for (u32 b = 0; b < 16; b++)
		expect_page(m, b, 5000 + b * 8);
	env_end();
}

static void evicted_sources_are_not_brought_back(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 g = 0; g < 20; g++)
		fill_page_with(m, g, 300 + g * 8);
	evict_all(m);
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 0, 200, 0), 0); /* 20 in swap, 5 of zeros */
	assert_int_equal(m->n.bounce_reads, 20);
	assert_int_equal(vmmem_held(m), 0);
	assert_int_equal(m->n.double_paging, 0);
	for (u32 g = 0; g < 25 * 8; g++)
		assert_int_equal(sector_get(env.disk + (DISK0 + g) * SECTOR_SIZE), g < 160 ? 300 + g : 0);
	/* Nor are those of a transfer of odd bytes. */
	struct guest_io io;

	evict_all(m);
	io_make(&io, m, GUEST_IO_WRITE, 400, 9, 0);
	io.nsegs = 3;
	io.segs[0] = (struct guest_seg_io){ { 2 * PAGE_SIZE }, 100 };
	io.segs[1] = (struct guest_seg_io){ { 2 * PAGE_SIZE + 100 }, PAGE_SIZE - 100 };
	io.segs[2] = (struct guest_seg_io){ { 30 * PAGE_SIZE }, SECTOR_SIZE };
	assert_int_equal(io_now(&io), 0);
	assert_int_equal(m->page[2].state, GPAGE_SWAP);
	assert_int_equal(m->n.double_paging, 0);
	for (u32 i = 0; i < 9; i++)
		assert_int_equal(sector_get(env.disk + (DISK0 + 400 + i) * SECTOR_SIZE), i < 8 ? 316 + i : 0);
	env_check();
	/* Targets that are evicted are not read. */
	u32 reads = (u32)(m->n.swap_reads + m->n.disc_reads);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 80, 80, 0), 0);
	assert_int_equal(m->n.overwrites_unread, 10);
	assert_int_equal(m->n.swap_reads + m->n.disc_reads, reads);
	expect_page(m, 0, 380);
	expect_page(m, 10, 380);
	env_end();
}

static void odd_transfers(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4001);
	struct guest_io io;
	u8 *p;

	/* Bytewise segments across pages, twice the same page. */
	io_make(&io, m, GUEST_IO_WRITE, 1, 2, 0);
	p = cpu_page(m, 0, true);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		p[i] = (u8)(i * 7);
	p = cpu_page(m, 1, true);
	memset(p, 0x11, PAGE_SIZE);
	evict_all(m);
	io.nsegs = 3;
	io.segs[0] = (struct guest_seg_io){ { 4001 }, 500 };
	io.segs[1] = (struct guest_seg_io){ { 3 }, 24 };
	io.segs[2] = (struct guest_seg_io){ { 10 }, 500 };
	assert_int_equal(io_now(&io), 0);
	for (u32 i = 0; i < 1024; i++) {
		u32 at = i < 95 ? 4001 + i : i < 500 ? 0 : i < 524 ? 3 + i - 500 : 10 + i - 524;

		assert_int_equal(env.disk[(DISK0 + 1) * 512 + i], i >= 95 && i < 500 ? 0x11 : (u8)(at * 7));
	}
	/* Back, to other odd places. */
	io_make(&io, m, GUEST_IO_READ, 1, 2, 0);
	io.nsegs = 2;
	io.segs[0] = (struct guest_seg_io){ { 5 * PAGE_SIZE - 7 }, 1000 };
	io.segs[1] = (struct guest_seg_io){ { 77 }, 24 };
	assert_int_equal(io_now(&io), 0);
	assert_int_equal(cpu_page(m, 4, false)[4095], env.disk[(DISK0 + 1) * 512 + 6]);
	assert_int_equal(cpu_page(m, 5, false)[0], env.disk[(DISK0 + 1) * 512 + 7]);
	assert_int_equal(cpu_page(m, 0, false)[77], env.disk[(DISK0 + 1) * 512 + 1000]);
	/* One page twice in a request: the later segment wins. */
	fill_block(DISK0 + 8, 40);
	fill_block(DISK0 + 16, 60);
	io_make(&io, m, GUEST_IO_READ, 8, 16, 0);
	io.nsegs = 2;
	io.segs[0] = io.segs[1] = (struct guest_seg_io){ { 7 * PAGE_SIZE }, PAGE_SIZE };
	assert_int_equal(io_now(&io), 0);
	expect_page(m, 7, 60);
	/* Eight segments that are one page. */
	io_make(&io, m, GUEST_IO_READ, 8, 8, 0);
	io.nsegs = 8;
	for (u32 i = 0; i < 8; i++)
		io.segs[i] = (struct guest_seg_io){ { 8 * PAGE_SIZE + i * 512 }, 512 };
	assert_int_equal(io_now(&io), 0);
	assert_int_equal(blockmap_block_of(m, 8), 1);
	/* Odd bytes that make up a whole page: what was there is not read. */
	fill_page_with(m, 20, 900);
	evict_all(m);
	u64 before = m->n.swap_reads;
	io_make(&io, m, GUEST_IO_READ, 8, 9, 0);
	io.nsegs = 3;
	io.segs[0] = (struct guest_seg_io){ { 21 * PAGE_SIZE }, 100 };
	io.segs[1] = (struct guest_seg_io){ { 20 * PAGE_SIZE }, PAGE_SIZE };
	io.segs[2] = (struct guest_seg_io){ { 21 * PAGE_SIZE + 100 }, SECTOR_SIZE - 100 };
	assert_int_equal(io_now(&io), 0);
	assert_int_equal(m->n.swap_reads, before);
	assert_int_equal(m->n.stale_reads, 0);
	assert_memory_equal(cpu_page(m, 20, false), env.disk + (DISK0 + 8) * SECTOR_SIZE + 100, PAGE_SIZE);
	/* Not aligned to blocks: no association. The disk's tail: none either. */
	assert_int_equal(io_simple(m, GUEST_IO_READ, 9, 8, 9 * PAGE_SIZE), 0);
	assert_int_equal(blockmap_block_of(m, 9), BLOCK_NONE);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 4000, 1, 9 * PAGE_SIZE), 0);
	env_check();
	/* Refused. */
	assert_int_equal(io_simple(m, GUEST_IO_READ, 4000, 2, 0), E_RANGE);
	assert_int_equal(io_simple(m, GUEST_IO_READ, ~0ull - 3, 8, 0), E_RANGE);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 1024ull * PAGE_SIZE - 512), E_RANGE);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, ~0ull - 100), E_RANGE);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 2049, 0), E_INVAL);
	assert_int_equal(io_simple(m, 9, 0, 8, 0), E_INVAL);
	io_make(&io, m, GUEST_IO_READ, 0, 8, 0);
	io.segs[0].len = 4095;
	assert_int_equal(io_now(&io), E_INVAL);
	m->disk[0].read_only = true;
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 0, 8, 0), E_NOTSUP);
	env_end();
}

static void overlapping_requests_wait(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);
	struct guest_io a, b, c, d;

	fill_page_with(m, 0, 10);
	fill_page_with(m, 1, 30);
	io_make(&a, m, GUEST_IO_WRITE, 0, 8, 0);
	io_make(&b, m, GUEST_IO_READ, 4, 8, 2 * PAGE_SIZE);
	io_make(&c, m, GUEST_IO_WRITE, 6, 8, PAGE_SIZE);
	io_make(&d, m, GUEST_IO_FLUSH, 0, 0, 0);
	io_ended = 0;
	env_submit(&a);
	env_submit(&b);
	env_submit(&c);
	env_submit(&d);
	assert_int_equal(env.nqueue, 1);
	disk_run(); /* the fake disk asserts that no overlapping ones meet */
	assert_int_equal(io_ended, 4);
	assert_int_equal(sector_get(cpu_page(m, 2, false)), 14);
	assert_int_equal(sector_get(env.disk + (DISK0 + 6) * SECTOR_SIZE), 30);
	env_check();
	env_end();
}

static void pins(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);
	void *p, *q;
	u32 n = 0;

	fill_block(DISK0, 5);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 0), 0);
	assert_int_equal(pager_pin(m, (gpa_t){ 512 }, 8, true, &p), 0);
	assert_int_equal(blockmap_block_of(m, 0), BLOCK_NONE);
	squeeze(m, 2000);
	assert_int_equal(m->page[0].state, GPAGE_HOT);
	/* A read into a pinned page happens in place. */
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 0), 0);
	assert_int_equal(sector_get(p), 6);
	assert_int_equal(blockmap_block_of(m, 0), BLOCK_NONE);
	/* A write from it does not make it clean: the device may write it at any time. */
	assert_int_equal(io_simple(m, GUEST_IO_WRITE, 0, 8, 0), 0);
	assert_int_equal(blockmap_block_of(m, 0), BLOCK_NONE);
	sector_set(p, 99);
	pager_unpin(m, (gpa_t){ 512 });
	evict_all(m);
	assert_int_equal(pager_pin(m, (gpa_t){ 512 }, 8, false, &q), E_AGAIN);
	disk_run();
	assert_int_equal(env.wakes[0], 1);
	assert_int_equal(pager_pin(m, (gpa_t){ 512 }, 8, false, &q), 0);
	assert_int_equal(sector_get(q), 99);
	pager_unpin(m, (gpa_t){ 512 });
	assert_int_equal(pager_pin(m, (gpa_t){ 4090 }, 8, false, &q), E_RANGE);
	assert_int_equal(pager_pin(m, (gpa_t){ 1024ull * 4096 }, 1, false, &q), E_RANGE);
	while (pager_pin(m, (gpa_t){ 4096 }, 8, false, &q) == 0)
		n++;
	assert_true(n >= 256 && n < 2000);
	while (n--)
		pager_unpin(m, (gpa_t){ 4096 });
	env_check();
	env_end();
}

static void overwrite_whole_pages(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);
	u8 page[PAGE_SIZE] = { 0 };

	fill_page_with(m, 1, 5);
	evict_all(m);
	sector_set(page, 77);
	assert_true(pager_overwrite_helps(m, (gpfn_t){ 1 }));
	assert_true(overwrite_now(m, 1, page));
	assert_int_equal(m->n.swap_reads, 0);
	assert_int_equal(swap_used(), 0);
	evict_all(m);
	assert_int_equal(sector_get(cpu_page(m, 1, false)), 77);
	/* In memory: where it is. */
	sector_set(page, 78);
	assert_false(pager_overwrite_helps(m, (gpfn_t){ 1 }));
	assert_true(overwrite_now(m, 1, page));
	assert_int_equal(sector_get(cpu_page(m, 1, false)), 78);
	assert_int_equal(m->n.overwrites_unread, 1);
	env_end();
}

static void failures_stop_one_guest(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000), *o = env_vm(1, 1024, 1024, DISK0 + 4000, 4000);

	for (u32 g = 0; g < 50; g++) {
		fill_page_with(m, g, 5 + g * 8);
		fill_page_with(o, g, 6 + g * 8);
	}
	evict_all(m);
	evict_all(o);
	env.fail_in = 1;
	assert_null(cpu_page(m, 3, false));
	assert_int_equal(env.failures[0], 1);
	assert_non_null(strstr(env.reason[0], "hd0"));
	assert_true(m->dead);
	env_check();
	for (u32 g = 0; g < 50; g++)
		expect_page(o, g, 6 + g * 8);
	assert_int_equal(io_simple(m, GUEST_IO_READ, 0, 8, 0), E_IO);
	assert_int_equal(pager_reset(m), 0);
	assert_false(m->dead);
	env_check();
	assert_int_equal(sector_get(cpu_page(m, 3, false)), 0);
	env_end();
}

static void reset_with_everything_in_flight(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);
	static struct guest_io io[40];

	for (u32 g = 0; g < 100; g++)
		fill_page_with(m, g, 5 + g * 8);
	squeeze(m, 50);
	io_ended = 0;
	for (u32 i = 0; i < 40; i++) {
		io_make(&io[i], m, i % 3 ? GUEST_IO_READ : GUEST_IO_WRITE, i * 16, 32, i * 2 * PAGE_SIZE);
		env_submit(&io[i]);
		reclaim_take(m, 3);
		cpu_touch(m, 99 - i, true);
	}
	env_check();
	assert_int_equal(pager_reset(m), E_AGAIN);
	while (pager_reset(m) == E_AGAIN)
		assert_true(disk_one());
	assert_int_equal(io_ended, 40);
	assert_int_equal(vmmem_held(m), 0);
	assert_int_equal(swap_used(), 0);
	env_check();
	for (u32 g = 0; g < 100; g++)
		assert_int_equal(sector_get(cpu_page(m, g, false)), 0);
	env_end();
}

static void max_is_kept_and_the_rich_pay(void **s)
{
	(void)s;
	env_start(1600, 1400);
	struct vm_mem *a = env_vm(0, 900, 300, DISK0, 4000), *b = env_vm(1, 900, 900, DISK0 + 4000, 4000);
	struct vm_mem *c = env_vm(2, 900, 900, DISK0 + 8000, 2000);
	u32 low = 900;

	for (u32 g = 0; g < 600; g++) {
		fill_page_with(a, g, 1 + g * 8);
		assert_true(vmmem_held(a) <= 300);
	}
	for (u32 g = 0; g < 900; g++)
		fill_page_with(b, g, 2 + g * 8);
	b->target = 500;
	b->min = 400;
	for (u32 g = 0; g < 800; g++) {
		fill_page_with(c, g, 3 + g * 8);
		low = MIN(low, vmmem_held(b));
		assert_true(frame_free() >= 1);
	}
	assert_in_range(low, 400, 600);
	env_check();
	for (u32 g = 0; g < 600; g++)
		expect_page(a, g, 1 + g * 8);
	for (u32 g = 0; g < 900; g++)
		expect_page(b, g, 2 + g * 8);
	for (u32 g = 0; g < 800; g++)
		expect_page(c, g, 3 + g * 8);
	env_check();
	env_end();
}

/* b reads round and round for the first time, above its target; a, below its own, sleeps on pages that it has
 * not touched for long. */
static void idle_pages_go_first(void **s)
{
	struct vm_mem *a, *b;

	(void)s;
	env_start(1600, 1400);
	a = env_vm(0, 900, 900, DISK0, 4000);
	b = env_vm(1, 900, 900, DISK0 + 4000, 8000);
	a->target = b->target = 700;
	a->min = 200;
	for (u32 g = 0; g < 700; g++)
		fill_page_with(a, g, 1 + g * 8);
	for (u32 pass = 0; pass < 15; pass++) {
		pager_scan(a);
		pager_scan(b);
		fake_tsc += arch_ns_to_tsc(1000000000ull);
		for (u32 g = 0; g < 50; g++)
			cpu_page(a, g, false);
	}
	assert_in_range(a->idle.pages, 600, 660);
	for (u32 g = 0; g < 900; g += 10) {
		assert_int_equal(io_simple(b, GUEST_IO_READ, g * 8, 80, (u64)g * PAGE_SIZE), 0);
		for (u32 i = 0; i < 20; i++)
			pager_chore();
	}
	disk_run();
	assert_true(vmmem_held(b) > 800 && b->n.clean_drops < 60);
	assert_in_range(vmmem_held(a), 200, 650);
	env_check();
	/* What it still touches stayed; the rest comes back, at the other's expense, as it is below its
	 * target. */
	for (u32 g = 0; g < 50; g++)
		assert_int_equal(a->page[g].state, GPAGE_HOT);
	for (u32 g = 0; g < 700; g++)
		expect_page(a, g, 1 + g * 8);
	assert_true(vmmem_held(a) > 600);
	env_check();
	env_end();
}

static void scanning_ages_pages(void **s)
{
	(void)s;
	env_start(4096, 512);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 g = 0; g < 512; g++)
		cpu_page(m, g, true);
	for (u32 pass = 0; pass < 6; pass++) {
		pager_scan(m);
		assert_true(m->slat.stale);
		for (u32 g = 0; g < 100; g++)
			cpu_page(m, g, false);
		env_check();
	}
	/* The cold ones go first, without a touch of the others. */
	for (u32 g = 0; g < 340; g++) { /* the soft ones stay a batch ahead */
		assert_int_equal(reclaim_take(m, 1), 1);
	}
	for (u32 g = 0; g < 100; g++)
		assert_int_equal(m->page[g].state, GPAGE_HOT);
	env_check();
	env_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_pages_need_no_io),
		cmocka_unit_test(dirty_pages_go_to_swap_and_back),
		cmocka_unit_test(copies_make_room),
		cmocka_unit_test(a_touch_under_writeback_keeps_the_page),
		cmocka_unit_test(clean_blocks_are_dropped_and_read_again),
		cmocka_unit_test(written_pages_are_clean_after),
		cmocka_unit_test(evicted_blocks_come_from_the_cache),
		cmocka_unit_test(overwritten_blocks_are_rescued),
		cmocka_unit_test(a_discard_rescues_nothing),
		cmocka_unit_test(evicted_sources_are_not_brought_back),
		cmocka_unit_test(odd_transfers),
		cmocka_unit_test(overlapping_requests_wait),
		cmocka_unit_test(pins),
		cmocka_unit_test(overwrite_whole_pages),
		cmocka_unit_test(failures_stop_one_guest),
		cmocka_unit_test(reset_with_everything_in_flight),
		cmocka_unit_test(max_is_kept_and_the_rich_pay),
		cmocka_unit_test(idle_pages_go_first),
		cmocka_unit_test(scanning_ages_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
