/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * curve_sleep.c - parts of a guest's stack that go quiet, and may come back. Contract: curve.h.
 *
 * A band of distances that is touched far less than its past made one expect falls asleep: its events fade at
 * once, so that its frames can go where they are needed now. How it was is remembered: it wakes to that when
 * it is touched again, and until then curve_add_regret() charges for what taking its frames would cost if it
 * did.
 */
#include "mm/share/curve.h"

/* The events of a band that has fallen asleep fade with this half-life, */
#define QUIET_HALF_MS 250
/* and they fade for this long: three half-lives leave an eighth. */
#define QUIET_FADE_MS 750
/* A band wakes up when its events come at 1/8 of the rate that it had when it fell asleep. */
#define WAKE_PART 8
/* What faded while it slept is given back when it wakes up, but its events grow at most this many times. */
#define WAKE_TIMES 64ull

/* Nobody knows how long the band will sleep. The first time it is expected to sleep as long as it was awake:
 * many guests work and rest in turns. */
static void fall_asleep(struct curve *c, u32 band)
{
	c->band_asleep_us[band] = c->band_us[band];
	if (!c->band_nap_us[band])
		c->band_nap_us[band] = c->band_awake_us[band];
	c->band_rate[band] = c->band_due[band] / CURVE_ONE * 1000000 / (c->band_us[band] / 1000);
}

/* The band is touched again: its faded events count again at once, as many as its touches now and its rate
 * before the nap speak for. */
static void wake_up(struct curve *c, u32 band, u32 first, u32 end, u64 hits, u64 dt_us)
{
	u64 rate =
		MIN(c->band_pass[band] / CURVE_ONE * 1000 * 1000000 / MAX(dt_us, 1000), c->band_rate[band]);
	u64 again = rate * (c->time_us / 1000) / 1000000 * CURVE_ONE, times = hits ? again * 16 / hits : 0;

	c->band_nap_us[band] = c->band_asleep_us[band];
	c->band_asleep_us[band] = 0;
	c->band_seen[band] = c->band_due[band] = c->band_us[band] = 0;
	c->band_faded_ms[band] = 0;
	times = MIN(times, WAKE_TIMES * 16); /* 1/16 more precise */
	for (u32 i = first; i < end && times > 16; i++) {
		c->hits[i] = c->hits[i] * times / 16;
		c->cost[i] = c->cost[i] * times / 16;
	}
}

/* The band goes on sleeping until it is touched at a fair part of the rate that it had. */
static void sleep_on(struct curve *c, u32 band, u32 first, u32 end, u64 hits, u64 dt_us)
{
	u64 due = c->band_rate[band] * dt_us / 1000000; /* 1/1000 events */

	if (c->band_pass[band] / CURVE_ONE * 1000 * WAKE_PART > due && due)
		wake_up(c, band, first, end, hits, dt_us);
	else
		c->band_asleep_us[band] += dt_us;
}

/*
 * A guest whose working set has shrunk still touches a lot, but only near the top of its stack, and its other
 * bands would hold on to the frames for a half-life. A band's events fade but not its time, which is that of
 * all bands, so that its rate falls at once. An eighth is left: what speaks for its frames from now on is
 * regret_of().
 */
static void fade_if_quiet(struct curve *c, u32 band, u32 first, u32 end, u64 wall_us, u64 dt_us)
{
	u64 hits = 0;

	for (u32 i = first; i < end; i++)
		hits += c->hits[i];
	if (c->band_asleep_us[band])
		sleep_on(c, band, first, end, hits, dt_us);
	else if (hits)
		c->band_awake_us[band] += wall_us;
	c->band_due[band] += hits / MAX(c->time_us / 1000, 100) * (dt_us / 1000);
	c->band_seen[band] += c->band_pass[band];
	c->band_us[band] += dt_us;
	c->band_pass[band] = 0;
	if (c->band_due[band] < CURVE_QUIET_MIN * CURVE_ONE)
		return;
	if (c->band_seen[band] * CURVE_QUIET_PART > c->band_due[band]) {
		c->band_seen[band] = c->band_due[band] = c->band_us[band] = 0;
		c->band_faded_ms[band] = 0;
	} else if (c->band_us[band] >= CURVE_QUIET_US && c->band_faded_ms[band] < QUIET_FADE_MS) {
		if (!c->band_asleep_us[band])
			fall_asleep(c, band);
		curve_decay_steps(c, first, end, curve_decay_factor(dt_us, QUIET_HALF_MS));
		c->band_faded_ms[band] += (u32)(dt_us / 1000);
	}
}

void curve_look_for_quiet(struct curve *c, u64 wall_us, u64 dt_us)
{
	for (u32 first = 0, end; first < c->points; first = end) {
		u32 band = curve_band_at(c, first);

		for (end = first + 1; end < c->points && curve_band_at(c, end) == band;)
			end++;
		fade_if_quiet(c, band, first, end, wall_us, dt_us);
	}
}

/* ---- what it may cost that they come back ---- */

/*
 * What giving away a frame of a sleeping band costs, in 1/256 us a second. The band's misses come back when
 * it wakes up. While the nap is shorter than expected, the frame costs one miss over the time that is left of
 * the nap. When the nap is longer than expected, it costs three quarters of a miss over the time that it has
 * slept.
 */
static u64 regret_of(const struct curve *c, u32 band)
{
	u64 frames = 65536ull * c->step_frames / c->band_of + 1, slept_ms = c->band_asleep_us[band] / 1000;
	u64 nap_ms = c->band_nap_us[band] / 1000, miss;

	if (!slept_ms)
		return 0;
	miss = slept_ms < nap_ms ? 256000 / (nap_ms - slept_ms) : 192000 / slept_ms;
	return MIN(miss * c->mix_us, c->band_rate[band] * 256 / 1000 * c->mix_us / frames);
}

void curve_add_regret(const struct curve *c, u32 base, u32 step_frames, u32 now, u64 *out, u32 n)
{
	u64 regret[CURVE_BANDS], sum = 0;
	u32 at = now;

	for (u32 b = 0; b < CURVE_BANDS; b++)
		regret[b] = regret_of(c, b);
	for (u32 i = n; i-- > 0;) {
		u64 m = base + (u64)i * step_frames;

		while (at > m) { /* step by step of the curve */
			u32 s = (at - 1) / c->step_frames;
			u32 low = MAX(s * c->step_frames, (u32)m);

			if (s < c->points)
				sum += (at - low) * regret[MIN(curve_band_at(c, s), CURVE_BANDS - 1)];
			at = low;
		}
		out[i] += sum / 256;
	}
}

u64 curve_regret(const struct curve *c, u32 frames, u32 now)
{
	u64 out = 0;

	curve_add_regret(c, frames, 1, now, &out, 1);
	return out;
}
