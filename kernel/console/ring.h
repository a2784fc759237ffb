/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.h - what one guest has written to its console, and what the operator typed for it. Exit handlers fill
 * the ring; term.c shows it and knows how far.
 */
#ifndef CONSOLE_RING_H
#define CONSOLE_RING_H

#include "kernel/lib/types.h"

#define RING_BYTES 8192u
#define RING_INPUT_BYTES 512u
#define RING_LINE_BYTES 200 /* a longer line is shown in pieces */

struct guest_term {
	char out[RING_BYTES];
	u64 written;          /* bytes ever written into out */
	/* of them, how many the operator has seen: up to the start of the line in `line` */
	u64 shown;
	/* of them, how many are in `line` or were left out of it; from there it goes on */
	u64 looked;
	char line[RING_LINE_BYTES];
	u32 len;              /* of the line so far: what of it is harmless for the terminal */
	bool escape;          /* inside an escape sequence */
	bool connected;       /* the operator's terminal is this guest's */
	u8 in[RING_INPUT_BYTES];
	u32 in_head, in_count;
};

/* The oldest byte still in the ring. */
static inline u64 ring_start(const struct guest_term *g)
{
	return g->written > RING_BYTES ? g->written - RING_BYTES : 0;
}

extern bool ring_taken; /* a guest's console has the terminal */

#endif
