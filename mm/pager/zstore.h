/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zstore.h - a guest's cold anonymous pages, compressed, in a few of its own frames (state FRAME_ZIP, held by
 * it).
 *
 * Frames are cut into chunks; a page is a chain of them. The chunks in use are always dense: a hole is filled
 * at once with the last chunk there is, so all frames but the last are full, and what is lost is half a chunk
 * a page. A frame that empties is put back. Pages are kept in the order they came.
 *
 * gpage.loc of a GPAGE_ZIP page is its first chunk (frame number * 16 + chunk); it changes when chunks move,
 * which only zstore_put() and zstore_drop() of this guest do. A frame holds one guest's pages only, and is
 * zeroed or wholly overwritten before another owner can read it as any free frame is. No I/O, no waiting; one
 * CPU.
 */
#ifndef MM_PAGER_ZSTORE_H
#define MM_PAGER_ZSTORE_H

#include "kernel/lib/types.h"

#define ZSTORE_CHUNK 256u
#define ZSTORE_CHUNKS 16u   /* a frame */
#define ZSTORE_PAGE_CHUNKS 12u /* what needs more is not worth keeping */

struct vm_mem;
struct zstore {
	/* the frame with the last chunks; frame.prev: the one before; FRAME_NONE: empty */
	u32 last;
	u32 used;           /* chunks used in it */
	u32 frames, pages, chunks;
	u32 oldest, newest; /* first chunks */
};

void zstore_init(struct zstore *z);
/* How many chunks a page of memory would take; 0: it does not compress. zstore_put() stores what was tried
 * last. */
u32 zstore_try(const void *page) MUST_CHECK;
/*
 * Page g, whose content was just tried, becomes GPAGE_ZIP. Its frame p, of m, in no list and mapped nowhere,
 * is given up. How many frames m holds less now: 0 or 1; 0: p itself holds chunks now.
 */
u32 zstore_put(struct vm_mem *m, u32 g, pfn_t p);
/* The content of GPAGE_ZIP page g to a page of memory; it stays where it is. */
void zstore_get(const struct vm_mem *m, u32 g, void *page);
/* Page g leaves the store: its content is gone, state and loc are the caller's to set. Frames freed. */
u32 zstore_drop(struct vm_mem *m, u32 g);
/* The page that has been there longest; NO_GPFN.n: none. */
u32 zstore_oldest(const struct vm_mem *m);
/* The pages' states are the caller's to set. */
void zstore_clear(struct vm_mem *m);
/* For pager_check: 0, or the number of things that do not agree, each said. */
u32 zstore_check(const struct vm_mem *m, void (*say)(void *ctx, const char *line), void *ctx);

#endif
