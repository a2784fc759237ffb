/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_events.c - from records to touches in time. Contract: whatif_events.h. A recording may be cut, and
 * lie.
 */
#include "tools/whatif_events.h"
#include "mm/share/curve.h"
#include "tools/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MOST (1u << 26)

/* What was touched since the last pass, to be put in order when the next one comes. */
struct interval {
	u64 start_us;
	u32 *page, n, room;
	u32 *missed_in; /* by page: number of the interval in which it last missed, or was seen */
	u32 number;
	u8 *ahead;      /* by page: it came back unasked and has not been touched since */
	u64 *misses;    /* of its guest: the first touch of such a page is one */
};

struct build {
	struct wi *w;
	const struct tracefile *t;
	struct interval in[WI_VMS];
	u32 room;
	u64 first_stall[WI_VMS];
	bool stalled[WI_VMS], decided[WI_VMS], known[WI_VMS];
};

static struct wi_event *add(struct build *b, u64 us, u8 kind, u8 vm, u32 item)
{
	struct wi *w = b->w;

	if (w->n == b->room) {
		if (b->room >= EVENTS_MOST) {
			fprintf(stderr, "the recording holds more than %u touches\n", EVENTS_MOST);
			exit(1);
		}
		b->room = b->room ? b->room * 2 : 4096;
		w->e = realloc(w->e, b->room * sizeof(*w->e));
		if (!w->e)
			exit(1);
	}
	w->e[w->n] = (struct wi_event){ .us = us, .kind = kind, .vm = vm, .item = item };
	return &w->e[w->n++];
}

/* ---- sets of pages ---- */

static void each_page(const struct wi_vm *vm, const struct trace_rec *r, void (*fn)(void *, u32), void *ctx)
{
	u64 mask = r->time | (u64)r->value << 32;

	if (r->page >= vm->ram)
		return;
	if (r->kind == TRACE_RUN) {
		for (u32 i = 0; i < r->value && r->page + i < vm->ram; i++)
			fn(ctx, r->page + i);
		return;
	}
	for (u32 i = 0; i < 64 && r->page + i < vm->ram; i++)
		if (mask >> i & 1)
			fn(ctx, r->page + i);
}

static void touched(void *ctx, u32 g)
{
	struct interval *in = ctx;

	*in->misses += in->ahead[g];
	in->ahead[g] = 0;
	if (in->missed_in[g] == in->number)
		return; /* that it missed is known, with its time */
	in->missed_in[g] = in->number; /* once is enough */
	if (in->n == in->room) {
		in->room = in->room ? in->room * 2 : 1024;
		in->page = realloc(in->page, in->room * sizeof(u32));
		if (!in->page)
			exit(1);
	}
	in->page[in->n++] = g;
}

/* The reclaimer saw that g was touched since its accessed bit was last cleared. Its own miss is known, and is
 * that touch once. */
struct look { struct build *b; u8 v; u64 us; };

static void seen_warm(void *ctx, u32 g)
{
	struct look *x = ctx;
	struct interval *in = &x->b->in[x->v];

	*in->misses += in->ahead[g];
	in->ahead[g] = 0;
	if (in->missed_in[g] != in->number)
		add(x->b, x->us, WI_TOUCH, x->v, g);
	in->missed_in[g] = 0;
}

static void seen_zeros(void *ctx, u32 g)
{
	struct look *x = ctx;

	add(x->b, x->us, WI_ZEROS, x->v, g);
}

struct where { struct wi_vm *vm; u8 set, age; };

static void located(void *ctx, u32 g)
{
	struct where *x = ctx;

	x->vm->at_start[g] = x->set;
	x->vm->age_at_start[g] = x->age;
	if (x->set == TRACE_SET_DISC)
		x->vm->away[g] = CURVE_DISC;
	else if (x->set == TRACE_SET_SWAP)
		x->vm->away[g] = CURVE_SWAP;
}

static void take_set(struct build *b, const struct trace_rec *r, u64 us)
{
	struct wi_vm *vm = &b->w->vm[r->vm];

	if (r->cls == TRACE_SET_TOUCHED)
		each_page(vm, r, touched, &b->in[r->vm]);
	else if (r->cls == TRACE_SET_WARM)
		each_page(vm, r, seen_warm, &(struct look){ b, r->vm, us });
	else if (r->cls == TRACE_SET_ZEROS)
		each_page(vm, r, seen_zeros, &(struct look){ b, r->vm, us });
	else if (r->cls >= TRACE_SET_HELD && r->cls <= TRACE_SET_SWAP)
		each_page(vm, r, located, &(struct where){ vm, r->cls, r->n });
}

