/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * curve.h - one guest's miss-ratio curve: misses a second at any size, from
 * zero to beyond its RAM.
 *
 * Contract. Every touch that says something about an LRU distance lands in
 * one decayed histogram over steps of step_frames: below the allocation the
 * re-touches that a scan pass saw (curve_pass), above it the return of an
 * evicted page or block (curve_return, curve_note_range, curve_note_distance).
 * Both measure the same stack over the same time, so the halves join without
 * a step. Each touch weighs what it costs, or would cost, to miss it.
 *
 * Rates are per second that the guest could have run: the time it stood still
 * waiting for a miss (curve_note_stall) does not count, or a guest that thrashes
 * would seem to want little. A guest that goes quiet, or no longer touches what lies
 * far down its stack, is noticed: that part of its past fades faster than by its
 * half-life.
 *
 * Units: frames of 4 KiB; costs in microseconds a miss; rates in 1/1000 miss a
 * second and in microseconds of waiting a second. Storage is the caller's:
 * curve_bytes(points) bytes, 8-byte aligned. No locks: one CPU at a time.
 */
#ifndef MM_SHARE_CURVE_H
#define MM_SHARE_CURVE_H

#include "kernel/lib/types.h"
#include "mm/share/ages.h"

#define CURVE_POINTS_MAX 4096
#define CURVE_STEP_FRAMES 256 /* 1 MiB, the usual step */
#define CURVE_ONE 65536ull    /* one event in the histogram */
#define CURVE_BANDS 16        /* parts of the curve that may go quiet by themselves */
#define CURVE_GRID 256        /* samples of the curve that curve_choose looks at */

enum curve_class {
	CURVE_SOFT,  /* was unmapped, its frame kept: a minor fault */
	CURVE_CACHE, /* a block taken back out of the exclusive cache */
	CURVE_ZIP,   /* was compressed in memory; counts at what it costs: the store is held for that */
	CURVE_DISC,  /* a clean page or block read again from the guest's disk */
	CURVE_SWAP,  /* read from the hypervisor's swap area */
	CURVE_CLASSES,
};

struct curve {
	u32 step_frames;
	u32 points; /* histogram covers points * step_frames frames */
	u64 *hits;  /* by distance step, CURVE_ONE an event, decayed */
	u64 *cost;  /* the same events times cost, 256 a microsecond */
	u64 *grid;  /* 2 * (CURVE_GRID + 1), scratch of curve_choose */
	u64 cold_hits, cold_cost; /* beyond the histogram, or unavoidable */
	u64 time_us;              /* decayed observation time of the above, less stalls */
	u64 last_ns;              /* end of that time */
	u64 stall_us;             /* waited for misses since then */
	u64 idle_us;              /* has touched far less than it used to for so long */
	u32 seen;                 /* events since the last pass */
	/*
	 * The distances are split into bands of equal width. Each band is watched over a window of its own:
	 * it is quiet if it had far fewer events than its past makes one expect, and then it falls asleep.
	 */
	u64 band_pass[CURVE_BANDS];      /* events since the last pass, times CURVE_ONE */
	u64 band_seen[CURVE_BANDS];      /* events in the band's window, times CURVE_ONE */
	u64 band_due[CURVE_BANDS];       /* events that its past lets expect in the window, times CURVE_ONE */
	u64 band_us[CURVE_BANDS];        /* length of the window so far */
	u32 band_faded_ms[CURVE_BANDS];  /* for how much of the window the quiet band has been faded */
	u64 band_asleep_us[CURVE_BANDS]; /* how long the band has been asleep; 0: it is awake */
	u64 band_awake_us[CURVE_BANDS];  /* how long it was awake before its first nap, waiting counted */
	u64 band_nap_us[CURVE_BANDS];    /* how long a nap is expected to last; 0: it has never slept */
	u64 band_rate[CURVE_BANDS];      /* 1/1000 events a second when it fell asleep */
	u32 band_of;              /* 1/65536 band a step */
	u32 half_life_ms;
	u32 cost_us[CURVE_CLASSES]; /* of missing a touch of this class */
	u32 mix_us;                 /* recent mean of DISC and SWAP misses */
	u32 w1, alloc;              /* from the last pass: W1 and resident frames */
	bool coarse;                /* W1 above 10 % of the allocation */
	/* since init, never decayed; misses by class, and their cost: */
	u64 total[CURVE_CLASSES];
	u64 total_cold;
	u64 total_cost_us;
};

static inline size_t curve_bytes(u32 points)
{
	return ((size_t)points * 2 + 2 * (CURVE_GRID + 1)) * sizeof(u64);
}

