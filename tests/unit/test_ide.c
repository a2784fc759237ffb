/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/ide_prd.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_ide.c - physical region descriptors: merging, boundaries, reach, resuming; and
 * random requests against a byte-by-byte model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/ide.h"
#include "kernel/lib/lib.h"
#include "tests/fake/fake_arch.h"

#define ALL 0x1000000u

static struct ide_prd table[512];

static void expect(u32 i, u32 addr, u32 bytes)
{
	assert_int_equal(table[i].addr, addr);
	assert_int_equal(table[i].bytes, (u16)bytes);
}

static void test_merges_neighbours(void **state)
{
	struct block_seg s[] = {
		{ { 0x10000 }, 4096 }, { { 0x11000 }, 4096 }, { { 0x20000 }, 512 }, { { 0x30000 }, 512 }
	};
	struct ide_cursor c = { 0, 0 };
	u32 n;

	(void)state;
	assert_int_equal(ide_prd_build(s, 4, &c, ALL, table, 512, &n), 8192 + 1024);
	assert_int_equal(n, 3);
	expect(0, 0x10000, 8192);
	expect(1, 0x20000, 512);
	expect(2, 0x30000, 512);
	assert_int_equal(table[0].flags | table[1].flags, 0);
	assert_int_equal(table[2].flags, IDE_PRD_END);
	assert_int_equal(ide_prd_build(s, 4, &c, ALL, table, 512, &n), 0);
	assert_int_equal(n, 0);
}

static void test_boundary(void **state)
{
	struct block_seg s[] = { { { 0x1f000 }, 0x22000 }, { { 0x41000 }, 0x1000 } };
	struct ide_cursor c = { 0, 0 };
	u32 n;

	(void)state;
	assert_int_equal(ide_prd_build(s, 2, &c, ALL, table, 512, &n), 0x23000);
	assert_int_equal(n, 4);
	expect(0, 0x1f000, 0x1000);
	expect(1, 0x20000, 0x10000); /* stored as 0 */
	expect(2, 0x30000, 0x10000);
	expect(3, 0x40000, 0x2000);
}

static void test_resumes(void **state)
{
	struct block_seg s[] = { { { 0x10000 }, 8192 }, { { 0x40000 }, 8192 } };
	struct ide_cursor c = { 0, 0 };
	u32 n;

	(void)state;
	assert_int_equal(ide_prd_build(s, 2, &c, 5 * 512, table, 512, &n), 5 * 512);
	expect(0, 0x10000, 5 * 512);
	assert_int_equal(ide_prd_build(s, 2, &c, ALL, table, 1, &n), 11 * 512);
	expect(0, 0x10000 + 5 * 512, 11 * 512);
	assert_int_equal(ide_prd_build(s, 2, &c, ALL, table, 1, &n), 8192);
	expect(0, 0x40000, 8192);
}

static void test_whole_sectors_only(void **state)
{
	/* The table is full in the middle of a sector: that sector belongs to the next command. */
	struct block_seg s[] = { { { 0x1ff00 }, 1024 } };
	struct ide_cursor c = { 0, 0 };
	u32 n;

	(void)state;
	assert_int_equal(ide_prd_build(s, 1, &c, ALL, table, 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(c.off, 0);
	assert_int_equal(ide_prd_build(s, 1, &c, ALL, table, 2, &n), 1024);
	assert_int_equal(n, 2);
}

static void test_reach(void **state)
{
	struct block_seg s[] = { { { 0xfffff000 }, 8192 }, { { 0x200000000 }, 4096 } };
	struct ide_cursor c = { 0, 0 };
	u32 n;

	(void)state;
	assert_int_equal(ide_prd_build(s, 2, &c, ALL, table, 512, &n), 4096);
	expect(0, 0xfffff000, 4096);
	assert_int_equal(ide_prd_build(s, 2, &c, ALL, table, 512, &n), 0);
	assert_int_equal(c.off, 4096);
}

static void test_copy(void **state)
{
	struct block_seg s[] = { { { 0x1000 }, 512 }, { { 0x3000 }, 1024 } };
	struct ide_cursor c = { 0, 256 };
	u8 buf[1024];

	(void)state;
	fake_arena(16);
	memset(hpa_ptr((hpa_t){ 0x1000 }), 1, 512);
	memset(hpa_ptr((hpa_t){ 0x3000 }), 2, 1024);
	ide_prd_copy(s, 2, &c, buf, 1024, false);
	assert_int_equal(buf[255], 1);
	assert_int_equal(buf[256], 2);
	assert_int_equal(c.seg, 1);
	assert_int_equal(c.off, 768);
	c = (struct ide_cursor){ 0, 256 };
	memset(buf, 9, sizeof(buf));
	ide_prd_copy(s, 2, &c, buf, 1024, true);
	assert_int_equal(*(u8 *)hpa_ptr((hpa_t){ 0x10ff }), 1);
	assert_int_equal(*(u8 *)hpa_ptr((hpa_t){ 0x1100 }), 9);
	assert_int_equal(*(u8 *)hpa_ptr((hpa_t){ 0x32ff }), 9);
	assert_int_equal(*(u8 *)hpa_ptr((hpa_t){ 0x3300 }), 2);
}

static u64 byte_at(const struct block_seg *s, u64 pos)
{
	while (pos >= s->len)
		pos -= s++->len;
	return s->addr.a + pos;
}

/* Each byte that the table describes is the request's next one. */
static u64 check_table(const struct block_seg *s, u64 pos, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		u32 bytes = table[i].bytes ? table[i].bytes : 0x10000;

		assert_true((table[i].addr & 0xffff) + bytes <= 0x10000);
		assert_false((table[i].addr | bytes) & 1);
		assert_int_equal(table[i].flags, i == n - 1 ? IDE_PRD_END : 0);
		for (u32 b = 0; b < bytes; b += 2)
			assert_int_equal(byte_at(s, pos + b), table[i].addr + b);
		pos += bytes;
	}
	return pos;
}

static void test_random(void **state)
{
	(void)state;
	srand(1);
	for (u32 round = 0; round < 400; round++) {
		struct block_seg s[8];
		struct ide_cursor c = { 0, 0 };
		u64 total = 0, pos = 0, at = (u64)(rand() % 0x200000) & ~1ull;

		for (u32 i = 0; i < 8; i++) {
			if (rand() % 2)
				at = (u64)(rand() % 0x200000) & ~1ull;
			s[i] = (struct block_seg){ { at }, 512u * (u32)(rand() % 24) };
			at += s[i].len;
			total += s[i].len;
		}
		while (pos < total) {
			u32 n, got = ide_prd_build(s, 8, &c, 512u * (u32)(1 + rand() % 40), table,
						   (u32)(2 + rand() % 4), &n);

			assert_true(got > 0 && got % 512 == 0);
			assert_int_equal(check_table(s, pos, n), pos + got);
			pos += got;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merges_neighbours), cmocka_unit_test(test_boundary),
		cmocka_unit_test(test_resumes), cmocka_unit_test(test_whole_sectors_only),
		cmocka_unit_test(test_reach), cmocka_unit_test(test_copy), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
