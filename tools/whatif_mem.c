/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_mem.c - one guest's memory in a replay. Contract: whatif_mem.h.
 */
#include "tools/whatif_mem.h"
#include "mm/pager/readahead.h"
#include "tools/oracle.h"

#include <stdlib.h>
#include <string.h>

#define A_BIT BIT64(8)
#define PRESENT 7ull
#define HALF_LIFE_MS 10000

enum {               /* flags */
	PROVEN = 1,  /* was asked for again */
	UNASKED = 2, /* came unasked, not touched yet */
	IN_SWAP = 4, /* evicted, it lies in its slot */
	GUESSED = 8, /* its frame came on a guess: spared for a while */
	ZEROS = 16,  /* it held only zeros when it was touched last */
};

/* ---- life ---- */

void wi_mem_shape(struct wi_mem *m, u32 step_frames, u32 points, u64 now_ns)
{
	free(m->storage);
	m->storage = oracle_alloc(1, curve_bytes(points));
	if (curve_init(&m->curve, step_frames, points, m->storage, now_ns))
		abort();
	curve_set_half_life(&m->curve, HALF_LIFE_MS);
}

static void nothing_listed(struct wi_mem *m)
{
	m->soft = m->cache[0] = m->cache[1] = (struct wi_list){ WI_NOWHERE, WI_NOWHERE, 0 };
}

void wi_mem_init(struct wi_mem *m, u8 id, u32 items, const u8 *away, struct wi_slots *slots, u64 now_ns)
{
	u32 step = items / CURVE_POINTS_MAX + 1;

	memset(m, 0, sizeof(*m));
	m->id = id;
	m->items = items;
	m->away = away;
	m->slots = slots;
	m->tables = items / AGES_LEAF + 1;
	m->entry = oracle_alloc((size_t)m->tables * AGES_LEAF, sizeof(u64));
	m->age = oracle_alloc((size_t)m->tables * AGES_LEAF, 1);
	memset(m->age, AGE_NONE, (size_t)m->tables * AGES_LEAF);
	m->state = oracle_alloc(items, 1);
	m->flags = oracle_alloc(items, 1);
	m->stamp = oracle_alloc(items, sizeof(u32));
	m->next = oracle_alloc(items, sizeof(u32));
	m->prev = oracle_alloc(items, sizeof(u32));
	m->came = oracle_alloc(items, sizeof(u32));
	m->slot = oracle_alloc(items, sizeof(u32));
	m->twin = oracle_alloc(items, sizeof(u32));
	memset(m->twin, 0xff, items * sizeof(u32));
	nothing_listed(m);
	ages_reset(&m->ages);
	wi_mem_shape(m, step, items / step + 1, now_ns);
}

void wi_mem_free(struct wi_mem *m)
{
	free(m->storage);
	free(m->entry);
	free(m->age);
	free(m->state);
	free(m->flags);
	free(m->stamp);
	free(m->next);
	free(m->prev);
	free(m->came);
	free(m->slot);
	free(m->twin);
}

void wi_mem_reset(struct wi_mem *m, u64 now_ns)
{
	memset(m->state, WI_NONE, m->items);
	memset(m->flags, 0, m->items);
	memset(m->twin, 0xff, m->items * sizeof(u32));
	memset(m->entry, 0, (size_t)m->tables * AGES_LEAF * sizeof(u64));
	memset(m->age, AGE_NONE, (size_t)m->tables * AGES_LEAF);
	nothing_listed(m);
	m->choice_left = m->hand = m->soft_goal = 0;
	m->idle.passes = m->idle.pages = 0;
	ages_reset(&m->ages);
	curve_reset(&m->curve, now_ns);
}

/* ---- lists ---- */

static struct wi_list *list_of(struct wi_mem *m, u32 item)
{
	return m->state[item] == WI_SOFT ? &m->soft : &m->cache[m->flags[item] & PROVEN];
}

static void append(struct wi_mem *m, u32 item)
{
	struct wi_list *l = list_of(m, item);

	m->prev[item] = l->tail;
	m->next[item] = WI_NOWHERE;
	if (l->tail != WI_NOWHERE)
		m->next[l->tail] = item;
	else
		l->head = item;
	l->tail = item;
	l->count++;
}

static void take_out(struct wi_mem *m, u32 item)
{
	struct wi_list *l = list_of(m, item);

	if (m->prev[item] != WI_NOWHERE)
		m->next[m->prev[item]] = m->next[item];
	else
		l->head = m->next[item];
	if (m->next[item] != WI_NOWHERE)
		m->prev[m->next[item]] = m->prev[item];
	else
		l->tail = m->prev[item];
	l->count--;
}

