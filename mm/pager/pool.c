/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool.c - guests' own entries of the pager's pools, and those that are lent. Contract: pool.h.
 *
 * Free entries are bits. A guest that found none has a ticket; lent entries go to the lowest ticket.
 * While somebody with an older ticket waits, nobody else takes a lent one: since entries that come back
 * are offered at once, that line is empty whenever lent ones are free.
 */
#include "mm/pager/pool.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"

#define ENTRIES_MAX 32 /* of one kind, of one guest or lent: bits of a word */

static const struct pool_kind *const kinds[POOLS] = {
	[POOL_REQUESTS] = &pool_requests, [POOL_FILLS] = &pool_fills, [POOL_WRITES] = &pool_writes,
};

/* What is lent of one kind. */
static struct lent {
	u8 *entries;
	u32 free;
	u32 line;    /* guests with a ticket */
	u64 tickets; /* handed out so far */
	u64 dry;
} lent[POOLS];
static u32 in_line; /* tickets of all kinds: mostly none */
static bool serving;
static const struct vm_mem *serving_for; /* whose turn it is */

static void leave_line(struct vm_mem *m, enum pool_of p)
{
	if (!m->pool[p].ticket)
		return;
	m->pool[p].ticket = 0;
	lent[p].line--;
	in_line--;
}

static u32 stride(enum pool_of p)
{
	return ALIGN_UP(kinds[p]->bytes, 16u);
}

static u32 all_of(u32 n)
{
	return n == 32 ? ~0u : BIT(n) - 1;
}

static u32 frames(bool of_lent)
{
	u32 bytes = 0;

	for (u32 p = 0; p < POOLS; p++)
		bytes += stride(p) * (of_lent ? kinds[p]->lent : kinds[p]->own);
	return (bytes + PAGE_MASK) / PAGE_SIZE;
}

u32 pool_frames(void)
{
	return frames(false);
}

int pool_init(void)
{
	pfn_t run = frame_get_run(frames(true));
	u8 *at;

	if (pfn_none(run))
		return E_NOMEM;
	at = pfn_ptr(run);
	in_line = 0;
	for (u32 p = 0; p < POOLS; p++) {
		BUG_ON(kinds[p]->own > ENTRIES_MAX || kinds[p]->lent > ENTRIES_MAX);
		lent[p] = (struct lent){ .entries = at, .free = all_of(kinds[p]->lent) };
		at += stride(p) * kinds[p]->lent;
	}
	return E_OK;
}

int pool_join(struct vm_mem *m)
{
	pfn_t run = frame_get_run(pool_frames());
	u8 *at;

	if (pfn_none(run))
		return E_NOMEM;
	at = pfn_ptr(run);
	for (u32 p = 0; p < POOLS; p++) {
		m->pool[p] = (struct pool_share){ .own = at, .free = all_of(kinds[p]->own) };
		at += stride(p) * kinds[p]->own;
	}
	return E_OK;
}

void pool_leave(struct vm_mem *m)
{
	for (u32 p = 0; p < POOLS; p++) {
		BUG_ON(m->pool[p].free != all_of(kinds[p]->own) || m->pool[p].borrowed);
		leave_line(m, p);
	}
	frame_put_run(ptr_pfn(m->pool[0].own), pool_frames());
	memset(m->pool, 0, sizeof(m->pool));
}

/* Who waits longest; NULL: nobody. */
static struct vm_mem *first_in_line(enum pool_of p)
{
	struct vm_mem *first = NULL;

	for (u32 i = 0; i < vmmem_end && lent[p].line; i++) {
		struct vm_mem *m = vmmem_all[i];

		if (m && m->pool[p].ticket && (!first || m->pool[p].ticket < first->pool[p].ticket))
			first = m;
	}
	return first;
}

static bool may_borrow(const struct vm_mem *m, enum pool_of p)
{
	const struct vm_mem *first;

	if (!lent[p].free)
		return false;
	first = first_in_line(p);
	return !first || first == m || m == serving_for;
}

bool pool_has(const struct vm_mem *m, enum pool_of p)
{
	return m->pool[p].free || may_borrow(m, p);
}

static void *take(u8 *entries, u32 *free, enum pool_of p)
{
	u32 i = (u32)__builtin_ctz(*free);
	void *e = entries + i * stride(p);

	*free &= *free - 1;
	memset(e, 0, kinds[p]->zeroed);
	return e;
}

bool pool_ask(struct vm_mem *m, enum pool_of p)
{
	if (pool_has(m, p))
		return true;
	lent[p].dry++;
	if (!m->pool[p].ticket) {
		m->pool[p].ticket = ++lent[p].tickets;
		lent[p].line++;
		in_line++;
	}
	return false;
}

void *pool_get(struct vm_mem *m, enum pool_of p)
{
	struct pool_share *s = &m->pool[p];

	if (!pool_ask(m, p))
		return NULL;
	leave_line(m, p);
	if (s->free)
		return take(s->own, &s->free, p);
	s->borrowed++;
	return take(lent[p].entries, &lent[p].free, p);
}

static bool is_own(const struct vm_mem *m, enum pool_of p, const void *entry)
{
	const u8 *e = entry;

	return e >= m->pool[p].own && e < m->pool[p].own + stride(p) * kinds[p]->own;
}

u32 pool_index(const struct vm_mem *m, enum pool_of p, const void *entry)
{
	if (is_own(m, p, entry))
		return (u32)((const u8 *)entry - m->pool[p].own) / stride(p);
	return kinds[p]->own + (u32)((const u8 *)entry - lent[p].entries) / stride(p);
}

void pool_put(struct vm_mem *m, enum pool_of p, void *entry)
{
	u32 i = pool_index(m, p, entry);

	if (i < kinds[p]->own) {
		m->pool[p].free |= BIT(i);
		leave_line(m, p); /* its own completion drives it */
	} else {
		m->pool[p].borrowed--;
		lent[p].free |= BIT(i - kinds[p]->own);
	}
}

/* Who is driven has left the line. If it needs more than there are it is the last in it then. */
void pool_serve(void)
{
	if (serving || !in_line)
		return;
	serving = true;
	for (u32 p = 0; p < POOLS; p++)
		for (u32 i = 0; i < vmmem_end && lent[p].free && lent[p].line; i++) {
			struct vm_mem *m = first_in_line(p);

			leave_line(m, p);
			serving_for = m;
			pager_worked(m);
			guest_io_drive(m); /* now: the entry is kept for it no longer than that */
			pager_progress(m);
			serving_for = NULL;
		}
	serving = false;
}

static void each(u8 *entries, u32 used, enum pool_of p, void (*fn)(void *ctx, void *entry), void *ctx)
{
	for (; used; used &= used - 1)
		fn(ctx, entries + (u32)__builtin_ctz(used) * stride(p));
}

void pool_each(enum pool_of p, void (*fn)(void *ctx, void *entry), void *ctx)
{
	each(lent[p].entries, all_of(kinds[p]->lent) & ~lent[p].free, p, fn, ctx);
	for (u32 i = 0; i < vmmem_end; i++)
		if (vmmem_all[i] && vmmem_all[i]->pool[p].own)
			each(vmmem_all[i]->pool[p].own, all_of(kinds[p]->own) & ~vmmem_all[i]->pool[p].free,
			     p, fn, ctx);
}

u64 pool_dry(enum pool_of p)
{
	return lent[p].dry;
}
