/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * reclaim PAGES - takes the frames of half of PAGES clean pages, which nobody has touched for some passes,
 * one at a time as a neighbour's faults do. Run under callgrind with --toggle-collect=take_one
 * --toggle-collect=pager_flush, which then counts its instructions without those of the fake processor's
 * flush; how many there were of each is printed.
 */
#define ENV_SECTORS 600000u
#include "tests/unit/pager_env.h"

#define AT_ONCE 256u /* sectors a request */
#define PASSES 8

__attribute__((noinline)) u32 take_one(struct vm_mem *m);

u32 take_one(struct vm_mem *m)
{
	return reclaim_take(m, 1);
}

int main(int argc, char **argv)
{
	u32 pages = argc > 1 ? (u32)atoi(argv[1]) : 0, taken = 0, calls = 0;
	struct vm_mem *m;

	if (!pages || pages > ENV_SECTORS / 8 - 64 || pages % (AT_ONCE / 8))
		return 2;
	env_start(pages + pages / 16 + 1024, 64);
	m = env_vm(0, pages, pages, 64 * SECTORS_PER_PAGE, (u64)pages * SECTORS_PER_PAGE);
	for (u64 s = 0; s < (u64)pages * SECTORS_PER_PAGE; s += AT_ONCE)
		if (io_simple(m, GUEST_IO_READ, s, AT_ONCE, s * SECTOR_SIZE))
			return 1;
	for (u32 i = 0; i < PASSES; i++)
		pager_scan(m);
	m->slat.flushes = 0;
	while (vmmem_held(m) > pages / 2) {
		taken += take_one(m);
		calls++;
	}
	if (m->n.clean_drops != taken || m->n.swap_writes)
		return 1;
	printf("frames=%u calls=%u flushes=%llu\n", taken, calls, (unsigned long long)m->slat.flushes);
	env_end();
	return 0;
}
