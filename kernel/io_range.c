/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_range.c - before a guest overwrites blocks: fills from them finish, pages that live only there are rescued, all
 * other pages are dissociated, cached frames dropped. Contract: guest_io.h.
 *
 * No page can become associated with the range meanwhile: reads and writes that overlap wait, and a rescued page is dirty
 * when it arrives. So a cursor over the range (or, if that is longer, over the guest's pages) moves on past what is
 * done and looks a little ahead, so that several rescues are under way at once.
 */
#include "kernel/fill.h"
#include "kernel/guest_cache.h"
#include "kernel/guest_io.h"
#include "kernel/lib/lib.h"
#include "mm/blockmap.h"
#include "mm/gpage.h"
#include "mm/page_cache.h"

#define LOOK_AHEAD 64 /* blocks or pages beyond the first that is not done */

struct range {
	u32 first, end; /* blocks */
};

static struct range range_of(const struct gio *x)
{
	const struct guest_disk *d = &x->m->disk[x->io->disk];
	u64 first = x->io->sector / SECTORS_PER_PAGE;
	u64 end = (x->io->sector + x->io->nsectors + SECTORS_PER_PAGE - 1) / SECTORS_PER_PAGE;

	first = MIN(first, (u64)d->nblocks);
	end = MIN(end, (u64)d->nblocks);
	return (struct range){ d->base + (u32)first, d->base + (u32)end };
}

/* Page g holds or lives in a block of the range. True: nothing left to wait for. */
static bool release_page(struct vm_mem *m, u32 g)
{
	struct gpage *p = &m->page[g];

	switch (p->state) {
	case GPAGE_HOT:
	case GPAGE_SOFT:
		gpage_set_dirty(m, g);
		return true;
	case GPAGE_FILLING:
		gpage_frame(m, g)->flags |= FRAME_RESCUE;
		return false;
	default: /* DISC; busy with a bounce read, or rescued now */
		if (p->pins || fill_page(m, g, FILL_RESCUE) == E_AGAIN) {
			m->n.rescues += p->state == GPAGE_FILLING;
			return false;
		}
		m->n.rescues++;
		return true;
	}
}

static bool release_block(struct vm_mem *m, u32 block)
{
	u32 g[BLOCKMAP_CHAIN_MAX + 1], n = 0;
	bool clear = true;
	pfn_t c;

	for (u32 i = blockmap_next(m, block, NO_GPFN.n); i != NO_GPFN.n && n < ARRAY_SIZE(g);
	     i = blockmap_next(m, block, i))
		g[n++] = i;
	/* A rescue may reclaim for its frame, and that may take pages off this chain. */
	for (u32 i = 0; i < n; i++)
		if (blockmap_block_of(m, g[i]) == block)
			clear &= release_page(m, g[i]);
	c = page_cache_find(m, block);
	if (!pfn_none(c))
		page_cache_drop(m, c, false);
	return clear;
}

static void drop_cached(struct vm_mem *m, const struct range *r)
{
	for (u32 i = 0; i < CACHE_LISTS; i++)
		for (u32 n = m->cache[i].head, next; n != FRAME_NONE; n = next) {
			u32 block = frame_of((pfn_t){ n })->block - 1;

			next = frame_of((pfn_t){ n })->next;
			if (block >= r->first && block < r->end)
				page_cache_drop(m, (pfn_t){ n }, false);
		}
}

static int clear_by_page(struct gio *x, const struct range *r)
{
	struct vm_mem *m = x->m;
	bool moving = true;

	for (u32 g = (u32)x->cursor; g < m->npages && g < x->cursor + LOOK_AHEAD; g++) {
		u32 block = blockmap_block_of(m, g);
		bool clear = block == BLOCK_NONE || block < r->first || block >= r->end || release_page(m, g);

		moving = moving && clear;
		if (moving)
			x->cursor = g + 1;
	}
	if (x->cursor < m->npages)
		return E_AGAIN;
	drop_cached(m, r);
	return E_OK;
}

static int clear_by_block(struct gio *x, const struct range *r)
{
	u64 blocks = r->end - r->first;
	bool moving = true;

	for (u64 i = x->cursor; i < blocks && i < x->cursor + LOOK_AHEAD; i++) {
		bool clear = release_block(x->m, r->first + (u32)i);

		moving = moving && clear;
		if (moving)
			x->cursor = i + 1;
	}
	return x->cursor < blocks ? E_AGAIN : E_OK;
}

int io_range_clear(struct gio *x)
{
	struct range r = range_of(x);
	int err;

	/* Pages the range touches may be dirty by now and swapped out: by page, a rescued one is seen as done. */
	err = r.end - r.first > x->m->npages ? clear_by_page(x, &r) : clear_by_block(x, &r);
	if (!err && x->io->op != GUEST_IO_WRITE)
		guest_cache_erased(x->m, r.first, r.end);
	return err;
}
