/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * divide.h - how many frames each guest should have.
 *
 * Contract. Minimise sum(weight * waiting(m)) over all guests, subject to
 * floor <= m <= max and sum(m) <= frames. The floor is max(min, min(fair,
 * max(w1, used))): only min is a right, what a guest touches protects it up to
 * its weight-fair share and no further. A guest with a miss goal gets what the
 * goal needs first, in weight order; one whose goal no memory reaches gets
 * nothing for it. Exact dynamic programming over steps
 * while it costs at most max_ops additions; beyond that over coarser steps,
 * then again over fine steps around that answer. What can not be had is
 * reported in flags, never hidden. Pure: same input, same answer; scratch is
 * the caller's, divide_scratch_bytes() of it, 8-byte aligned.
 */
#ifndef MM_SHARE_DIVIDE_H
#define MM_SHARE_DIVIDE_H

#include "kernel/lib/types.h"
#include "mm/share/curve.h"

#define DIVIDE_VMS_MAX 64
#define DIVIDE_STEPS_MAX 4096
#define DIVIDE_OPS_DEFAULT (1u << 19)

enum divide_flag {
	DIVIDE_FLOOR = BIT(0),      /* target is its floor, more would not pay for others */
	DIVIDE_CAPPED = BIT(1),     /* target is its max */
	DIVIDE_GOAL_MET = BIT(2),   /* has a goal; target reaches it */
	DIVIDE_GOAL_UNMET = BIT(3), /* has a goal; short_frames more would be needed */
	DIVIDE_MIN_CUT = BIT(4),    /* the mins do not fit: got less than min */
	DIVIDE_FAIR_CUT = BIT(5),   /* touches more than its fair share protects */
	DIVIDE_COARSE = BIT(6),     /* its curve is coarse (W1 > 10 %) */
	DIVIDE_GOAL_COLD = BIT(7),  /* has a goal that no memory reaches: what it touches first misses more */
};

struct divide_vm {
	/* in: frames, but for weight and goal */
	u32 min, max;
	u32 weight;  /* 1..10000 */
	u32 w1;      /* pages touched in one scan interval */
	u32 used;    /* pages in use (balance.h, used_ms), 0 = protect only w1 */
	u32 now;     /* what it has today; moving away from it is charged */
	u64 goal;    /* 1/1000 misses a second at most, first touches counted; 0 = none */
	const struct curve *curve;
	/* out */
	u32 target;
	u32 need;    /* what its goal takes by its curve; 0: no goal, or DIVIDE_GOAL_COLD */
	u32 floor, fair;
	u32 short_frames; /* DIVIDE_GOAL_UNMET, DIVIDE_MIN_CUT: how many are lacking */
	u32 flags;        /* enum divide_flag */
	u64 cost_now, cost_then; /* us of waiting a second, unweighted, now and at target */
};

struct divide {
	/* in */
	u32 frames;      /* to be divided */
	u32 step_frames; /* finest step; 256 = 1 MiB */
	u32 max_ops;     /* additions the search may cost; 0 = DIVIDE_OPS_DEFAULT */
	u64 move_cost;   /* 1/1000 us a second charged per frame moved away from `now`,
			  * whatever the weight */
	/* out */
	u32 step_used;   /* step of the first search, frames */
	u32 ops;         /* additions it took */
	bool infeasible; /* the mins alone exceed `frames` */
	u32 short_frames; /* ... by this many */
};

/* For any division of `frames` in such steps among n guests. */
size_t divide_scratch_bytes(u32 n, u32 frames, u32 step_frames);
/* Sets .fair alone, from max and weight: what a capped guest can not take goes to the rest. */
void divide_fair(struct divide_vm *vm, u32 n, u32 frames);
/* Frames that a goal of at most `goal` misses takes by this curve. False: more misses are of first touches
 * alone, and no memory avoids those. */
bool divide_goal_frames(const struct curve *c, u64 goal, u32 *frames);
/* Called every few thousand additions, if set: for what can't wait for the end of a division. Must not touch
 * guests. */
extern void (*divide_breathe)(void);
/* E_INVAL: n is 0 or too big, a weight or step of 0; E_NOMEM: scratch too small. */
int divide_run(struct divide *d, struct divide_vm *vm, u32 n, void *scratch,
	       size_t scratch_bytes) MUST_CHECK;

#endif
