/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopfile FILE PASSES - maps a file and reads all its pages over and over, as a server with a working set
 * larger than its memory does; prints the TSC since the start after each pass, and a checksum that must never
 * change.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

/* Eight words of each page. */
static uint64_t pass(const volatile uint64_t *p, size_t words)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < words; i += 64)
		sum = sum * 31 + p[i];
	return sum;
}

int main(int argc, char **argv)
{
	int passes = argc > 2 ? atoi(argv[2]) : 0, fd = argc > 2 ? open(argv[1], O_RDONLY) : -1;
	uint64_t first = 0, start = __rdtsc();
	struct stat st;

	if (passes < 1 || fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "usage: loopfile FILE PASSES\n");
		return 2;
	}
	for (int i = 0; i < passes; i++) {
		/* mapped anew each time: a pass costs page faults, as opening a file does */
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		uint64_t sum;

		if (p == MAP_FAILED) {
			perror(argv[1]);
			return 1;
		}
		sum = pass(p, (size_t)st.st_size / 8);
		munmap(p, (size_t)st.st_size);
		if (!i)
			first = sum;
		printf("PASS %d ticks=%llu sum=%016llx\n", i + 1, (unsigned long long)(__rdtsc() - start),
		       (unsigned long long)sum);
		fflush(stdout);
		if (sum != first) {
			printf("CORRUPT pass %d\n", i + 1);
			return 1;
		}
	}
	printf("DONE passes=%d ticks=%llu\n", passes, (unsigned long long)(__rdtsc() - start));
	return 0;
}
