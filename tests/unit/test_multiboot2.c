/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/multiboot2.c kernel/lib/fmt.c kernel/lib/log.c */
/*
 * The loader's information: a sound one, and ones that lie about every length. The buffer
 * given to the parser is exactly as long as it is told, so that ASan sees any step outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/multiboot2.h"
#include "kernel/lib/lib.h"

static u8 buf[1 << 16];
static size_t len;
static struct boot_info bi;
static char why[160];

static void put(const void *p, size_t n)
{
	memcpy(buf + len, p, n);
	len += n;
}

static void put32(u32 v) { put(&v, 4); }
static void put64(u64 v) { put(&v, 8); }

static void begin(void)
{
	memset(buf, 0, sizeof(buf));
	len = 8;
}

static void align(void)
{
	len = ALIGN_UP(len, (size_t)8);
}

static void tag_bytes(u32 type, const void *p, size_t n)
{
	align();
	put32(type);
	put32((u32)n + 8);
	put(p, n);
}

static void tag_module(u32 start, u32 end, const char *cmdline)
{
	align();
	put32(3);
	put32((u32)strlen(cmdline) + 17);
	put32(start);
	put32(end);
	put(cmdline, strlen(cmdline) + 1);
}

struct entry { u64 base, size; u32 type; };

static void tag_mmap(const struct entry *e, u32 n)
{
	align();
	put32(6);
	put32(16 + 24 * n);
	put32(24);
	put32(0);
	for (u32 i = 0; i < n; i++) {
		put64(e[i].base);
		put64(e[i].size);
		put32(e[i].type);
		put32(0);
	}
}

static const struct entry pc[] = {
	{ 0x100000, 0x7f00000, 1 }, { 0, 0x9fc00, 1 }, { 0x9fc00, 0x400, 2 },
	{ 0xf0000, 0x10000, 2 }, { 0xfffc0000, 0x40000, 2 },
};

/* Parses a copy of exactly n bytes. */
static int parse_n(size_t n)
{
	u8 *copy = malloc(n ? n : 1);
	int err;

	memcpy(copy, buf, n);
	err = multiboot2_parse(MULTIBOOT2_BOOTLOADER_MAGIC, copy, n, &bi, why, sizeof(why));
	free(copy);
	return err;
}

static int parse(void)
{
	u32 total;

	align();
	put32(0);
	put32(8);
	total = (u32)len;
	memcpy(buf, &total, 4);
	return parse_n(len);
}

static void a_sound_one(void **state)
{
	u8 rsdp[36] = "RSD PTR something";

	(void)state;
	begin();
	tag_bytes(1, "console=com1,115200", 20);
	tag_bytes(2, "GRUB 2.06", 10);
	tag_module(0x200000, 0x234567, "kernel vm=web ram=256M");
	tag_mmap(pc, 5);
	tag_bytes(14, rsdp, 20);
	tag_bytes(15, rsdp, 36);
	tag_bytes(14, "later, shorter old one", 20);
	assert_int_equal(parse(), 0);
	assert_string_equal(bi.cmdline, "console=com1,115200");
	assert_string_equal(bi.loader, "GRUB 2.06");
	assert_false(bi.efi);
	assert_int_equal(bi.rsdp_len, 36);
	assert_memory_equal(bi.rsdp_copy, rsdp, 36);
	assert_int_equal(bi.nmodules, 1);
	assert_int_equal(bi.modules[0].start.a, 0x200000);
	assert_int_equal(bi.modules[0].size, 0x34567);
	assert_null(bi.modules[0].bad);
	assert_int_equal(bi.nranges, 5);
	assert_int_equal(bi.ranges[0].end, 0x9f000);
	assert_true(bi.ranges[0].usable);
	assert_int_equal(bi.ranges[1].start, 0x9fc00);
	assert_false(bi.ranges[1].usable);
	assert_int_equal(bi.ranges[3].start, 0x100000);
	assert_int_equal(bi.ranges[3].end, 0x8000000);
}

