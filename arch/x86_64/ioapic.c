/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioapic.c - redirection entries of the host's I/O APICs: fixed delivery, physical mode,
 * to the boot CPU. Source: Intel, "82093AA I/O Advanced Programmable Interrupt Controller".
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/desc.h"
#include "arch/x86_64/paging.h"
#include "boot/boot_info.h"
#include "kernel/lib/lib.h"

#define IOAPIC_SELECT 0
#define IOAPIC_DATA 4 /* in 32-bit words */
#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY 0x10

#define ENTRY_ACTIVE_LOW BIT(13)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)

#define IOAPIC_OLD_BASE 0xfec00000

struct ioapic { volatile u32 *regs; u32 gsi_base, lines; };
static struct ioapic ioapics[4];
static u32 nioapics;

static u32 ioapic_read(const struct ioapic *io, u32 reg)
{
	io->regs[IOAPIC_SELECT] = reg;
	return io->regs[IOAPIC_DATA];
}

static void ioapic_write(const struct ioapic *io, u32 reg, u32 v)
{
	io->regs[IOAPIC_SELECT] = reg;
	io->regs[IOAPIC_DATA] = v;
}

static u32 add(u64 base, u32 gsi_base)
{
	struct ioapic *io = &ioapics[nioapics];
	u32 version;

	io->regs = arch_mmio_map(base, PAGE_SIZE);
	if (!io->regs)
		return 0;
	io->gsi_base = gsi_base;
	version = ioapic_read(io, IOAPIC_VERSION);
	if (version == 0 || version == 0xffffffff) {
		log_warn("IOAPIC: nothing answers at %llx", (unsigned long long)base);
		return 0;
	}
	io->lines = (version >> 16 & 0xff) + 1;
	for (u32 i = 0; i < io->lines; i++)
		ioapic_write(io, IOAPIC_ENTRY + 2 * i, ENTRY_MASKED);
	nioapics++;
	log_info("IOAPIC: at %llx, GSI %u-%u", (unsigned long long)base, gsi_base,
		 gsi_base + io->lines - 1);
	return io->lines;
}

u32 ioapic_init(const struct boot_acpi *acpi)
{
	u32 lines = 0;

	for (u32 i = 0; i < MIN(acpi->nioapics, (u32)ARRAY_SIZE(ioapics)); i++)
		lines += add(acpi->ioapic[i].base, acpi->ioapic[i].gsi_base);
	if (!acpi->nioapics) {
		log_warn("IOAPIC: ACPI names none, trying the usual address");
		lines = add(IOAPIC_OLD_BASE, 0);
	}
	return lines;
}

static const struct ioapic *find(u32 gsi)
{
	for (u32 i = 0; i < nioapics; i++)
		if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].lines)
			return &ioapics[i];
	return NULL;
}

bool ioapic_route(u32 gsi, u8 vector, bool level, bool active_low)
{
	const struct ioapic *io = find(gsi);
	u32 reg;

	if (!io)
		return false;
	reg = IOAPIC_ENTRY + 2 * (gsi - io->gsi_base);
	ioapic_write(io, reg + 1, percpu_this()->apic_id << 24);
	ioapic_write(io, reg, vector | (level ? ENTRY_LEVEL : 0) | (active_low ? ENTRY_ACTIVE_LOW : 0));
	return true;
}

void ioapic_mask(u32 gsi)
{
	const struct ioapic *io = find(gsi);

	if (io)
		ioapic_write(io, IOAPIC_ENTRY + 2 * (gsi - io->gsi_base), ENTRY_MASKED);
}
