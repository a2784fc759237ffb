/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slat.c - walks and changes a guest's second-level table. Contract and flush rules: slat.h.
 *
 * Four levels of 512 entries. The A bit of the entry above a leaf is set with every A that software sets in
 * the leaf, so that a scanner may skip a leaf table whose parent is untouched. One CPU; may run in interrupt
 * windows.
 */
#include "mm/slat.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"

#define ENTRIES 512u
#define LEVELS 4u

static u32 index_of(gpfn_t g, u32 level)
{
	return g.n >> (9 * (level - 1)) & (ENTRIES - 1);
}

static u64 load(const u64 *e)
{
	return __atomic_load_n(e, __ATOMIC_RELAXED);
}

static pfn_t entry_pfn(const struct slat_format *f, u64 e)
{
	return hpa_pfn((hpa_t){ e & f->addr });
}

static u64 *table_of(const struct slat_format *f, u64 e)
{
	return pfn_ptr(entry_pfn(f, e));
}

/* The leaf table of g, and the entry that leads to it; NULL where there is none. */
static u64 *walk(const struct slat *s, gpfn_t g, u64 **up)
{
	u64 *t = pfn_ptr(s->root);

	for (u32 l = LEVELS; l > 1; l--) {
		u64 *e = &t[index_of(g, l)];

		if (!(load(e) & s->fmt->present))
			return NULL;
		t = table_of(s->fmt, load(e));
		*up = e;
	}
	return t;
}

/* The leaf entry that translates g, or NULL where a table is missing. It lies beside the one that was asked
 * for last. */
static u64 *leaf_entry(struct slat *s, gpfn_t g)
{
	u64 *up, *t;

	if (likely(g.n >> 9 == s->near))
		return &s->near_leaf[index_of(g, 1)];
	t = walk(s, g, &up);
	if (!t)
		return NULL;
	s->near = g.n >> 9;
	s->near_up = up;
	s->near_leaf = t;
	return &t[index_of(g, 1)];
}

void slat_owe_flush(struct slat *s)
{
	if (!s->stale)
		s->generation++;
	s->stale = true;
}

int slat_init(struct slat *s, const struct slat_format *format, u8 vm)
{
	pfn_t root = frame_get(vm, FRAME_TABLE, true);

	*s = (struct slat){ .fmt = format, .root = root, .near = ~0u };
	if (pfn_none(root))
		return E_NOMEM;
	s->ntables = 1;
	return E_OK;
}

static void free_table(struct slat *s, pfn_t p, u32 level)
{
	u64 *t = pfn_ptr(p);

	for (u32 i = 0; level > 1 && i < ENTRIES; i++)
		if (t[i] & s->fmt->present)
			free_table(s, entry_pfn(s->fmt, t[i]), level - 1);
	frame_put(p);
	s->ntables--;
}

void slat_destroy(struct slat *s)
{
	if (s->ntables)
		free_table(s, s->root, LEVELS);
	s->root = NO_PFN;
	s->near = ~0u;
}

int slat_prepare(struct slat *s, gpfn_t g)
{
	u64 *t = pfn_ptr(s->root);

	for (u32 l = LEVELS; l > 1; l--) {
		u64 *e = &t[index_of(g, l)];

		if (!(load(e) & s->fmt->present)) {
			u8 owner = frame_of(s->root)->owner;
			pfn_t p = frame_get(owner, FRAME_TABLE, true);

			if (pfn_none(p))
				return E_NOMEM;
			s->ntables++;
			__atomic_store_n(e, pfn_hpa(p).a | s->fmt->table, __ATOMIC_RELEASE);
		}
		t = table_of(s->fmt, load(e));
	}
	return E_OK;
}

static void set_bits(u64 *e, u64 bits)
{
	if ((load(e) & bits) != bits)
		__atomic_fetch_or(e, bits, __ATOMIC_RELAXED);
}

void slat_map(struct slat *s, gpfn_t g, pfn_t pfn, bool writable, bool accessed, bool dirty)
{
	const struct slat_format *f = s->fmt;
	u64 *e = leaf_entry(s, g);
	u64 v = pfn_hpa(pfn).a | f->leaf;

	BUG_ON(!e || load(e) & f->present);
	if (writable)
		v |= f->write;
	if (accessed)
		v |= f->accessed;
	if (dirty)
		v |= f->dirty;
	__atomic_store_n(e, v, __ATOMIC_RELEASE);
	if (accessed)
		set_bits(s->near_up, f->accessed);
}

