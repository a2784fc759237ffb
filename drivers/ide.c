/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ide.c - bus-master IDE: one command at a time on a channel, which its two drives share.
 * A request is done in one or more commands (as much as the PRD table holds each). The
 * interrupt handler and ide_tick() run in interrupt windows and from the main loop, never
 * inside each other; nothing waits.
 */
#include "drivers/ide.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/paging.h"
#include "drivers/ide_hw.h"
#include "drivers/pci.h"
#include "kernel/lib/lib.h"

#define COMMAND_SECTORS_28 256u
#define COMMAND_SECTORS_48 2048u
#define RETRIES 3
#define TIMEOUT_NS 10000000000ull      /* a command */
#define RESET_TIMEOUT_NS 31000000000ull /* ATA/ATAPI-6, "Software reset protocol" */
#define RESET_SETTLE_NS 2000000ull

static struct ide_channel channels[IDE_CHANNELS] = {
	{ .command = 0x1f0, .control = 0x3f6, .isa_irq = 14 },
	{ .command = 0x170, .control = 0x376, .isa_irq = 15 },
};

static void start_command(struct ide_channel *ch);

/* Ends the request in hand and starts what waits: the other drive goes first, in fairness. */
static void finish(struct ide_channel *ch, int err, bool later)
{
	struct ide_drive *d = ch->active, *other = &ch->drive[!d->slave];
	struct block_req *r = d->req;

	ch->active = NULL;
	ch->state = IDE_IDLE;
	d->req = NULL;
	if (other->req) {
		ch->active = other;
		start_command(ch);
	}
	if (later)
		block_complete_later(r, err);
	else
		block_complete(r, err);
}

/* Prepares the PRD table for the next part of the request; returns its sectors. */
static u32 build_table(struct ide_channel *ch, const struct ide_drive *d)
{
	const struct block_req *r = d->req;
	u32 left = r->nsectors - d->done, max = d->lba48 ? COMMAND_SECTORS_48 : COMMAND_SECTORS_28, n;

	left = MIN(left, max);
	ch->next = d->at;
	ch->bounced = false;
	n = ide_prd_build(r->segs, r->nsegs, &ch->next, left * SECTOR_SIZE, ch->dma->prd, IDE_PRDS,
			  &ch->nprds);
	if (n)
		return n / SECTOR_SIZE;
	/* Memory that the controller can't reach: by way of a buffer in the image. */
	ch->bounced = true;
	n = MIN(left * SECTOR_SIZE, (u32)sizeof(ch->dma->bounce));
	if (r->op == BLOCK_WRITE)
		ide_prd_copy(r->segs, r->nsegs, &ch->next, ch->dma->bounce, n, false);
	ch->dma->prd[0] = (struct ide_prd){ (u32)arch_image_phys(ch->dma->bounce), (u16)n, IDE_PRD_END };
	ch->nprds = 1;
	return n / SECTOR_SIZE;
}

static void issue_dma(struct ide_channel *ch, const struct ide_drive *d, u64 lba, u32 sectors)
{
	bool wide = d->lba48 && (lba + sectors > IDE_LBA28_END || sectors > COMMAND_SECTORS_28);
	bool write = d->req->op == BLOCK_WRITE;
	u8 direction = write ? 0 : BM_CMD_TO_MEMORY;

	cpu_out8(ch->bm + BM_COMMAND, 0);
	cpu_out32(ch->bm + BM_TABLE, (u32)arch_image_phys(ch->dma->prd));
	cpu_out8(ch->bm + BM_STATUS, (cpu_in8(ch->bm + BM_STATUS) & BM_STATUS_KEEP) | BM_STATUS_ERROR |
		 BM_STATUS_IRQ);
	cpu_out8(ch->bm + BM_COMMAND, direction);
	if (wide) {
		cpu_out8(ch->command + ATA_COUNT, (u8)(sectors >> 8));
		cpu_out8(ch->command + ATA_LBA0, (u8)(lba >> 24));
		cpu_out8(ch->command + ATA_LBA1, (u8)(lba >> 32));
		cpu_out8(ch->command + ATA_LBA2, (u8)(lba >> 40));
	} else {
		cpu_out8(ch->command + ATA_DEVICE, (u8)(d->device | (lba >> 24 & 0x0f)));
	}
	cpu_out8(ch->command + ATA_COUNT, (u8)sectors);
	cpu_out8(ch->command + ATA_LBA0, (u8)lba);
	cpu_out8(ch->command + ATA_LBA1, (u8)(lba >> 8));
	cpu_out8(ch->command + ATA_LBA2, (u8)(lba >> 16));
	cpu_out8(ch->command + ATA_COMMAND, write ? (wide ? ATA_WRITE_DMA_EXT : ATA_WRITE_DMA)
						  : (wide ? ATA_READ_DMA_EXT : ATA_READ_DMA));
	cpu_out8(ch->bm + BM_COMMAND, direction | BM_CMD_START);
}

