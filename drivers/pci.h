/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pci.h - the host's PCI functions, found once by configuration mechanism 1 (ports
 * CF8h/CFCh). Source: PCI Local Bus Specification 3.0, "Configuration Space".
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include "kernel/lib/types.h"

#define PCI_MAX_DEVICES 64
#define PCI_BARS 6

#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO BIT(0)
#define PCI_COMMAND_MEMORY BIT(1)
#define PCI_COMMAND_MASTER BIT(2)
#define PCI_COMMAND_INTX_OFF BIT(10)

struct pci_bar { u64 base, size; bool io; }; /* size 0: absent */

struct pci_dev {
	u8 bus, dev, fn;
	u16 vendor, device;
	u8 class, subclass, prog_if, header;
	u8 irq_line;   /* ISA interrupt that firmware routed INTx to; FFh: none */
	u8 irq_pin;    /* 1 = INTA#; 0: none */
	struct pci_bar bar[PCI_BARS];
};

/* Scans all buses behind bus 0 and logs what it finds. Returns the number of functions kept. */
u32 pci_init(void);
u32 pci_count(void);
const struct pci_dev *pci_get(u32 i);

u8 pci_read8(const struct pci_dev *d, u8 offset);
u16 pci_read16(const struct pci_dev *d, u8 offset);
u32 pci_read32(const struct pci_dev *d, u8 offset);
void pci_write16(const struct pci_dev *d, u8 offset, u16 v);
void pci_write32(const struct pci_dev *d, u8 offset, u32 v);
/* Sets bits in the command register. */
void pci_enable(const struct pci_dev *d, u16 command);
/* Clears bits. With PCI_COMMAND_MASTER gone, all that the device wrote has arrived when this returns, and
 * nothing follows. */
void pci_disable(const struct pci_dev *d, u16 command);
/* The offset of the next capability of that id behind `after` (0: the first); 0 if there is none. */
#define PCI_CAP_MSI 0x05
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX 0x11
u8 pci_capability(const struct pci_dev *d, u8 id, u8 after);
/* Maps [offset, offset + bytes) of a memory BAR; NULL if it has no such part. */
void *pci_map(const struct pci_dev *d, u32 bar, u64 offset, u64 bytes) MUST_CHECK;

/*
 * pci_irq.c: the device's interrupts call fn: by MSI-X (table entry 0), else by MSI, else on its INTx line.
 * Returns which, or a negative error. One handler a device.
 */
enum pci_irq { PCI_IRQ_INTX, PCI_IRQ_MSI, PCI_IRQ_MSIX };
int pci_irq(const struct pci_dev *d, bool (*fn)(void *ctx), void *ctx) MUST_CHECK;

#endif
