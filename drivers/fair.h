/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fair.h - whose turn it is at a disk: weighted fair queueing of the disk's time among owners, limits
 * of operations and bytes a second, and how long a request will probably take. Pure arithmetic;
 * drivers/block.c keeps the queues.
 *
 * Every owner has a tag: the virtual time at which its next request may begin. A request of an owner of
 * weight w moves the tag on by its time / w. The disk's own virtual time moves on by worked time / (the
 * sum of the weights of all owners that have something to do, or whose tag is still ahead since they
 * were served early), and never stays behind the least tag of those who wait. Of the owners whose tag
 * is not ahead of it the one goes whose request would end first; those with a page that a vCPU waits
 * for come before the rest. (This is WF2Q+, by Bennett and Zhang, "Hierarchical packet fair queueing
 * algorithms". Deficit round robin would let a newcomer wait for a whole round of the others; here it
 * waits for one request.) What a request takes is known only afterwards: a guess is charged when it
 * starts, and corrected when it ends.
 *
 * Units: ns of the disk's time; virtual time is ns * FAIR_UNIT / weight. No locks yet: one CPU
 * (ARCHITECTURE.md, "No threads").
 */
#ifndef DRIVERS_FAIR_H
#define DRIVERS_FAIR_H

#include "kernel/lib/types.h"
#include "mm/frame.h"

/* the guests by their frames' owner number, and the hypervisor itself */
#define FAIR_OWNERS (FRAME_MAX_VMS + 1)
/* The units of virtual time in one ns at weight 1: tags last for nine years of a busy disk. */
#define FAIR_UNIT 64u
#define FAIR_WEIGHT 100u                /* of an owner that was given none */
_Static_assert(FAIR_OWNERS <= 64, "owners fit a set of 64");

/* Guesses of a request's time: the mean of those of its kind, with 1/8 for the newest. */
#define FAIR_SIZES 12 /* powers of two from one sector on; the last is for all that are longer */
struct fair_times { u64 ns[2][FAIR_SIZES]; }; /* reads, writes; 0: none seen yet */
u32 fair_size(u32 sectors);
u64 fair_guess(const struct fair_times *t, bool write, u32 sectors);
void fair_note(struct fair_times *t, bool write, u32 sectors, u64 ns);

struct fair {
	u64 now;              /* the disk's virtual time */
	u64 tag[FAIR_OWNERS];
};

/* What an owner is given and may use, on all disks together. */
struct fair_share {
	u32 weight;           /* 0: FAIR_WEIGHT */
	u32 iops;             /* operations a second; 0: no limit */
	u64 bps;              /* bytes a second; 0: no limit */
	u64 ops_ns, bytes_ns; /* until when what it started is paid for, of each limit */
	bool free;            /* no limit holds now */
};

static inline u32 fair_weight(const struct fair_share *s) { return s->weight ? s->weight : FAIR_WEIGHT; }

/* The owner's first request after it had nothing to do: it can't have saved up time. */
void fair_arrive(struct fair *f, u32 owner);
/*
 * The one of `waiting` (not empty) that goes next; demand: those of them whose request somebody waits
 * for, who go before the others whose turn it is too; guess[owner]: the time of its request. active:
 * owners with commands in flight: one who has nothing waiting only since it asks for no more at once
 * than the disk does keeps credit_ns of the turns that it misses.
 */
u32 fair_pick(struct fair *f, u64 active, u64 waiting, u64 demand, const u64 *guess, u64 credit_ns,
	      const struct fair_share *share);
void fair_started(struct fair *f, u32 owner, u64 guess_ns, const struct fair_share *s);
/* busy: all owners that have something to do, this one included; users: those that ever had. */
void fair_ended(struct fair *f, u32 owner, u64 guess_ns, u64 took_ns, u64 busy, u64 users,
		const struct fair_share *share);

/* When an operation of so many bytes may start, ns: now or earlier: at once. */
u64 fair_allowed(const struct fair_share *s);
/*
 * It starts. What does not wait for the limits (swap writes) pays too, but leaves the owner no more
 * than FAIR_DEBT_NS behind: others' need of frames makes a guest write, and its page-ins are not to
 * wait for the sum of that.
 */
#define FAIR_DEBT_NS 1000000000ull
void fair_pay(struct fair_share *s, u64 bytes, bool waits, u64 now_ns);

/*
 * How many commands a disk is given at once: no more than raise its throughput, since each of them is
 * one that a newcomer waits for on a disk that does them in order. Found by trying: while requests
 * wait, now and then some rounds of commands go with more or fewer at once. The disk's time that those
 * took is compared with what as many of the same kinds (read or write, size) took before, so that it
 * does not matter whose turn it was.
 */
#define FAIR_DEPTH_ROUND 16u /* commands a round, and four more for each that is in flight at once */
#define FAIR_DEPTH_ROUNDS 16u /* a comparison: base and other in turn; each half of them has to agree */
/* Sectors that take about as long as a command itself (32 KiB): so different sizes of one kind compare. */
#define FAIR_DEPTH_FIXED 64u
/* rounds between two comparisons at most: what wrong tries cost is then below 1 % */
#define FAIR_DEPTH_REST 512u
/* sectors: FAIR_DEPTH_FIXED more for each command */
struct fair_sums { u64 sectors[2][FAIR_SIZES], ns[2][FAIR_SIZES]; };
struct fair_depth {
	u32 limit, most;       /* in force; the driver's */
	u32 base, other;       /* what is compared; other 0: nothing now */
	/* rounds done; commands left of this one; commands that belong to the round before */
	u32 round, left, skip;
	u32 rest, rests;       /* rounds to wait; and how long the last wait was */
	bool down;             /* the next try is a smaller one */
	bool waits;            /* requests have been waiting since the last change */
	bool better;           /* so the first half of the comparison says */
	struct fair_sums sums[2]; /* of base and other */
};
void fair_depth_init(struct fair_depth *d, u32 most);
/* After every change: do requests wait that the limit keeps from starting? */
static inline void fair_depth_look(struct fair_depth *d, bool waits) { d->waits = waits; }
/* A command ended that took so much of the disk's time, of so many in flight, before the next one starts. */
void fair_depth_ended(struct fair_depth *d, bool write, u32 sectors, u64 took_ns, u32 in_flight);

#endif