/* ---- scan passes ---- */

void wi_mem_pass(struct wi_mem *m, u64 now_ns)
{
	ages_begin_pass(&m->ages);
	for (u32 i = 0; i < m->tables; i++)
		ages_scan_leaf(&m->ages, m->entry + (size_t)i * AGES_LEAF, m->age + (size_t)i * AGES_LEAF,
			       A_BIT);
	ages_end_pass(&m->ages);
	curve_pass(&m->curve, &m->ages, now_ns);
	payer_idle_pass(&m->idle, &m->ages, now_ns);
}

/* ---- an item's life ---- */

bool wi_mem_accessed(const struct wi_mem *m, u32 item)
{
	return m->entry[item] & A_BIT;
}

bool wi_mem_in_swap(const struct wi_mem *m, u32 item)
{
	return m->flags[item] & IN_SWAP;
}

bool wi_mem_clean(const struct wi_mem *m, u32 item)
{
	return m->away[item] == CURVE_DISC || (m->away[item] != CURVE_SWAP && m->twin[item] != WI_NOWHERE);
}

void wi_mem_holds(struct wi_mem *m, u32 page, u32 block)
{
	m->twin[page] = block;
	m->twin[block] = page;
}

static void part(struct wi_mem *m, u32 item)
{
	if (m->twin[item] != WI_NOWHERE && m->twin[m->twin[item]] == item)
		m->twin[m->twin[item]] = WI_NOWHERE;
	m->twin[item] = WI_NOWHERE;
}

bool wi_mem_needs_frame(const struct wi_mem *m, u32 item)
{
	return m->state[item] == WI_NONE || m->state[item] == WI_AWAY;
}

enum wi_touch wi_mem_touch(struct wi_mem *m, u32 item)
{
	enum wi_state was = m->state[item];
	bool unasked = m->flags[item] & UNASKED;

	m->flags[item] &= (u8)~(UNASKED | ZEROS);
	if (was == WI_HOT) {
		m->entry[item] |= A_BIT;
		return unasked ? WI_UNASKED : WI_HIT;
	}
	if (was == WI_SOFT || was == WI_CACHED)
		take_out(m, item);
	if (was == WI_NONE)
		ages_arrive(&m->ages, &m->age[item]);
	else
		curve_return(&m->curve, &m->ages,
			     was == WI_SOFT          ? CURVE_SOFT :
			     was == WI_CACHED        ? CURVE_CACHE :
			     wi_mem_in_swap(m, item) ? CURVE_SWAP :
						       CURVE_DISC,
			     m->stamp[item], &m->age[item]);
	if (was == WI_CACHED || was == WI_AWAY)
		m->flags[item] |= PROVEN;
	m->state[item] = WI_HOT;
	m->entry[item] = PRESENT | A_BIT;
	return was == WI_NONE ? WI_FIRST : was == WI_AWAY ? WI_AGAIN : unasked ? WI_UNASKED : WI_HIT;
}

void wi_mem_arrive(struct wi_mem *m, u32 item)
{
	ages_arrive(&m->ages, &m->age[item]);
	m->state[item] = WI_HOT;
	m->entry[item] = PRESENT;
}

void wi_mem_restore(struct wi_mem *m, u32 item, bool unasked)
{
	ages_restore(&m->ages, m->stamp[item], &m->age[item]);
	m->state[item] = WI_HOT;
	m->entry[item] = PRESENT;
	m->came[item] = m->ages.epoch;
	if (unasked)
		m->flags[item] |= UNASKED | GUESSED;
}

static void leave(struct wi_mem *m, u32 item, enum wi_state to)
{
	m->entry[item] = 0;
	m->stamp[item] = ages_evict(&m->ages, &m->age[item]);
	m->state[item] = (u8)to;
}

/* Written to the next slot, unless its content lies in a block of the guest's disk. */
static void store(struct wi_mem *m, u32 item)
{
	struct wi_slots *s = m->slots;

	if (m->flags[item] & ZEROS) {
		ages_forget(&m->ages, m->stamp[item]);
		m->state[item] = WI_NONE;
		m->flags[item] = 0;
		return;
	}
	m->state[item] = WI_AWAY;
	m->flags[item] &= (u8)~(UNASKED | GUESSED | IN_SWAP);
	if (wi_mem_clean(m, item))
		return;
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 4096;
		s->item = realloc(s->item, s->room * sizeof(*s->item));
		s->owner = realloc(s->owner, s->room);
		if (!s->item || !s->owner)
			exit(1);
	}
	s->item[s->n] = item;
	s->owner[s->n] = m->id;
	m->slot[item] = s->n++;
	m->flags[item] |= IN_SWAP;
}

