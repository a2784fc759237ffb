/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fill.c - reads evicted content back. Contract: fill.h.
 *
 * A touch of one page reads its neighbours too, those whose content follows or precedes it on the disk
 * (ahead.c says how many). The page keeps its stamp while it is FILLING; the distance of the one that was
 * asked for is noted when it is mapped.
 */
#include "mm/pager/fill.h"
#include "arch/x86_64/arch.h"
#include "mm/pager/ahead.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/pool.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/zip.h"
#include "kernel/trace/trace.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/guest_swap.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"

struct fill {
	struct block_req req;
	struct block_seg seg[AHEAD_MOST];
	struct vm_mem *m;
	u32 g[AHEAD_MOST], n, asked; /* pages; which of them was asked for */
	u32 loc;           /* first slot or block */
	u64 start_ns;
	bool swap;
	u8 why;            /* enum fill_why */
	fill_bounce_fn *bounced;
	void *ctx;
};

/* Of its own: a demand's, and as many for rescues and read-ahead as keep eight commands of a disk busy twice
 * over. */
const struct pool_kind pool_fills = {
	.bytes = sizeof(struct fill), .zeroed = sizeof(struct fill), .own = 16, .lent = 32
};

struct slot_call { void (*fn)(void *ctx, struct vm_mem *m, u32 slot); void *ctx; };

static void each_slot(void *ctx, void *entry)
{
	const struct slot_call *call = ctx;
	const struct fill *f = entry;

	for (u32 k = 0; f->swap && !f->bounced && k < f->n; k++)
		call->fn(call->ctx, f->m, f->loc + k);
}

void fill_each_slot(void (*fn)(void *ctx, struct vm_mem *m, u32 slot), void *ctx)
{
	pool_each(POOL_FILLS, each_slot, &(struct slot_call){ fn, ctx });
}

/* Addresses f's request; false: the block is of no disk (can't be). */
static bool aim(struct fill *f, u32 loc, bool swap)
{
	const struct guest_disk *d;
	u64 sector;

	f->loc = loc;
	f->swap = swap;
	if (swap) {
		f->req.dev = swap_dev();
		f->req.sector = swap_sector(loc);
		return true;
	}
	if (!blockmap_locate(f->m, loc, &d, &sector))
		return false;
	f->req.dev = d->ext.dev;
	f->req.sector = sector;
	return true;
}

static void submit(struct fill *f, void (*done)(struct block_req *))
{
	f->req.op = BLOCK_READ;
	f->req.owner = f->m->id;
	f->req.class = (u8)(f->bounced || f->why == FILL_RESCUE ? BLOCK_GUEST :
			    f->why == FILL_AHEAD                ? BLOCK_AHEAD :
								  BLOCK_DEMAND);
	f->req.segs = f->seg;
	f->req.nsegs = f->n;
	f->req.nsectors = f->n * SECTORS_PER_PAGE;
	f->req.done = done;
	f->req.ctx = f;
	f->m->io_in_flight++;
	f->start_ns = arch_ns();
	block_submit(&f->req);
}

/* ---- into guest pages ---- */

static void give_back(struct fill *f, u32 g, u32 i)
{
	struct gpage *p = &f->m->page[g];
	pfn_t pfn = { p->loc };

	p->state = f->swap ? GPAGE_SWAP : GPAGE_DISC;
	p->loc = f->loc + i;
	frame_put(pfn);
}

static bool is_touch(u8 why)
{
	return why == FILL_TOUCH || why == FILL_WRITE;
}

/* A page that lives in a block of the guest's disk has been read from it again. */
static void mark_block(struct vm_mem *m, u32 g, u32 block, bool asked)
{
	struct frame *fr = gpage_frame(m, g);

	if (asked)
		fr->flags |= FRAME_PROVEN;
	if (guest_swap_holds(m, block))
		fr->flags |= FRAME_SWAPPED_IN;
}

static void arrive(struct fill *f, u32 g, u32 i)
{
	struct vm_mem *m = f->m;
	struct gpage *p = &m->page[g];
	bool rescue = gpage_frame(m, g)->flags & FRAME_RESCUE, asked = is_touch(f->why) && i == f->asked;

	gpage_map(m, g, (pfn_t){ p->loc }, asked);
	p->flags = 0;
	if (f->swap && asked && f->why == FILL_WRITE)
		swap_free(f->loc + i); /* about to differ */
	else if (f->swap)
		gpage_keep_slot(m, g, f->loc + i);
	else
		mark_block(m, g, f->loc + i, asked);
	if (rescue || !gpage_frame(m, g)->block)
		gpage_set_dirty(m, g);
	if (asked) {
		curve_return(&m->curve, &m->ages, f->swap ? CURVE_SWAP : CURVE_DISC, p->stamp, &m->age[g]);
		return;
	}
	ages_restore(&m->ages, p->stamp, &m->age[g]);
	if (f->why != FILL_RESCUE)
		ahead_returned(m, g);
}

