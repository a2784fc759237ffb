/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_ahead.c - what a guest of a replay touches, and what comes with it. Contract: whatif_ahead.h.
 */
#include "tools/whatif_ahead.h"
#include "tools/whatif_events.h"

#include <stdlib.h>

#define FAR 0x80000000u /* a block whose number is not known: beside nothing */
#define REQUESTS 64u    /* in the background, at most, between two events */

struct beside {
	const struct wi_guest *g;
	const struct wi_slots *slots; /* NULL: blocks */
};

/* Where an evicted page lies. */
static u32 loc_of(const struct wi_guest *g, u32 page)
{
	const struct wi_mem *m = &g->mem;

	if (wi_mem_in_swap(m, page))
		return m->slot[page];
	return m->twin[page] == WI_NOWHERE ? FAR : g->rec->block[m->twin[page] - g->rec->ram];
}

static u32 slot_page(const struct beside *x, u32 slot)
{
	const struct wi_mem *m = &x->g->mem;
	u32 page;

	if (slot >= x->slots->n || x->slots->owner[slot] != m->id)
		return AHEAD_NO_PAGE;
	page = x->slots->item[slot];
	return m->state[page] == WI_AWAY && wi_mem_in_swap(m, page) && m->slot[page] == slot ? page :
											       AHEAD_NO_PAGE;
}

static u32 block_page(const struct beside *x, u32 block)
{
	const struct wi_mem *m = &x->g->mem;
	u32 item = wi_item_of_block(x->g->rec, block), page;

	if (item == WI_NOWHERE)
		return AHEAD_NO_PAGE;
	page = m->twin[item];
	return page != WI_NOWHERE && m->state[page] == WI_AWAY && !wi_mem_in_swap(m, page) ? page :
											     AHEAD_NO_PAGE;
}

static u32 page_at(const void *ctx, u32 loc)
{
	const struct beside *x = ctx;

	return x->slots ? slot_page(x, loc) : block_page(x, loc);
}

static void find_run(const struct wi_host *h, const struct wi_guest *g, u32 page, u32 most,
		     struct ahead_run *r)
{
	struct beside x = { g, wi_mem_in_swap(&g->mem, page) ? &h->slots : NULL };

	readahead_run(r, page, loc_of(g, page), most, page_at, &x);
}

/* One page on a guess; false: no frame for it. */
static bool bring(struct wi_host *h, u32 v, u32 page)
{
	struct wi_guest *g = &h->guest[v];

	if (!wi_host_ahead_frame(h, v))
		return false;
	wi_mem_restore(&g->mem, page, true);
	readahead_sample(&g->ahead, page);
	return true;
}

void wi_ahead_bring(struct wi_host *h, u32 v, u32 item)
{
	if (h->guest[v].mem.state[item] == WI_AWAY)
		(void)bring(h, v, item);
}

/* What lies behind and before the one that was asked for, as far as there are frames. Returns what follows
 * the last. */
static u32 bring_rest(struct wi_host *h, u32 v, const struct ahead_run *r)
{
	u32 lo = r->at, hi = r->at + 1;

	while (hi < r->n && bring(h, v, r->g[hi]))
		hi++;
	while (lo > 0 && bring(h, v, r->g[lo - 1]))
		lo--;
	return r->loc + hi;
}

enum wi_touch wi_ahead_touch(struct wi_host *h, u32 v, u32 item, u64 now_ns)
{
	struct wi_guest *g = &h->guest[v];
	struct wi_mem *m = &g->mem;
	const struct quota *q = wi_host_quota(h, v);
	bool demand = h->reads_ahead && m->state[item] == WI_AWAY && item < g->rec->ram,
	     swap = wi_mem_in_swap(m, item);
	struct ahead_run r;
	enum wi_touch how;

	if (demand) {
		u32 n = readahead_demand(&g->ahead, item, g->rec->ram, loc_of(g, item), swap, now_ns);

		n = readahead_room(&g->ahead, n, wi_host_plentiful(h, v, n), wi_mem_held(m), q->target,
				   q->qos.max_frames);
		find_run(h, g, item, 1 + n, &r);
	}
	if (wi_mem_needs_frame(m, item))
		wi_host_frame(h, v);
	how = wi_mem_touch(m, item);
	if (demand) {
		readahead_follow(&g->ahead, bring_rest(h, v, &r), swap);
	}
	return how;
}

/* ---- in the background ---- */

static bool has_room(struct wi_host *h, u32 v)
{
	const struct quota *q = wi_host_quota(h, v);
	u32 limit =
		wi_host_plentiful(h, v, AHEAD_MOST) ? q->qos.max_frames : MIN(q->target, q->qos.max_frames);

	return readahead_has_room(wi_mem_held(&h->guest[v].mem), limit, h->guest[v].rec->ram);
}

/* The next page from the one on that woke it. False: none is left. */
static bool bring_next(struct wi_host *h, u32 v)
{
	struct wi_guest *g = &h->guest[v];
	struct ahead *a = &g->ahead;

	for (; a->left; a->left--) {
		u32 page = a->cursor < g->rec->ram ? a->cursor : 0;
		struct ahead_run r;

		a->cursor = page + 1;
		if (g->mem.state[page] != WI_AWAY)
			continue;
		find_run(h, g, page, AHEAD_MOST, &r);
		if (!bring(h, v, page))
			return false;
		(void)bring_rest(h, v, &r);
		return true;
	}
	return false;
}

void wi_ahead_background(struct wi_host *h, u32 v, u64 now_ns)
{
	struct wi_guest *g = &h->guest[v];

	for (u32 i = 0; i < REQUESTS && h->reads_ahead && readahead_wakes(&g->ahead, now_ns); i++) {
		u64 start = MAX(g->busy_ns, g->ahead.demand_ns), cost = g->rec->cost_swap * 1000ull;

		if (start + cost > now_ns || !has_room(h, v) || !bring_next(h, v))
			break;
		g->busy_ns = start + cost;
	}
}

/* ---- were the guesses right ---- */

static enum readahead_seen seen(const void *ctx, u32 page)
{
	const struct wi_mem *m = ctx;

	if (m->state[page] != WI_HOT)
		return AHEAD_GONE;
	return wi_mem_accessed(m, page) ? AHEAD_TOUCHED : AHEAD_NOT_YET;
}

void wi_ahead_look(struct wi_host *h, u32 v)
{
	u32 used, wasted;

	readahead_look(&h->guest[v].ahead, seen, &h->guest[v].mem, &used, &wasted);
}
