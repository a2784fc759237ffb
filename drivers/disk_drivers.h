/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * disk_drivers.h - every driver of host disks, in one table.
 */
#ifndef DRIVERS_DISK_DRIVERS_H
#define DRIVERS_DISK_DRIVERS_H

#include "kernel/lib/types.h"

/* Offers each PCI function to the driver for it; disks are registered (block.h). Needs pci_init(). Returns
 * their number. */
u32 disk_drivers_init(void);

/*
 * Timeouts, resets, lost interrupts: to be called often, from anywhere that an interrupt window may be; does
 * its work at most once in DISK_DRIVERS_TICK_NS. Requests that it ends are completed by block_poll().
 */
#define DISK_DRIVERS_TICK_NS 5000000ull
void disk_drivers_tick(u64 now_ns);

#endif
