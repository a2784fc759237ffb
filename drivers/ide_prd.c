/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ide_prd.c - from a request's segments to a bus master's physical region descriptors.
 * Pure. Source: Intel, "Programming Interface for Bus Master IDE Controller",
 * "Physical Region Descriptor Table".
 */
#include "drivers/ide.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"

#define PRD_MAX 0x10000u
#define REACH 0x100000000ull

/* The contiguous piece at *c, 0 bytes at the end; segments that are used up are stepped over. */
static u64 piece(const struct block_seg *segs, u32 nsegs, struct ide_cursor *c, u32 *bytes)
{
	while (c->seg < nsegs && c->off == segs[c->seg].len) {
		c->seg++;
		c->off = 0;
	}
	*bytes = c->seg < nsegs ? segs[c->seg].len - c->off : 0;
	return c->seg < nsegs ? segs[c->seg].addr.a + c->off : 0;
}

/* Bytes from addr to the next 64 KiB boundary, as far as the controller can reach. */
static u32 to_boundary(u64 addr)
{
	return addr < REACH ? PRD_MAX - (u32)(addr & (PRD_MAX - 1)) : 0;
}

struct build { struct ide_prd *table; u32 max, n, total; u64 end; u32 room; };

/* Appends n bytes at addr to the last entry or as a new one; false if the table is full. */
static bool append(struct build *b, u64 addr, u32 n)
{
	if (b->n && addr == b->end && n <= b->room) {
		b->table[b->n - 1].bytes = (u16)(b->table[b->n - 1].bytes + n); /* 10000h is stored as 0 */
		b->room -= n;
	} else {
		if (b->n == b->max)
			return false;
		b->table[b->n++] = (struct ide_prd){ .addr = (u32)addr, .bytes = (u16)n };
		b->room = to_boundary(addr) - n;
	}
	b->end = addr + n;
	b->total += n;
	return true;
}

u32 ide_prd_build(const struct block_seg *segs, u32 nsegs, struct ide_cursor *c, u32 max_bytes,
		  struct ide_prd *table, u32 max, u32 *count)
{
	struct build b = { .table = table, .max = max };
	struct ide_cursor at = *c;
	u32 left, excess;

	while (b.total < max_bytes) {
		u64 addr = piece(segs, nsegs, &at, &left);
		u32 n = MIN(MIN(left, to_boundary(addr)), max_bytes - b.total);

		if (n == 0 || !append(&b, addr, n))
			break;
		at.off += n;
	}
	/* A segment may cross 64 KiB inside a sector: give back what is not a whole one. */
	excess = b.total % SECTOR_SIZE;
	b.total -= excess;
	while (excess) {
		struct ide_prd *last = &table[b.n - 1];
		u32 have = last->bytes ? last->bytes : PRD_MAX, cut = MIN(have, excess);

		last->bytes = (u16)(have - cut);
		excess -= cut;
		if (have == cut)
			b.n--;
	}
	if (b.n)
		table[b.n - 1].flags = IDE_PRD_END;
	*count = b.n;
	for (u32 n = b.total; n;) {
		u32 step;

		(void)piece(segs, nsegs, c, &left);
		step = MIN(left, n);
		c->off += step;
		n -= step;
	}
	return b.total;
}

void ide_prd_copy(const struct block_seg *segs, u32 nsegs, struct ide_cursor *c, u8 *buf, u32 n,
		  bool to_segs)
{
	while (n) {
		u32 left;
		u64 addr = piece(segs, nsegs, c, &left);
		u32 step = MIN(left, n);

		if (!step)
			return;
		if (to_segs)
			memcpy(hpa_ptr((hpa_t){ addr }), buf, step);
		else
			memcpy(buf, hpa_ptr((hpa_t){ addr }), step);
		c->off += step;
		buf += step;
		n -= step;
	}
}
