/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * blockmap.c - the hash of pages by block. Contract: blockmap.h. Buckets and links hold page + 1, 0 ends.
 */
#include "mm/pager/blockmap.h"
#include "kernel/lib/lib.h"

u32 blockmap_block_of(const struct vm_mem *m, u32 g)
{
	const struct gpage *p = &m->page[g];
	const struct frame *f;

	switch (p->state) {
	case GPAGE_HOT:
	case GPAGE_SOFT:
	case GPAGE_FILLING:
		f = frame_of((pfn_t){ p->loc });
		return frame_in_slot(f) ? BLOCK_NONE : f->block - 1;
	case GPAGE_DISC:
		return p->loc;
	default:
		return BLOCK_NONE;
	}
}

bool blockmap_insert(struct vm_mem *m, u32 g, u32 block)
{
	u32 *bucket = &m->block_bucket[blockmap_hash(block, m->block_buckets)];
	u32 n = 0;

	for (u32 l = *bucket; l; l = m->page[l - 1].link)
		if (++n >= BLOCKMAP_CHAIN_MAX)
			return false;
	m->page[g].link = *bucket;
	*bucket = g + 1;
	m->blockmap_count++;
	return true;
}

void blockmap_remove(struct vm_mem *m, u32 g)
{
	u32 *l = &m->block_bucket[blockmap_hash(blockmap_block_of(m, g), m->block_buckets)];

	while (*l && *l != g + 1)
		l = &m->page[*l - 1].link;
	BUG_ON(!*l);
	*l = m->page[g].link;
	m->page[g].link = 0;
	m->blockmap_count--;
}

u32 blockmap_next(const struct vm_mem *m, u32 block, u32 after)
{
	u32 l = after == NO_GPFN.n ? m->block_bucket[blockmap_hash(block, m->block_buckets)] :
				     m->page[after].link;

	for (; l; l = m->page[l - 1].link)
		if (blockmap_block_of(m, l - 1) == block)
			return l - 1;
	return NO_GPFN.n;
}

bool blockmap_resident(const struct vm_mem *m, u32 block, u32 but)
{
	for (u32 g = blockmap_next(m, block, NO_GPFN.n); g != NO_GPFN.n; g = blockmap_next(m, block, g))
		if (g != but && m->page[g].state != GPAGE_DISC)
			return true;
	return false;
}

u32 blockmap_block_at(const struct vm_mem *m, u32 disk, u64 sector)
{
	const struct guest_disk *d = &m->disk[disk];

	if (sector % SECTORS_PER_PAGE || sector / SECTORS_PER_PAGE >= d->nblocks)
		return BLOCK_NONE;
	return d->base + (u32)(sector / SECTORS_PER_PAGE);
}

bool blockmap_locate(const struct vm_mem *m, u32 block, const struct guest_disk **d, u64 *host_sector)
{
	for (u32 i = 0; i < VMMEM_MAX_DISKS; i++) {
		const struct guest_disk *disk = &m->disk[i];

		if (!disk->used || block < disk->base || block - disk->base >= disk->nblocks)
			continue;
		*d = disk;
		*host_sector = disk->ext.first + (u64)(block - disk->base) * SECTORS_PER_PAGE;
		return true;
	}
	return false;
}
