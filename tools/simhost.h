/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simhost.h - guests made of traces sharing frames under mm/share/balance.c, in
 * emulated time: a hit takes hit_ns, a miss miss_ns, each guest has a CPU of
 * its own, one disk each. What kernel/ does around the balancer, in small.
 */
#ifndef TOOLS_SIMHOST_H
#define TOOLS_SIMHOST_H

#include "mm/share/balance.h"
#include "tools/simguest.h"

#define SIMHOST_MAX 16

struct simhost_guest {
	struct simguest g;
	u64 t_ns;                /* its own clock */
	u64 hit_ns, miss_ns, start_ns;
	u64 pass_ns, last_pass_ns; /* scan period, adapting */
	u32 hurry;               /* passes that are not to wait for it */
	int vm;                  /* its number for the balancer */
	u64 misses, done;        /* references */
	u64 end;                 /* stops after so many references, 0 = never */
};

struct simhost {
	struct balance b;
	struct simhost_guest guest[SIMHOST_MAX];
	u32 n, frames;
	u64 now_ns, alert_ns;
	void *scratch;
	bool fixed; /* targets stay: a static division */
};

void simhost_init(struct simhost *h, u32 frames, u32 step_frames);
void simhost_free(struct simhost *h);
/* Returns the guest's number. The trace outlives it. */
u32 simhost_add(struct simhost *h, const struct trace *t, const struct qos *q, u64 hit_ns,
		u64 miss_ns);
/* Another trace of no more pages from now on. */
void simhost_switch(struct simhost *h, u32 i, const struct trace *t, u64 hit_ns);
/* Guest i is about to touch a page that it has not: lets it have a frame (free, or of one above its target)
 * or not (then its next miss evicts). */
void simhost_allow(struct simhost *h, u32 i);
u32 simhost_held(const struct simhost *h);
/* Runs all guests up to that time. False: every guest reached its end before. */
bool simhost_run(struct simhost *h, u64 until_ns);

#endif
