/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ahead.h - which evicted pages are read back unasked: those that lie beside a wanted one on the disk, and,
 * while a guest wakes up and there is room, all of them in the background. Private to the pager;
 * mm/pager/fill.c does the reading.
 *
 * Pages that come on a guess keep the age that they have, A clear, so that their touch is seen by a scan pass
 * and tells its distance; reclaim spares them for a pass or two. Whether guesses are right is measured on
 * samples, and decides how much is read the next time.
 */
#ifndef MM_PAGER_AHEAD_H
#define MM_PAGER_AHEAD_H

#include "mm/pager/pager.h"

/* At most `most` pages, as many as can be from g on, then those before it. */
void ahead_run(const struct vm_mem *m, u32 g, u32 most, struct ahead_run *r);
/* Evicted page g is wanted now: how many pages to read, itself included. */
u32 ahead_demand(struct vm_mem *m, u32 g);
/* A run that ends before loc was asked for. */
void ahead_follow(struct vm_mem *m, u32 loc, bool swap);
/* Page g has just been mapped on a guess. */
void ahead_returned(struct vm_mem *m, u32 g);
/* A HOT page that came on a guess and has not had its time yet. */
bool ahead_spared(const struct vm_mem *m, u32 g);
/* Guesses are right often enough, or too little is known of them, to give own pages for some. */
bool ahead_may_pay(const struct vm_mem *m);
/* Before a scan pass: which of the samples were touched. */
void ahead_look(struct vm_mem *m);
/* One background request, for a guest that is waking up. True: something was started. */
bool ahead_chore(void);

#endif