/* Not ready within a moment: the timeout deals with it, as with any silence. */
static bool select_drive(struct ide_channel *ch, const struct ide_drive *d)
{
	cpu_out8(ch->command + ATA_DEVICE, d->device);
	for (u32 i = 0; i < 100; i++) /* the first four reads are the 400 ns the device may take */
		if (i >= 4 && !(cpu_in8(ch->control) & (ATA_BSY | ATA_DRQ)))
			return true;
		else
			(void)cpu_in8(ch->control);
	return false;
}

static void start_command(struct ide_channel *ch)
{
	struct ide_drive *d = ch->active;

	ch->deadline_ns = arch_ns() + TIMEOUT_NS;
	ch->state = IDE_COMMAND;
	if (!select_drive(ch, d)) {
		ch->state = IDE_STUCK;
		return;
	}
	(void)cpu_in8(ch->command + ATA_STATUS); /* an old interrupt is not this command's */
	if (d->req->op == BLOCK_FLUSH) {
		cpu_out8(ch->bm + BM_STATUS, (cpu_in8(ch->bm + BM_STATUS) & BM_STATUS_KEEP) | BM_STATUS_IRQ);
		cpu_out8(ch->command + ATA_COMMAND, d->lba48 ? ATA_FLUSH_EXT : ATA_FLUSH);
		return;
	}
	ch->sectors = build_table(ch, d);
	issue_dma(ch, d, d->req->sector + d->done, ch->sectors);
}

static void ide_start(struct block_dev *dev, struct block_req *r)
{
	struct ide_drive *d = dev->priv;
	struct ide_channel *ch = d->channel;

	if (ch->state == IDE_DEAD) {
		block_complete_later(r, E_IO);
		return;
	}
	d->req = r;
	d->done = 0;
	d->tries = 0;
	d->at = (struct ide_cursor){ 0, 0 };
	if (ch->state == IDE_IDLE) {
		ch->active = d;
		start_command(ch);
	}
}

static const struct block_ops ide_ops = { .start = ide_start };

static void begin_reset(struct ide_channel *ch)
{
	cpu_out8(ch->bm + BM_COMMAND, 0);
	cpu_out8(ch->control, ATA_SRST);
	for (u32 i = 0; i < 20; i++) /* at least 5 us */
		(void)cpu_in8(ch->control);
	cpu_out8(ch->control, 0);
	ch->state = IDE_RESET;
	ch->settled_ns = arch_ns() + RESET_SETTLE_NS;
	ch->deadline_ns = arch_ns() + RESET_TIMEOUT_NS;
}

/* The same part again, or the end of the request. */
static void fail(struct ide_channel *ch, u8 status, u8 bm, bool later)
{
	struct ide_drive *d = ch->active;
	u8 error = cpu_in8(ch->command + ATA_ERROR);

	log_warn("%s: %s of %u sectors at %llu failed: status %02x error %02x bus master %02x", d->dev.name,
		 d->req->op == BLOCK_READ  ? "read" :
		 d->req->op == BLOCK_WRITE ? "write" :
					     "flush",
		 d->req->nsectors - d->done, (unsigned long long)(d->req->sector + d->done), status, error,
		 bm);
	if (++d->tries > RETRIES)
		finish(ch, E_IO, later);
	else
		start_command(ch);
}

static void succeed(struct ide_channel *ch, bool later)
{
	struct ide_drive *d = ch->active;
	const struct block_req *r = d->req;

	if (r->op == BLOCK_FLUSH) {
		finish(ch, 0, later);
		return;
	}
	if (ch->bounced && r->op == BLOCK_READ)
		ide_prd_copy(r->segs, r->nsegs, &ch->next, ch->dma->bounce, ch->sectors * SECTOR_SIZE, true);
	d->at = ch->next;
	d->done += ch->sectors;
	d->tries = 0;
	if (d->done == r->nsectors)
		finish(ch, 0, later);
	else
		start_command(ch);
}

/* Looks whether the command in hand has ended; false if it has not. */
static bool service(struct ide_channel *ch, bool later)
{
	u8 bm, status;

	if (ch->state != IDE_COMMAND)
		return false;
	bm = cpu_in8(ch->bm + BM_STATUS);
	if (!(bm & BM_STATUS_IRQ) || cpu_in8(ch->control) & ATA_BSY)
		return false;
	cpu_out8(ch->bm + BM_COMMAND, 0);
	status = cpu_in8(ch->command + ATA_STATUS); /* takes the interrupt back */
	cpu_out8(ch->bm + BM_STATUS, (bm & BM_STATUS_KEEP) | BM_STATUS_IRQ | BM_STATUS_ERROR);
	if (bm & BM_STATUS_ERROR || status & (ATA_ERR | ATA_DF | ATA_DRQ))
		fail(ch, status, bm, later);
	else
		succeed(ch, later);
	return true;
}

static bool ide_interrupt(void *ctx)
{
	struct ide_channel *ch = ctx;

	if (service(ch, false))
		return true;
	if (ch->state == IDE_COMMAND || !(cpu_in8(ch->bm + BM_STATUS) & BM_STATUS_IRQ))
		return false;
	(void)cpu_in8(ch->command + ATA_STATUS); /* nobody waits for it: a reset's echo */
	cpu_out8(ch->bm + BM_STATUS, (cpu_in8(ch->bm + BM_STATUS) & BM_STATUS_KEEP) | BM_STATUS_IRQ);
	return true;
}

