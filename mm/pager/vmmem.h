/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmmem.h - the memory of one guest: its pages, the hardware table, where evicted content is,
 * what is cached for it, and how much it may hold.
 */
#ifndef MM_PAGER_VMMEM_H
#define MM_PAGER_VMMEM_H

#include "drivers/block.h"
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "mm/share/ages.h"
#include "mm/share/curve.h"
#include "mm/frame.h"
#include "mm/share/payer.h"
#include "mm/pager/readahead.h"
#include "mm/slat.h"
#include "mm/pager/zplan.h"
#include "mm/pager/zstore.h"

#define VMMEM_MAX_DISKS 4

/* Where a guest page's content is. ARCHITECTURE.md, "A guest page's life". */
enum gpage_state { GPAGE_ZERO, GPAGE_HOT, GPAGE_SOFT, GPAGE_DISC, GPAGE_SWAP, GPAGE_ZIP, GPAGE_FILLING };

enum gpage_flags {
	GPAGE_DIRTY = 1,     /* content differs from any block: must be kept by swap */
	GPAGE_WRITEBACK = 2, /* SOFT: swap write under way; a touch cancels its effect */
	GPAGE_KNOWN_ZERO = 4,/* resident and never written: drops to ZERO */
};

struct gpage {
	u32 loc;    /* HOT SOFT FILLING: pfn; DISC: block; SWAP: slot; ZIP: first chunk (zstore.h) */
	u32 stamp;  /* what ages_evict() gave when it left HOT (SOFT DISC SWAP ZIP) */
	u32 link;   /* next page + 1 of the same block (blockmap chain) */
	u8 state;   /* enum gpage_state */
	u8 flags;
	u16 pins;   /* > 0: never reclaimed */
};
_Static_assert(sizeof(struct gpage) == 16, "struct gpage");

struct guest_disk {
	struct block_extent ext;
	u32 base;        /* its block 0 in the guest-wide block numbers (4 KiB units) */
	u32 nblocks;     /* whole blocks */
	bool read_only, used;
};

/* Counted since the guest started; all in pages unless said. */
struct vm_counters {
	u64 faults, zero_fills, soft_hits, cache_hits, cache_puts, cache_drops;
	u64 disc_reads, swap_reads, swap_writes, clean_drops, zero_drops;
	u64 rescues, bounce_reads, overwrites_unread;       /* evicted pages whose old content was not read */
	u64 exchanged, copied;                              /* cache hits by exchanging frames / by copy */
	u64 silent_swap_writes, stale_reads, double_paging; /* must stay 0 */
	/* entries of tables looked at, in what time; whole passes */
	u64 scans, scanned_entries, leaf_ticks, scan_ticks;
	u64 flushes;
	u64 stall_ticks, run_ticks;                         /* vCPU parked for a page; in the guest */
	/* pages the guest itself read from and wrote to its disks */
	u64 guest_reads, guest_writes;
	/* pages unmapped softly; zero pages mapped around a fault */
	u64 softened, around;
	/* pages read back unasked: beside a demand, in the background */
	u64 ahead, ahead_background;
	u64 ahead_used, ahead_wasted;                        /* of those looked at again */
	u64 demand_reads;                                    /* requests that a touch waited for */
	/* compressed in memory, touched again, did not compress, went on to swap */
	u64 zip_puts, zip_hits, zip_refused, zip_ousted;
	u64 copy_drops;                                      /* of clean_drops: what a swap slot still held */
	/* puts whose block was overwritten or erased before it was asked for */
	u64 cache_false;
	u64 swap_outs, swap_ins;                             /* the guest's own, recognised: blocks */
	/* touches of evicted pages by reads; by plain writes; */
	u64 refault_reads, refault_writes;
	/* by REP STOS/MOVS over the whole page, unread; by other REP */
	u64 rep_whole, rep_part;
};

/* What mm/pager/zip.c has seen of the counters. */
struct zip_watch { u64 io, fresh, ns; u32 turned_away, sample; };
/* Areas of its disks that the guest swaps to: mm/pager/guest_swap.h. */
#define GUEST_SWAP_AREAS 4
struct guest_swap_area { u32 first, slots, bit, bits; }; /* blocks behind the header; bits of live[] */
struct guest_swap {
	struct guest_swap_area area[GUEST_SWAP_AREAS];
	u32 areas, bits, bits_used;
	u64 *live;
};

