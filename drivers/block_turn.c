/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * block_turn.c - which request a device gets next, and in what command. Contract: block.h, "Whose turn"
 * and "Order".
 *
 * block_start() goes round: of each owner the request that may go, of those the one whose turn it is
 * (fair.h), as a command. All loops are over the owners, one owner's queue or the device's commands,
 * which pools above and depths bound.
 */
#include "arch/x86_64/arch.h"
#include "drivers/block_priv.h"
#include "kernel/lib/lib.h"

struct fair_share block_shares[FAIR_OWNERS];
static bool hurry;
static u64 away_since_ns; /* 0: the host looks all the time */

void block_hurry(bool on)
{
	hurry = on;
}

u64 block_busy(const struct block_dev *d)
{
	u64 set = 0;

	for (u64 users = d->users; users; users &= users - 1) {
		u32 i = (u32)__builtin_ctzll(users);

		if (d->queue[i].waiting || d->queue[i].active)
			set |= BIT64(i);
	}
	return set;
}

void block_account(struct block_dev *d, u64 now_ns)
{
	if (away_since_ns && d->away_ns != away_since_ns) {
		d->away_ns = away_since_ns;
		d->away_work_ns = d->work_ns;
		if (d->in_flight && away_since_ns > d->moved_ns)
			d->away_work_ns += (away_since_ns - d->moved_ns) / d->in_flight;
	}
	/* a command that was refused inside start() ended after its caller took the time */
	now_ns = MAX(now_ns, d->moved_ns);
	if (d->in_flight) {
		d->work_ns += (now_ns - d->moved_ns) / d->in_flight;
		d->stats.busy_ns += now_ns - d->moved_ns;
	}
	d->moved_ns = now_ns;
}

void block_away(bool on)
{
	away_since_ns = on ? MAX(arch_ns(), 1ull) : 0;
}

u64 block_took(const struct block_dev *d, const struct block_cmd *c)
{
	u64 took = d->work_ns - c->work_ns, seen = d->away_work_ns - MIN(d->away_work_ns, c->work_ns);

	return away_since_ns ? MAX(MIN(took, c->guess_ns), seen) : took;
}

/* ---- queues ---- */

void block_enqueue(struct block_req *r, bool front)
{
	struct block_queue *q = block_queue_of(r);

	if (front)
		list_push_front(&q->class[r->class], &r->link);
	else
		list_push_back(&q->class[r->class], &r->link);
	q->waiting++;
	r->dev->waiting++;
	q->writes += block_writes(r->op);
}

void block_dequeue(struct block_req *r)
{
	struct block_queue *q = block_queue_of(r);

	list_remove(&r->link);
	q->waiting--;
	r->dev->waiting--;
	q->writes -= block_writes(r->op);
}

/* ---- order ---- */

static bool overlap(const struct block_req *a, const struct block_req *b)
{
	if (a->op == BLOCK_FLUSH || b->op == BLOCK_FLUSH || (!block_writes(a->op) && !block_writes(b->op)))
		return false;
	return a->sector < b->sector + b->nsectors && b->sector < a->sector + a->nsectors;
}

static bool overlaps_active(const struct block_dev *d, const struct block_req *r)
{
	list_for_each(it, &d->active)
		if (overlap(r, &container_of(it, struct block_cmd, link)->hw))
			return true;
	return false;
}

/* r was submitted after o, of class c, which waits: does it have to wait for it? */
static bool must_follow(const struct block_req *o, u32 c, const struct block_req *r)
{
	if (r->op == BLOCK_FLUSH)
		return block_writes(o->op) && c <= r->class;
	if (o->op == BLOCK_FLUSH)
		return block_writes(r->op) && r->class != BLOCK_BACK;
	return overlap(o, r);
}

/* Another of its owner that was submitted before it waits, and must go first. */
static bool passes(const struct block_queue *q, const struct block_req *r)
{
	if (r->op == BLOCK_READ && !q->writes)
		return false;
	for (u32 c = 0; c < BLOCK_CLASSES; c++)
		list_for_each(it, &q->class[c]) {
			const struct block_req *o = container_of(it, struct block_req, link);

			if (o->number < r->number && must_follow(o, c, r))
				return true;
		}
	return false;
}

/* FLUSH and its owner's writes, but for swap writes, keep apart. */
static bool fenced(const struct block_queue *q, const struct block_req *r)
{
	if (r->op == BLOCK_FLUSH)
		return q->active_writes || q->flushing;
	return block_writes(r->op) && r->class != BLOCK_BACK && q->flushing;
}

