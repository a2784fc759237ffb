/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simreact.h - how fast targets follow a change of load, and how still they are without one, in emulated
 * time. Scenarios over tools/simhost.c, for tests/unit/test_reaction.c and tests/bench/reaction.c.
 */
#ifndef TOOLS_SIMREACT_H
#define TOOLS_SIMREACT_H

#include "kernel/lib/types.h"

enum simreact_change {
	REACT_WAKE,  /* one guest idles for 10 s before the other begins to work */
	REACT_SWAP,  /* one stops and the other begins in the same moment */
	REACT_GROW,  /* a working guest's set becomes three times as large; the other went idle before */
	REACT_LOOP,  /* a guest begins to loop over more than its share; the other went idle before */
	REACT_CHANGES,
};

enum simreact_load {
	STEADY_ZIPF,  /* three of different skew and size */
	STEADY_LOOPS, /* one that fits, one that never can, and a small set */
	STEADY_MIXED, /* skewed, a hot set with a scan, two whose sets barely differ */
	STEADY_NOISE, /* the same, and a guest that works for a random while and rests for a random while */
	STEADY_LOADS,
};

struct simreact {
	const char *name;
	u32 before, after;        /* target of the guest that wants more */
	/* first frame beyond the old target; target within 5 % of the one 30 s later */
	u64 first_ns, settled_ns;
	u64 misses;               /* it had until it was settled */
};

/* miss_ns: what a miss from the disk takes. */
void simreact_run(enum simreact_change what, u64 miss_ns, struct simreact *r);
/* Changes of direction of all targets in so many seconds, after a minute to settle. */
u32 simreact_turns(enum simreact_load what, u64 miss_ns, u32 seconds);
const char *simreact_load_name(enum simreact_load what);

#endif
