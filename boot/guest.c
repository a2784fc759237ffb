/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest.c - what the loaders of guest images share: the memory map and the tables that
 * the processor needs at entry.
 *
 * Contract: guest.h. No state; runs when a guest is started or reset.
 */
#include "boot/guest.h"
#include "kernel/lib/lib.h"

#define PTE_P_RW 0x3ull
#define PTE_PS 0x80ull
#define PDES_AT_ONCE 64

void guest_default_e820(struct guest_target *t)
{
	t->e820[0] = (struct guest_e820){ 0, GUEST_LOW_RAM_END, GUEST_E820_RAM };
	t->e820[1] = (struct guest_e820){ GUEST_LOW_RAM_END, GUEST_HIGH_RAM - GUEST_LOW_RAM_END,
					  GUEST_E820_RESERVED };
	t->ne820 = 2;
	if (t->ram > GUEST_HIGH_RAM)
		t->e820[t->ne820++] = (struct guest_e820){ GUEST_HIGH_RAM, t->ram - GUEST_HIGH_RAM,
							   GUEST_E820_RAM };
}

bool guest_in_ram(const struct guest_target *t, u64 gpa, u64 len)
{
	for (u32 i = 0; i < t->ne820 && i < GUEST_E820_MAX; i++) {
		const struct guest_e820 *e = &t->e820[i];

		if (e->type == GUEST_E820_RAM && gpa >= e->addr && gpa - e->addr <= e->size &&
		    len <= e->size - (gpa - e->addr))
			return true;
	}
	return false;
}

/* 4 GiB mapped to themselves: one PML4, one PDPT, four page directories of 2 MiB pages. */
static int write_page_tables(const struct guest_target *t)
{
	u64 pml4e = (GUEST_PAGE_TABLES + PAGE_SIZE) | PTE_P_RW;
	u64 pdpte[4], pde[PDES_AT_ONCE];
	int err = t->zero(t->ctx, GUEST_PAGE_TABLES, 2 * PAGE_SIZE);

	for (u32 i = 0; i < 4; i++)
		pdpte[i] = (GUEST_PAGE_TABLES + (2 + i) * PAGE_SIZE) | PTE_P_RW;
	if (!err)
		err = t->write(t->ctx, GUEST_PAGE_TABLES, &pml4e, sizeof(pml4e));
	if (!err)
		err = t->write(t->ctx, GUEST_PAGE_TABLES + PAGE_SIZE, pdpte, sizeof(pdpte));
	for (u64 n = 0; !err && n < 4 * 512; n += PDES_AT_ONCE) {
		for (u64 i = 0; i < PDES_AT_ONCE; i++)
			pde[i] = (n + i) << 21 | PTE_P_RW | PTE_PS;
		err = t->write(t->ctx, GUEST_PAGE_TABLES + 2 * PAGE_SIZE + n * 8, pde, sizeof(pde));
	}
	return err;
}

void guest_fill_gdt(u64 gdt[GUEST_GDT_ENTRIES], struct guest_entry *e, u64 gpa)
{
	/* Accessed is set, so that loading a selector writes nothing. */
	gdt[0] = gdt[1] = 0;
	gdt[2] = e->long64 ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull;
	gdt[3] = 0x00cf93000000ffffull;
	e->gdtr_base = gpa;
	e->gdtr_limit = GUEST_GDT_ENTRIES * 8 - 1;
}

int guest_write_cpu_tables(const struct guest_target *t, struct guest_entry *e)
{
	u64 gdt[GUEST_GDT_ENTRIES];
	int err;

	guest_fill_gdt(gdt, e, GUEST_GDT);
	err = t->write(t->ctx, GUEST_GDT, gdt, sizeof(gdt));
	if (err || !e->long64)
		return err;
	e->cr3 = GUEST_PAGE_TABLES;
	return write_page_tables(t);
}
