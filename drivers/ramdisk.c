/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ramdisk.c - a block device over memory that nobody else uses: a GRUB module. Copies
 * inside start(); completion comes from block_poll() like any other.
 */
#include "arch/x86_64/arch.h"
#include "drivers/block.h"
#include "kernel/lib/lib.h"

#define RAMDISK_MAX_SECTORS (1u << 16)

static void ramdisk_start(struct block_dev *d, struct block_req *r)
{
	u8 *disk = (u8 *)d->priv + r->sector * SECTOR_SIZE;

	for (u32 i = 0; r->op != BLOCK_FLUSH && i < r->nsegs; i++) {
		void *memory = hpa_ptr(r->segs[i].addr);

		if (r->op == BLOCK_READ)
			memcpy(memory, disk, r->segs[i].len);
		else
			memcpy(disk, memory, r->segs[i].len);
		disk += r->segs[i].len;
	}
	block_complete_later(r, 0);
}

static const struct block_ops ramdisk_ops = { .start = ramdisk_start };

struct block_dev *ramdisk_create(struct block_dev *d, const char *name, hpa_t start, u64 bytes)
{
	memset(d, 0, sizeof(*d));
	(void)str_copy(d->name, sizeof(d->name), name);
	d->sectors = bytes / SECTOR_SIZE;
	d->depth = 1;
	d->max_sectors = RAMDISK_MAX_SECTORS;
	d->ops = &ramdisk_ops;
	d->priv = hpa_ptr(start);
	block_register(d);
	return d;
}
