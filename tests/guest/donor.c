/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * donor MIB UNITS - light periodic work on a small working set: each unit reads and changes every page of MIB
 * mebibytes a few times and then sleeps a tenth of a second. Prints the work done; what it cost is the
 * hypervisor's to say.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

int main(int argc, char **argv)
{
	size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 0) : 4) << 20;
	int units = argc > 2 ? atoi(argv[2]) : 10;
	struct timespec pause = { 0, 100 * 1000 * 1000 };
	volatile uint64_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0, busy = 0;

	if (p == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (int u = 0; u < units; u++) {
		uint64_t t = __rdtsc();

		for (int round = 0; round < 4; round++)
			for (size_t i = 0; i < bytes / 8; i += 64) {
				p[i] += i + (size_t)round;
				sum += p[i];
			}
		busy += __rdtsc() - t;
		nanosleep(&pause, NULL);
	}
	printf("DONE units=%d ticks=%llu sum=%llx\n", units, (unsigned long long)busy,
	       (unsigned long long)sum);
	return 0;
}
