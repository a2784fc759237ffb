/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_ahead.h - what a guest of a replay touches, and what comes back beside it and in the background:
 * mm/pager/readahead.c over where things would lie on the disks. Private to whatif.
 *
 * Slots of the swap area are given out in the order of eviction, and never again: as pages that go together
 * are written together, that is nearly where they lie. Blocks of a guest's disk have their own numbers, as
 * far as the recording tells which page holds which.
 */
#ifndef TOOLS_WHATIF_AHEAD_H
#define TOOLS_WHATIF_AHEAD_H

#include "tools/whatif_host.h"

/* A touch of an item, wherever it is. */
enum wi_touch wi_ahead_touch(struct wi_host *h, u32 v, u32 item, u64 now_ns);
/* An evicted item comes back unasked, if there is a frame for it. */
void wi_ahead_bring(struct wi_host *h, u32 v, u32 item);
/* Requests in the background until now, if v is waking up. */
void wi_ahead_background(struct wi_host *h, u32 v, u64 now_ns);
/* Before a scan pass: which guesses were right. */
void wi_ahead_look(struct wi_host *h, u32 v);

#endif
