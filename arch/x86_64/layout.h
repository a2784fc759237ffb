/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * layout.h - addresses and sizes that C, assembly and vmmb.ld must agree on. Only
 * #defines: the assembler reads it too.
 */
#ifndef ARCH_X86_64_LAYOUT_H
#define ARCH_X86_64_LAYOUT_H

#define LAYOUT_IMAGE_BASE 0xffffffff80000000 /* virtual minus physical, for the image */
#define LAYOUT_IMAGE_PHYS 0x200000           /* where vmmb.ld puts it; the same number is there */
#define LAYOUT_DIRECT_MAP 0xffff800000000000
#define LAYOUT_MMIO 0xffffc00000000000

#define LAYOUT_BOOT_MAPPED 0x100000000 /* bytes that the boot tables map, at 0 and in the direct map */

#define LAYOUT_GUARD 0x1000
#define LAYOUT_STACK_MAIN 0x10000
#define LAYOUT_STACK_IST 0x2000

#endif
