/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * frame.h - one struct frame per host frame: whose it is and in which state.
 *
 * Counters by owner and state are kept at every change (frame_set_state is the only
 * way to change one), so the conservation law can be checked by recounting.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "kernel/lib/range.h"
#include "kernel/lib/types.h"

#define FRAME_MAX_VMS 16
#define FRAME_NO_VM 0xff
#define FRAME_NONE 0xffffffffu

enum frame_state {
	FRAME_RESERVED, /* not RAM, firmware's */
	FRAME_HYP,      /* image, page tables, frame table, per-VM arrays, VMCS, buffers */
	FRAME_MODULE,   /* a GRUB module that stays for restarts or is a RAM disk */
	FRAME_FREE,     /* content is somebody's old data: zeroed or wholly overwritten before use */
	FRAME_ZEROED,   /* free and known zero */
	FRAME_TABLE,    /* second-level table of owner */
	FRAME_MAPPED,   /* HOT page of owner */
	FRAME_SOFT,     /* unmapped page of owner, on its FIFO */
	FRAME_CACHED,   /* a block the guest evicted */
	FRAME_FILLING,  /* I/O into it under way */
	FRAME_WRITING,  /* swap write from it under way */
	FRAME_BOUNCE,   /* private copy for an I/O of owner */
	FRAME_ZIP,      /* compressed pages of owner: zstore.h */
	FRAME_STATES
};

enum frame_flags {
	/* FILLING: its block is about to be overwritten: dirty and unassociated once filled */
	FRAME_RESCUE = 1,
	FRAME_GUEST_IO = 2, /* FILLING: by the guest's own disk read (stamp: number of that transfer) */
	/* MAPPED: brought back on a guess (stamp: the pass of ages it came in), not to be taken at once */
	FRAME_AHEAD = 4,
	FRAME_PROVEN = 8, /* with a block: it has been asked for again after it had left the guest's memory */
	FRAME_SWAPPED_IN = 16, /* MAPPED SOFT: the guest read it from its own swap area */
};

struct frame {
	u8 state, owner, unused, flags; /* flags: enum frame_flags */
	u32 gpfn;        /* MAPPED SOFT FILLING WRITING: the guest page; CACHED: next of its hash chain */
	/*
	 * what its content equals, if still clean: guest-wide block number + 1, or FRAME_IN_SLOT | slot; 0
	 * none
	 */
	u32 block;
	u32 next, prev;  /* free list, SOFT FIFO, cache LRU; frame numbers, FRAME_NONE */
	u32 stamp;       /* CACHED: what ages_evict() gave at put */
};
_Static_assert(sizeof(struct frame) == 24, "struct frame");

#define FRAME_IN_SLOT BIT(31)
static inline bool frame_in_slot(const struct frame *f) { return f->block & FRAME_IN_SLOT; }
static inline u32 frame_slot(const struct frame *f) { return f->block & ~FRAME_IN_SLOT; }

/*
 * Table storage is taken from the largest usable gap; ranges and reserved (end exclusive, bytes) as boot
 * tells, in any order. Entries of `usable` with usable == false are skipped. RAM in `reserved` becomes
 * FRAME_HYP (the caller turns modules into FRAME_MODULE by frame_set_state). Frame 0 is never given out.
 * E_NOMEM: no gap for the table.
 */
int frame_init(const struct boot_range *usable, u32 nusable, const struct boot_range *reserved,
	       u32 nreserved) MUST_CHECK;
extern struct frame *frame_table;
extern u32 frame_table_size;
void frame_bad(pfn_t p) NORETURN;
static inline struct frame *frame_of(pfn_t p)
{
	if (unlikely(p.n >= frame_table_size))
		frame_bad(p);
	return &frame_table[p.n];
}
u32 frame_total(void);                       /* frames of RAM (all states but RESERVED) */
u32 frame_limit(void);                       /* highest pfn + 1 */
u32 frame_count(enum frame_state s);         /* of all owners */
u32 frame_count_vm(u8 vm, enum frame_state s);
u32 frame_held(u8 vm);                       /* MAPPED SOFT CACHED FILLING WRITING BOUNCE ZIP */
u32 frame_free(void);                        /* FREE + ZEROED */

/* NO_PFN if none. want_zero: content is zero on return (zeroes here if it must). */
pfn_t frame_get(u8 owner, enum frame_state s, bool want_zero);
void frame_put(pfn_t p);                     /* to FREE */
void frame_set_state(pfn_t p, u8 owner, enum frame_state s);
/* The same, quickly, for a frame that a guest holds and goes on holding (states above TABLE). */
extern u32 frame_counts[FRAME_MAX_VMS + 1][FRAME_STATES];
static inline void frame_change(struct frame *f, enum frame_state s)
{
	u32 *c = frame_counts[f->owner];

	c[f->state]--;
	c[s]++;
	f->state = (u8)s;
}
/* n contiguous frames, zeroed, FRAME_HYP: for arrays at VM creation. */
pfn_t frame_get_run(u32 n);
void frame_put_run(pfn_t p, u32 n);
bool frame_zero_one(void);                   /* idle chore: FREE -> ZEROED; false: nothing to do */
/* Recounts everything: 0 or the number of counters that were wrong. */
u32 frame_recount(void (*say)(void *ctx, const char *line), void *ctx);

#endif
