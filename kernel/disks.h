/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * disks.h - host disks at boot: their partitions, who gets which, the swap area.
 */
#ifndef KERNEL_DISKS_H
#define KERNEL_DISKS_H

#include "boot/config.h"
#include "drivers/block.h"
#include "mm/pager/vmmem.h"

/* Reads the partition table of every registered disk; waits for each (interrupts must work). */
void disks_scan(void);
/* "hd0" or "hd0p2". E_NOENT, with one line in why. */
int disks_find(const char *name, struct block_extent *out, char *why, size_t size) MUST_CHECK;
/*
 * The hypervisor's swap area as c wants it; out->sectors 0: none. Unless c names it, never on a disk that a
 * guest has as a whole.
 */
void disks_swap(const struct config *c, struct block_extent *out);
/*
 * Finds every guest's disks and refuses overlaps: sets c->vm[i].error where a guest can't have its disks.
 * disks: CONFIG_MAX_DISKS for each of c->nvms guests.
 */
void disks_assign(struct config *c, const struct boot_info *bi, const struct block_extent *swap,
		  struct guest_disk (*disks)[CONFIG_MAX_DISKS]);

#endif