static bool may_go(const struct block_dev *d, const struct block_queue *q, const struct block_req *r)
{
	return !fenced(q, r) && !overlaps_active(d, r) && !passes(q, r);
}

/* ---- whose turn ---- */

static struct block_req *head(const struct block_queue *q, u32 class)
{
	return list_empty(&q->class[class]) ? NULL :
					      container_of(q->class[class].next, struct block_req, link);
}

/* The first of the owner's that may go. held: its limits allow swap writes only. */
static struct block_req *candidate(const struct block_dev *d, const struct block_queue *q, bool held)
{
	struct block_req *back = head(q, BLOCK_BACK), *r;
	bool back_first = back && hurry;

	for (u32 c = 0; c < BLOCK_CLASSES; c++) {
		r = head(q, c);
		/* In a hurry a swap write stands among the demands, in the order of submission. */
		if (back_first && (c > BLOCK_DEMAND || !r || back->number < r->number)) {
			if (may_go(d, q, back))
				return back;
			back_first = false;
		}
		if (r && (!held || c == BLOCK_BACK) && may_go(d, q, r))
			return r;
	}
	return NULL;
}

static u32 left(const struct block_req *r)
{
	return r->nsectors - r->handed;
}

static bool contended(const struct block_dev *d, u32 owner, u64 now)
{
	for (u64 users = d->users; users; users &= users - 1) {
		u32 i = (u32)__builtin_ctzll(users);
		const struct block_queue *q = &d->queue[i];

		if (i != owner &&
		    (q->waiting || q->active || (q->last_ns && now - q->last_ns < BLOCK_RECENT_NS)))
			return true;
	}
	return false;
}

bool block_contended(const struct block_dev *d, u32 owner)
{
	return contended(d, owner, arch_ns());
}

/* As long as a piece takes: what another may have in a place that was free for a moment. */
static u64 credit(const struct block_dev *d)
{
	return fair_guess(&d->times, false, BLOCK_PIECE) * d->limit.limit;
}

static struct block_req *choose(struct block_dev *d, u64 now)
{
	struct block_req *of[FAIR_OWNERS];
	u64 guess[FAIR_OWNERS], set = 0, demand = 0, active = 0;

	for (u64 users = d->users; users; users &= users - 1) {
		u32 i = (u32)__builtin_ctzll(users);
		struct block_queue *q = &d->queue[i];

		active |= q->active ? BIT64(i) : 0;
		if (!q->waiting)
			continue;
		of[i] = candidate(d, q, fair_allowed(&block_shares[i]) > now);
		if (!of[i]) {
			q->fresh |= !q->active; /* its limit is used up */
			continue;
		}
		set |= BIT64(i);
		demand |= of[i]->class == BLOCK_DEMAND ? BIT64(i) : 0;
		guess[i] = fair_guess(&d->times, block_writes(of[i]->op), MIN(left(of[i]), BLOCK_PIECE));
		if (q->fresh)
			fair_arrive(&d->fair, i);
		q->fresh = false;
	}
	return set ? of[fair_pick(&d->fair, active, set, demand, guess, active & ~set ? credit(d) : 0,
				  block_shares)] :
		     NULL;
}

/* ---- commands ---- */

u32 block_piece(const struct block_req *r, struct block_at *at, u64 *addr)
{
	while (at->seg < r->nsegs && at->off == r->segs[at->seg].len) {
		at->seg++;
		at->off = 0;
	}
	if (at->seg == r->nsegs)
		return 0;
	*addr = r->segs[at->seg].addr.a + at->off;
	return r->segs[at->seg].len - at->off;
}

/* The next sectors of r, as many as c has segments for. */
static void cut(struct block_cmd *c, struct block_req *r, u32 sectors)
{
	u32 bytes = sectors * SECTOR_SIZE, n = 0;
	u64 addr;

	c->hw.sector = r->sector + r->handed;
	for (c->hw.nsegs = 0; c->hw.nsegs < BLOCK_SEGS && n < bytes; c->hw.nsegs++) {
		u32 len = MIN(block_piece(r, &r->at, &addr), bytes - n);

		c->seg[c->hw.nsegs] = (struct block_seg){ { addr }, len };
		r->at.off += len;
		n += len;
	}
	c->hw.nsectors = n / SECTOR_SIZE;
	r->handed += c->hw.nsectors;
}

static struct block_req *continuation(const struct block_dev *d, const struct block_cmd *c,
				      const struct block_req *r, u32 most)
{
	const struct block_queue *q = block_queue_of(r);

	list_for_each(it, &q->class[r->class]) {
		struct block_req *o = container_of(it, struct block_req, link);

		if (o->op == r->op && o->sector == c->hw.sector + c->hw.nsectors && !o->handed && !o->alone &&
		    o->nsegs + c->hw.nsegs <= BLOCK_SEGS && o->nsectors + c->hw.nsectors <= most &&
		    may_go(d, q, o))
			return o;
	}
	return NULL;
}

