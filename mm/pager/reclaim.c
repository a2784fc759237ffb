/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reclaim.c - takes frames from the coldest pages. Contract: reclaim.h; ARCHITECTURE.md, "Reclaim".
 *
 * Two steps, each in batches. soften(): the coldest HOT pages lose their mapping and go to the end of their
 * guest's FIFO; one flush, then their dirty bits are believed. evict(): from the FIFO's head and the cache's,
 * the colder first: what is known elsewhere is dropped, zeros are forgotten, the rest is gathered into one
 * swap write. A touch of a page on the FIFO takes it back for nothing, so the FIFO is kept short and exists
 * only while its guest is short of frames.
 */
#include "mm/pager/reclaim.h"
#include "arch/x86_64/arch.h"
#include "mm/pager/ahead.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/zip.h"
#include "kernel/trace/trace.h"
#include "mm/pager/gpage.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"

/* The hand stops after so many looks if it has found a page, and looks at the serial port if it has not. */
#define HAND_PAGES 2048
/*
 * what a transfer of odd pieces holds at most at once: sources of 16 KiB on any address, and as many copies
 */
#define BYTEWISE_FRAMES 12u
#define EVICT_LOOKS 64 /* FIFO entries looked at beyond what is wanted */

u32 reclaim_reserve(void)
{
	return MAX(64, frame_total() / 128);
}

/* ---- soft unmapping ---- */

/* The live look found that the page was touched since the last pass: it counts as young from now on. */
static void warm(struct vm_mem *v, u32 g)
{
	struct ages_range r;

	if (ages_touch(&v->ages, &v->age[g], &r))
		curve_note_range(&v->curve, CURVE_SOFT, &r);
	if (unlikely(trace_on))
		trace_note_page(v, TRACE_SET_WARM, g); /* the next pass will not see it */
}

static void choose_ages(struct vm_mem *v, u32 n)
{
	curve_choose(&v->curve, &v->ages, payer_choice(n, v->ages.resident), &v->choice);
	if (pager_breathe)
		pager_breathe();
	v->choice_left = v->choice.pages;
	v->choice_epoch = v->ages.epoch;
}

struct soft_batch {
	u32 n;
	u32 g[PAYER_BATCH];
	bool dirty[PAYER_BATCH];
};

/* One turn of the hand at most. any: pages of every age. True: it has been all the way round. */
static bool hand_round(struct vm_mem *v, u32 n, bool any, struct soft_batch *b)
{
	u32 g = v->reclaim_hand, looked;

	for (looked = 0; looked < v->npages && b->n < n; looked++, g++) {
		enum slat_cold cold;
		struct gpage *p;

		if (g >= v->npages)
			g = 0;
		if (looked && looked % HAND_PAGES == 0) {
			if (b->n)
				break;
			if (pager_breathe)
				pager_breathe();
		}
		if (!any && !ages_chosen(&v->choice, v->age[g]))
			continue;
		p = &v->page[g];
		if (p->state != GPAGE_HOT || p->pins || p->flags & GPAGE_WRITEBACK)
			continue;
		if (!any && ahead_spared(v, g))
			continue;
		if (!any && v->choice_left)
			v->choice_left--;
		cold = slat_unmap_cold(&v->slat, (gpfn_t){ g });
		if (cold == SLAT_WARM) {
			warm(v, g);
			continue;
		}
		b->dirty[b->n] = cold == SLAT_DIRTY;
		b->g[b->n++] = g;
	}
	v->reclaim_hand = g < v->npages ? g : 0;
	if (unlikely(trace_on))
		trace_note_pages_end();
	return looked == v->npages;
}

