/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_cache.c - what the guest itself evicts. Contract: guest_cache.h.
 */
#include "mm/pager/guest_cache.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/guest_swap.h"
#include "mm/pager/page_cache.h"

/* Nobody else has it in memory, and it may be asked for again. */
static bool worth_keeping(const struct vm_mem *m, u32 g, u32 block)
{
	return block != BLOCK_NONE && !m->no_cache && !blockmap_resident(m, block, g) &&
	       pfn_none(page_cache_find(m, block)) && !guest_swap_dead(m, block);
}

static void remember(struct vm_mem *m, u32 block, u32 stamp, bool worth)
{
	if (worth)
		page_cache_ghost_put(m, block, stamp);
	else
		ages_forget(&m->ages, stamp);
}

pfn_t guest_cache_keep(struct vm_mem *m, u32 g, pfn_t f, u32 block, u32 stamp, enum frame_state s)
{
	bool worth = worth_keeping(m, g, block), proven = frame_of(f)->flags & FRAME_PROVEN;
	pfn_t n = worth ? reclaim_spare_frame(m, s, stamp) : NO_PFN;

	if (!pfn_none(n) && page_cache_put(m, f, block, stamp, proven))
		return n;
	if (!pfn_none(n))
		frame_put(n);
	remember(m, block, stamp, worth);
	return f;
}

void guest_cache_give(struct vm_mem *m, u32 g, pfn_t f, u32 block, u32 stamp)
{
	bool worth = worth_keeping(m, g, block);

	if (worth && page_cache_put(m, f, block, stamp, frame_of(f)->flags & FRAME_PROVEN))
		return;
	frame_put(f);
	remember(m, block, stamp, worth);
}

void guest_cache_read(struct vm_mem *m, u32 g, u32 block, bool known)
{
	struct frame *f = gpage_frame(m, g);

	guest_swap_look(m, block, pfn_ptr((pfn_t){ m->page[g].loc }), false);
	f->flags = (u8)(known ? f->flags | FRAME_PROVEN : f->flags & ~FRAME_PROVEN);
	if (!guest_swap_holds(m, block))
		return;
	f->flags |= FRAME_SWAPPED_IN;
	guest_swap_set(m, block, true); /* a guest reads no slot that holds nothing */
}

bool guest_cache_written(struct vm_mem *m, u32 g, u32 block)
{
	struct frame *f = gpage_frame(m, g);
	u32 stamp;

	guest_swap_look(m, block, pfn_ptr((pfn_t){ m->page[g].loc }), true);
	f->flags &= (u8)~(FRAME_PROVEN | FRAME_SWAPPED_IN);
	if (page_cache_ghost_take(m, block, &stamp)) /* of what the block held before */
		ages_forget(&m->ages, stamp);
	if (!guest_swap_holds(m, block))
		return false;
	guest_swap_set(m, block, true);
	/* One that our own swap write is still reading can't be SOFT anew. */
	return !m->no_cache && m->page[g].state == GPAGE_HOT && !m->page[g].pins &&
	       !(m->page[g].flags & GPAGE_WRITEBACK);
}

void guest_cache_erased(struct vm_mem *m, u32 first, u32 end)
{
	for (u32 i = 0; i < m->swap.areas; i++) {
		const struct guest_swap_area *a = &m->swap.area[i];

		for (u32 b = MAX(first, a->first); b < MIN(end, a->first + a->bits); b++)
			guest_swap_set(m, b, false);
	}
}