static void fill_done(struct block_req *r)
{
	static const char *const what[] = { "fill", "fill", "rescue", "fill ahead" };
	struct fill *f = r->ctx;
	struct vm_mem *m = f->m;

	m->io_in_flight--;
	pager_worked(m);
	m->ahead.background -= f->why == FILL_AHEAD;
	if (f->swap && is_touch(f->why) && !r->err)
		zplan_note_read(&m->zplan, f->n, arch_ns() - f->start_ns);
	for (u32 i = 0; i < f->n; i++) {
		if (r->err)
			give_back(f, f->g[i], i);
		else
			arrive(f, f->g[i], i);
	}
	if (r->err)
		pager_io_failed(m, f->swap ? "swap" : what[f->why], r);
	pool_put(m, POOL_FILLS, f);
	pager_progress(m);
	pager_frames_freed();
}

/* The block is in memory: the page takes the cached frame over. */
static void adopt(struct vm_mem *m, u32 g, pfn_t c, enum fill_why why)
{
	struct gpage *p = &m->page[g];
	u32 block = p->loc, cached_stamp = frame_of(c)->stamp;

	trace_return(m, TRACE_CACHE, g, p->stamp);
	page_cache_take(m, c);
	frame_of(c)->block = block + 1; /* the chain already has the page under it */
	gpage_map(m, g, c, is_touch((u8)why));
	p->flags = 0;
	ages_forget(&m->ages, cached_stamp);
	curve_return(&m->curve, &m->ages, CURVE_CACHE, p->stamp, &m->age[g]);
	m->n.cache_hits++;
	m->n.exchanged++;
	frame_of(c)->flags |= FRAME_PROVEN;
	if (why == FILL_RESCUE)
		gpage_set_dirty(m, g);
}

/* Page g goes to frame pfn; NO_PFN: false. Reclaim for the frame has touched resident pages only: g is as it
 * was. */
static bool begin_one(struct fill *f, u32 g, pfn_t pfn)
{
	struct vm_mem *m = f->m;
	struct gpage *p = &m->page[g];

	if (pfn_none(pfn))
		return false;
	if (p->state == GPAGE_DISC)
		frame_of(pfn)->block = p->loc + 1;
	gpage_fill_begin(m, g, pfn);
	if (f->why == FILL_RESCUE)
		frame_of(pfn)->flags |= FRAME_RESCUE;
	return true;
}

/* As much of the run as there are frames for, the page that was asked for first. False: not even that. */
static bool begin_run(struct fill *f, const struct ahead_run *r)
{
	struct vm_mem *m = f->m;
	u32 lo = r->at, end = r->at + 1;
	pfn_t pfn = f->why == FILL_AHEAD ?
			    reclaim_ahead_frame(m) :
			    reclaim_get_frame(m, FRAME_FILLING, false,
					      f->why == FILL_RESCUE ? LEVEL_URGENT : LEVEL_FILL);

	if (!begin_one(f, r->g[r->at], pfn))
		return false;
	while (end < r->n && begin_one(f, r->g[end], reclaim_ahead_frame(m)))
		end++;
	while (lo > 0 && begin_one(f, r->g[lo - 1], reclaim_ahead_frame(m)))
		lo--;
	f->n = end - lo;
	f->asked = r->at - lo;
	for (u32 i = 0; i < f->n; i++) {
		f->g[i] = r->g[lo + i];
		f->seg[i] = (struct block_seg){ pfn_hpa((pfn_t){ m->page[f->g[i]].loc }), PAGE_SIZE };
	}
	BUG_ON(!aim(f, r->loc + lo, f->swap));
	return true;
}

/* One miss, then what came with it, for the trace. */
static void note(const struct fill *f)
{
	struct vm_mem *m = f->m;
	enum trace_class cls = f->swap ? TRACE_SWAP : TRACE_DISC;
	u32 g = f->g[f->asked];

	if (f->why != FILL_AHEAD)
		trace_return(m, f->why == FILL_RESCUE ? TRACE_RESCUE : cls, g, m->page[g].stamp);
	for (u32 i = 0; i < f->n; i++)
		if (f->why == FILL_AHEAD || i != f->asked)
			trace_ahead(m, cls, f->why == FILL_AHEAD, f->g[i] - 1, 1); /* the one after that */
}

