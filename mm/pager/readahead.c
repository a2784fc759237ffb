/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * readahead.c - how much is read back unasked. Contract: readahead.h.
 */
#include "mm/pager/readahead.h"
#include "kernel/lib/lib.h"

#define START_WINDOW 8u
#define NEAR 4u               /* a demand so close behind the last run goes on with it */
#define AWAKE_NS 300000000ull /* between two demands of a guest that is waking up */
#define AWAKE_DEMANDS 4u      /* so many in a row before the background helps */
#define FEW_SAMPLES 16u
/* pages read ahead at the price of own ones before guesses are known to be right */
#define TRIAL 3u
#define MANY_SAMPLES 128u

void readahead_run(struct ahead_run *r, u32 g, u32 loc, u32 most, readahead_page_at *page_at, const void *ctx)
{
	u32 before[AHEAD_MOST], nbefore = 0, n = 1, h;

	most = MIN(MAX(most, 1), AHEAD_MOST);
	r->g[0] = g;
	for (; n < most; n++) {
		h = page_at(ctx, loc + n);
		if (h == AHEAD_NO_PAGE)
			break;
		r->g[n] = h;
	}
	for (; n + nbefore < most; nbefore++) {
		h = page_at(ctx, loc - nbefore - 1);
		if (h == AHEAD_NO_PAGE)
			break;
		before[nbefore] = h;
	}
	memmove(r->g + nbefore, r->g, n * sizeof(u32));
	for (u32 i = 0; i < nbefore; i++)
		r->g[i] = before[nbefore - 1 - i];
	r->n = n + nbefore;
	r->at = nbefore;
	r->loc = loc - nbefore;
}

/* ---- how much ---- */

static bool is_known(const struct ahead *a)
{
	return a->used + a->wasted >= FEW_SAMPLES;
}

bool readahead_may_pay(const struct ahead *a)
{
	return !is_known(a) || a->used >= 3 * a->wasted;
}

/* A guest below its target is going to be given the frames anyway; one at its target pays with its coldest
 * pages, if that has proved right, and for a few to find out. */
u32 readahead_room(const struct ahead *a, u32 n, bool plentiful, u32 held, u32 target, u32 max)
{
	u32 deserved = MIN(target, max);

	if (plentiful)
		return n;
	if (held < deserved)
		return MIN(n, deserved - held);
	if (!readahead_may_pay(a) || held >= max)
		return 0;
	return is_known(a) ? n / 2 : MIN(n, TRIAL);
}

u32 readahead_demand(struct ahead *a, u32 g, u32 npages, u32 loc, bool swap, u64 now_ns)
{
	a->demands = now_ns - a->demand_ns < AWAKE_NS ? a->demands + 1 : 1;
	a->demand_ns = now_ns;
	if (a->demands == 1)
		a->cursor = g;
	if (a->demands % MANY_SAMPLES == 1)
		a->left = npages;
	if (!a->window)
		a->window = START_WINDOW;
	if (a->next_swap == swap && loc - a->next < NEAR && a->wasted <= a->used)
		a->window = MIN(a->window * 2, AHEAD_MOST);
	return a->window - 1;
}

void readahead_follow(struct ahead *a, u32 loc, bool swap)
{
	a->next = loc;
	a->next_swap = swap;
}

/* ---- were the guesses right ---- */

void readahead_sample(struct ahead *a, u32 g)
{
	if (a->samples == AHEAD_SAMPLES)
		return;
	a->sample[a->samples].g = g;
	a->sample[a->samples++].seen_once = false;
}

/* A sample has one whole interval between passes to be touched in. */
void readahead_look(struct ahead *a, readahead_see *see, const void *ctx, u32 *used, u32 *wasted)
{
	u32 keep = 0;

	*used = *wasted = 0;
	for (u32 i = 0; i < a->samples; i++) {
		u32 g = a->sample[i].g;
		enum readahead_seen seen = see(ctx, g);

		if (seen == AHEAD_TOUCHED) {
			++*used;
		} else if (seen == AHEAD_GONE || a->sample[i].seen_once) {
			++*wasted;
		} else {
			a->sample[keep].g = g;
			a->sample[keep++].seen_once = true;
		}
	}
	a->samples = (u8)keep;
	if (!*used && !*wasted)
		return;
	a->used += *used;
	a->wasted += *wasted;
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

bool readahead_wakes(const struct ahead *a, u64 now_ns)
{
	return a->left && !a->background && a->demands >= AWAKE_DEMANDS && now_ns - a->demand_ns < AWAKE_NS &&
	       (!is_known(a) || a->used >= a->wasted);
}
