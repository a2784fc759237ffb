/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_reclaim.c - which items of a guest go, in the steps of mm/pager/reclaim.c. Contract: whatif_mem.h.
 */
#include "tools/whatif_mem.h"

#define EVICT_LOOKS 64u /* FIFO entries looked at beyond what is wanted */

/* ---- soft unmapping ---- */

/* One turn of the hand at most. any: items of every age. */
static u32 hand_round(struct wi_mem *m, u32 n, bool any, u32 *out)
{
	u32 at = m->hand, got = 0;

	for (u32 looked = 0; looked < m->items && got < n; looked++, at++) {
		struct ages_range r;

		if (at >= m->items)
			at = 0;
		if (m->state[at] != WI_HOT ||
		    (!any && (!ages_chosen(&m->choice, m->age[at]) || wi_mem_spared(m, at))))
			continue;
		if (!any && m->choice_left)
			m->choice_left--;
		if (!wi_mem_cool(m, at))
			out[got++] = at;
		else if (ages_touch(&m->ages, &m->age[at],
				    &r)) /* touched since the last pass: young from now on */
			curve_note_range(&m->curve, CURVE_SOFT, &r);
	}
	m->hand = at < m->items ? at : 0;
	return got;
}

static u32 soften(struct wi_mem *m)
{
	u32 out[PAYER_BATCH], n;

	m->soft_goal = payer_soft_goal(wi_mem_held(m));
	if (!m->choice_left || m->choice_epoch != m->ages.epoch) {
		curve_choose(&m->curve, &m->ages, payer_choice(PAYER_BATCH, m->ages.resident), &m->choice);
		m->choice_left = m->choice.pages;
		m->choice_epoch = m->ages.epoch;
	}
	n = hand_round(m, PAYER_BATCH, false, out);
	if (n < PAYER_BATCH)
		m->choice_left = 0;
	for (u32 turn = 0; turn < 2 && !n; turn++)
		n = hand_round(m, PAYER_BATCH, true, out);
	for (u32 i = 0; i < n; i++)
		wi_mem_unmap(m, out[i]);
	m->idle.pages -= MIN(m->idle.pages, n);
	return n;
}

/* ---- eviction ---- */

static struct wi_list *crowded_or_oldest(struct wi_mem *m)
{
	return m->cache[0].count > m->cache[1].count / 7 || !m->cache[1].count ? &m->cache[0] : &m->cache[1];
}

bool wi_mem_drop_cached(struct wi_mem *m)
{
	u32 item = crowded_or_oldest(m)->head;

	if (item == WI_NOWHERE)
		return false;
	wi_mem_drop(m, item);
	return true;
}

static bool cache_goes_first(struct wi_mem *m)
{
	u32 item = crowded_or_oldest(m)->head;

	if (item == WI_NOWHERE)
		return false;
	return m->soft.head == WI_NOWHERE || m->cache[0].count > m->cache[1].count / 7 ||
	       (s32)(m->stamp[item] - m->stamp[m->soft.head]) <= 0;
}

/* What has to be written goes with others like it in one write. */
static u32 write_out(struct wi_mem *m, u32 item)
{
	u32 n = 0;

	for (u32 looks = 0, next; item != WI_NOWHERE && n < PAYER_WRITE && looks < EVICT_LOOKS;
	     looks++, item = next) {
		next = m->next[item];
		if (wi_mem_clean(m, item))
			continue;
		wi_mem_drop(m, item);
		n++;
	}
	return n;
}

static u32 evict(struct wi_mem *m, u32 want)
{
	u32 gained = 0;

	while (gained < want) {
		if (cache_goes_first(m)) {
			wi_mem_drop_cached(m);
			gained++;
		} else if (m->soft.head == WI_NOWHERE) {
			break;
		} else if (wi_mem_clean(m, m->soft.head)) {
			wi_mem_drop(m, m->soft.head);
			gained++;
		} else {
			gained += write_out(m, m->soft.head);
		}
	}
	return gained;
}

u32 wi_mem_take(struct wi_mem *m, u32 want)
{
	u32 gained;

	if (m->soft.count <= m->soft_goal || m->soft.count < MIN(want, PAYER_BATCH))
		(void)soften(m);
	gained = evict(m, want);
	for (u32 i = 0; i < 3 && !gained && soften(m); i++)
		gained = evict(m, want);
	return gained;
}
