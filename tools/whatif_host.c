/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_host.c - who pays for frames in a replay. Contract: whatif_host.h. The order is that of
 * mm/pager/reclaim.c.
 */
#include "tools/whatif_host.h"
#include "tools/oracle.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY WI_GUESTS
#define MARGIN 64u  /* kept free by whoever is above its target, */
#define AT_ONCE 16u /* in such pieces */

void wi_host_init(struct wi_host *h, u32 most_frames, u32 frames, u64 now_ns)
{
	size_t bytes = divide_scratch_bytes(WI_GUESTS, most_frames, WI_STEP_FRAMES);

	memset(h, 0, sizeof(*h));
	h->scratch = oracle_alloc(1, bytes);
	h->frames = frames;
	balance_init(&h->b, frames, h->scratch, bytes, now_ns);
	h->b.cfg.step_frames = WI_STEP_FRAMES;
	h->b.due_ns = now_ns + h->b.cfg.period_ns;
}

void wi_host_free(struct wi_host *h)
{
	for (u32 v = 0; v < WI_GUESTS; v++)
		if (h->guest[v].there)
			wi_mem_free(&h->guest[v].mem);
	free(h->scratch);
	free(h->slots.item);
	free(h->slots.owner);
}

void wi_host_start(struct wi_host *h, u32 v, const struct qos *q, u64 now_ns)
{
	struct wi_guest *g = &h->guest[v];

	if (g->active)
		return;
	g->vm = balance_add(&h->b, q, &g->mem.curve, &g->mem.ages, now_ns);
	g->active = g->vm >= 0;
}

void wi_host_stop(struct wi_host *h, u32 v, u64 now_ns)
{
	if (h->guest[v].active)
		balance_remove(&h->b, (u32)h->guest[v].vm, now_ns);
	h->guest[v].active = false;
}

/* ---- who has what ---- */

static u32 held_in_all(const struct wi_host *h)
{
	u32 held = 0;

	for (u32 v = 0; v < WI_GUESTS; v++)
		held += h->guest[v].active ? wi_mem_held(&h->guest[v].mem) : 0;
	return held;
}

u32 wi_host_free_frames(const struct wi_host *h)
{
	return h->frames - MIN(held_in_all(h), h->frames);
}

bool wi_host_plentiful(struct wi_host *h, u32 v, u32 n)
{
	u32 reserve = MAX(64, h->frames / 128), spare = wi_host_free_frames(h);

	return spare + reserve > MAX(h->frames / 8, reserve + n) &&
	       wi_mem_held(&h->guest[v].mem) + n <= wi_host_quota(h, v)->qos.max_frames;
}

static struct payer payer_of(struct wi_host *h, u32 v)
{
	const struct quota *q = wi_host_quota(h, v);

	return (struct payer){ .held = wi_mem_held(&h->guest[v].mem),
			       .min = q->qos.min_frames,
			       .target = q->target,
			       .idle = h->guest[v].mem.idle.pages };
}

static u32 above_min(struct wi_host *h, u32 v)
{
	struct payer p = payer_of(h, v);

	return payer_above(&p, true);
}

static u32 richest(struct wi_host *h, u32 but, bool below_ok)
{
	u32 best = NOBODY, most = 0;

	for (u32 v = 0; v < WI_GUESTS; v++) {
		struct payer p;

		if (v == but || !h->guest[v].active)
			continue;
		p = payer_of(h, v);
		if (payer_above(&p, below_ok) > most) {
			most = payer_above(&p, below_ok);
			best = v;
		}
	}
	return best;
}

static u32 idle_first(struct wi_host *h, u32 v)
{
	u32 best = v, most = 0;

	if (h->guest[v].mem.idle.pages)
		return v;
	for (u32 i = 0; i < WI_GUESTS; i++) {
		struct payer p;

		if (!h->guest[i].active)
			continue;
		p = payer_of(h, i);
		if (payer_idle(&p) > most) {
			most = payer_idle(&p);
			best = i;
		}
	}
	return best;
}

static u32 take(struct wi_host *h, u32 v, u32 n)
{
	return v == NOBODY ? 0 : wi_mem_take(&h->guest[v].mem, n);
}

/* ---- a frame ---- */

void wi_host_frame(struct wi_host *h, u32 v)
{
	u32 held = wi_mem_held(&h->guest[v].mem), payer = v;
	const struct quota *q = wi_host_quota(h, v);

	if (held >= q->qos.max_frames) {
		(void)take(h, v, MIN(held - q->qos.max_frames + 1, PAYER_BATCH));
		return;
	}
	if (wi_host_free_frames(h))
		return;
	if (held < q->target)
		payer = richest(h, v, false);
	if (payer != NOBODY)
		payer = idle_first(h, payer);
	if (!take(h, payer, 1) && !(payer != v && take(h, v, 1)))
		(void)take(h, richest(h, v, true), 1);
}

bool wi_host_ahead_frame(struct wi_host *h, u32 v)
{
	u32 held = wi_mem_held(&h->guest[v].mem), payer = v;
	const struct quota *q = wi_host_quota(h, v);

	if (held >= q->qos.max_frames)
		return false;
	if (wi_host_free_frames(h))
		return true;
	if (held < q->target)
		payer = richest(h, v, false);
	else if (!readahead_may_pay(&h->guest[v].ahead))
		return false;
	return take(h, payer, 1) > 0;
}

bool wi_host_spare_frame(struct wi_host *h, u32 v, u32 stamp)
{
	struct wi_mem *m = &h->guest[v].mem;
	const struct quota *q = wi_host_quota(h, v);
	u32 held = wi_mem_held(m);

	if (held < q->qos.max_frames &&
	    (wi_host_free_frames(h) || (held < q->target && take(h, richest(h, v, false), 1))))
		return true;
	if (held > q->qos.max_frames)
		return false;
	if (wi_mem_drop_cached(m))
		return true;
	/* Are there pages that are colder? */
	return (s32)(m->ages.stamp[ages_threshold(&m->ages, PAYER_BATCH)] + 1 - stamp) < 0 && take(h, v, 1);
}

/* ---- what goes on by itself ---- */

static void below_max(struct wi_host *h)
{
	for (u32 v = 0; v < WI_GUESTS; v++) {
		struct wi_mem *m = &h->guest[v].mem;

		while (h->guest[v].active && wi_mem_held(m) > wi_host_quota(h, v)->qos.max_frames)
			if (!wi_mem_take(m, 1))
				break;
	}
}

void wi_host_chore(struct wi_host *h)
{
	below_max(h);
	while (held_in_all(h) + MARGIN > h->frames) {
		u32 v = richest(h, NOBODY, false);

		if (v != NOBODY)
			v = idle_first(h, v);
		else if (held_in_all(h) > h->frames)
			v = richest(h, NOBODY, true);
		if (v == NOBODY || !take(h, v, MIN(AT_ONCE, above_min(h, v))))
			break;
	}
}

void wi_host_decide(struct wi_host *h, u64 until_ns)
{
	while (h->b.due_ns <= until_ns) {
		for (u32 v = 0; v < WI_GUESTS; v++)
			if (h->guest[v].active)
				wi_host_quota(h, v)->held = wi_mem_held(&h->guest[v].mem);
		(void)balance_step(&h->b, h->b.due_ns, wi_host_free_frames(h));
	}
}
