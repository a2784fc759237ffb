/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_io.c - a guest's disk requests: their order, their host requests, their end. Contract:
 * vdev/ports.h, and guest_io.h for the life of one.
 *
 * guest_io_drive() does what can be done now, bounded; it is called when a request arrives, and from the main
 * loop, in its guest's turn, once anything of the guest got on (guest_io_ask). It never recurses: done() may
 * submit again, which only queues.
 */
#include "mm/gio/guest_io.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager_priv.h"
#include "mm/pager/pool.h"
#include "mm/pager/blockmap.h"
#include "mm/pager/gpage.h"

/* Parts after which a go ends: a neighbour waits for so many, and GIO_GO_PARTS more. */
#define DRIVE_PARTS 16u

/* Of its own: what keeps a disk of eight commands at once busy; the more that its deep queues can have is
 * lent. */
const struct pool_kind pool_requests = {
	.bytes = sizeof(struct gio), .zeroed = offsetof(struct gio, req), .own = 8, .lent = 8
};

/* A DISCARD does not: the host disk keeps what it has. */
static bool io_writes(u8 op)
{
	return op == GUEST_IO_WRITE || op == GUEST_IO_WRITE_ZEROES;
}

static bool io_has_data(u8 op)
{
	return op == GUEST_IO_READ || op == GUEST_IO_WRITE;
}

/* ---- what a guest may ask for ---- */

static int check_segs(const struct vm_mem *m, const struct guest_io *io)
{
	u64 sum = 0, ram = (u64)m->npages << PAGE_SHIFT;

	if (!io->nsegs || io->nsegs > GUEST_IO_MAX_SEGS || io->nsectors > GUEST_IO_MAX_SECTORS)
		return E_INVAL;
	for (u32 i = 0; i < io->nsegs; i++) {
		const struct guest_seg_io *s = &io->segs[i];

		if (!s->len)
			return E_INVAL;
		if (s->gpa.a >= ram || s->len > ram - s->gpa.a)
			return E_RANGE;
		sum += s->len;
	}
	return sum == (u64)io->nsectors * SECTOR_SIZE ? E_OK : E_INVAL;
}

static int check(const struct vm_mem *m, const struct guest_io *io)
{
	const struct guest_disk *d;

	if (io->op > GUEST_IO_WRITE_ZEROES || io->disk >= VMMEM_MAX_DISKS || !m->disk[io->disk].used)
		return E_INVAL;
	d = &m->disk[io->disk];
	if (io->op == GUEST_IO_FLUSH)
		return E_OK;
	if (io->sector >= d->ext.sectors || io->nsectors > d->ext.sectors - io->sector)
		return E_RANGE;
	if ((io_writes(io->op) || io->op == GUEST_IO_DISCARD) && d->read_only)
		return E_NOTSUP;
	if (!io->nsectors)
		return E_INVAL;
	return io_has_data(io->op) ? check_segs(m, io) : E_OK;
}

/* ---- order ---- */

/* Whole blocks: what is partly overwritten is associated with nothing. */
static bool overlap(const struct guest_io *a, const struct guest_io *b)
{
	u64 as = ALIGN_DOWN(a->sector, 8ull), ae = ALIGN_UP(a->sector + a->nsectors, 8ull);
	u64 bs = ALIGN_DOWN(b->sector, 8ull), be = ALIGN_UP(b->sector + b->nsectors, 8ull);

	if (a->disk != b->disk || a->op == GUEST_IO_FLUSH || b->op == GUEST_IO_FLUSH)
		return false;
	return (io_writes(a->op) || io_writes(b->op)) && as < be && bs < ae;
}

static bool must_wait(struct vm_mem *m, const struct guest_io *io)
{
	list_for_each(it, &m->io_active)
		if (overlap(container_of(it, struct guest_io, link), io))
			return true;
	return false;
}

static bool bytewise(const struct guest_io *io)
{
	for (u32 i = 0; i < io->nsegs; i++)
		if ((io->segs[i].gpa.a | io->segs[i].len) % SECTOR_SIZE)
			return true;
	return false;
}

