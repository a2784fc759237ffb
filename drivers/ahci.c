/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahci.c - SATA disks at work. Any error resets the port's link: that is the one way out of every state,
 * queued commands among them, and what was in hand then goes again unqueued and alone (slots.h). Interrupt
 * handler and tick run in interrupt windows, never inside each other; nothing waits.
 */
#include "drivers/ahci_hw.h"
#include "kernel/lib/lib.h"

static struct ahci_port *ports; /* that work: for the tick */

void ahci_add(struct ahci_port *p)
{
	p->next = ports;
	ports = p;
}

/* ---- commands ---- */

void ahci_fis(u8 *f, u8 command, u64 lba, u32 count, u32 features)
{
	memset(f, 0, 64);
	f[0] = FIS_H2D;
	f[1] = FIS_H2D_COMMAND;
	f[2] = command;
	f[3] = (u8)features;
	f[7] = command == ATA_IDENTIFY ? 0 : 0x40; /* LBA */
	for (u32 i = 0; i < 3; i++) {
		f[4 + i] = (u8)(lba >> 8 * i);
		f[8 + i] = (u8)(lba >> (24 + 8 * i));
	}
	f[11] = (u8)(features >> 8);
	f[12] = (u8)count;
	f[13] = (u8)(count >> 8);
}

static u32 prds(const struct block_req *r, struct block_at *at, struct ahci_prd *prd, u32 *bytes)
{
	u32 n = 0, left;
	u64 addr, end = 0;

	for (*bytes = 0; (left = block_piece(r, at, &addr));
	     at->off += left, *bytes += left, end = addr + left) {
		left = MIN(left, AHCI_PRD_MAX);
		if (n && addr == end && prd[n - 1].dbc + left < AHCI_PRD_MAX) {
			prd[n - 1].dbc += left;
			continue;
		}
		if (n == AHCI_PRDS)
			break;
		prd[n++] = (struct ahci_prd){ .dba = (u32)addr, .dbau = (u32)(addr >> 32), .dbc = left - 1 };
	}
	return n;
}

void ahci_command(struct ahci_memory *m, u32 i, struct slot *s, bool ncq, u64 table)
{
	struct ahci_table *t = &m->table[i];
	const struct block_req *r = s->req;
	bool write = r->op == BLOCK_WRITE;
	u64 lba = r->sector + s->done;
	u32 n = 0, bytes = 0;

	if (r->op == BLOCK_FLUSH) {
		ahci_fis(t->cfis, ATA_FLUSH_EXT, 0, 0, 0);
	} else {
		n = prds(r, &s->next, t->prd, &bytes);
		s->sectors = bytes / SECTOR_SIZE;
		if (ncq)
			ahci_fis(t->cfis, write ? ATA_WRITE_FPDMA : ATA_READ_FPDMA, lba, i << 3, s->sectors);
		else
			ahci_fis(t->cfis, write ? ATA_WRITE_DMA_EXT : ATA_READ_DMA_EXT, lba, s->sectors, 0);
	}
	m->header[i] = (struct ahci_header){ .flags = (u16)(HEADER_FIS_DWORDS | (write ? HEADER_WRITE : 0)),
					     .prdtl = (u16)n,
					     .ctba = (u32)table,
					     .ctbau = (u32)(table >> 32) };
}

void ahci_issue(struct slots *q, u32 i)
{
	struct ahci_port *p = container_of(q, struct ahci_port, q);
	/* Queued and unqueued commands don't mix: a FLUSH is alone (flush_alone), suspects are. */
	bool ncq = p->ncq && !q->suspects && q->slot[i].req->op != BLOCK_FLUSH;

	ahci_command(p->m, i, &q->slot[i], ncq, slots_phys(&p->m->table[i]));
	p->active |= BIT(i);
	if (ncq)
		mmio_write32(p->regs + PORT_SACT, BIT(i));
	mmio_write32(p->regs + PORT_CI, BIT(i));
}

/* ---- resets ---- */

void ahci_reset(struct ahci_port *p, u64 now)
{
	p->active = 0;
	mmio_write32(p->regs + PORT_IE, 0);
	mmio_write32(p->regs + PORT_CMD, mmio_read32(p->regs + PORT_CMD) & ~CMD_ST);
	p->step = AHCI_STOPPING;
	p->until_ns = now + STOP_NS;
}

static bool link_up(const struct ahci_port *p)
{
	return (mmio_read32(p->regs + PORT_SSTS) & 0xf) == DET_READY &&
	       !(mmio_read32(p->regs + PORT_TFD) & TFD_BUSY);
}

/* Still at work on its list, told to stop or not: as long as it is, it reads and writes memory. */
static bool list_runs(const struct ahci_port *p)
{
	return mmio_read32(p->regs + PORT_CMD) & CMD_CR;
}

