/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vblk_req.c - virtio block device: from a descriptor chain to a struct guest_io and back.
 * A try that meets a page that is not there leaves nothing behind and starts over in vblk_retry().
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vdev/board.h"
#include "vdev/vdma.h"

#define T_IN 0
#define T_OUT 1
#define T_FLUSH 4
#define T_GET_ID 8
#define T_DISCARD 11
#define T_WRITE_ZEROES 13

#define S_OK 0
#define S_IOERR 1
#define S_UNSUPP 2
#define S_NONE 0xff /* the request went to the disk: its status comes later */

#define WRITE_ZEROES_F_UNMAP 1u

struct blk_header { u32 type, reserved; u64 sector; };
struct blk_range { u64 sector; u32 num_sectors, flags; };
_Static_assert(sizeof(struct blk_header) == 16 && sizeof(struct blk_range) == 16, "virtio_blk_req");

/* Copies the first n bytes of the readable part. */
static int read_out(struct vm *vm, const struct guest_seg_io *seg, u32 nseg, void *to, u32 n)
{
	u8 *p = to;

	for (u32 i = 0; i < nseg && n; i++) {
		u32 part = MIN(n, seg[i].len);
		int err = vdma_read(vm, seg[i].gpa.a, p, part);

		if (err)
			return err;
		p += part;
		n -= part;
	}
	return n ? E_RANGE : 0;
}

/* Removes n bytes from the front of a list of segments; n is no more than they hold. */
static u16 strip_front(struct guest_seg_io *seg, u16 nseg, u32 n)
{
	u16 gone = 0;

	while (gone < nseg && n >= seg[gone].len)
		n -= seg[gone++].len;
	if (gone < nseg) {
		seg[gone].gpa.a += n;
		seg[gone].len -= n;
	}
	memmove(seg, seg + gone, (nseg - gone) * sizeof(*seg));
	return nseg - gone;
}

/* Writes the status, returns the chain, frees the slot. */
static void complete(struct vblk_req *r, u8 status)
{
	struct vblk *d = r->disk;

	*r->status = status;
	guest_unpin(d->board->config.vm, (gpa_t){ r->status_gpa });
	r->busy = false;
	/* The rings of a device that is being reset, or that broke, belong to the driver. */
	if (d->resetting || (d->status & VBLK_S_NEEDS_RESET))
		return;
	if (vqueue_push(&d->queue, r->head, r->in_len))
		vblk_interrupt(d, VBLK_ISR_QUEUE);
}

static void io_done(struct guest_io *io, int err)
{
	struct vblk_req *r = container_of(io, struct vblk_req, io);
	struct vblk *d = r->disk;

	BUG_ON(!r->busy || !d->inflight);
	vdev_worked(d->board->config.vm);
	d->inflight--;
	complete(r, err ? S_IOERR : S_OK);
	if (!d->inflight)
		vblk_drained(d);
	/* Its next request is its own affair, and waits for its turn; this may be in anybody's. */
	if (d->more && !d->processing) {
		d->waiting = true;
		vdev_again(d->board->config.vm);
	}
}

static u8 submit(struct vblk_req *r, u8 op, u64 sector, u32 nsectors)
{
	struct vblk *d = r->disk;
	struct guest_io *io = &r->io;

	io->vm = d->board->config.vm;
	io->disk = d->index;
	io->op = op;
	io->sector = sector;
	io->nsectors = nsectors;
	io->done = io_done;
	io->ctx = r;
	io->pager = NULL;
	list_init(&io->link);
	d->inflight++;
	guest_io_submit(io); /* may call io_done() at once */
	return S_NONE;
}

static bool in_range(const struct vblk *d, u64 sector, u64 n)
{
	return sector <= d->sectors && n <= d->sectors - sector;
}

static u8 transfer(struct vblk_req *r, u8 op, u64 sector, const struct guest_seg_io *seg, u32 nseg, u64 bytes)
{
	struct vblk *d = r->disk;

	if (bytes % SECTOR_SIZE || bytes / SECTOR_SIZE > GUEST_IO_MAX_SECTORS || nseg > GUEST_IO_MAX_SEGS)
		return S_IOERR;
	if (!in_range(d, sector, bytes / SECTOR_SIZE) || (op == GUEST_IO_WRITE && d->read_only))
		return S_IOERR;
	if (!bytes)
		return S_OK;
	memcpy(r->io.segs, seg, nseg * sizeof(*seg));
	r->io.nsegs = nseg;
	return submit(r, op, sector, (u32)(bytes / SECTOR_SIZE));
}

/* One range, as the configuration says. Its bytes were read when the chain was taken. */
static u8 erase(struct vblk_req *r, u32 type, const struct blk_range *range, u64 bytes)
{
	struct vblk *d = r->disk;

	if (d->read_only)
		return S_IOERR;
	if (bytes != sizeof(*range) ||
	    (range->flags & ~(type == T_WRITE_ZEROES ? WRITE_ZEROES_F_UNMAP : 0)))
		return S_UNSUPP;
	if (range->num_sectors > VBLK_MAX_DISCARD_SECTORS || !in_range(d, range->sector, range->num_sectors))
		return S_IOERR;
	if (!range->num_sectors)
		return S_OK;
	r->io.nsegs = 0;
	return submit(r, type == T_DISCARD ? GUEST_IO_DISCARD : GUEST_IO_WRITE_ZEROES, range->sector,
		      range->num_sectors);
}

static u8 flush(struct vblk_req *r)
{
	r->io.nsegs = 0;
	return submit(r, GUEST_IO_FLUSH, 0, 0);
}