/* The oldest that waits, if its turn has come. */
static struct gio *start_next(struct vm_mem *m)
{
	struct guest_io *io;
	struct gio *x;

	if (list_empty(&m->io_waiting))
		return NULL;
	io = container_of(m->io_waiting.next, struct guest_io, link);
	if (must_wait(m, io))
		return NULL;
	x = pool_get(m, POOL_REQUESTS);
	if (!x)
		return NULL;
	x->io = io;
	x->m = m;
	x->index = (u8)pool_index(m, POOL_REQUESTS, x);
	x->phase = GIO_WANT;
	x->writes = io_writes(io->op);
	x->bytewise = io_has_data(io->op) && bytewise(io);
	io->pager = x;
	list_remove(&io->link);
	list_push_back(&m->io_active, &io->link);
	return x;
}

/* ---- host requests ---- */

static void run_done(struct block_req *r);

static void submit(struct gio *x, u8 op, u64 sector, u32 nsegs, u32 nsectors)
{
	const struct guest_disk *d = &x->m->disk[x->io->disk];

	x->req = (struct block_req){ .dev = d->ext.dev,
				     .op = op,
				     .class = BLOCK_GUEST,
				     .owner = x->m->id,
				     .sector = d->ext.first + sector,
				     .nsectors = nsectors,
				     .segs = x->seg,
				     .nsegs = nsegs,
				     .done = run_done,
				     .ctx = x };
	x->phase = GIO_RUN;
	x->m->io_in_flight++;
	block_submit(&x->req);
}

/* One more piece of host memory; pieces that follow each other are one segment. */
static u32 add_seg(struct gio *x, u32 n, u64 hpa, u32 len)
{
	if (n && x->seg[n - 1].addr.a + x->seg[n - 1].len == hpa) {
		x->seg[n - 1].len += len;
		return n;
	}
	x->seg[n] = (struct block_seg){ { hpa }, len };
	return n + 1;
}

static u32 max_bytes(const struct gio *x)
{
	u32 most = x->m->disk[x->io->disk].ext.dev->max_sectors;

	return MIN(most, 1u << 20) * SECTOR_SIZE;
}

/* The next parts that need the disk. False: none is left. */
static bool run_parts(struct gio *x)
{
	u32 n = 0, bytes = 0, most = max_bytes(x);
	u64 at;

	while (x->run < x->nparts && x->part[x->run].how == GIO_HIT)
		x->run_pos += x->part[x->run++].len;
	if (x->run >= x->nparts)
		return false;
	at = x->run_pos;
	for (; x->run < x->nparts; x->run++) {
		const struct gio_part *p = &x->part[x->run];

		if (p->how == GIO_HIT || bytes + p->len > most)
			break;
		n = add_seg(x, n, pfn_hpa((pfn_t){ p->pfn }).a + p->off, p->len);
		bytes += p->len;
	}
	x->run_pos += bytes;
	submit(x, x->writes ? BLOCK_WRITE : BLOCK_READ, gio_sector(x) + at / SECTOR_SIZE, n,
	       bytes / SECTOR_SIZE);
	return true;
}

static bool run_bytewise(struct gio *x)
{
	u32 n = 0, bytes = 0, most = max_bytes(x);
	u64 at = x->run_pos;

	if (at >= x->chunk)
		return false;
	while (x->run_pos < x->chunk && bytes < most) {
		u32 i = (u32)(x->run_pos / PAGE_SIZE), off = (u32)(x->run_pos % PAGE_SIZE);
		u32 len = (u32)MIN(MIN((u64)PAGE_SIZE - off, x->chunk - x->run_pos), (u64)most - bytes);

		n = add_seg(x, n, pfn_hpa((pfn_t){ x->bounce[i] }).a + off, len);
		bytes += len;
		x->run_pos += len;
	}
	submit(x, x->writes ? BLOCK_WRITE : BLOCK_READ, gio_sector(x) + at / SECTOR_SIZE, n,
	       bytes / SECTOR_SIZE);
	return true;
}

