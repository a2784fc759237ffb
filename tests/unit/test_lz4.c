/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/lz4.c tests/fake/fake_arch.c kernel/lib/fmt.c */
/*
 * test_lz4.c - LZ4 blocks: round trips in buffers of exactly the size that may be touched (the sanitizer
 * watches their ends), blocks written by hand, broken ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pager/lz4.h"

static u64 seed = 1;
static struct lz4_work work;

static u32 draw(u32 below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((seed >> 33) % below);
}

static u8 *exact(const void *from, u32 n)
{
	u8 *p = malloc(n ? n : 1);

	assert_non_null(p);
	if (from)
		memcpy(p, from, n);
	return p;
}

/* The compressed length, after checking all that can be checked about it. */
static u32 round_trip(const u8 *content, u32 n)
{
	u32 most = n + n / 255 + 16, len, again;
	u8 *src = exact(content, n), *room = exact(NULL, most), *dst = exact(NULL, n), *block;

	memset(&work, 0xa5, sizeof(work)); /* old content must not matter */
	len = lz4_compress(&work, src, n, room, most);
	assert_true(len && len <= most);
	block = exact(room, len);
	assert_int_equal(lz4_decompress(block, len, dst, n), n);
	assert_memory_equal(dst, src, n);
	assert_int_equal(lz4_decompress(block, len, dst, n - 1), E_INVAL);
	/* Exactly its length is room enough, one byte less is not. */
	again = lz4_compress(&work, src, n, block, len);
	assert_int_equal(again, len);
	assert_memory_equal(block, room, len);
	free(block);
	block = exact(NULL, len - 1);
	assert_int_equal(lz4_compress(&work, src, n, block, len - 1), 0);
	free(block);
	free(src);
	free(room);
	free(dst);
	return len;
}

static void make(u8 *p, u32 n, u32 kind)
{
	static const char *const words[] = { "page ", "frame ", "guest ", "table ",
					     "disk ", "block ", "the ",   "of " };

	for (u32 i = 0; i < n; i++)
		p[i] = (u8)draw(256);
	switch (kind) {
	case 0:
		memset(p, 0, n);
		break;
	case 1: /* text */
		for (u32 i = 0; i < n;) {
			const char *w = words[draw(8)];

			for (; *w && i < n; w++)
				p[i++] = (u8)*w;
		}
		break;
	case 2: /* pointers and small numbers */
		for (u32 i = 0; i + 8 <= n; i += 8) {
			u64 v = i % 16 ? draw(100) : 0x00007f1234500000ull + draw(4096) * 16;

			memcpy(p + i, &v, 8);
		}
		break;
	case 3: /* half of it is noise */
		memset(p + n / 2, 7, n - n / 2);
		break;
	case 4: /* every period of 1 to 20 */
		for (u32 i = 20; i < n; i++)
			p[i] = p[i - 1 - n / 7 % 20];
		break;
	default:
		break;
	}
}

static void every_kind_and_length(void **s)
{
	u8 *p = malloc(5000);

	(void)s;
	assert_non_null(p);
	for (u32 kind = 0; kind < 6; kind++) {
		for (u32 n = 1; n < 300; n++) {
			make(p, n, kind);
			round_trip(p, n);
		}
		for (u32 i = 0; i < 200; i++) {
			u32 n = i % 2 ? PAGE_SIZE : 1 + draw(5000);

			make(p, n, kind);
			round_trip(p, n);
		}
	}
	free(p);
}

static void far_matches(void **s)
{
	u8 *p = malloc(LZ4_MOST);

	(void)s;
	assert_non_null(p);
	make(p, LZ4_MOST, 5);
	assert_true(round_trip(p, LZ4_MOST) > LZ4_MOST);
	memset(p + 300, 1, LZ4_MOST - 300);
	assert_in_range(round_trip(p, LZ4_MOST), 300 + LZ4_MOST / 255, 330 + LZ4_MOST / 255);
	memcpy(p + LZ4_MOST - 300, p, 300); /* almost as far as a distance can say */
	assert_in_range(round_trip(p, LZ4_MOST), 300 + LZ4_MOST / 255, 340 + LZ4_MOST / 255);
	free(p);
}

