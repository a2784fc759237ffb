/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gpage.c - the small steps of a guest page's life. Contract: gpage.h.
 */
#include "mm/pager/gpage.h"
#include "kernel/lib/lib.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/guest_swap.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"

void gpage_dissociate(struct vm_mem *m, u32 g)
{
	struct frame *f = gpage_frame(m, g);

	if (!f->block)
		return;
	if (frame_in_slot(f)) {
		gpage_forget_slot(m, g);
		return;
	}
	blockmap_remove(m, g);
	f->block = 0;
}

void gpage_forget_slot(struct vm_mem *m, u32 g)
{
	struct frame *f = gpage_frame(m, g);

	if (!frame_in_slot(f))
		return;
	swap_copy_end(frame_slot(f));
	swap_free(frame_slot(f));
	f->block = 0;
}

void gpage_keep_slot(struct vm_mem *m, u32 g, u32 slot)
{
	if (!swap_copies_welcome()) {
		swap_free(slot);
		gpage_set_dirty(m, g);
		return;
	}
	gpage_dissociate(m, g);
	swap_copy_begin(slot);
	gpage_frame(m, g)->block = FRAME_IN_SLOT | slot;
	m->page[g].flags &= (u8)~GPAGE_DIRTY;
}

/* A page without a frame from now on; frame f's content stays where f->block says. */
static void leave_frame(struct gpage *p, const struct frame *f)
{
	if (frame_in_slot(f)) {
		swap_copy_end(frame_slot(f));
		p->state = GPAGE_SWAP;
		p->loc = frame_slot(f);
	} else {
		/* The chain stays: the block is the page's own from now on. */
		p->state = GPAGE_DISC;
		p->loc = f->block - 1;
	}
}

/*
 * A page that equals a slot of the guest's swap area is written. If it was read from there the guest's copy
 * is the newer one from now on; if it was written there it is somebody else's page already, and the slot will
 * be asked for.
 */
static void slot_page_changes(struct vm_mem *m, u32 g, const struct frame *f)
{
	u32 block = f->block - 1;

	if (!guest_swap_live(m, block))
		return;
	if (f->flags & FRAME_SWAPPED_IN)
		guest_swap_set(m, block, false);
	else if (!blockmap_resident(m, block, g) && pfn_none(page_cache_find(m, block)))
		page_cache_ghost_put(m, block, ages_leave(&m->ages));
}

void gpage_set_dirty(struct vm_mem *m, u32 g)
{
	struct frame *f = gpage_frame(m, g);

	if (f->block && !frame_in_slot(f))
		slot_page_changes(m, g, f);
	gpage_dissociate(m, g);
	m->page[g].flags = (u8)((m->page[g].flags & ~GPAGE_KNOWN_ZERO) | GPAGE_DIRTY);
}

bool gpage_associate(struct vm_mem *m, u32 g, u32 block)
{
	struct frame *f = gpage_frame(m, g);

	gpage_dissociate(m, g);
	f->block = block + 1;
	if (!blockmap_insert(m, g, block)) {
		f->block = 0;
		gpage_set_dirty(m, g);
		return false;
	}
	m->page[g].flags &= (u8)~GPAGE_DIRTY;
	return true;
}

void gpage_map(struct vm_mem *m, u32 g, pfn_t p, bool accessed)
{
	struct frame *f = frame_of(p);

	frame_change(f, FRAME_MAPPED);
	f->gpfn = g;
	f->flags &= FRAME_PROVEN | FRAME_SWAPPED_IN;
	m->page[g].state = GPAGE_HOT;
	m->page[g].loc = p.n;
	slat_map(&m->slat, (gpfn_t){ g }, p, true, accessed, false);
}

void gpage_fill_begin(struct vm_mem *m, u32 g, pfn_t p)
{
	struct frame *f = frame_of(p);

	frame_change(f, FRAME_FILLING);
	f->gpfn = g;
	f->flags &= FRAME_PROVEN | FRAME_SWAPPED_IN; /* of what it holds until then */
	m->page[g].state = GPAGE_FILLING;
	m->page[g].loc = p.n;
}

struct slat_leaf gpage_unmap(struct vm_mem *m, u32 g)
{
	struct slat_leaf was = slat_unmap(&m->slat, (gpfn_t){ g });

	BUG_ON(!was.present || was.pfn.n != m->page[g].loc);
	return was;
}

