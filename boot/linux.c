/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * linux.c - puts a bzImage, its initrd, command line and boot_params into guest memory.
 *
 * Contract: linux.h. The image is a GRUB module that anybody may have made: each length is
 * checked against the file, the guest's RAM and our own low memory before it is used. No state.
 * Source: The Linux/x86 Boot Protocol, "The Real-Mode Kernel Header", "64-bit Boot Protocol",
 * "32-bit Boot Protocol"; Zero Page (boot_params).
 */
#include "boot/linux.h"
#include "kernel/lib/lib.h"

/* Offsets in the image and, for the header, in boot_params too. */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x200,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_RELOCATABLE_KERNEL = 0x234,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END_MIN = 0x264, /* the end of what version 2.10 has */
	HDR_END_MAX = 0x290, /* where boot_params has other things */
	BP_ACPI_RSDP_ADDR = 0x70,
	BP_E820_ENTRIES = 0x1e8,
	BP_E820_TABLE = 0x2d0,
};

#define SYSSIZE_UNIT 16u /* bytes: syssize rounds up to it, so the file may end inside the last unit */
#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x01
#define ENTRY_64 0x200
#define INITRD_LOWEST_MAX 0x37ffffffu /* what the oldest kernels could reach */

struct header {
	u64 setup_bytes, kernel_bytes; /* as the header says */
	u64 file_bytes;                /* of kernel_bytes, in the file */
	u64 initrd_addr_max, pref_address, init_size;
	u32 kernel_alignment, cmdline_size, header_end;
	bool relocatable, long64;
};

struct placement { u64 load, end; /* of what the kernel uses before it reads the map */ };

/* boot_params' e820 entries are packed. */
struct bp_e820 { u64 addr, size; u32 type; } __attribute__((packed));
_Static_assert(sizeof(struct bp_e820) == 20, "boot_params e820 entry");

static u16 get16(const u8 *p) { return (u16)(p[0] | p[1] << 8); }
static u32 get32(const u8 *p) { return get16(p) | (u32)get16(p + 2) << 16; }
static u64 get64(const u8 *p) { return get32(p) | (u64)get32(p + 4) << 32; }

static void put32(u8 *p, u32 v)
{
	for (u32 i = 0; i < 4; i++)
		p[i] = (u8)(v >> 8 * i);
}

static void read_header(const u8 *p, struct header *h)
{
	u32 sects = p[HDR_SETUP_SECTS] ? p[HDR_SETUP_SECTS] : 4;
	u16 version = get16(p + HDR_VERSION);

	h->setup_bytes = (sects + 1) * 512ull;
	h->kernel_bytes = get32(p + HDR_SYSSIZE) * (u64)SYSSIZE_UNIT;
	h->initrd_addr_max = get32(p + HDR_INITRD_ADDR_MAX);
	if (!h->initrd_addr_max)
		h->initrd_addr_max = INITRD_LOWEST_MAX;
	h->kernel_alignment = get32(p + HDR_KERNEL_ALIGNMENT);
	h->relocatable = p[HDR_RELOCATABLE_KERNEL];
	h->cmdline_size = get32(p + HDR_CMDLINE_SIZE);
	h->pref_address = get64(p + HDR_PREF_ADDRESS);
	h->init_size = get32(p + HDR_INIT_SIZE);
	h->long64 = version >= 0x20c && (get16(p + HDR_XLOADFLAGS) & XLF_KERNEL_64);
	h->header_end = HDR_MAGIC + p[HDR_JUMP + 1];
}

