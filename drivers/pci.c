/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pci.c - enumeration by configuration mechanism 1, following bridges by the bus numbers
 * that firmware gave them. Nothing is assigned or moved. One CPU, no interrupts: the address
 * and data ports need no lock.
 */
#include "drivers/pci.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "kernel/lib/lib.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

#define PCI_ID 0x00
#define PCI_CLASS 0x08
#define PCI_HEADER 0x0e
#define PCI_BAR0 0x10
#define PCI_SECONDARY_BUS 0x19
#define PCI_STATUS 0x06
#define PCI_STATUS_CAPABILITIES BIT(4)
#define PCI_CAPABILITIES 0x34
#define CAPABILITIES_MAX 48 /* that fit in the configuration space: a list that is longer is a loop */
#define PCI_INTERRUPT 0x3c

#define HEADER_MULTI 0x80
#define HEADER_BRIDGE 1
#define BAR_IO BIT(0)
#define BAR_64 0x4

static struct pci_dev devs[PCI_MAX_DEVICES];
static u32 ndevs, nleft_out;

static void select_reg(const struct pci_dev *d, u8 offset)
{
	cpu_out32(CONFIG_ADDRESS, BIT(31) | (u32)d->bus << 16 | (u32)d->dev << 11 | (u32)d->fn << 8 |
		  (offset & 0xfcu));
}

u32 pci_read32(const struct pci_dev *d, u8 offset)
{
	select_reg(d, offset);
	return cpu_in32(CONFIG_DATA);
}

u16 pci_read16(const struct pci_dev *d, u8 offset)
{
	return (u16)(pci_read32(d, offset) >> (offset & 2) * 8);
}

u8 pci_read8(const struct pci_dev *d, u8 offset)
{
	return (u8)(pci_read32(d, offset) >> (offset & 3) * 8);
}

void pci_write32(const struct pci_dev *d, u8 offset, u32 v)
{
	select_reg(d, offset);
	cpu_out32(CONFIG_DATA, v);
}

/* A narrow write: the other half may hold write-one-to-clear bits. */
void pci_write16(const struct pci_dev *d, u8 offset, u16 v)
{
	select_reg(d, offset);
	cpu_out16((u16)(CONFIG_DATA + (offset & 2)), v);
}

void pci_enable(const struct pci_dev *d, u16 command)
{
	pci_write16(d, PCI_COMMAND, (u16)(pci_read16(d, PCI_COMMAND) | command));
}

void pci_disable(const struct pci_dev *d, u16 command)
{
	u16 left;

	pci_write16(d, PCI_COMMAND, (u16)(pci_read16(d, PCI_COMMAND) & ~command));
	/* Its answer can't overtake what it has written before ("Transaction Ordering"). */
	left = pci_read16(d, PCI_COMMAND);
	if (left != 0xffff && left & command) /* all ones: it is gone */
		log_err("PCI %02x:%02x.%u: command bits %04x stay on", d->bus, d->dev, d->fn, left & command);
}

u8 pci_capability(const struct pci_dev *d, u8 id, u8 after)
{
	u8 at = pci_read8(d, after ? (u8)(after + 1) : PCI_CAPABILITIES) & 0xfc;

	if (!(pci_read16(d, PCI_STATUS) & PCI_STATUS_CAPABILITIES))
		return 0;
	for (u32 i = 0; at && i < CAPABILITIES_MAX; i++) {
		if (pci_read8(d, at) == id)
			return at;
		at = pci_read8(d, (u8)(at + 1)) & 0xfc;
	}
	return 0;
}

void *pci_map(const struct pci_dev *d, u32 bar, u64 offset, u64 bytes)
{
	const struct pci_bar *b = bar < PCI_BARS ? &d->bar[bar] : NULL;

	if (!b || b->io || !b->base || offset > b->size || bytes > b->size - offset)
		return NULL;
	return arch_mmio_map(b->base + offset, bytes);
}

/* The writable address bits of BAR n, upper half all ones unless it is a 64-bit one. */
static u32 bar_mask(const struct pci_dev *d, u8 reg)
{
	u32 old = pci_read32(d, reg), mask;

	pci_write32(d, reg, 0xffffffff);
	mask = pci_read32(d, reg);
	pci_write32(d, reg, old);
	return mask;
}

