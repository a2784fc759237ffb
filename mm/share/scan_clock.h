/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan_clock.h - when each guest is scanned, and what scanning may cost.
 *
 * Contract. A guest's period follows what it touches: W1, the pages seen in one interval, should be near 2 %
 * of what it holds. All passes together cost at most the budget, a share of the CPU, and the budget wins:
 * over any span T they use no more than budget * (T + SCAN_CREDIT_NS) and one pass. A guest that wants little
 * leaves the rest of its equal share to the others, so that one which touches everything takes no pass from
 * those that need theirs. Pure but for its own state: time and costs are the caller's (kernel/balancer.c),
 * guests are numbers.
 */
#ifndef MM_SHARE_SCAN_CLOCK_H
#define MM_SHARE_SCAN_CLOCK_H

#include "kernel/lib/types.h"
#include "mm/share/ages.h"

#define SCAN_BUDGET_DEFAULT 5000u /* 1/1,000,000 of the CPU: 0.5 % */
#define SCAN_BUDGET_MIN 100u
#define SCAN_BUDGET_MAX 200000u
#define SCAN_CREDIT_NS 4000000000ull /* of budget not used that may be used later */
#define SCAN_SHOWN_NS 10000000000ull /* shares used are those of so long */

enum scan_limit {
	SCAN_AS_WANTED,  /* the period is what W1 asks for */
	SCAN_BY_BUDGET,  /* longer: the budget allows no more */
	SCAN_SHORTEST,   /* W1 asks for a shorter one than there is */
};

struct scan_state {
	u64 period_ns, wanted_ns; /* now; what W1 near 2 % would take */
	u64 cost_ns;              /* of a pass, recent mean */
	u32 used_ppm;             /* of the CPU, measured over SCAN_SHOWN_NS */
	u32 w1_permille;          /* W1 of what was resident at the last pass */
	enum scan_limit limit;
};

void scan_clock_init(u64 now_ns);
/* The guest runs from nothing / needs no passes any more. */
void scan_clock_start(u32 vm, u64 now_ns);
void scan_clock_stop(u32 vm);
/* E_RANGE: not between SCAN_BUDGET_MIN and _MAX. Holds from now on. */
int scan_clock_set_budget(u32 ppm, u64 now_ns) MUST_CHECK;
u32 scan_clock_budget(void);
/* The guest runs again: its period begins now. */
void scan_clock_back(u32 vm, u64 now_ns);
/* A burst of misses that its curve does not explain: the next two passes are due at once and a shortest
 * period later, which is as much as it takes to see what is touched now; for 3 s all guests are scanned twice
 * a second, to see who has stopped. The budget holds; once in SCAN_CREDIT_NS for a guest, or nothing happens.
 */
void scan_clock_hurry(u32 vm, u64 now_ns);
/* When this guest's next pass is due. / All passes so far are paid for then: none may begin before. */
u64 scan_clock_due(u32 vm);
u64 scan_clock_paid(void);
/* A pass of this guest began at start_ns and took cost_ns of the CPU, the curve's part included. */
void scan_clock_passed(u32 vm, const struct ages *a, u64 start_ns, u64 cost_ns);

void scan_clock_state(u32 vm, u64 now_ns, struct scan_state *s);
/* Of the CPU, 1/1,000,000, all guests together, over the last SCAN_SHOWN_NS. */
u32 scan_clock_used(u64 now_ns);

#endif
