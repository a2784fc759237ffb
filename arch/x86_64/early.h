/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * early.h - memory before there is a frame table: a first-fit allocator over the boot
 * memory map. It serves page tables and whatever the frame table itself lives in, and it
 * tells afterwards which physical memory the hypervisor keeps.
 */
#ifndef ARCH_X86_64_EARLY_H
#define ARCH_X86_64_EARLY_H

#include "kernel/lib/types.h"

struct boot_info;

struct arch_range { u64 start, end; }; /* physical bytes, page-aligned, end exclusive */
#define ARCH_RESERVED_MAX 32

/* bi must stay valid until arch_reserved_ranges() was called. */
void early_init(const struct boot_info *bi);
/* From now on all RAM can be reached, not just the first 4 GiB (paging_init() calls it). */
void early_all_mapped(void);

/*
 * Page-aligned, zeroed physical memory that nothing else uses (not the image, not a module);
 * lowest address first, from 1 MiB up. hpa.a == 0 when there is none. Reach it by hpa_ptr().
 */
hpa_t arch_early_alloc(u64 bytes) MUST_CHECK;

/*
 * Fills out[] (ARCH_RESERVED_MAX) with the sorted ranges that the hypervisor occupies: its image and
 * what arch_early_alloc() gave. Returns their number. Closes the allocator: later calls of
 * arch_early_alloc() return 0. Modules are not in it.
 */
u32 arch_reserved_ranges(struct arch_range *out);

#endif
