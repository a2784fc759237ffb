/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_plan.c - cuts a guest's transfer into parts, each within one guest page. Contract: guest_io.h.
 *
 * Segments that follow each other in guest memory are one run, so that a page filled by eight segments of a
 * sector is still a whole page.
 */
#include "mm/gio/guest_io.h"
#include "kernel/lib/lib.h"
#include "mm/pager/blockmap.h"

/*
 * Of a chunk while others use the disk too: 128 KiB on any address. They wait for its preparing, about
 * 1,000 instructions a part: with chunks of GIO_PARTS a reader of 4 KiB beside one of 1 MiB had 0.35 of
 * its share (hostile.share.disk.read-1m), with these 0.93.
 */
#define SHARED_PARTS 34u
#define BYTEWISE_CHUNK (GIO_BOUNCE_FRAMES * PAGE_SIZE)

struct cursor {
	const struct guest_io *io;
	u32 seg;
	u32 off; /* in that segment */
};

static struct cursor seek(const struct guest_io *io, u64 pos)
{
	struct cursor c = { .io = io };

	while (c.seg < io->nsegs && pos >= io->segs[c.seg].len)
		pos -= io->segs[c.seg++].len;
	c.off = (u32)pos;
	return c;
}

static u64 cursor_gpa(const struct cursor *c)
{
	return c->io->segs[c->seg].gpa.a + c->off;
}

static bool cursor_end(const struct cursor *c)
{
	return c->seg >= c->io->nsegs;
}

/* Up to most bytes that are contiguous in guest memory; moves on. */
static u32 cursor_take(struct cursor *c, u32 most)
{
	u64 gpa = cursor_gpa(c);
	u32 n = 0;

	while (!cursor_end(c) && n < most && cursor_gpa(c) == gpa + n) {
		u32 k = MIN(most - n, c->io->segs[c->seg].len - c->off);

		n += k;
		c->off += k;
		if (c->off == c->io->segs[c->seg].len) {
			c->seg++;
			c->off = 0;
		}
	}
	return n;
}

void guest_plan(struct gio *x)
{
	const struct guest_io *io = x->io;
	struct cursor c = seek(io, x->pos);
	u32 most = block_contended(x->m->disk[io->disk].ext.dev, x->m->id) ? SHARED_PARTS : GIO_PARTS;
	u64 budget = x->bytewise ? BYTEWISE_CHUNK : ~0ull;

	x->nparts = x->prepared = x->run = 0;
	x->chunk = x->run_pos = 0;
	while (!cursor_end(&c) && x->nparts < most && x->chunk < budget) {
		struct gio_part *p = &x->part[x->nparts++];
		u64 gpa = cursor_gpa(&c), at = x->pos + x->chunk;
		u32 off = (u32)(gpa & PAGE_MASK), room = PAGE_SIZE - off;

		*p = (struct gio_part){ .gpfn = (u32)(gpa >> PAGE_SHIFT),
					.pfn = FRAME_NONE,
					.block = BLOCK_NONE };
		p->off = (u16)off;
		p->len = (u16)cursor_take(&c, (u32)MIN(room, budget - x->chunk));
		if (gio_whole(p) && !x->bytewise)
			p->block = blockmap_block_at(x->m, io->disk, io->sector + at / SECTOR_SIZE);
		x->chunk += p->len;
	}
}

void guest_plan_cut(struct gio *x, u32 n)
{
	x->nparts = n;
	x->chunk = 0;
	for (u32 i = 0; i < n; i++)
		x->chunk += x->part[i].len;
}
