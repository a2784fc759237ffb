/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * paging.h - the hypervisor's own address space.
 *
 *   ffff800000000000  direct map of all usable RAM, NX; the image's text and constants read-only
 *   ffffc00000000000  devices, uncached, NX (arch_mmio_map)
 *   ffffffff80000000  the image: text RX, constants R, data RW+NX, guard pages absent
 *
 * Nothing else is mapped: no identity map, no user pages.
 */
#ifndef ARCH_X86_64_PAGING_H
#define ARCH_X86_64_PAGING_H

#include "kernel/lib/types.h"

struct boot_info;

/* Builds the tables from the memory map and switches to them. Panics when memory is too short. */
void paging_init(const struct boot_info *bi);

/* Maps [phys, phys+bytes) uncached for good; NULL when the window (PAGING_MMIO_BYTES) is full. */
#define PAGING_MMIO_BYTES (8 * MIB)
void *arch_mmio_map(u64 phys, u64 bytes) MUST_CHECK;

/* Physical address of an object inside the image (a static variable). */
u64 arch_image_phys(const void *p);

#endif
