/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: drivers/partition.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_partition.c - tables made here by the book, then bent. Checksums come from zlib's
 * well-known polynomial computed bit by bit in this file, MSB-first, unlike the parser's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "drivers/partition.h"
#include "kernel/lib/lib.h"

#define GIVEN 34u
#define DISK 100000ull

static u8 head[GIVEN * 512];
static struct partition_table out;
static char why[128];

static void put(u8 *p, u64 v, u32 n)
{
	while (n--) {
		*p++ = (u8)v;
		v >>= 8;
	}
}

static u32 reverse(u32 v, u32 bits)
{
	u32 r = 0;

	for (u32 i = 0; i < bits; i++)
		r |= (v >> i & 1) << (bits - 1 - i);
	return r;
}

static u32 crc(const u8 *p, size_t n)
{
	u32 c = 0xffffffff;

	while (n--) {
		c ^= reverse(*p++, 8) << 24;
		for (u32 i = 0; i < 8; i++)
			c = c << 1 ^ (c & 0x80000000 ? 0x04c11db7 : 0);
	}
	return ~reverse(c, 32);
}

static void mbr_entry(u32 i, u8 type, u32 first, u32 sectors)
{
	u8 *e = head + 446 + 16 * i;

	memset(e, 0, 16);
	e[4] = type;
	put(e + 8, first, 4);
	put(e + 12, sectors, 4);
}

static u8 *gpt_entry(u32 i) { return head + 1024 + 128 * i; }

static void gpt_set(u32 i, const u8 *type, u64 first, u64 last)
{
	memcpy(gpt_entry(i), type, 16);
	put(gpt_entry(i) + 32, first, 8);
	put(gpt_entry(i) + 40, last, 8);
}

static void gpt_seal(void)
{
	u8 *h = head + 512;

	put(h + 88, crc(head + 1024, 128 * 128), 4);
	put(h + 16, 0, 4);
	put(h + 16, crc(h, 92), 4);
}

static const u8 linux_fs[16] = { 0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
				 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4 };

static void make_mbr(void)
{
	memset(head, 0, sizeof(head));
	put(head + 510, 0xaa55, 2);
}

static void make_gpt(void)
{
	u8 *h = head + 512;

	make_mbr();
	mbr_entry(0, 0xee, 1, 0xffffffff);
	memcpy(h, "EFI PART", 8);
	put(h + 8, 0x10000, 4);
	put(h + 12, 92, 4);
	put(h + 24, 1, 8);
	put(h + 32, DISK - 1, 8);
	put(h + 40, 34, 8);
	put(h + 48, DISK - 34, 8);
	put(h + 72, 2, 8);
	put(h + 80, 128, 4);
	put(h + 84, 128, 4);
	gpt_set(0, linux_fs, 2048, 22527);
	gpt_set(4, partition_guid_vmmb_swap, 22528, 43007);
	gpt_seal();
}

static int parse(void)
{
	return partition_parse(head, GIVEN, DISK, &out, why, sizeof(why));
}

static void test_crc_oracle(void **state)
{
	(void)state;
	assert_int_equal(crc((const u8 *)"123456789", 9), 0xcbf43926);
}

static void test_none(void **state)
{
	(void)state;
	memset(head, 0, sizeof(head));
	assert_int_equal(parse(), 0);
	assert_int_equal(out.kind, PARTITION_NONE);
	make_mbr();
	memcpy(head + 446, "boot code", 9); /* a file system's boot sector */
	assert_int_equal(parse(), 0);
	assert_int_equal(out.kind, PARTITION_NONE);
}

static void test_mbr(void **state)
{
	(void)state;
	make_mbr();
	mbr_entry(0, 0x83, 2048, 20480);
	mbr_entry(1, PARTITION_MBR_VMMB_SWAP, 22528, 20480);
	mbr_entry(2, 0x05, 43008, 1000);
	mbr_entry(3, 0x83, 50000, 50000);
	assert_int_equal(parse(), 0);
	assert_int_equal(out.kind, PARTITION_MBR);
	assert_int_equal(out.count, 3);
	assert_int_equal(out.part[0].number, 1);
	assert_false(out.part[0].vmmb_swap);
	assert_true(out.part[1].vmmb_swap);
	assert_int_equal(out.part[2].number, 4);
	assert_int_equal(out.part[2].first + out.part[2].sectors, DISK);
}