static void append(struct block_cmd *c, const struct block_req *o)
{
	memcpy(c->seg + c->hw.nsegs, o->segs, o->nsegs * sizeof(o->segs[0]));
	c->hw.nsegs += o->nsegs;
	c->hw.nsectors += o->nsectors;
}

/* What continues r goes with it; r itself is dequeued and in c whole. */
static void merge(struct block_dev *d, struct block_cmd *c, struct block_req *r, u32 most)
{
	struct block_req *last = r, *o;

	if (r->op == BLOCK_FLUSH || r->alone || r->nsegs > BLOCK_SEGS)
		return;
	while ((o = continuation(d, c, r, most))) {
		if (last == r) {
			c->hw.nsegs = c->hw.nsectors = 0;
			append(c, r);
			c->hw.segs = c->seg;
		}
		block_dequeue(o);
		append(c, o);
		o->handed = o->nsectors;
		o->out++;
		last->next = o;
		last = o;
		c->n++;
		d->stats.merged++;
	}
}

static void make(struct block_dev *d, struct block_cmd *c, struct block_req *r, bool short_ones)
{
	u32 sectors = short_ones ? MIN(left(r), BLOCK_PIECE) : left(r);

	c->hw = (struct block_req){ .dev = d,
				    .op = r->op,
				    .class = r->class,
				    .owner = r->owner,
				    .sector = r->sector,
				    .nsectors = r->nsectors,
				    .segs = r->segs,
				    .nsegs = r->nsegs };
	c->first = r;
	c->n = 1;
	r->next = NULL;
	r->out++;
	if (sectors == r->nsectors) {
		block_dequeue(r);
		r->handed = r->nsectors;
		merge(d, c, r, MIN(d->max_sectors, short_ones ? BLOCK_PIECE : 2 * BLOCK_PIECE));
		return;
	}
	c->hw.segs = c->seg;
	cut(c, r, sectors);
	d->stats.pieces++;
	if (!left(r))
		block_dequeue(r);
}

static void start(struct block_dev *d, struct block_cmd *c, u64 now)
{
	struct block_queue *q = &d->queue[c->hw.owner];
	struct fair_share *s = &block_shares[c->hw.owner];

	list_remove(&c->link);
	list_push_back(&d->active, &c->link);
	block_account(d, now);
	d->in_flight++;
	q->active++;
	q->active_writes += block_writes(c->hw.op) && c->hw.class != BLOCK_BACK;
	q->flushing += c->hw.op == BLOCK_FLUSH;
	c->work_ns = d->work_ns;
	c->guess_ns = fair_guess(&d->times, block_writes(c->hw.op), c->hw.nsectors);
	fair_started(&d->fair, c->hw.owner, c->guess_ns, s);
	fair_pay(s, (u64)c->hw.nsectors * SECTOR_SIZE, c->hw.class != BLOCK_BACK, now);
	d->stats.commands++;
	/*
	 * It waits for those in flight to end, and all others wait for it; its owner pays for that time
	 * like for its own.
	 */
	if (d->flush_alone && c->hw.op == BLOCK_FLUSH && d->in_flight > 1)
		d->held = c;
	else
		d->ops->start(d, &c->hw);
}

/* FLUSHes of a device that does them alone: none joins them. */
static bool closed(const struct block_dev *d)
{
	const struct block_cmd *c =
		d->in_flight ? container_of(d->active.next, struct block_cmd, link) : NULL;

	return d->held || (d->flush_alone && c && c->hw.op == BLOCK_FLUSH);
}

void block_start(struct block_dev *d)
{
	struct block_req *r;
	u64 now;

	if (!d->waiting && !d->held) {
		fair_depth_look(&d->limit, false);
		return;
	}
	now = arch_ns();
	if (d->held && d->in_flight == 1) {
		struct block_cmd *c = d->held;

		d->held = NULL;
		d->ops->start(d, &c->hw);
		return;
	}
	while (d->waiting && d->in_flight < d->limit.limit && !closed(d) && !list_empty(&d->free)) {
		struct block_cmd *c = container_of(d->free.next, struct block_cmd, link);

		r = choose(d, now);
		if (!r)
			break;
		make(d, c, r, contended(d, r->owner, now));
		start(d, c, now);
	}
	if (d->limit.most > 1)
		fair_depth_look(&d->limit, d->waiting && d->in_flight >= d->limit.limit);
}