static __attribute__((noinline)) u32 soften(struct vm_mem *v, u32 n)
{
	bool chosen = !v->choice_left || v->choice_epoch != v->ages.epoch, round;
	struct soft_batch b;

	b.n = 0;
	v->soft_goal = payer_soft_goal(vmmem_held(v));
	if (chosen)
		choose_ages(v, n);
	round = hand_round(v, n, false, &b);
	/* What is left of the last choice can't be taken, but other pages may be as old. */
	if (!b.n && !chosen) {
		choose_ages(v, n);
		round = hand_round(v, n, false, &b);
	}
	if (round && b.n < n)
		v->choice_left = 0;
	/* Every page of those ages was warm. Now the hand takes pages of any age: its first turn cools what
	 * is warm, its second takes what has not been touched since. */
	for (u32 turn = 0; turn < 2 && !b.n; turn++)
		hand_round(v, n, true, &b);
	if (!b.n)
		return 0;
	pager_flush(v);
	if (unlikely(trace_on))
		trace_note_evicted(v, b.g, b.n);
	for (u32 i = 0; i < b.n; i++)
		gpage_soft_enter(v, b.g[i], b.dirty[i]);
	v->idle.pages -= MIN(v->idle.pages, b.n); /* those go first */
	v->n.softened += b.n;
	return b.n;
}

/* ---- eviction ---- */

/* A SOFT page whose content has to be kept, unless it turns out to be zeros. */
static bool found_zero(struct vm_mem *v, u32 g)
{
	struct gpage *p = &v->page[g];

	if (!arch_page_is_zero(pfn_ptr((pfn_t){ p->loc })))
		return false;
	p->flags = (u8)((p->flags & ~GPAGE_DIRTY) | GPAGE_KNOWN_ZERO);
	return true;
}

static bool cache_goes_first(const struct vm_mem *v, u32 soft)
{
	pfn_t c = page_cache_victim(v);

	if (c.n == FRAME_NONE)
		return false;
	if (soft == FRAME_NONE || page_cache_crowded(v))
		return true;
	return (s32)(frame_of(c)->stamp - v->page[frame_of((pfn_t){ soft })->gpfn].stamp) <= 0;
}

/* The FIFO's next dirty pages after `at` join a write that is going to be made anyway; what can be compressed
 * is. */
static u32 gather(struct vm_mem *v, u32 at, u32 *dirty, u32 n, u32 *gained, u32 most)
{
	for (u32 looks = 0;
	     at != FRAME_NONE && n < SWAPOUT_PAGES && n + *gained < most && looks < EVICT_LOOKS; looks++) {
		const struct frame *f = frame_of((pfn_t){ at });
		u32 g = f->gpfn;
		int zipped;

		at = f->next;
		if (gpage_droppable(v, g) || found_zero(v, g))
			continue;
		zipped = zip_offer(v, g);
		if (zipped >= 0)
			*gained += (u32)zipped;
		else
			dirty[n++] = g;
	}
	return n;
}

/* Want frames, if they are there; all that v loses, what is now being written included, comes off *most. */
static u32 evict(struct vm_mem *v, u32 want, u32 *most)
{
	u32 dirty[SWAPOUT_PAGES], ndirty = 0, gained = 0, looks = 0, at = v->soft_head;

	while (gained < want && gained + ndirty < *most && looks < want + EVICT_LOOKS) {
		u32 g, next;
		int zipped = E_AGAIN;

		if (cache_goes_first(v, at)) {
			page_cache_drop(v, page_cache_victim(v), true);
			gained++;
			continue;
		}
		if (at == FRAME_NONE)
			break;
		g = frame_of((pfn_t){ at })->gpfn;
		next = frame_of((pfn_t){ at })->next;
		looks++;
		if (!gpage_droppable(v, g) || zip_wants(v, (pfn_t){ at }))
			zipped = found_zero(v, g) ? E_AGAIN : zip_offer(v, g);
		if (zipped >= 0) {
			gained += (u32)zipped;
		} else if (gpage_droppable(v, g)) {
			if (unlikely(trace_on) && v->page[g].flags & GPAGE_KNOWN_ZERO)
				trace_note_page(v, TRACE_SET_ZEROS, g);
			gpage_drop(v, g);
			gained++;
		} else if (ndirty < SWAPOUT_PAGES && (ndirty || swapout_ready(v))) {
			dirty[ndirty++] = g;
		}
		at = next;
	}
	if (unlikely(trace_on))
		trace_note_pages_end();
	if (ndirty) {
		ndirty = gather(v, at, dirty, ndirty, &gained, *most);
		for (u32 done = 0, k; done < ndirty; done += k) {
			k = swapout_start(v, dirty + done, ndirty - done);
			if (!k)
				break;
			*most -= k;
		}
	}
	*most -= gained;
	return gained;
}

