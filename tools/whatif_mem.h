/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * whatif_mem.h - one guest's memory in a replay: its pages and the blocks that it read, items of one LRU
 * stack. Private to whatif.
 *
 * mm/share/ages.c, mm/share/curve.c and mm/share/payer.c say which items go, as in the hypervisor; the steps
 * are those of mm/pager/reclaim.c in small: the coldest are unmapped softly, a batch at a time, and wait on a
 * FIFO, where a touch finds them without I/O; its head and blocks kept in the cache go for good, the colder
 * first. What has to be written goes as many at once as one write takes, so that frames come free in batches.
 */
#ifndef TOOLS_WHATIF_MEM_H
#define TOOLS_WHATIF_MEM_H

#include "mm/share/curve.h"
#include "mm/share/payer.h"

#define WI_NOWHERE UINT32_MAX

/* The swap area: slots in the order in which they were written, never written again. */
struct wi_slots {
	u32 *item;
	u8 *owner;
	u32 n, room;
};

enum wi_state {
	WI_NONE,   /* never touched, or its content is gone */
	WI_HOT,
	WI_SOFT,   /* on the FIFO */
	WI_CACHED, /* a block that the guest gave up, kept */
	WI_AWAY,   /* evicted, or only remembered */
};

struct wi_list { u32 head, tail, count; };

struct wi_mem {
	u8 id;
	u32 items, tables;
	struct ages ages;
	struct curve curve;
	void *storage;
	u64 *entry;      /* the page table: A in bit 8 */
	u8 *age, *state, *flags;
	u32 *stamp, *next, *prev, *came;
	u32 *slot;       /* of what was written to the swap area */
	u32 *twin;       /* of a page the block that it holds, and the other way round */
	/* enum curve_class of reading each item again, other: swap, unless it is known to hold a block */
	const u8 *away;
	struct wi_slots *slots;
	struct wi_list soft, cache[2]; /* the second: blocks that were asked for again */
	u32 soft_goal, hand, choice_left, choice_epoch;
	struct ages_choice choice;
	struct payer_idle idle;
};

/* away and slots stay the caller's. The curve has some shape. */
void wi_mem_init(struct wi_mem *m, u8 id, u32 items, const u8 *away, struct wi_slots *slots, u64 now_ns);
void wi_mem_free(struct wi_mem *m);
/* The guest was reset: nothing is anywhere. */
void wi_mem_reset(struct wi_mem *m, u64 now_ns);
/* Another shape of its curve, which knows nothing then. */
void wi_mem_shape(struct wi_mem *m, u32 step_frames, u32 points, u64 now_ns);

static inline u32 wi_mem_held(const struct wi_mem *m)
{
	return m->ages.resident + m->soft.count + m->cache[0].count + m->cache[1].count;
}

/* Before all else: an item is there, or evicted, and has that age. Then what else has been evicted, by age,
 * and how much is touched between two passes. */
void wi_mem_place(struct wi_mem *m, u32 item, u8 age, bool here);
void wi_mem_placed(struct wi_mem *m, const u32 gone[AGES_N], u32 w1_avg);
/* A scan pass. */
void wi_mem_pass(struct wi_mem *m, u64 now_ns);

enum wi_touch {
	WI_HIT,
	WI_UNASKED, /* it came unasked and is touched now for the first time */
	WI_FIRST,   /* it was nowhere */
	WI_AGAIN,   /* it was away */
};

/* The caller has seen to a frame if it needs one. */
bool wi_mem_needs_frame(const struct wi_mem *m, u32 item);
enum wi_touch wi_mem_touch(struct wi_mem *m, u32 item);
/* An evicted item comes back without a touch; unasked: its touch is to be told. */
void wi_mem_restore(struct wi_mem *m, u32 item, bool unasked);
/* It is there, without a touch and for the first time. */
void wi_mem_arrive(struct wi_mem *m, u32 item);
/* If a HOT item was touched since the last pass, that is noted, as the next one will not see it. */
void wi_mem_look(struct wi_mem *m, u32 item);
/* It holds only zeros until it is touched: evicted, it is nowhere. */
void wi_mem_zeros(struct wi_mem *m, u32 item);
/* Its content is gone. */
void wi_mem_forget(struct wi_mem *m, u32 item);
/* The content of one item is the other's from now on. */
void wi_mem_move(struct wi_mem *m, u32 from, u32 to);
/* A page that was read from that block holds its content. */
void wi_mem_holds(struct wi_mem *m, u32 page, u32 block);
bool wi_mem_accessed(const struct wi_mem *m, u32 item);
/* Evicted, it lies in the swap area. */
bool wi_mem_in_swap(const struct wi_mem *m, u32 item);
/* The guest gives a block up that page held: it becomes item block, which is kept or only remembered. */
void wi_mem_give_up(struct wi_mem *m, u32 page, u32 block, bool keep);
/* Gives up at least `want` frames if it can; how many. */
u32 wi_mem_take(struct wi_mem *m, u32 want);
/* The oldest cached block goes; false: there is none. */
bool wi_mem_drop_cached(struct wi_mem *m);

/* ---- private to whatif_mem.c and whatif_reclaim.c ---- */

/* It came on a guess and has not had its time yet. */
bool wi_mem_spared(const struct wi_mem *m, u32 item);
/* Clears A of a HOT item; what it was. */
bool wi_mem_cool(struct wi_mem *m, u32 item);
/* HOT to SOFT. */
void wi_mem_unmap(struct wi_mem *m, u32 item);
/* Evicted, it needs no write. */
bool wi_mem_clean(const struct wi_mem *m, u32 item);
/* A SOFT or CACHED item goes for good. */
void wi_mem_drop(struct wi_mem *m, u32 item);

#endif
