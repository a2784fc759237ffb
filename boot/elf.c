/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf.c - reads ELF headers of both classes into one shape. Contract: elf.h. No state.
 */
#include "boot/elf.h"
#include "kernel/lib/lib.h"

#define CLASS_AT 4        /* in e_ident: EI_CLASS, then EI_DATA */
#define CLASS_32 1
#define CLASS_64 2
#define LITTLE_ENDIAN_DATA 1
#define MACHINE_386 3
#define MACHINE_X86_64 62

struct elf32_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version, entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf32_phdr { u32 type, offset, vaddr, paddr, filesz, memsz, flags, align; };
_Static_assert(sizeof(struct elf32_ehdr) == 52 && sizeof(struct elf32_phdr) == 32, "ELF32");

struct elf64_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf64_phdr { u32 type, flags; u64 offset, vaddr, paddr, filesz, memsz, align; };
_Static_assert(sizeof(struct elf64_ehdr) == 64 && sizeof(struct elf64_phdr) == 56, "ELF64");

static int open32(const u8 *image, u64 size, struct elf *e)
{
	struct elf32_ehdr h;

	if (size < sizeof(h))
		return E_NOENT;
	memcpy(&h, image, sizeof(h));
	*e = (struct elf){ image, h.entry, h.phoff, h.phnum, h.phentsize, false };
	return h.machine == MACHINE_386 ? 0 : E_NOENT;
}

static int open64(const u8 *image, u64 size, struct elf *e)
{
	struct elf64_ehdr h;

	if (size < sizeof(h))
		return E_NOENT;
	memcpy(&h, image, sizeof(h));
	*e = (struct elf){ image, h.entry, h.phoff, h.phnum, h.phentsize, true };
	return h.machine == MACHINE_X86_64 ? 0 : E_NOENT;
}

int elf_open(const u8 *image, u64 size, struct elf *e)
{
	int err;

	if (size < 16 || memcmp(image, "\177ELF", 4) || image[CLASS_AT + 1] != LITTLE_ENDIAN_DATA ||
	    (image[CLASS_AT] != CLASS_32 && image[CLASS_AT] != CLASS_64))
		return E_NOENT;
	err = image[CLASS_AT] == CLASS_64 ? open64(image, size, e) : open32(image, size, e);
	if (err)
		return err;
	if (e->phentsize < (e->is64 ? sizeof(struct elf64_phdr) : sizeof(struct elf32_phdr)) || !e->phnum ||
	    e->phnum > ELF_SEGMENTS_MAX || e->phoff > size || (u64)e->phnum * e->phentsize > size - e->phoff)
		return E_INVAL;
	return 0;
}

void elf_segment(const struct elf *e, u32 i, struct elf_segment *s)
{
	const u8 *at = e->image + e->phoff + (u64)i * e->phentsize;
	struct elf32_phdr p32;
	struct elf64_phdr p64;

	if (e->is64) {
		memcpy(&p64, at, sizeof(p64));
		*s =
			(struct elf_segment){ p64.type,  p64.offset, p64.vaddr,
					      p64.paddr, p64.filesz, p64.memsz };
	} else {
		memcpy(&p32, at, sizeof(p32));
		*s =
			(struct elf_segment){ p32.type,  p32.offset, p32.vaddr,
					      p32.paddr, p32.filesz, p32.memsz };
	}
}
