/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot1.c - puts a Multiboot kernel, its command line and module into guest memory.
 *
 * Contract: multiboot1.h. The image is not trusted: every segment lies in the file, in the
 * guest's RAM and outside our own low memory, or the image is refused. No state.
 * Source: Multiboot Specification 0.6.96, "OS image format", "Boot information format";
 * System V ABI, "ELF Header", "Program Header".
 */
#include "boot/multiboot1.h"
#include "kernel/lib/lib.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define HEADER_SEARCH 8192u
#define FLAG_VIDEO BIT(2)
#define FLAG_ADDRESSES BIT(16)   /* the "a.out kludge" */
#define FLAG_KNOWN (BIT(0) | BIT(1))
#define FLAGS_REQUIRED 0xffffu
#define MMAP_AT (GUEST_INFO + 0x100u)
#define MODULE_AT (GUEST_INFO + 0x300u)
#define LOADER_NAME_AT (GUEST_INFO + 0x400u)
#define PT_LOAD 1u
#define SEGMENTS_MAX 64u

struct mb1_header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct mb1_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
	u32 mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	u32 drives_length, drives_addr, config_table, boot_loader_name, apm_table;
};
_Static_assert(offsetof(struct mb1_info, mmap_length) == 44, "multiboot information");
_Static_assert(offsetof(struct mb1_info, boot_loader_name) == 64, "multiboot information");
#define INFO_MEMORY BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODS BIT(3)
#define INFO_MMAP BIT(6)
#define INFO_LOADER_NAME BIT(9)

struct mb1_mmap { u32 size; u64 addr, len; u32 type; } __attribute__((packed));
struct mb1_module { u32 start, end, string, reserved; };

struct elf32_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version, entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf32_phdr { u32 type, offset, vaddr, paddr, filesz, memsz, flags, align; };
_Static_assert(sizeof(struct elf32_ehdr) == 52 && sizeof(struct elf32_phdr) == 32, "ELF32");

struct load {
	const u8 *image;
	u64 size;
	const struct guest_target *t;
	u64 end;          /* of the highest segment */
	u64 entry;
	char *why;
	size_t why_size;
};

static int refuse(struct load *l, int err, const char *text)
{
	fmt(l->why, l->why_size, "%s", text);
	return err;
}

/* File bytes [offset, offset + filesz) to gpa, zeros up to memsz. */
static int load_segment(struct load *l, u64 offset, u64 filesz, u64 gpa, u64 memsz)
{
	int err = 0;

	if (filesz > memsz || offset > l->size || filesz > l->size - offset)
		return refuse(l, E_INVAL, "a segment lies outside the image");
	if (!memsz)
		return 0;
	if (!guest_in_ram(l->t, gpa, memsz)) {
		fmt(l->why, l->why_size, "a segment at %#lx-%#lx is not in the guest's RAM", gpa, gpa + memsz);
		return E_NOMEM;
	}
	if (gpa < GUEST_LOADER_END && gpa + memsz > GUEST_LOADER_START)
		return refuse(l, E_INVAL, "a segment lies below E000h, where the loader's own tables are");
	if (filesz)
		err = l->t->write(l->t->ctx, gpa, l->image + offset, filesz);
	if (!err && memsz > filesz)
		err = l->t->zero(l->t->ctx, gpa + filesz, memsz - filesz);
	if (err)
		return refuse(l, err, "writing the guest's memory failed");
	l->end = MAX(l->end, gpa + memsz);
	return 0;
}

/* The header and where in the image it is; checksum checked. */
static int find_header(struct load *l, struct mb1_header *h, u64 *offset)
{
	u64 limit = MIN(l->size, (u64)HEADER_SEARCH);

	memset(h, 0, sizeof(*h));
	for (u64 at = 0; at + 12 <= limit; at += 4) {
		memcpy(h, l->image + at, 12);
		if (h->magic != HEADER_MAGIC || h->magic + h->flags + h->checksum)
			continue;
		*offset = at;
		if (!(h->flags & FLAG_ADDRESSES))
			return 0;
		if (at + sizeof(*h) > limit)
			break;
		memcpy(h, l->image + at, sizeof(*h));
		return 0;
	}
	return refuse(l, E_INVAL, "not a Multiboot kernel (no header in the first 8 KiB)");
}

/* "The address fields of Multiboot header". */
static int load_by_addresses(struct load *l, const struct mb1_header *h, u64 offset)
{
	u64 start, filesz, memsz;

	if (h->load_addr > h->header_addr || h->header_addr - h->load_addr > offset)
		return refuse(l, E_INVAL, "header: load_addr contradicts header_addr");
	start = offset - (h->header_addr - h->load_addr);
	filesz = l->size - start;
	if (h->load_end_addr) {
		if (h->load_end_addr < h->load_addr)
			return refuse(l, E_INVAL, "header: load_end_addr lies below load_addr");
		filesz = h->load_end_addr - h->load_addr;
	}
	memsz = filesz;
	if (h->bss_end_addr) {
		if (h->bss_end_addr < h->load_addr + filesz)
			return refuse(l, E_INVAL, "header: bss_end_addr lies below the loaded part");
		memsz = h->bss_end_addr - h->load_addr;
	}
	l->entry = h->entry_addr;
	return load_segment(l, start, filesz, h->load_addr, memsz);
}

