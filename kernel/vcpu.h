/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.h - the CPU's time: the main loop, who runs next, and the hot path from an exit to the
 * next entry.
 *
 * One CPU, no threads. The hot path (enter, handle, enter again) is left only when vcpu_sched.work is
 * set: everything that changes who should run, or leaves something for the main loop, sets it.
 */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "kernel/vm.h"

struct vcpu_sched {
	bool work;              /* leave the hot path: look at everything */
	struct vcpu *current;   /* in the hot path, else NULL */
	struct vcpu *last;      /* whose lazy state the CPU may hold */
	u64 slice_end;          /* of current, TSC */
	u32 ends_for;           /* guests, a bit for each vm->id, whose timers set slice_end or the end of a wait; 0: ours */
	u32 causes;             /* guests whose events made this turn of the loop necessary: turn.h */
	u64 mark, paid;         /* TSC up to which all time is charged; ticks since then that were charged ahead: turn.h */
	u64 vruntime;           /* virtual time, TSC ticks: where a guest that slept re-enters */
	u64 idle_ticks, own_ticks, loops; /* statistics; own: turns that no guest caused */
};
extern struct vcpu_sched vcpu_sched;
/* Called every round of the main loop where set: host drivers' timeouts. */
extern void (*vcpu_housekeeping)(u64 now_ns);

#define VCPU_SLICE_MS 10
/*
 * The grid of the host's TSC on which the timers of halted guests wake them: several then share a turn of the loop, and
 * no guest causes more than one turn a point. Also the shortest slice. On the benchmark's machine (500 million instructions
 * a second) 200 us are 100,000 instructions; to wake a guest that only halts again costs about 21 us there.
 */
#define VCPU_GRID_NS 200000u

/* Never returns: the hypervisor's life after boot. */
void vcpu_loop(void) NORETURN;
/* One round of it: what is due, then one guest's slice or a wait. */
void vcpu_loop_once(void);

/* Parks the vCPU until pager_wake(). */
void vcpu_block(struct vcpu *v);
/* CPU time spent on v's behalf outside of its slices: its share pays, and nobody else does. */
void vcpu_charge(struct vcpu *v, u64 ticks);
void vcpu_reset(struct vcpu *v, const struct virt_entry *e);
/* Something for the main loop: guests' states, work that waits. */
static inline void vcpu_kick(void) { vcpu_sched.work = true; }
/* The same for a guest's event: the guest pays for the turn of the loop. */
void vcpu_kick_for(const struct vm *vm);

#endif
