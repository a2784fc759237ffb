/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sleeper START HZ MIB SECONDS PASSES - fills MIB mebibytes, sleeps until SECONDS after START (a value of the
 * time stamp counter, which runs at HZ), then goes over all of it PASSES times: how fast does a guest come
 * back whose pages are gone? Prints when it woke, and ticks since then after each twentieth of the first pass
 * and each pass.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define SLICES 20
#define WORDS 512

static uint64_t since[SLICES], pass[64];

int main(int argc, char **argv)
{
	uint64_t start = argc > 5 ? strtoull(argv[1], NULL, 0) : 0,
		 hz = argc > 5 ? strtoull(argv[2], NULL, 0) : 1, woke;
	size_t pages = argc > 5 ? strtoul(argv[3], NULL, 0) << 8 : 0, bad = 0, slice = pages / SLICES;
	int passes = argc > 5 ? atoi(argv[5]) : 0;
	struct timespec pause = { 0, 20 * 1000 * 1000 };
	volatile uint64_t *p =
		mmap(NULL, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!slice || p == MAP_FAILED || passes < 1 || passes > 64) {
		fprintf(stderr, "usage: sleeper START HZ MIB SECONDS PASSES\n");
		return 2;
	}
	for (size_t i = 0; i < pages; i++)
		p[i * WORDS] = p[i * WORDS + 77] = i * 2654435761u + 1;
	printf("ASLEEP tsc=%llu\n", (unsigned long long)__rdtsc());
	fflush(stdout);
	while (__rdtsc() < start + strtoull(argv[4], NULL, 0) * hz)
		nanosleep(&pause, NULL);
	woke = __rdtsc();
	for (int n = 0; n < passes; n++) {
		for (size_t i = 0; i < pages; i++) {
			bad += p[i * WORDS] != i * 2654435761u + 1 ||
			       p[i * WORDS + 77] != i * 2654435761u + 1;
			if (!n && (i + 1) % slice == 0 && (i + 1) / slice <= SLICES)
				since[(i + 1) / slice - 1] = __rdtsc() - woke;
		}
		pass[n] = __rdtsc() - woke;
	}
	printf("WOKE tsc=%llu pages=%zu\n", (unsigned long long)woke, pages);
	for (int i = 0; i < SLICES; i++)
		printf("SLICE %d ticks=%llu\n", i + 1, (unsigned long long)since[i]);
	for (int i = 0; i < passes; i++)
		printf("PASS %d ticks=%llu\n", i + 1, (unsigned long long)pass[i]);
	printf("FINISHED bad=%zu\n", bad);
	return bad != 0;
}
