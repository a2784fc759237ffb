/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahead.c - what is read back unasked. Contract: ahead.h.
 */
#include "mm/pager/ahead.h"
#include "arch/x86_64/arch.h"
#include "mm/pager/fill.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"

#define LOOKS 2048u /* pages looked at by one call of the chore */

/* ---- what lies beside it on the disk ---- */

/* The page that alone holds the block at loc, evicted and idle; NO_GPFN.n. */
static u32 block_page(const struct vm_mem *m, const struct guest_disk *d, u32 loc)
{
	u32 found = NO_GPFN.n;

	if (loc - d->base >= d->nblocks || !pfn_none(page_cache_find(m, loc)))
		return NO_GPFN.n;
	for (u32 g = blockmap_next(m, loc, NO_GPFN.n); g != NO_GPFN.n; g = blockmap_next(m, loc, g)) {
		if (m->page[g].state != GPAGE_DISC || m->page[g].pins)
			return NO_GPFN.n;
		found = g;
	}
	return found;
}

static u32 slot_page(const struct vm_mem *m, u32 slot)
{
	u32 g = swap_page_at(slot, m->id);
	const struct gpage *p;

	if (g >= m->npages)
		return NO_GPFN.n;
	p = &m->page[g];
	return p->state == GPAGE_SWAP && p->loc == slot && !p->pins ? g : NO_GPFN.n;
}

struct beside {
	const struct vm_mem *m;
	const struct guest_disk *d; /* NULL: the swap area */
};

static u32 page_at(const void *ctx, u32 loc)
{
	const struct beside *x = ctx;

	return x->d ? block_page(x->m, x->d, loc) : slot_page(x->m, loc);
}

void ahead_run(const struct vm_mem *m, u32 g, u32 most, struct ahead_run *r)
{
	const struct gpage *p = &m->page[g];
	struct beside x = { .m = m };
	u64 sector;

	if (p->state != GPAGE_SWAP && !blockmap_locate(m, p->loc, &x.d, &sector))
		most = 1;
	readahead_run(r, g, p->loc, most, page_at, &x);
}

/* ---- how much ---- */

bool ahead_may_pay(const struct vm_mem *m)
{
	return readahead_may_pay(&m->ahead);
}

u32 ahead_demand(struct vm_mem *m, u32 g)
{
	const struct gpage *p = &m->page[g];
	u32 n = readahead_demand(&m->ahead, g, m->npages, p->loc, p->state == GPAGE_SWAP, arch_ns());

	return 1 + readahead_room(&m->ahead, n, pager_plentiful(m, n), vmmem_held(m), m->target, m->max);
}

void ahead_follow(struct vm_mem *m, u32 loc, bool swap)
{
	readahead_follow(&m->ahead, loc, swap);
}

/* ---- were the guesses right ---- */

void ahead_returned(struct vm_mem *m, u32 g)
{
	struct frame *f = gpage_frame(m, g);

	f->flags |= FRAME_AHEAD;
	f->stamp = m->ages.epoch;
	readahead_sample(&m->ahead, g);
}

bool ahead_spared(const struct vm_mem *m, u32 g)
{
	const struct frame *f = gpage_frame(m, g);

	return f->flags & FRAME_AHEAD && m->ages.epoch - f->stamp < AHEAD_SPARED_PASSES;
}

static enum readahead_seen seen(const void *ctx, u32 g)
{
	const struct vm_mem *m = ctx;

	if (m->page[g].state != GPAGE_HOT)
		return AHEAD_GONE;
	return slat_get(&m->slat, (gpfn_t){ g }).accessed ? AHEAD_TOUCHED : AHEAD_NOT_YET;
}

void ahead_look(struct vm_mem *m)
{
	u32 used, wasted;

	readahead_look(&m->ahead, seen, m, &used, &wasted);
	m->n.ahead_used += used;
	m->n.ahead_wasted += wasted;
}

/* ---- in the background ---- */

static bool wakes_up(const struct vm_mem *m, u64 now)
{
	return !m->dead && !m->draining && !m->starving && readahead_wakes(&m->ahead, now);
}

/* Below a limit that it may run into, more than one eviction there frees: what was written out must not come
 * back by itself. */
static bool has_room(const struct vm_mem *m)
{
	u32 limit = pager_plentiful(m, AHEAD_MOST) ? m->max : MIN(m->target, m->max);

	return readahead_has_room(vmmem_held(m), limit, m->npages);
}

/* Away, and not in the cache, where a touch finds it without I/O. */
static bool is_away(const struct vm_mem *m, u32 g)
{
	const struct gpage *p = &m->page[g];

	return !p->pins &&
	       (p->state == GPAGE_SWAP || (p->state == GPAGE_DISC && pfn_none(page_cache_find(m, p->loc))));
}

/* From the page on that woke it, over all of them once. */
static bool bring_back(struct vm_mem *m)
{
	struct ahead *a = &m->ahead;

	for (u32 looks = 0; looks < LOOKS && a->left; looks++, a->left--) {
		u32 g = a->cursor < m->npages ? a->cursor : 0;

		a->cursor = g + 1;
		if (is_away(m, g))
			return fill_ahead(m, g);
	}
	return false;
}

bool ahead_chore(void)
{
	static u32 turn;
	u64 now = arch_ns();
	u32 from = turn++;

	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *m = vmmem_all[(from + i) % vmmem_end];

		if (m && !m->away && wakes_up(m, now) && has_room(m) && bring_back(m))
			return true;
	}
	return false;
}
