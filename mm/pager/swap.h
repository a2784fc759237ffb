/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * swap.h - which 4 KiB slots of the hypervisor's swap area are in use.
 *
 * One area for the machine. Slots are taken in contiguous runs, so that pages evicted together are written by
 * one request. A slot has one owner: taking a used slot or freeing a free one is our own bug (panic). Whose
 * page a slot was last written for is remembered, so that what lies beside it on the disk is found; that is a
 * hint, the page's own state is the truth. No I/O here. No locking: one CPU; may be called from interrupt
 * windows.
 */
#ifndef MM_PAGER_SWAP_H
#define MM_PAGER_SWAP_H

#include "drivers/block.h"
#include "kernel/lib/types.h"

/* ext->sectors 0 or ext NULL: no swap area. E_NOMEM: no frames for the bitmaps. */
int swap_init(const struct block_extent *ext) MUST_CHECK;
u32 swap_slots(void);
u32 swap_used(void);
/* Up to want contiguous slots; returns how many it took (0: the area is full), the first in *first. */
u32 swap_take(u32 want, u32 *first);
void swap_free(u32 slot);
/*
 * A slot whose page is in memory again, unchanged, is kept as a copy while there are plenty: evicting the
 * page again costs no write. copy_begin: its page has come back; copy_end: it is the only one again. A copy
 * is freed like any slot, after copy_end.
 */
void swap_copy_begin(u32 slot);
void swap_copy_end(u32 slot);
u32 swap_copies(void);
bool swap_copies_welcome(void); /* more than a quarter of the slots is free */
/* A slot that was taken is written for page g of guest vm: once for each. */
void swap_note_page(u32 slot, u8 vm, u32 g);
/* That guest's slots, less its copies. */
u32 swap_only(u8 vm);
/* The page of that guest which the slot was last written for; NO_GPFN.n: none, or another guest's. */
u32 swap_page_at(u32 slot, u8 vm);
/* The same, whosever it is: its guest, FRAME_NO_VM for a free slot. */
u8 swap_owner_of(u32 slot);
struct block_dev *swap_dev(void);
u64 swap_sector(u32 slot); /* of swap_dev() */

/* For pager_check: forget what was seen; note an owner (false: slot out of range, free, or seen before). */
void swap_check_begin(void);
bool swap_check_owner(u32 slot);

#endif
