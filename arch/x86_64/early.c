/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * early.c - first-fit page allocation over the boot memory map, before the frame table.
 * What is given stays given: there is no free. Used during boot only, one CPU.
 */
#include "arch/x86_64/early.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/layout.h"
#include "boot/boot_info.h"
#include "kernel/lib/lib.h"

#define EARLY_LOWEST MIB /* below: BIOS data, and room for other CPUs' start-up code */

extern const char __image_start[], __image_end[];

static const struct boot_info *info;
static struct arch_range taken[ARCH_RESERVED_MAX];
static u32 ntaken;
static u64 limit;

void early_init(const struct boot_info *bi)
{
	info = bi;
	taken[0].start = (u64)__image_start - LAYOUT_IMAGE_BASE;
	taken[0].end = (u64)__image_end - LAYOUT_IMAGE_BASE;
	ntaken = 1;
	limit = LAYOUT_BOOT_MAPPED;
}

void early_all_mapped(void)
{
	limit = ~0ull;
}

/* The end of something that overlaps [start, end), or 0. */
static u64 conflict(u64 start, u64 end)
{
	for (u32 i = 0; i < ntaken; i++)
		if (start < taken[i].end && taken[i].start < end)
			return taken[i].end;
	for (u32 i = 0; i < info->nmodules; i++) {
		const struct boot_module *m = &info->modules[i];

		if (m->size && start < m->start.a + m->size && m->start.a < end)
			return m->start.a + m->size;
	}
	return 0;
}

static u64 find(u64 bytes)
{
	for (u32 i = 0; i < info->nranges; i++) {
		const struct boot_range *r = &info->ranges[i];
		u64 pos = MAX(ALIGN_UP(r->start, PAGE_SIZE), EARLY_LOWEST), end = MIN(r->end, limit);

		while (r->usable && pos < end && end - pos >= bytes) {
			u64 next = conflict(pos, pos + bytes);

			if (!next)
				return pos;
			pos = ALIGN_UP(next, PAGE_SIZE);
		}
	}
	return 0;
}

/* Adds [start, end) to the sorted list, joined with its neighbours. */
static bool take(u64 start, u64 end)
{
	u32 i = 0;

	while (i < ntaken && taken[i].end < start)
		i++;
	if (i < ntaken && taken[i].end == start) {
		taken[i].end = end;
		if (i + 1 < ntaken && taken[i + 1].start == end) {
			taken[i].end = taken[i + 1].end;
			memmove(&taken[i + 1], &taken[i + 2], (ntaken - i - 2) * sizeof(taken[0]));
			ntaken--;
		}
		return true;
	}
	if (i < ntaken && taken[i].start == end) {
		taken[i].start = start;
		return true;
	}
	if (ntaken == ARCH_RESERVED_MAX)
		return false;
	memmove(&taken[i + 1], &taken[i], (ntaken - i) * sizeof(taken[0]));
	taken[i] = (struct arch_range){ start, end };
	ntaken++;
	return true;
}

hpa_t arch_early_alloc(u64 bytes)
{
	u64 pos;

	bytes = ALIGN_UP(bytes, PAGE_SIZE);
	if (!info || !bytes)
		return (hpa_t){ 0 };
	pos = find(bytes);
	if (!pos || !take(pos, pos + bytes))
		return (hpa_t){ 0 };
	memset(hpa_ptr((hpa_t){ pos }), 0, bytes);
	return (hpa_t){ pos };
}

u32 arch_reserved_ranges(struct arch_range *out)
{
	info = NULL;
	memcpy(out, taken, ntaken * sizeof(taken[0]));
	return ntaken;
}
