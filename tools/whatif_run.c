/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_run.c - a recording's events happen to guests' memory again. Contract: whatif_run.h.
 *
 * A guest is its pages and the blocks that it read, in one LRU stack, as in the hypervisor: a block that is
 * read becomes the page that it is read into, a block that is given up becomes an item of its own (the
 * exclusive cache).
 */
#include "tools/whatif_run.h"
#include "tools/oracle.h"
#include "tools/whatif_ahead.h"

#include <stdlib.h>
#include <string.h>

#define AROUND 64u
_Static_assert(WI_VMS == WI_GUESTS, "one number for both");

struct sim {
	struct wi_host h;
	const struct wi *w;
	const struct wi_override *o[WI_VMS];
	s64 more_frames;
	bool as_decided;
	struct wi_outcome *out;
};

/* ---- settings ---- */

struct qos wi_qos(const struct wi_override *o, struct wi_settings q)
{
	if (o && o->min)
		q.min = o->q.min;
	if (o && o->max)
		q.max = o->q.max;
	if (o && o->weight)
		q.weight = o->q.weight;
	if (o && o->goal)
		q.goal = o->q.goal;
	q.max = MAX(q.max, 1);
	return (struct qos){ .min_frames = MIN(q.min, q.max), .max_frames = q.max,
			     .weight = MIN(MAX(q.weight, 1), 10000), .miss_goal = q.goal };
}

const struct wi_override *wi_override_of(const struct wi_case *c, const char *name)
{
	for (u32 i = c->n; i-- > 0;)
		if (!strcmp(c->o[i].name, name))
			return &c->o[i];
	return NULL;
}

static u32 frames_then(const struct sim *s, u32 recorded)
{
	s64 n = (s64)recorded + s->more_frames;

	return (u32)MIN(MAX(n, 1), (s64)UINT32_MAX / 2);
}

static struct wi_mem *mem(struct sim *s, u32 v)
{
	return &s->h.guest[v].mem;
}

/* ---- the beginning ---- */

/* The hypervisor's shape of curve, and what it knew. */
static void know(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct curve *c = &mem(s, v)->curve;
	u64 now = s->w->start_us * 1000;

	curve_reset(c, now);
	if (!vm->curve.step)
		return;
	wi_mem_shape(mem(s, v), vm->curve.step, vm->curve.points, now);
	c->time_us = vm->curve.ms * 1000ull;
	if (vm->passes) /* its time goes on from the last pass */
		c->last_ns -= MIN(c->last_ns, vm->pass_ms[0] * 1000000ull);
	c->cold_hits = vm->curve.cold * (CURVE_ONE / 256);
	c->cold_cost = vm->curve.cold_us * CURVE_ONE * 256;
	for (u32 i = 0; i < vm->curve.points; i++) {
		c->hits[i] = vm->curve.hits[i] * (CURVE_ONE / 256);
		c->cost[i] = vm->curve.worth[i] * CURVE_ONE * 256;
	}
	for (u32 b = 0; b < CURVE_BANDS; b++) {
		c->band_asleep_us[b] = vm->curve.band[b].asleep_ms * 1000ull;
		c->band_nap_us[b] = vm->curve.band[b].nap_ms * 1000ull;
		c->band_rate[b] = vm->curve.band[b].rate;
		c->band_faded_ms[b] = vm->curve.band[b].faded_ms;
		c->band_seen[b] = vm->curve.band[b].seen * (CURVE_ONE / 256);
		c->band_due[b] = vm->curve.band[b].due * (CURVE_ONE / 256);
		c->band_us[b] = vm->curve.band[b].ms * 1000ull;
		c->band_pass[b] = vm->curve.band[b].pass * (CURVE_ONE / 256);
	}
}

/* Pages where and as old as they were. */
static void place(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct wi_mem *m = mem(s, v);

	for (u32 p = 0; p < vm->ram; p++)
		if (vm->at_start[p] == TRACE_SET_HELD)
			wi_mem_place(m, p, vm->age_at_start[p], true);
		else if (vm->at_start[p] == TRACE_SET_SWAP || vm->at_start[p] == TRACE_SET_DISC)
			wi_mem_place(m, p, vm->age_at_start[p], false);
	wi_mem_placed(m, vm->curve.gone, vm->curve.w1_avg);
	for (u32 i = vm->passes; i-- > 0;) {
		u64 now = s->w->start_us * 1000, ago = vm->pass_ms[i] * 1000000ull;

		payer_idle_pass(&m->idle, &m->ages, now > ago ? now - ago : 1);
	}
	know(s, v);
}

