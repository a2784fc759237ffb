/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahead.c - what is read back unasked. Contract: ahead.h.
 */
#include "kernel/ahead.h"
#include "arch/x86_64/arch.h"
#include "kernel/fill.h"
#include "kernel/lib/lib.h"
#include "kernel/pager_priv.h"
#include "mm/blockmap.h"
#include "mm/gpage.h"
#include "mm/page_cache.h"
#include "mm/swap.h"

#define START_WINDOW 8u
#define NEAR 4u               /* a demand so close behind the last run goes on with it */
#define AWAKE_NS 300000000ull /* between two demands of a guest that is waking up */
#define AWAKE_DEMANDS 4u      /* so many in a row before the background helps */
#define LOOKS 2048u           /* pages looked at by one call of the chore */
#define FEW_SAMPLES 16u
#define TRIAL 3u              /* pages read ahead at the price of own ones before guesses are known to be right */
#define MANY_SAMPLES 128u
#define SPARED_PASSES 2u
#define SLACK (4 * AHEAD_MOST)

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

void ahead_run(const struct vm_mem *m, u32 g, u32 most, struct ahead_run *r)
{
	const struct gpage *p = &m->page[g];
	const struct guest_disk *d = NULL;
	u32 before[AHEAD_MOST], nbefore = 0, n = 1, h;
	bool swap = p->state == GPAGE_SWAP;
	u64 sector;

	most = MIN(MAX(most, 1), AHEAD_MOST);
	if (!swap && !blockmap_locate(m, p->loc, &d, &sector))
		most = 1;
	r->g[0] = g;
	for (; n < most; n++) {
		h = swap ? slot_page(m, p->loc + n) : block_page(m, d, p->loc + n);
		if (h == NO_GPFN.n)
			break;
		r->g[n] = h;
	}
	for (; n + nbefore < most; nbefore++) {
		u32 loc = p->loc - nbefore - 1;

		h = swap ? slot_page(m, loc) : block_page(m, d, loc);
		if (h == NO_GPFN.n)
			break;
		before[nbefore] = h;
	}
	memmove(r->g + nbefore, r->g, n * sizeof(u32));
	for (u32 i = 0; i < nbefore; i++)
		r->g[i] = before[nbefore - 1 - i];
	r->n = n + nbefore;
	r->at = nbefore;
	r->loc = p->loc - nbefore;
}

/* ---- how much ---- */

static bool is_known(const struct ahead *a)
{
	return a->used + a->wasted >= FEW_SAMPLES;
}

bool ahead_may_pay(const struct vm_mem *m)
{
	return !is_known(&m->ahead) || m->ahead.used >= 3 * m->ahead.wasted;
}

/* Pages beyond the wanted one that may come now. A guest below its target is going to be given the frames anyway; one
 * at its target pays with its coldest pages, if that has proved right, and for a few to find out. */
static u32 room(const struct vm_mem *m, u32 n)
{
	u32 held = vmmem_held(m), deserved = MIN(m->target, m->max);

	if (pager_plentiful(m, n))
		return n;
	if (held < deserved)
		return MIN(n, deserved - held);
	if (!ahead_may_pay(m) || held >= m->max)
		return 0;
	return is_known(&m->ahead) ? n / 2 : MIN(n, TRIAL);
}

u32 ahead_demand(struct vm_mem *m, u32 g)
{
	struct ahead *a = &m->ahead;
	const struct gpage *p = &m->page[g];
	u64 now = arch_ns();

	a->demands = now - a->demand_ns < AWAKE_NS ? a->demands + 1 : 1;
	a->demand_ns = now;
	if (a->demands == 1)
		a->cursor = g;
	if (a->demands % MANY_SAMPLES == 1)
		a->left = m->npages;
	if (!a->window)
		a->window = START_WINDOW;
	if (a->next_swap == (p->state == GPAGE_SWAP) && p->loc - a->next < NEAR && a->wasted <= a->used)
		a->window = MIN(a->window * 2, AHEAD_MOST);
	return 1 + room(m, a->window - 1);
}

void ahead_follow(struct vm_mem *m, u32 loc, bool swap)
{
	m->ahead.next = loc;
	m->ahead.next_swap = swap;
}

/* ---- were the guesses right ---- */

void ahead_returned(struct vm_mem *m, u32 g)
{
	struct ahead *a = &m->ahead;
	struct frame *f = gpage_frame(m, g);

	f->flags |= FRAME_AHEAD;
	f->stamp = m->ages.epoch;
	if (a->samples == AHEAD_SAMPLES)
		return;
	a->sample[a->samples].g = g;
	a->sample[a->samples++].seen_once = false;
}

bool ahead_spared(const struct vm_mem *m, u32 g)
{
	const struct frame *f = gpage_frame(m, g);

	return f->flags & FRAME_AHEAD && m->ages.epoch - f->stamp < SPARED_PASSES;
}

/* A sample has one whole interval between passes to be touched in. */
void ahead_look(struct vm_mem *m)
{
	struct ahead *a = &m->ahead;
	u32 keep = 0, used = 0, wasted = 0;

	for (u32 i = 0; i < a->samples; i++) {
		u32 g = a->sample[i].g;
		bool hot = m->page[g].state == GPAGE_HOT;

		if (hot && slat_get(&m->slat, (gpfn_t){ g }).accessed) {
			used++;
		} else if (!hot || a->sample[i].seen_once) {
			wasted++;
		} else {
			a->sample[keep].g = g;
			a->sample[keep++].seen_once = true;
		}
	}
	a->samples = (u8)keep;
	if (!used && !wasted)
		return;
	m->n.ahead_used += used;
	m->n.ahead_wasted += wasted;
	a->used += used;
	a->wasted += wasted;
	if (a->used + a->wasted > MANY_SAMPLES) {
		a->used /= 2;
		a->wasted /= 2;
	}
	if (is_known(a) && a->wasted > 2 * a->used)
		a->window = MAX(a->window / 2, 2u);
	else if (a->used > a->wasted && a->window < START_WINDOW)
		a->window *= 2;
}

/* ---- in the background ---- */

static bool wakes_up(const struct vm_mem *m, u64 now)
{
	const struct ahead *a = &m->ahead;

	return !m->dead && !m->draining && !m->starving && a->left && !a->background &&
	       a->demands >= AWAKE_DEMANDS && now - a->demand_ns < AWAKE_NS &&
	       (!is_known(a) || a->used >= a->wasted);
}

/* Below a limit that it may run into, more than one eviction there frees: what was written out must not come back by itself. */
static bool has_room(const struct vm_mem *m)
{
	u32 held = vmmem_held(m), limit = pager_plentiful(m, AHEAD_MOST) ? m->max : MIN(m->target, m->max);

	return held + (limit < m->npages ? MAX(SLACK, limit / 16) : AHEAD_MOST) <= limit;
}

/* Away, and not in the cache, where a touch finds it without I/O. */
static bool is_away(const struct vm_mem *m, u32 g)
{
	const struct gpage *p = &m->page[g];

	return !p->pins && (p->state == GPAGE_SWAP || (p->state == GPAGE_DISC && pfn_none(page_cache_find(m, p->loc))));
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

	for (u32 i = 0; i < FRAME_MAX_VMS; i++) {
		struct vm_mem *m = vmmem_all[(from + i) % FRAME_MAX_VMS];

		if (m && wakes_up(m, now) && has_room(m) && bring_back(m))
			return true;
	}
	return false;
}
