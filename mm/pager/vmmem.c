/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmmem.c - makes and unmakes the memory of one guest. Contract: vmmem.h.
 *
 * All arrays are one run of frames. Second-level tables for all of RAM are made at once (0.2 %), so that
 * mapping a page can't fail later.
 */
#include "mm/pager/vmmem.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/gpage.h"
#include "mm/pager/swap.h"

struct vm_mem *vmmem_all[FRAME_MAX_VMS];
u32 vmmem_end;

#define CURVE_POINTS_WANTED 1024

static u32 pow2_at_least(u32 n)
{
	u32 p = 64;

	while (p < n)
		p *= 2;
	return p;
}

/* Block numbers of all disks in one space; what does not fit (struct frame) is never associated. */
static void number_blocks(struct vm_mem *m)
{
	u64 next = 0;

	for (u32 i = 0; i < VMMEM_MAX_DISKS; i++) {
		struct guest_disk *d = &m->disk[i];
		u64 blocks = d->used ? d->ext.sectors / SECTORS_PER_PAGE : 0;

		d->base = (u32)next;
		d->nblocks = (u32)MIN(blocks, FRAME_IN_SLOT - 16ull - next);
		next += d->nblocks;
	}
}

static void *carve(u8 **at, u64 bytes)
{
	void *p = *at;

	*at += ALIGN_UP(bytes, 64ull);
	return p;
}

static int take_arrays(struct vm_mem *m, u32 ram_pages)
{
	u32 buckets = pow2_at_least(ram_pages / 2), ages = ALIGN_UP(ram_pages, AGES_LEAF);
	u32 step = curve_step_for(ram_pages * 2, CURVE_POINTS_WANTED);
	u32 points = (ram_pages * 2 + step - 1) / step;
	u64 curve = curve_bytes(points);
	u64 bits = ALIGN_UP(ram_pages * 2ull, 64ull); /* a swap area of twice its RAM */
	u64 bytes = (u64)ram_pages * sizeof(struct gpage) + ages + 8ull * buckets + 8ull * buckets +
		    bits / 8 + curve + 7 * 64;
	u8 *at;
	pfn_t run;

	m->arrays_frames = (u32)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
	run = frame_get_run(m->arrays_frames);
	if (pfn_none(run))
		return E_NOMEM;
	m->arrays = at = pfn_ptr(run);
	m->page = carve(&at, (u64)ram_pages * sizeof(struct gpage));
	m->age = carve(&at, ages);
	m->block_bucket = carve(&at, 4ull * buckets);
	m->cache_bucket = carve(&at, 4ull * buckets);
	m->ghost = carve(&at, 8ull * buckets);
	m->swap.live = carve(&at, bits / 8);
	m->swap.bits = (u32)bits;
	m->block_buckets = m->cache_buckets = m->ghosts = buckets;
	return curve_init(&m->curve, step, points, carve(&at, curve), arch_ns());
}

static void empty_maps(struct vm_mem *m)
{
	memset(m->page, 0, (u64)m->npages * sizeof(struct gpage));
	memset(m->age, AGE_NONE, ALIGN_UP(m->npages, AGES_LEAF));
	memset(m->block_bucket, 0, 4ull * m->block_buckets);
	memset(m->cache_bucket, 0xff, 4ull * m->cache_buckets);
	memset(m->ghost, 0, 8ull * m->ghosts);
	m->blockmap_count = 0;
	memset(m->swap.live, 0, m->swap.bits / 8);
	m->swap.areas = m->swap.bits_used = 0;
	m->soft_head = m->soft_tail = FRAME_NONE;
	for (u32 i = 0; i < CACHE_LISTS; i++)
		m->cache[i] = (struct cache_list){ FRAME_NONE, FRAME_NONE, 0 };
	m->soft_count = m->cache_count = 0;
	m->clock = m->reclaim_hand = m->choice_left = m->choice_epoch = 0;
	m->pins_in_flight = 0;
	m->starving = m->parked = false;
	m->stuck_since_ns = 0;
	m->idle.passes = m->idle.pages = 0;
	m->ahead = (struct ahead){ 0 };
	zstore_init(&m->zip);
	m->zplan.budget = 0;
	m->zip_watch.turned_away = 0;
	ages_reset(&m->ages);
}

int vmmem_init(struct vm_mem *m, struct vm *vm, u8 id, u32 ram_pages, const struct slat_format *format)
{
	int err;

	BUG_ON(id >= FRAME_MAX_VMS || vmmem_all[id]);
	if (!ram_pages || ram_pages > 3 * GIB / PAGE_SIZE)
		return E_RANGE;
	m->vm = vm;
	m->id = id;
	m->npages = ram_pages;
	list_init(&m->io_active);
	list_init(&m->io_waiting);
	list_init(&m->io_refused);
	number_blocks(m);
	err = take_arrays(m, ram_pages);
	if (err) {
		if (m->arrays)
			frame_put_run(ptr_pfn(m->arrays), m->arrays_frames);
		m->arrays = NULL;
		return err;
	}
	empty_maps(m);
	err = slat_init(&m->slat, format, id);
	for (u32 g = 0; !err && g < ram_pages; g += AGES_LEAF)
		err = slat_prepare(&m->slat, (gpfn_t){ g });
	if (err) {
		slat_destroy(&m->slat);
		frame_put_run(ptr_pfn(m->arrays), m->arrays_frames);
		m->arrays = NULL;
		return err;
	}
	vmmem_all[id] = m;
	vmmem_end = MAX(vmmem_end, id + 1u);
	return E_OK;
}

void vmmem_clear(struct vm_mem *m)
{
	BUG_ON(m->io_in_flight);
	zstore_clear(m);
	for (u32 g = 0; g < m->npages; g++) {
		struct gpage *p = &m->page[g];

		if (p->state == GPAGE_HOT)
			gpage_unmap(m, g);
		if (gpage_resident(p))
			gpage_forget_slot(m, g);
		if (gpage_resident(p) || p->state == GPAGE_FILLING)
			frame_put((pfn_t){ p->loc });
		else if (p->state == GPAGE_SWAP)
			swap_free(p->loc);
	}
	for (u32 i = 0; i < CACHE_LISTS; i++)
		for (u32 n = m->cache[i].head, next; n != FRAME_NONE; n = next) {
			next = frame_of((pfn_t){ n })->next;
			frame_put((pfn_t){ n });
		}
	empty_maps(m);
	curve_reset(&m->curve, arch_ns());
}

void vmmem_destroy(struct vm_mem *m)
{
	if (!m->arrays)
		return;
	vmmem_clear(m);
	slat_destroy(&m->slat);
	frame_put_run(ptr_pfn(m->arrays), m->arrays_frames);
	m->arrays = NULL;
	if (vmmem_all[m->id] == m)
		vmmem_all[m->id] = NULL;
}
