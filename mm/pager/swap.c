/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * swap.c - the slot allocator of the swap area: a bitmap and a hand that moves on, so that one
 * eviction's slots follow the last one's. Contract: swap.h.
 */
#include "mm/pager/swap.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/frame.h"

#define PAGE_BITS 28

static struct {
	struct block_extent ext;
	u32 slots, used, copies, hand;
	u64 *map, *seen;
	u32 *page; /* by slot: guest << PAGE_BITS | page */
	u32 only[1 << (32 - PAGE_BITS)]; /* slots of each guest, less copies */
} swap;

_Static_assert(FRAME_MAX_VMS <= 1 << (32 - PAGE_BITS), "a guest's number beside a page's");

static bool test(const u64 *map, u32 i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void set(u64 *map, u32 i)
{
	map[i / 64] |= BIT64(i % 64);
}

int swap_init(const struct block_extent *ext)
{
	u64 slots, bytes;
	pfn_t run;

	memset(&swap, 0, sizeof(swap)); /* an earlier area went with its frame table */
	if (!ext || ext->sectors < SECTORS_PER_PAGE)
		return E_OK;
	slots = MIN(ext->sectors / SECTORS_PER_PAGE, FRAME_IN_SLOT - 16ull);
	bytes = (slots + 63) / 64 * 8;
	run = frame_get_run((u32)((2 * bytes + slots * sizeof(u32) + PAGE_SIZE - 1) / PAGE_SIZE));
	if (pfn_none(run))
		return E_NOMEM;
	swap.map = pfn_ptr(run);
	swap.seen = swap.map + bytes / 8;
	swap.page = (u32 *)(swap.seen + bytes / 8);
	swap.ext = *ext;
	swap.slots = (u32)slots;
	return E_OK;
}

static u8 owner(u32 slot)
{
	return (u8)(swap.page[slot] >> PAGE_BITS);
}

u32 swap_slots(void)
{
	return swap.slots;
}

u32 swap_used(void)
{
	return swap.used;
}

/* The first free slot at or after `from`, or swap.slots. Whole words at a time. */
static u32 next_free(u32 from)
{
	while (from < swap.slots) {
		u64 w = ~swap.map[from / 64] & (~0ull << (from % 64));

		if (w)
			return MIN(from / 64 * 64 + (u32)__builtin_ctzll(w), swap.slots);
		from = (from / 64 + 1) * 64;
	}
	return swap.slots;
}

static u32 run_at(u32 at, u32 want)
{
	u32 n = 0;

	while (n < want && at + n < swap.slots && !test(swap.map, at + n))
		n++;
	return n;
}

/* The first run long enough from the hand on; failing that within a bounded look, the longest seen. */
u32 swap_take(u32 want, u32 *first)
{
	u32 best = 0, at = swap.hand, looks = 0;

	if (swap.used == swap.slots || !want)
		return 0;
	for (u32 wrapped = 0; wrapped < 2 && best < want && looks < 64; looks++) {
		u32 s = next_free(at), n;

		if (s >= swap.slots) {
			at = 0;
			wrapped++;
			continue;
		}
		n = run_at(s, want);
		if (n > best) {
			best = n;
			*first = s;
		}
		at = s + n;
	}
	for (u32 i = 0; i < best; i++) {
		BUG_ON(test(swap.map, *first + i));
		set(swap.map, *first + i);
	}
	swap.used += best;
	if (best)
		swap.hand = *first + best;
	return best;
}

void swap_free(u32 slot)
{
	BUG_ON(slot >= swap.slots || !test(swap.map, slot));
	swap.map[slot / 64] &= ~BIT64(slot % 64);
	swap.used--;
	swap.only[owner(slot)]--;
}

void swap_copy_begin(u32 slot)
{
	BUG_ON(slot >= swap.slots || !test(swap.map, slot));
	swap.copies++;
	swap.only[owner(slot)]--;
}

void swap_copy_end(u32 slot)
{
	BUG_ON(slot >= swap.slots || !test(swap.map, slot) || !swap.copies);
	swap.copies--;
	swap.only[owner(slot)]++;
}

u32 swap_copies(void)
{
	return swap.copies;
}

u32 swap_only(u8 vm)
{
	return swap.only[vm];
}

bool swap_copies_welcome(void)
{
	return swap.used < swap.slots - swap.slots / 4;
}

u8 swap_owner_of(u32 slot)
{
	return slot < swap.slots && test(swap.map, slot) ? owner(slot) : FRAME_NO_VM;
}

void swap_note_page(u32 slot, u8 vm, u32 g)
{
	swap.page[slot] = (u32)vm << PAGE_BITS | g;
	swap.only[vm]++;
}

u32 swap_page_at(u32 slot, u8 vm)
{
	if (slot >= swap.slots || !test(swap.map, slot) || swap.page[slot] >> PAGE_BITS != vm)
		return NO_GPFN.n;
	return swap.page[slot] & (BIT(PAGE_BITS) - 1);
}

struct block_dev *swap_dev(void)
{
	return swap.ext.dev;
}

u64 swap_sector(u32 slot)
{
	return swap.ext.first + (u64)slot * SECTORS_PER_PAGE;
}

void swap_check_begin(void)
{
	if (swap.seen)
		memset(swap.seen, 0, ((u64)swap.slots + 63) / 64 * 8);
}

bool swap_check_owner(u32 slot)
{
	if (slot >= swap.slots || !test(swap.map, slot) || test(swap.seen, slot))
		return false;
	set(swap.seen, slot);
	return true;
}
