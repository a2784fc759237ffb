/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_cache.h - what the guest itself evicts, inferred: which content goes to the exclusive cache when a
 * page gets a new one, and what the guest's swap traffic says. Private to the pager.
 */
#ifndef MM_PAGER_GUEST_CACHE_H
#define MM_PAGER_GUEST_CACHE_H

#include "mm/pager/pager.h"

/*
 * Page g is about to get another content. Its old one, in frame f (held, in no list, dissociated), equals
 * block (BLOCK_NONE: none) and left with this stamp. Returns the frame for the new content, in state s: f, or
 * a spare one while f is cached.
 */
pfn_t guest_cache_keep(struct vm_mem *m, u32 g, pfn_t f, u32 block, u32 stamp, enum frame_state s);
/* The same where no frame is wanted, since the new content has come in one: f is cached or freed. */
void guest_cache_give(struct vm_mem *m, u32 g, pfn_t f, u32 block, u32 stamp);
/* The guest has read block into page g, which is mapped. known: it had been in memory before (a ghost, or a
 * hit). */
void guest_cache_read(struct vm_mem *m, u32 g, u32 block, bool known);
/*
 * It has written page g, which is clean and associated, to block. True: that was a swap-out; the guest gives
 * the page to somebody else next, so the caller unmaps it, flushes, and enters it as SOFT.
 */
bool guest_cache_written(struct vm_mem *m, u32 g, u32 block);
/* Blocks [first, end) were discarded or zeroed. */
void guest_cache_erased(struct vm_mem *m, u32 first, u32 end);

#endif