/* WRITE ZEROES: the zero frame again and again. */
static bool run_zeroes(struct gio *x)
{
	u64 left = (u64)x->io->nsectors * SECTOR_SIZE - x->pos;
	u32 bytes = (u32)MIN(MIN(left, (u64)GIO_PARTS * PAGE_SIZE), (u64)max_bytes(x)), n = 0;

	if (x->chunk)
		return false;
	x->chunk = bytes;
	for (u32 at = 0; at < bytes; at += PAGE_SIZE)
		x->seg[n++] = (struct block_seg){ pfn_hpa(pager_zero_frame()), MIN(bytes - at, PAGE_SIZE) };
	submit(x, BLOCK_WRITE, gio_sector(x), n, bytes / SECTOR_SIZE);
	return true;
}

static bool run_next(struct gio *x)
{
	switch (x->io->op) {
	case GUEST_IO_WRITE_ZEROES:
		return run_zeroes(x);
	case GUEST_IO_FLUSH:
		if (x->run++)
			return false;
		submit(x, BLOCK_FLUSH, 0, 0, 0);
		return true;
	case GUEST_IO_DISCARD:
		return false; /* a hint; what was on the disk may stay there */
	default:
		return x->bytewise ? run_bytewise(x) : run_parts(x);
	}
}

/* ---- phases ---- */

static int prepare(struct gio *x)
{
	int r = 0;

	if (x->writes && !x->cleared) {
		r = io_range_clear(x);
		if (r)
			return r;
		x->cleared = true;
	}
	if (x->io->op == GUEST_IO_DISCARD)
		return io_range_forget(x);
	if (!io_has_data(x->io->op)) {
		x->chunk = 0;
		return 0;
	}
	if (!x->nparts)
		guest_plan(x);
	if (x->bytewise)
		return guest_bounce_prepare(x);
	return x->writes ? guest_write_prepare(x) : guest_read_prepare(x);
}

static void finish_chunk(struct gio *x, int err)
{
	if (io_has_data(x->io->op) && x->nparts) {
		if (x->bytewise)
			guest_bounce_finish(x, err);
		else if (x->writes)
			guest_write_finish(x, err);
		else
			guest_read_finish(x, err);
	}
	x->pos += x->chunk;
	x->chunk = x->run_pos = 0;
	x->nparts = x->prepared = 0;
	if (x->io->op != GUEST_IO_FLUSH)
		x->run = 0;
}

static void finish(struct gio *x, int err)
{
	struct guest_io *io = x->io;
	struct vm_mem *m = x->m;

	list_remove(&io->link);
	if (m->io_preparing == x)
		m->io_preparing = NULL;
	pool_put(m, POOL_REQUESTS, x);
	io->pager = NULL;
	io->done(io, err);
}

static bool all_done(const struct gio *x)
{
	return x->io->op == GUEST_IO_FLUSH || x->io->op == GUEST_IO_DISCARD ||
	       x->pos >= (u64)x->io->nsectors * SECTOR_SIZE;
}

/* A chunk was transferred (or not: err): on to the next, or the end. */
static void chunk_done(struct gio *x)
{
	finish_chunk(x, x->err);
	if (x->err || all_done(x))
		finish(x, x->err);
	else
		x->phase = GIO_WANT;
}

static void run_done(struct block_req *r)
{
	struct gio *x = r->ctx;
	struct vm_mem *m = x->m;

	m->io_in_flight--;
	pager_worked(m);
	if (r->err) {
		x->err = r->err;
		pager_io_failed(m, "guest disk", r);
	}
	if (x->err || !run_next(x))
		chunk_done(x);
	pager_progress(m);
	pager_frames_freed();
}

static void refuse_waiting(struct vm_mem *m)
{
	while (!list_empty(&m->io_waiting)) {
		struct guest_io *io = container_of(list_pop_front(&m->io_waiting), struct guest_io, link);

		io->done(io, E_IO);
	}
}

