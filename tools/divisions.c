/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * divisions.c - other ways to divide frames, and the best one. Contract: divisions.h.
 */
#include "tools/divisions.h"

#include <stdlib.h>
#include <string.h>

u64 mix_misses_at(const struct mix *x, u32 i, u32 m)
{
	return x->curve[i][MIN(m, x->t[i].pages)];
}

u64 mix_misses(const struct mix *x, const u32 *share)
{
	u64 sum = 0;

	for (u32 i = 0; i < x->n; i++)
		sum += mix_misses_at(x, i, share[i]);
	return sum;
}

void division_best(const struct mix *x, u32 step, u32 *share)
{
	u32 steps = x->frames / step;
	u64 *best = oracle_alloc(steps + 1, sizeof(u64)), *next = oracle_alloc(steps + 1, sizeof(u64));
	u32 *choice = oracle_alloc((size_t)(steps + 1) * x->n, sizeof(u32)), t = steps;

	for (u32 i = 0; i < x->n; i++) {
		u32 most = x->t[i].pages / step + 1;

		for (u32 s = 0; s <= steps; s++) {
			next[s] = ~0ull;
			for (u32 m = 0; m <= MIN(s, most); m++) {
				u64 v = best[s - m] + mix_misses_at(x, i, m * step);

				if (v < next[s]) {
					next[s] = v;
					choice[(size_t)i * (steps + 1) + s] = m;
				}
			}
		}
		memcpy(best, next, (steps + 1) * sizeof(u64));
	}
	for (u32 i = x->n; i-- > 0;) {
		u32 m = choice[(size_t)i * (steps + 1) + t];

		share[i] = m * step;
		t -= m;
	}
	free(best);
	free(next);
	free(choice);
}

void division_equal(const struct mix *x, u32 *share)
{
	for (u32 i = 0; i < x->n; i++)
		share[i] = x->frames / x->n;
}

void division_proportional(const struct mix *x, u32 *share)
{
	u64 pages = 0;

	for (u32 i = 0; i < x->n; i++)
		pages += x->t[i].pages;
	for (u32 i = 0; i < x->n; i++)
		share[i] = (u32)((u64)x->frames * x->t[i].pages / pages);
}

/* Up to `ahead` steps at once. */
static void by_utility(const struct mix *x, u32 step, u32 ahead, u32 *share)
{
	u32 left = x->frames / step;

	memset(share, 0, x->n * sizeof(*share));
	while (left) {
		double best = -1;
		u32 who = 0, by = left;

		for (u32 i = 0; i < x->n; i++) {
			u64 now = mix_misses_at(x, i, share[i]);

			for (u32 j = 1; j <= MIN(left, ahead); j++) {
				u64 then = mix_misses_at(x, i, share[i] + j * step);
				double gain = (double)(now - then) / j;

				if (gain > best) {
					best = gain;
					who = i;
					by = j;
				}
				if (share[i] + j * step >= x->t[i].pages)
					break;
			}
		}
		if (best <= 0)
			break;
		share[who] += by * step;
		left -= by;
	}
}

void division_greedy(const struct mix *x, u32 step, u32 *share)
{
	by_utility(x, step, 1, share);
}

void division_lookahead(const struct mix *x, u32 step, u32 *share)
{
	by_utility(x, step, ~0u, share);
}

u32 mix_turn(const struct mix *x, const u64 *done)
{
	u32 who = 0;

	for (u32 i = 1; i < x->n; i++)
		if (done[i] * x->t[who].refs < done[who] * x->t[i].refs)
			who = i;
	return who;
}

u64 division_global_lru(const struct mix *x)
{
	struct trace all = { .name = "all" };
	u64 *done = oracle_alloc(x->n, sizeof(u64)), *hist, misses;
	u32 *base = oracle_alloc(x->n + 1, sizeof(u32));

	for (u32 i = 0; i < x->n; i++) {
		all.refs += x->t[i].refs;
		base[i + 1] = base[i] + x->t[i].pages;
	}
	all.pages = base[x->n];
	all.ref = oracle_alloc(all.refs, sizeof(u32));
	for (u32 r = 0; r < all.refs; r++) {
		u32 i = mix_turn(x, done);

		all.ref[r] = base[i] + x->t[i].ref[done[i]++];
	}
	hist = oracle_lru(&all);
	misses = oracle_lru_misses(&all, hist, x->frames);
	free(hist);
	free(done);
	free(base);
	trace_free(&all);
	return misses;
}