static void take_pass(struct build *b, u8 v, u64 us)
{
	struct interval *in = &b->in[v];

	for (u32 i = 0; i < in->n; i++)
		add(b, in->start_us + (us - in->start_us) * (i + 1) / (in->n + 1), WI_TOUCH, v, in->page[i]);
	add(b, us, WI_PASS, v, 0);
	in->start_us = us;
	in->n = 0;
	in->number++;
}

/* ---- misses ---- */

/* Zero pages that came with it, as an AHEAD record after it says (a RIP may lie between). */
static u32 ahead_of(const struct tracefile *t, u32 i)
{
	const struct trace_rec *m = &t->rec[i];

	for (u32 k = i + 1; k < t->n && k <= i + 2; k++)
		if (t->rec[k].kind == TRACE_AHEAD && t->rec[k].vm == m->vm && t->rec[k].page == m->page)
			return MIN(t->rec[k].value, 64u);
	return 0;
}

static void take_miss(struct build *b, u32 i)
{
	const struct trace_rec *r = &b->t->rec[i];
	struct wi_vm *vm = &b->w->vm[r->vm];
	u32 cls = r->cls & 15;
	u64 us = b->t->us[i];
	struct wi_event *e;

	vm->soft += cls == TRACE_SOFT;
	vm->waits += cls == TRACE_DISC || cls == TRACE_SWAP || cls == TRACE_READ_GHOST;
	vm->misses += cls == TRACE_DISC || cls == TRACE_SWAP || cls == TRACE_READ_GHOST;
	vm->cold += cls == TRACE_READ_COLD;
	if (wi_is_read(cls)) {
		if (r->value < vm->ram) {
			e = add(b, us, WI_READ, r->vm, wi_item_of_block(vm, r->page));
			e->other = r->value;
			e->waited = cls == TRACE_READ_GHOST;
			e->n = r->n;
			b->in[r->vm].missed_in[r->value] = b->in[r->vm].number;
		}
		return;
	}
	if (r->page >= vm->ram)
		return;
	if (cls == TRACE_RESCUE) {
		add(b, us, WI_RESCUE, r->vm, r->page);
		return;
	}
	if (cls == TRACE_DISC || cls == TRACE_CACHE)
		vm->away[r->page] = CURVE_DISC;
	else if (cls == TRACE_SWAP && vm->away[r->page] != CURVE_DISC)
		vm->away[r->page] = CURVE_SWAP;
	b->in[r->vm].missed_in[r->page] = b->in[r->vm].number;
	b->in[r->vm].ahead[r->page] = 0;
	e = add(b, us,
		cls == TRACE_OVERWRITE ? WI_REPLACE :
		cls == TRACE_DROPPED   ? WI_FORGET :
					 WI_TOUCH,
		r->vm, r->page);
	e->waited = cls == TRACE_DISC || cls == TRACE_SWAP;
	e->zero = cls == TRACE_ZERO;
	e->n = e->zero ? (u8)ahead_of(b->t, i) : 0;
}

static void take_ahead(struct build *b, const struct trace_rec *r, u64 us)
{
	for (u32 k = 1; k <= MIN(r->value, 64u); k++) {
		u32 g = r->page + k;

		if (g >= b->w->vm[r->vm].ram)
			continue;
		b->in[r->vm].ahead[g] = 1;
		add(b, us, WI_AHEAD, r->vm, g);
	}
}

/* ---- guests ---- */

static void take_guest(struct build *b, const struct trace_rec *r, u64 us)
{
	struct wi_vm *vm = &b->w->vm[r->vm];
	struct wi *w = b->w;
	u64 stall;

	switch (r->kind) {
	case TRACE_NAME:
		if (r->cls < 2) {
			memcpy(vm->name + 8 * r->cls, &r->page, 4);
			memcpy(vm->name + 8 * r->cls + 4, &r->value, 4);
		}
		break;
	case TRACE_COST:
		vm->cost_disc = r->page;
		vm->cost_swap = r->value;
		break;
	case TRACE_COUNT:
		stall = r->page | (u64)r->value << 32;
		if (r->cls != TRACE_N_STALL_US)
			break;
		if (!b->stalled[r->vm])
			b->first_stall[r->vm] = stall;
		b->stalled[r->vm] = true;
		vm->stall_us = stall - b->first_stall[r->vm];
		break;
	case TRACE_DECISION:
		if (!b->decided[r->vm])
			vm->target = r->page;
		b->decided[r->vm] = true;
		add(b, us, WI_TARGET, r->vm, r->value);
		vm->target_end = r->value;
		break;
	case TRACE_GUEST:
		if (!b->known[r->vm] && (r->cls == TRACE_LIFE_THERE || r->cls == TRACE_LIFE_OFF))
			vm->active = r->cls == TRACE_LIFE_THERE; /* how it was at the beginning */
		else
			add(b, us, WI_GUEST, r->vm, w->changes)->n = r->cls;
		b->known[r->vm] = true;
		break;
	default:
		break;
	}
}

