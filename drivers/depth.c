/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * depth.c - how many commands a disk is given at once. Contract: fair.h, struct fair_depth. Pure.
 */
#include "drivers/fair.h"
#include "kernel/lib/lib.h"

/*
 * More is taken if the same work takes 4 % less of the disk's time; fewer if it takes at most 1 % more:
 * so the two never undo each other. While more has paid each time it is twice as many, which is found
 * to pay, or not, in half the rounds.
 */
#define MORE_PERCENT 104u
#define TWICE_PERCENT 115u
#define FEWER_PERCENT 99u

void fair_depth_init(struct fair_depth *d, u32 most)
{
	memset(d, 0, sizeof(*d));
	d->limit = d->base = d->rests = 1;
	d->most = MAX(most, 1u);
	d->left = FAIR_DEPTH_ROUND + 4;
}

static bool climbs(const struct fair_depth *d)
{
	return d->rests == 1;
}

static u32 rounds(const struct fair_depth *d)
{
	return climbs(d) ? FAIR_DEPTH_ROUNDS / 2 : FAIR_DEPTH_ROUNDS;
}

static void forget(struct fair_depth *d)
{
	memset(d->sums, 0, sizeof(d->sums));
}

static void begin(struct fair_depth *d)
{
	bool down = (d->down && d->base > 1) || d->base == d->most;

	d->down = !down;
	d->round = 0;
	forget(d);
	if (d->most == 1)
		d->other = 0;
	else if (down)
		d->other = d->base - MAX(d->base / 8, 1u);
	else
		/* twice as many while that pays */
		d->other = MIN(d->base + (climbs(d) ? d->base : MAX(d->base / 4, 1u)), d->most);
}

/*
 * What the other's commands took, against what as many of the same kinds took under base. Kinds that
 * base has not seen tell nothing: they must not be the most of it, or a guest could change its sizes
 * with the rounds and have as many commands at once as it likes.
 */
static bool is_better(const struct fair_depth *d)
{
	const struct fair_sums *base = &d->sums[0], *other = &d->sums[1];
	u64 expected = 0, took = 0, all = 0;

	for (u32 w = 0; w < 2; w++)
		for (u32 i = 0; i < FAIR_SIZES; i++) {
			all += other->ns[w][i];
			if (!base->sectors[w][i])
				continue;
			expected += base->ns[w][i] * other->sectors[w][i] / base->sectors[w][i];
			took += other->ns[w][i];
		}
	if (took <= all / 2)
		return false;
	return expected * 100 >= took * (d->other < d->base ? FEWER_PERCENT :
					 climbs(d)          ? TWICE_PERCENT :
							      MORE_PERCENT);
}

static void decide(struct fair_depth *d)
{
	if (d->better && is_better(d)) {
		d->down = d->other < d->base; /* on in the same direction */
		d->base = d->other;
		d->rests = 1;
	} else {
		d->rests = MIN(MAX(d->rests, FAIR_DEPTH_REST / 128) * 4, FAIR_DEPTH_REST);
	}
	d->rest = d->rests;
	d->other = 0;
}

static void next_round(struct fair_depth *d)
{
	u32 before = d->limit;

	if (!d->other) {
		if (!d->rest || !--d->rest)
			begin(d);
	} else if (++d->round == rounds(d)) {
		decide(d);
	} else if (d->round == rounds(d) / 2) {
		d->better = is_better(d);
		forget(d);
	}
	d->limit = d->other && d->round % 2 ? d->other : d->base;
	d->left = (FAIR_DEPTH_ROUND + 4 * d->limit) / (climbs(d) ? 2 : 1);
	/* What was started under the old limit still has to end, and its place to be taken. */
	d->skip = d->limit != before ? 2 * MAX(d->limit, before) : 0;
}

/* Does a command that ended with so many in flight tell something about the limit in force? */
static bool tells(const struct fair_depth *d, u32 in_flight)
{
	u32 fewer = MIN(d->base, d->other);

	if (!d->other)
		return in_flight >= MIN(d->base, 2u);
	return d->limit == fewer ? d->waits : in_flight > fewer;
}

void fair_depth_ended(struct fair_depth *d, bool write, u32 sectors, u64 took_ns, u32 in_flight)
{
	struct fair_sums *s = &d->sums[d->round % 2];
	u32 i = fair_size(sectors);

	if (!tells(d, in_flight))
		return;
	if (d->skip) {
		d->skip--;
		return;
	}
	s->sectors[write][i] += sectors + FAIR_DEPTH_FIXED;
	s->ns[write][i] += took_ns;
	if (--d->left == 0)
		next_round(d);
}