/* Requests that are not being transferred now are given up. */
static void abort_active(struct vm_mem *m)
{
	list_for_each_safe(it, next, &m->io_active) {
		struct gio *x = container_of(it, struct guest_io, link)->pager;

		if (x->phase == GIO_RUN || x->pending)
			continue;
		finish_chunk(x, E_IO);
		finish(x, E_IO);
	}
}

/* The next that has a chunk to prepare. */
static struct gio *next_wanting(const struct vm_mem *m)
{
	list_for_each(it, &m->io_active) {
		struct gio *x = container_of(it, struct guest_io, link)->pager;

		if (x->phase == GIO_WANT)
			return x;
	}
	return NULL;
}

/* The one that prepares, or the next in line. How much work it was, in parts (guest_io.h); 0: nothing can be
 * done. */
static u32 drive_one(struct vm_mem *m)
{
	struct gio *x = m->io_preparing;
	u32 parts;
	bool wait;

	if (!x)
		x = next_wanting(m);
	if (!x)
		x = start_next(m);
	if (!x)
		return 0;
	m->io_preparing = x;
	x->phase = GIO_PREP;
	m->io_sourcing = x->writes;
	wait = prepare(x) == E_AGAIN;
	m->io_sourcing = false;
	if (wait)
		return 0;
	m->io_preparing = NULL;
	parts = 1 + x->nparts;
	if (x->err || !run_next(x))
		chunk_done(x);
	return parts;
}

static void answer_refused(struct vm_mem *m)
{
	while (!list_empty(&m->io_refused)) {
		struct guest_io *io = container_of(list_pop_front(&m->io_refused), struct guest_io, link);
		int err = (int)(intptr_t)io->pager;

		io->pager = NULL;
		io->done(io, err);
	}
}

/*
 * As many as DRIVE_PARTS at once, and what one chunk is beyond that. The rest waits for the main loop,
 * as a long range does.
 */
static void drive_some(struct vm_mem *m, u32 *done)
{
	while (!m->dead && !m->draining && *done < DRIVE_PARTS) {
		u32 parts = drive_one(m);

		if (!parts)
			return;
		*done += parts;
	}
	if (*done >= DRIVE_PARTS)
		guest_io_ask(m);
}

bool guest_io_wants(const struct vm_mem *m)
{
	return m->io_preparing || !list_empty(&m->io_waiting) || !list_empty(&m->io_refused) ||
	       next_wanting(m);
}

void guest_io_ask(struct vm_mem *m)
{
	m->io_asked = true;
	pager_again(m);
}

void guest_io_drive(struct vm_mem *m)
{
	u32 done = 0;

	if (m->io_driving) {
		m->io_again = true;
		return;
	}
	m->io_driving = true;
	m->io_asked = false;
	do {
		m->io_again = false;
		answer_refused(m);
		if (m->dead || m->draining) {
			refuse_waiting(m);
			abort_active(m);
		} else {
			drive_some(m, &done);
		}
	} while (m->io_again);
	m->io_driving = false;
	pool_serve();
}

void gio_submit(struct vm_mem *m, struct guest_io *io)
{
	int err = m->dead || m->draining ? E_IO : check(m, io);

	io->pager = (void *)(intptr_t)err;
	list_push_back(err ? &m->io_refused : &m->io_waiting, &io->link);
	guest_io_drive(m);
}

bool guest_io_drain(struct vm_mem *m)
{
	guest_io_drive(m);
	return list_empty(&m->io_active) && list_empty(&m->io_waiting);
}

struct bounce_count { const struct vm_mem *m; u32 n; };

static void count_bounce(void *ctx, void *entry)
{
	const struct gio *x = entry;
	struct bounce_count *c = ctx;

	if (x->m != c->m)
		return;
	c->n += x->nbounce;
	for (u32 k = 0; k < x->nparts; k++)
		c->n += x->part[k].how == GIO_BOUNCED;
}

u32 guest_io_bounce_frames(const struct vm_mem *m)
{
	struct bounce_count c = { .m = m };

	pool_each(POOL_REQUESTS, count_bounce, &c);
	return c.n;
}