static struct slat_leaf leaf_of(const struct slat_format *f, u64 e)
{
	if (!(e & f->present))
		return (struct slat_leaf){ .pfn = NO_PFN };
	return (struct slat_leaf){
		.present = true,
		.writable = (e & f->write) == f->write,
		.accessed = e & f->accessed,
		.dirty = e & f->dirty,
		.pfn = entry_pfn(f, e),
	};
}

struct slat_leaf slat_unmap(struct slat *s, gpfn_t g)
{
	u64 *e = leaf_entry(s, g);
	struct slat_leaf was;

	if (!e)
		return (struct slat_leaf){ .pfn = NO_PFN };
	was = leaf_of(s->fmt, __atomic_exchange_n(e, 0, __ATOMIC_ACQ_REL));
	if (was.present)
		slat_owe_flush(s);
	return was;
}

enum slat_cold slat_unmap_cold(struct slat *s, gpfn_t g)
{
	const struct slat_format *f = s->fmt;
	u64 *e = leaf_entry(s, g), was;

	BUG_ON(!e || !(load(e) & f->present));
	if (load(e) & f->accessed) {
		__atomic_fetch_and(e, ~f->accessed, __ATOMIC_RELAXED);
		return SLAT_WARM;
	}
	was = __atomic_exchange_n(e, 0, __ATOMIC_ACQ_REL);
	slat_owe_flush(s);
	return was & f->dirty ? SLAT_DIRTY : SLAT_CLEAN;
}

struct slat_leaf slat_get(const struct slat *s, gpfn_t g)
{
	u64 *up, *t = walk(s, g, &up);

	return leaf_of(s->fmt, t ? load(&t[index_of(g, 1)]) : 0);
}

bool slat_clear_dirty(struct slat *s, gpfn_t g)
{
	u64 *e = leaf_entry(s, g);
	u64 was;

	if (!e || !(load(e) & s->fmt->present))
		return false;
	was = __atomic_fetch_and(e, ~s->fmt->dirty, __ATOMIC_ACQ_REL);
	if (!(was & s->fmt->dirty))
		return false;
	slat_owe_flush(s);
	return true;
}

void slat_mark(struct slat *s, gpfn_t g, bool accessed, bool dirty)
{
	const struct slat_format *f = s->fmt;
	u64 *e = leaf_entry(s, g);

	if (!e || !(load(e) & f->present))
		return;
	set_bits(e, (accessed ? f->accessed : 0) | (dirty ? f->dirty : 0));
	if (accessed)
		set_bits(s->near_up, f->accessed);
}

struct visit {
	struct slat *s;
	void (*fn)(void *ctx, u64 *entries, gpfn_t first, bool touched);
	void *ctx;
};

static void visit_table(struct visit *v, u64 *t, u32 level, u32 first)
{
	const struct slat_format *f = v->s->fmt;
	u32 span = 1u << (9 * (level - 1)); /* pages below one entry; level 4 only ever uses entry 0..7 */

	for (u32 i = 0; i < ENTRIES; i++) {
		u64 e = load(&t[i]);
		bool touched = e & f->accessed;

		if (!(e & f->present))
			continue;
		if (level > 2) {
			visit_table(v, table_of(f, e), level - 1, first + i * span);
			continue;
		}
		if (touched)
			__atomic_fetch_and(&t[i], ~f->accessed, __ATOMIC_RELAXED);
		v->fn(v->ctx, table_of(f, e), (gpfn_t){ first + i * span }, touched);
	}
}

void slat_each_leaf_table(struct slat *s, void (*fn)(void *ctx, u64 *entries, gpfn_t first, bool touched),
			  void *ctx)
{
	struct visit v = { .s = s, .fn = fn, .ctx = ctx };

	visit_table(&v, pfn_ptr(s->root), LEVELS, 0);
}

void slat_flushed(struct slat *s)
{
	if (!s->stale)
		return;
	s->stale = false;
	s->flushes++;
}
