/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool.h - entries for what is under way to and from disks: guests' disk requests, fills, swap writes.
 * Private to the pager.
 *
 * Every guest has entries of its own, which nobody else can use up: POOL_OWN of each kind. Some more
 * are lent to whoever asks first; who finds none waits in line for them, first come, first served, and
 * is driven at once (guest_io_drive) when it is its turn or when an entry of its own comes back. To wait
 * for an entry is not lack of memory: it never marks a guest as starving. An entry that is in use
 * belongs to one guest; its first bytes are zeroed when it is given out.
 */
#ifndef MM_PAGER_POOL_H
#define MM_PAGER_POOL_H

#include "mm/pager/vmmem.h"

/*
 * Of each kind (mm/pager/vmmem.h, POOLS): bytes of an entry, how many of them are zeroed; entries that each
 * guest owns, and that are lent.
 */
struct pool_kind { u32 bytes, zeroed, own, lent; };
extern const struct pool_kind pool_requests, pool_fills, pool_writes; /* guest_io.c, fill.c, swapout.c */

int pool_init(void) MUST_CHECK;                   /* takes frames for those that are lent; E_NOMEM */
int pool_join(struct vm_mem *m) MUST_CHECK;       /* a guest's own; E_NOMEM */
void pool_leave(struct vm_mem *m);                /* all of m's have come back */
u32 pool_frames(void);                            /* that pool_join takes */

/* NULL: m waits for one. */
void *pool_get(struct vm_mem *m, enum pool_of p) MUST_CHECK;
bool pool_has(const struct vm_mem *m, enum pool_of p); /* pool_get would succeed */
bool pool_ask(struct vm_mem *m, enum pool_of p); /* the same, but false: m waits for one from now on */
void pool_put(struct vm_mem *m, enum pool_of p, void *entry);
/* After pool_put, when no structure is half changed: lent entries go to those who wait longest. */
void pool_serve(void);
/* An entry's number, unique among one guest's entries of that kind. */
u32 pool_index(const struct vm_mem *m, enum pool_of p, const void *entry);
/* fn for each entry in use. */
void pool_each(enum pool_of p, void (*fn)(void *ctx, void *entry), void *ctx);
/* How often nothing was left for who asked, all guests. */
u64 pool_dry(enum pool_of p);

#endif
