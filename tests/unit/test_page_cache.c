/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @mem tests/fake/fake_arch.c */
/*
 * test_page_cache.c - the exclusive cache against a plain model: find, LRU order, bounds, ghosts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pager/blockmap.h"
#include "mm/pager/page_cache.h"
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
	struct boot_range r = { 0, 4096 * PAGE_SIZE, true };

	fake_arena(4096);
	assert_int_equal(frame_init(&r, 1, NULL, 0), 0);
	memset(vmmem_all, 0, sizeof(vmmem_all));
	memset(&m, 0, sizeof(m));
	m.max = 2000;
	m.disk[1] = (struct guest_disk){ .used = true, .ext = { &dev, 5, 8003 } };
	m.disk[3] = (struct guest_disk){ .used = true, .ext = { &dev, 10000, 16000 } };
	assert_int_equal(vmmem_init(&m, NULL, 0, 1000, &format), 0);
}

static u32 stamp_now(void)
{
	u8 age;

	ages_arrive(&m.ages, &age);
	return ages_evict(&m.ages, &age);
}

static bool put_as(u32 block, bool proven)
{
	pfn_t p = frame_get(0, FRAME_FILLING, false);

	if (page_cache_put(&m, p, block, stamp_now(), proven))
		return true;
	frame_put(p);
	return false;
}

static bool put(u32 block)
{
	return put_as(block, false);
}

static void against_a_model(void **s)
{
	static u32 order[3000];
	static bool proven[900];
	u32 n = 0, nproven = 0;
	unsigned int seed = 9;

	(void)s;
	ready();
	for (u32 i = 0; i < 30000; i++) {
		u32 r = (u32)rand_r(&seed), block = r / 4 % 900, at;
		pfn_t p = page_cache_find(&m, block);

		for (at = 0; at < n && order[at] != block; at++)
			;
		assert_int_equal(!pfn_none(p), at < n);
		if (r % 4 < 2) {
			assert_int_equal(put_as(block, r & 128), at == n);
			if (at == n) {
				order[n++] = block;
				proven[block] = r & 128;
				nproven += proven[block];
			}
			continue;
		}
		/* one goes: the oldest of those on probation while they are more than an eighth */
		if (r % 4 == 3 && n) {
			bool from_proven = nproven && n - nproven <= nproven / 7;

			for (at = 0; proven[order[at]] != from_proven; at++)
				;
			p = page_cache_victim(&m);
			assert_int_equal(frame_of(p)->block, order[at] + 1);
			page_cache_drop(&m, p, r & 64);
		} else if (at < n) {
			page_cache_take(&m, p);
			assert_int_equal(frame_of(p)->block, 0);
			frame_put(p);
		} else {
			continue;
		}
		nproven -= proven[order[at]];
		memmove(order + at, order + at + 1, (n - at) * sizeof(order[0]));
		n--;
		assert_int_equal(m.cache_count, n);
	}
	vmmem_destroy(&m);
	assert_int_equal(frame_held(0), 0);
	assert_int_equal(frame_recount(NULL, NULL), 0);
}

/* One pass over a big file, through a cache of 100 frames, of which 90 hold what has been asked for again. */
static void one_read_of_a_big_file(void **s)
{
	u32 left = 0;

	(void)s;
	ready();
	for (u32 b = 0; b < 90; b++)
		assert_true(put_as(b, true));
	for (u32 b = 1000; b < 3000; b++) {
		assert_true(put_as(b, false));
		if (m.cache_count > 100)
			page_cache_drop(&m, page_cache_victim(&m), true);
	}
	for (u32 b = 0; b < 90; b++)
		left += !pfn_none(page_cache_find(&m, b));
	assert_in_range(left, 85, 90);
	/* They do leave, if nobody asks for them: the newest of the others stay a share. */
	for (u32 b = 3000; b < 3100; b++) {
		assert_true(put_as(b, true));
		page_cache_drop(&m, page_cache_victim(&m), true);
	}
	for (u32 b = 0; b < 90; b++)
		assert_true(pfn_none(page_cache_find(&m, b)));
	vmmem_destroy(&m);
}

static void ghosts(void **s)
{
	u32 st, before;

	(void)s;
	ready();
	assert_false(page_cache_ghost_take(&m, 7, &st));
	assert_true(put(7));
	before = frame_of(page_cache_find(&m, 7))->stamp;
	page_cache_drop(&m, page_cache_victim(&m), true);
	assert_true(page_cache_ghost_take(&m, 7, &st));
	assert_int_equal(st, before);
	assert_false(page_cache_ghost_take(&m, 7, &st));
	assert_true(put(7));
	page_cache_drop(&m, page_cache_victim(&m), false);
	assert_false(page_cache_ghost_take(&m, 7, &st));
	for (u32 b = 0; b < 5000; b++) /* more than there is room for */
		page_cache_ghost_put(&m, b, stamp_now());
	assert_true(page_cache_ghost_take(&m, 4999, &st));
	vmmem_destroy(&m);
}

static void bounded_chains(void **s)
{
	u32 n = 0, same = 0;

	(void)s;
	ready();
	/* A hostile guest picks blocks that collide. */
	for (u32 b = 1; n < 200; b++) {
		if (blockmap_hash(b, m.cache_buckets) != 3)
			continue;
		same += put(b);
		n++;
	}
	assert_in_range(same, 8, 64);
	vmmem_destroy(&m);
}

static void blocks_and_disks(void **s)
{
	const struct guest_disk *d;
	u64 sector;

	(void)s;
	ready();
	assert_int_equal(m.disk[1].nblocks, 1000);
	assert_int_equal(m.disk[3].base, 1000);
	assert_int_equal(blockmap_block_at(&m, 1, 8), 1);
	assert_int_equal(blockmap_block_at(&m, 1, 9), BLOCK_NONE);
	assert_int_equal(blockmap_block_at(&m, 1, 8000), BLOCK_NONE); /* the tail is no block */
	assert_int_equal(blockmap_block_at(&m, 3, 8), 1001);
	assert_int_equal(blockmap_block_at(&m, 0, 0), BLOCK_NONE);
	assert_int_equal(blockmap_block_at(&m, 1, ~7ull), BLOCK_NONE);
	assert_true(blockmap_locate(&m, 999, &d, &sector));
	assert_int_equal(sector, 5 + 999 * 8);
	assert_true(blockmap_locate(&m, 1000, &d, &sector));
	assert_int_equal(sector, 10000);
	assert_false(blockmap_locate(&m, 3000, &d, &sector));
	vmmem_destroy(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_a_model),  cmocka_unit_test(one_read_of_a_big_file),
		cmocka_unit_test(ghosts),           cmocka_unit_test(bounded_chains),
		cmocka_unit_test(blocks_and_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
