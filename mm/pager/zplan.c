/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zplan.c - the budget of a guest's store. Contract: zplan.h; the model behind it: tests/bench/zipmodel.c.
 */
#include "mm/pager/zplan.h"
#include "kernel/lib/lib.h"
#include "mm/pager/zstore.h"

/* After this many events a mean's past weighs half. */
#define MANY 512
/* No mean is believed before it has this many events. */
#define ENOUGH 16
/*
 * A disk counts as slow when its quickest request takes at least this many times as long as compressing a
 * page. Beside a quicker one a store gains 10 to 30 % on average in the model, and loses up to 57 % where the
 * curve misleads it (tests/bench/COMPRESSION.md).
 */
#define SLOW_DISK 50
/* The budget changes only if that saves more than 1/50 of what waiting and work cost. */
#define MARGIN 50
#define COST_MOST (~0ull / 8)

static void halve(u64 *count, u64 *a, u64 *b, u64 *c)
{
	if (*count < MANY)
		return;
	*count /= 2;
	*a /= 2;
	*b /= 2;
	*c /= 2;
}

void zplan_note_try(struct zplan *z, u32 chunks, u64 ns)
{
	z->tried++;
	z->stored += chunks != 0;
	z->chunks += chunks;
	z->try_ns += ns;
	halve(&z->tried, &z->stored, &z->chunks, &z->try_ns);
}

void zplan_note_get(struct zplan *z, u64 ns)
{
	u64 none = 0;

	z->gets++;
	z->get_ns += ns;
	halve(&z->gets, &z->get_ns, &none, &none);
}

void zplan_note_read(struct zplan *z, u32 pages, u64 ns)
{
	u64 none = 0;

	z->reads += pages;
	z->read_ns += ns;
	halve(&z->reads, &z->read_ns, &none, &none);
}

void zplan_note_write(struct zplan *z, u32 pages, u64 ns)
{
	u64 none = 0, slower = z->request_ns + z->request_ns / 8;

	z->request_ns = z->request_ns ? MIN(ns, slower) : ns;
	z->writes += pages;
	z->write_ns += ns;
	halve(&z->writes, &z->write_ns, &none, &none);
}

static u64 times(u64 rate, u64 ns)
{
	return ns && rate > COST_MOST / 8 / ns ? COST_MOST / 8 : rate * ns;
}

/* Waiting and work, in ns in 1000 s, with a store of s frames. */
static u64 cost_with(const struct zplan *z, const struct curve *c, u32 frames, u64 fresh, u32 s)
{
	u64 read = z->read_ns / MAX(z->reads, 1ull), write = z->write_ns / MAX(z->writes, 1ull),
	    try = z->try_ns / MAX(z->tried, 1ull), get, out, hits, reach, fit;

	if (!s)
		return times(curve_misses_at(c, frames), read + write) + times(fresh, write);
	if (!z->stored)
		return COST_MOST;
	/* Until pages have come back: decompressing takes two thirds of what compressing does at most. */
	get = z->gets >= ENOUGH ? z->get_ns / z->gets : try * 2 / 3;
	out = curve_misses_at(c, frames - s);
	reach = (u64)s * ZSTORE_CHUNKS * z->tried / z->chunks;
	hits = out - curve_misses_at(c, (u32)MIN(frames - s + reach, 0xffffffffull));
	hits = hits * z->stored / z->tried;
	fit = (out + fresh) * z->stored / z->tried;
	/* A hit is a fault besides, a fifth of a decompression. What is stored and does not come back is
	 * decompressed to go on. */
	return times(out - hits, read + write) + times(fresh, write) + times(out + fresh, try) +
	       times(MAX(fit, hits), get) + times(hits, get / 5);
}

static bool is_slow(const struct zplan *z)
{
	return z->request_ns / SLOW_DISK >= z->try_ns / MAX(z->tried, 1ull) && z->request_ns;
}

/* Before anything was read back. */
static bool looks_well(const struct zplan *z)
{
	return z->tried >= ENOUGH && z->stored * 2 >= z->tried;
}

u32 zplan_choose(struct zplan *z, const struct curve *c, u32 frames, u64 fresh)
{
	u32 best = 0;
	u64 least;

	if (z->percent != ZPLAN_AUTO)
		return z->budget = (u32)((u64)frames * z->percent / 100);
	if (!is_slow(z))
		return z->budget = 0;
	if (z->budget > frames / 2)
		z->budget = frames / 2;
	if (z->reads < ENOUGH || z->tried < ENOUGH) {
		if (looks_well(z))
			z->budget = MAX(z->budget, frames / 8);
		return z->budget;
	}
	/* What there is now is kept unless another choice is clearly better. */
	best = z->budget;
	least = cost_with(z, c, frames, fresh, best);
	least -= least / MARGIN;
	for (u32 shift = 1; shift <= 6; shift++) {
		u32 s = shift == 6 ? 0 : frames >> shift;
		u64 cost = cost_with(z, c, frames, fresh, s);

		if (cost < least) {
			least = cost;
			best = s;
		}
	}
	return z->budget = best;
}
