/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * divide.c - exact division of frames by dynamic programming. Contract: divide.h.
 *
 * Floors are settled first, in frames. What remains is dealt out in steps:
 * best[t] is the least weighted waiting of the guests so far with t steps
 * between them. A guest offers only options that are better than all its
 * smaller ones; with the charge for moving that is also what keeps everyone
 * in place where the curves are flat. If the table would cost too much, the
 * step doubles, and finer searches around the coarse answer follow.
 */
#include "mm/share/divide.h"

#define WINDOW 2 /* a finer search looks so many coarse steps to each side */
#define FINER 4  /* and its step is so much smaller */
#define BREATHE_OPS 2048u /* 30,000 instructions: a 16-byte FIFO at 115200 baud lasts 70,000 at 50 MIPS */

void (*divide_breathe)(void);

struct search {
	const struct divide *d;
	struct divide_vm *vm;
	u32 n, room;     /* options: how many steps the arrays hold */
	u32 step, steps; /* to deal out above the lows */
	u32 *lo, *hi, *got;
	u64 *cost;       /* of one guest's options */
	u16 *option;     /* in steps above its low */
	u64 *best, *next;
	u16 *choice;     /* [n][room + 1] */
	u32 breath;      /* additions since divide_breathe() */
};

static u32 room_for(u32 n, u32 frames, u32 step_frames)
{
	u32 most = MIN(frames / step_frames + 1, DIVIDE_STEPS_MAX);

	/* a finer search deals out its windows, at most */
	return MAX(most, n * (2 * WINDOW * FINER + 1));
}

size_t divide_scratch_bytes(u32 n, u32 frames, u32 step_frames)
{
	size_t room;

	if (!n || n > DIVIDE_VMS_MAX || !step_frames)
		return 0;
	room = (size_t)room_for(n, frames, step_frames) + 1;
	return room * (3 * sizeof(u64) + sizeof(u16)) + ALIGN_UP(n, 2) * 3 * sizeof(u32) +
	       room * n * sizeof(u16);
}

static void lay_out(struct search *s, u8 *scratch)
{
	size_t room = s->room + 1;
	u32 vms = ALIGN_UP(s->n, 2);

	s->cost = (u64 *)scratch;
	s->best = s->cost + room;
	s->next = s->best + room;
	s->lo = (u32 *)(s->next + room);
	s->hi = s->lo + vms;
	s->got = s->hi + vms;
	s->option = (u16 *)(s->got + vms);
	s->choice = s->option + room;
}

/* ---- floors ---- */

void divide_fair(struct divide_vm *vm, u32 n, u32 frames)
{
	u64 weights = 0, left = frames;
	bool again = true;

	for (u32 i = 0; i < n; i++) {
		vm[i].fair = ~0u;
		weights += vm[i].weight;
	}
	while (again) {
		again = false;
		for (u32 i = 0; i < n; i++) {
			if (vm[i].fair != ~0u || left * vm[i].weight / weights < vm[i].max)
				continue;
			vm[i].fair = vm[i].max;
			left -= vm[i].max;
			weights -= vm[i].weight;
			again = weights != 0;
			break;
		}
	}
	for (u32 i = 0; i < n; i++)
		if (vm[i].fair == ~0u)
			vm[i].fair = (u32)(left * vm[i].weight / weights);
}

/* Floors as wished; mins first if they do not all fit. Returns their sum. */
static u32 set_floors(struct divide *d, struct divide_vm *vm, u32 n)
{
	u64 mins = 0, wished = 0, spare;
	u32 sum = 0;

	for (u32 i = 0; i < n; i++) {
		u32 use = MAX(vm[i].w1, vm[i].used);

		vm[i].floor = MIN(MAX(vm[i].min, MIN(use, vm[i].fair)), vm[i].max);
		if (use > vm[i].fair)
			vm[i].flags |= DIVIDE_FAIR_CUT;
		mins += vm[i].min;
		wished += vm[i].floor;
	}
	d->infeasible = mins > d->frames;
	d->short_frames = d->infeasible ? (u32)(mins - d->frames) : 0;
	spare = d->infeasible ? 0 : d->frames - mins;
	for (u32 i = 0; i < n; i++) {
		if (d->infeasible) {
			vm[i].floor = (u32)((u64)vm[i].min * d->frames / mins);
			vm[i].flags |= DIVIDE_MIN_CUT;
			vm[i].short_frames = vm[i].min - vm[i].floor;
		} else if (wished > d->frames) {
			vm[i].floor = vm[i].min + (u32)((vm[i].floor - vm[i].min) * spare /
							(wished - mins));
		}
		sum += vm[i].floor;
	}
	return sum;
}

