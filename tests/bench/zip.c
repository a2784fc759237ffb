/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/lz4.c tests/fake/fake_arch.c kernel/lib/fmt.c */
/*
 * zip.c - what pages are made of, by mm/pager/lz4.c.
 *
 * zip measure MEMORY FLAGS [SAMPLE] - a guest's memory as a file and its /proc/kpageflags: for each kind of
 *page one JSON object with how many there are, how many are zero, compress to at most 1/4, 1/3, 1/2, 3/4, and
 *the histogram of sizes in steps of 64 bytes (pages that are not zero; what does not fit 3/4 counts as a
 *whole page). SAMPLE: 1,000 pages of processes at most go there. zip compress|decompress FILE|CLASS - every
 *page of the file (of 100 made of that class), for callgrind with
 *	--toggle-collect=lz4_compress or =lz4_decompress; prints pages= stored=.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/pager/lz4.h"

#define ROOM (PAGE_SIZE * 3 / 4) /* what does not fit is not worth keeping */
#define STEP 64u
#define STEPS (PAGE_SIZE / STEP + 1)
#define SAMPLE 1000u
#define MADE 100u

/* Bits of /proc/kpageflags (Linux, Documentation/admin-guide/mm/pagemap.rst). */
enum {
	LRU = 5,
	SLAB = 7,
	BUDDY = 10,
	MMAP = 11,
	ANON = 12,
	SWAPBACKED = 14,
	NOPAGE = 20,
	PGTABLE = 26,
	RESERVED = 32
};
enum kind { K_ANON, K_SHMEM, K_FILE, K_SLAB, K_TABLE, K_KERNEL, K_FREE, K_RESERVED, KINDS };
static const char *const kind_name[] = { "anon",    "shmem",  "file", "slab",
					 "pgtable", "kernel", "free", "reserved" };

static struct tally {
	u32 pages, zero, quarter, third, half, most;
	u64 bytes; /* of the compressible and incompressible, compressed */
	u32 size[STEPS];
} tally[KINDS];
static struct lz4_work work;
static u8 block[PAGE_SIZE];

static bool has(u64 flags, u32 bit)
{
	return flags >> bit & 1;
}

static enum kind kind_of(u64 f)
{
	if (has(f, NOPAGE) || has(f, RESERVED))
		return K_RESERVED;
	if (has(f, BUDDY))
		return K_FREE;
	if (has(f, SLAB))
		return K_SLAB;
	if (has(f, PGTABLE))
		return K_TABLE;
	if (has(f, ANON))
		return K_ANON;
	if (has(f, SWAPBACKED))
		return K_SHMEM;
	return has(f, LRU) || has(f, MMAP) ? K_FILE : K_KERNEL;
}

static bool all_zero(const u8 *p)
{
	return !p[0] && !memcmp(p, p + 1, PAGE_SIZE - 1);
}

static void note(struct tally *t, const u8 *page)
{
	u32 len;

	t->pages++;
	if (all_zero(page)) {
		t->zero++;
		return;
	}
	len = lz4_compress(&work, page, PAGE_SIZE, block, ROOM);
	if (!len)
		len = PAGE_SIZE;
	t->quarter += len <= PAGE_SIZE / 4;
	t->third += len <= PAGE_SIZE / 3;
	t->half += len <= PAGE_SIZE / 2;
	t->most += len <= ROOM;
	t->bytes += len;
	t->size[(len + STEP - 1) / STEP]++;
}

static void say(enum kind k)
{
	const struct tally *t = &tally[k];

	printf("{\"kind\": \"%s\", \"pages\": %u, \"zero\": %u, \"quarter\": %u, \"third\": %u, \"half\": "
	       "%u, "
	       "\"three_quarters\": %u, \"bytes\": %llu, \"size\": [",
	       kind_name[k], t->pages, t->zero, t->quarter, t->third, t->half, t->most,
	       (unsigned long long)t->bytes);
	for (u32 i = 0; i < STEPS; i++)
		printf("%s%u", i ? ", " : "", t->size[i]);
	printf("]}\n");
}

