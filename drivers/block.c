/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * block.c - the queue in front of each disk: checks, order, completion. Requests of a device
 * start in the order of submission, and none while another that it overlaps is on the
 * hardware. done() runs from interrupt windows or block_poll(), never inside block_submit().
 */
#include "drivers/block.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"

#define POLL_MAX 64 /* completions a block_poll(): a RAM disk in a loop does not starve the rest */

static struct list devices = { &devices, &devices };
static struct list deferred = { &deferred, &deferred }; /* finished, done() not yet called */

void block_register(struct block_dev *d)
{
	list_init(&d->queue);
	list_init(&d->active);
	d->in_flight = 0;
	if (d->depth == 0)
		d->depth = 1;
	list_push_back(&devices, &d->link);
}

struct block_dev *block_find(const char *name)
{
	list_for_each(it, &devices) {
		struct block_dev *d = container_of(it, struct block_dev, link);

		if (!strcmp(d->name, name))
			return d;
	}
	return NULL;
}

struct list *block_devices(void)
{
	return &devices;
}

static int check(const struct block_req *r)
{
	const struct block_dev *d = r->dev;
	u64 bytes = 0;

	if (r->op == BLOCK_FLUSH)
		return 0;
	if (r->op != BLOCK_READ && r->op != BLOCK_WRITE)
		return E_INVAL;
	if (r->op == BLOCK_WRITE && d->read_only)
		return E_NOTSUP;
	if (r->nsectors == 0 || r->nsectors > d->max_sectors || r->sector >= d->sectors ||
	    r->nsectors > d->sectors - r->sector)
		return E_RANGE;
	for (u32 i = 0; i < r->nsegs; i++) {
		if (r->segs[i].len % SECTOR_SIZE || r->segs[i].addr.a & 1)
			return E_INVAL;
		bytes += r->segs[i].len;
	}
	return bytes == (u64)r->nsectors * SECTOR_SIZE ? 0 : E_INVAL;
}

static bool must_wait(const struct block_req *r, const struct block_req *active)
{
	if (r->op == BLOCK_FLUSH || active->op == BLOCK_FLUSH)
		return true;
	if (r->op == BLOCK_READ && active->op == BLOCK_READ)
		return false;
	return r->sector < active->sector + active->nsectors && active->sector < r->sector + r->nsectors;
}

static bool may_start(const struct block_dev *d, const struct block_req *r)
{
	if (d->in_flight >= d->depth)
		return false;
	list_for_each(it, &d->active)
		if (must_wait(r, container_of(it, struct block_req, link)))
			return false;
	return true;
}

static void start_next(struct block_dev *d)
{
	while (!list_empty(&d->queue)) {
		struct block_req *r = container_of(d->queue.next, struct block_req, link);

		if (!may_start(d, r))
			return;
		list_remove(&r->link);
		list_push_back(&d->active, &r->link);
		if (d->in_flight++ == 0)
			d->busy_since_ns = arch_ns();
		d->ops->start(d, r);
	}
}

void block_submit(struct block_req *r)
{
	r->err = check(r);
	if (r->err) {
		list_push_back(&deferred, &r->link);
		return;
	}
	list_push_back(&r->dev->queue, &r->link);
	start_next(r->dev);
}

static void count(struct block_dev *d, const struct block_req *r)
{
	struct block_stats *s = &d->stats;

	if (r->err) {
		s->errors++;
	} else if (r->op == BLOCK_READ) {
		s->reads++;
		s->sectors_read += r->nsectors;
	} else if (r->op == BLOCK_WRITE) {
		s->writes++;
		s->sectors_written += r->nsectors;
	} else {
		s->flushes++;
	}
}

/* The device is free again, but done() still has to be called. */
static void retire(struct block_req *r, int err)
{
	struct block_dev *d = r->dev;

	BUG_ON(d->in_flight == 0);
	list_remove(&r->link);
	r->err = err;
	count(d, r);
	if (--d->in_flight == 0)
		d->stats.busy_ns += arch_ns() - d->busy_since_ns;
}

void block_complete(struct block_req *r, int err)
{
	struct block_dev *d = r->dev;

	retire(r, err);
	start_next(d); /* the disk works while done() does */
	r->done(r);
}

void block_complete_later(struct block_req *r, int err)
{
	retire(r, err);
	list_push_back(&deferred, &r->link);
}

/* What waits is started from here too: a driver that finishes inside start() can't recurse. */
static void start_waiting(void)
{
	list_for_each(it, &devices)
		start_next(container_of(it, struct block_dev, link));
}

void block_poll(void)
{
	for (u32 i = 0; i < POLL_MAX; i++) {
		struct list *n;

		start_waiting();
		n = list_pop_front(&deferred);
		if (!n)
			return;
		struct block_req *r = container_of(n, struct block_req, link);

		r->done(r);
	}
}

bool block_idle(void)
{
	if (!list_empty(&deferred))
		return false;
	list_for_each(it, &devices) {
		const struct block_dev *d = container_of(it, struct block_dev, link);

		if (d->in_flight || !list_empty(&d->queue))
			return false;
	}
	return true;
}

bool block_cancel(struct block_req *r)
{
	list_for_each(it, &r->dev->queue)
		if (it == &r->link) {
			list_remove(it);
			return true;
		}
	return false;
}