static int write_id(struct vblk *d, const struct guest_seg_io *seg, u32 nseg)
{
	u32 done = 0;

	for (u32 i = 0; i < nseg && done < VBLK_ID_BYTES; i++) {
		u32 part = MIN(seg[i].len, VBLK_ID_BYTES - done);
		int err = vdma_write(d->board->config.vm, seg[i].gpa.a, d->serial + done, part);

		if (err)
			return err;
		done += part;
	}
	return 0;
}

/* The last writable byte is the status: pinned until the request is done. */
static int take_status(struct vblk_req *r, struct vqueue_chain *c)
{
	struct guest_seg_io *last = &c->seg[c->nout + c->nin - 1];
	void *p;
	int err;

	r->status_gpa = last->gpa.a + last->len - 1;
	err = guest_pin(r->disk->board->config.vm, (gpa_t){ r->status_gpa }, 1, true, &p);
	if (err)
		return err;
	r->status = p;
	c->in_len--;
	if (!--last->len)
		c->nin--;
	return 0;
}

/*
 * Everything that may have to wait for a page, before anything has an effect: the header,
 * the range of a DISCARD, the bytes of GET_ID, the status byte (last, since it stays pinned).
 */
static int prepare(struct vblk_req *r, struct vqueue_chain *c, struct blk_header *h, struct blk_range *range)
{
	struct vblk *d = r->disk;
	struct vm *vm = d->board->config.vm;
	int err = read_out(vm, c->seg, c->nout, h, sizeof(*h));
	u16 nout;

	if (err)
		return err;
	nout = strip_front(c->seg, c->nout, sizeof(*h));
	memmove(c->seg + nout, c->seg + c->nout, c->nin * sizeof(c->seg[0]));
	c->nout = nout;
	c->out_len -= sizeof(*h);
	if ((h->type == T_DISCARD || h->type == T_WRITE_ZEROES) && c->out_len == sizeof(*range))
		err = read_out(vm, c->seg, c->nout, range, sizeof(*range));
	if (err)
		return err;
	err = take_status(r, c);
	if (err || h->type != T_GET_ID)
		return err;
	err = write_id(d, c->seg + c->nout, c->nin);
	if (err)
		guest_unpin(vm, (gpa_t){ r->status_gpa });
	return err;
}

static void start(struct vblk_req *r, const struct vqueue_chain *c, const struct blk_header *h,
		  const struct blk_range *range)
{
	u8 status;

	switch (h->type) {
	case T_IN:
		status = transfer(r, GUEST_IO_READ, h->sector, c->seg + c->nout, c->nin, c->in_len);
		break;
	case T_OUT:
		status = transfer(r, GUEST_IO_WRITE, h->sector, c->seg, c->nout, c->out_len);
		break;
	case T_FLUSH:
		status = flush(r);
		break;
	case T_GET_ID:
		status = S_OK; /* written by prepare() */
		break;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		status = erase(r, h->type, range, c->out_len);
		break;
	default:
		status = S_UNSUPP;
		break;
	}
	if (status != S_NONE)
		complete(r, status);
}

/* Takes one chain off the queue. 0: go on. */
static int process_one(struct vblk *d, struct vblk_req *r)
{
	struct vqueue_chain *c = &d->chain;
	struct blk_header h;
	struct blk_range range = { 0 };
	int err = vqueue_pop(&d->queue, c);

	if (err)
		return err;
	if (c->out_len < sizeof(h) || !c->in_len) {
		d->queue.broken = "request without header or status";
		return E_INVAL;
	}
	*r = (struct vblk_req){ .disk = d, .busy = true, .head = c->head,
				.in_len = (u32)MIN(c->in_len, 0xffffffffull) };
	err = prepare(r, c, &h, &range);
	if (err) {
		r->busy = false;
		vqueue_unpop(&d->queue);
		if (err == E_AGAIN || err == E_NOMEM)
			return err;
		d->queue.broken = "header, status or data outside memory";
		return E_INVAL;
	}
	start(r, c, &h, &range);
	return 0;
}

static struct vblk_req *free_slot(struct vblk *d)
{
	for (u32 i = 0; i < VBLK_SLOTS; i++)
		if (!d->req[i].busy)
			return &d->req[i];
	return NULL;
}

static bool can_run(const struct vblk *d)
{
	return !d->resetting && (d->status & VBLK_S_DRIVER_OK) && (d->status & VBLK_S_FEATURES_OK) &&
	       !(d->status & VBLK_S_NEEDS_RESET) && d->queue.enabled;
}

void vblk_notified(struct vblk *d)
{
	d->batch = VBLK_BATCH;
	vblk_process(d);
}

void vblk_process(struct vblk *d)
{
	u64 start = d->board->go_since ? d->board->go_since : arch_tsc(), most = arch_ns_to_tsc(VBLK_GO_NS);
	bool again = false;
	struct vblk_req *r;
	int err = 0;

	if (d->processing)
		return; /* a completion from inside guest_io_submit(): the loop below goes on */
	d->processing = true;
	while (!err && can_run(d)) {
		r = free_slot(d);
		if (!r) {
			err = E_BUSY; /* a completion makes room */
			break;
		}
		again = !d->batch || arch_tsc() - start > most;
		if (again) {
			vdev_again(d->board->config.vm);
			break;
		}
		d->batch--;
		err = process_one(d, r);
	}
	d->processing = false;
	d->more = err != E_NOENT;
	d->waiting = err == E_AGAIN || err == E_NOMEM || again || !d->batch;
	if (err == E_INVAL)
		vblk_needs_reset(d, d->queue.broken);
}
