/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slots.c - slots of commands: see slots.h. Pure.
 */
#include "drivers/slots.h"
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"

void slots_copy(const struct block_req *r, struct block_at at, u8 *buf, u32 n, bool to_segs)
{
	u64 addr;
	u32 step;

	for (; n && (step = block_piece(r, &at, &addr)); n -= step, buf += step, at.off += step) {
		step = MIN(step, n);
		if (to_segs)
			memcpy(hpa_ptr((hpa_t){ addr }), buf, step);
		else
			memcpy(buf, hpa_ptr((hpa_t){ addr }), step);
	}
}

/* Suspects go alone; while there are any, nothing else goes. */
static bool may_issue(const struct slots *q, const struct slot *s)
{
	if (!s->req || s->issued || q->state != SLOTS_READY)
		return false;
	return q->suspects ? s->suspect && !q->issued : true;
}

static void issue_waiting(struct slots *q)
{
	for (u32 i = 0; i < q->dev.depth && q->issued < q->taken; i++) {
		struct slot *s = &q->slot[i];

		if (!may_issue(q, s))
			continue;
		s->issued = true;
		q->issued++;
		s->next = s->at;
		s->sectors = 0;
		s->deadline_ns = arch_ns() + q->timeout_ns * (s->req->op == BLOCK_FLUSH ? 10 : 1);
		q->issue(q, i);
	}
}

static void start(struct block_dev *dev, struct block_req *r)
{
	struct slots *q = dev->priv;
	u32 i = 0;

	if (q->state == SLOTS_DEAD) {
		block_complete_later(r, E_IO);
		return;
	}
	while (i < dev->depth && q->slot[i].req)
		i++;
	BUG_ON(i == dev->depth);
	q->slot[i] = (struct slot){ .req = r };
	q->taken++;
	issue_waiting(q);
}

const struct block_ops slots_ops = { .start = start };

static void finish(struct slots *q, struct slot *s, int err, bool later)
{
	struct block_req *r = s->req;

	s->req = NULL;
	q->taken--;
	if (s->suspect)
		q->suspects--;
	s->suspect = false;
	if (later)
		block_complete_later(r, err);
	else
		block_complete(r, err);
}

static void complain(const struct slots *q, const struct slot *s, u32 status)
{
	const struct block_req *r = s->req;

	log_warn("%s: %s of %u sectors at %llu failed: status %x", q->dev.name,
		 r->op == BLOCK_READ ? "read" : r->op == BLOCK_WRITE ? "write" : "flush",
		 s->sectors, (unsigned long long)(r->sector + s->done), status);
}

void slots_done(struct slots *q, u32 i, bool ok, u32 status, bool later)
{
	struct slot *s = i < q->dev.depth ? &q->slot[i] : NULL;

	if (!s || !s->issued) {
		log_warn("%s: says that command %d is done, which is not in hand", q->dev.name, (int)i);
		return;
	}
	s->issued = false;
	q->issued--;
	q->dev.stats.polled += later && s->req->op != BLOCK_FLUSH;
	if (!ok) {
		complain(q, s, status);
		if (++s->tries > SLOTS_RETRIES)
			finish(q, s, E_IO, later);
	} else {
		s->tries = 0;
		s->at = s->next;
		s->done += s->sectors;
		if (s->req->op == BLOCK_FLUSH || s->done == s->req->nsectors)
			finish(q, s, 0, later);
	}
	issue_waiting(q);
}

bool slots_late(const struct slots *q, u64 now_ns)
{
	for (u32 i = 0; q->issued && i < q->dev.depth; i++)
		if (q->slot[i].issued && now_ns > q->slot[i].deadline_ns)
			return true;
	return false;
}

void slots_reset(struct slots *q, const char *why)
{
	log_warn("%s: %s with %u commands in hand: reset", q->dev.name, why, q->issued);
	q->state = SLOTS_RESET;
}

void slots_reset_over(struct slots *q, bool alive)
{
	bool alone = q->issued == 1;

	if (!alive)
		log_err("%s: does not come back from a reset: given up", q->dev.name);
	q->state = alive ? SLOTS_READY : SLOTS_DEAD;
	q->issued = 0;
	for (u32 i = 0; i < q->dev.depth; i++) {
		struct slot *s = &q->slot[i];

		if (!s->req)
			continue;
		if (s->issued && !s->suspect) {
			s->suspect = true;
			q->suspects++;
		}
		if (!alive || (s->issued && alone && ++s->tries > SLOTS_RETRIES))
			finish(q, s, E_IO, true);
		s->issued = false;
	}
	issue_waiting(q);
}