/* A guest's entries for what is under way to and from disks (mm/pager/pool.h). */
enum pool_of {
	POOL_REQUESTS /* of the guest to its disks */,
	POOL_FILLS,
	POOL_WRITES /* to the swap area */,
	POOLS
};
struct pool_share {
	u8 *own;       /* its entries, */
	u32 free;      /* and a bit for each that is free */
	u32 borrowed;  /* lent ones in use */
	u64 ticket;    /* its place in the line for lent ones; 0: it does not wait */
};

/* Cached blocks in the order of their puts; those never asked for again are on probation. */
struct cache_list { u32 head, tail, count; };
enum { CACHE_PROBATION, CACHE_PROVEN, CACHE_LISTS };

struct vm;
struct vm_mem {
	struct vm *vm;
	u8 id;               /* owner number in the frame table */
	bool no_cache;       /* what the guest itself evicts is not kept */
	bool dead;           /* failed: nothing is started for it any more */
	u32 npages;          /* ram / 4 KiB; guest page g is gpfn g (ram <= 3 GiB) */
	struct gpage *page;  /* npages */
	u8 *age;             /* npages, rounded up to 512; see ages.h */
	struct slat slat;
	struct ages ages;
	struct curve curve;
	u32 clock;           /* pages that left HOT or the guest's own cache, so far */

	/* blockmap: {block} -> pages chained by gpage.link, and the cached frame */
	u32 *block_bucket; u32 block_buckets;
	u32 *cache_bucket; u32 cache_buckets;
	u32 blockmap_count;  /* pages in the map */
	u64 *ghost; u32 ghosts; /* {block + 1, ages stamp} of blocks dropped from the cache, direct-mapped */
	u32 soft_head, soft_tail, soft_count;     /* FIFO by frame number, oldest first */
	struct cache_list cache[CACHE_LISTS];     /* by frame number, oldest first */
	u32 cache_count;                          /* of both */
	struct guest_swap swap;

	u32 min, max, target;                     /* frames; held is frame_held(id) */
	struct guest_disk disk[VMMEM_MAX_DISKS];
	struct pool_share pool[POOLS];
	u32 io_in_flight;    /* host requests of this guest */
	struct list io_active, io_waiting;        /* struct guest_io in order */
	struct list io_refused;                   /* done() is still owed */
	u32 pins_in_flight;
	bool starving;       /* a fault or an I/O waits for a frame */
	bool parked;         /* a vCPU or a device model was told to wait: pager_wake() is owed */
	bool draining;       /* reset or stop: no new I/O */
	bool away;           /* its vCPU is paused or rests: it asks for nothing */
	bool io_driving, io_again; /* guest_io.c: no recursion */
	bool io_asked;       /* pager_again() was called, and guest_io_drive() was not since */
	bool io_sourcing;    /* pages are collected to be written out: a refill now would be double paging */
	void *io_preparing;  /* guest_io.c: the one request that may collect frames */
	/* starving at its max with nothing under way that could free a frame; 0: not */
	u64 stuck_since_ns, stuck_seen_ns;
	u32 soft_goal;       /* the FIFO is refilled when it is this short */
	u32 reclaim_hand;    /* next gpfn the reclaimer looks at */
	struct ages_choice choice; /* ages it takes from, until choice_left is used up or a pass ends */
	u32 choice_epoch, choice_left;
	u32 writing;         /* pages in swap writes under way */
	struct payer_idle idle;
	struct ahead ahead;
	struct zstore zip;   /* cold pages, compressed: mm/pager/zip.c */
	struct zplan zplan;
	struct zip_watch zip_watch;
	void *arrays; u32 arrays_frames; /* storage of all the arrays: one run of frames */
	struct vm_counters n;
};

/*
 * Takes arrays and second-level tables from the frame table; E_NOMEM. ram_pages whole. The caller has zeroed
 * m, set disk[].ext, .read_only, .used and min, max, target; base and nblocks are computed here.
 */
int vmmem_init(struct vm_mem *m, struct vm *vm, u8 id, u32 ram_pages,
	       const struct slat_format *fmt) MUST_CHECK;
/* No I/O of m is in flight. Every page ZERO and unmapped (a flush is owed), nothing associated or cached, all
 * frames and slots free; the second-level tables stay. */
void vmmem_clear(struct vm_mem *m);
/* No I/O of m is in flight. Gives everything back; m may be initialised anew. */
void vmmem_destroy(struct vm_mem *m);
static inline u32 vmmem_held(const struct vm_mem *m) { return frame_held(m->id); }
/* All guests' memories, by id; NULL where there is none. */
extern struct vm_mem *vmmem_all[FRAME_MAX_VMS];
extern u32 vmmem_end; /* above every id there was: loops over all end here */

#endif
