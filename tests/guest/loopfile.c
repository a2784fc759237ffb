/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopfile FILE PASSES - reads a file over and over, as a server with a working set larger than its memory
 * does; prints the TSC after each pass and a checksum that must never change.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <x86intrin.h>

static char buf[128 * 1024];

static int pass(const char *name, uint64_t *sum)
{
	int fd = open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0) {
		perror(name);
		return 1;
	}
	*sum = 0;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i + 8 <= n; i += 512)
			*sum = *sum * 31 + *(uint64_t *)(buf + i);
	close(fd);
	if (n < 0)
		perror(name);
	return n < 0;
}

int main(int argc, char **argv)
{
	int passes = argc > 2 ? atoi(argv[2]) : 1;
	uint64_t first = 0, sum, start = __rdtsc();

	if (argc < 3 || passes < 1) {
		fprintf(stderr, "usage: loopfile FILE PASSES\n");
		return 2;
	}
	for (int i = 0; i < passes; i++) {
		if (pass(argv[1], &sum))
			return 1;
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
