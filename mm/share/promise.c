/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * promise.c - what guests were promised. Contract: promise.h.
 */
#include "mm/share/promise.h"

void promise_add(struct promise *p, u32 ram, u32 min, u32 max)
{
	u32 beyond = promise_beyond(ram, max);

	p->mins += min;
	p->all += MAX(beyond ? max + beyond : ram, min);
	p->beyond += beyond;
}

enum promise_broken promise_check(const struct promise *p, const struct promise *was, u64 frames, u64 slots)
{
	if (p->mins > MAX(frames, was->mins))
		return PROMISE_MINS;
	if (p->all > MAX(frames + slots, was->all))
		return PROMISE_ALL;
	return p->beyond > MAX(slots, was->beyond) ? PROMISE_BEYOND : PROMISE_KEPT;
}
