/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: boot/linux.c boot/multiboot1.c boot/elf.c boot/guest.c kernel/lib/fmt.c kernel/lib/err.c kernel/lib/parse.c */
/*
 * The loaders of guest images, into a fake guest memory that refuses writes outside RAM: made-up
 * kernels, broken ones, and the stock kernels in build/guests if they are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <glob.h>
#include <cmocka.h>
#include "boot/linux.h"
#include "boot/multiboot1.h"
#include "kernel/lib/lib.h"

static u8 *mem;
static u64 mem_size;
static struct guest_target t;
static struct guest_entry entry;
static char why[200];
static int fail_after = -1; /* port calls until one fails */

static int port_err(void)
{
	return fail_after >= 0 && fail_after-- == 0 ? E_NOMEM : 0;
}

static int port_write(void *ctx, u64 gpa, const void *src, u64 len)
{
	assert_ptr_equal(ctx, &mem);
	assert_true(guest_in_ram(&t, gpa, len));
	if (port_err())
		return E_NOMEM;
	memcpy(mem + gpa, src, len);
	return 0;
}

static int port_zero(void *ctx, u64 gpa, u64 len)
{
	assert_ptr_equal(ctx, &mem);
	assert_true(guest_in_ram(&t, gpa, len));
	if (port_err())
		return E_NOMEM;
	memset(mem + gpa, 0, len);
	return 0;
}

static void machine(u64 ram)
{
	free(mem);
	mem = malloc(ram);
	mem_size = ram;
	memset(mem, 0xcc, ram); /* nothing may depend on zeros */
	t = (struct guest_target){ .ram = ram,
				   .rsdp = 0xe0000,
				   .cmdline = "console=ttyS0",
				   .write = port_write,
				   .zero = port_zero,
				   .ctx = &mem };
	guest_default_e820(&t);
}

static u16 g16(u64 at) { u16 v; memcpy(&v, mem + at, 2); return v; }
static u32 g32(u64 at) { u32 v; memcpy(&v, mem + at, 4); return v; }
static u64 g64(u64 at) { u64 v; memcpy(&v, mem + at, 8); return v; }

/* ---- Linux ---- */

#define SECTS 4
#define SETUP ((SECTS + 1) * 512)
#define BODY 4096
static u8 image[SETUP + BODY];

static void i16(u32 at, u16 v) { memcpy(image + at, &v, 2); }
static void i32(u32 at, u32 v) { memcpy(image + at, &v, 4); }
static void i64(u32 at, u64 v) { memcpy(image + at, &v, 8); }

static void bzimage(void)
{
	memset(image, 0, sizeof(image));
	memset(image + SETUP, 0x90, BODY);
	image[0x1f1] = SECTS;
	i32(0x1f4, BODY / 16);
	i16(0x1fe, 0xaa55);
	i16(0x200, 0x6aeb);            /* the header ends at 26Ch */
	memcpy(image + 0x202, "HdrS", 4);
	i16(0x206, 0x20f);
	image[0x211] = 1;
	i32(0x22c, 0x7fffffff);
	i32(0x230, 0x200000);
	image[0x234] = 1;
	i16(0x236, 1);
	i32(0x238, 2047);
	i64(0x258, 0x1000000);
	i32(0x260, 0x100000);
}

static int load(u64 size, u64 initrd_size)
{
	u8 *copy = malloc(size ? size : 1), *initrd = malloc(initrd_size ? initrd_size : 1);
	int err;

	memcpy(copy, image, size);
	memset(initrd, 0x77, initrd_size);
	err = linux_load(copy, size, initrd, initrd_size, &t, &entry, why, sizeof(why));
	free(copy);
	free(initrd);
	return err;
}

static void check_page_tables(void)
{
	u64 pdpt = g64(entry.cr3) & ~0xfffull;

	for (u64 a = 0; a < 4 * GIB; a += 37 * MIB) {
		u64 pd = g64(pdpt + (a >> 30) * 8), pde;

		assert_int_equal(pd & 3, 3);
		pde = g64((pd & ~0xfffull) + (a >> 21 & 511) * 8);
		assert_int_equal(pde & 0xfff, 0x83);
		assert_true((pde & ~0xfffull) == ALIGN_DOWN(a, 2 * MIB));
	}
	assert_int_equal(g64(entry.cr3 + 8), 0);
	assert_int_equal(g64(pdpt + 32), 0);
}

