/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopanon MIB PASSES - fills MIB mebibytes of anonymous memory with words that do not repeat, then reads
 * every page of them over and over and changes one page in four; prints the TSC since the start after each
 * pass (pass 0: the filling) and says when a word is not what was written.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <x86intrin.h>

enum { PAGE = 512 }; /* words */

static uint64_t word(uint64_t i)
{
	i = (i + 1) * 0x9e3779b97f4a7c15u;
	return i ^ (i >> 29);
}

/* Eight words of each page; the number of wrong ones. The first word of a page counts the times it was
 * changed. */
static size_t pass(uint64_t *p, size_t pages, uint64_t round)
{
	size_t bad = 0;

	for (size_t n = 0; n < pages; n++) {
		uint64_t *page = p + n * PAGE;

		for (size_t i = 64; i < PAGE; i += 64)
			bad += page[i] != word(n * PAGE + i);
		bad += page[0] != (n % 4 ? 0 : round);
		page[0] += !(n % 4);
	}
	return bad;
}

int main(int argc, char **argv)
{
	size_t pages = (argc > 2 ? strtoul(argv[1], NULL, 0) : 0) << 8, bad = 0;
	int passes = argc > 2 ? atoi(argv[2]) : 0;
	uint64_t start = __rdtsc(), *p;

	if (!pages || passes < 1) {
		fprintf(stderr, "usage: loopanon MIB PASSES\n");
		return 2;
	}
	p = mmap(NULL, pages * PAGE * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t i = 0; i < pages * PAGE; i++)
		p[i] = i % PAGE ? word(i) : 0;
	for (int i = 0; i <= passes; i++) {
		if (i)
			bad = pass(p, pages, (uint64_t)i - 1);
		printf("PASS %d ticks=%llu bad=%zu\n", i, (unsigned long long)(__rdtsc() - start), bad);
		fflush(stdout);
		if (bad) {
			printf("CORRUPT pass %d\n", i);
			return 1;
		}
	}
	printf("DONE passes=%d ticks=%llu\n", passes, (unsigned long long)(__rdtsc() - start));
	return 0;
}
