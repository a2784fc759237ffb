/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * curve.c - misses avoided at any size. Contract, units and locking: curve.h.
 *
 * hits[s] holds the events whose LRU distance d lies in step s, that is
 * s * step_frames <= d < (s + 1) * step_frames: they hit with more than d
 * frames and miss with fewer. Misses at m are the sum from m upwards.
 */
#include "mm/share/curve.h"

#define PROBATION 12    /* see least_promising() */
#define COST_ONE 256ull /* cost[] units a microsecond */
#define PHASE_SHIFT 4   /* the past of a new phase weighs a sixteenth, */
#define PHASE_LEFT_US 100000 /* or as if it had lasted so long if that is less */
#define IDLE_SHIFT 2    /* the past of a guest that has gone quiet fades by so many bits a second */

static const u32 default_cost_us[CURVE_CLASSES] = {
	[CURVE_SOFT] = 2, [CURVE_CACHE] = 10, [CURVE_ZIP] = 20, [CURVE_DISC] = 6000, [CURVE_SWAP] = 8000,
};

u32 curve_step_for(u32 frames, u32 max_points)
{
	u32 step = CURVE_STEP_FRAMES;

	while ((u64)step * max_points < frames && step < 1u << 30)
		step *= 2;
	return step;
}

int curve_init(struct curve *c, u32 step_frames, u32 points, void *storage, u64 now_ns)
{
	if (!step_frames || !points || points > CURVE_POINTS_MAX || !storage)
		return E_INVAL;
	*c = (struct curve){
		.step_frames = step_frames,
		.points = points,
		.hits = storage,
		.cost = (u64 *)storage + points,
		.grid = (u64 *)storage + 2 * points,
		.half_life_ms = 10000,
		.band_of = CURVE_BANDS * 65536u / points,
	};
	for (u32 i = 0; i < CURVE_CLASSES; i++)
		c->cost_us[i] = default_cost_us[i];
	curve_reset(c, now_ns);
	return E_OK;
}

void curve_reset(struct curve *c, u64 now_ns)
{
	for (u32 i = 0; i < c->points; i++)
		c->hits[i] = c->cost[i] = 0;
	c->cold_hits = c->cold_cost = c->time_us = 0;
	c->last_ns = now_ns;
	c->stall_us = c->idle_us = c->seen = 0;
	for (u32 b = 0; b < CURVE_BANDS; b++) {
		c->band_pass[b] = c->band_seen[b] = c->band_due[b] = c->band_us[b] = 0;
		c->band_faded_ms[b] = 0;
		c->band_asleep_us[b] = c->band_nap_us[b] = c->band_rate[b] = c->band_awake_us[b] = 0;
	}
	c->mix_us = (c->cost_us[CURVE_DISC] + c->cost_us[CURVE_SWAP]) / 2;
	c->w1 = c->alloc = 0;
	c->coarse = false;
}

void curve_set_cost(struct curve *c, enum curve_class cls, u32 us)
{
	c->cost_us[cls] = us;
	c->mix_us = (c->cost_us[CURVE_DISC] + c->cost_us[CURVE_SWAP]) / 2;
}

void curve_set_half_life(struct curve *c, u32 ms)
{
	c->half_life_ms = ms;
}

/* ---- time ---- */

/* 2^-(dt/half life) in 1/65536, by a table of sixteenths, linear between. */
u32 curve_decay_factor(u64 dt_us, u32 half_life_ms)
{
	static const u32 sixteenth[17] = {
		65536, 62757, 60097, 57549, 55109, 52773, 50535, 48393, 46341,
		44376, 42495, 40693, 38968, 37316, 35734, 34219, 32768,
	};
	u64 half_us = (u64)half_life_ms * 1000, x;
	u32 i, f;

	if (!half_us)
		return 65536; /* never forgets */
	if (dt_us / half_us > 15)
		return 0;
	x = dt_us * 65536 / half_us; /* half lives, 16.16 */
	i = x >> 12 & 15;
	f = sixteenth[i] - (u32)((sixteenth[i] - sixteenth[i + 1]) * (x & 4095) >> 12);
	return f >> (x >> 16);
}

static inline u64 scaled(u64 v, u32 factor)
{
	return (v >> 16) * factor + ((v & 0xffff) * factor >> 16);
}