static int measure(const char *memory, const char *flags, const char *sample)
{
	FILE *m = fopen(memory, "rb"), *f = fopen(flags, "rb"), *s = sample ? fopen(sample, "wb") : NULL;
	u8 page[PAGE_SIZE];
	u32 anon = 0, taken = 0;
	u64 bits;

	if (!m || !f || (sample && !s)) {
		perror("zip");
		return 1;
	}
	while (fread(page, PAGE_SIZE, 1, m) == 1 && fread(&bits, sizeof(bits), 1, f) == 1) {
		enum kind k = kind_of(bits);

		note(&tally[k], page);
		/* Every 7th, so that the sample comes from all over. */
		if (s && k == K_ANON && !all_zero(page) && anon++ % 7 == 0 && taken < SAMPLE) {
			taken++;
			fwrite(page, PAGE_SIZE, 1, s);
		}
	}
	for (u32 k = 0; k < KINDS; k++)
		say(k);
	fclose(m);
	fclose(f);
	return s && fclose(s);
}

/* ---- cost ---- */

static u64 seed = 1;

static u32 draw(u32 below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)((seed >> 33) % below);
}

static void make_text(u8 *p)
{
	static const char *const words[] = { "page ",  "frame ", "guest ",  "table ", "disk ", "block ",
					     "the ",   "of ",    "memory ", "fault ", "is ",   "and ",
					     "entry ", "cache ", "write ",  "read " };

	for (u32 i = 0; i < PAGE_SIZE;) {
		const char *w = words[draw(16)];

		for (; *w && i < PAGE_SIZE; w++)
			p[i++] = (u8)*w;
	}
}

/* Objects of 64 bytes: two pointers, a count, a hash, the rest zero. */
static void make_objects(u8 *p)
{
	memset(p, 0, PAGE_SIZE);
	for (u32 i = 0; i < PAGE_SIZE; i += 64) {
		u64 next = 0x00007f1234000000ull + draw(65536) * 64, self = 0x0000555500001230ull;
		u32 hash = draw(1u << 30), count = draw(4);

		memcpy(p + i, &next, 8);
		memcpy(p + i + 8, &self, 8);
		memcpy(p + i + 16, &count, 4);
		memcpy(p + i + 24, &hash, 4);
	}
}

static bool make(u8 *p, const char *class)
{
	for (u32 i = 0; i < PAGE_SIZE; i++)
		p[i] = (u8)draw(256);
	if (!strcmp(class, "text"))
		make_text(p);
	else if (!strcmp(class, "objects"))
		make_objects(p);
	else if (!strcmp(class, "sparse"))
		memset(p + 200, 0, PAGE_SIZE - 200);
	else if (!strcmp(class, "half"))
		memset(p + PAGE_SIZE / 2, 0, PAGE_SIZE / 2);
	else
		return !strcmp(class, "random");
	return true;
}

static int cost(const char *what, bool back)
{
	FILE *f = fopen(what, "rb");
	u32 pages = 0, stored = 0;
	u8 page[PAGE_SIZE], out[PAGE_SIZE];

	for (; f ? fread(page, PAGE_SIZE, 1, f) == 1 : pages < MADE; pages++) {
		u32 len;

		if (!f && !make(page, what)) {
			fprintf(stderr, "zip: %s: no such file or class\n", what);
			return 2;
		}
		len = lz4_compress(&work, page, PAGE_SIZE, block, ROOM);
		stored += len != 0;
		if (back && len && (lz4_decompress(block, len, out, PAGE_SIZE) != (int)PAGE_SIZE ||
				    memcmp(out, page, PAGE_SIZE)))
			return 1;
	}
	if (f)
		fclose(f);
	printf("pages=%u stored=%u\n", pages, stored);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "measure"))
		return measure(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
	if (argc == 3 && (!strcmp(argv[1], "compress") || !strcmp(argv[1], "decompress")))
		return cost(argv[2], *argv[1] == 'd');
	fprintf(stderr, "usage: zip measure MEMORY FLAGS [SAMPLE] | zip compress|decompress FILE|CLASS\n");
	return 2;
}
