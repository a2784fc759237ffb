/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf.h - the program headers of an ELF executable for x86, 32 or 64 bits, in one shape. Pure; the bytes are
 * not trusted. Source: System V ABI, "ELF Header", "Program Header".
 */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "kernel/lib/types.h"

#define ELF_SEGMENTS_MAX 64u /* more are refused: real kernels have less than ten */
#define ELF_PT_LOAD 1u

struct elf {
	const u8 *image;
	u64 entry;             /* virtual, or physical: the file does not say */
	u64 phoff;             /* the program headers, all inside the file */
	u32 phnum, phentsize;
	bool is64;
};

/* Bytes [offset, offset + filesz) of the file belong at paddr, zeros behind them up to memsz; none of it is
 * checked. */
struct elf_segment { u32 type; u64 offset, vaddr, paddr, filesz, memsz; };

/* E_NOENT: no ELF executable for i386 or x86-64. E_INVAL: the program headers are not in the file, are none
 * or too many. */
int elf_open(const u8 *image, u64 size, struct elf *e) MUST_CHECK;
/* i < e->phnum. */
void elf_segment(const struct elf *e, u32 i, struct elf_segment *s);

#endif
