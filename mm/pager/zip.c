/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zip.c - cold pages compressed in memory. Contract: zip.h; the store: mm/pager/zstore.h; how large:
 * mm/pager/zplan.h.
 */
#include "mm/pager/zip.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "kernel/trace/trace.h"
#include "mm/pager/gpage.h"

#define DRAIN_PAGES 16u /* a chore hands on */
#define PLAN_NS 250000000ull /* while pages come and go: a guest that waits is rarely scanned */

static void breathe(void)
{
	if (pager_breathe)
		pager_breathe();
}

static u32 try(struct vm_mem *m, u32 g)
{
	u64 start = arch_tsc();
	u32 chunks = zstore_try(pfn_ptr((pfn_t){ m->page[g].loc }));

	zplan_note_try(&m->zplan, chunks, arch_tsc_to_ns(arch_tsc() - start));
	breathe();
	return chunks;
}

int zip_offer(struct vm_mem *m, u32 g)
{
	struct gpage *p = &m->page[g];
	pfn_t pfn = { p->loc };

	if (!zip_open(m)) {
		m->zip_watch.turned_away += m->zplan.budget != 0;
		/* How well would it go? */
		if (!m->zplan.budget && m->zplan.percent == ZPLAN_AUTO &&
		    m->zip_watch.sample++ % zplan_sample(&m->zplan) == 0)
			(void)try(m, g);
		return E_AGAIN;
	}
	if (!try(m, g)) {
		m->n.zip_refused++;
		return E_AGAIN;
	}
	gpage_soft_leave(m, g);
	gpage_dissociate(m, g);
	p->flags = 0;
	m->n.zip_puts++;
	return (int)zstore_put(m, g, pfn);
}

void zip_copy(struct vm_mem *m, u32 g, pfn_t p)
{
	u64 start = arch_tsc();

	zstore_get(m, g, pfn_ptr(p));
	zplan_note_get(&m->zplan, arch_tsc_to_ns(arch_tsc() - start));
}

int zip_fault(struct vm_mem *m, u32 g)
{
	struct gpage *p = &m->page[g];
	pfn_t pfn;

	if (p->pins || m->dead)
		return E_AGAIN;
	pfn = reclaim_get_frame(m, FRAME_MAPPED, false, LEVEL_GUEST);
	if (pfn_none(pfn))
		return E_AGAIN;
	trace_return(m, TRACE_ZIP, g, p->stamp);
	zip_copy(m, g, pfn);
	zstore_drop(m, g);
	gpage_map(m, g, pfn, true);
	p->flags = 0;
	gpage_set_dirty(m, g);
	curve_return(&m->curve, &m->ages, CURVE_ZIP, p->stamp, &m->age[g]);
	m->n.zip_hits++;
	return E_OK;
}

/* ---- how large ---- */

static u64 since(u64 *last, u64 now)
{
	u64 d = now >= *last ? now - *last : now; /* counters start anew with the guest */

	*last = now;
	return d;
}

void zip_plan(struct vm_mem *m)
{
	struct zip_watch *w = &m->zip_watch;
	u64 io = m->n.swap_reads + m->n.swap_writes, fresh, ns;
	u32 frames = frame_count_vm(m->id, FRAME_MAPPED) + frame_count_vm(m->id, FRAME_SOFT) + m->zip.frames;

	/* A guest that swaps nothing needs no sums over its curve every pass. */
	if (m->zplan.percent == ZPLAN_AUTO && io == w->io && !m->zplan.budget)
		return;
	fresh = since(&w->fresh, m->n.zero_fills);
	ns = since(&w->ns, arch_ns());
	w->io = io;
	zplan_choose(&m->zplan, &m->curve, frames, fresh * 1000 * 1000000 / MAX(ns / 1000, 1ull));
}

/* ---- handing on ---- */

/* A frame for an old page on its way out. A guest at its max makes room first. */
static pfn_t way_out(struct vm_mem *m)
{
	u32 held = vmmem_held(m);

	if (held == m->max && reclaim_take(m, 1))
		held = vmmem_held(m);
	if (held == m->max || frame_free() <= reclaim_reserve() / 2)
		return NO_PFN;
	return frame_get(m->id, FRAME_SOFT, false);
}

/* The oldest page, in frame p now, on the FIFO. */
static u32 take_out(struct vm_mem *m, pfn_t p)
{
	u32 g = zstore_oldest(m);

	zip_copy(m, g, p);
	zstore_drop(m, g);
	m->page[g].loc = p.n;
	frame_of(p)->gpfn = g;
	frame_of(p)->flags = 0;
	gpage_soft_enter(m, g, true);
	breathe();
	return g;
}

static u32 hand_on(struct vm_mem *m)
{
	u32 g[DRAIN_PAGES], n = 0, frames = 0;
	pfn_t p[DRAIN_PAGES];

	/* Frames first: to find one may mean to take what is on the FIFO. */
	while (frames < MIN(DRAIN_PAGES, m->zip.pages) && swapout_ready(m) &&
	       !pfn_none(p[frames] = way_out(m)))
		frames++;
	while (n < frames) {
		g[n] = take_out(m, p[n]);
		n++;
	}
	m->n.zip_ousted += n;
	/* What finds no slot stays on the FIFO. */
	for (u32 done = 0, k; done < n; done += k) {
		k = swapout_start(m, g + done, n - done);
		if (!k)
			break;
	}
	return n;
}

static void plan_when_due(struct vm_mem *m)
{
	if (m->zplan.percent && m->n.swap_reads + m->n.swap_writes != m->zip_watch.io &&
	    arch_ns() - m->zip_watch.ns >= PLAN_NS)
		zip_plan(m);
}

bool zip_chore(void)
{
	bool more = false;

	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *m = vmmem_all[i];
		u32 budget;

		if (!m)
			continue;
		plan_when_due(m);
		budget = m->zplan.budget;
		if (!m->zip.frames || m->dead || m->draining)
			continue;
		/* Room for what comes next, if something had to go by. */
		if (m->zip.frames <= budget &&
		    (!m->zip_watch.turned_away || m->zip.frames < budget - budget / 16))
			continue;
		if (hand_on(m))
			more = true;
		if (m->zip.frames < budget - budget / 16)
			m->zip_watch.turned_away = 0;
	}
	return more;
}