void curve_decay_steps(struct curve *c, u32 first, u32 end, u32 factor)
{
	for (u32 i = first; i < end; i++) {
		if (!c->hits[i])
			continue;
		c->hits[i] = scaled(c->hits[i], factor);
		c->cost[i] = scaled(c->cost[i], factor);
	}
}

static void decay_all(struct curve *c, u32 factor)
{
	if (factor == 65536)
		return;
	curve_decay_steps(c, 0, c->points, factor);
	c->cold_hits = scaled(c->cold_hits, factor);
	c->cold_cost = scaled(c->cold_cost, factor);
	c->time_us = scaled(c->time_us, factor);
}

/* Far fewer touches than its past made one expect, for long: the past is over. */
static void fade_if_idle(struct curve *c, u64 dt_us)
{
	u64 hits = 0, expected;

	for (u32 i = 0; i < c->points; i++)
		hits += c->hits[i];
	expected = hits / CURVE_ONE * (dt_us / 1000) / MAX(c->time_us / 1000, 100);
	if (expected < CURVE_QUIET_MIN || c->seen * CURVE_QUIET_PART > expected) {
		c->idle_us = 0;
		return;
	}
	c->idle_us += dt_us;
	if (c->idle_us >= CURVE_QUIET_US)
		curve_fade(c, (u32)(1 + dt_us * IDLE_SHIFT / 1000000));
}

static void pass_time(struct curve *c, const struct ages *a, u64 now_ns)
{
	u64 wall_us = now_ns > c->last_ns ? (now_ns - c->last_ns) / 1000 : 0;
	u64 dt_us = wall_us - MIN(c->stall_us, wall_us - wall_us / 256);

	c->seen += a->touched;
	fade_if_idle(c, dt_us);
	if (c->half_life_ms)
		curve_look_for_quiet(c, wall_us, dt_us);
	decay_all(c, curve_decay_factor(dt_us, c->half_life_ms));
	c->time_us += dt_us;
	c->last_ns += wall_us * 1000;
	c->stall_us = 0;
	c->seen = 0;
}

void curve_fade(struct curve *c, u32 shift)
{
	decay_all(c, shift < 16 ? 65536u >> shift : 0);
}

void curve_new_phase(struct curve *c, u64 now_ns)
{
	u32 shift = PHASE_SHIFT;

	while (shift < 15 && c->time_us >> shift > PHASE_LEFT_US)
		shift++;
	curve_fade(c, shift);
	curve_skip(c, now_ns); /* what has passed since the last scan is of the past too */
}

void curve_skip(struct curve *c, u64 now_ns)
{
	if (now_ns > c->last_ns)
		c->last_ns = now_ns;
	c->stall_us = 0;
}

/* ---- events ---- */

static inline void add(struct curve *c, u32 step, u64 events, u64 cost_us)
{
	if (step < c->points) {
		c->hits[step] += events;
		c->band_pass[curve_band_at(c, step)] += events;
		c->cost[step] += events * cost_us / (CURVE_ONE / COST_ONE);
	} else {
		c->cold_hits += events;
		c->cold_cost += events * cost_us / (CURVE_ONE / COST_ONE);
	}
}

/* count touches, each as likely at any distance in [lo, hi]. */
static void spread(struct curve *c, u32 lo, u32 hi, u32 count, u32 cost_us)
{
	u64 left = count * CURVE_ONE, frames = (u64)hi - lo + 1;
	u64 a_frame = (left << 8) / frames; /* 1/256 more precise */
	u32 first = lo / c->step_frames, last = hi / c->step_frames;

	for (u32 s = first; s < last && s < c->points; s++) {
		u64 end = (u64)(s + 1) * c->step_frames;
		u64 part = (end - MAX((u64)s * c->step_frames, lo)) * a_frame >> 8;

		add(c, s, part, cost_us);
		left -= part;
	}
	add(c, last, left, cost_us);
}

void curve_pass(struct curve *c, const struct ages *a, u64 now_ns)
{
	pass_time(c, a, now_ns);
	c->w1 = a->w1_avg;
	c->alloc = a->resident;
	c->coarse = ages_coarse(a);
	for (u32 k = AGE_TOUCHED; k < AGES_N; k++)
		if (a->touch[k])
			spread(c, a->range_lo[k], a->range_hi[k], a->touch[k], c->mix_us);
}

