/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_io.h - a guest's disk transfer while it is under way. Private to guest_io.c, guest_plan.c,
 * guest_read.c, guest_write.c, guest_bounce.c and io_range.c.
 *
 * A request (struct guest_io) waits in m->io_waiting, in order; its turn comes when it overlaps nothing
 * active that writes (or, if it writes, nothing active). Then it has a struct gio, is in m->io_active, and
 * goes [io_range_clear, if it writes] -> { plan a chunk -> prepare its parts -> run host requests -> finish }
 * ... -> done(). Preparing may have to wait (frames, fills); only one request of a guest prepares at a time
 * (m->io_preparing), so that two half-prepared ones can't wait for each other's frames.
 */
#ifndef MM_GIO_GUEST_IO_H
#define MM_GIO_GUEST_IO_H

#include "mm/pager/pager.h"
#include "vdev/ports.h"

#define GIO_PARTS 136
/* that are prepared in one go, about 1,000 instructions each: other guests wait for that */
#define GIO_GO_PARTS 16u
#define GIO_BOUNCE_FRAMES 4

enum gio_phase { GIO_WANT, GIO_PREP, GIO_RUN };

enum gio_how {
	GIO_NEW,      /* not prepared */
	GIO_TAKEN,    /* read: target unmapped, waits for the flush; its frame is FILLING */
	GIO_FILL,     /* read: whole page, FILLING */
	GIO_HIT,      /* read: done without the disk */
	GIO_IN_PLACE, /* page resident and pinned */
	GIO_ZEROS,    /* write: from the zero frame */
	GIO_BOUNCED,  /* write: from a bounce frame */
};

enum gio_part_flags {
	PART_DIRTY = 1,  /* TAKEN: hardware's D was set */
	PART_STAMP = 2,  /* stamp is a distance of the block that is read */
	PART_ASSOC = 4,  /* write: the page may equal the block afterwards */
	PART_SOFTEN = 8, /* write done: the guest swapped it out, and it is unmapped; DIRTY as above */
	PART_WARM = 16,  /* TAKEN: it had been touched since the last pass */
};

struct gio_part {
	u32 gpfn, pfn;
	u32 block;      /* BLOCK_NONE: not a whole aligned block into or from a whole page */
	u32 stamp;
	u16 off, len;
	u8 how, flags;
};

struct gio {
	struct guest_io *io;
	struct vm_mem *m;
	u8 index, phase;
	bool bytewise;       /* segments are not of whole sectors: everything goes through bounce frames */
	bool writes, cleared;
	int err;
	u64 pos, chunk;      /* bytes done before this chunk; bytes of this chunk */
	u32 nparts, prepared, run, run_end; /* run: first part (bytewise: first byte) not transferred yet */
	u64 run_pos;         /* bytes of the chunk before part `run` */
	u32 pending;         /* bounce reads in flight */
	u64 cursor;          /* io_range_clear: how far it is */
	u32 bounce[GIO_BOUNCE_FRAMES], nbounce;
	struct block_req req;
	struct block_seg seg[GIO_PARTS];
	struct gio_part part[GIO_PARTS];
};

/* guest_plan.c: cuts the next bytes of the request into parts. */
void guest_plan(struct gio *x);
/* The first n parts only. */
void guest_plan_cut(struct gio *x, u32 n);

/* io_range.c: nothing lives in, is associated with or is cached of the blocks this request will overwrite. */
int io_range_clear(struct gio *x) MUST_CHECK;
/* A piece of a DISCARD: E_AGAIN: a turn was asked for. */
int io_range_forget(struct gio *x) MUST_CHECK;

/* Prepare: 0: ready to run; E_AGAIN: wait. Finish: after the runs (err 0) or when given up, prepared parts
 * only. */
int guest_read_prepare(struct gio *x) MUST_CHECK;
void guest_read_finish(struct gio *x, int err);
int guest_write_prepare(struct gio *x) MUST_CHECK;
void guest_write_finish(struct gio *x, int err);
/* The part's page is evicted: a frame with a copy of its content, read in the background (x->pending).
 * E_AGAIN: no frame or request now. */
int guest_write_evicted(struct gio *x, struct gio_part *part) MUST_CHECK;
int guest_bounce_prepare(struct gio *x) MUST_CHECK;
void guest_bounce_finish(struct gio *x, int err);

/*
 * The part at hand gets no frame: what is prepared goes without it, and the rest is a chunk of its own. To
 * hold frames while one waits for more could keep everybody waiting, and the reserve owes each guest only a
 * few.
 */
static inline bool gio_short(const struct gio *x) { return x->m->starving && x->prepared; }
/* Parts of the chunk are left to prepare: E_AGAIN, and the main loop comes back. */
static inline int gio_more(const struct gio *x)
{
	if (x->prepared == x->nparts)
		return E_OK;
	guest_io_ask(x->m);
	return E_AGAIN;
}
static inline bool gio_whole(const struct gio_part *p) { return p->len == PAGE_SIZE; }
static inline u64 gio_sector(const struct gio *x) { return x->io->sector + x->pos / SECTOR_SIZE; }

#endif
