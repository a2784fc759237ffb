/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * readahead.h - how much is read back unasked, and what: pure, so that a replay of a recording
 * (tools/whatif*.c) reads ahead as the hypervisor does. Where pages lie on a disk, and the reading, are the
 * caller's (mm/pager/ahead.c, mm/pager/fill.c).
 *
 * A demand reads what lies beside it on the disk, a window of pages that doubles while demands follow each
 * other there and halves when samples say that guesses were wrong. While demands come in a row the guest is
 * waking up: the rest of its pages come back in the background. One struct ahead a guest.
 */
#ifndef MM_PAGER_READAHEAD_H
#define MM_PAGER_READAHEAD_H

#include "kernel/lib/types.h"

#define AHEAD_MOST 32u /* pages a request */
#define AHEAD_SAMPLES 64
#define AHEAD_SPARED_PASSES 2u /* what came on a guess has so many passes before reclaim may take it */
#define AHEAD_NO_PAGE UINT32_MAX

struct ahead {
	u32 window;          /* pages a demand reads, itself included */
	u32 next;            /* the block or slot behind the last run, */
	bool next_swap;
	u8 samples;
	u32 cursor, left;    /* the background's next page, and how many are left to look at */
	u32 used, wasted;    /* samples, halved when there are many */
	u32 demands;         /* in a row, with little time between */
	u32 background;      /* its requests in flight */
	u64 demand_ns;       /* the last read that a touch asked for */
	struct { u32 g; bool seen_once; } sample[AHEAD_SAMPLES];
};

/* Evicted pages whose content follows on the disk: g[at] is the one asked for, g[i] lives in loc + i. */
struct ahead_run {
	u32 g[AHEAD_MOST];
	u32 n, at, loc;
};

/* The evicted page whose content lies at loc, where nothing stands against reading it; AHEAD_NO_PAGE. */
typedef u32 readahead_page_at(const void *ctx, u32 loc);
/* At most `most` pages, as many as can be from g, which lives in loc, on, then those before it. */
void readahead_run(struct ahead_run *r, u32 g, u32 loc, u32 most, readahead_page_at *page_at,
		   const void *ctx);

/* Evicted page g of npages, which lives in loc, is wanted now: how many more to read, if there is room for
 * them. */
u32 readahead_demand(struct ahead *a, u32 g, u32 npages, u32 loc, bool swap, u64 now_ns);
/* A run that ends before loc was asked for. */
void readahead_follow(struct ahead *a, u32 loc, bool swap);
/* Guesses are right often enough, or too little is known of them, to give own pages for some. */
bool readahead_may_pay(const struct ahead *a);
/* How many of n there is room for, in a guest that holds so many frames; plentiful: frames are. */
u32 readahead_room(const struct ahead *a, u32 n, bool plentiful, u32 held, u32 target, u32 max);

/* Page g has come on a guess; a few of them are watched. */
void readahead_sample(struct ahead *a, u32 g);
enum readahead_seen { AHEAD_NOT_YET, AHEAD_TOUCHED, AHEAD_GONE };
typedef enum readahead_seen readahead_see(const void *ctx, u32 g);
/* Before a scan pass: looks at those, and adds up which were used and which wasted. */
void readahead_look(struct ahead *a, readahead_see *see, const void *ctx, u32 *used, u32 *wasted);

/* Its guest is waking up, and no request in the background is on its way. */
bool readahead_wakes(const struct ahead *a, u64 now_ns);
/* There is room for a request in the background below limit, which it may run into if it has more pages. */
static inline bool readahead_has_room(u32 held, u32 limit, u32 npages)
{
	return held + (limit < npages ? MAX(4 * AHEAD_MOST, limit / 16) : AHEAD_MOST) <= limit;
}

#endif
