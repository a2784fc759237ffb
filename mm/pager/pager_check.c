/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pager_check.c - the conservation law, by recounting everything: frames, pages, tables, maps, cache, slots
 * agree.
 *
 * Linear in frames and pages. Nothing is half updated when it runs (main loop, console, tests); I/O may be in
 * flight.
 */
#include "mm/pager/fill.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/reclaim.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"
#include "mm/pager/page_cache.h"
#include "mm/pager/swap.h"

struct check {
	pager_say_fn *say;
	void *ctx;
	const struct vm_mem *m;
	u32 bad;
	u32 in_state[GPAGE_FILLING + 1], with_block, writeback, slots, copies, pins;
	u32 of_age[AGES_N];
};

static void complain(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);

static void complain(struct check *c, const char *format, ...)
{
	char line[160];
	u32 n = 0;
	va_list ap;

	c->bad++;
	if (!c->say || c->bad > 50)
		return;
	if (c->m)
		n = (u32)fmt(line, sizeof(line), "guest %u: ", c->m->id);
	va_start(ap, format);
	vfmt(line + n, sizeof(line) - n, format, ap);
	va_end(ap);
	c->say(c->ctx, line);
}

static void compare(struct check *c, const char *what, u32 a, u32 b)
{
	if (a != b)
		complain(c, "%s: %u against %u", what, a, b);
}

static void check_frame(struct check *c, u32 g)
{
	const struct vm_mem *m = c->m;
	const struct gpage *p = &m->page[g];
	const struct frame *f;
	u8 want = p->state == GPAGE_HOT ? FRAME_MAPPED : p->state == GPAGE_FILLING ? FRAME_FILLING :
		  p->flags & GPAGE_WRITEBACK ? FRAME_WRITING : FRAME_SOFT;

	if (p->loc >= frame_limit()) {
		complain(c, "page %x: frame %x out of range", g, p->loc);
		return;
	}
	f = frame_of((pfn_t){ p->loc });
	if (f->owner != m->id || f->state != want || f->gpfn != g)
		complain(c, "page %x state %u: frame %x is in state %u of %u for page %x", g, p->state,
			 p->loc, f->state, f->owner, f->gpfn);
	if (f->block && p->flags & GPAGE_DIRTY)
		complain(c, "page %x: dirty and associated with %x", g, f->block);
}

static void check_page(struct check *c, u32 g)
{
	const struct vm_mem *m = c->m;
	const struct gpage *p = &m->page[g];
	struct slat_leaf l = slat_get(&m->slat, (gpfn_t){ g });
	bool hot = p->state == GPAGE_HOT;
	u32 block;

	if (p->state > GPAGE_FILLING) {
		complain(c, "page %x: state %u", g, p->state);
		return;
	}
	c->in_state[p->state]++;
	c->pins += p->pins;
	if (l.present != hot || (hot && l.pfn.n != p->loc))
		complain(c, "page %x state %u frame %x: the table says %s %x", g, p->state, p->loc,
			 l.present ? "present," : "absent,", l.pfn.n);
	if (gpage_resident(p) || p->state == GPAGE_FILLING)
		check_frame(c, g);
	else if (p->flags)
		complain(c, "page %x state %u: flags %x", g, p->state, p->flags);
	if (p->pins && !hot && !gpage_evicted(p))
		complain(c, "page %x state %u: pinned", g, p->state);
	if (p->flags & GPAGE_WRITEBACK)
		c->writeback++;
	if (p->state == GPAGE_SWAP && !swap_check_owner(p->loc))
		complain(c, "page %x: slot %u is free or has another owner", g, p->loc);
	c->slots += p->state == GPAGE_SWAP;
	if (gpage_resident(p) && frame_in_slot(gpage_frame(m, g))) {
		c->slots++;
		c->copies++;
		if (!swap_check_owner(frame_slot(gpage_frame(m, g))))
			complain(c, "page %x: its copy's slot %u is free or has another owner", g,
				 frame_slot(gpage_frame(m, g)));
	}
	block = blockmap_block_of(m, g);
	if (block == BLOCK_NONE)
		return;
	c->with_block++;
	if ((gpage_resident(p) || p->state == GPAGE_FILLING) && !pfn_none(page_cache_find(m, block)))
		complain(c, "page %x: its block %u is cached too", g, block);
}

static void check_blockmap(struct check *c)
{
	const struct vm_mem *m = c->m;
	u32 seen = 0;

	for (u32 b = 0; b < m->block_buckets; b++)
		for (u32 l = m->block_bucket[b], n = 0; l && n <= BLOCKMAP_CHAIN_MAX;
		     l = m->page[l - 1].link, n++) {
			u32 block = blockmap_block_of(m, l - 1);

			seen++;
			if (block == BLOCK_NONE || blockmap_hash(block, m->block_buckets) != b)
				complain(c, "page %x: in the chain of bucket %u with block %u", l - 1, b,
					 block);
		}
	if (seen != c->with_block || seen != m->blockmap_count)
		complain(c, "%u pages have a block, %u are in the map, its count is %u", c->with_block, seen,
			 m->blockmap_count);
}

