/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_write.c - the guest writes its disk. Contract: guest_io.h; ARCHITECTURE.md, "Guest disk writes".
 *
 * io_range_clear() has run. Data comes from the resident page (pinned meanwhile), from zeros, or from a
 * bounce frame with a copy of evicted content: the page itself is not brought back. A whole page that nothing
 * writes from before the transfer (D cleared and flushed) until after it equals the block then.
 */
#include "arch/x86_64/arch.h"
#include "mm/pager/fill.h"
#include "mm/pager/guest_cache.h"
#include "mm/gio/guest_io.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "kernel/trace/trace.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/page_cache.h"

static void bounced(void *ctx, int err)
{
	struct gio *x = ctx;

	x->pending--;
	if (err && !x->err)
		x->err = err;
}

int guest_write_evicted(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	pfn_t n = reclaim_get_frame(m, FRAME_BOUNCE, false, LEVEL_URGENT);
	int r;

	if (pfn_none(n))
		return E_AGAIN;
	r = fill_bounce(m, part->gpfn, n, bounced, x);
	if (r == E_BUSY) {
		frame_put(n);
		return E_AGAIN;
	}
	x->pending += r == E_AGAIN;
	part->pfn = n.n;
	part->how = GIO_BOUNCED;
	return 0;
}

static int look_at(struct gio *x, struct gio_part *part)
{
	struct vm_mem *m = x->m;
	u32 g = part->gpfn;
	struct gpage *p = &m->page[g];

	switch (p->state) {
	case GPAGE_SOFT:
		trace_return(m, TRACE_SOFT, g, m->page[g].stamp);
		gpage_soft_touch(m, g);
		break;
	case GPAGE_HOT:
		break;
	case GPAGE_ZERO:
		part->pfn = pager_zero_frame().n;
		part->how = GIO_ZEROS;
		return 0;
	case GPAGE_FILLING:
		return E_AGAIN;
	default:
		return p->pins ? E_AGAIN : guest_write_evicted(x, part);
	}
	if (part->block != BLOCK_NONE && !p->pins)
		part->flags |= PART_ASSOC;
	p->pins++;
	part->pfn = p->loc;
	part->how = GIO_IN_PLACE;
	return 0;
}

/* From here to the transfer's end every write of the guest to the page shows in D or GPAGE_DIRTY. */
static void watch(struct gio *x)
{
	struct vm_mem *m = x->m;

	for (u32 i = 0; i < x->nparts; i++) {
		struct gpage *p = &m->page[x->part[i].gpfn];

		/* Somebody pinned it since and may write it at any time, without a mark. */
		if (p->pins != 1)
			x->part[i].flags &= (u8)~PART_ASSOC;
		if (!(x->part[i].flags & PART_ASSOC))
			continue;
		if (slat_clear_dirty(&m->slat, (gpfn_t){ x->part[i].gpfn }))
			p->flags &= (u8)~GPAGE_KNOWN_ZERO;
		gpage_dissociate(m, x->part[i].gpfn);
		p->flags &= (u8)~GPAGE_DIRTY;
	}
	if (m->slat.stale)
		pager_flush(m);
}

int guest_write_prepare(struct gio *x)
{
	u32 from = x->prepared;
	int r = 0;

	for (; !x->err && x->prepared < x->nparts && x->prepared - from < GIO_GO_PARTS; x->prepared++) {
		r = look_at(x, &x->part[x->prepared]);
		if (r && !gio_short(x))
			return r;
		if (r) {
			guest_plan_cut(x, x->prepared);
			break;
		}
	}
	if (!x->err && gio_more(x))
		return E_AGAIN;
	if (x->pending)
		return E_AGAIN;
	if (!x->err)
		watch(x);
	return 0;
}

static void unpin(struct vm_mem *m, struct gio_part *part, int err)
{
	u32 g = part->gpfn;
	struct gpage *p = &m->page[g];
	pfn_t c;

	p->pins--;
	if (err || !(part->flags & PART_ASSOC) || p->pins || p->flags & GPAGE_DIRTY)
		return;
	BUG_ON(p->state != GPAGE_HOT);
	if (slat_get(&m->slat, (gpfn_t){ g }).dirty)
		return;
	c = page_cache_find(m, part->block);
	if (!pfn_none(c)) /* dropped at submission, and nobody could put it since */
		page_cache_drop(m, c, false);
	if (!gpage_associate(m, g, part->block) || !guest_cache_written(m, g, part->block))
		return;
	m->n.swap_outs++;
	if (gpage_unmap(m, g).dirty)
		part->flags |= PART_DIRTY;
	part->flags |= PART_SOFTEN;
}

/* Swapped out by the guest: who gets the page next will touch it, most likely by overwriting it, and that is
 * seen. */
static void soften(struct gio *x)
{
	bool flushed = false;

	for (u32 i = 0; i < x->prepared; i++) {
		const struct gio_part *part = &x->part[i];

		if (!(part->flags & PART_SOFTEN))
			continue;
		if (!flushed)
			pager_flush(x->m);
		flushed = true;
		if (unlikely(trace_on))
			trace_note_evicted(x->m, &part->gpfn, 1);
		gpage_soft_enter(x->m, part->gpfn, part->flags & PART_DIRTY);
	}
}

void guest_write_finish(struct gio *x, int err)
{
	struct vm_mem *m = x->m;

	for (u32 i = 0; i < x->prepared; i++) {
		struct gio_part *part = &x->part[i];

		if (part->how == GIO_IN_PLACE)
			unpin(m, part, err);
		else if (part->how == GIO_BOUNCED)
			frame_put((pfn_t){ part->pfn });
		m->n.guest_writes += !err && gio_whole(part);
	}
	soften(x);
}
