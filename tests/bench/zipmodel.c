/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: tools/oracle.c */
/*
 * zipmodel.c - would compressing in front of the swap area pay? Counts what LRU over a page trace does with
 *FRAMES frames, of which at most BUDGET hold compressed pages.
 *
 * zipmodel FRAMES% BUDGET DIRTY% SIZES TRACE - FRAMES% of the trace's footprint; BUDGET: per cent of those,
 *or auto:READ:AHEAD:WRITE:COMPRESS:REFUSE:DECOMPRESS:FAULT (nanoseconds): the budget that would have cost
 *least so far, by the miss curve, looked at again after as many references as there are frames; DIRTY% of the
 *references are writes, SIZES: 65 counts of pages that compress to 0, 64, .. 4096 bytes (4096: not at all),
 *by comma. One JSON object: refs, pages, frames, store (the most frames it took), most (the most pages it
 *held), reads, ahead (reads that a request for the page before brings along), writes, hits (of the store),
 *compressed, refused, ousted, budget (mean, per cent).
 *
 * A page has one size for ever, drawn by its number. Every page is anonymous: the first touch costs nothing,
 *an evicted page goes to the store or the swap area, unless a copy of it is there. The store is first in,
 *first out and has mm/pager/zstore.c's arithmetic: chunks of 256 bytes that hold 248, 16 of them the page's
 *own, always dense. When the budget is full, the oldest go on to the swap area.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/oracle.h"

#define NONE 0xffffffffu
#define STEP 64u
#define STEPS 65u
#define CHUNK_HOLDS 248u
#define OWN 16u
#define CHUNKS 16u
#define AHEAD 8u /* pages of a request */
#define DISTANCE_STEPS 64u
#define DISTANCES (DISTANCE_STEPS * 8)
/* While the budget is 0, one eviction of so many is compressed to see how well it goes. */
#define SAMPLE (m.tried < 64 ? 32u : 128u)

enum where { FRESH, RESIDENT, STORED, SWAPPED };

struct page { u32 prev, next; u16 bytes; u8 where; bool copy; };
struct queue { u32 oldest, newest, n; };

static struct model {
	struct page *page;
	struct queue lru, store;
	u32 frames, budget, chunks, dirty;
	u32 last_read, run;
	u64 reads, ahead, writes, hits, compressed, refused, ousted;
	u32 most_frames, most_pages;
	/* auto */
	bool automatic;
	u64 ns_read, ns_ahead, ns_write, ns_compress, ns_refuse, ns_decompress, ns_fault;
	u32 *tree, *seen, now, times; /* how many pages were last touched when: for LRU distances */
	/* references, halved at each look; by frames / DISTANCE_STEPS */
	u64 at_distance[DISTANCES + 1], fresh;
	u64 tried, tried_stored, tried_chunks, budget_sum, looks, evictions;
} m;

static void leave(struct queue *q, u32 g)
{
	struct page *p = &m.page[g];

	*(p->prev == NONE ? &q->oldest : &m.page[p->prev].next) = p->next;
	*(p->next == NONE ? &q->newest : &m.page[p->next].prev) = p->prev;
	q->n--;
}

static void join(struct queue *q, u32 g)
{
	struct page *p = &m.page[g];

	p->next = NONE;
	p->prev = q->newest;
	*(q->newest == NONE ? &q->oldest : &m.page[q->newest].next) = g;
	q->newest = g;
	q->n++;
}

static u32 chunks_of(u32 g)
{
	return (m.page[g].bytes + OWN + CHUNK_HOLDS - 1) / CHUNK_HOLDS;
}

static u32 store_frames(void)
{
	return (m.chunks + CHUNKS - 1) / CHUNKS;
}

static void to_swap(u32 g)
{
	m.page[g].where = SWAPPED;
	m.writes += !m.page[g].copy;
	m.page[g].copy = true;
}

static void oust(void)
{
	u32 g = m.store.oldest;

	leave(&m.store, g);
	m.chunks -= chunks_of(g);
	m.ousted++;
	to_swap(g);
}

