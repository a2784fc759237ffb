/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * block_priv.h - what block.c (the face, completion) and block_turn.c (what goes to the driver next) share.
 */
#ifndef DRIVERS_BLOCK_PRIV_H
#define DRIVERS_BLOCK_PRIV_H

#include "drivers/block.h"

/* block_turn.c: gives the device what it may have now. */
void block_start(struct block_dev *d);
/* The device's time so far goes to the commands in flight: to be called before their number changes. */
void block_account(struct block_dev *d, u64 now_ns);
/* What of the device's time the command had: to be called when it has ended, after block_account(). */
u64 block_took(const struct block_dev *d, const struct block_cmd *c);
/* Owners with requests waiting or commands in flight. */
u64 block_busy(const struct block_dev *d);
/* Into r's queue: at its end, or, given back by a command that failed, at its front. */
void block_enqueue(struct block_req *r, bool front);
void block_dequeue(struct block_req *r);

extern struct fair_share block_shares[FAIR_OWNERS];

static inline bool block_writes(u8 op) { return op == BLOCK_WRITE; }
static inline struct block_queue *block_queue_of(const struct block_req *r)
{
	return &r->dev->queue[r->owner];
}

#endif
