/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * linux.h - puts a Linux/x86 bzImage into a guest's memory.
 * Source: The Linux/x86 Boot Protocol (Documentation/arch/x86/boot.rst), version 2.10 and later.
 */
#ifndef BOOT_LINUX_H
#define BOOT_LINUX_H

#include "boot/guest.h"

/*
 * image, initrd (NULL, 0: none): bytes that are not trusted. Takes the 64-bit entry where the
 * kernel has one, else the 32-bit one. The initrd goes as high as kernel and RAM allow.
 * 0; E_INVAL (no kernel that we can start), E_NOMEM (does not fit t->ram), or the port's error;
 * why gets one line.
 */
int linux_load(const u8 *image, u64 image_size, const u8 *initrd, u64 initrd_size,
	       const struct guest_target *t, struct guest_entry *out, char *why, size_t why_size) MUST_CHECK;

#endif