static void check_cache(struct check *c)
{
	const struct vm_mem *m = c->m;
	u32 n = 0, chained = 0;

	for (u32 l = 0; l < CACHE_LISTS; l++) {
		u32 first = n;

		for (u32 i = m->cache[l].head; i != FRAME_NONE && n <= m->cache_count;
		     i = frame_of((pfn_t){ i })->next, n++) {
			const struct frame *f = frame_of((pfn_t){ i });

			if (f->state != FRAME_CACHED || f->owner != m->id || !f->block || frame_in_slot(f) ||
			    !(f->flags & FRAME_PROVEN) != (l == CACHE_PROBATION) ||
			    page_cache_find(m, f->block - 1).n != i)
				complain(c, "cached frame %x: state %u of %u, flags %x, block %u", i,
					 f->state, f->owner, f->flags, f->block - 1);
		}
		compare(c, "cached frames in a list", n - first, m->cache[l].count);
	}
	for (u32 b = 0; b < m->cache_buckets; b++)
		for (u32 i = m->cache_bucket[b]; i != FRAME_NONE && chained <= m->cache_count;
		     i = frame_of((pfn_t){ i })->gpfn)
			chained++;
	if (n != m->cache_count || chained != n || n != frame_count_vm(m->id, FRAME_CACHED))
		complain(c, "cache: %u in the list, %u in chains, count %u, frames %u", n, chained,
			 m->cache_count, frame_count_vm(m->id, FRAME_CACHED));
}

static void check_soft(struct check *c)
{
	const struct vm_mem *m = c->m;
	u32 n = 0;

	for (u32 i = m->soft_head; i != FRAME_NONE && n <= m->soft_count;
	     i = frame_of((pfn_t){ i })->next, n++)
		if (frame_of((pfn_t){ i })->state != FRAME_SOFT || frame_of((pfn_t){ i })->owner != m->id)
			complain(c, "frame %x on the soft list is in state %u", i,
				 frame_of((pfn_t){ i })->state);
	if (n != m->soft_count || n != frame_count_vm(m->id, FRAME_SOFT))
		complain(c, "%u frames on the soft list, count %u, frames %u", n, m->soft_count,
			 frame_count_vm(m->id, FRAME_SOFT));
}

/* A scan counts only touched pages and believes pop[] for the rest. */
static void check_ages(struct check *c)
{
	const struct vm_mem *m = c->m;

	memset(c->of_age, 0, sizeof(c->of_age));
	for (u32 g = 0; g < m->npages; g++)
		c->of_age[m->age[g]]++;
	for (u32 k = 0; k < AGE_NONE; k++)
		if (c->of_age[k] != m->ages.pop[k])
			complain(c, "age %u: %u pages, counted as %u", k, c->of_age[k], m->ages.pop[k]);
}

static void check_guest(struct check *c)
{
	const struct vm_mem *m = c->m;
	u8 id = m->id;

	memset(c->in_state, 0, sizeof(c->in_state));
	c->with_block = c->writeback = c->pins = 0;
	for (u32 g = 0; g < m->npages; g++)
		check_page(c, g);
	check_blockmap(c);
	check_cache(c);
	check_soft(c);
	compare(c, "hot pages and mapped frames", c->in_state[GPAGE_HOT], frame_count_vm(id, FRAME_MAPPED));
	compare(c, "hot pages and resident ages", c->in_state[GPAGE_HOT], m->ages.resident);
	check_ages(c);
	compare(c, "soft pages and frames", c->in_state[GPAGE_SOFT],
		frame_count_vm(id, FRAME_SOFT) + frame_count_vm(id, FRAME_WRITING));
	compare(c, "filling pages and frames", c->in_state[GPAGE_FILLING], frame_count_vm(id, FRAME_FILLING));
	compare(c, "pages under write and in requests", c->writeback, m->writing);
	compare(c, "bounce frames and their users", guest_io_bounce_frames(m),
		frame_count_vm(id, FRAME_BOUNCE));
	compare(c, "compressed pages and those of the store", c->in_state[GPAGE_ZIP], m->zip.pages);
	c->bad += zstore_check(m, c->say, c->ctx);
	compare(c, "tables", m->slat.ntables, frame_count_vm(id, FRAME_TABLE));
	if (c->pins < m->pins_in_flight)
		complain(c, "%u pins in flight, pages have %u", m->pins_in_flight, c->pins);
}

static void own_slot(void *ctx, struct vm_mem *m, u32 slot)
{
	struct check *c = ctx;

	c->slots++;
	if (!swap_check_owner(slot))
		complain(c, "slot %u of a request of guest %u is free or has another owner", slot, m->id);
}

static void say_frame(void *ctx, const char *line)
{
	complain(ctx, "%s", line);
}

u32 pager_check(pager_say_fn *say, void *ctx)
{
	struct check c = { .say = say, .ctx = ctx };
	u32 sum = 0;

	swap_check_begin();
	for (u32 i = 0; i < FRAME_MAX_VMS; i++) {
		c.m = vmmem_all[i];
		if (c.m)
			check_guest(&c);
		else if (frame_held((u8)i) || frame_count_vm((u8)i, FRAME_TABLE))
			complain(&c, "guest %u is gone but has frames", i);
		sum += frame_held((u8)i) + frame_count_vm((u8)i, FRAME_TABLE);
	}
	c.m = NULL;
	fill_each_slot(own_slot, &c);
	swapout_each_slot(own_slot, &c);
	compare(&c, "swap slots in use and owned", swap_used(), c.slots);
	compare(&c, "slots that double what is in memory", swap_copies(), c.copies);
	frame_recount(say_frame, &c);
	sum += frame_count(FRAME_HYP) + frame_count(FRAME_MODULE) + frame_free();
	compare(&c, "frames of the machine and of everybody", frame_total(), sum);
	return c.bad;
}