/* Reads BAR i into *b; returns how many registers it takes. */
static u32 read_bar(const struct pci_dev *d, u32 i, u32 nbars, struct pci_bar *b)
{
	u8 reg = (u8)(PCI_BAR0 + 4 * i);
	u32 value = pci_read32(d, reg), mask = bar_mask(d, reg);
	u64 wide = 0xffffffff00000000ull;

	if (mask == 0 || mask == 0xffffffff)
		return 1;
	if (value & BAR_IO) {
		*b = (struct pci_bar){ value & 0xfffc, (u16)~(mask & 0xfffc) + 1u, true };
		b->size &= 0xffff;
		return 1;
	}
	if ((value & 6) == BAR_64 && i + 1 < nbars) {
		wide = (u64)bar_mask(d, (u8)(reg + 4)) << 32;
		b->base = (u64)pci_read32(d, (u8)(reg + 4)) << 32;
	}
	b->base |= value & ~0xfu;
	b->size = ~(wide | (mask & ~0xfu)) + 1;
	b->io = false;
	return (value & 6) == BAR_64 ? 2 : 1;
}

/* Decoding is off while BARs hold all ones. */
static void read_bars(struct pci_dev *d)
{
	u16 command = pci_read16(d, PCI_COMMAND);
	u32 nbars = d->header == 0 ? PCI_BARS : d->header == HEADER_BRIDGE ? 2 : 0;

	pci_write16(d, PCI_COMMAND, (u16)(command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY)));
	for (u32 i = 0; i < nbars;)
		i += read_bar(d, i, nbars, &d->bar[i]);
	pci_write16(d, PCI_COMMAND, command);
}

/* True if there is a function; *bus gets the bus behind it, 0 if it is no bridge. */
static bool probe(u8 bus, u8 dev, u8 fn, bool *multi, u8 *behind)
{
	struct pci_dev d = { .bus = bus, .dev = dev, .fn = fn };
	u32 id = pci_read32(&d, PCI_ID), class;

	if ((id & 0xffff) == 0xffff || id == 0)
		return false;
	class = pci_read32(&d, PCI_CLASS);
	d.vendor = (u16)id;
	d.device = (u16)(id >> 16);
	d.class = (u8)(class >> 24);
	d.subclass = (u8)(class >> 16);
	d.prog_if = (u8)(class >> 8);
	d.header = pci_read8(&d, PCI_HEADER);
	*multi = d.header & HEADER_MULTI;
	d.header &= (u8)~HEADER_MULTI;
	*behind = d.header == HEADER_BRIDGE ? pci_read8(&d, PCI_SECONDARY_BUS) : 0;
	d.irq_line = pci_read8(&d, PCI_INTERRUPT);
	d.irq_pin = pci_read8(&d, PCI_INTERRUPT + 1);
	if (ndevs == PCI_MAX_DEVICES) {
		nleft_out++;
		return true;
	}
	read_bars(&d);
	log_info("PCI %02x:%02x.%u %04x:%04x class %02x%02x.%02x irq %u", bus, dev, fn, d.vendor,
		 d.device, d.class, d.subclass, d.prog_if, d.irq_pin ? d.irq_line : 0xff);
	devs[ndevs++] = d;
	return true;
}

u32 pci_init(void)
{
	static bool wanted[256];

	wanted[0] = true;
	for (u32 bus = 0; bus < 256; bus++) {
		for (u8 dev = 0; wanted[bus] && dev < 32; dev++) {
			bool multi = false, unused;
			u8 behind;

			for (u8 fn = 0; fn < 8 && (fn == 0 || multi); fn++)
				/* only upwards: a bridge that points back can't make a loop */
				if (probe((u8)bus, dev, fn, fn ? &unused : &multi, &behind) && behind > bus)
					wanted[behind] = true;
		}
	}
	if (nleft_out)
		log_warn("PCI: %u functions more than the %u we keep", nleft_out, PCI_MAX_DEVICES);
	return ndevs;
}

u32 pci_count(void)
{
	return ndevs;
}

const struct pci_dev *pci_get(u32 i)
{
	return i < ndevs ? &devs[i] : NULL;
}
