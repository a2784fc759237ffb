/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace_note.c - what happens to guests' memory, as trace records. Contract: trace.h. Called only while
 * trace_on.
 */
#include "kernel/lib/lib.h"
#include "kernel/trace/trace.h"
#include "kernel/vm.h"
#include "mm/share/balance.h"
#include "arch/x86_64/arch.h"

#define GROUP 64u

/* The access that is being handled: the miss of its page is put down to it. */
static struct {
	u8 vm, how;
	u32 g;
	u64 rip;
} now = { TRACE_NO_VM, 0, 0, 0 };

void trace_note_access(u8 vm, u32 g, enum trace_access how, u64 rip)
{
	now.vm = vm;
	now.g = g;
	now.how = (u8)how;
	now.rip = rip;
}

void trace_note_miss(const struct vm_mem *m, enum trace_class c, u32 page, u32 value)
{
	bool page_miss = c <= TRACE_ZERO || c == TRACE_OVERWRITE;
	bool guest = page_miss && now.vm == m->id && now.g == page;
	bool content = c == TRACE_DISC || c == TRACE_SWAP || c == TRACE_CACHE || c == TRACE_OVERWRITE;

	trace_put(TRACE_MISS, m->id, (u8)(c | (u32)(guest ? now.how : TRACE_BY_VMM) << 4), guest && content,
		  page, value);
	if (guest && content)
		trace_put64(TRACE_RIP, m->id, 0, now.rip);
	if (guest)
		now.vm = TRACE_NO_VM;
}

/* ---- scan passes ---- */

void trace_note_touched(const struct vm_mem *m, const u64 *entries, u32 first, u64 a_bit)
{
	trace_set_begin(m->id, TRACE_SET_TOUCHED, 0);
	for (u32 i = 0; i < AGES_LEAF; i += GROUP) {
		u64 mask = 0;

		for (u32 k = 0; k < GROUP; k++)
			mask |= (u64)!!(entries[i + k] & a_bit) << k;
		trace_set_add(first + i, mask);
	}
	trace_set_end();
}

void trace_note_pass(const struct vm_mem *m)
{
	trace_put(TRACE_PASS, m->id, 0, 0, m->ages.w1, m->ages.resident);
}

/* ---- pages that reclaim finds ---- */

static struct { u64 mask; u32 first; } group;

static void group_ends(void)
{
	if (group.mask)
		trace_set_add(group.first, group.mask);
	group.mask = 0;
}

void trace_note_page(const struct vm_mem *m, enum trace_set set, u32 g)
{
	trace_set_begin(m->id, set, 0);
	if (group.first != ALIGN_DOWN(g, GROUP))
		group_ends();
	group.first = ALIGN_DOWN(g, GROUP);
	group.mask |= BIT64(g % GROUP);
}

void trace_note_pages_end(void)
{
	group_ends();
	trace_set_end();
}

void trace_note_evicted(const struct vm_mem *m, const u32 *g, u32 n)
{
	trace_set_begin(m->id, TRACE_SET_EVICTED, 0);
	for (u32 i = 0; i < n;) {
		u32 first = ALIGN_DOWN(g[i], GROUP);
		u64 mask = 0;

		for (; i < n && g[i] - first < GROUP; i++)
			mask |= BIT64(g[i] - first);
		trace_set_add(first, mask);
	}
	trace_set_end();
}

/* ---- guests ---- */

void trace_note_guest(const struct vm *vm, enum trace_life life)
{
	const struct vm_mem *m = &vm->mem;
	u64 part;

	for (u8 i = 0; i < 2; i++) {
		_Static_assert(sizeof(vm->name) >= 16, "two parts of a name");
		memcpy(&part, vm->name + 8 * i, sizeof(part));
		trace_put64(TRACE_NAME, vm->id, i, part);
	}
	trace_put(TRACE_LIMITS, vm->id, 0, 0, m->min, m->max);
	trace_put(TRACE_WEIGHT, vm->id, 0, 0, vm->weight, (u32)MIN(vm->miss_goal, (u64)~0u));
	trace_put(TRACE_COST, vm->id, 0, 0, m->curve.cost_us[CURVE_DISC], m->curve.cost_us[CURVE_SWAP]);
	trace_put(TRACE_GUEST, vm->id, (u8)life, 0, m->npages, vmmem_held(m));
}

void trace_note_counts(const struct vm *vm)
{
	const struct vm_counters *n = &vm->mem.n;
	const u64 count[TRACE_COUNTS] = {
		[TRACE_N_FAULTS] = n->faults,
		[TRACE_N_SOFT] = n->soft_hits,
		[TRACE_N_CACHE] = n->cache_hits,
		[TRACE_N_DISC] = n->disc_reads,
		[TRACE_N_SWAP] = n->swap_reads,
		[TRACE_N_ZERO] = n->zero_fills,
		[TRACE_N_AROUND] = n->around,
		[TRACE_N_UNREAD] = n->overwrites_unread,
		[TRACE_N_STALL_US] = arch_tsc_to_ns(n->stall_ticks) / 1000,
	};

	for (u8 i = 0; i < TRACE_COUNTS; i++)
		trace_put64(TRACE_COUNT, vm->id, i, count[i]);
}

