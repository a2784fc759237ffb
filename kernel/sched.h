/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sched.h - virtual time: who runs next, and until when. For the main loop (loop.c).
 *
 * Each vCPU has a virtual time: the ticks of its slices and those spent on its behalf, what its guest's
 * queues need included, times 100, divided by its guest's weight. Of those that could run, the one with the
 * least gets a slice. A guest that could not run comes back at the virtual time of who runs
 * (pcpu_this()->vruntime), so that nobody saves up sleep; what it was charged meanwhile is added.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/vm.h"

/*
 * The guest whose queues go next, of those that wait: the one with the least virtual time. NULL: none waits,
 * or they are ahead of a guest that could run, by as much as would end a slice.
 */
struct vm *sched_queue(u64 now);

/* Wakes whom a timer or interrupt wakes, and says who runs; NULL: nobody can, or the queues of
 * a guest come first. Sets pcpu_this()->slice_end for a new slice.
 * more: there is background work, which is done between slices. */
struct vcpu *sched_pick(u64 now, bool more);

struct sched_end { u64 at; u32 for_whom; /* as pcpu_this()->ends_for */ };
/* The earliest thing before `until` that ends v's slice, or (v NULL) a wait, besides v's own timers. */
struct sched_end sched_end(const struct vcpu *v, u64 now, u64 until);

#endif
