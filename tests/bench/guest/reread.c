/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reread FILE PASSES - reads a file from its beginning to its end over and over, as cat does; prints a
 * checksum that must never change.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t buf[8192];

int main(int argc, char **argv)
{
	int passes = argc > 2 ? atoi(argv[2]) : 0;
	uint64_t first = 0;

	for (int i = 0; i < passes; i++) {
		int fd = open(argv[1], O_RDONLY);
		uint64_t sum = 0;
		ssize_t n;

		while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
			for (size_t k = 0; k < (size_t)n / 8; k += 32)
				sum = sum * 31 + buf[k];
		if (fd < 0 || n < 0) {
			perror(argv[1]);
			return 1;
		}
		close(fd);
		first = i ? first : sum;
		if (sum != first) {
			printf("CORRUPT pass %d\n", i + 1);
			return 1;
		}
	}
	printf("SUM %016llx\n", (unsigned long long)first);
	return passes < 1;
}
