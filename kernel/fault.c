/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fault.c - a guest touched a page that is not mapped. Contract: pager.h; the states: ARCHITECTURE.md.
 */
#include "arch/x86_64/arch.h"
#include "kernel/fill.h"
#include "kernel/lib/lib.h"
#include "kernel/pager_priv.h"
#include "kernel/reclaim.h"
#include "kernel/trace.h"
#include "mm/gpage.h"
#include "mm/page_cache.h"

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
	trace_ahead(m, TRACE_ZERO, g, (u32)(m->n.around - before));
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
	case GPAGE_DISC:
	case GPAGE_SWAP:
		return fill_page(m, g, FILL_TOUCH);
	default:
		return E_AGAIN;
	}
}

enum verdict pager_fault(struct vm_mem *m, gpfn_t g, bool write)
{
	(void)write; /* every mapping is writable: hardware's D bit tells */
	BUG_ON(g.n >= m->npages);
	m->n.faults++;
	if (!fault_resident(m, g.n))
		return V_RETRY;
	m->parked = true;
	return V_BLOCK;
}

bool pager_needs_read(const struct vm_mem *m, gpfn_t g)
{
	const struct gpage *p = &m->page[g.n];

	return p->state == GPAGE_SWAP || (p->state == GPAGE_DISC && pfn_none(page_cache_find(m, p->loc)));
}

/* A fresh frame in place of content that nobody will read. */
static int replace_evicted(struct vm_mem *m, u32 g)
{
	struct gpage *p = &m->page[g];
	pfn_t pfn;

	if (p->pins || m->dead)
		return E_AGAIN;
	pfn = reclaim_get_frame(m, FRAME_MAPPED, false, LEVEL_GUEST);
	if (pfn_none(pfn))
		return E_AGAIN;
	if (gpage_evicted(p)) {
		trace_return(m, TRACE_OVERWRITE, g, p->stamp);
		gpage_discard_evicted(m, g, false);
		m->n.overwrites_unread++;
	}
	gpage_map(m, g, pfn, true);
	ages_arrive(&m->ages, &m->age[g]);
	return E_OK;
}

int pager_overwrite(struct vm_mem *m, gpfn_t g, void **page)
{
	struct gpage *p = &m->page[g.n];
	int err = p->state == GPAGE_DISC || p->state == GPAGE_SWAP || p->state == GPAGE_ZERO ?
		  replace_evicted(m, g.n) : fault_resident(m, g.n);

	if (err) {
		m->parked = true;
		return E_AGAIN;
	}
	gpage_set_dirty(m, g.n);
	slat_mark(&m->slat, g, true, true);
	*page = pfn_ptr((pfn_t){ p->loc });
	return E_OK;
}
