/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fill.c - reads evicted content back. Contract: fill.h.
 *
 * A touch of one page reads its neighbours too, where their content follows on the disk and frames are plentiful: they
 * are mapped with A clear, so that they go first if the guess was wrong. The page keeps its stamp while it is FILLING;
 * its distance is noted when it is mapped.
 */
#include "kernel/fill.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "kernel/pager_priv.h"
#include "kernel/reclaim.h"
#include "kernel/trace.h"
#include "mm/blockmap.h"
#include "mm/gpage.h"
#include "mm/page_cache.h"
#include "mm/swap.h"

#define FILLS 64
#define FILL_PAGES 8

struct fill {
	struct block_req req;
	struct block_seg seg[FILL_PAGES];
	struct vm_mem *m;  /* NULL: free */
	u32 g, n;          /* pages g .. g + n - 1 */
	u32 loc;           /* first slot or block */
	bool swap, rescue;
	fill_bounce_fn *bounced;
	void *ctx;
};

static struct fill fills[FILLS];
static u32 fill_hint;

static struct fill *fill_get(void)
{
	for (u32 i = 0; i < FILLS; i++) {
		struct fill *f = &fills[(fill_hint + i) % FILLS];

		if (f->m)
			continue;
		fill_hint = (fill_hint + i + 1) % FILLS;
		memset(f, 0, sizeof(*f));
		return f;
	}
	return NULL;
}