bool divide_goal_frames(const struct curve *c, u64 goal, u32 *frames)
{
	u64 cold = curve_cold_misses(c);

	*frames = goal > cold ? curve_frames_for(c, goal - cold) : 0;
	return goal > cold;
}

/* Guests with a goal, heaviest first, take what it needs from what is left. */
static u32 serve_goals(struct divide *d, struct divide_vm *vm, u32 n, u32 floors)
{
	u64 served = 0; /* a bit a guest */

	for (u32 round = 0; round < n; round++) {
		u32 who = n, give;

		for (u32 i = 0; i < n; i++)
			if (vm[i].goal && !(served >> i & 1) &&
			    (who == n || vm[i].weight > vm[who].weight))
				who = i;
		if (who == n)
			break;
		served |= BIT64(who);
		if (!divide_goal_frames(vm[who].curve, vm[who].goal, &vm[who].need))
			vm[who].flags |= DIVIDE_GOAL_COLD;
		if (vm[who].need <= vm[who].floor)
			continue;
		give = MIN(MIN(vm[who].need, vm[who].max) - MIN(vm[who].floor, vm[who].max),
			   d->frames - floors);
		vm[who].floor += give;
		floors += give;
	}
	return floors;
}

/* ---- the search ---- */

static inline u32 option_frames(const struct search *s, u32 i, u32 steps)
{
	return (u32)MIN((u64)s->lo[i] + (u64)steps * s->step, s->hi[i]);
}

static void breathe(struct search *s, u32 ops)
{
	s->breath += ops;
	if (s->breath < BREATHE_OPS)
		return;
	s->breath = 0;
	if (divide_breathe)
		divide_breathe();
}

/* Guest i's options: each better than all smaller ones. Returns how many. */
static u32 find_options(struct search *s, u32 i)
{
	const struct divide_vm *vm = &s->vm[i];
	u32 most = (s->hi[i] - s->lo[i] + s->step - 1) / s->step, n = 0;
	u64 grain;

	most = MIN(most, s->steps);
	curve_fill_cost(vm->curve, s->lo[i], s->step, s->cost, most + 1);
	if (s->lo[i] + (u64)most * s->step > s->hi[i]) /* the last step ends at max */
		s->cost[most] = curve_cost_at(vm->curve, s->hi[i]);
	curve_add_regret(vm->curve, s->lo[i], s->step, vm->now, s->cost, most + 1);
	breathe(s, BREATHE_OPS); /* some hundred divisions each, here and below */
	grain = s->cost[0] * 10 * vm->weight >> 14;
	for (u32 j = 0; j <= most; j++) {
		u32 m = option_frames(s, i, j);
		u64 moved = m > vm->now ? m - vm->now : vm->now - m;
		u64 cost = s->cost[j] * 10 * vm->weight + moved * s->d->move_cost;

		if (n && cost + (j < most ? grain : 0) >= s->cost[n - 1])
			continue;
		s->cost[n] = cost; /* n <= j: never ahead of what is read */
		s->option[n++] = (u16)j;
	}
	breathe(s, BREATHE_OPS);
	return n;
}

/* Adds guest i to the table, option by option. Returns the additions made. */
static u32 add_guest(struct search *s, u32 i)
{
	u32 n = find_options(s, i), ops = s->steps + 1;
	u16 *choice = s->choice + (size_t)i * (s->room + 1);
	u64 *swap = s->best;

	for (u32 t = 0; t <= s->steps; t++) { /* option 0 is 0 steps */
		s->next[t] = s->best[t] + s->cost[0];
		choice[t] = 0;
	}
	for (u32 o = 1; o < n && s->option[o] <= s->steps; o++) {
		u32 by = s->option[o], last = s->steps - by;
		const u64 *best = s->best;
		u64 *next = s->next + by, cost = s->cost[o];
		u16 *chosen = choice + by;

		for (u32 t = 0; t <= last; t++) {
			u64 v = best[t] + cost;

			if (v < next[t]) {
				next[t] = v;
				chosen[t] = (u16)by;
			}
		}
		ops += last + 1;
		breathe(s, last + 1);
	}
	s->best = s->next;
	s->next = swap;
	return ops;
}

/* Best division between lo and hi; into got. */
static u32 search(struct search *s)
{
	u32 ops = 0, t = s->steps;

	for (u32 i = 0; i <= s->steps; i++)
		s->best[i] = 0;
	for (u32 i = 0; i < s->n; i++)
		ops += add_guest(s, i);
	for (u32 i = s->n; i-- > 0;) {
		u32 j = s->choice[(size_t)i * (s->room + 1) + t];

		s->got[i] = option_frames(s, i, j);
		t -= j;
	}
	return ops;
}

