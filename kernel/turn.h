/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * turn.h - who pays for the CPU's time, and the virtual time in which they pay. A turn is the time from the
 * end of one slice to the start of the next.
 *
 * Time is charged in laps: everything since pcpu_this()->mark belongs either to the guest whose slice it was,
 * or to the guests in pcpu_this()->causes, whose events made the turn necessary. What was charged meanwhile
 * for a reason that is better known (turn_charge(), turn_own()) is taken off, so that nothing is paid for
 * twice. These functions read and change pcpu_this()->mark, .paid, .causes and .own_ticks, and the virtual
 * time of the guests that pay.
 */
#ifndef KERNEL_TURN_H
#define KERNEL_TURN_H

#include "kernel/lib/types.h"

struct vcpu;

#define TURN_SLICE_MS 10
/*
 * The grid of the host's TSC on which the timers of halted guests wake them: several then share a turn of the
 * loop, and no guest causes more than one turn a point. Also the shortest slice. On the benchmark's machine
 * (500 million instructions a second) 200 us are 100,000 instructions; to wake a guest that only halts again
 * costs about 21 us there.
 */
#define TURN_GRID_NS 200000u
#define TURN_WEIGHT 100 /* of a guest whose virtual time runs as fast as real time */

/* TURN_SLICE_MS in ticks of the TSC. */
u64 turn_slice_ticks(void);
/* v's place: its virtual time, or that of who runs if v could not run and was behind. */
u64 turn_vtime(const struct vcpu *v);
/* v used ticks of the CPU. */
void turn_pay(struct vcpu *v, u64 ticks);
/* CPU time spent on v's behalf outside of its slices: its share pays, and nobody else does. */
void turn_charge(struct vcpu *v, u64 ticks);

/* The ticks since the last lap that nobody has paid yet; starts the next lap. */
u64 turn_lap(void);
/* Ends a turn: those who caused it pay for it in equal parts, or, if nobody did, the hypervisor. */
void turn_end(void);
/* These ticks of the current turn were spent for the operator or on the hypervisor's own periodic work. */
void turn_own(u64 ticks);
/* Calls work(), which may complete I/O of any guest, and charges its time to the guests that had something
 * completed. If none had, the time stays with the turn or the slice. */
void turn_measure(void (*work)(void));

#endif
