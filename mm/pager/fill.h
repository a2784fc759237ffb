/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fill.h - reads of evicted content: into the guest page (fill), or into a bounce frame from which the
 * guest's own disk write is served. Private to the pager. Completions run in interrupt windows or
 * block_poll().
 */
#ifndef MM_PAGER_FILL_H
#define MM_PAGER_FILL_H

#include "mm/pager/pager.h"

enum fill_why { FILL_TOUCH, FILL_WRITE /* a touch that writes */, FILL_RESCUE, FILL_AHEAD };

/*
 * Makes a DISC or SWAP page resident. 0: it is HOT (its block was cached). E_AGAIN: under way, or no frame,
 * no request or a bounce read of it in flight: guest_io_drive() and pager_wake() follow. RESCUE: dirty once
 * resident.
 */
int fill_page(struct vm_mem *m, u32 g, enum fill_why why) MUST_CHECK;

/* Reads evicted page g and what lies beside it on a guess, if there are frames for it. True: under way. */
bool fill_ahead(struct vm_mem *m, u32 g);

typedef void fill_bounce_fn(void *ctx, int err);
/*
 * Copies the content of a DISC or SWAP page into frame p; the page stays evicted and is busy (pins > 0)
 * meanwhile. 0: done at once, E_AGAIN: done(ctx, err) will be called, E_BUSY: no request free now, try again
 * when driven.
 */
int fill_bounce(struct vm_mem *m, u32 g, pfn_t p, fill_bounce_fn *done, void *ctx) MUST_CHECK;

/* For pager_check: calls fn for each slot that a fill in flight still owns. */
void fill_each_slot(void (*fn)(void *ctx, struct vm_mem *m, u32 slot), void *ctx);

#endif
