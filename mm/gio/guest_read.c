/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_read.c - the guest reads its disk. Contract: guest_io.h; ARCHITECTURE.md, "Guest disk reads".
 *
 * The target of a whole page is FILLING while the disk writes it: nothing else can, so that afterwards it
 * equals the block (association is made at once, tentatively: nobody trusts a FILLING page). What it held
 * before is dropped unread, or goes to the cache if it provably equals another block.
 */
#include "mm/pager/guest_cache.h"
#include "mm/gio/guest_io.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "kernel/trace/trace.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/guest_swap.h"
#include "mm/pager/page_cache.h"

#define CUT 1 /* the part must wait for this very chunk: end it here */

/* The target in frame n from now on; its old content is gone. */
static void begin_fill(struct gio *x, struct gio_part *part, pfn_t n)
{
	struct vm_mem *m = x->m;
	struct gpage *p = &m->page[part->gpfn];

	gpage_fill_begin(m, part->gpfn, n);
	frame_of(n)->flags = FRAME_GUEST_IO;
	frame_of(n)->stamp = x->index;
	p->flags = 0;
	part->pfn = n.n;
	part->how = GIO_FILL;
	if (part->block == BLOCK_NONE) {
		gpage_set_dirty(m, part->gpfn);
		return;
	}
	if (page_cache_ghost_take(m, part->block, &part->stamp))
		part->flags |= PART_STAMP;
	trace_read(m, part->flags & PART_STAMP ? TRACE_READ_GHOST : TRACE_READ_COLD, part->block, part->gpfn,
		   part->flags & PART_WARM);
	if ((part->flags & PART_STAMP || guest_swap_live(m, part->block)) && pager_miss_hook)
		pager_miss_hook(m); /* more memory would have avoided it */
	(void)gpage_associate(m, part->gpfn, part->block);
}

/* The block is in cached frame c: it becomes the page. The page has no frame any more. */
static void hit(struct gio *x, struct gio_part *part, pfn_t c)
{
	struct vm_mem *m = x->m;
	u32 stamp = frame_of(c)->stamp;

	page_cache_take(m, c);
	gpage_map(m, part->gpfn, c, true);
	m->page[part->gpfn].flags = 0;
	(void)gpage_associate(m, part->gpfn, part->block);
	curve_return(&m->curve, &m->ages, CURVE_CACHE, stamp, &m->age[part->gpfn]);
	guest_cache_read(m, part->gpfn, part->block, true);
	part->how = GIO_HIT;
	m->n.cache_hits++;
	trace_read(m, TRACE_READ_CACHE, part->block, part->gpfn, part->flags & PART_WARM);
}

/* A target that had a frame, unmapped and flushed: TAKEN. */
static void resolve(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	u32 g = part->gpfn, old, stamp = part->stamp;
	struct gpage *p = &m->page[g];
	pfn_t f = { p->loc }, c = NO_PFN;

	if (part->flags & PART_DIRTY)
		gpage_set_dirty(m, g);
	old = blockmap_block_of(m, g);
	if (old != BLOCK_NONE && old == part->block) { /* it is there already */
		struct ages_range r;

		ages_return(&m->ages, stamp, &m->age[g], &r);
		gpage_map(m, g, f, true);
		p->flags = 0;
		part->how = GIO_HIT;
		return;
	}
	gpage_dissociate(m, g);
	if (part->block != BLOCK_NONE)
		c = page_cache_find(m, part->block);
	if (pfn_none(c)) {
		begin_fill(x, part, guest_cache_keep(m, g, f, old, stamp, FRAME_FILLING));
		return;
	}
	hit(x, part, c);
	m->n.exchanged++;
	guest_cache_give(m, g, f, old, stamp);
}

static void take_hot(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	u32 g = part->gpfn;
	struct slat_leaf was = gpage_unmap(m, g);
	struct ages_range r;

	if (was.dirty)
		part->flags |= PART_DIRTY;
	if (was.accessed)
		part->flags |= PART_WARM;
	if (was.accessed && ages_touch(&m->ages, &m->age[g], &r))
		curve_note_range(&m->curve, CURVE_SOFT, &r);
	part->stamp = ages_evict(&m->ages, &m->age[g]);
	m->clock++;
	gpage_fill_begin(m, g, was.pfn);
	part->how = GIO_TAKEN;
}

static int take_evicted(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	struct gpage *p = &m->page[part->gpfn];
	pfn_t c = part->block == BLOCK_NONE ? NO_PFN : page_cache_find(m, part->block), n = NO_PFN;

	if (pfn_none(c)) {
		n = reclaim_get_frame(m, FRAME_FILLING, false, LEVEL_GUEST);
		if (pfn_none(n))
			return E_AGAIN;
		/* The frame may have come from the cache; this block is not there either way. */
	}
	if (gpage_evicted(p)) {
		trace_return(m, TRACE_DROPPED, part->gpfn, p->stamp);
		gpage_discard_evicted(m, part->gpfn, true);
		m->n.overwrites_unread++;
	}
	if (pfn_none(c))
		begin_fill(x, part, n);
	else
		hit(x, part, c);
	return 0;
}