static void test_mbr_bent(void **state)
{
	(void)state;
	make_mbr();
	mbr_entry(0, 0x83, 0, 10);                /* covers the table */
	mbr_entry(1, 0x83, 99999, 2);             /* ends outside */
	mbr_entry(2, 0x83, 0xffffffff, 0xffffffff);
	mbr_entry(3, 0x83, 5, 0);
	assert_int_equal(parse(), 0);
	assert_int_equal(out.count, 0);
	mbr_entry(0, 0x83, 100, 100);
	mbr_entry(1, 0x83, 199, 10);
	mbr_entry(2, 0x83, 300, 10);
	mbr_entry(3, 0x83, 310, 10);
	assert_int_equal(parse(), 0);
	assert_int_equal(out.count, 2); /* both that overlap are out, neighbours are not */
	assert_int_equal(out.part[0].number, 3);
}

static void test_gpt(void **state)
{
	(void)state;
	make_gpt();
	assert_int_equal(parse(), 0);
	assert_int_equal(out.kind, PARTITION_GPT);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.part[0].number, 1);
	assert_int_equal(out.part[0].first, 2048);
	assert_int_equal(out.part[0].sectors, 20480);
	assert_memory_equal(out.part[0].type_guid, linux_fs, 16);
	assert_int_equal(out.part[1].number, 5);
	assert_true(out.part[1].vmmb_swap);
}

static void test_gpt_entries_bent(void **state)
{
	(void)state;
	make_gpt();
	gpt_set(1, linux_fs, 33, 40);                 /* in the entry array */
	gpt_set(2, linux_fs, 50000, 49999);           /* ends before it begins */
	gpt_set(3, linux_fs, 60000, DISK);            /* outside */
	gpt_set(5, linux_fs, 70000, ~0ull);
	gpt_set(6, linux_fs, ~0ull, ~0ull);
	gpt_set(7, linux_fs, DISK - 33, DISK - 1);    /* where the backup header is */
	gpt_set(8, linux_fs, 80000, 80000);
	gpt_seal();
	assert_int_equal(parse(), 0);
	assert_int_equal(out.count, 3);
	assert_int_equal(out.part[2].sectors, 1);
	gpt_set(9, linux_fs, 2048 + 20479, 2048 + 20479);
	gpt_seal();
	assert_int_equal(parse(), 0);
	assert_int_equal(out.count, 2);
}

static void test_gpt_many(void **state)
{
	(void)state;
	make_gpt();
	for (u32 i = 0; i < 128; i++)
		gpt_set(i, linux_fs, 100 + i, 100 + i);
	gpt_seal();
	assert_int_equal(parse(), 0);
	assert_int_equal(out.count, PARTITION_MAX);
}

/* Changes one field, with good checksums: refused, and the reason is said. */
static void refuse(u32 offset, u64 v, u32 n)
{
	make_gpt();
	put(head + 512 + offset, v, n);
	put(head + 512 + 16, 0, 4);
	put(head + 512 + 16, crc(head + 512, 92), 4);
	assert_int_equal(parse(), E_INVAL);
	assert_true(strlen(why) > 0);
	assert_int_equal(out.count, 0);
}

static void test_gpt_refused(void **state)
{
	(void)state;
	make_gpt();
	head[512 + 40] ^= 1; /* header checksum */
	assert_int_equal(parse(), E_INVAL);
	make_gpt();
	gpt_entry(3)[5] ^= 1; /* entries' checksum */
	assert_int_equal(parse(), E_INVAL);
	refuse(0, 0, 8);              /* no signature: still no MBR disk */
	refuse(12, 91, 4);
	refuse(12, 513, 4);
	refuse(12, 0xffffffff, 4);
	refuse(24, 2, 8);
	refuse(72, 1, 8);             /* entries over the header */
	refuse(72, 34, 8);
	refuse(72, ~0ull, 8);
	refuse(80, 129, 4);
	refuse(80, 0xffffffff, 4);
	refuse(84, 64, 4);
	make_gpt();
	put(head + 512 + 80, 0, 4);
	refuse(72, 1ull << 62, 8);
	refuse(84, 192, 4);
	refuse(84, 0x80000000, 4);
	make_gpt();
	assert_int_equal(partition_parse(head, 1, DISK, &out, why, sizeof(why)), E_INVAL);
	assert_int_equal(partition_parse(head, 33, DISK, &out, why, sizeof(why)), E_INVAL);
}

static void test_small_disk(void **state)
{
	(void)state;
	make_gpt();
	assert_int_equal(partition_parse(head, GIVEN, 30000, &out, why, sizeof(why)), 0);
	assert_int_equal(out.count, 1);
	assert_int_equal(partition_parse(head, GIVEN, 1, &out, why, sizeof(why)), 0);
	assert_int_equal(out.count, 0);
	assert_int_equal(partition_parse(head, 0, 0, &out, why, sizeof(why)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc_oracle), cmocka_unit_test(test_none), cmocka_unit_test(test_mbr),
		cmocka_unit_test(test_mbr_bent), cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_gpt_entries_bent), cmocka_unit_test(test_gpt_many),
		cmocka_unit_test(test_gpt_refused), cmocka_unit_test(test_small_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
