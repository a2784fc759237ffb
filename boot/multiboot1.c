/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot1.c - puts a Multiboot kernel, its command line and its modules into guest memory.
 *
 * Contract: multiboot1.h. The image is not trusted: every segment lies in the file and in the guest's RAM, or
 * the image is refused. What the loader itself tells the kernel is placed last, where no segment is. No
 * state. Source: Multiboot Specification 0.6.96, "OS image format", "Header magic fields" (bit 16: else an
 * ELF image), "Boot information format".
 */
#include "boot/elf.h"
#include "boot/multiboot1.h"
#include "kernel/lib/lib.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define HEADER_SEARCH 8192u
#define FLAG_VIDEO BIT(2)
#define FLAG_ADDRESSES BIT(16)   /* the "a.out kludge" */
#define FLAG_KNOWN (BIT(0) | BIT(1)) /* modules at pages, memory information: always so */
#define FLAGS_REQUIRED 0xffffu
/* Bytes left free behind the kernel, as GRUB does for kernels that use memory there before they have read
 * about modules. */
#define MODULES_GAP MIB

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

/* What the kernel is told, in one block of whole pages; strings follow it: the command line, then the
 * modules'. */
struct mb1_block {
	struct mb1_info info;
	u64 gdt[GUEST_GDT_ENTRIES];
	struct mb1_mmap map[GUEST_E820_MAX];
	struct mb1_module module[MULTIBOOT1_MODULES_MAX];
	char loader[8];
};
_Static_assert(offsetof(struct mb1_block, gdt) % 8 == 0, "a GDT is aligned");

struct span { u64 start, end; }; /* end exclusive; page-aligned */
#define SPANS_MAX (ELF_SEGMENTS_MAX + MULTIBOOT1_MODULES_MAX)