void fill_each_slot(void (*fn)(void *ctx, struct vm_mem *m, u32 slot), void *ctx)
{
	for (u32 i = 0; i < FILLS; i++)
		for (u32 k = 0; fills[i].m && fills[i].swap && !fills[i].bounced && k < fills[i].n; k++)
			fn(ctx, fills[i].m, fills[i].loc + k);
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
	f->req.segs = f->seg;
	f->req.nsegs = f->n;
	f->req.nsectors = f->n * SECTORS_PER_PAGE;
	f->req.done = done;
	f->req.ctx = f;
	f->m->io_in_flight++;
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

static void arrive(struct fill *f, u32 g, u32 i)
{
	struct vm_mem *m = f->m;
	struct gpage *p = &m->page[g];
	bool rescue = gpage_frame(m, g)->flags & FRAME_RESCUE;

	if (f->swap)
		swap_free(f->loc + i);
	gpage_map(m, g, (pfn_t){ p->loc }, i == 0 && !f->rescue);
	p->flags = 0;
	if (f->swap || rescue)
		gpage_set_dirty(m, g);
	curve_return(&m->curve, &m->ages, f->swap ? CURVE_SWAP : CURVE_DISC, p->stamp, &m->age[g]);
}

static void fill_done(struct block_req *r)
{
	struct fill *f = r->ctx;
	struct vm_mem *m = f->m;

	m->io_in_flight--;
	for (u32 i = 0; i < f->n; i++) {
		if (r->err)
			give_back(f, f->g + i, i);
		else
			arrive(f, f->g + i, i);
	}
	f->m = NULL;
	if (r->err)
		pager_io_failed(m, f->swap ? "swap" : f->rescue ? "rescue" : "fill", r);
	pager_progress(m);
	pager_frames_freed();
}

/* How many pages from g on may be read by one request: content in a row, frames to spare. */
static u32 run_of(const struct vm_mem *m, u32 g, const struct block_dev *dev)
{
	const struct gpage *p = &m->page[g];
	const struct guest_disk *d = NULL;
	u32 most = MIN(FILL_PAGES, dev->max_sectors / SECTORS_PER_PAGE), n = 1;
	u64 sector;

	if (!pager_plentiful(m, FILL_PAGES))
		return 1;
	if (p->state == GPAGE_DISC && !blockmap_locate(m, p->loc, &d, &sector))
		return 1;
	for (; n < most && g + n < m->npages; n++) {
		const struct gpage *q = &m->page[g + n];

		if (q->state != p->state || q->loc != p->loc + n || q->pins)
			break;
		if (d && (q->loc - d->base >= d->nblocks || !pfn_none(page_cache_find(m, q->loc))))
			break;
	}
	return n;
}

/* The block is in memory: the page takes the cached frame over. */
static void adopt(struct vm_mem *m, u32 g, pfn_t c, enum fill_why why)
{
	struct gpage *p = &m->page[g];
	u32 block = p->loc, cached_stamp = frame_of(c)->stamp;

	trace_return(m, TRACE_CACHE, g, p->stamp);
	page_cache_take(m, c);
	frame_of(c)->block = block + 1; /* the chain already has the page under it */
	gpage_map(m, g, c, why == FILL_TOUCH);
	p->flags = 0;
	ages_forget(&m->ages, cached_stamp);
	curve_return(&m->curve, &m->ages, CURVE_CACHE, p->stamp, &m->age[g]);
	m->n.cache_hits++;
	m->n.exchanged++;
	if (why == FILL_RESCUE)
		gpage_set_dirty(m, g);
}

static bool begin_one(struct fill *f, u32 i, enum reclaim_level level)
{
	struct vm_mem *m = f->m;
	u32 g = f->g + i;
	struct gpage *p = &m->page[g];
	u32 loc = p->loc;
	pfn_t pfn = reclaim_get_frame(m, FRAME_FILLING, false, level);

	if (pfn_none(pfn))
		return false;
	/* Reclaim for the frame touches resident pages only: p is as it was. */
	if (p->state == GPAGE_DISC)
		frame_of(pfn)->block = loc + 1;
	gpage_fill_begin(m, g, pfn);
	if (f->rescue)
		frame_of(pfn)->flags |= FRAME_RESCUE;
	f->seg[i] = (struct block_seg){ pfn_hpa(pfn), PAGE_SIZE };
	return true;
}

int fill_page(struct vm_mem *m, u32 g, enum fill_why why)
{
	struct gpage *p = &m->page[g];
	bool swap = p->state == GPAGE_SWAP;
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
	f = fill_get();
	if (!f) {
		reclaim_starve(m);
		return E_AGAIN;
	}
	f->m = m;
	f->g = g;
	f->rescue = why == FILL_RESCUE;
	BUG_ON(!aim(f, p->loc, swap));
	want = f->rescue ? 1 : run_of(m, g, f->req.dev);
	if (!begin_one(f, 0, f->rescue ? LEVEL_URGENT : LEVEL_FILL)) {
		f->m = NULL;
		return E_AGAIN;
	}
	for (f->n = 1; f->n < want && begin_one(f, f->n, LEVEL_GUEST); f->n++)
		;
	*(swap ? &m->n.swap_reads : &m->n.disc_reads) += f->n;
	trace_return(m, f->rescue ? TRACE_RESCUE : swap ? TRACE_SWAP : TRACE_DISC, g, p->stamp);
	trace_ahead(m, swap ? TRACE_SWAP : TRACE_DISC, g, f->n - 1);
	m->n.double_paging += m->io_sourcing && why == FILL_TOUCH;
	if (pager_miss_hook)
		pager_miss_hook(m);
	submit(f, fill_done);
	return E_AGAIN;
}

/* ---- into a bounce frame ---- */

static void bounce_done(struct block_req *r)
{
	struct fill *f = r->ctx;
	struct vm_mem *m = f->m;

	m->io_in_flight--;
	m->page[f->g].pins--;
	f->m = NULL;
	if (r->err)
		pager_io_failed(m, f->swap ? "swap" : "bounce", r);
	f->bounced(f->ctx, r->err);
	pager_progress(m);
}

int fill_bounce(struct vm_mem *m, u32 g, pfn_t pfn, fill_bounce_fn *done, void *ctx)
{
	struct gpage *p = &m->page[g];
	struct fill *f;

	if (p->state == GPAGE_DISC) {
		pfn_t c = page_cache_find(m, p->loc);

		if (!pfn_none(c)) {
			arch_copy_page(pfn_ptr(pfn), pfn_ptr(c));
			m->n.copied++;
			return 0;
		}
	}
	f = fill_get();
	if (!f)
		return E_BUSY;
	f->m = m;
	f->g = g;
	f->n = 1;
	f->bounced = done;
	f->ctx = ctx;
	f->seg[0] = (struct block_seg){ pfn_hpa(pfn), PAGE_SIZE };
	BUG_ON(!aim(f, p->loc, p->state == GPAGE_SWAP));
	p->pins++;
	m->n.bounce_reads++;
	submit(f, bounce_done);
	return E_AGAIN;
}