static void add_guest(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct qos q = wi_qos(s->o[v], vm->q);
	u64 now = s->w->start_us * 1000;

	s->h.guest[v].there = true;
	s->h.guest[v].rec = vm;
	wi_mem_init(mem(s, v), (u8)v, vm->items, vm->away, &s->h.slots, now);
	place(s, v);
	if (vm->cost_disc)
		curve_set_cost(&mem(s, v)->curve, CURVE_DISC, vm->cost_disc);
	if (vm->cost_swap)
		curve_set_cost(&mem(s, v)->curve, CURVE_SWAP, vm->cost_swap);
	if (vm->curve.mix_us)
		mem(s, v)->curve.mix_us = vm->curve.mix_us;
	if (vm->active)
		wi_host_start(&s->h, v, &q, now);
}

static void set_target(struct sim *s, u32 v, u64 target)
{
	struct quota *q = wi_host_quota(&s->h, v);

	q->target = (u32)MAX(MIN(target, (u64)q->qos.max_frames), q->qos.min_frames);
}

static void begin(struct sim *s, const struct wi *w, const struct wi_case *c)
{
	u64 now = w->start_us * 1000;
	u32 most = w->frames;

	s->w = w;
	s->as_decided = c->as_decided;
	s->more_frames = c->more_frames;
	for (u32 i = 0; i < w->n; i++)
		if (w->e[i].kind == WI_MACHINE)
			most = MAX(most, w->e[i].item);
	wi_host_init(&s->h, frames_then(s, most), frames_then(s, w->frames), now);
	s->h.reads_ahead = !s->as_decided;
	for (u32 v = 0; v < WI_VMS; v++) {
		if (!w->vm[v].there)
			continue;
		s->o[v] = wi_override_of(c, w->vm[v].name);
		add_guest(s, v);
	}
	for (u32 v = 0; v < WI_VMS; v++)
		if (s->h.guest[v].active && w->vm[v].target)
			set_target(s, v, (u64)w->vm[v].target * s->h.frames / MAX(w->frames, 1));
	wi_host_chore(&s->h);
}

/* ---- events ---- */

static void stalled(struct sim *s, u32 v)
{
	const struct wi_vm *vm = &s->w->vm[v];

	curve_note_stall(&mem(s, v)->curve, vm->waits ? vm->stall_us / vm->waits : vm->cost_disc);
}

static void waits(struct sim *s, u32 v, u64 us)
{
	s->out[v].misses++;
	s->out[v].waits++;
	if (s->as_decided)
		return; /* the guest stood still when it did then, and bursts are told */
	stalled(s, v);
	wi_host_quota(&s->h, v)->held = wi_mem_held(mem(s, v));
	(void)balance_note_miss(&s->h.b, (u32)s->h.guest[v].vm, us * 1000);
}

static enum wi_touch touch(struct sim *s, u32 v, u32 item, u64 us)
{
	enum wi_touch how = wi_ahead_touch(&s->h, v, item, us * 1000);

	if (how == WI_AGAIN)
		waits(s, v, us);
	s->out[v].misses += how == WI_UNASKED;
	return how;
}

/* Zero pages about the one that was touched, while frames are to spare. */
static void along(struct sim *s, u32 v, const struct wi_event *e)
{
	const struct wi_vm *vm = &s->w->vm[v];
	struct wi_mem *m = mem(s, v);
	u32 first = ALIGN_DOWN(e->item, AROUND), left = e->n;

	if (!wi_host_plentiful(&s->h, v, AROUND))
		return;
	for (u32 p = first; p < vm->ram && p < first + AROUND && left; p++) {
		if (m->state[p] != WI_NONE)
			continue;
		wi_mem_arrive(m, p);
		left--;
	}
}

static void touched(struct sim *s, u32 v, const struct wi_event *e)
{
	enum wi_touch how;

	if (e->zero && mem(s, v)->state[e->item] == WI_AWAY)
		wi_mem_forget(mem(s, v), e->item); /* it held zeros only: nothing is read */
	how = touch(s, v, e->item, e->us);
	if (e->n && how == WI_FIRST)
		along(s, v, e);
}

static void rescued(struct sim *s, u32 v, u32 item)
{
	if (mem(s, v)->state[item] != WI_AWAY)
		return;
	wi_host_frame(&s->h, v);
	wi_mem_restore(mem(s, v), item, false);
}