static void it_compresses(void **s)
{
	u8 p[PAGE_SIZE], out[PAGE_SIZE];

	(void)s;
	make(p, PAGE_SIZE, 0);
	assert_true(round_trip(p, PAGE_SIZE) < 40);
	make(p, PAGE_SIZE, 1);
	assert_true(round_trip(p, PAGE_SIZE) < PAGE_SIZE / 2);
	make(p, PAGE_SIZE, 2);
	assert_true(round_trip(p, PAGE_SIZE) < PAGE_SIZE * 2 / 3);
	make(p, PAGE_SIZE, 3);
	assert_true(round_trip(p, PAGE_SIZE) < PAGE_SIZE / 2 + 160); /* two of the longest steps */
	make(p, PAGE_SIZE, 5);
	assert_int_equal(lz4_compress(&work, p, PAGE_SIZE, out, PAGE_SIZE * 3 / 4), 0);
}

/* Blocks as the format's description has them. */
static void by_hand(void **s)
{
	static const struct {
		u8 n, block[24];
		int len;
		const char *text;
	} good[] = {
		{ 1, { 0x00 }, 0, "" },
		{ 4, { 0x30, 'a', 'b', 'c' }, 3, "abc" },
		{ 6, { 0x11, 'a', 1, 0, 0x10, 'b' }, 7, "aaaaaab" },
		{ 7, { 0x20, 'a', 'b', 2, 0, 0x10, 'c' }, 7, "abababc" },
		{ 8, { 0x30, 'x', 'y', 'z', 3, 0, 0x10, '!' }, 8, "xyzxyzx!" },
		{ 17,
		  { 0xf0, 0, '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e' },
		  15,
		  "0123456789abcde" },
		{ 7, { 0x1f, 'q', 1, 0, 1, 0x10, '.' }, 22, "qqqqqqqqqqqqqqqqqqqqq." },
		{ 5, { 0x10, 'a', 1, 0, 0x00 }, 5, "aaaaa" },
	};
	static const struct { u8 n, block[24]; const char *why; } bad[] = {
		{ 0, { 0 }, "empty" },
		{ 1, { 0x10 }, "literal missing" },
		{ 1, { 0xf0 }, "count missing" },
		{ 3, { 0xf0, 255, 255 }, "count without end" },
		{ 2, { 0x10, 'a' }, NULL }, /* right: here to show that the next ones fail for their reason */
		{ 3, { 0x10, 'a', 1 }, "half a distance" },
		{ 4, { 0x10, 'a', 1, 0 }, "ends after a match" },
		{ 5, { 0x10, 'a', 0, 0, 0 }, "distance 0" },
		{ 5, { 0x10, 'a', 2, 0, 0 }, "distance before the start" },
		{ 5, { 0x1f, 'a', 1, 0, 255 }, "match count without end" },
		{ 4, { 0x00, 1, 0, 0 }, "match of nothing" },
	};
	u8 out[64];

	(void)s;
	for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
		u8 *block = exact(good[i].block, good[i].n);

		assert_int_equal(lz4_decompress(block, good[i].n, out, sizeof(out)), good[i].len);
		assert_memory_equal(out, good[i].text, (size_t)good[i].len);
		free(block);
	}
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u8 *block = exact(bad[i].block, bad[i].n);

		assert_int_equal(lz4_decompress(block, bad[i].n, out, sizeof(out)), bad[i].why ? E_INVAL : 1);
		free(block);
	}
}

/* Whole blocks cut short or with a byte changed: an error or other content, never a byte outside. */
static void broken(void **s)
{
	u8 p[PAGE_SIZE], out[PAGE_SIZE + 64], *dst = exact(NULL, PAGE_SIZE);
	u32 refused = 0;

	(void)s;
	for (u32 i = 0; i < 6000; i++) {
		u32 len, cut;
		u8 *block;
		int n;

		if (i % 100 == 0)
			make(p, PAGE_SIZE, i / 100 % 6);
		len = lz4_compress(&work, p, PAGE_SIZE, out, sizeof(out));
		assert_true(len);
		cut = i % 2 ? len : draw(len);
		block = exact(out, cut);
		for (u32 k = draw(4); cut && k; k--)
			block[draw(cut)] = (u8)draw(256);
		n = lz4_decompress(block, cut, dst, PAGE_SIZE);
		assert_true(n == E_INVAL || (n >= 0 && n <= (int)PAGE_SIZE));
		refused += n == E_INVAL;
		free(block);
	}
	assert_true(refused > 1000);
	free(dst);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_and_length),
		cmocka_unit_test(far_matches),
		cmocka_unit_test(it_compresses),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