static void linux_64(void **state)
{
	(void)state;
	machine(64 * MIB);
	bzimage();
	assert_int_equal(load(sizeof(image), 10000), 0);
	assert_true(entry.long64);
	assert_int_equal(entry.rip, 0x1000200);
	assert_int_equal(g32(0x1000000), 0x90909090);
	assert_int_equal(entry.rsi, GUEST_INFO);
	assert_int_equal(mem[GUEST_INFO + 0x210], 0xff);
	assert_int_equal(g64(GUEST_INFO + 0x70), 0xe0000);
	assert_int_equal(g32(GUEST_INFO + 0x218), 64 * MIB - 12288);
	assert_int_equal(g32(GUEST_INFO + 0x21c), 10000);
	assert_int_equal(mem[64 * MIB - 12288], 0x77);
	assert_string_equal((char *)mem + g32(GUEST_INFO + 0x228), "console=ttyS0");
	assert_int_equal(g64(GUEST_INFO), 0); /* screen_info */
	assert_int_equal(g32(GUEST_INFO + 0x260), 0x100000);
	assert_int_equal(mem[GUEST_INFO + 0x1e8], 3);
	assert_int_equal(g64(GUEST_INFO + 0x2d0 + 8), 0x9fc00);
	assert_int_equal(g32(GUEST_INFO + 0x2d0 + 20 + 16), 2);
	assert_int_equal(g64(GUEST_INFO + 0x2d0 + 40), 0x100000);
	assert_int_equal(g64(GUEST_INFO + 0x2d0 + 48), 63 * MIB);
	assert_int_equal(entry.gdtr_limit, 31);
	assert_true(g64(entry.gdtr_base + 16) == 0x00af9b000000ffffull);
	assert_true(g64(entry.gdtr_base + 24) == 0x00cf93000000ffffull);
	check_page_tables();
}

static void linux_32_and_placement(void **state)
{
	(void)state;
	machine(64 * MIB);
	bzimage();
	i16(0x236, 0);
	assert_int_equal(load(sizeof(image), 0), 0);
	assert_false(entry.long64);
	assert_int_equal(entry.rip, 0x1000000);
	assert_int_equal(entry.cr3, 0);
	assert_int_equal(g32(GUEST_INFO + 0x218), 0);
	assert_true(g64(entry.gdtr_base + 16) == 0x00cf9b000000ffffull);
	/* too little RAM at the preferred address: the lowest aligned one */
	machine(16 * MIB);
	assert_int_equal(load(sizeof(image), 0), 0);
	assert_int_equal(entry.rip, 0x200000);
	/* not relocatable: at 1 MiB, but the memory it moves to is needed */
	image[0x234] = 0;
	assert_int_equal(load(sizeof(image), 0), E_NOMEM);
	machine(32 * MIB);
	assert_int_equal(load(sizeof(image), 0), 0);
	assert_int_equal(entry.rip, 0x100000);
	/* an initrd below the kernel's limit */
	bzimage();
	i32(0x22c, 0x13fffff);
	assert_int_equal(load(sizeof(image), 4096), 0);
	assert_int_equal(g32(GUEST_INFO + 0x218), 0x13ff000);
	i32(0x22c, 0x10fffff);
	assert_int_equal(load(sizeof(image), 4096), E_NOMEM);
	assert_non_null(strstr(why, "initrd"));
}

