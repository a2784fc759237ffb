/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ide_hw.h - inside the IDE driver: registers, commands, channel and drive state.
 * Sources: ATA/ATAPI-6, "Register definitions", "Command descriptions"; Intel,
 * "Programming Interface for Bus Master IDE Controller".
 */
#ifndef DRIVERS_IDE_HW_H
#define DRIVERS_IDE_HW_H

#include "drivers/ide.h"

#define IDE_CHANNELS 2
#define IDE_PRDS 512
#define IDE_MAX_SECTORS 8192u
#define IDE_LBA28_END (1ull << 28)

#define IDE_PROGIF_NATIVE0 BIT(0)
#define IDE_PROGIF_NATIVE1 BIT(2)
#define IDE_PROGIF_MASTER BIT(7)

/* Command block, offsets from ide_channel.command; the control block is one port. */
enum {
	ATA_DATA,
	ATA_ERROR,
	ATA_COUNT,
	ATA_LBA0,
	ATA_LBA1,
	ATA_LBA2,
	ATA_DEVICE,
	ATA_STATUS,
	ATA_COMMAND = ATA_STATUS
};

#define ATA_ERR BIT(0)
#define ATA_DRQ BIT(3)
#define ATA_DF BIT(5)
#define ATA_BSY BIT(7)
#define ATA_NIEN BIT(1)
#define ATA_SRST BIT(2)
#define ATA_DEVICE_LBA 0xe0
#define ATA_DEVICE_SLAVE 0x10

#define ATA_READ_DMA 0xc8
#define ATA_READ_DMA_EXT 0x25
#define ATA_WRITE_DMA 0xca
#define ATA_WRITE_DMA_EXT 0x35
#define ATA_FLUSH 0xe7
#define ATA_FLUSH_EXT 0xea
#define ATA_IDENTIFY 0xec

enum { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
#define BM_CMD_START BIT(0)
#define BM_CMD_TO_MEMORY BIT(3)
#define BM_STATUS_ERROR BIT(1) /* write one to clear */
#define BM_STATUS_IRQ BIT(2)   /* write one to clear */
#define BM_STATUS_KEEP 0x60    /* drives are DMA capable: firmware's words to drivers */

/* What the controller reads and writes. Static, so that it lies low in memory. */
struct ide_dma {
	u8 bounce[28 * 1024];
	struct ide_prd prd[IDE_PRDS];
};
_Static_assert(sizeof(struct ide_dma) == 32768, "aligned by its size: neither part crosses 64 KiB");

struct ide_channel;

struct ide_drive {
	struct ide_channel *channel;
	struct block_dev dev;
	struct block_req *req;  /* in hand: on the hardware, or waiting for the other drive */
	struct ide_cursor at;   /* in req, where the next command begins */
	u32 done;               /* sectors of req that are done */
	u32 tries;
	u8 slave, device;
	bool lba48;
	char model[41];
};

enum ide_state {
	IDE_IDLE,
	IDE_COMMAND, /* the active drive works */
	IDE_STUCK,   /* it did not accept a command: ide_tick() resets the channel */
	IDE_RESET,
	IDE_DEAD,
};

struct ide_channel {
	u16 command, control, bm;
	u8 isa_irq;
	bool native;
	enum ide_state state;
	struct ide_drive *active;
	struct ide_drive drive[2];
	struct ide_dma *dma;
	u32 nprds, sectors;     /* of the command in hand */
	bool bounced;
	struct ide_cursor next; /* where it ends (bounced reads: where it begins) */
	u64 deadline_ns, settled_ns;
};

/* ide_identify.c: fills d->dev.sectors, lba48, model. False: no ATA disk with DMA and LBA there. Polled. */
bool ide_identify(struct ide_channel *ch, struct ide_drive *d);

#endif
