/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.h - the entry into C, and where it leads.
 */
#ifndef ARCH_X86_64_START_H
#define ARCH_X86_64_START_H

#include "kernel/lib/types.h"

struct boot_info;

/* From boot.S, on the boot page tables: EAX and EBX of the multiboot2 entry. */
void arch_start(u32 magic, u32 mbi) NORETURN;

/* An upward port: kernel/main.c. The structure stays valid for good. */
void kernel_main(struct boot_info *bi) NORETURN;

#endif