static void start(struct fill *f)
{
	struct vm_mem *m = f->m;

	*(f->swap ? &m->n.swap_reads : &m->n.disc_reads) += f->n;
	if (unlikely(trace_on))
		note(f);
	if (f->why == FILL_AHEAD) {
		m->n.ahead_background += f->n;
		m->ahead.background++;
	} else {
		m->n.ahead += f->n - 1;
	}
	if (is_touch(f->why)) {
		m->n.demand_reads++;
		m->n.double_paging += m->io_sourcing;
		ahead_follow(m, f->loc + f->n, f->swap);
	}
	if (pager_miss_hook && f->why != FILL_AHEAD)
		pager_miss_hook(m);
	submit(f, fill_done);
}

/* The device that a page in loc is read from. */
static u32 max_pages(struct fill *f, u32 loc)
{
	BUG_ON(!aim(f, loc, f->swap));
	return f->req.dev->max_sectors / SECTORS_PER_PAGE;
}

int fill_page(struct vm_mem *m, u32 g, enum fill_why why)
{
	struct gpage *p = &m->page[g];
	bool swap = p->state == GPAGE_SWAP;
	struct ahead_run run;
	struct fill *f;
	u32 want;

	if (p->pins || m->dead)
		return E_AGAIN;
	if (!swap) {
		pfn_t c = page_cache_find(m, p->loc);

		if (!pfn_none(c)) {
			adopt(m, g, c, why);
			return 0;
		}
	}
	f = pool_get(m, POOL_FILLS);
	if (!f)
		return E_AGAIN;
	f->m = m;
	f->swap = swap;
	f->why = (u8)why;
	want = is_touch((u8)why) ? MIN(ahead_demand(m, g), max_pages(f, p->loc)) : 1;
	ahead_run(m, g, want, &run);
	if (begin_run(f, &run))
		start(f);
	else
		pool_put(m, POOL_FILLS, f);
	return E_AGAIN;
}

bool fill_ahead(struct vm_mem *m, u32 g)
{
	struct ahead_run run;
	struct fill *f;

	/* Nobody waits for it: it takes no place in the line. */
	if (!m->pool[POOL_FILLS].free)
		return false;
	f = pool_get(m, POOL_FILLS);
	f->m = m;
	f->swap = m->page[g].state == GPAGE_SWAP;
	f->why = FILL_AHEAD;
	ahead_run(m, g, MIN(AHEAD_MOST, max_pages(f, m->page[g].loc)), &run);
	if (begin_run(f, &run)) {
		start(f);
		return true;
	}
	pool_put(m, POOL_FILLS, f);
	return false;
}

/* ---- into a bounce frame ---- */

static void bounce_done(struct block_req *r)
{
	struct fill *f = r->ctx;
	struct vm_mem *m = f->m;

	m->io_in_flight--;
	pager_worked(m);
	m->page[f->g[0]].pins--;
	if (r->err)
		pager_io_failed(m, f->swap ? "swap" : "bounce", r);
	f->bounced(f->ctx, r->err);
	pool_put(m, POOL_FILLS, f);
	pager_progress(m);
	pool_serve();
}

int fill_bounce(struct vm_mem *m, u32 g, pfn_t pfn, fill_bounce_fn *done, void *ctx)
{
	struct gpage *p = &m->page[g];
	struct fill *f;

	if (p->state == GPAGE_ZIP) {
		zip_copy(m, g, pfn);
		m->n.copied++;
		return 0;
	}
	if (p->state == GPAGE_DISC) {
		pfn_t c = page_cache_find(m, p->loc);

		if (!pfn_none(c)) {
			arch_copy_page(pfn_ptr(pfn), pfn_ptr(c));
			m->n.copied++;
			return 0;
		}
	}
	f = pool_get(m, POOL_FILLS);
	if (!f)
		return E_BUSY;
	f->m = m;
	f->g[0] = g;
	f->n = 1;
	f->swap = p->state == GPAGE_SWAP;
	f->bounced = done;
	f->ctx = ctx;
	f->seg[0] = (struct block_seg){ pfn_hpa(pfn), PAGE_SIZE };
	BUG_ON(!aim(f, p->loc, f->swap));
	p->pins++;
	m->n.bounce_reads++;
	submit(f, bounce_done);
	return E_AGAIN;
}
