/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pci_irq.c - a PCI function's interrupt by the best means it has. Messages are preferred: an
 * INTx line is shared, and where it ends is known only from what firmware left in a register.
 * Sources: PCI Local Bus Specification 3.0, "MSI Capability and Table Structures", "MSI-X
 * Capability and Table Structures".
 */
#include "arch/x86_64/irq.h"
#include "arch/x86_64/mmio.h"
#include "drivers/pci.h"
#include "kernel/lib/lib.h"

#define MSI_CONTROL 2
#define MSI_ENABLE BIT(0)
#define MSI_MULTIPLE_ENABLE 0x70u
#define MSI_64BIT BIT(7)
#define MSI_MASKING BIT(8)
#define MSI_ADDRESS 4

#define MSIX_CONTROL 2
#define MSIX_MASK_ALL BIT(14)
#define MSIX_ENABLE BIT(15)
#define MSIX_TABLE 4
#define MSIX_ENTRY 16

static int try_msix(const struct pci_dev *d, arch_irq_fn *fn, void *ctx)
{
	u8 cap = pci_capability(d, PCI_CAP_MSIX, 0), *entry;
	u32 table, data;
	u64 addr;
	u16 control;
	int err;

	if (!cap)
		return E_NOENT;
	table = pci_read32(d, (u8)(cap + MSIX_TABLE));
	control = (u16)(pci_read16(d, (u8)(cap + MSIX_CONTROL)) | MSIX_ENABLE);
	entry = pci_map(d, table & 7, table & ~7u, MSIX_ENTRY);
	if (!entry)
		return E_INVAL;
	err = arch_irq_msi(fn, ctx, &addr, &data);
	if (err)
		return err;
	/* the table is there only when enabled */
	pci_write16(d, (u8)(cap + MSIX_CONTROL), control | MSIX_MASK_ALL);
	mmio_write64(entry, addr);
	mmio_write32(entry + 8, data);
	mmio_write32(entry + 12, 0);
	pci_write16(d, (u8)(cap + MSIX_CONTROL), (u16)(control & ~MSIX_MASK_ALL));
	return PCI_IRQ_MSIX;
}

static int try_msi(const struct pci_dev *d, arch_irq_fn *fn, void *ctx)
{
	u8 cap = pci_capability(d, PCI_CAP_MSI, 0), at;
	u16 control;
	u32 data;
	u64 addr;
	int err;

	if (!cap)
		return E_NOENT;
	err = arch_irq_msi(fn, ctx, &addr, &data);
	if (err)
		return err;
	control = pci_read16(d, (u8)(cap + MSI_CONTROL));
	at = (u8)(cap + MSI_ADDRESS);
	pci_write32(d, at, (u32)addr);
	at += 4;
	if (control & MSI_64BIT) {
		pci_write32(d, at, (u32)(addr >> 32));
		at += 4;
	}
	pci_write16(d, at, (u16)data);
	if (control & MSI_MASKING)
		pci_write32(d, (u8)(at + 4), 0);
	pci_write16(d, (u8)(cap + MSI_CONTROL), (u16)((control & ~MSI_MULTIPLE_ENABLE) | MSI_ENABLE));
	return PCI_IRQ_MSI;
}

int pci_irq(const struct pci_dev *d, bool (*fn)(void *ctx), void *ctx)
{
	bool level;
	u32 gsi;
	int how = try_msix(d, fn, ctx), err;

	if (how < 0)
		how = try_msi(d, fn, ctx);
	if (how >= 0) {
		pci_enable(d, PCI_COMMAND_INTX_OFF);
		return how;
	}
	if (!d->irq_pin || d->irq_line == 0xff)
		return E_NOTSUP;
	pci_write16(d, PCI_COMMAND, (u16)(pci_read16(d, PCI_COMMAND) & ~PCI_COMMAND_INTX_OFF));
	gsi = arch_isa_gsi(d->irq_line, &level);
	err = arch_irq_register(gsi, true, fn, ctx);
	return err ? err : PCI_IRQ_INTX;
}
