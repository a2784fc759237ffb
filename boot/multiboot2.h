/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot2.h - from the loader's boot information to struct boot_info.
 * Source: Multiboot2 Specification 2.0, "Boot information format".
 */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#include "boot/boot_info.h"

#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289u

/*
 * magic: EAX at entry. mbi: the boot information, of which max_bytes may be read (the caller maps
 * that much; the length in it is not trusted further than that). Everything wanted is copied to
 * *out: nothing points into mbi afterwards. Usable ranges are whole pages below 2^44, and where
 * the loader's entries disagree "unusable" wins. A module that does not lie in usable memory or
 * overlaps an earlier one keeps its place with size 0 and `bad` set, and is logged.
 * 0, or E_INVAL with one line in why: no usable information at all.
 */
int multiboot2_parse(u32 magic, const void *mbi, size_t max_bytes, struct boot_info *out, char *why,
		     size_t why_size) MUST_CHECK;
/* [start, end) is the hypervisor's: modules that overlap it become bad. */
void multiboot2_exclude(struct boot_info *bi, u64 start, u64 end);

#endif
