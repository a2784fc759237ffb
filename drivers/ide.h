/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ide.h - PIIX-style IDE disks by bus-master DMA: two channels, up to two drives each,
 * hd0..hd3 = primary master, primary slave, secondary master, secondary slave. ATAPI devices are ignored.
 * Sources: ATA/ATAPI-6; Intel, "Programming Interface for Bus Master IDE Controller".
 */
#ifndef DRIVERS_IDE_H
#define DRIVERS_IDE_H

#include "drivers/block.h"

/* Identifies the drives of the first controller it is offered, registers them as block devices and takes
 * their interrupts; leaves others alone. Returns the number of drives. Waits (polled) while it looks. */
struct pci_dev;
u32 ide_probe(const struct pci_dev *pci);

/*
 * To be called now and then (10..1000 ms), from anywhere that an interrupt window may be: completes what
 * a lost interrupt left, times out and resets a channel that is silent. Requests fail with E_IO after
 * retries.
 */
void ide_tick(u64 now_ns);

/* One entry of a physical region descriptor table. */
struct ide_prd { u32 addr; u16 bytes; /* 0: 64 KiB */ u16 flags; };
_Static_assert(sizeof(struct ide_prd) == 8, "hardware format");
#define IDE_PRD_END 0x8000 /* flags: last entry */

/* Where in a request the next command begins. */
struct ide_cursor { u32 seg, off; };

/*
 * ide_prd.c: fills table[max] from segs at *c: neighbours that touch are merged, no entry crosses 64 KiB.
 * Stops after max_bytes (a multiple of 512), when the table is full, or at memory above 4 GiB, which the
 * controller can't reach. Returns the bytes described, a multiple of 512, and advances *c by them; *count is
 * the number of entries. 0 bytes: the piece at *c lies above 4 GiB and needs a bounce buffer.
 */
u32 ide_prd_build(const struct block_seg *segs, u32 nsegs, struct ide_cursor *c, u32 max_bytes,
		  struct ide_prd *table, u32 max, u32 *count);

/* Copies n bytes between the segments at *c and buf, and advances *c (bounce buffers). */
void ide_prd_copy(const struct block_seg *segs, u32 nsegs, struct ide_cursor *c, u8 *buf, u32 n,
		  bool to_segs);

#endif
