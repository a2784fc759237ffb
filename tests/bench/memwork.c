/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memwork MIB TOUCHES loop|skew|once [noise] - anonymous memory as programs fill it, touched page by page.
 * Each page holds objects of 64 bytes (pointers, counts, a hash), which compress about 3 : 1; noise: bytes
 * that do not compress at all. A touch checks some of the page and changes a counter in it. loop: one after
 * the other; skew: the first pages far more often; once: nothing. At the end all of it is checked. "DONE
 * touches= bad= ticks=" (of the time stamp counter, touches alone).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u
#define OBJECT 64u

static uint64_t seed = 1;

static uint64_t next(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	return x ^ x >> 29;
}

/* Word w of object o of page p; word 3 of each object counts touches and is 0 at first. */
static uint64_t word(uint32_t p, uint32_t o, uint32_t w, int noise)
{
	if (w == 3)
		return 0;
	if (noise)
		return mix((uint64_t)p << 16 | o << 4 | w);
	switch (w) {
	case 0:
		return 0x7f1200000000ull + (mix(p * 64ull + o) % 65536) * 64;
	case 1:
		return 0x5555555512a0ull;
	case 2:
		return o % 4;
	case 4:
		return mix(p * 97ull + o) & 0xffffffff;
	default:
		return 0;
	}
}

static uint64_t wrong(const uint64_t *page, uint32_t p, uint32_t o, int noise)
{
	uint64_t bad = 0;

	for (uint32_t w = 0; w < OBJECT / 8; w++)
		bad += w != 3 && page[o * 8 + w] != word(p, o, w, noise);
	return bad;
}

static uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

int main(int argc, char **argv)
{
	uint32_t n = (argc > 1 ? (uint32_t)atoi(argv[1]) : 1) << 8,
		 count = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	const char *how = argc > 3 ? argv[3] : "loop";
	int noise = argc > 4 && !strcmp(argv[4], "noise");
	uint64_t *mem, bad = 0, sum = 0, start;

	mem = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (uint32_t p = 0; p < n; p++)
		for (uint32_t i = 0; i < PAGE / 8; i++)
			mem[(size_t)p * (PAGE / 8) + i] = word(p, i / 8, i % 8, noise);
	printf("FILLED\n");
	fflush(stdout);
	start = ticks();
	for (uint32_t t = 0; t < count && *how != 'o'; t++) {
		uint32_t p = t % n, o;
		uint64_t *page;

		if (*how == 's') {
			uint64_t a = next() % n, b = next() % n, c = next() % n;

			p = (uint32_t)(a < b ? (a < c ? a : c) : (b < c ? b : c));
		}
		o = (uint32_t)next() % (PAGE / OBJECT);
		page = mem + (size_t)p * (PAGE / 8);
		bad += wrong(page, p, o, noise);
		page[o * 8 + 3]++;
	}
	start = ticks() - start;
	for (uint32_t p = 0; p < n; p++)
		for (uint32_t o = 0; o < PAGE / OBJECT; o++) {
			bad += wrong(mem + (size_t)p * (PAGE / 8), p, o, noise);
			sum += mem[(size_t)p * (PAGE / 8) + o * 8 + 3];
		}
	bad += sum != (*how == 'o' ? 0 : count);
	printf("DONE touches=%u bad=%llu ticks=%llu\n", count, (unsigned long long)bad,
	       (unsigned long long)start);
	return bad != 0;
}