static void count_miss(struct curve *c, enum curve_class cls)
{
	c->total[cls]++;
	c->seen++;
	c->total_cost_us += c->cost_us[cls];
	if (cls >= CURVE_DISC)
		c->mix_us = (u32)(((u64)c->mix_us * 63 + c->cost_us[cls] + 32) / 64);
}

/* What it costs, or would have cost without the frame that made it cheap. */
static u32 full_cost(const struct curve *c, enum curve_class cls)
{
	switch (cls) {
	case CURVE_SOFT:
		return c->mix_us;
	case CURVE_CACHE:
		return c->cost_us[CURVE_DISC];
	default:
		return c->cost_us[cls];
	}
}

void curve_note_range(struct curve *c, enum curve_class cls, const struct ages_range *r)
{
	count_miss(c, cls);
	spread(c, r->lo, MAX(r->lo, r->hi), 1, full_cost(c, cls));
}

void curve_note_distance(struct curve *c, enum curve_class cls, u32 distance_frames)
{
	count_miss(c, cls);
	add(c, distance_frames / c->step_frames, CURVE_ONE, full_cost(c, cls));
}

void curve_note_cold(struct curve *c, enum curve_class cls)
{
	count_miss(c, cls);
	c->total_cold++;
	add(c, c->points, CURVE_ONE, c->cost_us[cls]);
}

void curve_return(struct curve *c, struct ages *a, enum curve_class cls, u32 stamp, u8 *age)
{
	struct ages_range r;

	ages_return(a, stamp, age, &r);
	curve_note_range(c, cls, &r);
}

/* ---- questions ---- */

/* A sum of hits in 1/1000 a second. Less than 100 ms of observation counts as
 * 100 ms, or the first event after a reset would look like a storm. */
static u64 milli_rate(const struct curve *c, u64 hits)
{
	u64 ms = MAX(c->time_us / 1000, 100);

	return hits / CURVE_ONE * 1000000 / ms + hits % CURVE_ONE * 1000000 / CURVE_ONE / ms;
}

static u64 cost_rate(const struct curve *c, u64 cost)
{
	u64 ms = MAX(c->time_us / 1000, 100);

	return cost / COST_ONE * 1000 / ms;
}

/* Sum of h above m frames; linear inside a step. */
static u64 above(const struct curve *c, const u64 *h, u32 frames)
{
	u32 s = frames / c->step_frames;
	u64 sum = 0;

	if (s >= c->points)
		return 0;
	for (u32 i = s + 1; i < c->points; i++)
		sum += h[i];
	return sum + h[s] / c->step_frames * (c->step_frames - frames % c->step_frames) +
	       h[s] % c->step_frames * (c->step_frames - frames % c->step_frames) / c->step_frames;
}

u64 curve_misses_at(const struct curve *c, u32 frames)
{
	return milli_rate(c, above(c, c->hits, frames));
}

u64 curve_cost_at(const struct curve *c, u32 frames)
{
	return cost_rate(c, above(c, c->cost, frames));
}

u64 curve_cold_misses(const struct curve *c)
{
	return milli_rate(c, c->cold_hits);
}

/* Sums of h above base + i * step_frames, for i from n - 1 down to 0. */
static void fill(const struct curve *c, const u64 *h, u32 base, u32 step_frames, u64 *out, u32 n)
{
	u64 sum = 0;           /* of steps above s */
	u32 s = c->points;

	for (u32 i = n; i-- > 0;) {
		u64 m = base + (u64)i * step_frames, at = m / c->step_frames;

		if (at >= c->points) {
			out[i] = 0;
			continue;
		}
		while (s > at + 1)
			sum += h[--s];
		out[i] = sum + h[at] / c->step_frames * (c->step_frames - m % c->step_frames) +
			 h[at] % c->step_frames * (c->step_frames - m % c->step_frames) /
				 c->step_frames;
	}
}

void curve_fill_cost(const struct curve *c, u32 base, u32 step_frames, u64 *out, u32 n)
{
	fill(c, c->cost, base, step_frames, out, n);
	for (u32 i = 0; i < n; i++)
		out[i] = cost_rate(c, out[i]);
}