/* syssize counts units of 16 bytes: the file ends inside the last one (memtest86+, iPXE). */
static void linux_odd_length(void **state)
{
	(void)state;
	machine(32 * MIB);
	bzimage();
	image[0x234] = 0; /* not relocatable: to 1 MiB */
	i64(0x258, 0x100000);
	for (u32 less = 0; less < 16; less++) {
		memset(mem + 0x100000, 0xcc, BODY);
		assert_int_equal(load(sizeof(image) - less, 4096), 0);
		assert_int_equal(entry.rip, 0x100200);
		for (u32 i = 0; i < BODY; i++)
			assert_int_equal(mem[0x100000 + i], i < BODY - less ? 0x90 : 0);
	}
	assert_int_equal(load(sizeof(image) - 16, 0), E_INVAL);
	i32(0x1f4, 0);
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	assert_string_equal(why, "kernel header: there is no kernel behind it (syssize is 0)");
	i32(0x1f4, 0xffffffff);
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
}

/* Words of the hypervisor's own come first and count. */
static void linux_first_words(void **state)
{
	(void)state;
	machine(32 * MIB);
	bzimage();
	t.first_words = "tsc_early_khz=1 ";
	assert_int_equal(load(sizeof(image), 0), 0);
	assert_string_equal((char *)mem + GUEST_CMDLINE, "tsc_early_khz=1 console=ttyS0");
	i32(0x238, 28);
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	assert_string_equal(why, "command line of 29 characters, this kernel takes 28");
}

static void linux_refusals(void **state)
{
	char longline[2100];

	(void)state;
	machine(32 * MIB);
	bzimage();
	assert_int_equal(load(0, 0), E_INVAL);
	assert_int_equal(load(0x28f, 0), E_INVAL);
	assert_int_equal(load(sizeof(image) - 16, 0), E_INVAL);
	assert_string_equal(why, "kernel image cut short: 6640 bytes, its header says 6656");
	image[0x206] = 9;
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	assert_non_null(strstr(why, "boot protocol 2.9"));
	bzimage();
	image[0x1fe] = 0;
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	bzimage();
	image[0x201] = 0xff;
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	image[0x201] = 0;
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	bzimage();
	i32(0x230, 3);
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	bzimage();
	i32(0x260, 0xffffffff);
	assert_int_equal(load(sizeof(image), 0), E_NOMEM);
	assert_non_null(strstr(why, "MiB"));
	i32(0x260, 0x1000);
	i64(0x258, ~0ull - 0xfff);
	assert_int_equal(load(sizeof(image), 0), 0); /* an absurd preference is not followed */
	image[0x234] = 0;
	assert_int_equal(load(sizeof(image), 0), E_NOMEM);
	bzimage();
	memset(longline, 'a', sizeof(longline) - 1);
	longline[sizeof(longline) - 1] = 0;
	t.cmdline = longline;
	assert_int_equal(load(sizeof(image), 0), E_INVAL);
	assert_non_null(strstr(why, "2099 characters, this kernel takes 2047"));
	t.cmdline = NULL;
	assert_int_equal(load(sizeof(image), 40 * MIB), E_NOMEM);
	for (int i = 0; i < 60; i++) {
		fail_after = i;
		if (!load(sizeof(image), 4096))
			break;
		assert_non_null(strstr(why, "out of memory"));
	}
	assert_true(fail_after >= 0);
	fail_after = -1;
}

static u8 *read_file(const char *path, u64 *size)
{
	FILE *f = fopen(path, "rb");
	u8 *p;
	long n;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	p = malloc((size_t)n);
	assert_int_equal(fread(p, 1, (size_t)n, f), n);
	fclose(f);
	*size = (u64)n;
	return p;
}

static void stock_kernels(void **state)
{
	glob_t g;
	u64 size;
	u32 units;

	(void)state;
	if (glob("build/guests/*/vmlinuz*", 0, NULL, &g)) {
		print_message("no stock kernels in build/guests: skipped\n");
		skip();
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		u8 *p = read_file(g.gl_pathv[i], &size);

		machine(128 * MIB);
		assert_int_equal(linux_load(p, size, p, 1 * MIB, &t, &entry, why, sizeof(why)), 0);
		assert_true(entry.long64);
		assert_int_equal(entry.rip, 0x1000200);
		memcpy(&units, p + 0x1f4, 4);
		assert_memory_equal(mem + 0x1000000, p + (p[0x1f1] + 1) * 512, units * 16ull);
		machine(32 * MIB);
		assert_int_equal(linux_load(p, size, NULL, 0, &t, &entry, why, sizeof(why)), E_NOMEM);
		print_message("%s: %s\n", g.gl_pathv[i], why);
		free(p);
	}
	globfree(&g);
}

