/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pcpu.h - what a processor of the host keeps for itself: whom it runs, what ends that, and whose time the
 * current turn of the main loop is. Everybody above the pager may read it, ask for a turn, or name who pays
 * for one.
 */
#ifndef KERNEL_PCPU_H
#define KERNEL_PCPU_H

#include "kernel/vm.h"

struct pcpu {
	bool work;              /* leave the hot path: look at everything */
	struct vcpu *current;   /* in the hot path, else NULL */
	struct vcpu *last;      /* whose lazy state the CPU may hold */
	u64 slice_end;          /* of current, TSC */
	/* guests, a bit for each vm->id, whose timers set slice_end or the end of a wait; 0: ours */
	u32 ends_for;
	u32 causes;             /* guests whose events made this turn of the loop necessary: turn.h */
	/* TSC up to which all time is charged; ticks since then that were charged ahead: turn.h */
	u64 mark, paid;
	u64 vruntime;           /* virtual time, TSC ticks: where a guest that slept re-enters */
	u64 idle_ticks, own_ticks, loops; /* statistics; own: turns that no guest caused */
};
_Static_assert(VM_MAX <= 32, "ends_for and causes have a bit for each guest");

extern struct pcpu pcpu_boot; /* of the only processor so far */
static inline struct pcpu *pcpu_this(void) { return &pcpu_boot; }

/* Something for the main loop: guests' states, work that waits. */
static inline void pcpu_kick(void) { pcpu_this()->work = true; }
/* Something happened for this guest: it is among those who pay for the turn, or for the call of
 * turn_measure(), that is going on. The turn comes without it, or has come. */
static inline void pcpu_blame(const struct vm *vm) { pcpu_this()->causes |= 1u << vm->id; }
/* A guest's event asks for a turn of the loop: the guest pays for it. */
static inline void pcpu_kick_for(const struct vm *vm)
{
	pcpu_kick();
	pcpu_blame(vm);
}

#endif
