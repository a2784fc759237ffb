/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahci_probe.c - which disks an adapter has. At boot only; waits (polled).
 */
#include "drivers/ahci_hw.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"

#define PORT_FRAMES \
	((u32)((sizeof(struct ahci_memory) + sizeof(struct ahci_port) + PAGE_SIZE - 1) / PAGE_SIZE))

static u32 named;

static bool wait_clear(const u8 *reg, u32 bits, u64 ns)
{
	u64 end = arch_ns() + ns;

	while (mmio_read32(reg) & bits)
		if (arch_ns() >= end)
			return false;
	return true;
}

/* Stops what firmware left running, gives the port its memory and begins to reset its link. */
static struct ahci_port *begin_port(struct ahci_hba *h, u32 i)
{
	u8 *regs = h->regs + HBA_PORTS + i * PORT_BYTES;
	struct ahci_port *p;
	pfn_t pfn;

	mmio_write32(regs + PORT_IE, 0);
	mmio_write32(regs + PORT_CMD, mmio_read32(regs + PORT_CMD) & ~CMD_ST);
	if (!wait_clear(regs + PORT_CMD, CMD_CR, STOP_NS))
		return NULL;
	mmio_write32(regs + PORT_CMD, mmio_read32(regs + PORT_CMD) & ~CMD_FRE);
	if (!wait_clear(regs + PORT_CMD, CMD_FR, STOP_NS))
		return NULL;
	pfn = frame_get_run(PORT_FRAMES);
	if (pfn_none(pfn))
		return NULL;
	p = (void *)((u8 *)pfn_ptr(pfn) + sizeof(struct ahci_memory));
	p->m = pfn_ptr(pfn);
	p->hba = h;
	p->regs = regs;
	mmio_write64(regs + PORT_CLB, slots_phys(p->m->header));
	mmio_write64(regs + PORT_FB, slots_phys(p->m->fis));
	mmio_write32(regs + PORT_SERR, 0xffffffff);
	mmio_write32(regs + PORT_CMD, mmio_read32(regs + PORT_CMD) | CMD_FRE | CMD_SUD | CMD_POD);
	ahci_reset(p, arch_ns());
	return p;
}

static void drop_port(struct ahci_port *p)
{
	mmio_write32(p->regs + PORT_CMD, mmio_read32(p->regs + PORT_CMD) & ~CMD_ST);
	(void)wait_clear(p->regs + PORT_CMD, CMD_CR, STOP_NS);
	mmio_write32(p->regs + PORT_CMD, mmio_read32(p->regs + PORT_CMD) & ~CMD_FRE);
	if (wait_clear(p->regs + PORT_CMD, CMD_FR, STOP_NS)) /* else its memory is not ours */
		frame_put_run(ptr_pfn(p->m), PORT_FRAMES);
}

static bool identify(struct ahci_port *p)
{
	u64 table = slots_phys(&p->m->table[0]), buf = slots_phys(p->m->identify),
	    end = arch_ns() + TIMEOUT_NS;

	ahci_fis(p->m->table[0].cfis, ATA_IDENTIFY, 0, 0, 0);
	p->m->table[0].prd[0] =
		(struct ahci_prd){ .dba = (u32)buf, .dbau = (u32)(buf >> 32), .dbc = SECTOR_SIZE - 1 };
	p->m->header[0] = (struct ahci_header){ .flags = HEADER_FIS_DWORDS, .prdtl = 1, .ctba = (u32)table,
						.ctbau = (u32)(table >> 32) };
	mmio_write32(p->regs + PORT_CI, 1);
	while (mmio_read32(p->regs + PORT_CI) & 1)
		if (arch_ns() > end || mmio_read32(p->regs + PORT_IS) & IS_FAILED)
			return false;
	return !(mmio_read32(p->regs + PORT_IS) & IS_FAILED);
}