/* ---- Multiboot ---- */

static u8 mb[8192];

static void m16(u32 at, u16 v) { memcpy(mb + at, &v, 2); }
static void m32(u32 at, u32 v) { memcpy(mb + at, &v, 4); }

static void mb_header(u32 at, u32 flags)
{
	m32(at, 0x1badb002);
	m32(at + 4, flags);
	m32(at + 8, 0u - 0x1badb002 - flags);
}

static void mb_elf(void)
{
	memset(mb, 0, sizeof(mb));
	memcpy(mb, "\177ELF\1\1\1", 7);
	m16(16, 2);
	m16(18, 3);
	m32(24, 0x100010);
	m32(28, 52);
	m16(42, 32);
	m16(44, 2);
	m32(52, 1);
	m32(52 + 4, 4096);
	m32(52 + 12, 0x100000);
	m32(52 + 16, 100);
	m32(52 + 20, 0x3000);
	mb_header(4096, 3);
	m32(4096 + 60, 0x600df00d);
}

/* n modules of that size, filled with 50h, 51h ...; their strings are "m0 x", "m1 x" ... */
static int mb_load_modules(u64 size, u64 module_size, u32 n)
{
	u8 *copy = malloc(size ? size : 1);
	struct multiboot1_module m[MULTIBOOT1_MODULES_MAX + 1] = { { NULL, 0, NULL } };
	char string[MULTIBOOT1_MODULES_MAX + 1][8];
	int err;

	memcpy(copy, mb, size);
	for (u32 i = 0; i < n; i++) {
		u8 *bytes = malloc(module_size ? module_size : 1);

		memset(bytes, 0x50 + (int)i, module_size);
		fmt(string[i], sizeof(string[i]), "m%u x", i);
		m[i] = (struct multiboot1_module){ bytes, module_size, string[i] };
	}
	err = multiboot1_load(copy, size, m, n, &t, &entry, why, sizeof(why));
	free(copy);
	for (u32 i = 0; i < n; i++)
		free((void *)(uintptr_t)m[i].bytes);
	return err;
}

static int mb_load(u64 size, u64 module_size)
{
	return mb_load_modules(size, module_size, module_size ? 1 : 0);
}

/* A field of the multiboot information, by its offset. */
static u32 info(u32 offset) { return g32(entry.rbx + offset); }
static u32 mod_start(u32 i) { return g32(info(24) + 16 * i); }
static u32 mod_end(u32 i) { return g32(info(24) + 16 * i + 4); }
static const char *mod_string(u32 i) { return (const char *)mem + g32(info(24) + 16 * i + 8); }

static void multiboot_elf(void **state)
{
	u32 map;

	(void)state;
	machine(16 * MIB);
	t.cmdline = "args";
	mb_elf();
	assert_int_equal(mb_load(sizeof(mb), 5000), 0);
	assert_false(entry.long64);
	assert_int_equal(entry.rip, 0x100010);
	assert_int_equal(entry.rax, 0x2badb002);
	assert_in_range(entry.rbx, 0x1000, GUEST_LOW_RAM_END - 1);
	assert_int_equal(g32(0x10003c), 0x600df00d);
	assert_int_equal(g32(0x101000), 0); /* bss */
	assert_int_equal(g32(0x102ffc), 0);
	assert_int_equal(g32(0x103000), 0xcccccccc);
	assert_int_equal(info(0), 1 | 4 | 8 | 64 | 512);
	assert_int_equal(info(4), 639);
	assert_int_equal(info(8), 15 * 1024);
	assert_string_equal((char *)mem + info(16), "args");
	assert_int_equal(info(20), 1);
	assert_int_equal(mod_start(0), 0x203000); /* a page, 1 MiB behind the kernel */
	assert_int_equal(mod_end(0), 0x203000 + 5000);
	assert_string_equal(mod_string(0), "m0 x");
	assert_int_equal(mem[0x203000], 0x50);
	assert_int_equal(mem[0x203000 + 4999], 0x50);
	map = info(48);
	assert_int_equal(info(44), 72);
	assert_int_equal(g32(map), 20);
	assert_int_equal(g16(map + 4 + 8), 0xfc00);
	assert_string_equal((char *)mem + info(64), "VMMB");
	assert_int_equal(entry.gdtr_limit, 31);
	assert_true(g64(entry.gdtr_base + 16) == 0x00cf9b000000ffffull);
	assert_int_equal(mb_load(sizeof(mb), 0), 0);
	assert_int_equal(info(0), 1 | 4 | 64 | 512);
	assert_int_equal(info(20), 0);
}

