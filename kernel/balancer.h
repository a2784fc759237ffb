/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * balancer.h - feeds mm/balance with the guests' curves and copies its targets back; the
 * operator's QoS; guests that rest in turns when what they touch can't fit at once.
 * Called from the main loop and the console only.
 */
#ifndef KERNEL_BALANCER_H
#define KERNEL_BALANCER_H

#include "kernel/lib/types.h"
#include "mm/share/balance.h"

struct vm;

/* pager_init() was called. scan_ppm: the scan budget, 0 for the usual one. E_NOMEM. */
int balancer_init(u32 scan_ppm) MUST_CHECK;
/* The guest runs (again) from nothing: its past does not count; min, max, weight, goal are read from vm. / It
 * stopped: it needs no frames. */
void balancer_started(struct vm *vm);
void balancer_stopped(struct vm *vm);
/* It was paused, or is to rest: all above its min is for others who need it. / It runs again; meanwhile
 * nothing was measured. */
void balancer_away(struct vm *vm);
void balancer_back(struct vm *vm);

/* One bounded piece of what is due: a scan of one guest, a decision, a turn of resting. now in ns. */
void balancer_poll(u64 now_ns);
/* When balancer_poll() has something to do next, ns. */
u64 balancer_due(void);

struct qos_change {
	struct vm *vm;
	bool set_min, set_max, set_weight, set_miss, set_iops, set_bps;
	u64 min, max;       /* bytes */
	u32 weight;
	u64 miss_goal;      /* misses a 1000 s, 0: none */
	u32 iops;           /* disk operations a second, 0: no limit */
	u64 bps;            /* bytes of them a second, 0: no limit */
};
/* All of the changes or, with E_INVAL and one line in why, none. */
int balancer_set_qos(const struct qos_change *changes, u32 n, char *why, size_t size) MUST_CHECK;

/* The last decision's numbers for this guest; NULL if it is not balanced. */
const struct balance_vm *balancer_vm(const struct vm *vm);
const struct balance *balancer_state(void);
/* Guests that rest now because what they all touch does not fit. */
u32 balancer_resting(void);

/* resting.c: once a decision; rests or wakes a guest when all together thrash. */
void resting_step(const struct balance *b, u64 now_ns);

#endif