struct load {
	const u8 *image;
	u64 size;
	const struct guest_target *t;
	struct span taken[SPANS_MAX]; /* by segments, then by modules */
	u32 ntaken;
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

static void take(struct load *l, u64 gpa, u64 size)
{
	l->taken[l->ntaken++] =
		(struct span){ ALIGN_DOWN(gpa, (u64)PAGE_SIZE), ALIGN_UP(gpa + size, (u64)PAGE_SIZE) };
}

/* The lowest page at or above from with room for size bytes of RAM that nothing else has; false: none below
 * end. */
static bool find_room(const struct load *l, u64 from, u64 end, u64 size, u64 *at)
{
	bool moved = true;

	*at = ALIGN_UP(from, (u64)PAGE_SIZE);
	/* Each round steps over at least one of the spans for good. */
	while (moved && *at + size <= end) {
		moved = false;
		for (u32 i = 0; i < l->ntaken; i++)
			if (*at < l->taken[i].end && l->taken[i].start < *at + size) {
				*at = l->taken[i].end;
				moved = true;
			}
	}
	return *at + size <= end && guest_in_ram(l->t, *at, size);
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
		fmt(l->why, l->why_size, "a segment at %#lx-%#lx is not in the guest's RAM", gpa,
		    gpa + memsz);
		return E_NOMEM;
	}
	if (filesz)
		err = l->t->write(l->t->ctx, gpa, l->image + offset, filesz);
	if (!err && memsz > filesz)
		err = l->t->zero(l->t->ctx, gpa + filesz, memsz - filesz);
	if (err)
		return refuse(l, err, "writing the guest's memory failed");
	take(l, gpa, memsz);
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

/*
 * Where a segment's address holds the entry: kernels that run in high virtual memory say that one, as GRUB
 * understands it. Else e_entry itself, if it is a physical address in a segment.
 */
static int find_entry(struct load *l, const struct elf *e)
{
	struct elf_segment s;
	bool physical = false;

	for (u32 i = 0; i < e->phnum; i++) {
		elf_segment(e, i, &s);
		if (s.type != ELF_PT_LOAD)
			continue;
		if (e->entry >= s.vaddr && e->entry - s.vaddr < s.memsz) {
			l->entry = e->entry - s.vaddr + s.paddr;
			return 0;
		}
		physical |= e->entry >= s.paddr && e->entry - s.paddr < s.memsz;
	}
	if (!physical) {
		fmt(l->why, l->why_size, "ELF: the entry point %#lx is in no segment", e->entry);
		return E_INVAL;
	}
	l->entry = e->entry;
	return 0;
}

static int load_elf(struct load *l)
{
	struct elf e;
	struct elf_segment s;
	int err = elf_open(l->image, l->size, &e);

	if (err == E_NOENT)
		return refuse(l, E_INVAL, "neither ELF for x86 nor load addresses in the Multiboot header");
	if (err)
		return refuse(l, err, "ELF: the program headers lie outside the image, or are more than 64");
	for (u32 i = 0; !err && i < e.phnum; i++) {
		elf_segment(&e, i, &s);
		if (s.type == ELF_PT_LOAD)
			err = load_segment(l, s.offset, s.filesz, s.paddr, s.memsz);
	}
	return err ? err : find_entry(l, &e);
}

static int load_modules(struct load *l, const struct multiboot1_module *m, u32 n, struct mb1_block *b)
{
	u64 ram = l->t->ram, from = MAX(l->end, (u64)GUEST_HIGH_RAM) + MODULES_GAP, at;
	char size[24];
	int err;

	for (u32 i = 0; i < n; i++) {
		if (!find_room(l, from, ram, m[i].size, &at) &&
		    !find_room(l, GUEST_HIGH_RAM, ram, m[i].size, &at)) {
			fmt(l->why, l->why_size,
			    "module %u of %u (%s) does not fit beside the kernel; try more ram=", i + 1, n,
			    fmt_size(size, sizeof(size), ALIGN_UP(m[i].size, (u64)PAGE_SIZE)));
			return E_NOMEM;
		}
		err = m[i].size ? l->t->write(l->t->ctx, at, m[i].bytes, m[i].size) : 0;
		if (err)
			return refuse(l, err, "writing the guest's memory failed");
		take(l, at, m[i].size);
		b->module[i] = (struct mb1_module){ (u32)at, (u32)(at + m[i].size), 0, 0 };
	}
	return 0;
}

/* Everything of the block but what depends on where it is. */
static void describe(const struct guest_target *t, struct mb1_block *b, u32 nmodules)
{
	static const char name[] = "VMMB";
	u32 n = MIN(t->ne820, (u32)GUEST_E820_MAX);

	for (u32 i = 0; i < n; i++)
		b->map[i] = (struct mb1_mmap){ sizeof(b->map[0]) - 4, t->e820[i].addr, t->e820[i].size,
					       t->e820[i].type };
	memcpy(b->loader, name, sizeof(name));
	b->info.flags =
		INFO_MEMORY | INFO_CMDLINE | INFO_MMAP | INFO_LOADER_NAME | (nmodules ? INFO_MODS : 0);
	b->info.mem_lower = GUEST_LOW_RAM_END / 1024;
	b->info.mem_upper = (u32)((t->ram - MIN(t->ram, (u64)GUEST_HIGH_RAM)) / 1024);
	b->info.mods_count = nmodules;
	b->info.mmap_length = n * (u32)sizeof(b->map[0]);
}

static int write_string(const struct guest_target *t, const char *s, u64 *at)
{
	u64 size = strlen(s) + 1;
	int err = t->write(t->ctx, *at, s, size);

	*at += size;
	return err;
}

/* In low memory, where loaders put it; where a kernel fills that, above it. */
static int write_block(struct load *l, struct mb1_block *b, const char *cmdline,
		       const struct multiboot1_module *m, u32 n, struct guest_entry *out)
{
	const struct guest_target *t = l->t;
	u64 size = sizeof(*b) + strlen(cmdline) + 1, at, string;
	int err;

	for (u32 i = 0; i < n; i++)
		size += strlen(m[i].string) + 1;
	if (!find_room(l, PAGE_SIZE, GUEST_LOW_RAM_END, size, &at) &&
	    !find_room(l, GUEST_HIGH_RAM, t->ram, size, &at))
		return refuse(l, E_NOMEM,
			      "the boot information does not fit beside the kernel; try more ram=");
	describe(t, b, n);
	b->info.mmap_addr = (u32)(at + offsetof(struct mb1_block, map));
	b->info.mods_addr = (u32)(at + offsetof(struct mb1_block, module));
	b->info.boot_loader_name = (u32)(at + offsetof(struct mb1_block, loader));
	guest_fill_gdt(b->gdt, out, at + offsetof(struct mb1_block, gdt));
	string = at + sizeof(*b);
	b->info.cmdline = (u32)string;
	err = write_string(t, cmdline, &string);
	for (u32 i = 0; !err && i < n; i++) {
		b->module[i].string = (u32)string;
		err = write_string(t, m[i].string, &string);
	}
	if (!err)
		err = t->write(t->ctx, at, b, sizeof(*b));
	out->rax = LOADER_MAGIC;
	out->rbx = at;
	return err ? refuse(l, err, "writing the guest's memory failed") : 0;
}

int multiboot1_load(const u8 *image, u64 image_size, const struct multiboot1_module *modules, u32 n,
		    const struct guest_target *t, struct guest_entry *out, char *why, size_t why_size)
{
	const char *cmdline = t->cmdline ? t->cmdline : "";
	struct load l = { .image = image, .size = image_size, .t = t, .why = why, .why_size = why_size };
	struct mb1_block block;
	struct mb1_header h;
	u64 offset;
	int err;

	memset(out, 0, sizeof(*out));
	memset(&block, 0, sizeof(block));
	if (strlen(cmdline) >= GUEST_CMDLINE_MAX)
		return refuse(&l, E_INVAL, "command line too long");
	if (n > MULTIBOOT1_MODULES_MAX)
		return refuse(&l, E_INVAL, "more than 16 modules");
	if ((err = find_header(&l, &h, &offset)))
		return err;
	if (h.flags & FLAGS_REQUIRED & ~FLAG_KNOWN)
		return refuse(&l, E_INVAL,
			      h.flags & FLAG_VIDEO ?
				      "the kernel wants a video mode, there is none" :
				      "the kernel requires a Multiboot feature that we don't have");
	err = h.flags & FLAG_ADDRESSES ? load_by_addresses(&l, &h, offset) : load_elf(&l);
	if (err)
		return err;
	if (!guest_in_ram(t, l.entry, 1))
		return refuse(&l, E_INVAL, "the entry point is not in RAM");
	out->rip = l.entry;
	err = load_modules(&l, modules, n, &block);
	return err ? err : write_block(&l, &block, cmdline, modules, n, out);
}