static void block_read(struct sim *s, u32 v, const struct wi_event *e)
{
	struct wi_mem *m = mem(s, v);

	if (e->n) { /* the page had just been touched, which counts, and is gone with its content */
		(void)touch(s, v, e->other, e->us);
		wi_mem_look(m, e->other);
	}
	wi_mem_forget(m, e->other);
	if (touch(s, v, e->item, e->us) == WI_FIRST) {
		s->out[v].cold++;
		curve_note_cold(&m->curve, CURVE_DISC);
	}
	wi_mem_move(m, e->item, e->other);
	wi_mem_holds(m, e->other, e->item);
}

static void given_up(struct sim *s, u32 v, const struct wi_event *e)
{
	struct wi_mem *m = mem(s, v);
	u32 page = e->other;
	bool here = m->state[page] == WI_HOT || m->state[page] == WI_SOFT;
	u32 stamp = m->state[page] == WI_HOT ? m->ages.stamp[m->age[page]] : m->stamp[page];

	if (m->state[page] != WI_NONE)
		wi_mem_give_up(m, page, e->item, here && wi_host_spare_frame(&s->h, v, stamp));
}

static void guest_changes(struct sim *s, u32 v, const struct wi_event *e)
{
	struct qos q = wi_qos(s->o[v], s->w->change[e->item].q);
	u64 now = e->us * 1000;

	if (e->n == TRACE_LIFE_THERE) {
		if (s->h.guest[v].active)
			balance_set_qos(&s->h.b, (u32)s->h.guest[v].vm, &q, now);
		return;
	}
	wi_host_stop(&s->h, v, now);
	s->h.guest[v].ahead = (struct ahead){ 0 };
	wi_mem_reset(mem(s, v), now);
	if (e->n == TRACE_LIFE_STARTED)
		wi_host_start(&s->h, v, &q, now);
}

static void guest_event(struct sim *s, u32 v, const struct wi_event *e)
{
	if (e->waited && s->as_decided)
		stalled(s, v);
	switch (e->kind) {
	case WI_TOUCH:
		touched(s, v, e);
		break;
	case WI_READ:
		block_read(s, v, e);
		break;
	case WI_PUT:
		given_up(s, v, e);
		break;
	case WI_REPLACE:
	case WI_FORGET:
		if (mem(s, v)->state[e->item] == WI_AWAY)
			wi_mem_forget(mem(s, v), e->item);
		if (e->kind == WI_REPLACE)
			(void)touch(s, v, e->item, e->us);
		break;
	case WI_AHEAD:
		if (s->as_decided) /* else it reads ahead itself */
			wi_ahead_bring(&s->h, v, e->item);
		break;
	case WI_ZEROS:
		wi_mem_zeros(mem(s, v), e->item);
		break;
	case WI_RESCUE:
		rescued(s, v, e->item);
		break;
	case WI_TARGET:
		if (s->as_decided) /* in proportion to the memory */
			set_target(s, v,
				   (u64)e->item * s->h.frames /
					   (u64)MAX((s64)s->h.frames - s->more_frames, 1));
		break;
	case WI_PHASE:
		if (s->as_decided) /* that too was decided */
			curve_new_phase(&mem(s, v)->curve, e->us * 1000);
		break;
	case WI_PASS:
		wi_ahead_look(&s->h, v);
		wi_mem_pass(mem(s, v), e->us * 1000);
		break;
	default:
		break;
	}
}

static void event(struct sim *s, const struct wi_event *e)
{
	if (e->kind == WI_MACHINE) {
		s->h.frames = frames_then(s, e->item);
		if (s->h.frames != s->h.b.frames)
			balance_set_frames(&s->h.b, s->h.frames, e->us * 1000);
	} else if (s->h.guest[e->vm].there && e->kind == WI_GUEST) {
		guest_changes(s, e->vm, e);
	} else if (s->h.guest[e->vm].active) {
		guest_event(s, e->vm, e);
		wi_ahead_background(&s->h, e->vm, e->us * 1000);
	}
}

void wi_replay(const struct wi *w, const struct wi_case *c, struct wi_outcome out[WI_VMS])
{
	struct sim *s = oracle_alloc(1, sizeof(*s));

	memset(out, 0, WI_VMS * sizeof(*out));
	s->out = out;
	begin(s, w, c);
	for (u32 i = 0; i < w->n; i++) {
		if (!s->as_decided)
			wi_host_decide(&s->h, w->e[i].us * 1000);
		event(s, &w->e[i]);
		wi_host_chore(&s->h);
	}
	for (u32 v = 0; v < WI_VMS; v++) {
		if (!s->h.guest[v].active)
			continue;
		out[v].held = wi_mem_held(mem(s, v));
		out[v].target = wi_host_quota(&s->h, v)->target;
	}
	wi_host_free(&s->h);
	free(s);
}
