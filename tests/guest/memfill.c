/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memfill MIB SEED [ROUNDS] - fills memory with a pattern that depends on the seed and the place, then checks
 * it ROUNDS times. "FILLED" says that all is written; memory is held until standard input ends when ROUNDS is
 * 0.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t word(uint64_t seed, size_t i)
{
	/* the upper half marks the owner: memfind looks for it */
	return (seed << 32) | (uint32_t)(i * 2654435761u);
}

int main(int argc, char **argv)
{
	size_t n = (argc > 1 ? strtoul(argv[1], NULL, 0) : 1) << 17;
	uint64_t seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	int rounds = argc > 3 ? atoi(argv[3]) : 1;
	uint64_t *p = mmap(NULL, n * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t bad = 0;
	char c;

	if (p == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		p[i] = word(seed, i);
	printf("FILLED\n");
	fflush(stdout);
	for (int r = 0; r < rounds; r++)
		for (size_t i = 0; i < n; i++)
			bad += p[i] != word(seed, i);
	if (!rounds)
		while (read(0, &c, 1) > 0)
			;
	printf("DONE words=%zu bad=%zu\n", n, bad);
	return bad != 0;
}