static int in_place(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	u32 g = part->gpfn;

	if (gio_whole(part) && gpage_evicted(&m->page[g]))
		m->n.stale_reads++;
	if (fault_resident(m, g))
		return E_AGAIN;
	gpage_set_dirty(m, g);
	slat_mark(&m->slat, (gpfn_t){ g }, true, true);
	m->page[g].pins++;
	part->pfn = m->page[g].loc;
	part->how = GIO_IN_PLACE;
	return 0;
}

static int look_at(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	struct gpage *p = &m->page[part->gpfn];

	if (p->state == GPAGE_FILLING) {
		const struct frame *f = gpage_frame(m, part->gpfn);
		bool ours = part != x->part && (f->flags & FRAME_GUEST_IO ? f->stamp == x->index : false);

		for (const struct gio_part *q = x->part; !ours && q < part; q++)
			ours = q->how == GIO_TAKEN && q->gpfn == part->gpfn;
		return ours ? CUT : E_AGAIN;
	}
	if (gpage_evicted(p) && p->pins)
		return E_AGAIN;
	if (!gio_whole(part) || p->pins)
		return in_place(x, part);
	if (p->flags & GPAGE_WRITEBACK)
		return E_AGAIN;
	switch (p->state) {
	case GPAGE_HOT:
		take_hot(x, part);
		return 0;
	case GPAGE_SOFT:
		gpage_soft_leave(m, part->gpfn);
		part->stamp = p->stamp;
		gpage_fill_begin(m, part->gpfn, (pfn_t){ p->loc });
		part->how = GIO_TAKEN;
		return 0;
	default:
		return take_evicted(x, part);
	}
}

int guest_read_prepare(struct gio *x)
{
	u32 from = x->prepared;
	bool taken = false;
	int r = 0;

	for (; !r && x->prepared < x->nparts && x->prepared - from < GIO_GO_PARTS; x->prepared += !r) {
		r = look_at(x, &x->part[x->prepared]);
		taken |= x->part[x->prepared].how == GIO_TAKEN;
	}
	if (taken)
		pager_flush(x->m);
	for (u32 i = from; taken && i < x->prepared; i++)
		if (x->part[i].how == GIO_TAKEN)
			resolve(x, &x->part[i]);
	if (r == CUT || (r && gio_short(x))) {
		guest_plan_cut(x, x->prepared);
		r = 0;
	}
	return r ? r : gio_more(x);
}

/* The disk has written the page: it is the guest's. */
static void filled(struct vm_mem *m, struct gio_part *part)
{
	u32 g = part->gpfn;
	pfn_t pfn = { part->pfn };
	bool known = part->flags & PART_STAMP,
	     back = part->block != BLOCK_NONE && guest_swap_live(m, part->block);

	gpage_map(m, g, pfn, true);
	if (known)
		curve_return(&m->curve, &m->ages, CURVE_DISC, part->stamp, &m->age[g]);
	else
		ages_arrive(&m->ages, &m->age[g]);
	if (part->block == BLOCK_NONE)
		return;
	if (!known && back) /* it was in memory once, further down than anything that is known */
		curve_note_distance(&m->curve, CURVE_DISC, m->ages.base[AGES_N]);
	else if (!known)
		curve_note_cold(&m->curve, CURVE_DISC);
	m->n.swap_ins += back;
	guest_cache_read(m, g, part->block, known);
}

static void fill_lost(struct vm_mem *m, struct gio_part *part)
{
	struct gpage *p = &m->page[part->gpfn];

	gpage_dissociate(m, part->gpfn);
	if (part->flags & PART_STAMP)
		ages_forget(&m->ages, part->stamp);
	p->state = GPAGE_ZERO;
	p->flags = 0;
	p->loc = 0;
	frame_put((pfn_t){ part->pfn });
}

void guest_read_finish(struct gio *x, int err)
{
	struct vm_mem *m = x->m;

	for (u32 i = 0; i < x->prepared; i++) {
		struct gio_part *part = &x->part[i];

		if (part->how == GIO_IN_PLACE) {
			m->page[part->gpfn].pins--;
			gpage_set_dirty(m, part->gpfn);
		} else if (part->how == GIO_FILL && err) {
			fill_lost(m, part);
		} else if (part->how == GIO_FILL) {
			filled(m, part);
		}
		m->n.guest_reads += !err && gio_whole(part);
	}
}