static int check_image(const u8 *p, u64 size, struct header *h, char *why, size_t n)
{
	if (size < HDR_END_MAX || get16(p + HDR_BOOT_FLAG) != 0xaa55 || memcmp(p + HDR_MAGIC, "HdrS", 4)) {
		fmt(why, n, "not a Linux kernel (no bzImage header)");
		return E_INVAL;
	}
	if (get16(p + HDR_VERSION) < 0x20a || !(p[HDR_LOADFLAGS] & LOADED_HIGH)) {
		fmt(why, n, "kernel too old: boot protocol %u.%u, 2.10 is needed", p[HDR_VERSION + 1],
		    p[HDR_VERSION]);
		return E_INVAL;
	}
	read_header(p, h);
	if (h->header_end < HDR_END_MIN || h->header_end > HDR_END_MAX) {
		fmt(why, n, "kernel header of a wrong length (ends at %#x)", h->header_end);
		return E_INVAL;
	}
	if (!h->kernel_bytes) {
		fmt(why, n, "kernel header: there is no kernel behind it (syssize is 0)");
		return E_INVAL;
	}
	h->file_bytes = h->setup_bytes < size ? MIN(size - h->setup_bytes, h->kernel_bytes) : 0;
	if (h->kernel_bytes - h->file_bytes >= SYSSIZE_UNIT) {
		fmt(why, n, "kernel image cut short: %lu bytes, its header says %lu", size,
		    h->setup_bytes + h->kernel_bytes);
		return E_INVAL;
	}
	if (h->relocatable && (!h->kernel_alignment || (h->kernel_alignment & (h->kernel_alignment - 1)))) {
		fmt(why, n, "kernel header: alignment %#x is no power of two", h->kernel_alignment);
		return E_INVAL;
	}
	return 0;
}

/*
 * The preferred address if there is RAM, else the lowest aligned one above 1 MiB. A kernel that
 * can not be relocated is loaded at 1 MiB and moves itself to its preferred address.
 */
static int place_kernel(const struct header *h, const struct guest_target *t, struct placement *at,
			char *why, size_t n)
{
	u64 need = MAX(h->init_size, h->kernel_bytes);
	u64 lowest = ALIGN_UP((u64)GUEST_HIGH_RAM, (u64)MAX(h->kernel_alignment, 1u));
	u64 ram_mib = t->ram / MIB, need_mib;

	if (!h->relocatable) {
		at->load = GUEST_HIGH_RAM;
		at->end = MAX(at->load + h->kernel_bytes, h->pref_address + need);
		if (h->pref_address < at->load || at->end < h->pref_address)
			at->end = ~0ull;
	} else {
		at->load = h->pref_address;
		at->end = at->load + need;
		if (at->load < GUEST_HIGH_RAM || at->load % h->kernel_alignment ||
		    !guest_in_ram(t, at->load, need)) {
			at->load = lowest;
			at->end = lowest + need;
		}
	}
	if (at->load >= GUEST_HIGH_RAM && at->end > at->load &&
	    guest_in_ram(t, at->load, at->end - at->load))
		return 0;
	need_mib = ALIGN_UP(at->load + need, MIB) / MIB;
	fmt(why, n, "the kernel needs %lu MiB to unpack itself, ram is %lu MiB; try more ram=",
	    need_mib, ram_mib);
	return E_NOMEM;
}

/* As high as allowed, page-aligned, above the kernel. */
static int place_initrd(const struct header *h, const struct guest_target *t, u64 kernel_end, u64 size,
			u64 *at, char *why, size_t n)
{
	u64 top = MIN(t->ram, h->initrd_addr_max + 1);
	u64 ram_mib = t->ram / MIB, size_mib = ALIGN_UP(size, MIB) / MIB;

	*at = 0;
	if (!size)
		return 0;
	if (size <= top)
		*at = ALIGN_DOWN(top - size, (u64)PAGE_SIZE);
	if (*at >= kernel_end && guest_in_ram(t, *at, size))
		return 0;
	fmt(why, n, "the initrd (%lu MiB) does not fit above the kernel in %lu MiB; try more ram=",
	    size_mib, ram_mib);
	return E_NOMEM;
}

static int write_e820(const struct guest_target *t)
{
	struct bp_e820 table[GUEST_E820_MAX];
	u8 n = (u8)MIN(t->ne820, (u32)GUEST_E820_MAX);
	int err;

	for (u32 i = 0; i < n; i++)
		table[i] = (struct bp_e820){ t->e820[i].addr, t->e820[i].size, t->e820[i].type };
	err = t->write(t->ctx, GUEST_INFO + BP_E820_ENTRIES, &n, 1);
	if (!err)
		err = t->write(t->ctx, GUEST_INFO + BP_E820_TABLE, table, n * sizeof(table[0]));
	return err;
}

