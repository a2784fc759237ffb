/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gpage.h - the small steps of a guest page's life: each keeps page, frame, slat, blockmap and ages agreed.
 *
 * What holds between the calls:
 *  - HOT: mapped, counted in ages as resident; frame MAPPED. SOFT: frame SOFT and on the FIFO, or WRITING
 * under a swap write (GPAGE_WRITEBACK). FILLING: frame FILLING. All three: frame.gpfn points back, loc is the
 * frame.
 *  - SOFT, DISC, SWAP, ZIP own a stamp of ages_evict(); so does FILLING on its way back from DISC or SWAP.
 *    What becomes ZIP does so in reclaim, what leaves it by a touch or in the chore: a ZIP page stays one
 * while a frame is found.
 *  - A page has GPAGE_DIRTY, or a block or swap slot that it equals, never both; HOT with one may besides be
 * dirty by the slat's D bit. Neither: content is nowhere else (it must be swapped), or zero if
 * GPAGE_KNOWN_ZERO.
 *  - A GPAGE_WRITEBACK page keeps its frame until the write is done, whatever its state.
 * Flushes are the caller's business. One CPU; may be called from interrupt windows.
 */
#ifndef MM_PAGER_GPAGE_H
#define MM_PAGER_GPAGE_H

#include "mm/pager/vmmem.h"

static inline struct frame *gpage_frame(const struct vm_mem *m, u32 g)
{
	return frame_of((pfn_t){ m->page[g].loc });
}
static inline bool gpage_resident(const struct gpage *p)
{
	return p->state == GPAGE_HOT || p->state == GPAGE_SOFT;
}
static inline bool gpage_evicted(const struct gpage *p)
{
	return p->state == GPAGE_DISC || p->state == GPAGE_SWAP || p->state == GPAGE_ZIP;
}

/* Takes the block or slot away from a page that has a frame; it is neither dirty nor associated after. */
void gpage_dissociate(struct vm_mem *m, u32 g);
/* The slot only. */
void gpage_forget_slot(struct vm_mem *m, u32 g);
/* A page that has just come from this slot: it keeps it as a copy if copies are welcome, else it is dirty. */
void gpage_keep_slot(struct vm_mem *m, u32 g, u32 slot);
/* A page with a frame differs from every block from now on. */
void gpage_set_dirty(struct vm_mem *m, u32 g);
/* A page with a frame equals this block. False: bound of the blockmap, the page is dirty instead. */
bool gpage_associate(struct vm_mem *m, u32 g, u32 block);

/* No frame or FILLING -> HOT, in frame p, which m holds already: state, back pointer, mapping with D clear.
 * ages: the caller. */
void gpage_map(struct vm_mem *m, u32 g, pfn_t p, bool accessed);
/* -> FILLING in frame p, which m holds already. The page has no frame (or p already) and no mapping. */
void gpage_fill_begin(struct vm_mem *m, u32 g, pfn_t p);
/* HOT, unpinned -> no mapping; returns hardware's D. The caller flushes, then decides what becomes of it. */
struct slat_leaf gpage_unmap(struct vm_mem *m, u32 g);
/* After unmap and flush: dirty (as gpage_unmap said) is merged into the flags; the page goes to the FIFO's
 * end. */
void gpage_soft_enter(struct vm_mem *m, u32 g, bool dirty);
/* SOFT on the FIFO -> off it; the page has a frame in no list. */
void gpage_soft_leave(struct vm_mem *m, u32 g);
/* SOFT -> HOT: a touch. Notes its distance. */
void gpage_soft_touch(struct vm_mem *m, u32 g);

/* SOFT on the FIFO, its content known elsewhere: it may go without I/O. */
static inline bool gpage_droppable(const struct vm_mem *m, u32 g)
{
	const struct gpage *p = &m->page[g];

	return p->flags & GPAGE_KNOWN_ZERO || (!(p->flags & GPAGE_DIRTY) && gpage_frame(m, g)->block);
}
/* A droppable SOFT page -> ZERO, DISC or SWAP; its frame is freed. */
void gpage_drop(struct vm_mem *m, u32 g);
/* The same, faster, for up to want pages with a block or slot at the head of the FIFO; how many. */
u32 gpage_drop_heads(struct vm_mem *m, u32 want);
/* DISC, SWAP or ZIP -> ZERO: slot, block and stamp are given up. keep_ghost: a DISC block's distance may be
 * asked for. */
void gpage_discard_evicted(struct vm_mem *m, u32 g, bool keep_ghost);

#endif
