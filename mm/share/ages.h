/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ages.h - how long ago each page of one guest was touched, and what that
 * says about LRU distances.
 *
 * Contract. One struct ages a guest, plus one age byte a guest page kept by
 * the caller beside its page states. A pass is ages_begin_pass, one
 * ages_scan_leaf or ages_skip_leaf for every leaf table, ages_end_pass; after
 * it curve_pass() turns the pass's re-touches into misses avoided. Passes of
 * one guest are atomic against the calls that move its pages (ages_arrive,
 * ages_evict, ...), which come between passes only.
 *
 * Age bytes:
 *   AGE_NONE     not resident: all bytes start so; passes leave it alone
 *   AGE_NEW      arrived, or touched by the hypervisor, since the last pass
 *   AGE_TOUCHED  touched in the interval that the last pass ended
 *   k            not seen touched in the last k - 1 passes, for k <= AGE_LINEAR
 * Above AGE_LINEAR ages still order pages by their last touch, but each pass
 * merges the two neighbouring ages that hold the fewest pages, so that 255
 * ages reach back as far as pages do and no age grows fat. Higher = colder.
 *
 * Evicted (soft, swapped, dropped) pages go on ageing, at no cost a pass: they
 * are counted in gone[] and their owner keeps one word, the stamp returned by
 * ages_evict(). So distances are those of one LRU stack of all pages, resident
 * or not, whatever order the reclaimer evicts in.
 *
 * No locks: one CPU works on a guest's ages at a time. The entries scanned may
 * be changed by processors that walk them meanwhile.
 */
#ifndef MM_SHARE_AGES_H
#define MM_SHARE_AGES_H

#include "kernel/lib/types.h"

#define AGES_N 256
#define AGE_NEW 0
#define AGE_TOUCHED 1
#define AGE_LINEAR 128 /* not less: the scan loop relies on it */
#define AGE_MAX 254
#define AGE_NONE 255
#define AGES_LEAF 512 /* entries of a leaf table */

struct ages {
	u32 pop[AGES_N];   /* resident pages by age: always what the age bytes say */
	u32 gone[AGES_N];  /* evicted pages by the age they would have */
	u32 touch[AGES_N]; /* the last pass's re-touches by the age before it */
	u32 back[AGES_N];  /* since the last pass: returned or hand-touched, by age then */
	u32 base[AGES_N + 1]; /* pages, resident or not, younger than k after the last pass */
	u32 stamp[AGES_N];    /* newest pass in which pages of this age were touched */
	u32 range_lo[AGES_N]; /* what the last pass's touch[k] means: distances in */
	u32 range_hi[AGES_N]; /* [lo, hi], frames */
	u32 merge;            /* the last age that goes up in this pass, into the next's place */
	u32 epoch;            /* passes so far + AGES_N */
	u32 cold, returned;   /* since the last pass: first touches; sum of back[] */
	u32 touched;          /* pages the last pass found touched that were not new */
	u32 w1;               /* pages touched in the interval the last pass ended */
	u32 w1_avg;           /* the same, smoothed over about four passes */
	u32 resident;         /* sum of pop */
};

/* An LRU stack distance is known only between bounds, in frames: with more
 * than `hi` frames the touch surely hits, with `lo` or fewer it surely misses. */
struct ages_range {
	u32 lo, hi;
};

/* Which ages to evict from: every page whose age is set in map; the last age
 * chosen (edge) may hold more than needed. Find one page by ages_chosen(). */
struct ages_choice {
	u32 map[AGES_N / 32];
	u32 pages; /* pages those ages hold */
	u8 edge;
};

void ages_reset(struct ages *a);

void ages_begin_pass(struct ages *a);
/*
 * One leaf table: 512 entries of consecutive gpfns and their age bytes. An
 * entry that is not present has A clear. May clear A without a flush: that
 * costs accuracy only.
 */
void ages_scan_leaf(struct ages *a, u64 *entries, u8 *age, u64 a_bit);
/* Nothing below this table was touched (A clear one level up): age its pages. */
void ages_skip_leaf(struct ages *a, u8 *age);
void ages_end_pass(struct ages *a);

/* A page became resident for the first time; its age byte becomes AGE_NEW. */
void ages_arrive(struct ages *a, u8 *age);
/* A resident page leaves (soft, swap, drop): AGE_NONE; keep the stamp for its return. */
u32 ages_evict(struct ages *a, u8 *age);
/* Content leaves whose page stays, for something else: the stamp for its return. */
u32 ages_leave(struct ages *a);
/* It returns: its age byte becomes AGE_NEW, *r is the LRU distance. */
void ages_return(struct ages *a, u32 stamp, u8 *age, struct ages_range *r);
/* It is brought back untouched, on a guess: resident again at the age it has by now, so that
 * its touch, if one comes, is seen by a pass and tells its distance. */
void ages_restore(struct ages *a, u32 stamp, u8 *age);
/* The age that an evicted page or block has by now. */
u32 ages_age(const struct ages *a, u32 stamp);
/* The distance alone, of an evicted page or block still away. */
void ages_distance(const struct ages *a, u32 stamp, struct ages_range *r);
/* The hypervisor itself touched a resident page (virtual DMA). False: it was
 * young already and there is no distance to note. */
bool ages_touch(struct ages *a, u8 *age, struct ages_range *r);
/* A resident page, an evicted page's content ceased to exist (reset, discard,
 * whole overwrite). */
void ages_drop(struct ages *a, u8 *age);
void ages_forget(struct ages *a, u32 stamp);

/* Highest age t such that at least n pages have an age >= t; 0 if fewer are
 * resident. */
u32 ages_threshold(const struct ages *a, u32 n);
/* Pages touched within the last `passes` intervals, resident ones. */
u32 ages_used(const struct ages *a, u32 passes);
/* Oldest ages first until they hold n pages. curve_choose() knows better. */
void ages_choose(const struct ages *a, u32 n, struct ages_choice *ch);

static inline bool ages_chosen(const struct ages_choice *ch, u8 age)
{
	return ch->map[age / 32] >> (age % 32) & 1;
}

/* W1 above 10 % of what is resident: the curve is coarse, say so. */
static inline bool ages_coarse(const struct ages *a)
{
	return (u64)a->w1_avg * 10 > a->resident;
}

#endif
