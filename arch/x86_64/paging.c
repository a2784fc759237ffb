/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * paging.c - builds the hypervisor's page tables once; afterwards only arch_mmio_map()
 * adds to them, in tables made here, so that nothing needs memory later.
 * Source: Intel SDM vol. 3, "4-Level Paging and 5-Level Paging".
 */
#include "arch/x86_64/paging.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/desc.h"
#include "arch/x86_64/early.h"
#include "boot/boot_info.h"
#include "kernel/lib/lib.h"

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_PWT BIT64(3)
#define PTE_PCD BIT64(4)
#define PTE_PS BIT64(7)
#define PTE_G BIT64(8)
#define PTE_NX BIT64(63)
#define PTE_ADDR 0x000ffffffffff000ull

#define PROT_TEXT (PTE_P | PTE_G)
#define PROT_CONST (PTE_P | PTE_G | PTE_NX)
#define PROT_DATA (PTE_P | PTE_G | PTE_NX | PTE_W)
#define PROT_DEVICE (PTE_P | PTE_G | PTE_NX | PTE_W | PTE_PCD | PTE_PWT) /* PAT entry 3: UC */

extern const char __image_start[], __text_end[], __rodata_end[], __image_end[];

u8 *arch_direct_map = (u8 *)LAYOUT_DIRECT_MAP;

static hpa_t root;
static u64 mmio_used;

u64 arch_image_phys(const void *p)
{
	return (u64)p - LAYOUT_IMAGE_BASE;
}

static u64 level_bytes(u32 level) { return PAGE_SIZE << 9 * (level - 1); }

/* The entry of va at that level (1: a 4 KiB page's); tables on the way are made. */
static u64 *entry(u64 va, u32 level)
{
	u64 *table = hpa_ptr(root);

	for (u32 l = 4;; l--) {
		u64 *e = &table[va >> (12 + 9 * (l - 1)) & 511];

		if (l == level)
			return e;
		if (!(*e & PTE_P)) {
			hpa_t t = arch_early_alloc(PAGE_SIZE);

			if (!t.a)
				panic("no memory for the hypervisor's page tables");
			*e = t.a | PTE_P | PTE_W;
		}
		BUG_ON(*e & PTE_PS);
		table = hpa_ptr((hpa_t){ *e & PTE_ADDR });
	}
}

/* Maps whole pages with the largest pages (up to level `top`) that alignment permits. */
static void map(u64 va, u64 pa, u64 bytes, u64 prot, u32 top)
{
	while (bytes) {
		u32 level = top;

		while (level > 1 && ((va | pa) & (level_bytes(level) - 1) || bytes < level_bytes(level)))
			level--;
		*entry(va, level) = pa | prot | (level > 1 ? PTE_PS : 0);
		va += level_bytes(level);
		pa += level_bytes(level);
		bytes -= level_bytes(level);
	}
}

static void map_image_part(const char *from, const char *to, u64 prot)
{
	map((u64)from, arch_image_phys(from), (u64)(to - from), prot, 1);
}

static void map_image(void)
{
	map_image_part(__image_start, __text_end, PROT_TEXT);
	map_image_part(__text_end, __rodata_end, PROT_CONST);
	map_image_part(__rodata_end, __image_end, PROT_DATA);
	*entry((u64)stack_main.guard, 1) = 0;
	for (u32 i = 0; i < ARRAY_SIZE(stack_ist); i++)
		*entry((u64)stack_ist[i].guard, 1) = 0;
}

static void map_direct_part(u64 start, u64 end, u64 prot)
{
	u32 top = arch_cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_1GB ? 3 : 2;

	if (start < end)
		map(LAYOUT_DIRECT_MAP + start, start, end - start, prot, top);
}

/* W^X holds for aliases too: text and constants are read-only here. */
static void map_direct(u64 start, u64 end)
{
	u64 ro = arch_image_phys(__image_start), rw = arch_image_phys(__rodata_end);

	map_direct_part(start, MIN(end, ro), PROT_DATA);
	map_direct_part(MAX(start, ro), MIN(end, rw), PROT_CONST);
	map_direct_part(MAX(start, rw), end, PROT_DATA);
}

void paging_init(const struct boot_info *bi)
{
	root = arch_early_alloc(PAGE_SIZE);
	if (!root.a)
		panic("no memory for the hypervisor's page tables");
	map_image();
	for (u32 i = 0; i < bi->nranges; i++)
		if (bi->ranges[i].usable)
			map_direct(bi->ranges[i].start, bi->ranges[i].end);
	for (u64 off = 0; off < PAGING_MMIO_BYTES; off += level_bytes(2))
		(void)entry(LAYOUT_MMIO + off, 1);
	cpu_write_cr3(root.a);
	cpu_write_cr4(cpu_read_cr4() | CR4_PGE);
	early_all_mapped();
}

void *arch_mmio_map(u64 phys, u64 bytes)
{
	u64 first = ALIGN_DOWN(phys, PAGE_SIZE), size = ALIGN_UP(phys + bytes, PAGE_SIZE) - first;
	u64 va = LAYOUT_MMIO + mmio_used;

	if (!bytes || phys + bytes < phys || phys + bytes > PTE_ADDR ||
	    size > PAGING_MMIO_BYTES - mmio_used)
		return NULL;
	map(va, first, size, PROT_DEVICE, 1);
	mmio_used += size;
	return (void *)(va + (phys - first));
}
