/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * payer.c - who gives frames up. Contract: payer.h.
 */
#include "mm/share/payer.h"

u64 payer_pass_ns(const struct payer_idle *i, u32 back)
{
	return back < MIN(i->passes, IDLE_PASSES) ? i->pass_ns[(i->passes - 1 - back) % IDLE_PASSES] : 0;
}

void payer_idle_pass(struct payer_idle *i, const struct ages *a, u64 now_ns)
{
	u32 back = 0, known = MIN(i->passes, IDLE_PASSES);

	while (back < known && now_ns - payer_pass_ns(i, back) < IDLE_NS)
		back++;
	i->pages = 0;
	for (u32 k = back + 2; back < known && k <= AGE_MAX; k++)
		i->pages += a->pop[k];
	i->pass_ns[i->passes++ % IDLE_PASSES] = now_ns;
}
