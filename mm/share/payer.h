/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * payer.h - the rules of who gives frames up, and how many at once: pure, so that a replay of a recording
 * (tools/whatif*.c) goes by the same ones as mm/pager/reclaim.c. Who asks whom, and the pages themselves, are
 * the caller's.
 */
#ifndef MM_SHARE_PAYER_H
#define MM_SHARE_PAYER_H

#include "kernel/lib/types.h"
#include "mm/share/ages.h"

#define PAYER_BATCH 64u       /* pages unmapped softly at once */
#define PAYER_WRITE 32u       /* pages a swap write takes */

/* Pages that were not touched for so long are idle: who needs frames takes those first, whoever's
 * they are. */
#define IDLE_NS 10000000000ull
#define IDLE_PASSES 100u /* as far as it lies within so many passes */

struct payer_idle {
	u64 pass_ns[IDLE_PASSES]; /* when the last scan passes were, a ring; 0: not yet */
	u32 passes;
	u32 pages; /* resident ones not touched for IDLE_NS as of the last pass, less what was taken since */
};

/* A pass has ended now: counts the pages that none has seen touched since one that is IDLE_NS ago. */
void payer_idle_pass(struct payer_idle *i, const struct ages *a, u64 now_ns);
/* When the pass was that is `back` before the last; 0: not known. */
u64 payer_pass_ns(const struct payer_idle *i, u32 back);

struct payer {
	u32 held, writing; /* writing: of those, on their way to the swap area */
	u32 min, target;
	u32 idle;
};

/* Frames it holds above its target, or above its min if below_ok. */
static inline u32 payer_above(const struct payer *p, bool below_ok)
{
	u32 held = p->held - MIN(p->writing, p->held), floor = below_ok ? p->min : MAX(p->min, p->target);

	return held > floor ? held - floor : 0;
}

/* Idle pages, if it has more than a batch of them and of frames above its min; else 0. */
static inline u32 payer_idle(const struct payer *p)
{
	if (p->writing > 2 * PAYER_WRITE || p->held <= p->min + p->writing + PAYER_BATCH ||
	    p->idle <= PAYER_BATCH)
		return 0;
	return p->idle;
}

/* Pages to keep unmapped softly, of a guest that is short of frames. */
static inline u32 payer_soft_goal(u32 held)
{
	return MAX(MIN(held / 4, 32), held / 32);
}

/* How many pages' ages to choose for n: many more, so that the hand need not go far for each. */
static inline u32 payer_choice(u32 n, u32 resident)
{
	return MAX(n * 4, resident / 16);
}

#endif