/* What IDENTIFY DEVICE said: false if this is no disk for us. */
static bool usable(struct ahci_port *p, u32 cap)
{
	const u16 *id = p->m->identify;
	u32 depth;

	if (mmio_read32(p->regs + PORT_SIG) != SIG_DISK || !identify(p))
		return false;
	if ((id[83] & 0xc400) != 0x4400 ||
	    ((id[106] & 0xd000) == 0x5000 && (id[117] | (u32)id[118] << 16) != 256)) {
		log_warn("AHCI: a disk without 48-bit addresses or with sectors of other than 512 bytes: not "
			 "used");
		return false;
	}
	depth = MIN((cap >> 8 & 31) + 1, (id[75] & 31u) + 1);
	p->ncq = cap & CAP_SNCQ && id[76] != 0xffff && id[76] & BIT(8);
	p->q.dev.depth = p->ncq ? depth : 1;
	p->q.dev.flush_alone = p->ncq; /* queued and other commands don't mix */
	p->q.dev.sectors = id[100] | (u64)id[101] << 16 | (u64)id[102] << 32 | (u64)id[103] << 48;
	p->q.dev.max_sectors = MAX_SECTORS;
	p->q.dev.ops = &slots_ops;
	p->q.dev.priv = &p->q;
	p->q.issue = ahci_issue;
	p->q.timeout_ns = TIMEOUT_NS;
	return p->q.dev.sectors != 0;
}

static struct ahci_hba *begin_hba(const struct pci_dev *pci)
{
	pfn_t pfn;
	u8 *regs;
	struct ahci_hba *h;

	pci_enable(pci, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	regs = pci_map(pci, 5, 0, HBA_PORTS + 32 * PORT_BYTES);
	if (!regs)
		regs = pci_map(pci, 5, 0, pci->bar[5].size); /* fewer ports */
	pfn = regs ? frame_get_run(1) : NO_PFN;
	if (pfn_none(pfn))
		return NULL;
	h = pfn_ptr(pfn);
	h->pci = pci;
	h->regs = regs;
	if (mmio_read32(regs + HBA_CAP2) & BIT(0)) { /* firmware's own driver lets go */
		mmio_write32(regs + HBA_BOHC, mmio_read32(regs + HBA_BOHC) | BOHC_OOS);
		(void)wait_clear(regs + HBA_BOHC, BOHC_BOS, 2000 * MS);
	}
	mmio_write32(regs + HBA_GHC, mmio_read32(regs + HBA_GHC) | GHC_AE);
	return h;
}

/* All links at once: a disk may take seconds. */
static void find_disks(struct ahci_hba *h, u32 npossible)
{
	u32 implemented = mmio_read32(h->regs + HBA_PI), waiting = 0;

	for (u32 i = 0; i < npossible; i++)
		if (implemented & BIT(i)) {
			h->ports[i] = begin_port(h, i);
			waiting |= h->ports[i] ? BIT(i) : 0;
		}
	while (waiting)
		for (u32 i = 0; i < 32; i++)
			if (waiting & BIT(i) && ahci_step(h->ports[i], arch_ns()))
				waiting &= ~BIT(i);
}

/* Registers the disks; gives back what the other ports were given. */
static u32 take_disks(struct ahci_hba *h, u32 cap, bool irq)
{
	u32 found = 0;

	for (u32 i = 0; i < 32; i++) {
		struct ahci_port *p = h->ports[i];

		if (!p)
			continue;
		if (!irq || p->step != AHCI_RUNNING || !usable(p, cap)) {
			drop_port(p);
			h->ports[i] = NULL;
			continue;
		}
		fmt(p->q.dev.name, sizeof(p->q.dev.name), "sd%u", named++);
		log_info("%s: SATA, %llu MiB, depth %u", p->q.dev.name,
			 (unsigned long long)(p->q.dev.sectors >> 11), p->q.dev.depth);
		ahci_add(p);
		block_register(&p->q.dev);
		ahci_enable_interrupts(p);
		found++;
	}
	return found;
}

u32 ahci_probe(const struct pci_dev *pci)
{
	struct ahci_hba *h = begin_hba(pci);
	u32 found, cap, nports;
	bool irq;

	cap = h ? mmio_read32(h->regs + HBA_CAP) : 0;
	if (!h || (!(cap & CAP_S64A) && frame_limit() > 1u << 20)) {
		log_warn("AHCI: %s: not used",
			 h ? "an adapter that can't reach memory above 4 GiB" : "no registers or memory");
		return 0;
	}
	nports =
		pci->bar[5].size > HBA_PORTS ? MIN(32u, (u32)(pci->bar[5].size - HBA_PORTS) / PORT_BYTES) : 0;
	find_disks(h, nports);
	irq = pci_irq(pci, ahci_interrupt, h) >= 0;
	if (!irq)
		log_err("AHCI: no interrupt: its disks are not used");
	found = take_disks(h, cap, irq);
	mmio_write32(h->regs + HBA_IS, 0xffffffff);
	mmio_write32(h->regs + HBA_GHC, mmio_read32(h->regs + HBA_GHC) | GHC_IE);
	return found;
}
