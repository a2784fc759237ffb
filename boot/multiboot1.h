/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot1.h - puts a Multiboot kernel and its modules into a guest's memory.
 * Source: Multiboot Specification 0.6.96; System V ABI, "Program Header". What the specification leaves open
 * is done as GRUB 2 does it: ELF64 images, entry points that are virtual addresses.
 */
#ifndef BOOT_MULTIBOOT1_H
#define BOOT_MULTIBOOT1_H

#include "boot/guest.h"

#define MULTIBOOT1_MODULES_MAX 16u /* a guest's */

struct multiboot1_module {
	const u8 *bytes;    /* not trusted */
	u64 size;
	const char *string; /* what the kernel is told with it */
};

/*
 * An ELF image or one with load addresses in its header; entry in 32-bit protected mode, EAX 2BADB002h, EBX
 * the information (memory, map, command line, loader name, modules). Segments may lie anywhere in RAM, also
 * in low memory: the information goes where none is. Modules start at pages, in the order given, 1 MiB above
 * the kernel, or where there is room. n <= MULTIBOOT1_MODULES_MAX. Errors as linux_load().
 */
int multiboot1_load(const u8 *image, u64 image_size, const struct multiboot1_module *modules, u32 n,
		    const struct guest_target *t, struct guest_entry *out, char *why,
		    size_t why_size) MUST_CHECK;

#endif