static void reset_over(struct ide_channel *ch, bool alive)
{
	struct ide_drive *d = ch->active;

	if (alive && ++d->tries <= RETRIES) {
		start_command(ch);
		return;
	}
	ch->state = IDE_IDLE;
	if (alive) {
		finish(ch, E_IO, true);
		return;
	}
	log_err("%s: its channel does not come back from a reset: given up", d->dev.name);
	ch->state = IDE_DEAD;
	ch->active = NULL;
	for (u32 i = 0; i < 2; i++) {
		struct block_req *r = ch->drive[i].req;

		ch->drive[i].req = NULL;
		if (r)
			block_complete_later(r, E_IO);
	}
}

static void tick_channel(struct ide_channel *ch, u64 now_ns)
{
	if (ch->state == IDE_RESET) {
		if (now_ns >= ch->settled_ns && !(cpu_in8(ch->control) & ATA_BSY))
			reset_over(ch, true);
		else if (now_ns > ch->deadline_ns)
			reset_over(ch, false);
		return;
	}
	if (service(ch, true)) /* its interrupt was lost */
		return;
	if (ch->state == IDE_STUCK || (ch->state == IDE_COMMAND && now_ns > ch->deadline_ns)) {
		log_warn("%s: %s, resetting its channel", ch->active->dev.name,
			 ch->state == IDE_STUCK ? "not ready" : "no answer");
		begin_reset(ch);
	}
}

void ide_tick(u64 now_ns)
{
	for (u32 i = 0; i < IDE_CHANNELS; i++)
		if (channels[i].state != IDE_IDLE && channels[i].state != IDE_DEAD)
			tick_channel(&channels[i], now_ns);
}

/* Where the controller is: compatibility addresses, or its BARs in native mode. */
static bool locate(struct ide_channel *ch, u32 n, const struct pci_dev *pci)
{
	ch->native = pci->prog_if & (n ? IDE_PROGIF_NATIVE1 : IDE_PROGIF_NATIVE0);
	ch->bm = (u16)(pci->bar[4].base + (n ? 8 : 0));
	if (!ch->native)
		return true;
	if (!pci->bar[2 * n].io || !pci->bar[2 * n].size || !pci->bar[2 * n + 1].io)
		return false;
	ch->command = (u16)pci->bar[2 * n].base;
	ch->control = (u16)(pci->bar[2 * n + 1].base + 2);
	return true;
}

static int take_interrupt(struct ide_channel *ch, const struct pci_dev *pci)
{
	bool level;
	u32 gsi = arch_isa_gsi(ch->native ? pci->irq_line : ch->isa_irq, &level);

	return arch_irq_register(gsi, ch->native || level, ide_interrupt, ch);
}

static u32 init_channel(struct ide_channel *ch, u32 n, const struct pci_dev *pci)
{
	static struct ide_dma dma[IDE_CHANNELS] __attribute__((aligned(32768)));
	u32 found = 0;

	ch->dma = &dma[n];
	if (!locate(ch, n, pci))
		return 0;
	for (u8 slave = 0; slave < 2; slave++) {
		struct ide_drive *d = &ch->drive[slave];

		d->channel = ch;
		d->slave = slave;
		d->device = slave ? ATA_DEVICE_LBA | ATA_DEVICE_SLAVE : ATA_DEVICE_LBA;
		if (!ide_identify(ch, d))
			continue;
		fmt(d->dev.name, sizeof(d->dev.name), "hd%u", n * 2 + slave);
		d->dev.depth = 1;
		d->dev.max_sectors = IDE_MAX_SECTORS;
		d->dev.ops = &ide_ops;
		d->dev.priv = d;
		log_info("%s: %s, %llu MiB%s", d->dev.name, d->model,
			 (unsigned long long)(d->dev.sectors >> 11), d->lba48 ? ", LBA48" : "");
		found++;
	}
	if (!found)
		return 0;
	if (take_interrupt(ch, pci)) {
		log_err("IDE channel %u: no interrupt: its disks are not used", n);
		return 0;
	}
	cpu_out8(ch->control, 0); /* interrupts on */
	for (u32 i = 0; i < 2; i++)
		if (ch->drive[i].dev.sectors)
			block_register(&ch->drive[i].dev);
	return found;
}

u32 ide_probe(const struct pci_dev *pci)
{
	u32 found = 0;

	if (channels[0].dma || !(pci->prog_if & IDE_PROGIF_MASTER) || !pci->bar[4].io || !pci->bar[4].size) {
		log_info("IDE: %s: not used",
			 channels[0].dma ? "a second controller" : "a controller without bus mastering");
		return 0;
	}
	pci_enable(pci, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	for (u32 i = 0; i < IDE_CHANNELS; i++)
		found += init_channel(&channels[i], i, pci);
	return found;
}
