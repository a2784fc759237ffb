/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * swapout.c - writes evicted pages to the swap area, many a request. Contract: reclaim.h.
 *
 * While the write is in flight a page is SOFT with GPAGE_WRITEBACK and its frame WRITING. A touch makes it
 * HOT again: then the slot is released when the write is done (its content may be a mixture by then).
 * Otherwise the page becomes SWAP and its frame free. Requests in flight are bounded by the pool.
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/pool.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/gpage.h"
#include "mm/share/promise.h"
#include "mm/pager/swap.h"

#define COPY_LOOKS 8192 /* slots looked at for copies by one request */

struct swapout {
	struct block_req req;
	struct block_seg seg[SWAPOUT_PAGES];
	u32 g[SWAPOUT_PAGES];
	struct vm_mem *m;
	u32 n, slot;
	u64 start_ns; /* 0: others were on their way before it */
};

/* Of its own: 512 KiB on their way, more than a disk that seeks writes in one turn. */
const struct pool_kind pool_writes = {
	.bytes = sizeof(struct swapout), .zeroed = sizeof(struct block_req), .own = 4, .lent = 8
};
static u32 writing;

u32 swapout_room(const struct vm_mem *m)
{
	u64 taken = swap_used() - swap_copies();

	for (u32 i = 0; i < vmmem_end; i++) {
		const struct vm_mem *v = vmmem_all[i];
		u32 need = v && v != m ? promise_beyond(v->npages, v->max) : 0;

		if (need)
			taken += need - MIN(need, swap_only(v->id));
	}
	return taken < swap_slots() ? swap_slots() - (u32)taken : 0;
}

bool swapout_ready(struct vm_mem *m)
{
	return !m->dead && !m->draining && swapout_room(m) && pool_ask(m, POOL_WRITES);
}

/* Slots that only double what is in memory make room for others. */
static void release_copies(u32 want)
{
	static u32 hand;

	for (u32 looks = 0; looks < COPY_LOOKS && want && swap_copies(); looks++) {
		u32 slot = hand < swap_slots() ? hand : 0;
		u8 owner = swap_owner_of(slot);
		struct vm_mem *m = owner < FRAME_MAX_VMS ? vmmem_all[owner] : NULL;
		u32 g = m ? swap_page_at(slot, owner) : NO_GPFN.n;

		hand = slot + 1;
		if (!m || g >= m->npages || !gpage_resident(&m->page[g]) ||
		    gpage_frame(m, g)->block != (FRAME_IN_SLOT | slot))
			continue;
		gpage_set_dirty(m, g);
		want--;
	}
}

u32 reclaim_writing(void)
{
	return writing;
}

struct slot_call { void (*fn)(void *ctx, struct vm_mem *m, u32 slot); void *ctx; };

static void each_slot(void *ctx, void *entry)
{
	const struct slot_call *call = ctx;
	const struct swapout *s = entry;

	for (u32 k = 0; k < s->n; k++)
		call->fn(call->ctx, s->m, s->slot + k);
}

void swapout_each_slot(void (*fn)(void *ctx, struct vm_mem *m, u32 slot), void *ctx)
{
	pool_each(POOL_WRITES, each_slot, &(struct slot_call){ fn, ctx });
}

static void page_written(struct vm_mem *m, u32 g, u32 slot, int err)
{
	struct gpage *p = &m->page[g];
	pfn_t pfn = { p->loc };

	BUG_ON(!(p->flags & GPAGE_WRITEBACK));
	p->flags &= (u8)~GPAGE_WRITEBACK;
	if (p->state != GPAGE_SOFT) { /* touched meanwhile */
		swap_free(slot);
		return;
	}
	if (err) {
		swap_free(slot);
		gpage_soft_enter(m, g, true);
		return;
	}
	p->state = GPAGE_SWAP;
	p->loc = slot;
	p->flags = 0;
	frame_put(pfn);
}

static void swapout_done(struct block_req *r)
{
	struct swapout *s = r->ctx;
	struct vm_mem *m = s->m;

	m->io_in_flight--;
	pager_worked(m);
	if (s->start_ns && !r->err)
		zplan_note_write(&m->zplan, s->n, arch_ns() - s->start_ns);
	m->writing -= s->n;
	writing -= s->n;
	for (u32 i = 0; i < s->n; i++)
		page_written(m, s->g[i], s->slot + i, r->err);
	if (r->err)
		pager_io_failed(m, "swap", r);
	pool_put(m, POOL_WRITES, s);
	pager_progress(m);
	pager_frames_freed();
}

u32 swapout_start(struct vm_mem *m, const u32 *g, u32 n)
{
	u32 most = MIN(MIN(n, SWAPOUT_PAGES), swapout_room(m)), slot;
	struct swapout *s;

	if (m->dead || m->draining || !most)
		return 0;
	most = MIN(most, swap_dev()->max_sectors / SECTORS_PER_PAGE);
	if (swap_slots() - swap_used() < 2 * most)
		release_copies(2 * most);
	if (!pool_has(m, POOL_WRITES))
		return 0;
	n = swap_take(most, &slot);
	if (!n)
		return 0;
	s = pool_get(m, POOL_WRITES);
	s->slot = slot;
	s->m = m;
	s->n = n;
	for (u32 i = 0; i < n; i++) {
		struct gpage *p = &m->page[g[i]];

		if (gpage_frame(m, g[i])->block && !(p->flags & GPAGE_DIRTY))
			m->n.silent_swap_writes++;
		gpage_soft_leave(m, g[i]);
		frame_change(gpage_frame(m, g[i]), FRAME_WRITING);
		p->flags |= GPAGE_WRITEBACK;
		swap_note_page(s->slot + i, m->id, g[i]);
		s->g[i] = g[i];
		s->seg[i] = (struct block_seg){ pfn_hpa((pfn_t){ p->loc }), PAGE_SIZE };
	}
	s->req = (struct block_req){ .dev = swap_dev(),
				     .op = BLOCK_WRITE,
				     .class = BLOCK_BACK,
				     .owner = m->id,
				     .sector = swap_sector(s->slot),
				     .nsectors = n * SECTORS_PER_PAGE,
				     .segs = s->seg,
				     .nsegs = n,
				     .done = swapout_done,
				     .ctx = s };
	s->start_ns = writing ? 0 : arch_ns();
	m->n.swap_writes += n;
	m->writing += n;
	writing += n;
	m->io_in_flight++;
	block_submit(&s->req);
	return n;
}
