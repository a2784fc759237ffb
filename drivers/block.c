/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * block.c - the face of all disks: checks, queues, completion. What goes to a device next: block_turn.c.
 * done() runs from interrupt windows or block_poll(), never inside block_submit().
 */
#include "drivers/block.h"
#include "arch/x86_64/arch.h"
#include "drivers/block_priv.h"
#include "kernel/lib/lib.h"

#define POLL_MAX 64 /* completions a block_poll(): a RAM disk in a loop does not starve the rest */

static struct list devices = { &devices, &devices };
static struct list deferred = { &deferred, &deferred }; /* finished, done() not yet called */
static u64 deferred_owners; /* whose requests there is something to complete or to start of */

/* ---- devices ---- */

/* Commands for as many as the driver takes; without frames for them, for one. */
static u32 take_commands(struct block_dev *d)
{
	pfn_t run =
		d->depth > 1 ?
			frame_get_run((u32)((d->depth * sizeof(struct block_cmd) + PAGE_MASK) / PAGE_SIZE)) :
			NO_PFN;
	struct block_cmd *c = pfn_none(run) ? &d->one : pfn_ptr(run);
	u32 n = pfn_none(run) ? 1 : d->depth;

	for (u32 i = 0; i < n; i++)
		list_push_back(&d->free, &c[i].link);
	return n;
}

