/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_host.h - guests that share frames in a replay: who pays when frames run out, by mm/share/payer.c and
 * the targets of mm/share/balance.c, in the steps of mm/pager/reclaim.c and of the pager's chore. Private to
 * whatif.
 */
#ifndef TOOLS_WHATIF_HOST_H
#define TOOLS_WHATIF_HOST_H

#include "mm/share/balance.h"
#include "mm/pager/readahead.h"
#include "tools/whatif_mem.h"

#define WI_GUESTS 16
#define WI_STEP_FRAMES 256 /* as the hypervisor divides */

struct wi_vm;

struct wi_guest {
	bool there, active; /* in the recording; sharing at the moment */
	int vm;             /* its number for the balancer while it is active */
	struct wi_mem mem;
	const struct wi_vm *rec;
	struct ahead ahead;
	u64 busy_ns;        /* its last request in the background is done then */
};

struct wi_host {
	struct balance b;
	struct wi_guest guest[WI_GUESTS];
	u32 frames;         /* that guests share: the reserve is not among them */
	bool reads_ahead;   /* by itself */
	void *scratch;
	struct wi_slots slots;
};

/* most_frames: as many as they will ever share. */
void wi_host_init(struct wi_host *h, u32 most_frames, u32 frames, u64 now_ns);
void wi_host_free(struct wi_host *h);
void wi_host_start(struct wi_host *h, u32 v, const struct qos *q, u64 now_ns);
void wi_host_stop(struct wi_host *h, u32 v, u64 now_ns);
static inline struct quota *wi_host_quota(struct wi_host *h, u32 v)
{
	return &h->b.vm[h->guest[v].vm].quota;
}

/* Frames that are free above the reserve. */
u32 wi_host_free_frames(const struct wi_host *h);
/* More than enough of them for guest v to take n on the chance that they are wanted. */
bool wi_host_plentiful(struct wi_host *h, u32 v, u32 n);
/* Sees to a frame for guest v, which is about to touch something that has none. */
void wi_host_frame(struct wi_host *h, u32 v);
/* The same for what comes unasked; false: it may not have one. */
bool wi_host_ahead_frame(struct wi_host *h, u32 v);
/* Whether a block that v gives up is worth a frame; it has one then. */
bool wi_host_spare_frame(struct wi_host *h, u32 v, u32 stamp);
/* What the pager's chore does whenever it can: some free frames, and no more held than there are. */
void wi_host_chore(struct wi_host *h);
/* What the balancer does until then. */
void wi_host_decide(struct wi_host *h, u64 until_ns);

#endif
