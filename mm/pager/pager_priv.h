/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pager_priv.h - what the pager's files say to one another.
 */
#ifndef MM_PAGER_PAGER_PRIV_H
#define MM_PAGER_PAGER_PRIV_H

#include "mm/pager/pager.h"

/* Something of m got on: asks for a turn for its guest I/O and wakes what was parked. Call last in a
 * completion. */
void pager_progress(struct vm_mem *m);
/* Frames or requests became free: the starving are re-tried. */
void pager_frames_freed(void);
/* what failed for good at r: m is dead, pager_failed() says so once. */
void pager_io_failed(struct vm_mem *m, const char *what, const struct block_req *r);
/* More than 1/8 of the guests' frames are free, and m may hold n more. */
bool pager_plentiful(const struct vm_mem *m, u32 n);
pfn_t pager_zero_frame(void); /* 4 KiB of zeros, read only */

/* fault.c: makes g HOT. 0; E_AGAIN: it is coming or no frame now. accessed: as if the guest touched it. */
int fault_resident(struct vm_mem *m, u32 g) MUST_CHECK;

/* guest_io.c */
/* Aborts what can be; true: nothing of m is in flight any more. */
bool guest_io_drain(struct vm_mem *m);
u32 guest_io_bounce_frames(const struct vm_mem *m);

#endif
