/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * neighbour MIB FILE_MIB FROM_MS FOR_MS MHZ - a guest beside hostile ones: checks that its memory and its
 * file stay what it wrote, and counts how fast it goes on.
 *
 * A unit is one mebibyte of memory (checked, one page in four changed), 64 KiB of the file (read past the
 * cache, checked, now and then written again) and some thousand additions. Units are counted until the time
 * stamp counter says FROM_MS, and in the FOR_MS after that. The file is ./neighbour.dat.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

enum { PAGE = 4096, WORDS = PAGE / 8, UNIT_PAGES = 256, PIECE = 65536, REWRITE = 8, ADDITIONS = 200000 };

static uint64_t *memory, *piece;
static size_t pages, pieces, bad_memory, bad_file;
static int file;

static uint64_t word(uint64_t i, uint64_t round)
{
	i = (i + 1) * 0x9e3779b97f4a7c15u + round;
	return i ^ (i >> 29);
}

/* The first word of a page counts the times that it was changed, and the last says so, too. */
static void check_page(size_t n)
{
	uint64_t *p = memory + n * WORDS;

	for (size_t i = 63; i < WORDS - 1; i += 64)
		bad_memory += p[i] != word(n * WORDS + i, 0);
	bad_memory += p[WORDS - 1] != word(n, p[0]);
	if (n % 4 == 0)
		p[WORDS - 1] = word(n, ++p[0]);
}

static void fill_memory(void)
{
	for (size_t n = 0; n < pages; n++) {
		for (size_t i = 0; i < WORDS - 1; i++)
			memory[n * WORDS + i] = i ? word(n * WORDS + i, 0) : 0;
		memory[n * WORDS + WORDS - 1] = word(n, 0);
	}
}

static void write_piece(size_t n, uint64_t round)
{
	piece[0] = round;
	for (size_t i = 1; i < PIECE / 8; i++)
		piece[i] = word(n * PIECE + i, round);
	bad_file += pwrite(file, piece, PIECE, (off_t)n * PIECE) != PIECE;
}

static void check_piece(size_t n)
{
	bad_file += pread(file, piece, PIECE, (off_t)n * PIECE) != PIECE;
	for (size_t i = 1; i < PIECE / 8; i += 61)
		bad_file += piece[i] != word(n * PIECE + i, piece[0]);
}

static void unit(size_t n)
{
	for (size_t i = 0; i < UNIT_PAGES; i++)
		check_page((n * UNIT_PAGES + i) % pages);
	check_piece(n % pieces);
	if (n % REWRITE == 0)
		write_piece(n % pieces, n);
	for (volatile unsigned i = 0; i < ADDITIONS; i++)
		;
}

/* Units until then; says how many and, if there is one, what was wrong, once a second. */
static void units(const char *name, uint64_t until, uint64_t mhz)
{
	static size_t n;
	uint64_t start = __rdtsc(), said = start, now;
	size_t first = n;

	for (now = start; now < until; now = __rdtsc()) {
		unit(n++);
		if (now - said > mhz * 1000000) {
			said = now;
			printf("%s units=%zu bad=%zu,%zu\n", name, n - first, bad_memory, bad_file);
			fflush(stdout);
		}
	}
	printf("%s OVER units=%zu us=%llu\n", name, n - first, (unsigned long long)((now - start) / mhz));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint64_t mhz = argc > 5 ? strtoul(argv[5], NULL, 0) : 0, from, until;

	if (!mhz) {
		fprintf(stderr, "usage: neighbour MIB FILE_MIB FROM_MS FOR_MS MHZ\n");
		return 2;
	}
	pages = strtoul(argv[1], NULL, 0) * 256;
	pieces = strtoul(argv[2], NULL, 0) * 16;
	from = strtoul(argv[3], NULL, 0) * 1000 * mhz;
	until = from + strtoul(argv[4], NULL, 0) * 1000 * mhz;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	piece = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = open("neighbour.dat", O_RDWR | O_CREAT | O_DIRECT, 0600);
	if (memory == MAP_FAILED || piece == MAP_FAILED || file < 0) {
		perror("neighbour");
		return 1;
	}
	fill_memory();
	for (size_t n = 0; n < pieces; n++)
		write_piece(n, 0);
	for (size_t n = 0; n < pages / UNIT_PAGES; n++) /* until it pages as it will go on to */
		unit(n);
	if (__rdtsc() >= from)
		printf("LATE: it is %llu ms already\n", (unsigned long long)(__rdtsc() / mhz / 1000));
	printf("READY at %llu ms\n", (unsigned long long)(__rdtsc() / mhz / 1000));
	units("CALM", from, mhz);
	units("BESIDE", until, mhz);
	printf("DONE bad_memory=%zu bad_file=%zu\n", bad_memory, bad_file);
	return bad_memory || bad_file;
}
