/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * divisions.h - the divisions that mm/share/divide.c is compared with, on exact curves.
 *
 * curve[i][m], m in 0..pages[i], are misses of guest i with m frames, as
 * oracle_lru_curve() makes them. share[i] receives frames.
 */
#ifndef TOOLS_DIVISIONS_H
#define TOOLS_DIVISIONS_H

#include "tools/oracle.h"

struct mix {
	u32 n, frames;
	const struct trace *t;
	u64 **curve;
};

u64 mix_misses_at(const struct mix *x, u32 i, u32 m);
u64 mix_misses(const struct mix *x, const u32 *share);
/* The best static division, by exact dynamic programming in steps of `step` frames. */
void division_best(const struct mix *x, u32 step, u32 *share);
void division_equal(const struct mix *x, u32 *share);
void division_proportional(const struct mix *x, u32 *share);
/* One step after another to who saves most with it. */
void division_greedy(const struct mix *x, u32 step, u32 *share);
/* To who saves most a step, looking ahead any number of steps. */
void division_lookahead(const struct mix *x, u32 step, u32 *share);
/* One LRU stack for all, traces interleaved so that they end together. Returns misses. */
u64 division_global_lru(const struct mix *x);
/* Interleaving: the guest whose turn the next reference is; done[] counts its references. */
u32 mix_turn(const struct mix *x, const u64 *done);

#endif
