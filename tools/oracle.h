/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * oracle.h - page traces and the exact algorithms that mm/ is judged by.
 *
 * Host tools and unit tests only. A trace's pages are renumbered 0..pages-1 in
 * order of first reference. Running out of memory ends the program.
 */
#ifndef TOOLS_ORACLE_H
#define TOOLS_ORACLE_H

#include "kernel/lib/types.h"

struct trace {
	char name[64];
	u32 *ref;
	u32 refs, pages;
};

/* One page number a line, gzip or plain. False: can't be read, said on stderr. */
bool trace_load(struct trace *t, const char *path);
void trace_free(struct trace *t);

/* Generators, deterministic by seed. */
void trace_zipf(struct trace *t, u32 pages, u32 refs, double skew, u64 seed);
void trace_loop(struct trace *t, u32 pages, u32 refs);
/* A hot set touched uniformly, with a sequential scan of the rest: one touch in `every`. */
void trace_hot_scan(struct trace *t, u32 hot, u32 cold, u32 refs, u32 every, u64 seed);
/* Working sets of `pages` pages, half of each shared with the one before. */
void trace_phases(struct trace *t, u32 pages, u32 phases, u32 refs, u64 seed);
/* A working set of all pages and of an eighth of them in turns; high: all come first. */
void trace_tide(struct trace *t, u32 pages, u32 phases, u32 refs, bool high, u64 seed);

/* hist[d]: references at LRU stack distance d (0 = the page just touched); pages + 1
 * counters. First touches are not in it: there are t->pages of them. */
u64 *oracle_lru(const struct trace *t);
/* Misses with m frames, first touches counted. */
u64 oracle_lru_misses(const struct trace *t, const u64 *hist, u32 m);
/* All sizes at once: miss[m] for m in 0..pages. */
u64 *oracle_lru_curve(const struct trace *t);
/* Belady's MIN. */
u64 oracle_min_misses(const struct trace *t, u32 frames);

u64 oracle_random(u64 *state);
void *oracle_alloc(size_t n, size_t size);

#endif
