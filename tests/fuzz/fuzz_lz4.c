/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/lz4.c tests/fake/fake_arch.c kernel/lib/fmt.c */
/*
 * fuzz_lz4 - LZ4 blocks against liblz4 and against a decoder that does one byte at a time.
 *
 * The input as a block: whatever liblz4 accepts we must accept with the same content, and what we accept or
 * refuse must be what the plain decoder does (liblz4 also refuses blocks that end otherwise than encoders end
 * them). The input as content: each side reads what the other wrote.
 */
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/pager/lz4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 8192u
#define CHECK(cond)                                                    \
	do {                                                           \
		if (!(cond)) {                                         \
			fprintf(stderr, "differs: %s\n", #cond);       \
			abort();                                       \
		}                                                      \
	} while (0)

#define ZERO_DISTANCE -2 /* refused for that alone so far */

/* By the letter of the format. */
static int plain(const u8 *s, u32 n, u8 *d, u32 room)
{
	u32 i = 0, o = 0;

	while (i < n) {
		u8 token = s[i++];
		u64 count = token >> 4;
		u32 distance;
		u8 b = 255;

		for (; token >> 4 == 15 && b == 255; count += b) {
			if (i == n)
				return -1;
			b = s[i++];
		}
		for (; count; count--) {
			if (i == n || o == room)
				return -1;
			d[o++] = s[i++];
		}
		if (i == n)
			return (int)o;
		if (n - i < 2)
			return -1;
		distance = s[i] + 256u * s[i + 1];
		i += 2;
		count = (token & 15) + 4u;
		for (b = 255; (token & 15) == 15 && b == 255; count += b) {
			if (i == n)
				return -1;
			b = s[i++];
		}
		if (!distance)
			return ZERO_DISTANCE;
		if (distance > o)
			return -1;
		for (; count; count--, o++) {
			if (o == room)
				return -1;
			d[o] = d[o - distance];
		}
	}
	return -1;
}

static u8 *exact(const void *from, u32 n)
{
	u8 *p = malloc(n ? n : 1);

	if (!p)
		abort();
	if (from)
		memcpy(p, from, n);
	return p;
}

static void as_block(const u8 *data, u32 n, u32 room)
{
	u8 *ours = exact(NULL, room), *theirs = exact(NULL, room), *other = exact(NULL, room);
	int a = lz4_decompress(data, n, ours, room);
	int b = plain(data, n, theirs, room);
	int c = LZ4_decompress_safe((const char *)data, (char *)other, (int)n, (int)room);

	CHECK(a == (b < 0 ? E_INVAL : b));
	CHECK(a < 0 || !memcmp(ours, theirs, (size_t)a));
	if (c >= 0 && room && b != ZERO_DISTANCE) { /* which liblz4 1.9 does not look for */
		CHECK(a == c);
		CHECK(!memcmp(ours, other, (size_t)c));
	}
	free(ours);
	free(theirs);
	free(other);
}

static void as_content(const u8 *data, u32 n)
{
	u32 most = (u32)LZ4_compressBound((int)n), len;
	u8 *block = exact(NULL, most), *tight, *back = exact(NULL, n);
	struct lz4_work *w = malloc(sizeof(*w));
	int m;

	if (!w)
		abort();
	memset(w, data[0], sizeof(*w));
	len = lz4_compress(w, data, n, block, most);
	CHECK(len && len <= most);
	tight = exact(block, len);
	CHECK(LZ4_decompress_safe((const char *)tight, (char *)back, (int)len, (int)n) == (int)n);
	CHECK(!memcmp(back, data, n));
	memset(back, 0, n);
	CHECK(lz4_decompress(tight, len, back, n) == (int)n);
	CHECK(!memcmp(back, data, n));
	CHECK(lz4_compress(w, data, n, tight, len - 1) == 0);
	m = LZ4_compress_default((const char *)data, (char *)block, (int)n, (int)most);
	CHECK(m > 0);
	memset(back, 0, n);
	CHECK(lz4_decompress(block, (u32)m, back, n) == (int)n);
	CHECK(!memcmp(back, data, n));
	free(w);
	free(block);
	free(tight);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 room;
	u8 *copy;

	if (size < 3 || size > ROOM)
		return 0;
	room = (data[0] | data[1] << 8) % ROOM;
	copy = exact(data + 2, (u32)size - 2);
	as_block(copy, (u32)size - 2, room);
	as_content(copy, (u32)size - 2);
	free(copy);
	return 0;
}
