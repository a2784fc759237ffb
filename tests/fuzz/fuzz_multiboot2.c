/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/multiboot2.c kernel/lib/fmt.c kernel/lib/log.c */
/*
 * Any bytes as the loader's information. What comes out must be sorted, whole pages, and its
 * modules inside usable memory and apart from each other.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/multiboot2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool in_usable(const struct boot_info *bi, u64 start, u64 end)
{
	for (u32 i = 0; i < bi->nranges; i++)
		if (bi->ranges[i].usable && start >= bi->ranges[i].start && end <= bi->ranges[i].end)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info bi;
	u8 *copy = malloc(size + 8);
	char why[120];

	/* The total length is put right half of the time, or nothing would get past it. */
	memcpy(copy, data, size);
	if (size >= 8 && data[4] & 1)
		memcpy(copy, &(u32){ (u32)size }, 4);
	if (!multiboot2_parse(MULTIBOOT2_BOOTLOADER_MAGIC, copy, size, &bi, why, sizeof(why))) {
		check(bi.nranges && bi.nranges <= BOOT_MAX_RANGES && bi.nmodules <= BOOT_MAX_MODULES);
		for (u32 i = 0; i < bi.nranges; i++) {
			const struct boot_range *r = &bi.ranges[i];

			check(r->start < r->end && (!i || bi.ranges[i - 1].end <= r->start));
			check(!r->usable || !((r->start | r->end) % PAGE_SIZE));
		}
		for (u32 i = 0; i < bi.nmodules; i++) {
			const struct boot_module *m = &bi.modules[i];

			check(memchr(m->cmdline, 0, sizeof(m->cmdline)) != NULL);
			check(!m->size == !!m->bad);
			check(m->bad || in_usable(&bi, m->start.a, m->start.a + m->size));
			for (u32 j = 0; j < i && !m->bad; j++)
				check(bi.modules[j].start.a >= m->start.a + m->size ||
				      m->start.a >= bi.modules[j].start.a + bi.modules[j].size);
		}
	}
	free(copy);
	return 0;
}
