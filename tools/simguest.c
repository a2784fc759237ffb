/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simguest.c - a guest made of a trace and a page table. Contract: simguest.h.
 */
#include "tools/simguest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIM_A BIT64(8)
#define SIM_PRESENT 7ull

static double mean_distinct(const struct trace *t, u32 interval)
{
	u32 *seen = oracle_alloc(t->pages, sizeof(u32)), mark = 0;
	u64 distinct = 0;

	for (u32 i = 0; i < t->refs; i++) {
		if (i % interval == 0)
			mark++;
		distinct += seen[t->ref[i]] != mark;
		seen[t->ref[i]] = mark;
	}
	free(seen);
	return (double)distinct / ((double)t->refs / interval);
}

u32 simguest_interval(const struct trace *t, double w1)
{
	u32 lo = 1, hi = t->refs;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (mean_distinct(t, mid) < w1 * t->pages)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void simguest_init(struct simguest *g, const struct trace *t, u32 frames, u32 interval,
		   u32 half_life_ms)
{
	u32 step = t->pages / CURVE_POINTS_MAX + 1, points = t->pages / step + 1;

	memset(g, 0, sizeof(*g));
	g->t = t;
	g->pages = t->pages;
	g->frames = frames;
	g->interval = interval;
	g->batch = MIN(frames, t->pages) / 1024 + 1;
	g->tables = t->pages / AGES_LEAF + 1;
	g->entry = oracle_alloc((size_t)g->tables * AGES_LEAF, sizeof(u64));
	g->age = oracle_alloc((size_t)g->tables * AGES_LEAF, 1);
	memset(g->age, AGE_NONE, (size_t)g->tables * AGES_LEAF);
	g->stamp = oracle_alloc(t->pages, sizeof(u32));
	g->state = oracle_alloc(t->pages, 1);
	g->victim = oracle_alloc(t->pages, sizeof(u32));
	g->storage = oracle_alloc(1, curve_bytes(points));
	ages_reset(&g->ages);
	if (curve_init(&g->curve, step, points, g->storage, 0))
		abort();
	curve_set_half_life(&g->curve, half_life_ms);
}

void simguest_free(struct simguest *g)
{
	free(g->entry);
	free(g->age);
	free(g->stamp);
	free(g->state);
	free(g->victim);
	free(g->storage);
}

void simguest_pass(struct simguest *g)
{
	ages_begin_pass(&g->ages);
	for (u32 i = 0; i < g->tables; i++)
		ages_scan_leaf(&g->ages, g->entry + (size_t)i * AGES_LEAF,
			       g->age + (size_t)i * AGES_LEAF, SIM_A);
	ages_end_pass(&g->ages);
	curve_pass(&g->curve, &g->ages, g->now_ns ? g->now_ns : g->at * 1000);
	g->w1_sum += g->ages.w1;
	g->passes++;
	g->scanned += (u64)g->tables * AGES_LEAF;
	g->victims = g->victim_at = 0;
}

/* All pages of the chosen ages, newest page numbers first. */
static void pick_victims(struct simguest *g, u32 n)
{
	struct ages_choice ch;

	if (g->policy == SIM_VMMB)
		curve_choose(&g->curve, &g->ages, n, &ch);
	else
		ages_choose(&g->ages, n, &ch);
	g->victims = g->victim_at = 0;
	for (u32 i = 0, p = g->hand; i < g->pages; i++, p = p + 1 < g->pages ? p + 1 : 0)
		if (g->state[p] == 1 && ages_chosen(&ch, g->age[p]))
			g->victim[g->victims++] = p;
}

static bool evict_one(struct simguest *g, bool live_look)
{
	while (g->victim_at < g->victims) {
		u32 p = g->victim[g->victim_at++];

		if (g->state[p] != 1 || (live_look && g->entry[p] & SIM_A))
			continue;
		g->entry[p] = 0;
		g->stamp[p] = ages_evict(&g->ages, &g->age[p]);
		g->state[p] = 2;
		g->resident--;
		g->hand = p;
		g->evictions++;
		return true;
	}
	return false;
}

static void make_room(struct simguest *g, u32 want)
{
	u32 n = MIN(MAX(g->pick, 1u), MAX(g->resident, 1u));

	while (g->resident > want) {
		if (evict_one(g, n < g->resident))
			continue;
		pick_victims(g, n);
		n = MIN(n * 2, g->resident); /* all of those were live: look further */
	}
}

void simguest_shrink(struct simguest *g)
{
	make_room(g, g->frames);
}

enum simguest_touch simguest_touch(struct simguest *g, u32 p, enum curve_class cls, bool cold)
{
	enum simguest_touch how = g->state[p] == 1 ? SIM_HIT : g->state[p] ? SIM_AGAIN : SIM_FIRST;

	if (how != SIM_HIT) {
		if (g->resident >= g->frames)
			make_room(g, g->frames - MIN(g->batch, g->frames));
		if (g->state[p] == 0)
			ages_arrive(&g->ages, &g->age[p]);
		else
			curve_return(&g->curve, &g->ages, cls, g->stamp[p], &g->age[p]);
		if (how == SIM_FIRST && cold)
			curve_note_cold(&g->curve, cls);
		g->state[p] = 1;
		g->resident++;
		g->entry[p] = (u64)p << 12 | SIM_PRESENT;
	}
	g->entry[p] |= SIM_A;
	return how;
}

bool simguest_step(struct simguest *g)
{
	bool missed = simguest_touch(g, g->t->ref[g->at++ % g->t->refs], CURVE_DISC, true) != SIM_HIT;

	g->misses += missed;
	if (++g->since >= g->interval) {
		g->since = 0;
		simguest_pass(g);
	}
	return missed;
}

double simguest_misses(const struct simguest *g, u32 m)
{
	const struct curve *c = &g->curve;
	u32 s = m / c->step_frames;
	double sum = (double)c->cold_hits;

	if (s >= c->points)
		return sum / CURVE_ONE;
	for (u32 i = s + 1; i < c->points; i++)
		sum += (double)c->hits[i];
	sum += (double)c->hits[s] * (c->step_frames - m % c->step_frames) / c->step_frames;
	return sum / CURVE_ONE;
}
