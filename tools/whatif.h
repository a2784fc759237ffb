/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif.h - replays a recording with the hypervisor's own mm/ code: as it was, and with other memory or QoS.
 *
 * What a recording can tell. Each miss of the recorded run is there with its time; of touches that did not
 * miss only when reclaim saw them, or in which scan interval they were (they are spread evenly over it, in
 * order of address, and never twice). Time is the recorded one: a guest that would have waited less would
 * have got on faster, and that is not seen. So a replay with more memory says which of the recorded touches
 * would have hit, and one with less memory says at least how many more would have missed. Pages are where
 * they were when the recording began, and the curves know what they knew.
 *
 * As decided, targets, bursts and what came back unasked are the recorded ones; deciding anew, they are made
 * by mm/share/balance.c and mm/pager/readahead.c. Pages and blocks that came back and were used are misses,
 * asked for or not: that is what memory avoids.
 */
#ifndef TOOLS_WHATIF_H
#define TOOLS_WHATIF_H

int whatif_main(int argc, char **argv);

#endif