static void multiboot_modules(void **state)
{
	(void)state;
	machine(16 * MIB);
	mb_elf();
	assert_int_equal(mb_load_modules(sizeof(mb), 4097, 3), 0);
	assert_int_equal(info(20), 3);
	for (u32 i = 0; i < 3; i++) { /* in order, each at a page of its own */
		char string[8];

		fmt(string, sizeof(string), "m%u x", i);
		assert_int_equal(mod_start(i), 0x203000 + i * 0x2000);
		assert_int_equal(mod_end(i), mod_start(i) + 4097);
		assert_int_equal(mem[mod_start(i)], 0x50 + i);
		assert_int_equal(mem[mod_end(i) - 1], 0x50 + i);
		assert_string_equal(mod_string(i), string);
	}
	assert_int_equal(mb_load_modules(sizeof(mb), 100, 16), 0);
	assert_string_equal(mod_string(15), "m15 x");
	assert_int_equal(mb_load_modules(sizeof(mb), 100, 17), E_INVAL);
	assert_string_equal(why, "more than 16 modules");
	assert_int_equal(mb_load_modules(sizeof(mb), 7 * MIB, 2), E_NOMEM);
	assert_string_equal(why, "module 2 of 2 (7 MiB) does not fit beside the kernel; try more ram=");
	/* A kernel at the end of RAM: below it, but above 1 MiB. */
	m32(52 + 12, 15 * MIB);
	m32(24, 15 * MIB);
	assert_int_equal(mb_load_modules(sizeof(mb), 4097, 2), 0);
	assert_int_equal(mod_start(0), 0x100000);
	assert_int_equal(mod_start(1), 0x102000);
	/* Two segments with a hole between them that one module fits. */
	mb_elf();
	m16(44, 3);
	memcpy(mb + 52 + 64, mb + 52, 32);
	m32(52 + 64 + 12, 12 * MIB);
	m32(52 + 64 + 20, 4 * MIB);
	assert_int_equal(mb_load_modules(sizeof(mb), 10 * MIB, 1), 0);
	assert_int_equal(mod_start(0), 0x103000);
	assert_int_equal(mb_load_modules(sizeof(mb), 10 * MIB, 2), E_NOMEM);
	for (int i = 0; i < 40; i++) {
		mb_elf();
		fail_after = i;
		if (!mb_load_modules(sizeof(mb), 100, 3))
			break;
		assert_non_null(strstr(why, "writing"));
	}
	assert_true(fail_after >= 0);
	fail_after = -1;
}

static void segment(u32 i, u32 at, u32 filesz, u32 memsz)
{
	u32 p = 52 + 32 * i;

	memcpy(mb + p, mb + 52, 32);
	m32(p + 8, at);
	m32(p + 12, at);
	m32(p + 16, filesz);
	m32(p + 20, memsz);
	m16(44, (u16)(i + 1));
}

