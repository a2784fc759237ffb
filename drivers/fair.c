/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fair.c - weighted fair queueing of a disk's time, and limits. Contract: fair.h. Pure.
 */
#include "drivers/fair.h"
#include "kernel/lib/lib.h"

/* of a disk's first request: 1 ms, between a flash disk's and one that seeks */
#define FIRST_GUESS_NS 1000000ull
#define BURST_NS 100000000ull     /* what an owner below its limits may start at once: 100 ms of them */
#define NS_PER_S 1000000000ull

/* ---- how long a request takes ---- */

u32 fair_size(u32 sectors)
{
	u32 i = sectors ? 31u - (u32)__builtin_clz(sectors) : 0;

	return MIN(i, FAIR_SIZES - 1u);
}

u64 fair_guess(const struct fair_times *t, bool write, u32 sectors)
{
	u32 size = fair_size(sectors);

	/* The nearest size that has been seen, the smaller of two. */
	for (u32 d = 0; d < FAIR_SIZES; d++) {
		if (size >= d && t->ns[write][size - d])
			return t->ns[write][size - d];
		if (size + d < FAIR_SIZES && t->ns[write][size + d])
			return t->ns[write][size + d];
	}
	return FIRST_GUESS_NS;
}

void fair_note(struct fair_times *t, bool write, u32 sectors, u64 ns)
{
	u64 *mean = &t->ns[write][fair_size(sectors)];

	*mean = MAX(*mean ? *mean - *mean / 8 + ns / 8 : ns, 1ull);
}

/* ---- whose turn ---- */

static u64 virtual(u64 ns, u32 weight)
{
	return ns * FAIR_UNIT / weight;
}

void fair_arrive(struct fair *f, u32 owner)
{
	f->tag[owner] = MAX(f->tag[owner], f->now);
}

/* The one of the set with the least tag. */
static u32 least_of(const struct fair *f, u64 set)
{
	u32 best = (u32)__builtin_ctzll(set);

	for (set &= set - 1; set; set &= set - 1)
		if (f->tag[__builtin_ctzll(set)] < f->tag[best])
			best = (u32)__builtin_ctzll(set);
	return best;
}

/* Of the set, whose tags are not ahead, the one whose request would end first; FAIR_OWNERS: none. */
static u32 first_to_end(const struct fair *f, u64 set, const u64 *guess, const struct fair_share *share)
{
	u64 best_end = ~0ull;
	u32 best = FAIR_OWNERS;

	for (; set; set &= set - 1) {
		u32 i = (u32)__builtin_ctzll(set);
		u64 end = f->tag[i] + virtual(guess[i], fair_weight(&share[i]));

		if (f->tag[i] <= f->now && end < best_end) {
			best_end = end;
			best = i;
		}
	}
	return best;
}

u32 fair_pick(struct fair *f, u64 active, u64 waiting, u64 demand, const u64 *guess, u64 credit_ns,
	      const struct fair_share *share)
{
	u64 least = f->tag[least_of(f, waiting)];
	u32 i;

	for (u64 set = active & ~waiting; set; set &= set - 1) {
		i = (u32)__builtin_ctzll(set);
		least = MIN(least, f->tag[i] + virtual(credit_ns, fair_weight(&share[i])));
	}
	f->now = MAX(f->now, least);
	i = first_to_end(f, demand, guess, share);
	if (i == FAIR_OWNERS)
		i = first_to_end(f, waiting, guess, share);
	if (i < FAIR_OWNERS)
		return i;
	/*
	 * All who wait are ahead, and those behind want nothing now: what is left over is nobody's
	 * loss, and no debt is kept for it.
	 */
	i = least_of(f, waiting);
	f->tag[i] = f->now;
	return i;
}

void fair_started(struct fair *f, u32 owner, u64 guess_ns, const struct fair_share *s)
{
	f->tag[owner] += virtual(guess_ns, fair_weight(s));
}

void fair_ended(struct fair *f, u32 owner, u64 guess_ns, u64 took_ns, u64 busy, u64 users,
		const struct fair_share *share)
{
	u32 weights = 0, weight = fair_weight(&share[owner]);

	f->tag[owner] += virtual(took_ns, weight);
	f->tag[owner] -= MIN(virtual(guess_ns, weight), f->tag[owner]);
	for (; users; users &= users - 1) {
		u32 i = (u32)__builtin_ctzll(users);

		if (busy & BIT64(i) || f->tag[i] > f->now)
			weights += fair_weight(&share[i]);
	}
	f->now += virtual(took_ns, MAX(weights, 1u));
}

/* ---- limits: each is a bucket that is paid back at its rate ---- */

u64 fair_allowed(const struct fair_share *s)
{
	u64 until = MAX(s->iops ? s->ops_ns : 0, s->bps ? s->bytes_ns : 0);

	return !s->free && until > BURST_NS ? until - BURST_NS : 0;
}

/* amount / rate, in ns, without overflow for what one request can be. */
static u64 cost_ns(u64 amount, u64 rate)
{
	return amount / rate * NS_PER_S + amount % rate * NS_PER_S / rate;
}

static u64 paid_until(u64 until, u64 cost, bool waits, u64 now_ns)
{
	u64 then = MAX(until, now_ns) + cost;

	return waits ? then : MAX(until, MIN(then, now_ns + FAIR_DEBT_NS));
}

void fair_pay(struct fair_share *s, u64 bytes, bool waits, u64 now_ns)
{
	if (s->iops)
		s->ops_ns = paid_until(s->ops_ns, NS_PER_S / s->iops, waits, now_ns);
	if (s->bps)
		s->bytes_ns = paid_until(s->bytes_ns, cost_ns(bytes, s->bps), waits, now_ns);
}