static void overlaps_unusable_wins(void **state)
{
	static const struct entry e[] = {
		{ 0x1000, 0x100000, 1 }, { 0x2000, 0x800, 2 }, { 0x80000, 0x200000, 1 },
		{ 0x281000, 0x1000, 1 }, { 0x290800, 0x10, 1 }, { 0x300000, ~0ull, 1 },
		{ 0x400000, 0x1000, 3 }, { 1ull << 50, 0x1000, 1 }, { 0x500000, 0, 2 },
	};

	(void)state;
	begin();
	tag_mmap(e, ARRAY_SIZE(e));
	assert_int_equal(parse(), 0);
	assert_int_equal(bi.nranges, 7);
	assert_int_equal(bi.ranges[0].start, 0x1000);
	assert_int_equal(bi.ranges[0].end, 0x2000);
	assert_int_equal(bi.ranges[1].end, 0x2800);
	assert_false(bi.ranges[1].usable);
	assert_int_equal(bi.ranges[2].start, 0x3000);
	assert_int_equal(bi.ranges[2].end, 0x280000);
	assert_int_equal(bi.ranges[3].start, 0x281000);
	assert_int_equal(bi.ranges[4].end, 0x400000);
	assert_false(bi.ranges[5].usable);
	assert_true(bi.ranges[6].end == 1ull << 44);
}

/* A map byte by byte against a plain painting of it: the oracle. */
static void random_maps(void **state)
{
	enum { PAGES = 64, N = 12 };

	(void)state;
	srand(3);
	for (int round = 0; round < 500; round++) {
		struct entry e[N];
		s8 paint[PAGES];

		memset(paint, -1, sizeof(paint));
		for (int i = 0; i < N; i++) {
			u64 s = (u64)rand() % PAGES, n = (u64)rand() % (PAGES / 4);

			n = MIN(n, PAGES - s);
			e[i] = (struct entry){ s * PAGE_SIZE, n * PAGE_SIZE, rand() % 4 ? 1 : 2 };
			for (u64 p = s; p < s + n; p++)
				paint[p] = e[i].type == 1 && paint[p] != 0 ? 1 : 0;
		}
		begin();
		tag_mmap(e, N);
		if (parse())
			continue;
		for (u64 p = 0; p < PAGES; p++) {
			s8 got = -1;

			for (u32 i = 0; i < bi.nranges; i++)
				if (p * PAGE_SIZE >= bi.ranges[i].start && p * PAGE_SIZE < bi.ranges[i].end)
					got = bi.ranges[i].usable;
			assert_int_equal(got, paint[p]);
		}
		for (u32 i = 1; i < bi.nranges; i++) {
			assert_true(bi.ranges[i - 1].end <= bi.ranges[i].start);
			assert_false(bi.ranges[i - 1].end == bi.ranges[i].start &&
				     bi.ranges[i - 1].usable == bi.ranges[i].usable);
		}
	}
}

