/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_cache.c - the exclusive cache of a guest. Contract: page_cache.h.
 */
#include "mm/pager/page_cache.h"
#include "kernel/lib/lib.h"
#include "mm/pager/blockmap.h"

#define CHAIN_MAX 48

static u32 *bucket_of(const struct vm_mem *m, u32 block)
{
	return &m->cache_bucket[blockmap_hash(block, m->cache_buckets)];
}

pfn_t page_cache_find(const struct vm_mem *m, u32 block)
{
	for (u32 n = *bucket_of(m, block); n != FRAME_NONE;) {
		const struct frame *f = frame_of((pfn_t){ n });

		if (f->block == block + 1)
			return (pfn_t){ n };
		n = f->gpfn;
	}
	return NO_PFN;
}

static struct cache_list *list_of(struct vm_mem *m, const struct frame *f)
{
	return &m->cache[f->flags & FRAME_PROVEN ? CACHE_PROVEN : CACHE_PROBATION];
}

bool page_cache_put(struct vm_mem *m, pfn_t p, u32 block, u32 stamp, bool proven)
{
	u32 *bucket = bucket_of(m, block), chain = 0;
	struct cache_list *l = &m->cache[proven ? CACHE_PROVEN : CACHE_PROBATION];
	struct frame *f = frame_of(p);

	for (u32 n = *bucket; n != FRAME_NONE; n = frame_of((pfn_t){ n })->gpfn)
		if (++chain >= CHAIN_MAX || frame_of((pfn_t){ n })->block == block + 1)
			return false;
	frame_change(f, FRAME_CACHED);
	f->flags = proven ? FRAME_PROVEN : 0;
	f->block = block + 1;
	f->stamp = stamp;
	f->gpfn = *bucket;
	*bucket = p.n;
	f->next = FRAME_NONE;
	f->prev = l->tail;
	if (l->tail != FRAME_NONE)
		frame_of((pfn_t){ l->tail })->next = p.n;
	else
		l->head = p.n;
	l->tail = p.n;
	l->count++;
	m->cache_count++;
	m->clock++;
	m->n.cache_puts++;
	return true;
}

void page_cache_take(struct vm_mem *m, pfn_t p)
{
	struct frame *f = frame_of(p);
	struct cache_list *l = list_of(m, f);
	u32 *n = bucket_of(m, f->block - 1);

	BUG_ON(f->state != FRAME_CACHED || f->owner != m->id);
	while (*n != FRAME_NONE && *n != p.n)
		n = &frame_of((pfn_t){ *n })->gpfn;
	BUG_ON(*n == FRAME_NONE);
	*n = f->gpfn;
	if (f->prev != FRAME_NONE)
		frame_of((pfn_t){ f->prev })->next = f->next;
	else
		l->head = f->next;
	if (f->next != FRAME_NONE)
		frame_of((pfn_t){ f->next })->prev = f->prev;
	else
		l->tail = f->prev;
	l->count--;
	f->next = f->prev = FRAME_NONE;
	f->gpfn = NO_GPFN.n;
	f->block = 0;
	m->cache_count--;
}

void page_cache_drop(struct vm_mem *m, pfn_t p, bool ghost)
{
	struct frame *f = frame_of(p);
	u32 block = f->block - 1, stamp = f->stamp;

	page_cache_take(m, p);
	frame_put(p);
	if (ghost) {
		m->n.cache_drops++;
		page_cache_ghost_put(m, block, stamp);
	} else {
		m->n.cache_false++;
		ages_forget(&m->ages, stamp);
	}
}

/* ---- ghosts: high half block + 1, low half stamp; 0 is empty ---- */

bool page_cache_ghost_take(struct vm_mem *m, u32 block, u32 *stamp)
{
	u64 *e = &m->ghost[blockmap_hash(block, m->ghosts)];

	if (*e >> 32 != (u64)block + 1)
		return false;
	*stamp = (u32)*e;
	*e = 0;
	return true;
}

void page_cache_ghost_put(struct vm_mem *m, u32 block, u32 stamp)
{
	u64 *e = &m->ghost[blockmap_hash(block, m->ghosts)];

	if (*e)
		ages_forget(&m->ages, (u32)*e);
	*e = ((u64)block + 1) << 32 | stamp;
}
