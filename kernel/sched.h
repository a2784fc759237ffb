/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sched.h - virtual time: who runs next, and until when. For the main loop (vcpu.c).
 *
 * Each vCPU has a virtual time: the ticks of its slices and those spent on its behalf, what its guest's queues need included,
 * times 100, divided by its guest's weight. Of those that could run, the one with the least gets a slice. A guest that could not
 * run comes back at the virtual time of who runs (vcpu_sched.vruntime), so that nobody saves up sleep; what it was charged
 * meanwhile is added.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/vcpu.h"

/* v's place: its virtual time, or that of who runs if v could not run and was behind. */
u64 sched_time(const struct vcpu *v);
/*
 * The guest whose queues go next, of those that wait: the one with the least virtual time. NULL: none waits, or they are ahead
 * of a guest that could run, by as much as would end a slice.
 */
struct vm *sched_queue(u64 now);
/* v used ticks of the CPU. */
void sched_pay(struct vcpu *v, u64 ticks);

/* Wakes whom a timer or interrupt wakes, and says who runs; NULL: nobody can, or the queues of
 * a guest come first. Sets vcpu_sched.slice_end for a new slice.
 * more: there is background work, which is done between slices. */
struct vcpu *sched_pick(u64 now, bool more);

struct sched_end { u64 at; u32 for_whom; /* as vcpu_sched.ends_for */ };
/* The earliest thing before `until` that ends v's slice, or (v NULL) a wait, besides v's own timers. */
struct sched_end sched_end(const struct vcpu *v, u64 now, u64 until);

#endif
