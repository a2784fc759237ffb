/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simguest.h - a guest made of a trace and a page table: references set A bits,
 * passes run mm/share/ages.c and mm/share/curve.c over the table as the hypervisor does,
 * misses evict by curve_choose(). One reference takes a microsecond, unless
 * the caller keeps now_ns and calls simguest_pass itself (interval ~0).
 */
#ifndef TOOLS_SIMGUEST_H
#define TOOLS_SIMGUEST_H

#include "mm/share/ages.h"
#include "mm/share/curve.h"
#include "tools/oracle.h"

enum simguest_policy { SIM_VMMB, SIM_OLDEST };

struct simguest {
	const struct trace *t;
	struct ages ages;
	struct curve curve;
	void *storage;
	u64 *entry; /* the page table: A in bit 8, D in bit 9, RWX in 0-2 */
	u8 *age;
	u32 *stamp; /* of evicted pages */
	u8 *state;  /* 0 never touched, 1 resident, 2 evicted */
	u32 pages;  /* of the first trace: later ones have no more */
	u32 tables, frames, resident, batch;
	enum simguest_policy policy;
	u32 interval, since; /* references a pass */
	u64 now_ns; /* 0: count references */
	u64 at, misses, w1_sum, passes, scanned, evictions;
	/* victims picked by the last choice, not yet evicted */
	u32 *victim;
	u32 victims, victim_at, hand;
	u32 pick; /* so many are chosen at once, at least (0: as few as needed) */
};

/* References a pass so that on average w1 * pages distinct pages are touched in one. */
u32 simguest_interval(const struct trace *t, double w1);
/* frames = ~0: no misses but first touches. half_life_ms 0: never forgets. */
void simguest_init(struct simguest *g, const struct trace *t, u32 frames, u32 interval,
		   u32 half_life_ms);
void simguest_free(struct simguest *g);
/* A touch of page p, which would be a miss of that class; cold: its first one costs a miss that no memory
 * avoids. */
enum simguest_touch { SIM_HIT, SIM_FIRST, SIM_AGAIN };
enum simguest_touch simguest_touch(struct simguest *g, u32 p, enum curve_class cls, bool cold);
/* The next reference; the trace wraps. True: it missed. */
bool simguest_step(struct simguest *g);
void simguest_pass(struct simguest *g);
/* Evicts until no more than g->frames are resident. */
void simguest_shrink(struct simguest *g);
/* The curve's misses with m frames, first touches counted (a fade-free curve). */
double simguest_misses(const struct simguest *g, u32 m);

#endif