void wi_mem_place(struct wi_mem *m, u32 item, u8 age, bool here)
{
	m->age[item] = MIN(age, AGE_MAX);
	m->ages.pop[m->age[item]]++;
	m->ages.resident++;
	m->state[item] = WI_HOT;
	m->entry[item] = PRESENT;
	if (here)
		return;
	leave(m, item, WI_AWAY);
	store(m, item);
}

void wi_mem_placed(struct wi_mem *m, const u32 gone[AGES_N], u32 w1_avg)
{
	struct ages *a = &m->ages;

	a->w1_avg = w1_avg;
	for (u32 k = 0; k < AGES_N; k++) {
		a->gone[k] = MAX(a->gone[k], gone[k]);
		if (k >= AGE_TOUCHED)
			a->base[k + 1] = a->base[k] + a->pop[k] + a->gone[k];
	}
}

void wi_mem_forget(struct wi_mem *m, u32 item)
{
	switch ((enum wi_state)m->state[item]) {
	case WI_HOT:
		ages_drop(&m->ages, &m->age[item]);
		m->entry[item] = 0;
		break;
	case WI_SOFT:
	case WI_CACHED:
		take_out(m, item);
		ages_forget(&m->ages, m->stamp[item]);
		break;
	case WI_AWAY:
		ages_forget(&m->ages, m->stamp[item]);
		break;
	case WI_NONE:
		break;
	}
	m->state[item] = WI_NONE;
	m->flags[item] = 0;
	part(m, item);
}

void wi_mem_look(struct wi_mem *m, u32 item)
{
	struct ages_range r;

	if (m->state[item] == WI_HOT && wi_mem_cool(m, item) && ages_touch(&m->ages, &m->age[item], &r))
		curve_note_range(&m->curve, CURVE_SOFT, &r);
}

void wi_mem_zeros(struct wi_mem *m, u32 item)
{
	if (m->state[item] == WI_AWAY)
		wi_mem_forget(m, item);
	else if (m->state[item] != WI_NONE)
		m->flags[item] |= ZEROS;
}

void wi_mem_move(struct wi_mem *m, u32 from, u32 to)
{
	bool listed = m->state[from] == WI_SOFT || m->state[from] == WI_CACHED;

	wi_mem_forget(m, to);
	if (listed)
		take_out(m, from);
	m->state[to] = m->state[from];
	m->flags[to] = m->flags[from];
	m->stamp[to] = m->stamp[from];
	m->age[to] = m->age[from];
	m->came[to] = m->came[from];
	m->slot[to] = m->slot[from];
	m->entry[to] = m->entry[from];
	m->state[from] = WI_NONE;
	m->flags[from] = 0;
	part(m, from);
	m->entry[from] = 0;
	m->age[from] = AGE_NONE;
	if (listed)
		append(m, to);
}

void wi_mem_give_up(struct wi_mem *m, u32 page, u32 block, bool keep)
{
	if (m->state[page] == WI_HOT) {
		leave(m, page, WI_AWAY);
	} else if (m->state[page] == WI_SOFT) {
		take_out(m, page);
		m->state[page] = WI_AWAY;
	} else {
		keep = false;
	}
	m->flags[page] &= (u8)~(UNASKED | GUESSED | IN_SWAP);
	wi_mem_move(m, page, block);
	if (keep) {
		m->state[block] = WI_CACHED;
		append(m, block);
	}
}

/* ---- for reclaim ---- */

bool wi_mem_spared(const struct wi_mem *m, u32 item)
{
	return m->flags[item] & GUESSED && m->ages.epoch - m->came[item] < AHEAD_SPARED_PASSES;
}

bool wi_mem_cool(struct wi_mem *m, u32 item)
{
	bool warm = m->entry[item] & A_BIT;

	m->entry[item] &= ~A_BIT;
	return warm;
}

void wi_mem_unmap(struct wi_mem *m, u32 item)
{
	leave(m, item, WI_SOFT);
	append(m, item);
}

void wi_mem_drop(struct wi_mem *m, u32 item)
{
	bool cached = m->state[item] == WI_CACHED;

	take_out(m, item);
	if (cached)
		m->state[item] = WI_AWAY;
	else
		store(m, item);
}