static void evict(void)
{
	u32 g = m.lru.oldest;
	struct page *p = &m.page[g];

	leave(&m.lru, g);
	m.evictions++;
	if (m.automatic && (m.budget || m.evictions % SAMPLE == 0)) {
		m.tried++;
		m.tried_stored += p->bytes < PAGE_SIZE;
		m.tried_chunks += p->bytes < PAGE_SIZE ? chunks_of(g) : 0;
		m.compressed += !m.budget && p->bytes < PAGE_SIZE;
		m.refused += !m.budget && p->bytes >= PAGE_SIZE;
	}
	if (m.budget && p->bytes >= PAGE_SIZE) {
		m.refused++;
	} else if (m.budget) {
		m.compressed++;
		p->where = STORED;
		join(&m.store, g);
		m.chunks += chunks_of(g);
		while (store_frames() > m.budget)
			oust();
		m.most_frames = MAX(m.most_frames, store_frames());
		m.most_pages = MAX(m.most_pages, m.store.n);
		return;
	}
	to_swap(g);
}

/* ---- the budget by the curve ---- */

static void tree_add(u32 at, u32 n)
{
	for (at++; at <= m.times; at += at & -at)
		m.tree[at] += n;
}

static u32 tree_sum(u32 at)
{
	u32 sum = 0;

	for (; at; at &= at - 1)
		sum += m.tree[at];
	return sum;
}

static void note_distance(u32 g)
{
	if (m.seen[g]) {
		u64 d = tree_sum(m.now) - tree_sum(m.seen[g]);

		m.at_distance[MIN(d * DISTANCE_STEPS / m.frames, (u64)DISTANCES)]++;
		tree_add(m.seen[g] - 1, ~0u);
	} else {
		m.fresh++;
	}
	tree_add(m.now++, 1);
	m.seen[g] = m.now;
}

/* Misses of LRU with so many sixty-fourths of the frames, first touches apart. */
static u64 misses(u64 steps)
{
	u64 n = 0;

	for (u64 i = MIN(steps, (u64)DISTANCES); i <= DISTANCES; i++)
		n += m.at_distance[i];
	return n;
}

/* What the last references would have cost with a store of so many sixty-fourths of the frames. */
static double cost_of(u32 steps)
{
	double fits = (double)m.tried_stored / (double)m.tried, reads, evicted, hits, ousted, beyond;
	double read =
		m.reads ? (double)((m.reads - m.ahead) * m.ns_read + m.ahead * m.ns_ahead) / (double)m.reads :
			  (double)m.ns_read;

	if (!steps)
		return (double)misses(DISTANCE_STEPS) * (read + m.ns_fault) +
		       (double)(misses(DISTANCE_STEPS) + m.fresh) * m.ns_write;
	if (!m.tried_stored)
		return 1e300;
	evicted = (double)(misses(DISTANCE_STEPS - steps) + m.fresh);
	/* The store holds the compressible of this many pages of the stack. */
	beyond = steps * CHUNKS * (double)m.tried / (double)m.tried_chunks;
	hits = fits * ((double)misses(DISTANCE_STEPS - steps) -
		       (double)misses((u64)(DISTANCE_STEPS - steps + beyond)));
	reads = (double)misses(DISTANCE_STEPS - steps) - hits;
	ousted = evicted * fits - hits;
	return reads * (read + m.ns_fault) + (evicted - hits) * m.ns_write + evicted * fits * m.ns_compress +
	       evicted * (1 - fits) * m.ns_refuse + (hits + ousted) * m.ns_decompress + hits * m.ns_fault;
}

static void look(void)
{
	static const u32 choice[] = { 0, 2, 4, 8, 16, 32 };
	double least = 0;

	for (u32 i = 0; m.tried && i < ARRAY_SIZE(choice); i++) {
		/* A change must be worth something. */
		double c =
			cost_of(choice[i]) * (m.frames * choice[i] / DISTANCE_STEPS == m.budget ? 1 : 1.02);

		if (!i || c < least) {
			least = c;
			m.budget = m.frames * choice[i] / DISTANCE_STEPS;
		}
	}
	while (store_frames() > m.budget)
		oust();
	for (u32 i = 0; i <= DISTANCES; i++)
		m.at_distance[i] /= 2;
	m.fresh /= 2;
	m.budget_sum += m.budget;
	m.looks++;
}

/* ---- references ---- */

static void read_back(u32 g)
{
	m.run = g == m.last_read + 1 && m.run < AHEAD ? m.run + 1 : 1;
	m.ahead += m.run > 1;
	m.last_read = g;
	m.reads++;
}

