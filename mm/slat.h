/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slat.h - the second-level address translation table (EPT or nested pages): one
 * walker for every format; what is special about a format is a const description.
 *
 * The table is the hardware's view; struct gpage is the truth. Table frames come from
 * the frame table (FRAME_TABLE) and are accounted to the guest. Entries are changed by atomic operations,
 * since hardware sets accessed and dirty bits at any time. Not-present entries are 0: they hold no address
 * (L1TF).
 *
 * Flush rules: a change that removes a mapping, write permission or a dirty bit sets
 * slat->stale; the caller must flush (slat_flushed) before the guest runs again AND before
 * it trusts a dirty bit it read or lets go of the frame. Clearing A needs no flush.
 * Sources: Intel SDM vol. 3, "The extended page table mechanism (EPT)", "Accessed and Dirty
 * Flags for EPT"; AMD APM vol. 2, "Nested Paging".
 */
#ifndef MM_SLAT_H
#define MM_SLAT_H

#include "kernel/lib/types.h"

struct slat_format {
	const char *name;
	u64 table;       /* bits of an entry that points to a table */
	u64 leaf;        /* bits of a 4 KiB leaf: readable, executable, write-back */
	u64 write;       /* writable */
	u64 present;     /* mask: an entry with any of these is present */
	u64 accessed, dirty;
	u64 addr;        /* mask of the physical address */
};

struct slat {
	const struct slat_format *fmt;
	pfn_t root;
	u32 ntables;     /* frames in use for tables */
	bool stale;      /* a flush is owed before the guest runs */
	u64 generation;  /* counts flushes owed; for lazy per-CPU flushing */
	u64 flushes;     /* statistics */
	u64 *near_up, *near_leaf; /* the leaf table used last and the entry above it; */
	u32 near;        /* its g >> 9, ~0: none. Leaf tables live until slat_destroy() */
};

enum slat_prot { SLAT_READ = 1, SLAT_WRITE = 2 }; /* always executable */

struct slat_leaf { bool present, writable, accessed, dirty; pfn_t pfn; };

/* vm: owner of the table frames. */
int slat_init(struct slat *s, const struct slat_format *fmt, u8 vm) MUST_CHECK;
void slat_destroy(struct slat *s);
/* Makes sure that the tables for gpfn exist: the part that can fail (E_NOMEM). slat_map can't. */
int slat_prepare(struct slat *s, gpfn_t g) MUST_CHECK;
/* Maps g to pfn with A and D as given. The tables exist; an old mapping must have been removed. */
void slat_map(struct slat *s, gpfn_t g, pfn_t pfn, bool writable, bool accessed, bool dirty);
/* Removes the mapping; returns what it was. Sets stale. */
struct slat_leaf slat_unmap(struct slat *s, gpfn_t g);
/* The same for a mapped page that is not to be taken while it is warm: A is cleared then and the mapping
 * stays. */
enum slat_cold { SLAT_WARM, SLAT_CLEAN, SLAT_DIRTY };
enum slat_cold slat_unmap_cold(struct slat *s, gpfn_t g);
struct slat_leaf slat_get(const struct slat *s, gpfn_t g);
/* Clears D (sets stale if it was set), returns whether it was set. */
bool slat_clear_dirty(struct slat *s, gpfn_t g);
/* Only sets bits: what the hypervisor's own write or read of a mapped page must leave. */
void slat_mark(struct slat *s, gpfn_t g, bool accessed, bool dirty);
/* Visits the leaf tables that exist, in order: entries (512), first gpfn, whether the A bit of
 * the entry above was set (it is cleared). For the scanner. */
void slat_each_leaf_table(struct slat *s, void (*fn)(void *ctx, u64 *entries, gpfn_t first, bool touched),
			  void *ctx);
/* A flush is wanted before the next entry (after a scan pass). */
void slat_owe_flush(struct slat *s);
/* The flush was done (or is certain to be done by the backend before the next entry). */
void slat_flushed(struct slat *s);

#endif
