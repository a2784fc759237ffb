/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * phases START HZ PACE MIB:SECONDS... - works on MIB mebibytes of anonymous memory for SECONDS, then on
 * another amount. Each page is read, checked and changed in turn; after each mebibyte it rests for PACE
 * microseconds, as a server that waits for requests does. START, in ticks of the time stamp counter, lets
 * guests of one machine keep step; HZ is its rate. Prints the counter at each change, the pages touched in
 * each phase, and whether any lost its content.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define WORDS 512 /* of a page */

static void wait_until(uint64_t tsc)
{
	struct timespec pause = { 0, 10 * 1000 * 1000 };

	while (__rdtsc() < tsc)
		nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
	uint64_t end = argc > 4 ? strtoull(argv[1], NULL, 0) : 0,
		 hz = argc > 4 ? strtoull(argv[2], NULL, 0) : 1;
	struct timespec pace = { 0, argc > 4 ? atol(argv[3]) * 1000 : 0 };
	size_t most = 0, bad = 0, total = 0;
	volatile uint64_t *p;

	for (int i = 4; i < argc; i++)
		most = strtoul(argv[i], NULL, 0) > most ? strtoul(argv[i], NULL, 0) : most;
	p = mmap(NULL, most << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!most || p == MAP_FAILED) {
		fprintf(stderr, "usage: phases START HZ PACE MIB:SECONDS...\n");
		return 2;
	}
	wait_until(end);
	for (int i = 4; i < argc; i++) {
		size_t pages = strtoul(argv[i], NULL, 0) << 8, done = 0, at = 0;
		const char *seconds = strchr(argv[i], ':');

		end += (seconds ? strtoull(seconds + 1, NULL, 0) : 1) * hz;
		printf("PHASE %d mib=%zu tsc=%llu\n", i - 3, pages >> 8, (unsigned long long)__rdtsc());
		fflush(stdout);
		for (; __rdtsc() < end; done++, at = at + 1 < pages ? at + 1 : 0) {
			volatile uint64_t *w = p + at * WORDS;

			/* untouched, or its own number below and how often it was touched above */
			bad += w[0] && (uint32_t)w[0] != (uint32_t)at + 1;
			bad += w[0] != w[WORDS - 1];
			w[0] = w[WORDS - 1] = ((w[0] >> 32) + 1) << 32 | (uint32_t)(at + 1);
			if (pace.tv_nsec && !(at & 255))
				nanosleep(&pace, NULL);
		}
		total += done;
		printf("UNITS %d pages=%zu\n", i - 3, done);
	}
	printf("FINISHED pages=%zu bad=%zu tsc=%llu\n", total, bad, (unsigned long long)__rdtsc());
	return bad != 0;
}