static void touch(u32 g, bool write)
{
	struct page *p = &m.page[g];

	if (m.automatic) {
		note_distance(g);
		if (m.now % m.frames == 0)
			look();
	}
	if (p->where == RESIDENT) {
		leave(&m.lru, g);
	} else if (p->where == STORED) {
		leave(&m.store, g);
		m.chunks -= chunks_of(g);
		m.hits++;
	} else if (p->where == SWAPPED) {
		read_back(g);
	}
	if (write || p->where == FRESH)
		p->copy = false;
	p->where = RESIDENT;
	join(&m.lru, g);
	while (m.lru.n + store_frames() > m.frames)
		evict();
}

static u64 mix(u64 x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static bool draw_sizes(const char *text, u32 pages)
{
	u64 count[STEPS], sum = 0;

	for (u32 i = 0; i < STEPS; i++) {
		char *end;

		sum += count[i] = strtoull(text, &end, 10);
		if (end == text || (*end != ',' && *end))
			return false;
		text = *end ? end + 1 : end;
	}
	for (u32 g = 0; sum && g < pages; g++) {
		u64 at = mix(g + 1) % sum;
		u32 i = 0;

		while (at >= count[i])
			at -= count[i++];
		m.page[g].bytes = (u16)(i * STEP);
	}
	return sum != 0;
}

/* As tools/replay.c's. */
static bool open_trace(struct trace *t, const char *arg)
{
	char kind[16];
	u32 pages, refs;

	if (sscanf(arg, "%15[a-z]:%u:%u", kind, &pages, &refs) != 3)
		return trace_load(t, arg);
	if (!strcmp(kind, "zipf"))
		trace_zipf(t, pages, refs, 0.9, 1);
	else if (!strcmp(kind, "loop"))
		trace_loop(t, pages, refs);
	else if (!strcmp(kind, "hotscan"))
		trace_hot_scan(t, pages / 4, pages - pages / 4, refs, 4, 1);
	else if (!strcmp(kind, "phases"))
		trace_phases(t, pages * 2 / 5, 4, refs, 1);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	unsigned long long ns[7];
	struct trace t;

	if (argc != 6 || !open_trace(&t, argv[5])) {
		fprintf(stderr, "usage: zipmodel FRAMES%% BUDGET DIRTY%% SIZES TRACE\n");
		return 2;
	}
	m.page = oracle_alloc(t.pages, sizeof(struct page));
	if (!draw_sizes(argv[4], t.pages)) {
		fprintf(stderr, "zipmodel: %s: wants %u counts\n", argv[4], STEPS);
		return 2;
	}
	m.frames = (u32)MAX((double)t.pages * atof(argv[1]) / 100, 2);
	m.automatic = sscanf(argv[2], "auto:%llu:%llu:%llu:%llu:%llu:%llu:%llu", &ns[0], &ns[1], &ns[2],
			     &ns[3], &ns[4], &ns[5], &ns[6]) == 7;
	if (m.automatic) {
		m.ns_read = ns[0];
		m.ns_ahead = ns[1];
		m.ns_write = ns[2];
		m.ns_compress = ns[3];
		m.ns_refuse = ns[4];
		m.ns_decompress = ns[5];
		m.ns_fault = ns[6];
		m.times = t.refs + 1;
		m.tree = oracle_alloc(m.times + 1, sizeof(u32));
		m.seen = oracle_alloc(t.pages, sizeof(u32));
	} else {
		m.budget = (u32)(m.frames * atof(argv[2]) / 100);
	}
	m.dirty = (u32)atoi(argv[3]);
	m.lru = m.store = (struct queue){ NONE, NONE, 0 };
	m.last_read = NONE - 1;
	for (u32 i = 0; i < t.refs; i++)
		touch(t.ref[i], mix(i) % 100 < m.dirty);
	printf("{\"refs\": %u, \"pages\": %u, \"frames\": %u, \"store\": %u, \"most\": %u, \"reads\": %llu, "
	       "\"ahead\": %llu, \"writes\": %llu, \"hits\": %llu, \"compressed\": %llu, \"refused\": %llu, "
	       "\"ousted\": %llu, \"budget\": %.1f}\n",
	       t.refs, t.pages, m.frames, m.most_frames, m.most_pages, (unsigned long long)m.reads,
	       (unsigned long long)m.ahead, (unsigned long long)m.writes, (unsigned long long)m.hits,
	       (unsigned long long)m.compressed, (unsigned long long)m.refused, (unsigned long long)m.ousted,
	       100.0 * (m.looks ? (double)m.budget_sum / (double)m.looks : m.budget) / m.frames);
	return 0;
}
