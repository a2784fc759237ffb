/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_swap.h - the guest's own swap areas: where they are and which of their slots hold something.
 *
 * An area is recognised by its header (Linux: "SWAPSPACE2" at the end of the first page, version 1,
 * last_page) when the guest reads or writes that block. A slot is live from its write until it is discarded,
 * or read back and the page changed (the guest's copy in memory is the newer one then). Both are hints: a
 * guest that lies about them spoils its own cache and nothing else. What they are good for: a live slot that
 * is read is no cold miss, whatever became of its page; a dead one is not worth a frame of the cache. One
 * CPU; may be called from interrupt windows. Source: Linux, union swap_header.
 */
#ifndef MM_PAGER_GUEST_SWAP_H
#define MM_PAGER_GUEST_SWAP_H

#include "mm/pager/vmmem.h"

/* Block was read from or written to the disk as a whole, with this content. written: what the area held is
 * gone. True: an area begins here, and it is new or anew. */
bool guest_swap_look(struct vm_mem *m, u32 block, const void *page, bool written);
/* Block is a slot of an area. */
bool guest_swap_holds(const struct vm_mem *m, u32 block);
void guest_swap_set(struct vm_mem *m, u32 block, bool live);
/* False also for what is no slot, or not known. */
bool guest_swap_live(const struct vm_mem *m, u32 block);
/* Known to hold nothing that is wanted. */
bool guest_swap_dead(const struct vm_mem *m, u32 block);
/* For vm show: slots of all areas, and live ones. */
u32 guest_swap_slots(const struct vm_mem *m);
u32 guest_swap_live_slots(const struct vm_mem *m);

#endif