/* Segments in low memory stay what they are, and what the kernel is told lies beside them. */
static void multiboot_low_segments(void **state)
{
	static const struct {
		u32 at, size;
	} low[] = {
		{ 0x5000, 0x1000 },  { 0x500, 0x1000 }, { 0, 0x8000 },
		{ 0x1000, 0x9e000 }, { 0, 0x9fc00 },    { 0x9f000, 0xc00 },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(low); i++) {
		u32 end = low[i].at + low[i].size;

		machine(16 * MIB);
		t.cmdline = "args";
		mb_elf();
		segment(2, low[i].at, 100, low[i].size);
		mb[4096 + 99] = 0x77;
		assert_int_equal(mb_load_modules(sizeof(mb), 5000, 2), 0);
		assert_int_equal(mem[low[i].at + 99], 0x77);
		for (u32 a = low[i].at + 100; a < end; a++)
			assert_int_equal(mem[a], 0);
		assert_string_equal((char *)mem + info(16), "args");
		assert_string_equal((char *)mem + info(64), "VMMB");
		assert_string_equal(mod_string(1), "m1 x");
		assert_true(g64(entry.gdtr_base + 24) == 0x00cf93000000ffffull);
		assert_int_equal(info(44), 72);
		assert_true(entry.rbx >= PAGE_SIZE && (entry.rbx >= end || entry.rbx < low[i].at));
		assert_int_equal(entry.rbx >= GUEST_HIGH_RAM, i == 4); /* no page is left */
		assert_int_equal(g32(0x10003c), 0x600df00d);
		assert_int_equal(mem[mod_start(1)], 0x51);
	}
	/* No room for it anywhere. */
	machine(16 * MIB);
	mb_elf();
	segment(0, 0x100000, 100, 15 * MIB);
	segment(1, 0, 100, GUEST_LOW_RAM_END);
	assert_int_equal(mb_load(sizeof(mb), 0), E_NOMEM);
	assert_non_null(strstr(why, "boot information does not fit"));
}

static void multiboot_entries(void **state)
{
	(void)state;
	machine(16 * MIB);
	/* A virtual address, in the segment that holds it: GNU Mach's. */
	mb_elf();
	m32(52 + 8, 0xc0100000);
	m32(24, 0xc0100010);
	assert_int_equal(mb_load(sizeof(mb), 0), 0);
	assert_int_equal(entry.rip, 0x100010);
	/* A physical one, though the segment is linked elsewhere. */
	m32(24, 0x100010);
	assert_int_equal(mb_load(sizeof(mb), 0), 0);
	assert_int_equal(entry.rip, 0x100010);
	/* Both: virtual in one segment, physical in another. GRUB knows only virtual ones. */
	segment(1, 0x300000, 100, 0x1000);
	m32(52 + 32 + 8, 0x100000);
	assert_int_equal(mb_load(sizeof(mb), 0), 0);
	assert_int_equal(entry.rip, 0x300010);
	/* In none, not even just behind one; and a segment without memory holds none. */
	mb_elf();
	m32(24, 0x103000);
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
	assert_string_equal(why, "ELF: the entry point 0x103000 is in no segment");
	m32(24, 0x9000);
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
	m32(52 + 8, 0x9000);
	m32(52 + 20, 100);
	assert_int_equal(mb_load(sizeof(mb), 0), 0);
	assert_int_equal(entry.rip, 0x100000);
	m32(24, 0x9000 + 100);
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
}

static void m64(u32 at, u64 v) { memcpy(mb + at, &v, 8); }

static void multiboot_elf64(void **state)
{
	(void)state;
	machine(16 * MIB);
	memset(mb, 0, sizeof(mb));
	memcpy(mb, "\177ELF\2\1\1", 7);
	m16(16, 2);
	m16(18, 62);
	m64(24, 0xffffffff80100020ull);
	m64(32, 64);
	m16(54, 56);
	m16(56, 1);
	m32(64, 1);
	m64(64 + 8, 4096);
	m64(64 + 16, 0xffffffff80100000ull);
	m64(64 + 24, 0x200000);
	m64(64 + 32, 100);
	m64(64 + 40, 0x3000);
	mb_header(4096, 3);
	assert_int_equal(mb_load(sizeof(mb), 5000), 0);
	assert_false(entry.long64); /* as Multiboot says: 32 bits, paging off */
	assert_int_equal(entry.rip, 0x200020);
	assert_int_equal(g32(0x200000), 0x1badb002);
	assert_int_equal(g32(0x202ffc), 0);
	assert_int_equal(mod_start(0), 0x303000);
	/* Numbers that only 64 bits hold. */
	m64(64 + 24, 0x100200000ull);
	assert_int_equal(mb_load(sizeof(mb), 0), E_NOMEM);
	m64(64 + 24, ~0ull - 0xfff);
	assert_int_equal(mb_load(sizeof(mb), 0), E_NOMEM);
	m64(64 + 24, 0x200000);
	m64(64 + 40, ~0ull);
	assert_int_equal(mb_load(sizeof(mb), 0), E_NOMEM);
	m64(64 + 40, 0x3000);
	m64(64 + 8, ~0ull - 50);
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
	m64(64 + 8, 4096);
	m64(32, ~0ull - 55);
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
	assert_non_null(strstr(why, "program headers"));
	m64(32, 64);
	m16(54, 32); /* entries of the other class */
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
	m16(54, 56);
	m16(18, 3);
	assert_int_equal(mb_load(sizeof(mb), 0), E_INVAL);
	assert_int_equal(mb_load(63, 0), E_INVAL);
}