/* SETS: nowhere. */
static enum trace_set set_of(const struct vm_mem *m, u32 g, u8 *age)
{
	*age = 0;
	switch (m->page[g].state) {
	case GPAGE_HOT:
		*age = m->age[g];
		return TRACE_SET_HELD;
	case GPAGE_SOFT:
		*age = AGE_MAX;
		return TRACE_SET_HELD;
	case GPAGE_FILLING:
		return TRACE_SET_HELD;
	case GPAGE_DISC:
		*age = (u8)ages_age(&m->ages, m->page[g].stamp);
		return TRACE_SET_DISC;
	case GPAGE_SWAP:
		*age = (u8)ages_age(&m->ages, m->page[g].stamp);
		return TRACE_SET_SWAP;
	default:
		return TRACE_SETS;
	}
}

/* Where each page is when the recording begins. Neighbours were mostly touched together: long runs. */
void trace_note_pages(const struct vm_mem *m)
{
	for (u32 first = 0; first < m->npages; first += GROUP) {
		u32 n = MIN(GROUP, m->npages - first);
		u64 left = n == GROUP ? ~0ull : BIT64(n) - 1;

		while (left) {
			u32 k = (u32)__builtin_ctzll(left);
			u8 age, other;
			enum trace_set set = set_of(m, first + k, &age);
			u64 mask = 0;

			for (; k < n; k++)
				if (left >> k & 1 && set_of(m, first + k, &other) == set && other == age)
					mask |= BIT64(k);
			left &= ~mask;
			if (set == TRACE_SETS)
				continue;
			trace_set_begin(m->id, set, age);
			trace_set_add(first, mask);
		}
	}
	trace_set_end();
}

static u32 cut(u64 v)
{
	return (u32)MIN(v, (u64)~0u);
}

static u32 in_256th(u64 events)
{
	return cut(events * 256 / CURVE_ONE);
}

static void note_band(const struct curve *c, u8 vm, u8 b)
{
	if (!c->band_us[b] && !c->band_pass[b] && !c->band_asleep_us[b] && !c->band_nap_us[b])
		return;
	trace_put(TRACE_CURVE, vm, TRACE_CURVE_NAP, b, cut((c->band_asleep_us[b] + 999) / 1000),
		  cut(c->band_nap_us[b] / 1000));
	trace_put(TRACE_CURVE, vm, TRACE_CURVE_RATE, b, cut(c->band_rate[b]), c->band_faded_ms[b]);
	trace_put(TRACE_CURVE, vm, TRACE_CURVE_DUE, b, in_256th(c->band_seen[b]), in_256th(c->band_due[b]));
	trace_put(TRACE_CURVE, vm, TRACE_CURVE_OVER, b, cut(c->band_us[b] / 1000), in_256th(c->band_pass[b]));
}

void trace_note_curve(const struct vm_mem *m)
{
	const struct curve *c = &m->curve;

	trace_put(TRACE_CURVE, m->id, TRACE_CURVE_SHAPE, 0, c->step_frames, cut(c->time_us / 1000));
	trace_put(TRACE_CURVE, m->id, TRACE_CURVE_COLD, 0, in_256th(c->cold_hits),
		  cut(c->cold_cost / CURVE_ONE / 256));
	for (u32 i = 0; i < c->points; i++) {
		if (c->hits[i] < CURVE_ONE / 256)
			continue;
		trace_put(TRACE_CURVE, m->id, TRACE_CURVE_HITS, 0, i, in_256th(c->hits[i]));
		trace_put(TRACE_CURVE, m->id, TRACE_CURVE_WORTH, 0, i, cut(c->cost[i] / CURVE_ONE / 256));
	}
	trace_put(TRACE_CURVE, m->id, TRACE_CURVE_MIX, 0, c->mix_us, m->ages.w1_avg);
	for (u32 k = 0; k < AGES_N; k++)
		if (m->ages.gone[k])
			trace_put(TRACE_CURVE, m->id, TRACE_CURVE_GONE, 0, k, m->ages.gone[k]);
	for (u8 b = 0; b < CURVE_BANDS; b++)
		note_band(c, m->id, b);
	for (u32 i = 0; payer_pass_ns(&m->idle, i); i++) /* they date ages: which pages are idle */
		trace_put(TRACE_CURVE, m->id, TRACE_CURVE_PASS, 0, i,
			  cut((arch_ns() - payer_pass_ns(&m->idle, i)) / 1000000));
}

/* ---- decisions ---- */

void trace_note_decision(const struct vm *vm, const struct balance_vm *b)
{
	trace_put(TRACE_DECISION, vm->id, (u8)b->why.reason, b->why.burst, b->why.from, b->why.to);
	trace_put(TRACE_WANT, vm->id, 0, 0, b->why.wanted, b->quota.held);
}