u32 curve_frames_for(const struct curve *c, u64 milli)
{
	u64 sum = 0;
	u32 s = c->points;

	while (s > 0 && milli_rate(c, sum + c->hits[s - 1]) <= milli)
		sum += c->hits[--s];
	return s * c->step_frames;
}

/*
 * With m frames a page that is not touched stays for m / misses(m) seconds: the m for which that is `ms`. And
 * further, as long as frames save a touch each in `ms`: of a set that is touched evenly the first count stops
 * at a part, as the misses fall.
 */
u32 curve_working_set(const struct curve *c, u32 ms)
{
	s64 price = (s64)(MAX(c->time_us, 100000) * c->step_frames / ms * CURVE_ONE / 1000), above = 0,
	    worth = 0, most = 0;
	u32 steps = 0;

	for (u32 s = 0; s < c->points; s++)
		above += (s64)c->hits[s];
	for (u32 s = 0; s < c->points; s++) {
		if (above > s * price)
			steps = s;
		above -= (s64)c->hits[s];
		worth += (s64)c->hits[s] - price;
		if (worth > most) {
			most = worth;
			steps = s + 1;
		}
	}
	return steps * c->step_frames;
}

/* ---- what to evict ---- */

/*
 * density[g]: how many events a page at stack position g avoids for each cell
 * that it is carried further, at best: the steepest chord from there down the
 * curve. Where the curve is convex that is its slope, and falls with age;
 * before a cliff (a loop) it rises, and the old pages are the ones to keep.
 */
static u64 *grid_density(const struct curve *c, u32 cell)
{
	u64 *m = c->grid, *density = c->grid + CURVE_GRID + 1;
	u16 hull[CURVE_GRID + 1]; /* lower convex hull of what lies right of g */
	u32 n = 0;

	fill(c, c->hits, 0, cell, m, CURVE_GRID + 1);
	hull[n++] = CURVE_GRID;
	density[CURVE_GRID] = 0;
	for (u32 g = CURVE_GRID; g-- > 0;) {
		while (n > 1) {
			u32 t = hull[n - 1], far = hull[n - 2];

			if ((m[g] - m[t]) * (far - t) > (m[t] - m[far]) * (t - g))
				break;
			n--;
		}
		density[g] = (m[g] - m[hull[n - 1]]) / (hull[n - 1] - g);
		hull[n++] = (u16)g;
	}
	return density;
}

/*
 * Of the ages left the oldest, or the one that promises least if that is
 * clearly less. The curve is of the past: a younger page must promise less by
 * a quarter before it goes first, and the youngest twelfth of the pages is on
 * probation, as what is touched again soon has not had the time to show it. A
 * loop of which a fifth or more fits still keeps 11 parts in 12 of what could be
 * kept. AGE_NEW, touched since the last pass, only when nothing else is left.
 */
static u32 least_promising(const struct curve *c, const struct ages *a, const u64 *density,
			   u32 cell, const struct ages_choice *ch)
{
	u64 least = 0, of_oldest = 0, noise = c->grid[0] / 16384;
	u32 best = 0, oldest = 0;

	for (u32 k = AGE_MAX; k > AGE_NEW; k--) {
		u64 middle = ((u64)a->base[k] + a->base[k + 1]) / 2, d;

		if (!a->pop[k] || ages_chosen(ch, (u8)k))
			continue;
		d = density[MIN(middle / cell, CURVE_GRID)];
		if (!oldest) {
			oldest = k;
			of_oldest = d;
		}
		if ((!best || d < least) && a->base[k + 1] > a->resident / PROBATION) {
			best = k;
			least = d;
		}
	}
	return best && least + least / 4 + noise < of_oldest ? best : oldest;
}

void curve_choose(const struct curve *c, const struct ages *a, u32 n, struct ages_choice *ch)
{
	u32 cell = a->base[AGES_N] / (CURVE_GRID - CURVE_GRID / 8) + 1;
	const u64 *density = grid_density(c, cell);

	*ch = (struct ages_choice){ 0 };
	while (ch->pages < n) {
		u32 k = least_promising(c, a, density, cell, ch);

		if (!k && ages_chosen(ch, AGE_NEW))
			return;
		ch->map[k / 32] |= BIT(k % 32);
		ch->pages += a->pop[k];
		ch->edge = (u8)k;
	}
}
