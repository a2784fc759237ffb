/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * turn.h - who pays for the main loop. A turn is the time from the end of one slice to the start of the next.
 *
 * Time is charged in laps: everything since vcpu_sched.mark belongs either to the guest whose slice it was, or to the
 * guests in vcpu_sched.causes, whose events made the turn necessary. What was charged meanwhile for a reason that is
 * better known (vcpu_charge(), turn_own()) is taken off, so that nothing is paid for twice. These functions read and
 * change vcpu_sched.mark, .paid, .causes and .own_ticks, and the virtual time of the guests that pay.
 */
#ifndef KERNEL_TURN_H
#define KERNEL_TURN_H

#include "kernel/lib/types.h"

struct vm;

/* Something happened for this guest: it is among those who pay for the turn, or for the call of turn_measure(), that
 * is going on. The turn comes without it, or has come: vcpu_kick_for() also asks for one. */
void turn_blame(const struct vm *vm);
/* The ticks since the last lap that nobody has paid yet; starts the next lap. */
u64 turn_lap(void);
/* Ends a turn: those who caused it pay for it in equal parts, or, if nobody did, the hypervisor. */
void turn_end(void);
/* These ticks of the current turn were spent for the operator or on the hypervisor's own periodic work. */
void turn_own(u64 ticks);
/* Calls work(), which may complete I/O of any guest, and charges its time to the guests that had something completed. If
 * none had, the time stays with the turn or the slice. */
void turn_measure(void (*work)(void));

#endif
