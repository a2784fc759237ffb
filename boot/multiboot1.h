/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot1.h - puts a Multiboot kernel (small test guests) into a guest's memory.
 * Source: Multiboot Specification 0.6.96; System V ABI, "Program Header" (ELF32).
 */
#ifndef BOOT_MULTIBOOT1_H
#define BOOT_MULTIBOOT1_H

#include "boot/guest.h"

/*
 * An ELF32 image or one with load addresses in its header; entry in 32-bit protected mode, EAX
 * 2BADB002h, EBX the information (memory, map, command line, loader name; module, if not NULL,
 * as the only module). Errors as linux_load().
 */
int multiboot1_load(const u8 *image, u64 image_size, const u8 *module, u64 module_size,
		    const struct guest_target *t, struct guest_entry *out, char *why, size_t why_size) MUST_CHECK;

#endif
