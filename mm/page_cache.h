/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_cache.h - the exclusive cache: frames with blocks that the guest itself evicted.
 *
 * A cached frame is always clean (dropping it costs nothing) and no clean page of the guest holds its block: the
 * caller asks blockmap_resident() before it puts. Found by {block}, kept in LRU order of the puts. The hash chain
 * runs through frame.gpfn, the LRU through frame.next/prev, frame.stamp is what ages_evict() gave.
 * Dropped blocks leave a ghost, {block, stamp} in a direct-mapped table: a later read of them tells its LRU
 * distance. One CPU; may be called from interrupt windows.
 */
#ifndef MM_PAGE_CACHE_H
#define MM_PAGE_CACHE_H

#include "mm/vmmem.h"

/* The frame that holds block, or NO_PFN; it stays cached. */
pfn_t page_cache_find(const struct vm_mem *m, u32 block);
/* Puts frame p (held by m, in no list). False: the chain is full or the block is there already; p is the caller's. */
bool page_cache_put(struct vm_mem *m, pfn_t p, u32 block, u32 stamp) MUST_CHECK;
/* Takes p out; the caller gets the frame (state still CACHED) and must change its state. */
void page_cache_take(struct vm_mem *m, pfn_t p);
/* Takes the frame out and frees it; ghost: its distance may still be asked for (false: the content is overwritten). */
void page_cache_drop(struct vm_mem *m, pfn_t p, bool ghost);
/* The oldest, or NO_PFN. */
static inline pfn_t page_cache_oldest(const struct vm_mem *m) { return (pfn_t){ m->cache_head }; }

/* An evicted block's stamp, which the caller now owns (ages_return or ages_forget); false: nothing known. */
bool page_cache_ghost_take(struct vm_mem *m, u32 block, u32 *stamp);
void page_cache_ghost_put(struct vm_mem *m, u32 block, u32 stamp);

#endif
