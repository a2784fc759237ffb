/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_cache.h - the exclusive cache: frames with blocks that the guest itself evicted.
 *
 * A cached frame is always clean (dropping it costs nothing) and no clean page of the guest holds its block:
 * the caller asks blockmap_resident() before it puts. Found by {block}. The hash chain runs through
 * frame.gpfn, a list through frame.next/prev, frame.stamp is what ages_evict() gave. Two lists, each in the
 * order of the puts: blocks that have been asked for again since they first left the guest's memory are
 * proven (FRAME_PROVEN), all others are on probation, and go first while they are more than an eighth: one
 * read of a big file does not flush what is re-used. Dropped blocks leave a ghost, {block, stamp} in a
 * direct-mapped table: a later read of them tells its LRU distance. One CPU; may be called from interrupt
 * windows.
 */
#ifndef MM_PAGER_PAGE_CACHE_H
#define MM_PAGER_PAGE_CACHE_H

#include "mm/pager/vmmem.h"

/* The frame that holds block, or NO_PFN; it stays cached. */
pfn_t page_cache_find(const struct vm_mem *m, u32 block);
/* Puts frame p (held by m, in no list). False: the chain is full or the block is there already; p is the
 * caller's. */
bool page_cache_put(struct vm_mem *m, pfn_t p, u32 block, u32 stamp, bool proven) MUST_CHECK;
/* Takes p out; the caller gets the frame (state still CACHED) and must change its state. */
void page_cache_take(struct vm_mem *m, pfn_t p);
/* Takes the frame out and frees it; ghost: its distance may still be asked for (false: the content is
 * overwritten, so that the put was in vain). */
void page_cache_drop(struct vm_mem *m, pfn_t p, bool ghost);
/* Too many are on probation: the oldest of them goes before anything else of the guest does. */
static inline bool page_cache_crowded(const struct vm_mem *m)
{
	return m->cache[CACHE_PROBATION].count > m->cache[CACHE_PROVEN].count / 7;
}
/* The next to go, or NO_PFN. */
static inline pfn_t page_cache_victim(const struct vm_mem *m)
{
	bool young = page_cache_crowded(m) || !m->cache[CACHE_PROVEN].count;

	return (pfn_t){ m->cache[young ? CACHE_PROBATION : CACHE_PROVEN].head };
}

/* An evicted block's stamp, which the caller now owns (ages_return or ages_forget); false: nothing known. */
bool page_cache_ghost_take(struct vm_mem *m, u32 block, u32 *stamp);
void page_cache_ghost_put(struct vm_mem *m, u32 block, u32 stamp);

#endif
