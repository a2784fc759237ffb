/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpuidloop N - the round trip of an exit: N times CPUID by TSC, less the loop itself. The least of ten
 * batches is printed too: a timer interrupt in a batch is not the exit's cost.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

static inline void cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static uint64_t loop(long n, int with)
{
	uint64_t t = __rdtsc();

	for (long i = 0; i < n; i++) {
		if (with)
			cpuid();
		else
			__asm__ volatile("");
	}
	return __rdtsc() - t;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 100000;
	uint64_t all = 0, least = ~0ull, empty = loop(n / 10, 0);

	for (int i = 0; i < 10; i++) {
		uint64_t t = loop(n / 10, 1) - empty;

		all += t;
		if (t < least)
			least = t;
	}
	printf("DONE exits=%ld mean=%llu least=%llu\n", n, (unsigned long long)(all / n),
	       (unsigned long long)(least / (n / 10)));
	return 0;
}