static void modules_are_checked(void **state)
{
	char longline[1200];

	(void)state;
	memset(longline, 'x', sizeof(longline));
	longline[sizeof(longline) - 1] = 0;
	begin();
	tag_module(0x200000, 0x300000, "good");
	tag_module(0x2ff000, 0x310000, "overlaps");
	tag_module(0x7fff000, 0x8000001, "outside");
	tag_module(0x9f800, 0x9fc00, "in the last, partial page");
	tag_module(0x400000, 0x400000, "empty");
	tag_module(0x500000, 0x4fffff, "backwards");
	tag_module(0x310000, 0x311000, longline);
	tag_mmap(pc, 5);
	assert_int_equal(parse(), 0);
	assert_int_equal(bi.nmodules, 7);
	assert_null(bi.modules[0].bad);
	for (u32 i = 1; i < 6; i++) {
		assert_non_null(bi.modules[i].bad);
		assert_int_equal(bi.modules[i].size, 0);
	}
	/* next to it; the last one is gone */
	multiboot2_exclude(&bi, bi.modules[0].start.a + bi.modules[0].size, ~0ull);
	assert_null(bi.modules[0].bad);
	assert_non_null(bi.modules[6].bad);
	assert_int_equal(bi.modules[6].size, 0);
	multiboot2_exclude(&bi, 0, bi.modules[0].start.a + 1);
	assert_non_null(bi.modules[0].bad);
	assert_int_equal(parse(), 0);
	assert_null(bi.modules[6].bad);
	assert_true(bi.modules[6].cmdline_cut);
	assert_int_equal(strlen(bi.modules[6].cmdline), BOOT_CMDLINE_MAX - 1);
	begin();
	for (u32 i = 0; i < BOOT_MAX_MODULES + 3; i++)
		tag_module(0x200000 + i * 0x1000, 0x201000 + i * 0x1000, "m");
	tag_mmap(pc, 5);
	assert_int_equal(parse(), 0);
	assert_int_equal(bi.nmodules, BOOT_MAX_MODULES);
	assert_int_equal(bi.nmodules_lost, 3);
}

static void many_ranges(void **state)
{
	struct entry e[193];

	(void)state;
	/* Every second page unusable: the unusable ones make room, then the highest are left out. */
	for (u32 i = 0; i < 193; i++)
		e[i] = (struct entry){ i * 4096ull, 4096, i % 2 ? 2 : 1 };
	begin();
	tag_mmap(e, 192);
	assert_int_equal(parse(), 0);
	assert_in_range(bi.nranges, 32, BOOT_MAX_RANGES);
	for (u32 i = 0; i < bi.nranges; i++)
		assert_int_equal(bi.ranges[i].usable, !(bi.ranges[i].start / 4096 % 2));
	begin();
	tag_mmap(e, 193);
	assert_int_equal(parse(), E_INVAL);
	assert_non_null(strstr(why, "more than 192"));
}

static void refusals(void **state)
{
	(void)state;
	begin();
	assert_int_equal(parse(), E_INVAL);
	assert_non_null(strstr(why, "no memory map"));
	assert_int_equal(multiboot2_parse(0x2badb002, buf, len, &bi, why, sizeof(why)), E_INVAL);
	assert_non_null(strstr(why, "magic"));
	assert_int_equal(parse_n(0), E_INVAL);
	assert_int_equal(parse_n(15), E_INVAL);
	begin();
	tag_mmap(pc, 5);
	put32(0);
	*(u32 *)buf = (u32)len + 100; /* longer than what can be read */
	assert_int_equal(parse_n(len), E_INVAL);
	*(u32 *)buf = 4;
	assert_int_equal(parse_n(len), E_INVAL);
}

static void lying_lengths(void **state)
{
	size_t whole;

	(void)state;
	begin();
	tag_bytes(1, "no zero at the end", 18);
	tag_mmap(pc, 5);
	tag_module(0x200000, 0x201000, "kernel vm=a");
	parse();
	whole = len;
	/* Every prefix, and every length field at every value around the truth. */
	for (size_t n = 16; n <= whole; n++) {
		u32 total = (u32)n;

		memcpy(buf, &total, 4);
		(void)parse_n(n);
	}
	for (size_t at = 0; at + 4 <= whole; at += 4) {
		static const u32 lies[] = { 0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 40, 200, 0x7fffffff,
					    0x80000000, 0xfffffff8, 0xffffffff };
		u32 truth;

		memcpy(&truth, buf + at, 4);
		for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
			memcpy(buf + at, &lies[i], 4);
			(void)parse_n(whole);
		}
		memcpy(buf + at, &truth, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_one), cmocka_unit_test(overlaps_unusable_wins),
		cmocka_unit_test(random_maps), cmocka_unit_test(modules_are_checked),
		cmocka_unit_test(many_ranges), cmocka_unit_test(refusals),
		cmocka_unit_test(lying_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
