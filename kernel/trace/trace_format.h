/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace_format.h - what a trace is made of: records of 16 bytes, in frames for the wire. Shared with tools/.
 *
 * Little-endian. A frame is a header, its records, and the CRC-32 (IEEE 802.3) of both without the magic.
 * Frames are numbered from 0, so that a reader knows what the wire lost; what did not fit the ring is told by
 * a LOST record.
 *
 * Time is in microseconds of the machine's clock: a record keeps the low 32 bits, a frame's header the whole
 * time that its first record follows by less than 2^32. Sets of pages (MASK and RUN) keep no time: they
 * belong to the next record of their guest that does.
 */
#ifndef KERNEL_TRACE_TRACE_FORMAT_H
#define KERNEL_TRACE_TRACE_FORMAT_H

#include "kernel/lib/types.h"

#define TRACE_MAGIC 0x31544d56u /* "VMT1" */
#define TRACE_VERSION 1
#define TRACE_FRAME_RECORDS 60
#define TRACE_NO_VM 0xff

enum trace_kind {
	TRACE_MACHINE = 1, /* page: frames that guests share; value: free ones */
	TRACE_NAME, /* cls: part 0 or 1; page, value: eight letters of a guest's name */
	TRACE_GUEST, /* cls: enum trace_life; page: ram in frames; value: frames held */
	TRACE_LIMITS, /* page: min; value: max, frames */
	TRACE_WEIGHT, /* page: weight; value: miss goal, 1/1000 a second */
	TRACE_COST, /* page: us of a miss from disk; value: from swap */
	TRACE_COUNT, /* cls: enum trace_count; page, value: low and high half of that counter */
	/* cls: enum trace_set; page: first of 64 pages; time, value: low and high half of their bits */
	TRACE_MASK,
	TRACE_RUN, /* cls: enum trace_set; page: first; value: how many */
	TRACE_MISS, /* cls: enum trace_class | enum trace_access << 4; page: gpfn or block; value: LRU
		     * distance, or gpfn; n, of a READ: 1, the page had been touched since the last pass */
	TRACE_RIP, /* follows a MISS: page, value: low and high half of RIP */
	TRACE_AHEAD, /* cls: enum trace_class; page, value: so many pages behind that one came with its
		      * guest's last miss, or, n 1, by themselves; ZERO: about the page that asked */
	/* cls: 1 for the cache, 0 only remembered; page: block that the guest gives up; value: gpfn */
	TRACE_PUT,
	TRACE_PASS, /* a scan pass ended; page: W1; value: resident */
	/* cls: enum balance_reason; n: 1 after a burst; page: target before; value: after */
	TRACE_DECISION,
	TRACE_WANT, /* follows a DECISION; page: what the division said; value: frames held */
	TRACE_LOST, /* value: records that did not fit since the last one */
	/* the recording was stopped; page, value: low and high half of the records kept in all */
	TRACE_END,
	TRACE_CURVE, /* at the start; cls: enum trace_curve */
	TRACE_PHASE, /* a burst of misses: its guest's curve holds little of the past from now on */
	TRACE_KINDS
};

/* Of a guest's curve (mm/share/curve.h): what a replay needs to decide as the hypervisor would. Steps without
 * a touch are left out. */
enum trace_curve {
	TRACE_CURVE_SHAPE, /* page: frames a step; value: ms of the past that it is made of */
	TRACE_CURVE_COLD,  /* page: cold touches, 1/256; value: their cost, us */
	TRACE_CURVE_HITS,  /* page: step; value: touches there, 1/256 */
	TRACE_CURVE_WORTH, /* page: step; value: their cost, us */
	TRACE_CURVE_PASS,  /* page: so many scan passes back, 0 the last; value: ms ago */
	/* page: us that a miss cost of late; value: pages touched between two passes, smoothed */
	TRACE_CURVE_MIX,
	TRACE_CURVE_GONE,  /* page: an age; value: evicted pages and blocks of that age */
	/* Of band n of its distances, unless it is awake and nothing is known: */
	TRACE_CURVE_NAP,   /* page: ms asleep, 0 awake; value: of its nap before */
	TRACE_CURVE_RATE,  /* page: 1/1000 events a second when it fell asleep; value: ms that it has faded */
	TRACE_CURVE_DUE,   /* page: events seen, value: expected, 1/256, over */
	TRACE_CURVE_OVER,  /* page: so many ms; value: events since the last pass, 1/256 */
};

enum trace_life { TRACE_LIFE_THERE, TRACE_LIFE_STARTED, TRACE_LIFE_STOPPED, TRACE_LIFE_OFF };

enum trace_set {
	TRACE_SET_TOUCHED, /* by the pass that ends next */
	TRACE_SET_EVICTED, /* unmapped softly: the coldest */
	TRACE_SET_HELD,    /* at the start: resident; n: the page's age, see mm/share/ages.h */
	/* at the start: evicted, in a block of the guest's disk; n: the age it has by now; */
	TRACE_SET_DISC,
	TRACE_SET_SWAP,    /* in the swap area; n likewise */
	/* touched since the last pass, as the reclaimer found: the next pass will not see that */
	TRACE_SET_WARM,
	TRACE_SET_ZEROS,   /* evicted, and it holds only zeros: it is nowhere from now on */
	TRACE_SETS
};

enum trace_class {
	TRACE_SOFT,        /* its frame was kept */
	TRACE_CACHE,       /* an evicted page whose block was cached */
	TRACE_DISC,        /* read from the guest's disk */
	TRACE_SWAP,        /* read from the swap area */
	TRACE_ZERO,        /* first touch */
	TRACE_READ_CACHE,  /* the guest reads a block: it was cached; */
	TRACE_READ_GHOST,  /* it had been cached or in memory; */
	TRACE_READ_COLD,   /* it was never seen */
	TRACE_OVERWRITE,   /* an evicted page was overwritten as a whole: nothing was read */
	TRACE_DROPPED,     /* an evicted page was the target of a disk read: its old content was not read */
	TRACE_RESCUE,      /* read because its block is about to be overwritten: no touch */
	TRACE_ZIP,         /* it was in the store of compressed pages */
	TRACE_CLASSES
};

enum trace_access {
	TRACE_BY_VMM,      /* a device model, a page walk of ours */
	TRACE_BY_READ, TRACE_BY_WRITE, TRACE_BY_FETCH,
	TRACE_BY_WHOLE,    /* REP STOS or MOVS over the whole page */
	TRACE_BY_REP,      /* REP STOS or MOVS over a part, or not from its start */
	TRACE_BY_WALK,     /* the guest's page tables lie there */
	TRACE_ACCESSES
};

enum trace_count {
	TRACE_N_FAULTS, TRACE_N_SOFT, TRACE_N_CACHE, TRACE_N_DISC, TRACE_N_SWAP, TRACE_N_ZERO, TRACE_N_AROUND,
	TRACE_N_UNREAD, TRACE_N_STALL_US, TRACE_COUNTS
};

struct trace_rec {
	u32 time;
	u8 kind, vm, cls, n;
	u32 page, value;
};
_Static_assert(sizeof(struct trace_rec) == 16, "struct trace_rec");

struct trace_head {
	u32 magic, seq;
	u16 version, records;
	u32 time_lo, time_hi;
};
_Static_assert(sizeof(struct trace_head) == 20, "struct trace_head");

#define TRACE_FRAME_BYTES(n) (sizeof(struct trace_head) + (n) * sizeof(struct trace_rec) + 4)

static inline bool trace_timed(const struct trace_rec *r)
{
	return r->kind != TRACE_MASK && r->kind != TRACE_RUN;
}

#endif