static int write_boot_params(const u8 *image, const struct header *h, const struct guest_target *t,
			     u64 initrd, u64 initrd_size)
{
	u8 hdr[HDR_END_MAX - HDR_SETUP_SECTS];
	u32 len = h->header_end - HDR_SETUP_SECTS;
	int err = t->zero(t->ctx, GUEST_INFO, PAGE_SIZE);

	memcpy(hdr, image + HDR_SETUP_SECTS, len);
	hdr[HDR_TYPE_OF_LOADER - HDR_SETUP_SECTS] = 0xff; /* no number of its own */
	put32(&hdr[HDR_RAMDISK_IMAGE - HDR_SETUP_SECTS], (u32)initrd);
	put32(&hdr[HDR_RAMDISK_SIZE - HDR_SETUP_SECTS], (u32)initrd_size);
	put32(&hdr[HDR_CMD_LINE_PTR - HDR_SETUP_SECTS], GUEST_CMDLINE);
	if (!err)
		err = t->write(t->ctx, GUEST_INFO + HDR_SETUP_SECTS, hdr, len);
	if (!err)
		err = t->write(t->ctx, GUEST_INFO + BP_ACPI_RSDP_ADDR, &t->rsdp, sizeof(t->rsdp));
	if (!err)
		err = write_e820(t);
	return err;
}

static int check_cmdline(const struct header *h, const char *first, const char *cmdline, char *why, size_t n)
{
	u64 len = strlen(first) + strlen(cmdline), limit = MIN(h->cmdline_size, GUEST_CMDLINE_MAX - 1);

	if (len <= limit)
		return 0;
	fmt(why, n, "command line of %lu characters, this kernel takes %lu", len, limit);
	return E_INVAL;
}

int linux_load(const u8 *image, u64 image_size, const u8 *initrd, u64 initrd_size,
	       const struct guest_target *t, struct guest_entry *out, char *why, size_t why_size)
{
	const char *cmdline = t->cmdline ? t->cmdline : "", *first = t->first_words ? t->first_words : "";
	struct header h;
	struct placement at;
	u64 initrd_at;
	int err;

	memset(out, 0, sizeof(*out));
	if (!guest_in_ram(t, GUEST_LOADER_START, GUEST_LOADER_END - GUEST_LOADER_START)) {
		fmt(why, why_size, "no low memory");
		return E_NOMEM;
	}
	if ((err = check_image(image, image_size, &h, why, why_size)) ||
	    (err = check_cmdline(&h, first, cmdline, why, why_size)) ||
	    (err = place_kernel(&h, t, &at, why, why_size)) ||
	    (err = place_initrd(&h, t, at.end, initrd_size, &initrd_at, why, why_size)))
		return err;
	out->long64 = h.long64;
	out->rip = at.load + (h.long64 ? ENTRY_64 : 0);
	out->rsi = GUEST_INFO;
	err = t->write(t->ctx, at.load, image + h.setup_bytes, h.file_bytes);
	if (!err && h.file_bytes < h.kernel_bytes)
		err = t->zero(t->ctx, at.load + h.file_bytes, h.kernel_bytes - h.file_bytes);
	if (!err && initrd_size)
		err = t->write(t->ctx, initrd_at, initrd, initrd_size);
	if (!err)
		err = t->write(t->ctx, GUEST_CMDLINE, first, strlen(first));
	if (!err)
		err = t->write(t->ctx, GUEST_CMDLINE + strlen(first), cmdline, strlen(cmdline) + 1);
	if (!err)
		err = write_boot_params(image, &h, t, initrd_at, initrd_size);
	if (!err)
		err = guest_write_cpu_tables(t, out);
	if (err)
		fmt(why, why_size, "writing the guest's memory: %s", err_str(err));
	return err;
}