/* As reclaim_take(), but v loses no more than `most`, what is being written included. */
static u32 take(struct vm_mem *v, u32 want, u32 most)
{
	u32 gained;
	bool none = false; /* the hand has been round and found nothing */

	/* As many at once as a swap write frees, about: what is read ahead needs room below max. */
	if (zip_open(v))
		want = MAX(want, ZIP_BATCH);
	want = MIN(want, most);
	if (v->soft_count <= v->soft_goal || v->soft_count < MIN(want, PAYER_BATCH))
		none = !soften(v, PAYER_BATCH);
	gained = v->cache_count || zip_open(v) ? 0 : gpage_drop_heads(v, want); /* the usual case */
	most -= gained;
	if (gained < want)
		gained += evict(v, want - gained, &most);
	/* The whole FIFO may have been dirty while clean pages are left: look further, a few times. */
	for (u32 i = 0;
	     i < 3 && !none && !gained && most && v->writing < 2 * SWAPOUT_PAGES && soften(v, PAYER_BATCH);
	     i++)
		gained = evict(v, want, &most);
	return gained;
}

u32 reclaim_take(struct vm_mem *v, u32 want)
{
	return take(v, want, ~0u);
}

/* ---- who pays ---- */

static struct payer payer_of(const struct vm_mem *v)
{
	return (struct payer){ .held = vmmem_held(v),
			       .writing = v->writing,
			       .min = v->min,
			       .target = v->target,
			       .idle = v->idle.pages };
}

static u32 above_min(const struct vm_mem *v)
{
	struct payer p = payer_of(v);

	return payer_above(&p, true);
}

u32 reclaim_take_above(struct vm_mem *v, u32 want)
{
	u32 most = above_min(v);

	return most ? take(v, want, most) : 0;
}

/* For m from v, which may be m itself: then its min is no matter. */
static u32 take_for(const struct vm_mem *m, struct vm_mem *v, u32 want)
{
	return v == m ? reclaim_take(v, want) : reclaim_take_above(v, want);
}

struct vm_mem *reclaim_richest(const struct vm_mem *but, bool below_ok)
{
	struct vm_mem *best = NULL;
	u32 most = 0;

	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *v = vmmem_all[i];
		struct payer p;

		if (!v || v == but)
			continue;
		p = payer_of(v);
		if (payer_above(&p, below_ok) > most) {
			most = payer_above(&p, below_ok);
			best = v;
		}
	}
	return best;
}

/* The guest with the most idle pages, and more than its min, but; NULL: none has a batch of them. */
static struct vm_mem *idlest(const struct vm_mem *but)
{
	struct vm_mem *best = NULL;
	u32 most = 0;

	for (u32 i = 0; i < vmmem_end; i++) {
		struct vm_mem *v = vmmem_all[i];
		struct payer p;

		if (!v || v == but)
			continue;
		p = payer_of(v);
		if (payer_idle(&p) > most) {
			most = payer_idle(&p);
			best = v;
		}
	}
	return best;
}

/*
 * A curve knows nothing of a working set before it has come round once, so targets can't be right in a first
 * round; and a target is what a guest may have back, not what it must hold. So pages that nobody has touched
 * for long go before others' that are in use, whoever is above its target; their owner, below its own then,
 * is served first if it wakes up.
 */
static struct vm_mem *idle_first(struct vm_mem *v)
{
	struct vm_mem *idle = v->idle.pages ? NULL : idlest(v);

	return idle ? idle : v;
}

struct vm_mem *reclaim_payer(void)
{
	struct vm_mem *v = reclaim_richest(NULL, false);

	return v ? idle_first(v) : NULL;
}

/*
 * How many frames must stay free. The upper half of the reserve is for fills, the lower for rescues and for
 * bounce frames of guests' disk writes. A guest may go into either only while it has fewer frames on the way
 * to or from disks than its part of a half, so that a flood of one leaves the others theirs.
 */
