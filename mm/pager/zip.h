/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zip.h - cold pages compressed in memory before they go to the swap area. Private to the pager.
 *
 * Reclaim only puts pages in. They leave by a touch, by being given up (gpage_discard_evicted), or from the
 * chore, which hands the oldest on to the swap area when the store is full or its budget (mm/pager/zplan.h)
 * shrinks: so nobody who looks for a frame finds that a GPAGE_ZIP page has become something else.
 */
#ifndef MM_PAGER_ZIP_H
#define MM_PAGER_ZIP_H

#include "mm/pager/pager.h"

#define ZIP_BATCH 16u /* pages put at a time */

/* May pages be put into m's store now? */
static inline bool zip_open(const struct vm_mem *m)
{
	return m->zip.frames < m->zplan.budget && !m->dead;
}
/* Is this droppable page better compressed: it would have to be read from the swap area again? */
static inline bool zip_wants(const struct vm_mem *m, pfn_t p)
{
	return zip_open(m) && frame_in_slot(frame_of(p));
}
/* SOFT page g on the FIFO, not known zero. Frames gained (0 or 1): it is GPAGE_ZIP now; E_AGAIN: it is as it
 * was. */
int zip_offer(struct vm_mem *m, u32 g) MUST_CHECK;
/* Makes GPAGE_ZIP page g HOT. E_AGAIN: no frame now. */
int zip_fault(struct vm_mem *m, u32 g) MUST_CHECK;
/* Copies the content of GPAGE_ZIP page g into frame p. */
void zip_copy(struct vm_mem *m, u32 g, pfn_t p);
/* After a scan pass, and from the chore: the budget from here on. */
void zip_plan(struct vm_mem *m);
/* Bounded. True: there is more to do. */
bool zip_chore(void);

#endif
