/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * promise.h - what guests were promised, and whether there is as much: pure. All guests may want all of it at
 * once. By pages: a page of RAM needs a frame or a slot of the swap area.
 */
#ifndef MM_SHARE_PROMISE_H
#define MM_SHARE_PROMISE_H

#include "kernel/lib/types.h"
#include "mm/share/payer.h"

struct promise {
	u64 mins;   /* frames */
	u64 all;    /* frames and slots: RAM, or min where that is more, since the guest's cache counts */
	u64 beyond; /* slots: RAM that its guest's max keeps out of frames */
};

enum promise_broken { PROMISE_KEPT, PROMISE_MINS, PROMISE_ALL, PROMISE_BEYOND };

/* Slots that a guest needs whatever the others do. Below its max, by two swap writes at most, it has some
 * ahead of need. */
static inline u32 promise_beyond(u32 ram, u32 max)
{
	return ram > max ? ram - max + 2 * PAYER_WRITE : 0;
}

/* One more guest. */
void promise_add(struct promise *p, u32 ram, u32 min, u32 max);
/* What there is too little for: the first of those that p asks more of than `was`, which holds already. */
enum promise_broken promise_check(const struct promise *p, const struct promise *was, u64 frames, u64 slots);

#endif
