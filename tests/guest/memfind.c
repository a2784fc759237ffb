/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memfind SEED - reads all of this machine's RAM, free pages included, through /proc/kcore and counts words
 * whose upper half is SEED and whose lower half is what memfill writes at some place of the same page:
 * another owner's data.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t page[512];

/* A page of memfill's: every step from word to word is the multiplier. One word alone may be chance or this
 * program's own. */
static int is_foreign(uint32_t seed)
{
	for (int i = 0; i < 512; i++)
		if (page[i] >> 32 != seed || (i && (uint32_t)(page[i] - page[i - 1]) != 2654435761u))
			return 0;
	return 1;
}

static int scan(int fd, const Elf64_Phdr *ph, uint32_t seed, unsigned long *pages)
{
	int found = 0;

	for (uint64_t off = 0; off + sizeof(page) <= ph->p_filesz; off += sizeof(page)) {
		if (pread(fd, page, sizeof(page), (off_t)(ph->p_offset + off)) != (ssize_t)sizeof(page))
			continue;
		++*pages;
		found += is_foreign(seed);
	}
	return found;
}

int main(int argc, char **argv)
{
	uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
	int fd = open("/proc/kcore", O_RDONLY), found = 0;
	unsigned long pages = 0;
	Elf64_Ehdr eh;

	if (fd < 0 || pread(fd, &eh, sizeof(eh), 0) != (ssize_t)sizeof(eh)) {
		perror("/proc/kcore");
		return 1;
	}
	for (int i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;

		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + (uint64_t)i * eh.e_phentsize)) !=
		    (ssize_t)sizeof(ph))
			return 1;
		/* the direct map of RAM is what has a physical address and is not the kernel's own image */
		if (ph.p_type == PT_LOAD && ph.p_vaddr < 0xffffffff80000000ull && ph.p_paddr != (uint64_t)-1)
			found += scan(fd, &ph, seed, &pages);
	}
	printf("DONE pages=%lu found=%d\n", pages, found);
	return found != 0 || !pages;
}