void block_register(struct block_dev *d)
{
	list_init(&d->active);
	list_init(&d->free);
	for (u32 i = 0; i < FAIR_OWNERS; i++)
		for (u32 c = 0; c < BLOCK_CLASSES; c++)
			list_init(&d->queue[i].class[c]);
	d->in_flight = 0;
	d->depth = MAX(d->depth, 1u);
	fair_depth_init(&d->limit, take_commands(d));
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

void block_share(u32 owner, u32 weight, u32 iops, u64 bps)
{
	struct fair_share *s = &block_shares[owner];

	*s = (struct fair_share){ .weight = weight,
				  .iops = iops,
				  .bps = bps,
				  .ops_ns = s->ops_ns,
				  .bytes_ns = s->bytes_ns,
				  .free = s->free };
}

void block_free(u32 owner, bool on)
{
	struct fair_share *s = &block_shares[owner];

	s->free = on;
	if (!on) /* what its last life owes is over with it */
		s->ops_ns = s->bytes_ns = 0;
}

/* ---- submission ---- */

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

void block_submit(struct block_req *r)
{
	struct block_queue *q = block_queue_of(r);

	BUG_ON(r->owner >= FAIR_OWNERS || r->class >= BLOCK_CLASSES);
	r->number = r->dev->submitted++;
	r->dev->users |= BIT64(r->owner);
	r->next = NULL;
	r->at = (struct block_at){ 0, 0 };
	r->handed = r->ended = r->out = 0;
	r->alone = false;
	r->err = check(r);
	if (r->op == BLOCK_FLUSH)
		r->nsectors = 0;
	if (r->err) {
		list_push_back(&deferred, &r->link);
		deferred_owners |= BIT64(r->owner);
		return;
	}
	q->fresh |= !q->waiting && !q->active;
	r->since_ns = q->last_ns = MAX(arch_ns(), 1ull);
	block_enqueue(r, false);
	block_start(r->dev);
}

/* ---- completion ---- */

static void count(struct block_dev *d, const struct block_req *r)
{
	struct block_stats *s = &d->stats;
	struct block_queue *q = block_queue_of(r);

	if (r->err) {
		s->errors++;
		return;
	}
	if (r->class == BLOCK_DEMAND)
		q->demand_most_ns = MAX(q->demand_most_ns, arch_ns() - r->since_ns);
	q->requests++;
	q->sectors += r->nsectors;
	if (r->op == BLOCK_READ) {
		s->reads++;
		s->sectors_read += r->nsectors;
	} else if (r->op == BLOCK_WRITE) {
		s->writes++;
		s->sectors_written += r->nsectors;
	} else {
		s->flushes++;
	}
}

/* The device's time that the command had goes to its owner, and teaches what such commands take. */
static void charge(struct block_dev *d, struct block_cmd *c)
{
	struct block_queue *q = &d->queue[c->hw.owner];
	u64 took = block_took(d, c);

	q->used_ns += took;
	fair_depth_ended(&d->limit, block_writes(c->hw.op), c->hw.nsectors, took, d->in_flight);
	fair_ended(&d->fair, c->hw.owner, c->guess_ns, took, block_busy(d), d->users, block_shares);
	if (c->hw.op != BLOCK_FLUSH && !c->hw.err)
		fair_note(&d->times, block_writes(c->hw.op), c->hw.nsectors, took);
}

/*
 * Several requests shared a command that failed: each of them goes again alone, so that only the one
 * that can't be done fails.
 */
static void send_alone(struct block_req *first)
{
	struct list back;

	list_init(&back);
	for (struct block_req *r = first; r; r = r->next)
		list_push_front(&back, &r->link);
	for (struct list *n; (n = list_pop_front(&back));) {
		struct block_req *r = container_of(n, struct block_req, link);

		r->alone = true;
		r->out = r->handed = 0;
		block_enqueue(r, true);
	}
}

/* r's part of c is over. True: all of r is. */
static bool part_over(struct block_cmd *c, struct block_req *r)
{
	r->out--;
	r->ended += c->n > 1 ? r->nsectors : c->hw.nsectors;
	if (c->hw.err && !r->err) {
		r->err = c->hw.err;
		if (r->handed < r->nsectors) /* the rest of it is not tried */
			block_dequeue(r);
	}
	return r->err ? !r->out : r->ended == r->nsectors;
}

/* The device is free again. What is done with it goes to `over`; done() still has to be called. */
static void retire(struct block_cmd *c, int err, struct list *over)
{
	struct block_dev *d = c->hw.dev;
	struct block_queue *q = &d->queue[c->hw.owner];
	u64 now = arch_ns();

	BUG_ON(d->in_flight == 0);
	c->hw.err = err;
	block_account(d, now);
	charge(d, c);
	list_remove(&c->link);
	list_push_front(&d->free, &c->link);
	d->in_flight--;
	q->active--;
	q->active_writes -= block_writes(c->hw.op) && c->hw.class != BLOCK_BACK;
	q->flushing -= c->hw.op == BLOCK_FLUSH;
	if (err && c->n > 1) {
		send_alone(c->first);
		return;
	}
	for (struct block_req *r = c->first, *next; r; r = next) {
		next = r->next;
		if (!part_over(c, r))
			continue;
		count(d, r);
		list_push_back(over, &r->link);
	}
}

void block_complete(struct block_req *hw, int err)
{
	struct block_cmd *c = container_of(hw, struct block_cmd, hw);
	struct block_dev *d = hw->dev;
	u32 owner = hw->owner;
	struct list over, *n;
	bool early;

	list_init(&over);
	retire(c, err, &over);
	/*
	 * The disk works while done() does; but if its owner has nothing else waiting, what done()
	 * submits may be owed the turn.
	 */
	early = d->queue[owner].waiting;
	if (early)
		block_start(d);
	while ((n = list_pop_front(&over))) {
		struct block_req *r = container_of(n, struct block_req, link);

		r->done(r);
	}
	if (!early)
		block_start(d);
}

void block_complete_later(struct block_req *hw, int err)
{
	deferred_owners |= BIT64(hw->owner);
	retire(container_of(hw, struct block_cmd, hw), err, &deferred);
}

/* What waits is started from here too: a driver that finishes inside start() can't recurse. */
static void start_waiting(void)
{
	list_for_each(it, &devices)
		block_start(container_of(it, struct block_dev, link));
}

void block_poll(void)
{
	for (u32 i = 0; i < POLL_MAX; i++) {
		struct list *n;

		start_waiting();
		n = list_pop_front(&deferred);
		if (!n) {
			deferred_owners = 0;
			return;
		}
		struct block_req *r = container_of(n, struct block_req, link);

		r->done(r);
	}
}

u64 block_deferred(void)
{
	return deferred_owners;
}

bool block_idle(void)
{
	if (!list_empty(&deferred))
		return false;
	list_for_each(it, &devices)
		if (block_busy(container_of(it, struct block_dev, link)))
			return false;
	return true;
}

bool block_cancel(struct block_req *r)
{
	list_for_each(it, &block_queue_of(r)->class[r->class])
		if (it == &r->link && !r->handed) {
			block_dequeue(r);
			return true;
		}
	return false;
}

u64 block_due_ns(void)
{
	u64 due = 0;

	list_for_each(it, &devices) {
		const struct block_dev *d = container_of(it, struct block_dev, link);

		for (u64 users = d->waiting ? d->users : 0; users; users &= users - 1) {
			u32 i = (u32)__builtin_ctzll(users);
			u64 at = d->queue[i].waiting ? fair_allowed(&block_shares[i]) : 0;

			if (at && at > arch_ns() && (!due || at < due))
				due = at;
		}
	}
	return due;
}
