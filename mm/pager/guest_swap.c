/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_swap.c - the guest's own swap areas. Contract: guest_swap.h.
 */
#include "mm/pager/guest_swap.h"
#include "kernel/lib/lib.h"

#define SIGNATURE "SWAPSPACE2"
#define SIGNATURE_LEN 10u
#define INFO_AT 1024u /* behind the room for a boot loader: version, last_page, nr_badpages */

static const struct guest_disk *disk_of(const struct vm_mem *m, u32 block)
{
	for (u32 i = 0; i < VMMEM_MAX_DISKS; i++) {
		const struct guest_disk *d = &m->disk[i];

		if (d->used && block >= d->base && block - d->base < d->nblocks)
			return d;
	}
	return NULL;
}

/* Slots behind the header, 0: it is none. */
static u32 slots_said(const struct vm_mem *m, u32 block, const u8 *page)
{
	const struct guest_disk *d;
	u32 info[2];

	if (memcmp(page + PAGE_SIZE - SIGNATURE_LEN, SIGNATURE, SIGNATURE_LEN))
		return 0;
	memcpy(info, page + INFO_AT, sizeof(info));
	d = disk_of(m, block);
	if (info[0] != 1 || !d)
		return 0;
	return MIN(info[1], d->base + d->nblocks - 1 - block);
}

static const struct guest_swap_area *area_of(const struct vm_mem *m, u32 block)
{
	const struct guest_swap *s = &m->swap;

	for (u32 i = 0; i < s->areas; i++)
		if (block - s->area[i].first < s->area[i].slots)
			return &s->area[i];
	return NULL;
}

static void clear(struct guest_swap *s, const struct guest_swap_area *a)
{
	for (u32 i = a->bit; i < a->bit + a->bits; i++)
		s->live[i / 64] &= ~BIT64(i % 64);
}

bool guest_swap_look(struct vm_mem *m, u32 block, const void *page, bool written)
{
	struct guest_swap *s = &m->swap;
	u32 slots = slots_said(m, block, page);
	struct guest_swap_area *a;

	if (!slots)
		return false;
	for (u32 i = 0; i < s->areas; i++) {
		a = &s->area[i];
		if (a->first != block + 1 || a->slots != slots)
			continue;
		if (written)
			clear(s, a);
		return written;
	}
	if (s->areas == GUEST_SWAP_AREAS)
		return false;
	a = &s->area[s->areas++];
	/* Slots beyond the bits that are left have no liveness. */
	*a = (struct guest_swap_area){ .first = block + 1, .slots = slots, .bit = s->bits_used,
				       .bits = MIN(slots, s->bits - s->bits_used) };
	s->bits_used += a->bits;
	return true;
}

bool guest_swap_holds(const struct vm_mem *m, u32 block)
{
	return area_of(m, block) != NULL;
}

/* The slot's bit; NULL: none. */
static u64 *word_of(const struct vm_mem *m, u32 block, u64 *mask)
{
	const struct guest_swap_area *a = area_of(m, block);
	u32 bit;

	if (!a || block - a->first >= a->bits)
		return NULL;
	bit = a->bit + block - a->first;
	*mask = BIT64(bit % 64);
	return &m->swap.live[bit / 64];
}

void guest_swap_set(struct vm_mem *m, u32 block, bool live)
{
	u64 mask, *w = word_of(m, block, &mask);

	if (w)
		*w = live ? *w | mask : *w & ~mask;
}

bool guest_swap_live(const struct vm_mem *m, u32 block)
{
	u64 mask, *w = word_of(m, block, &mask);

	return w && *w & mask;
}

bool guest_swap_dead(const struct vm_mem *m, u32 block)
{
	u64 mask, *w = word_of(m, block, &mask);

	return w && !(*w & mask);
}

u32 guest_swap_slots(const struct vm_mem *m)
{
	u32 n = 0;

	for (u32 i = 0; i < m->swap.areas; i++)
		n += m->swap.area[i].slots;
	return n;
}

u32 guest_swap_live_slots(const struct vm_mem *m)
{
	u32 n = 0;

	for (u32 i = 0; i < (m->swap.bits_used + 63) / 64; i++)
		n += (u32)__builtin_popcountll(m->swap.live[i]);
	return n;
}