/* Errors and interrupts of the past are forgotten; commands are taken from here on. */
static void run(struct ahci_port *p)
{
	mmio_write32(p->regs + PORT_SERR, 0xffffffff);
	mmio_write32(p->regs + PORT_IS, 0xffffffff);
	mmio_write32(p->regs + PORT_CMD, mmio_read32(p->regs + PORT_CMD) | CMD_ST);
	p->step = AHCI_RUNNING;
}

/* One look at a port between two states: false while it has to wait. */
bool ahci_step(struct ahci_port *p, u64 now)
{
	switch (p->step) {
	case AHCI_STOPPING:
		if (mmio_read32(p->regs + PORT_CMD) & CMD_CR && now < p->until_ns)
			return false;
		mmio_write32(p->regs + PORT_SCTL, SCTL_NO_POWER_SAVING | SCTL_DET_INIT);
		p->step = AHCI_RESETTING;
		p->until_ns = now + 2 * MS; /* at least one */
		return false;
	case AHCI_RESETTING:
		if (now < p->until_ns)
			return false;
		mmio_write32(p->regs + PORT_SCTL, SCTL_NO_POWER_SAVING);
		p->step = AHCI_LINKING;
		p->until_ns = now + LINK_NS;
		p->detect_ns = now + DETECT_NS;
		return false;
	case AHCI_LINKING:
		if (link_up(p) && !list_runs(p))
			run(p);
		else if (now >= p->until_ns ||
			 (now >= p->detect_ns && !(mmio_read32(p->regs + PORT_SSTS) & DET_PRESENT)))
			p->step = AHCI_GONE;
		else
			return false;
		return true;
	default:
		return true;
	}
}

void ahci_enable_interrupts(struct ahci_port *p)
{
	mmio_write32(p->regs + PORT_IE, IS_DONE | IS_FAILED);
}

/* ---- completions ---- */

/* True if the port had something to say. */
static bool service(struct ahci_port *p, bool later)
{
	u32 is = mmio_read32(p->regs + PORT_IS), done;

	if (p->step != AHCI_RUNNING)
		return false;
	mmio_write32(p->regs + PORT_IS, is);
	done = p->active & ~(mmio_read32(p->regs + PORT_CI) | mmio_read32(p->regs + PORT_SACT));
	p->active &= ~done;
	/* A queued command that failed has left CI, but not SACT; unqueued ones stay in both. */
	for (u32 i = 0; done; i++, done >>= 1)
		if (done & 1)
			slots_done(&p->q, i, true, 0, later);
	if (is & IS_FAILED) {
		char why[64];

		fmt(why, sizeof(why), "interrupt status %08x, task file %04x, link %08x", is,
		    mmio_read32(p->regs + PORT_TFD), mmio_read32(p->regs + PORT_SERR));
		slots_reset(&p->q, why);
		ahci_reset(p, arch_ns());
	}
	return is != 0;
}

bool ahci_interrupt(void *ctx)
{
	struct ahci_hba *h = ctx;
	u32 is = mmio_read32(h->regs + HBA_IS);

	/* The ports' bits first, or the adapter's come back. */
	for (u32 i = 0; i < 32; i++)
		if (is & BIT(i) && h->ports[i])
			(void)service(h->ports[i], false);
	mmio_write32(h->regs + HBA_IS, is);
	return is != 0;
}

/* A port that does not stop can only be kept from memory together with the adapter, and all its disks. */
static void give_up(struct ahci_hba *h, u64 now_ns)
{
	pci_disable(h->pci, PCI_COMMAND_MASTER);
	for (u32 i = 0; i < ARRAY_SIZE(h->ports); i++) {
		struct ahci_port *p = h->ports[i];

		if (!p || p->q.state == SLOTS_DEAD)
			continue;
		if (p->q.state == SLOTS_READY)
			slots_reset(&p->q, "its adapter can't be stopped otherwise");
		ahci_reset(p, now_ns);
		p->step = AHCI_GONE;
		slots_reset_over(&p->q, false);
	}
}

void ahci_tick(u64 now_ns)
{
	for (struct ahci_port *p = ports; p; p = p->next) {
		if (p->q.state == SLOTS_RESET) {
			if (!ahci_step(p, now_ns))
				continue;
			if (p->step == AHCI_GONE && list_runs(p)) {
				give_up(p->hba, now_ns);
				continue;
			}
			slots_reset_over(&p->q, p->step == AHCI_RUNNING);
			if (p->step == AHCI_RUNNING)
				ahci_enable_interrupts(p);
		} else if (p->active && !service(p, true) && slots_late(&p->q, now_ns)) {
			slots_reset(&p->q, "no answer");
			ahci_reset(p, now_ns);
		}
	}
}
