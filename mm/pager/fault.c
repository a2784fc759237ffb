/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fault.c - a guest touched a page that is not mapped. Contract: pager.h; the states: ARCHITECTURE.md.
 */
#include "arch/x86_64/arch.h"
#include "mm/pager/fill.h"
#include "mm/pager/guest_cache.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/zip.h"
#include "mm/pager/blockmap.h"
#include "kernel/trace/trace.h"
#include "mm/pager/gpage.h"

#define AROUND_PAGES 64u

static void map_zeroed(struct vm_mem *m, u32 g, pfn_t p, bool accessed)
{
	gpage_map(m, g, p, accessed);
	m->page[g].flags = GPAGE_KNOWN_ZERO;
	ages_arrive(&m->ages, &m->age[g]);
}

/* Zeroed frames are taken only while there are plenty: what nobody touches goes back without I/O. */
static void fault_around(struct vm_mem *m, u32 g)
{
	u32 first = ALIGN_DOWN(g, AROUND_PAGES), end = MIN(first + AROUND_PAGES, m->npages);
	u64 before = m->n.around;

	if (!pager_plentiful(m, AROUND_PAGES))
		return;
	for (u32 i = first; i < end; i++) {
		pfn_t p;

		if (m->page[i].state != GPAGE_ZERO)
			continue;
		p = frame_get(m->id, FRAME_MAPPED, true);
		if (pfn_none(p))
			break;
		map_zeroed(m, i, p, false);
		m->n.around++;
	}
	trace_ahead(m, TRACE_ZERO, false, g, (u32)(m->n.around - before));
}

static int fault_zero(struct vm_mem *m, u32 g)
{
	pfn_t p = reclaim_get_frame(m, FRAME_MAPPED, true, LEVEL_GUEST);

	if (pfn_none(p))
		return E_AGAIN;
	map_zeroed(m, g, p, true);
	m->n.zero_fills++;
	trace_miss(m, TRACE_ZERO, g, 0);
	fault_around(m, g);
	return E_OK;
}

int fault_resident(struct vm_mem *m, u32 g)
{
	switch (m->page[g].state) {
	case GPAGE_HOT:
		return E_OK;
	case GPAGE_SOFT:
		trace_return(m, TRACE_SOFT, g, m->page[g].stamp);
		gpage_soft_touch(m, g);
		return E_OK;
	case GPAGE_ZERO:
		return m->dead ? E_AGAIN : fault_zero(m, g);
	case GPAGE_ZIP:
		return zip_fault(m, g);
	case GPAGE_DISC:
	case GPAGE_SWAP:
		return fill_page(m, g, FILL_TOUCH);
	default:
		return E_AGAIN;
	}
}

enum verdict pager_fault(struct vm_mem *m, gpfn_t g, bool write)
{
	int err;

	BUG_ON(g.n >= m->npages);
	m->n.faults++;
	/* Every mapping is writable, hardware's D bit tells; but a copy in the swap area is of no use to a
	 * page that is written. */
	if (write && m->page[g.n].state == GPAGE_SWAP)
		err = fill_page(m, g.n, FILL_WRITE);
	else
		err = fault_resident(m, g.n);
	if (!err)
		return V_RETRY;
	m->parked = true;
	return V_BLOCK;
}

/* SOFT, and equal to a block of the guest's disk. */
static bool soft_block(const struct vm_mem *m, u32 g)
{
	const struct gpage *p = &m->page[g];

	return p->state == GPAGE_SOFT && !p->pins && !(p->flags & (GPAGE_WRITEBACK | GPAGE_DIRTY)) &&
	       blockmap_block_of(m, g) != BLOCK_NONE;
}

bool pager_overwrite_helps(const struct vm_mem *m, gpfn_t g)
{
	return gpage_evicted(&m->page[g.n]) || soft_block(m, g.n);
}

/* What pager_overwrite() was asked for. */
struct overwrite {
	struct vm_mem *m;
	u32 g;
	pager_content_fn *content;
	const void *ctx;
};

/* Frame f is held by the guest, but mapped nowhere: it may hold anybody's bytes until content() has run. */
static void fill_then_map(const struct overwrite *o, pfn_t f)
{
	o->content(o->ctx, pfn_ptr(f));
	gpage_map(o->m, o->g, f, true);
	ages_arrive(&o->m->ages, &o->m->age[o->g]);
}

/* A fresh frame in place of content that nobody will read there; its block, if it had one, may be read
 * elsewhere. */
static int replace_evicted(const struct overwrite *o)
{
	struct vm_mem *m = o->m;
	struct gpage *p = &m->page[o->g];
	pfn_t pfn;

	if (p->pins || m->dead)
		return E_AGAIN;
	pfn = reclaim_get_frame(m, FRAME_MAPPED, false, LEVEL_GUEST);
	if (pfn_none(pfn))
		return E_AGAIN;
	if (gpage_evicted(p)) {
		trace_return(m, TRACE_OVERWRITE, o->g, p->stamp);
		gpage_discard_evicted(m, o->g, true);
		m->n.overwrites_unread++;
	}
	fill_then_map(o, pfn);
	return E_OK;
}

/* The old content goes to the cache, in its frame, if it is worth it; the new one comes in that frame or a
 * spare one. */
static void replace_soft(const struct overwrite *o)
{
	struct vm_mem *m = o->m;
	struct gpage *p = &m->page[o->g];
	u32 block = blockmap_block_of(m, o->g);
	pfn_t f = { p->loc };

	trace_return(m, TRACE_OVERWRITE, o->g, p->stamp);
	m->n.overwrites_unread++;
	gpage_soft_leave(m, o->g);
	gpage_dissociate(m, o->g);
	fill_then_map(o, guest_cache_keep(m, o->g, f, block, p->stamp, FRAME_MAPPED));
}

int pager_overwrite(struct vm_mem *m, gpfn_t g, pager_content_fn *content, const void *ctx)
{
	const struct overwrite o = { m, g.n, content, ctx };
	struct gpage *p = &m->page[g.n];
	bool filled = true;
	int err = E_OK;

	if (soft_block(m, g.n)) {
		replace_soft(&o);
	} else if (gpage_evicted(p) || p->state == GPAGE_ZERO) {
		err = replace_evicted(&o);
	} else {
		err = fault_resident(m, g.n);
		filled = false;
	}
	if (err) {
		m->parked = true;
		return E_AGAIN;
	}
	gpage_set_dirty(m, g.n);
	slat_mark(&m->slat, g, true, true);
	if (!filled)
		content(ctx, pfn_ptr((pfn_t){ p->loc }));
	return E_OK;
}