/* LIMITS and WEIGHT come before the GUEST that they belong to. */
static void take_settings(struct build *b, const struct trace_rec *r, struct wi_settings *now)
{
	struct wi *w = b->w;

	if (r->kind == TRACE_LIMITS) {
		now->min = r->page;
		now->max = r->value;
	} else if (r->kind == TRACE_WEIGHT) {
		now->weight = r->page;
		now->goal = r->value;
	} else if (r->kind == TRACE_GUEST) {
		if (!w->vm[r->vm].q.weight)
			w->vm[r->vm].q = *now;
		w->change = realloc(w->change, (w->changes + 1) * sizeof(*w->change));
		if (!w->change)
			exit(1);
		w->change[w->changes++].q = *now;
	}
}

static void take(struct build *b, u32 i, struct wi_settings *now)
{
	const struct trace_rec *r = &b->t->rec[i];
	u64 us = b->t->us[i];
	struct wi *w = b->w;

	if (r->kind == TRACE_MACHINE) {
		if (!w->frames)
			w->frames = r->page;
		add(b, us, WI_MACHINE, 0, r->page);
		return;
	}
	if (r->vm >= WI_VMS || !w->vm[r->vm].there)
		return;
	switch (r->kind) {
	case TRACE_MASK:
	case TRACE_RUN:
		take_set(b, r, us);
		break;
	case TRACE_CURVE:
		wi_take_curve(&w->vm[r->vm], r);
		break;
	case TRACE_PHASE:
		add(b, us, WI_PHASE, r->vm, 0);
		break;
	case TRACE_PASS:
		take_pass(b, r->vm, us);
		break;
	case TRACE_MISS:
		take_miss(b, i);
		break;
	case TRACE_AHEAD:
		if (r->cls != TRACE_ZERO)
			take_ahead(b, r, us);
		break;
	case TRACE_PUT:
		if (r->value < w->vm[r->vm].ram)
			add(b, us, WI_PUT, r->vm, wi_item_of_block(&w->vm[r->vm], r->page))->other = r->value;
		break;
	default:
		take_guest(b, r, us);
		take_settings(b, r, &now[r->vm]);
	}
}

/* Stable by time: the place in the row breaks ties. */
static const struct wi_event *sorting;

static int by_time(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	if (sorting[x].us != sorting[y].us)
		return sorting[x].us < sorting[y].us ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void sort_events(struct wi *w)
{
	u32 *order = oracle_alloc(w->n + 1, sizeof(u32));
	struct wi_event *e = oracle_alloc(w->n + 1, sizeof(*e));

	for (u32 i = 0; i < w->n; i++)
		order[i] = i;
	sorting = w->e;
	qsort(order, w->n, sizeof(u32), by_time);
	for (u32 i = 0; i < w->n; i++)
		e[i] = w->e[order[i]];
	free(w->e);
	free(order);
	w->e = e;
}

void wi_build(struct wi *w, const struct tracefile *t)
{
	struct wi_settings now[WI_VMS] = { 0 };
	struct build b = { .w = w, .t = t };

	memset(w, 0, sizeof(*w));
	w->start_us = t->n ? t->us[0] : 0;
	w->end_us = t->n ? t->us[t->n - 1] : 0;
	wi_find_guests(w, t);
	for (u32 v = 0; v < WI_VMS; v++) {
		b.in[v].start_us = w->start_us;
		b.in[v].missed_in = oracle_alloc(w->vm[v].ram + 1, sizeof(u32));
		b.in[v].ahead = oracle_alloc(w->vm[v].ram + 1, 1);
		b.in[v].misses = &w->vm[v].misses;
		b.in[v].number = 1;
	}
	for (u32 i = 0; i < t->n; i++)
		take(&b, i, now);
	sort_events(w);
	for (u32 v = 0; v < WI_VMS; v++) {
		free(b.in[v].page);
		free(b.in[v].missed_in);
		free(b.in[v].ahead);
	}
}

void wi_free(struct wi *w)
{
	for (u32 v = 0; v < WI_VMS; v++) {
		free(w->vm[v].block);
		free(w->vm[v].away);
		free(w->vm[v].at_start);
		free(w->vm[v].age_at_start);
		free(w->vm[v].curve.hits);
		free(w->vm[v].curve.worth);
	}
	free(w->e);
	free(w->change);
}
