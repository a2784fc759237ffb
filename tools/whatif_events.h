/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_events.h - a recording as a sequence of touches in time, guest by guest: private to whatif.
 *
 * Pages of a guest and blocks of its disks are numbered in one row: page g is item g, blocks follow.
 */
#ifndef TOOLS_WHATIF_EVENTS_H
#define TOOLS_WHATIF_EVENTS_H

#include "mm/share/curve.h"
#include "mm/share/payer.h"
#include "tools/whatif_mem.h"
#include "tools/tracefile.h"

#define WI_VMS 16
#define WI_UNKNOWN CURVE_CLASSES /* how a page would be read again */

enum wi_kind {
	WI_TOUCH,    /* item; n: zero pages about it that came with it when it missed */
	/* the guest reads block item into page other; n: it had been touched since the last pass */
	WI_READ,
	WI_PUT,      /* page other holds block item, which the guest gives up there */
	WI_REPLACE,  /* item, overwritten as a whole: its old content is not read */
	WI_FORGET,   /* item's old content is not wanted any more */
	WI_AHEAD,    /* item came back unasked */
	WI_ZEROS,    /* item holds only zeros, evicted it is nowhere */
	WI_RESCUE,   /* item came back because its block was about to be overwritten */
	WI_PASS,
	WI_MACHINE,  /* item: frames to share */
	WI_TARGET,   /* item: its target from now on, or what it held if that is more, as recorded */
	WI_PHASE,    /* a burst of misses: the curve holds little of the past from now on */
	WI_GUEST,    /* started (n 1), stopped (n 2); its settings are in force from now on */
};

struct wi_event {
	u64 us;
	u32 item, other;
	u8 kind, vm, n;
	bool waited;     /* for a disk */
	bool zero;       /* first touch: n pages were mapped around it */
};

struct wi_settings { u32 min, max, weight; u64 goal; };

struct wi_vm {
	bool there, active;      /* in the recording; from its beginning */
	char name[17];
	u32 ram, items;
	u32 *block, nblocks;     /* sorted: item = ram + index */
	u8 *away;                /* by item, when first evicted: enum curve_class; */
	u8 *at_start;            /* by page: enum trace_set, 0xff nowhere; and its age */
	u8 *age_at_start;
	/* at the start, step 0: not known */
	struct {
		u32 step, ms, cold, cold_us, *hits, *worth, points, mix_us, w1_avg, gone[AGES_N];
		struct { u32 asleep_ms, nap_ms, rate, faded_ms, seen, due, ms, pass; } band[CURVE_BANDS];
	} curve;
	/* the last scan passes before the start: so long ago, the last first */
	u32 pass_ms[IDLE_PASSES], passes;
	struct wi_settings q;    /* at the beginning */
	u32 cost_disc, cost_swap;
	u32 target, target_end;  /* at the beginning; at the end */
	/* recorded: pages and blocks that came back and were used; those that the guest waited for */
	u64 misses, waits;
	u64 cold, soft;          /* blocks never seen; touches of soft pages */
	u64 stall_us;
};

struct wi {
	struct wi_vm vm[WI_VMS];
	struct wi_event *e;
	u32 n;
	/* settings by WI_GUEST event, in order */
	struct { struct wi_settings q; } *change;
	u32 changes;
	u32 frames;              /* to share at the beginning */
	u64 start_us, end_us;
};

/* WI_NOWHERE: it is not in the recording. */
u32 wi_item_of_block(const struct wi_vm *vm, u32 block);
/* A class of a MISS that is a guest's read of a block. */
bool wi_is_read(u32 cls);
/* Before all else: guests, their RAM, and the blocks in the recording. */
void wi_find_guests(struct wi *w, const struct tracefile *t);
void wi_take_curve(struct wi_vm *vm, const struct trace_rec *r);
void wi_build(struct wi *w, const struct tracefile *t);
void wi_free(struct wi *w);

#endif
