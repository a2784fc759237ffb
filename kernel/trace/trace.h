/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - the ring of trace records, and the hooks that fill it.
 *
 * Contract. trace_on is false until tracer.c has given the ring its memory; then the hooks below note what
 * happens, from wherever it happens (exit handlers, interrupt windows, chores). A hook costs one predictable
 * branch while tracing is off and never waits: what does not fit is counted, and a LOST record says so as
 * soon as there is room again. Records leave in frames (trace_format.h) by trace_frame(). One CPU.
 *
 * Sets of pages may be added to only between trace_set_begin() and trace_set_end(); nothing else is recorded
 * in between. A new begin for the same set changes nothing, for another one it is an end too.
 */
#ifndef KERNEL_TRACE_TRACE_H
#define KERNEL_TRACE_TRACE_H

#include "kernel/trace/trace_format.h"
#include "mm/share/ages.h"
#include "mm/pager/vmmem.h"

struct vm;
struct balance_vm;

#define TRACE_KEPT 256 /* records of room that only the end of a recording may use */

struct trace_stats {
	u64 records, lost;      /* since the start: kept; not */
	u32 used, room;         /* in the ring now; what it holds in all */
	u32 frames;             /* given out */
	u64 kind[TRACE_KINDS];
};

extern bool trace_on;

/* The ring lives in these pages of PAGE_SIZE, which stay the caller's. Starts recording. */
void trace_start(void *const *page, u32 pages);
/* Records no more; what is in the ring can still be taken out. */
void trace_stop(void);
/* Forgets the ring. */
void trace_forget(void);
void trace_stats(struct trace_stats *s);
/* Takes up to most records out as one frame; out has TRACE_FRAME_BYTES(most). Its bytes, 0: the ring is
 * empty. */
u32 trace_frame(u8 *out, u32 most);
u32 trace_crc(u32 crc, const void *bytes, size_t n);

void trace_put(enum trace_kind kind, u8 vm, u8 cls, u8 n, u32 page, u32 value);
void trace_put64(enum trace_kind kind, u8 vm, u8 cls, u64 v);

/* ---- sets of pages ---- */

void trace_set_begin(u8 vm, enum trace_set set, u8 n);
/* Bit i of mask: page first + i; first is a multiple of 64. Any order, ascending is shortest. */
void trace_set_add(u32 first, u64 mask);
void trace_set_end(void);

/* ---- what the hooks note (trace_note.c) ---- */

void trace_note_miss(const struct vm_mem *m, enum trace_class c, u32 page, u32 value);
void trace_note_touched(const struct vm_mem *m, const u64 *entries, u32 first, u64 a_bit);
void trace_note_pass(const struct vm_mem *m);
/* Pages one by one, near each other; nothing else is noted before the end of the set. */
void trace_note_page(const struct vm_mem *m, enum trace_set set, u32 g);
void trace_note_pages_end(void);
void trace_note_evicted(const struct vm_mem *m, const u32 *g, u32 n);
void trace_note_access(u8 vm, u32 g, enum trace_access how, u64 rip);
void trace_note_guest(const struct vm *vm, enum trace_life life);
void trace_note_counts(const struct vm *vm);
void trace_note_pages(const struct vm_mem *m);
void trace_note_curve(const struct vm_mem *m);
void trace_note_decision(const struct vm *vm, const struct balance_vm *b);

/* An evicted or soft page comes back; stamp still tells its distance. */
static inline void trace_return(const struct vm_mem *m, enum trace_class c, u32 page, u32 stamp)
{
	struct ages_range r;

	if (likely(!trace_on))
		return;
	ages_distance(&m->ages, stamp, &r);
	trace_note_miss(m, c, page, r.lo + (r.hi - r.lo) / 2);
}

/* A miss without a distance. */
static inline void trace_miss(const struct vm_mem *m, enum trace_class c, u32 page, u32 value)
{
	if (unlikely(trace_on))
		trace_note_miss(m, c, page, value);
}

/* The guest reads a block into page g; warm: which it had touched since the last pass. */
static inline void trace_read(const struct vm_mem *m, enum trace_class c, u32 block, u32 g, bool warm)
{
	if (unlikely(trace_on))
		trace_put(TRACE_MISS, m->id, (u8)c, warm, block, g);
}

/* n pages came with that one; unasked: nobody waits for any. */
static inline void trace_ahead(const struct vm_mem *m, enum trace_class c, bool unasked, u32 page, u32 n)
{
	if (unlikely(trace_on) && n)
		trace_put(TRACE_AHEAD, m->id, (u8)c, unasked, page, n);
}

/* The guest is about to read another block over the only copy of this one in its memory, in page g. */
static inline void trace_given_up(const struct vm_mem *m, u32 block, bool cached, u32 g)
{
	if (unlikely(trace_on))
		trace_put(TRACE_PUT, m->id, cached, 0, block, g);
}

#endif