static u32 floor_of(const struct vm_mem *m, enum reclaim_level level)
{
	u32 reserve = reclaim_reserve(), guests = 0;
	u32 way = frame_count_vm(m->id, FRAME_FILLING) + frame_count_vm(m->id, FRAME_BOUNCE);

	for (u32 i = 0; i < vmmem_end; i++)
		guests += vmmem_all[i] != NULL;
	if (level == LEVEL_GUEST || way >= MAX(reserve / 2 / guests, BYTEWISE_FRAMES))
		return reserve;
	return level == LEVEL_FILL ? reserve / 2 : 0;
}

/*
 * The swap area is full, or what is free is owed to others, so only what is clean can go, whoever has it:
 * from those above their min; if they have nothing and no write is under way that frees some, a cached block
 * of any other.
 */
static bool last_resort(const struct vm_mem *m)
{
	u32 passes = reclaim_writing() ? 1 : 2;

	if (m->writing || swapout_room(NULL))
		return false;
	for (u32 pass = 0; pass < passes; pass++) {
		for (u32 i = 0; i < vmmem_end; i++) {
			struct vm_mem *v = vmmem_all[i];

			if (!v || v == m)
				continue;
			if (!pass && reclaim_take_above(v, 1))
				return true;
			if (pass && v->cache_count) {
				page_cache_drop(v, page_cache_victim(v), true);
				return true;
			}
		}
	}
	return false;
}

/* One frame for m from whoever has to pay. */
static bool pay(struct vm_mem *m)
{
	struct vm_mem *v = m;

	if (vmmem_held(m) < MIN(m->target, m->max))
		v = reclaim_richest(m, false);
	if (v)
		v = idle_first(v);
	if (v && take_for(m, v, 1))
		return true;
	if (v && v != m && v->writing)
		return false; /* its frames are on their way */
	return (v != m && reclaim_take(m, 1)) || last_resort(m);
}

pfn_t reclaim_get_frame(struct vm_mem *m, enum frame_state s, bool zero, enum reclaim_level level)
{
	u32 held = vmmem_held(m);
	pfn_t p = NO_PFN;

	if (held >= m->max) { /* above it: max was lowered */
		if (reclaim_take(m, MIN(held - m->max + 1, PAYER_BATCH)) && vmmem_held(m) < m->max)
			p = frame_get(m->id, s, zero);
	} else if (frame_free() > floor_of(m, level) || pay(m)) {
		p = frame_get(m->id, s, zero);
	}
	if (pfn_none(p))
		m->starving = true;
	else
		m->stuck_since_ns = 0;
	return p;
}

pfn_t reclaim_spare_frame(struct vm_mem *m, enum frame_state s, u32 stamp)
{
	u32 held = vmmem_held(m);
	struct vm_mem *v;

	if (held < m->max) {
		if (frame_free() > reclaim_reserve())
			return frame_get(m->id, s, false);
		v = held < m->target ? reclaim_richest(m, false) : NULL;
		if (v && reclaim_take_above(v, 1))
			return frame_get(m->id, s, false);
	}
	if (held > m->max)
		return NO_PFN;
	if (m->cache_count) {
		page_cache_drop(m, page_cache_victim(m), true);
		return frame_get(m->id, s, false);
	}
	/* Are there pages that are colder than the block that wants to be kept? */
	if ((s32)(m->ages.stamp[ages_threshold(&m->ages, PAYER_BATCH)] + 1 - stamp) < 0 && reclaim_take(m, 1))
		return frame_get(m->id, s, false);
	return NO_PFN;
}

pfn_t reclaim_ahead_frame(struct vm_mem *m)
{
	u32 held = vmmem_held(m);
	struct vm_mem *v = NULL;

	if (held >= m->max)
		return NO_PFN;
	if (frame_free() > reclaim_reserve())
		return frame_get(m->id, FRAME_FILLING, false);
	if (held < m->target)
		v = reclaim_richest(m, false);
	else if (ahead_may_pay(m))
		v = m;
	return v && take_for(m, v, 1) ? frame_get(m->id, FRAME_FILLING, false) : NO_PFN;
}
