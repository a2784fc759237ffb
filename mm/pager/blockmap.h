/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blockmap.h - which pages of a guest hold which block of its disks: {block} -> pages.
 *
 * A block is a guest-wide number (struct guest_disk.base + sector / 8). A page is in the map exactly while it
 * has a block: its frame's (HOT SOFT FILLING) or its own (DISC). Chains run through gpage.link and are
 * bounded: a guest that reads one block into very many pages, or blocks that collide, gets no association
 * beyond the bound.
 */
#ifndef MM_PAGER_BLOCKMAP_H
#define MM_PAGER_BLOCKMAP_H

#include "mm/pager/vmmem.h"

#define BLOCK_NONE 0xffffffffu
#define BLOCKMAP_CHAIN_MAX 48

/* The block page g holds or lives in; BLOCK_NONE. */
u32 blockmap_block_of(const struct vm_mem *m, u32 g);
/* g's block has just been set. False: the chain is too long, the caller takes the block back. */
bool blockmap_insert(struct vm_mem *m, u32 g, u32 block) MUST_CHECK;
/* g still has its block. */
void blockmap_remove(struct vm_mem *m, u32 g);
/* Pages of a block one by one: start with NO_GPFN.n, ends with it. Removing the page returned is not allowed
 * before the next call. */
u32 blockmap_next(const struct vm_mem *m, u32 block, u32 after);
/* Some page other than `but` holds the block in a frame (clean as far as software knows). */
bool blockmap_resident(const struct vm_mem *m, u32 block, u32 but);

/* A whole aligned block at this sector of the disk; BLOCK_NONE. */
u32 blockmap_block_at(const struct vm_mem *m, u32 disk, u64 sector);
/* Where a block is; false: of no disk. */
bool blockmap_locate(const struct vm_mem *m, u32 block, const struct guest_disk **d, u64 *host_sector);

static inline u32 blockmap_hash(u32 block, u32 buckets)
{
	return (u32)((block * 0x9E3779B97F4A7C15ull) >> 32) & (buckets - 1);
}

#endif
