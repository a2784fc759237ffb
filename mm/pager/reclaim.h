/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reclaim.h - where frames come from: free ones, then the coldest pages of whoever holds too many. Private to
 * the pager. Nothing waits: a request that can't be served now marks its guest starving, and completions or
 * the chore bring it back.
 */
#ifndef MM_PAGER_RECLAIM_H
#define MM_PAGER_RECLAIM_H

#include "mm/pager/pager.h"

/* How deep into the reserve a request may go. */
enum reclaim_level { LEVEL_GUEST, LEVEL_FILL, LEVEL_URGENT };

/* A frame of m in state s. NO_PFN: m is starving now. Never beyond m->max. */
pfn_t reclaim_get_frame(struct vm_mem *m, enum frame_state s, bool zero, enum reclaim_level level);
/* For something nice to have (a frame beside the cache): never starves, never at the cost of pages warmer
 * than stamp. */
pfn_t reclaim_spare_frame(struct vm_mem *m, enum frame_state s, u32 stamp);
/* FILLING, for a page that is brought back on a guess: free, of a guest above its target, or, if guesses of m
 * have been right, of its own coldest. Never starves. */
pfn_t reclaim_ahead_frame(struct vm_mem *m);
/* Takes up to want frames from v: soft-unmaps a batch if its FIFO is short, evicts, starts swap writes.
 * Frames gained. */
u32 reclaim_take(struct vm_mem *v, u32 want);
/* The same of one that pays for others: not below its min, frames that are being written counted. */
u32 reclaim_take_above(struct vm_mem *v, u32 want);
/* The guest that is furthest above its target, by at least one frame; with below_ok, above its min. Guest
 * `but` is left out. NULL: there is none. */
struct vm_mem *reclaim_richest(const struct vm_mem *but, bool below_ok);
/* The guest that gives frames to the reserve: the one furthest above its target, but a guest with idle pages
 * before one that uses all of its own. NULL: nobody is above its target. */
struct vm_mem *reclaim_payer(void);
u32 reclaim_reserve(void);
/* Swap writes in flight, all guests, pages. */
u32 reclaim_writing(void);

/* swapout.c: one request of up to SWAPOUT_PAGES pages. */
#define SWAPOUT_PAGES PAYER_WRITE
bool swapout_ready(struct vm_mem *m);
/* Slots that m may still fill: the free ones, less what other guests whose max is below their RAM will need
 * (mm/share/promise.h). NULL: one that has no such claim. */
u32 swapout_room(const struct vm_mem *m);
/* g[]: SOFT pages on the FIFO, not droppable. Writes the first of them for which contiguous slots were found;
 * returns how many (0: the area is full, or m is dead or draining). */
u32 swapout_start(struct vm_mem *m, const u32 *g, u32 n);
void swapout_each_slot(void (*fn)(void *ctx, struct vm_mem *m, u32 slot), void *ctx);

#endif
