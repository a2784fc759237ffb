/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_start.c - who is in a recording, which blocks they read, and what their curves knew when it began.
 * Contract: whatif_events.h.
 */
#include "mm/share/curve.h"
#include "tools/oracle.h"
#include "tools/whatif_events.h"

#include <stdlib.h>
#include <string.h>

#define RAM_MOST (3u << 18) /* 3 GiB, in pages */

bool wi_is_read(u32 cls)
{
	return cls == TRACE_READ_CACHE || cls == TRACE_READ_GHOST || cls == TRACE_READ_COLD;
}

/* ---- first look: who is there, which blocks ---- */

static int by_number(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

void wi_find_guests(struct wi *w, const struct tracefile *t)
{
	for (u32 i = 0; i < t->n; i++) {
		const struct trace_rec *r = &t->rec[i];

		if (r->vm >= WI_VMS)
			continue;
		if (r->kind == TRACE_PUT || (r->kind == TRACE_MISS && wi_is_read(r->cls & 15)))
			w->vm[r->vm].nblocks++;
		if (r->kind == TRACE_GUEST && r->page <= RAM_MOST && r->page > w->vm[r->vm].ram)
			w->vm[r->vm].ram = r->page;
	}
	for (u32 v = 0; v < WI_VMS; v++) {
		struct wi_vm *vm = &w->vm[v];
		u32 n = 0, k = 0;

		vm->there = vm->ram > 0;
		if (!vm->there)
			continue;
		vm->block = oracle_alloc(vm->nblocks + 1, sizeof(u32));
		for (u32 i = 0; i < t->n; i++) {
			const struct trace_rec *r = &t->rec[i];

			if (r->vm == v &&
			    (r->kind == TRACE_PUT || (r->kind == TRACE_MISS && wi_is_read(r->cls & 15))))
				vm->block[n++] = r->page;
		}
		qsort(vm->block, n, sizeof(u32), by_number);
		for (u32 i = 0; i < n; i++)
			if (!i || vm->block[i] != vm->block[i - 1])
				vm->block[k++] = vm->block[i];
		vm->nblocks = k;
		vm->items = vm->ram + k;
		vm->away = oracle_alloc(vm->items, 1);
		vm->at_start = oracle_alloc(vm->ram, 1);
		vm->age_at_start = oracle_alloc(vm->ram, 1);
		memset(vm->away, WI_UNKNOWN, vm->ram);
		memset(vm->away + vm->ram, CURVE_DISC, k);
		memset(vm->at_start, 0xff, vm->ram);
	}
}

u32 wi_item_of_block(const struct wi_vm *vm, u32 block)
{
	const u32 *p = bsearch(&block, vm->block, vm->nblocks, sizeof(u32), by_number);

	return p ? vm->ram + (u32)(p - vm->block) : WI_NOWHERE;
}

/* ---- curves ---- */

static void take_band(struct wi_vm *vm, const struct trace_rec *r)
{
	typeof(vm->curve.band[0]) *b = &vm->curve.band[r->n % CURVE_BANDS];

	switch (r->cls) {
	case TRACE_CURVE_NAP:
		b->asleep_ms = r->page;
		b->nap_ms = r->value;
		break;
	case TRACE_CURVE_RATE:
		b->rate = r->page;
		b->faded_ms = r->value;
		break;
	case TRACE_CURVE_DUE:
		b->seen = r->page;
		b->due = r->value;
		break;
	case TRACE_CURVE_OVER:
		b->ms = r->page;
		b->pass = r->value;
		break;
	default:
		break;
	}
}

void wi_take_curve(struct wi_vm *vm, const struct trace_rec *r)
{
	u32 i = r->page;

	if (r->cls == TRACE_CURVE_SHAPE && !vm->curve.step && i && i % CURVE_STEP_FRAMES == 0) {
		u32 points = vm->ram * 2 / i + (vm->ram * 2 % i > 0);

		if (points > CURVE_POINTS_MAX)
			return;
		vm->curve.step = i;
		vm->curve.ms = r->value;
		vm->curve.points = points;
		vm->curve.hits = oracle_alloc(points, sizeof(u32));
		vm->curve.worth = oracle_alloc(points, sizeof(u32));
	} else if (r->cls == TRACE_CURVE_COLD) {
		vm->curve.cold = i;
		vm->curve.cold_us = r->value;
	} else if (r->cls == TRACE_CURVE_HITS && i < vm->curve.points) {
		vm->curve.hits[i] = r->value;
	} else if (r->cls == TRACE_CURVE_WORTH && i < vm->curve.points) {
		vm->curve.worth[i] = r->value;
	} else if (r->cls == TRACE_CURVE_PASS && i == vm->passes && i < IDLE_PASSES) {
		vm->pass_ms[vm->passes++] = r->value;
	} else if (r->cls == TRACE_CURVE_MIX) {
		vm->curve.mix_us = i;
		vm->curve.w1_avg = r->value;
	} else if (r->cls == TRACE_CURVE_GONE && i < AGES_N) {
		vm->curve.gone[i] = r->value;
	} else {
		take_band(vm, r);
	}
}
