/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zplan.h - how many of a guest's frames its store of compressed pages may take: what its miss curve says
 * costs least.
 *
 * With s of R frames for the store, R - s hold pages, and behind them the store reaches as far down the LRU
 * stack as what compresses fits in: touches in between cost a decompression instead of a read, every page
 * that leaves costs a compression, also one that nobody asks for again. All of it is measured while the guest
 * runs; wherever it does not pay by 2 %, the answer is 0. Before anything has been read back there is no
 * telling: what leaves first is compressed, up to an eighth of the frames; later it would have to be read one
 * by one. Beside a disk whose requests take less than 50 times as long as compressing a page there is no
 * store: it would gain little and at times lose (tests/bench/COMPRESSION.md). Pure; times in nanoseconds.
 */
#ifndef MM_PAGER_ZPLAN_H
#define MM_PAGER_ZPLAN_H

#include "mm/share/curve.h"

#define ZPLAN_AUTO 255
#define ZPLAN_MOST_PERCENT 50

struct zplan {
	u8 percent;     /* of the guest's frames, for ever; ZPLAN_AUTO: the curve says */
	u32 budget;     /* frames, from the last zplan_choose() */
	/* pages tried, those that fit, what they take; halved when there are many */
	u64 tried, stored, chunks, try_ns;
	u64 gets, get_ns;
	u64 reads, read_ns;                /* pages read back, and the requests' time */
	/* pages written when the disk had nothing else from us, the same */
	u64 writes, write_ns;
	u64 request_ns;                    /* of those, the quickest request of late */
};

/* Without a store one page of so many is tried, to see how well it goes: fewer once that is known. */
static inline u32 zplan_sample(const struct zplan *z) { return z->tried < 64 ? 32 : 128; }
/* chunks 0: it did not compress. */
void zplan_note_try(struct zplan *z, u32 chunks, u64 ns);
void zplan_note_get(struct zplan *z, u64 ns);
void zplan_note_read(struct zplan *z, u32 pages, u64 ns);
void zplan_note_write(struct zplan *z, u32 pages, u64 ns);
/* frames: what pages and store have together. fresh: first touches, 1/1000 a second. Sets and returns the
 * budget. */
u32 zplan_choose(struct zplan *z, const struct curve *c, u32 frames, u64 fresh);

#endif
