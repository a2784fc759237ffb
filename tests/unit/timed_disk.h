/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timed_disk.h - a disk whose commands take time: fixed_ns each and byte_ps a byte, `slots` of them at
 * once; what is given to it beyond that stands in its own line, in order. One slot is a disk that does
 * them one after the other, whatever the depth. Time is fake_tsc; timed_step() moves it to the next
 * command's end. Included by one .c file a program.
 */
#ifndef TESTS_UNIT_TIMED_DISK_H
#define TESTS_UNIT_TIMED_DISK_H

#include <string.h>

#include "drivers/block.h"
#include "kernel/lib/lib.h"
#include "tests/fake/fake_arch.h"

#define TIMED_DEPTH 32u
#define TIMED_SLOTS 8u

struct timed {
	struct block_dev dev;
	u64 fixed_ns, byte_ps;
	u32 slots;
	u64 free_ns[TIMED_SLOTS];     /* when each slot has done all that it was given */
	u64 largest_ns;               /* the longest command so far */
	u64 worked_ns[FAIR_OWNERS];   /* by owner */
	struct { struct block_req *r; u64 end; } flight[TIMED_DEPTH];
	u32 n, deepest;
	void (*ended)(struct timed *t, struct block_req *hw); /* before block_complete(); may be NULL */
	int (*verdict)(struct timed *t, const struct block_req *hw); /* its error; may be NULL */
};

static inline u64 timed_cost(const struct timed *t, u32 nsectors)
{
	return t->fixed_ns + (u64)nsectors * SECTOR_SIZE * t->byte_ps / 1000;
}

static inline void timed_start(struct block_dev *d, struct block_req *r)
{
	struct timed *t = container_of(d, struct timed, dev);
	u64 cost = timed_cost(t, r->nsectors), *slot = &t->free_ns[0];

	for (u32 i = 1; i < t->slots; i++)
		if (t->free_ns[i] < *slot)
			slot = &t->free_ns[i];
	BUG_ON(t->n >= d->depth);
	*slot = MAX(*slot, fake_tsc) + cost;
	t->flight[t->n].r = r;
	t->flight[t->n++].end = *slot;
	t->deepest = MAX(t->deepest, t->n);
	t->largest_ns = MAX(t->largest_ns, cost);
	t->worked_ns[r->owner] += cost;
}

static const struct block_ops timed_ops = { .start = timed_start };

static inline void timed_init(struct timed *t, const char *name, u32 slots, u64 fixed_ns, u64 byte_ps)
{
	memset(t, 0, sizeof(*t));
	str_copy(t->dev.name, sizeof(t->dev.name), name);
	t->dev.sectors = 1u << 24;
	t->dev.depth = TIMED_DEPTH;
	t->dev.max_sectors = 2048;
	t->dev.ops = &timed_ops;
	t->fixed_ns = fixed_ns;
	t->byte_ps = byte_ps;
	t->slots = slots;
	block_register(&t->dev);
}

/* When the next command ends; ~0: none is in flight. */
static inline u64 timed_next(const struct timed *t)
{
	u64 end = ~0ull;

	for (u32 i = 0; i < t->n; i++)
		end = MIN(end, t->flight[i].end);
	return end;
}

/* The first to end ends. False: nothing is in flight. */
static inline bool timed_step(struct timed *t)
{
	struct block_req *r;
	u32 at = 0;

	if (!t->n)
		return false;
	for (u32 i = 1; i < t->n; i++)
		if (t->flight[i].end < t->flight[at].end)
			at = i;
	fake_tsc = MAX(fake_tsc, t->flight[at].end);
	r = t->flight[at].r;
	/* In order, so that what ends at the same time ends in the order of its start. */
	memmove(&t->flight[at], &t->flight[at + 1], (--t->n - at) * sizeof(t->flight[0]));
	if (t->ended)
		t->ended(t, r);
	block_complete(r, t->verdict ? t->verdict(t, r) : 0);
	return true;
}

#endif