static int load_elf(struct load *l)
{
	struct elf32_ehdr e;
	struct elf32_phdr p;
	int err = 0;

	if (l->size < sizeof(e))
		return refuse(l, E_INVAL, "neither ELF nor load addresses in the Multiboot header");
	memcpy(&e, l->image, sizeof(e));
	if (memcmp(e.ident, "\177ELF\1\1", 6) || e.machine != 3 || e.phentsize < sizeof(p))
		return refuse(l, E_INVAL, "neither ELF32 for x86 nor load addresses in the Multiboot header");
	if (!e.phnum || e.phnum > SEGMENTS_MAX || e.phoff > l->size ||
	    (u64)e.phnum * e.phentsize > l->size - e.phoff)
		return refuse(l, E_INVAL, "ELF: the program headers lie outside the image");
	for (u32 i = 0; !err && i < e.phnum; i++) {
		memcpy(&p, l->image + e.phoff + (u64)i * e.phentsize, sizeof(p));
		if (p.type == PT_LOAD)
			err = load_segment(l, p.offset, p.filesz, p.paddr, p.memsz);
	}
	l->entry = e.entry;
	return err;
}

static int load_module(struct load *l, const u8 *module, u64 size, struct mb1_info *info)
{
	u64 top = l->t->ram, at = size <= top ? ALIGN_DOWN(top - size, (u64)PAGE_SIZE) : 0;
	struct mb1_module m;
	int err;

	if (!module || !size)
		return 0;
	if (at < l->end || !guest_in_ram(l->t, at, size))
		return refuse(l, E_NOMEM, "the module does not fit above the kernel; try more ram=");
	m = (struct mb1_module){ (u32)at, (u32)(at + size), 0, 0 };
	err = l->t->write(l->t->ctx, at, module, size);
	if (!err)
		err = l->t->write(l->t->ctx, MODULE_AT, &m, sizeof(m));
	info->flags |= INFO_MODS;
	info->mods_count = 1;
	info->mods_addr = MODULE_AT;
	return err ? refuse(l, err, "writing the guest's memory failed") : 0;
}

static int write_mmap(const struct guest_target *t, struct mb1_info *info)
{
	struct mb1_mmap map[GUEST_E820_MAX];
	u32 n = MIN(t->ne820, (u32)GUEST_E820_MAX);

	for (u32 i = 0; i < n; i++)
		map[i] = (struct mb1_mmap){ sizeof(map[0]) - 4, t->e820[i].addr, t->e820[i].size,
					    t->e820[i].type };
	info->mmap_addr = MMAP_AT;
	info->mmap_length = n * (u32)sizeof(map[0]);
	return t->write(t->ctx, MMAP_AT, map, info->mmap_length);
}

static int write_info(struct load *l, struct mb1_info *info, const char *cmdline)
{
	static const char name[] = "VMMB";
	const struct guest_target *t = l->t;
	int err = write_mmap(t, info);

	info->flags |= INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_LOADER_NAME;
	info->mem_lower = GUEST_LOW_RAM_END / 1024;
	info->mem_upper = (u32)((t->ram - MIN(t->ram, (u64)GUEST_HIGH_RAM)) / 1024);
	info->cmdline = GUEST_CMDLINE;
	info->boot_loader_name = LOADER_NAME_AT;
	if (!err)
		err = t->write(t->ctx, GUEST_INFO, info, sizeof(*info));
	if (!err)
		err = t->write(t->ctx, LOADER_NAME_AT, name, sizeof(name));
	if (!err)
		err = t->write(t->ctx, GUEST_CMDLINE, cmdline, strlen(cmdline) + 1);
	return err ? refuse(l, err, "writing the guest's memory failed") : 0;
}

int multiboot1_load(const u8 *image, u64 image_size, const u8 *module, u64 module_size,
		    const struct guest_target *t, struct guest_entry *out, char *why, size_t why_size)
{
	const char *cmdline = t->cmdline ? t->cmdline : "";
	struct load l = { image, image_size, t, 0, 0, why, why_size };
	struct mb1_info info = { 0 };
	struct mb1_header h;
	u64 offset;
	int err;

	memset(out, 0, sizeof(*out));
	if (!guest_in_ram(t, GUEST_LOADER_START, GUEST_LOADER_END - GUEST_LOADER_START))
		return refuse(&l, E_NOMEM, "no low memory");
	if (strlen(cmdline) >= GUEST_CMDLINE_MAX)
		return refuse(&l, E_INVAL, "command line too long");
	if ((err = find_header(&l, &h, &offset)))
		return err;
	if (h.flags & FLAGS_REQUIRED & ~FLAG_KNOWN)
		return refuse(&l, E_INVAL, h.flags & FLAG_VIDEO ? "the kernel wants a video mode, there is none"
						: "the kernel requires a Multiboot feature that we don't have");
	err = h.flags & FLAG_ADDRESSES ? load_by_addresses(&l, &h, offset) : load_elf(&l);
	if (err || (err = load_module(&l, module, module_size, &info)) ||
	    (err = write_info(&l, &info, cmdline)))
		return err;
	if (!guest_in_ram(t, l.entry, 1))
		return refuse(&l, E_INVAL, "the entry point is not in RAM");
	out->rip = l.entry;
	out->rax = LOADER_MAGIC;
	out->rbx = GUEST_INFO;
	err = guest_write_cpu_tables(t, out);
	return err ? refuse(&l, err, "writing the guest's memory failed") : 0;
}