void gpage_soft_enter(struct vm_mem *m, u32 g, bool dirty)
{
	struct gpage *p = &m->page[g];
	struct frame *f = gpage_frame(m, g);

	if (dirty)
		gpage_set_dirty(m, g);
	if (p->state == GPAGE_HOT) {
		p->stamp = ages_evict(&m->ages, &m->age[g]);
		m->clock++;
	}
	p->state = GPAGE_SOFT;
	frame_change(f, FRAME_SOFT);
	f->next = FRAME_NONE;
	f->prev = m->soft_tail;
	if (m->soft_tail != FRAME_NONE)
		frame_of((pfn_t){ m->soft_tail })->next = p->loc;
	else
		m->soft_head = p->loc;
	m->soft_tail = p->loc;
	m->soft_count++;
}

void gpage_soft_leave(struct vm_mem *m, u32 g)
{
	struct frame *f = gpage_frame(m, g);

	BUG_ON(m->page[g].state != GPAGE_SOFT || f->state != FRAME_SOFT);
	if (f->prev != FRAME_NONE)
		frame_of((pfn_t){ f->prev })->next = f->next;
	else
		m->soft_head = f->next;
	if (f->next != FRAME_NONE)
		frame_of((pfn_t){ f->next })->prev = f->prev;
	else
		m->soft_tail = f->prev;
	f->next = f->prev = FRAME_NONE;
	m->soft_count--;
}

void gpage_soft_touch(struct vm_mem *m, u32 g)
{
	struct gpage *p = &m->page[g];

	if (!(p->flags & GPAGE_WRITEBACK))
		gpage_soft_leave(m, g);
	curve_return(&m->curve, &m->ages, CURVE_SOFT, p->stamp, &m->age[g]);
	gpage_map(m, g, (pfn_t){ p->loc }, true);
	m->n.soft_hits++;
}

void gpage_drop(struct vm_mem *m, u32 g)
{
	struct gpage *p = &m->page[g];
	pfn_t pfn = { p->loc };

	BUG_ON(p->pins);
	gpage_soft_leave(m, g);
	if (p->flags & GPAGE_KNOWN_ZERO) {
		gpage_dissociate(m, g);
		ages_forget(&m->ages, p->stamp);
		p->state = GPAGE_ZERO;
		p->loc = 0;
		m->n.zero_drops++;
	} else {
		BUG_ON(!frame_of(pfn)->block || p->flags & GPAGE_DIRTY);
		m->n.copy_drops += frame_in_slot(frame_of(pfn));
		leave_frame(p, frame_of(pfn));
		m->n.clean_drops++;
	}
	p->flags = 0;
	frame_put(pfn);
}

u32 gpage_drop_heads(struct vm_mem *m, u32 want)
{
	u32 n = 0, at = m->soft_head;

	while (n < want && at != FRAME_NONE) {
		struct frame *f = frame_of((pfn_t){ at });
		struct gpage *p = &m->page[f->gpfn];
		u32 next = f->next;

		if (p->flags || p->pins || !f->block)
			break;
		m->n.copy_drops += frame_in_slot(f);
		leave_frame(p, f);
		frame_put((pfn_t){ at });
		at = next;
		n++;
	}
	if (!n)
		return 0;
	m->soft_head = at;
	if (at != FRAME_NONE)
		frame_of((pfn_t){ at })->prev = FRAME_NONE;
	else
		m->soft_tail = FRAME_NONE;
	m->soft_count -= n;
	m->n.clean_drops += n;
	return n;
}

void gpage_discard_evicted(struct vm_mem *m, u32 g, bool keep_ghost)
{
	struct gpage *p = &m->page[g];

	BUG_ON(!gpage_evicted(p) || p->pins);
	if (p->state == GPAGE_DISC) {
		u32 block = p->loc;

		blockmap_remove(m, g);
		p->state = GPAGE_ZERO;
		if (keep_ghost && !blockmap_resident(m, block, NO_GPFN.n) &&
		    pfn_none(page_cache_find(m, block)))
			page_cache_ghost_put(m, block, p->stamp);
		else
			ages_forget(&m->ages, p->stamp);
	} else {
		if (p->state == GPAGE_ZIP)
			zstore_drop(m, g);
		else
			swap_free(p->loc);
		ages_forget(&m->ages, p->stamp);
	}
	p->state = GPAGE_ZERO;
	p->flags = 0;
	p->loc = 0;
}
