/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vtime.h - ticks of one clock as ticks of another, without overflow: from and to are
 * at most 2^40 Hz together with values of less than 2^24 Hz for one of them. Rounds down.
 */
#ifndef VDEV_VTIME_H
#define VDEV_VTIME_H

#include "kernel/lib/types.h"

/*
 * No periodic timer of a guest fires more often a second than this: every 200 us. Linux asks for 1,000 at
 * most; a guest that asks for more would spend its share, and others' patience, on turns of the main loop.
 */
#define VTIME_MOST_HZ 5000u

static inline u64 vtime_scale(u64 ticks, u64 from_hz, u64 to_hz)
{
	return ticks / from_hz * to_hz + ticks % from_hz * to_hz / from_hz;
}

/* The same, rounded up: the first tick of `to` at which `ticks` of `from` have passed. */
static inline u64 vtime_scale_up(u64 ticks, u64 from_hz, u64 to_hz)
{
	return ticks / from_hz * to_hz + (ticks % from_hz * to_hz + from_hz - 1) / from_hz;
}

#endif
