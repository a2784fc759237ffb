/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_run.h - a recording's events, let happen to guests' memory again: private to whatif.
 */
#ifndef TOOLS_WHATIF_RUN_H
#define TOOLS_WHATIF_RUN_H

#include "mm/share/balance.h"
#include "tools/whatif_events.h"

struct wi_override { char name[17]; bool min, max, weight, goal; struct wi_settings q; };

struct wi_case {
	const struct wi_override *o; /* n guests whose settings are other ones */
	u32 n;
	s64 more_frames;  /* than were shared, at any time */
	bool as_decided;  /* targets are the recorded ones, in proportion to the memory */
};

struct wi_outcome {
	u64 misses;       /* pages and blocks that came back and were used */
	u64 waits;        /* those of them that the guest had to wait for */
	u64 cold;
	u32 target, held;
};

struct qos wi_qos(const struct wi_override *o, struct wi_settings q);
const struct wi_override *wi_override_of(const struct wi_case *c, const char *name);
void wi_replay(const struct wi *w, const struct wi_case *c, struct wi_outcome out[WI_VMS]);

#endif