/* Smallest power-of-two multiple of 1 MiB that covers `frames` in max_points. */
u32 curve_step_for(u32 frames, u32 max_points);
/* E_INVAL: no step, or points 0 or > CURVE_POINTS_MAX. */
int curve_init(struct curve *c, u32 step_frames, u32 points, void *storage, u64 now_ns) MUST_CHECK;
void curve_reset(struct curve *c, u64 now_ns); /* the guest was reset: knows nothing */
/* Default costs suit a disk that seeks: SOFT 2, CACHE 10, ZIP 20, DISC 6000, SWAP 8000 us. */
void curve_set_cost(struct curve *c, enum curve_class cls, u32 us);
void curve_set_half_life(struct curve *c, u32 ms); /* default 10000 */

/* After ages_end_pass: decay to now, add the pass's re-touches. */
void curve_pass(struct curve *c, const struct ages *a, u64 now_ns);
/* An evicted page or block was asked for again. A SOFT or CACHE hit is cheap
 * now, but is counted at what losing that frame would cost. */
void curve_note_distance(struct curve *c, enum curve_class cls, u32 distance_frames);
void curve_note_range(struct curve *c, enum curve_class cls, const struct ages_range *r);
/* A miss that no memory would have avoided (a first read of a block). */
void curve_note_cold(struct curve *c, enum curve_class cls);
/* The guest stood still for so long, waiting for a page or block to come back. */
static inline void curve_note_stall(struct curve *c, u64 us)
{
	c->stall_us += us;
}
/* ages_return and curve_note_range in one: the usual refault. */
void curve_return(struct curve *c, struct ages *a, enum curve_class cls, u32 stamp, u8 *age);
/* Let the past weigh 1/2^shift. */
void curve_fade(struct curve *c, u32 shift);
/* A phase change was seen: the past weighs little, and none of the time since the last pass counts. */
void curve_new_phase(struct curve *c, u64 now_ns);

/* The guest did not run until now: that time says nothing. */
void curve_skip(struct curve *c, u64 now_ns);

/* 1/1000 misses a second and waiting in us a second with m frames; monotone
 * non-increasing in m. Avoidable misses only: add curve_cold_*(). */
u64 curve_misses_at(const struct curve *c, u32 frames);
u64 curve_cost_at(const struct curve *c, u32 frames);
u64 curve_cold_misses(const struct curve *c);
/* out[i] = curve_cost_at(base + i * step_frames) for i in [0, n): one sweep. */
void curve_fill_cost(const struct curve *c, u32 base, u32 step_frames, u64 *out, u32 n);
/* Pages that are touched again within so much time that the guest can run, whether it has the frames for them
 * or not: as many as it would turn over in that time, or all those that it touches as often. */
u32 curve_working_set(const struct curve *c, u32 ms);
/*
 * What was touched much and has gone quiet may come back, and each frame taken away by then costs a miss. How
 * likely that is nobody knows; but naps are expected to be as long as the last one, the first as long as it
 * was awake before, and what sleeps longer is as likely as not to sleep as long again. So a frame given up
 * while the guest holds `now` is charged one miss over the time that is left by that, at most the rate it
 * had. Adds that to out[i] for base + i * step_frames < now.
 */
void curve_add_regret(const struct curve *c, u32 base, u32 step_frames, u32 now, u64 *out, u32 n);
u64 curve_regret(const struct curve *c, u32 frames, u32 now);
/* Fewest frames with curve_misses_at <= milli; c's full width if none. */
u32 curve_frames_for(const struct curve *c, u64 milli);

/*
 * Which ages the reclaimer should take n pages from: those whose pages promise
 * the fewest avoided misses for the frames they will occupy. That is the
 * oldest first (LRU) where the curve is convex, and keeps part of a loop that
 * does not fit. AGE_NEW only when no others are left.
 */
void curve_choose(const struct curve *c, const struct ages *a, u32 n, struct ages_choice *ch);

/* ---- private to mm/curve*.c ---- */

#define CURVE_QUIET_PART 8     /* quiet: less than this part of the touches expected, */
#define CURVE_QUIET_MIN 64     /* expecting at least so many, */
#define CURVE_QUIET_US 1000000 /* for at least so long */

u32 curve_decay_factor(u64 dt_us, u32 half_life_ms);
void curve_decay_steps(struct curve *c, u32 first, u32 end, u32 factor);
void curve_look_for_quiet(struct curve *c, u64 wall_us, u64 dt_us);
static inline u32 curve_band_at(const struct curve *c, u32 step)
{
	return step * c->band_of >> 16;
}

#endif
