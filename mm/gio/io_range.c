/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_range.c - before a guest overwrites blocks: fills from them finish, pages that live only there are
 * rescued, all other pages are dissociated, cached frames dropped. A DISCARD overwrites nothing, since
 * the host disk is not told of it: what is cached of the range is forgotten, and no more. Contract:
 * guest_io.h.
 *
 * No page can become associated with the range meanwhile: reads and writes that overlap wait, and a
 * rescued page is dirty when it arrives. So a cursor over the range moves on past what is done and
 * looks a little ahead, so that several rescues are under way at once. A long range goes in pieces of
 * RANGE_BLOCKS, with a turn of the main loop between two of them.
 */
#include "mm/pager/fill.h"
#include "mm/pager/guest_cache.h"
#include "mm/gio/guest_io.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pool.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/page_cache.h"

#define LOOK_AHEAD 64 /* blocks beyond the first that is not done */
/*
 * At once: about 60,000 instructions with nothing to do for any of them, a tenth of a slice of 10 ms at
 * 55 MIPS
 */
#define RANGE_BLOCKS 1024

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
		if (m->pool[POOL_FILLS].ticket && !pool_has(m, POOL_FILLS))
			return false; /* it waits for an entry already */
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

/* The piece from the cursor on. */
static struct range piece_of(const struct gio *x)
{
	struct range r = range_of(x);

	r.first += (u32)MIN(x->cursor, (u64)(r.end - r.first));
	r.end = MIN(r.end, r.first + RANGE_BLOCKS);
	return r;
}

/* Is that all? If not, the main loop comes back for the next piece. */
static int end_of_piece(struct gio *x)
{
	struct range r = range_of(x);

	if (x->cursor >= r.end - r.first)
		return E_OK;
	guest_io_ask(x->m);
	return E_AGAIN;
}

int io_range_clear(struct gio *x)
{
	struct range r = piece_of(x);
	u64 from = x->cursor;
	bool moving = true;

	for (u32 i = r.first; i < r.end && i < r.first + (x->cursor - from) + LOOK_AHEAD; i++) {
		bool clear = release_block(x->m, i);

		moving = moving && clear;
		x->cursor += moving;
	}
	if (x->io->op != GUEST_IO_WRITE)
		guest_cache_erased(x->m, r.first, r.first + (u32)(x->cursor - from));
	return moving ? end_of_piece(x) : E_AGAIN;
}

int io_range_forget(struct gio *x)
{
	struct range r = piece_of(x);

	for (u32 i = r.first; i < r.end && x->m->cache_count; i++) {
		pfn_t c = page_cache_find(x->m, i);

		if (!pfn_none(c))
			page_cache_drop(x->m, c, false);
	}
	guest_cache_erased(x->m, r.first, r.end);
	x->cursor += r.end - r.first;
	return end_of_piece(x);
}