static void multiboot_addresses(void **state)
{
	(void)state;
	machine(16 * MIB);
	memset(mb, 0, sizeof(mb));
	mb_header(64, BIT(16));
	m32(64 + 12, 0x200040); /* header_addr */
	m32(64 + 16, 0x200000); /* load_addr */
	m32(64 + 20, 0x201000); /* load_end_addr */
	m32(64 + 24, 0x202000); /* bss_end_addr */
	m32(64 + 28, 0x200080); /* entry_addr */
	assert_int_equal(mb_load(sizeof(mb), 0), 0);
	assert_int_equal(entry.rip, 0x200080);
	assert_int_equal(g32(0x200040), 0x1badb002);
	assert_int_equal(g32(0x201ffc), 0);
	assert_int_equal(g32(0x202000), 0xcccccccc);
	assert_int_equal(mb_load(4000, 0), E_INVAL); /* load_end_addr past the file */
	m32(64 + 20, 0);
	assert_int_equal(mb_load(4000, 0), 0);
	m32(64 + 12, 0x200041);
	assert_int_equal(mb_load(4000, 0), E_INVAL); /* starts before the file */
}

static void multiboot_refusals(void **state)
{
	static const struct { u32 at, v; int err; } lies[] = {
		{ 4096, 0, E_INVAL }, { 4100, 7, E_INVAL }, { 0, 0, E_INVAL }, { 28, 8190, E_INVAL },
		{ 28, ~0u, E_INVAL }, { 44, 0xffff, E_INVAL }, { 44, 0, E_INVAL }, { 40, 0, E_INVAL },
		{ 56, 8190, E_INVAL }, { 56, ~0u, E_INVAL },
		{ 64, 0x9f000, E_NOMEM }, { 64, 0xfff000, E_NOMEM }, { 64, 0xfffff000, E_NOMEM },
		{ 68, ~0u, E_INVAL }, { 72, ~0u, E_NOMEM }, { 72, 50, E_INVAL }, { 24, 0xa0000, E_INVAL },
	};

	(void)state;
	machine(16 * MIB);
	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		mb_elf();
		m32(lies[i].at, lies[i].v);
		if (lies[i].at == 4100)
			m32(4104, 0u - 0x1badb002 - 7);
		assert_int_equal(mb_load(sizeof(mb), 0), lies[i].err);
	}
	mb_elf();
	for (u64 n = 0; n < 4196; n++)
		assert_int_equal(mb_load(n, 0), E_INVAL);
	assert_int_equal(mb_load(sizeof(mb), 16 * MIB - 4096), E_NOMEM);
}

static int teardown(void **state)
{
	(void)state;
	free(mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_64),
		cmocka_unit_test(linux_32_and_placement),
		cmocka_unit_test(linux_odd_length),
		cmocka_unit_test(linux_first_words),
		cmocka_unit_test(linux_refusals),
		cmocka_unit_test(stock_kernels),
		cmocka_unit_test(multiboot_elf),
		cmocka_unit_test(multiboot_modules),
		cmocka_unit_test(multiboot_low_segments),
		cmocka_unit_test(multiboot_entries),
		cmocka_unit_test(multiboot_elf64),
		cmocka_unit_test(multiboot_addresses),
		cmocka_unit_test(multiboot_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
