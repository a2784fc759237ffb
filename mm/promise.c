/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * promise.c - what guests were promised. Contract: promise.h.
 */
#include "mm/promise.h"
#include "mm/payer.h"

void promise_add(struct promise *p, u32 ram, u32 min, u32 max)
{
	p->mins += min;
	p->all += MAX(ram, min);
	/* Below its max, by two swap writes at most, a guest has slots that another one at its max may have to wait for. */
	if (ram > max)
		p->beyond += ram - max + 2 * PAYER_WRITE;
}

enum promise_broken promise_check(const struct promise *p, const struct promise *was, u64 frames, u64 slots)
{
	if (p->mins > MAX(frames, was->mins))
		return PROMISE_MINS;
	if (p->all > MAX(frames + slots, was->all))
		return PROMISE_ALL;
	return p->beyond > MAX(slots, was->beyond) ? PROMISE_BEYOND : PROMISE_KEPT;
}