/* Steps to deal out above the lows. */
static u32 steps_between(const struct search *s)
{
	u64 low = 0, width = 0;

	for (u32 i = 0; i < s->n; i++) {
		low += s->lo[i];
		width += ((u64)s->hi[i] - s->lo[i] + s->step - 1) / s->step * s->step;
	}
	return (u32)(MIN(s->d->frames - low, width) / s->step);
}

static u64 ops_needed(struct search *s)
{
	u64 options = 0;

	for (u32 i = 0; i < s->n; i++)
		options += find_options(s, i);
	return options * (s->steps + 1);
}

static u32 coarse_search(struct search *s, u32 max_ops)
{
	for (;; s->step *= 2) {
		s->steps = steps_between(s);
		if (s->steps <= 1)
			break;
		if (s->steps <= s->room && ops_needed(s) <= max_ops)
			break;
	}
	return search(s);
}

static u32 finer_search(struct search *s, u32 finest)
{
	u32 around = WINDOW * s->step;

	for (u32 i = 0; i < s->n; i++) {
		u32 at = s->got[i];

		s->lo[i] = MAX(s->vm[i].floor, at > around ? at - around : 0);
		s->hi[i] = MIN(s->vm[i].max, at + around);
	}
	s->step = MAX(s->step / FINER, finest);
	s->steps = MIN(steps_between(s), s->room);
	return search(s);
}

/* Frames that no curve asks for: back to those that give some up, then by weight. */
static void spread_surplus(struct divide *d, struct divide_vm *vm, u32 n)
{
	u64 left = d->frames, weights = 0;

	for (u32 i = 0; i < n; i++)
		left -= vm[i].target;
	for (u32 i = 0; i < n; i++) {
		u32 give = MIN(vm[i].now, vm[i].max);

		give = (u32)MIN(give > vm[i].target ? give - vm[i].target : 0, left);
		vm[i].target += give;
		left -= give;
	}
	for (u32 i = 0; i < n; i++)
		weights += vm[i].target < vm[i].max ? vm[i].weight : 0;
	for (u32 i = 0; i < n && weights; i++) {
		u32 give;

		if (vm[i].target >= vm[i].max)
			continue;
		give = (u32)MIN(left * vm[i].weight / weights, vm[i].max - vm[i].target);
		weights -= vm[i].weight;
		vm[i].target += give;
		left -= give;
	}
}

static void report(struct divide_vm *vm)
{
	bool goal = vm->goal && !(vm->flags & DIVIDE_GOAL_COLD);

	if (vm->target == vm->floor)
		vm->flags |= DIVIDE_FLOOR;
	if (vm->target >= vm->max)
		vm->flags |= DIVIDE_CAPPED;
	if (goal && vm->target >= vm->need)
		vm->flags |= DIVIDE_GOAL_MET;
	if (goal && vm->target < vm->need) {
		vm->flags |= DIVIDE_GOAL_UNMET;
		vm->short_frames = vm->need - vm->target;
	}
	if (vm->curve->coarse)
		vm->flags |= DIVIDE_COARSE;
	vm->cost_now = curve_cost_at(vm->curve, vm->now);
	vm->cost_then = curve_cost_at(vm->curve, vm->target) + curve_regret(vm->curve, vm->target, vm->now);
}

int divide_run(struct divide *d, struct divide_vm *vm, u32 n, void *scratch, size_t bytes)
{
	struct search s = { .d = d, .vm = vm, .n = n };

	if (!n || n > DIVIDE_VMS_MAX || !d->step_frames || d->step_frames > 1u << 20)
		return E_INVAL;
	if (bytes < divide_scratch_bytes(n, d->frames, d->step_frames))
		return E_NOMEM;
	for (u32 i = 0; i < n; i++) {
		if (!vm[i].weight || !vm[i].curve || vm[i].min > vm[i].max)
			return E_INVAL;
		vm[i].flags = vm[i].short_frames = vm[i].need = 0;
	}
	s.room = room_for(n, d->frames, d->step_frames);
	lay_out(&s, scratch);
	divide_fair(vm, n, d->frames);
	serve_goals(d, vm, n, set_floors(d, vm, n));
	for (u32 i = 0; i < n; i++) {
		s.lo[i] = vm[i].floor;
		s.hi[i] = vm[i].max;
	}
	s.step = d->step_frames;
	d->ops = coarse_search(&s, d->max_ops ? d->max_ops : DIVIDE_OPS_DEFAULT);
	d->step_used = s.step;
	while (s.step > d->step_frames)
		d->ops += finer_search(&s, d->step_frames);
	for (u32 i = 0; i < n; i++)
		vm[i].target = s.got[i];
	spread_surplus(d, vm, n);
	for (u32 i = 0; i < n; i++)
		report(&vm[i]);
	return E_OK;
}
