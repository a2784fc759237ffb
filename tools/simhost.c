/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simhost.c - guests made of traces sharing frames. Contract: simhost.h.
 */
#include "tools/simhost.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define HURRY 2 /* passes, soon after a burst began */
#define ALERT_NS (3000 * MS) /* ... and so long all guests are scanned this often at least: */
#define ALERT_PASS_NS (500 * MS)
#define TAKE 32 /* frames taken from a guest above its target at once */

void simhost_init(struct simhost *h, u32 frames, u32 step_frames)
{
	size_t bytes = divide_scratch_bytes(SIMHOST_MAX, frames, step_frames);

	memset(h, 0, sizeof(*h));
	h->frames = frames;
	h->scratch = oracle_alloc(1, bytes);
	balance_init(&h->b, frames, h->scratch, bytes, 0);
	h->b.cfg.step_frames = step_frames;
}

void simhost_free(struct simhost *h)
{
	for (u32 i = 0; i < h->n; i++)
		simguest_free(&h->guest[i].g);
	free(h->scratch);
}

u32 simhost_add(struct simhost *h, const struct trace *t, const struct qos *q, u64 hit_ns,
		u64 miss_ns)
{
	struct simhost_guest *s = &h->guest[h->n];

	simguest_init(&s->g, t, ~0u, ~0u, 10000);
	s->g.now_ns = 1;
	s->t_ns = s->start_ns = h->now_ns;
	s->hit_ns = hit_ns;
	s->miss_ns = miss_ns;
	s->pass_ns = 1000 * MS;
	s->last_pass_ns = h->now_ns;
	s->vm = balance_add(&h->b, q, &s->g.curve, &s->g.ages, h->now_ns);
	if (s->vm < 0)
		abort();
	return h->n++;
}

void simhost_switch(struct simhost *h, u32 i, const struct trace *t, u64 hit_ns)
{
	struct simhost_guest *s = &h->guest[i];

	if (t->pages > s->g.pages)
		abort();
	s->g.t = t;
	s->g.at = 0;
	s->hit_ns = hit_ns;
}

u32 simhost_held(const struct simhost *h)
{
	u32 sum = 0;

	for (u32 i = 0; i < h->n; i++)
		sum += h->guest[i].g.resident;
	return sum;
}

/* A frame for guest i: free, or of one above its target; else it evicts its own. */
void simhost_allow(struct simhost *h, u32 i)
{
	struct simhost_guest *s = &h->guest[i];
	const struct quota *q = &h->b.vm[s->vm].quota;

	s->g.frames = MAX(s->g.resident, 1);
	if (s->g.resident >= q->qos.max_frames)
		return;
	if (simhost_held(h) < h->frames) {
		s->g.frames = s->g.resident + 1;
		return;
	}
	if (s->g.resident >= q->target)
		return;
	for (u32 j = 0; j < h->n; j++) {
		struct simguest *o = &h->guest[j].g;
		u32 target = h->b.vm[h->guest[j].vm].quota.target;

		if (o->resident <= target)
			continue;
		o->frames = o->resident - MIN(o->resident - target, TAKE);
		simguest_shrink(o);
		s->g.frames = s->g.resident + 1;
		return;
	}
}

static void run_guest(struct simhost *h, u32 i)
{
	struct simhost_guest *s = &h->guest[i];
	u32 p = s->g.t->ref[s->g.at % s->g.t->refs];
	u64 cold = s->g.curve.total_cold;

	s->g.now_ns = s->t_ns;
	if (s->g.state[p] != 1)
		simhost_allow(h, i);
	if (simguest_step(&s->g)) {
		s->misses++;
		s->t_ns += s->miss_ns;
		curve_note_stall(&s->g.curve, s->miss_ns / 1000);
		h->b.vm[s->vm].quota.held = s->g.resident;
		if (s->g.curve.total_cold == cold && balance_note_miss(&h->b, (u32)s->vm, s->t_ns)) {
			s->hurry = HURRY;
			h->alert_ns = s->t_ns + ALERT_NS;
		}
	}
	s->done++;
	s->t_ns += s->hit_ns;
}

/* W1 near 2 % of what it holds, between ten passes a second and one in four. */
static void pass_guest(struct simhost *h, u32 i)
{
	struct simhost_guest *s = &h->guest[i];
	u32 w1;

	s->g.now_ns = h->now_ns;
	simguest_pass(&s->g);
	w1 = s->g.ages.w1;
	if (w1 * 100ull > s->g.resident * 3ull)
		s->pass_ns = MAX(s->pass_ns / 2, 100 * MS);
	else if (w1 * 100ull < s->g.resident)
		s->pass_ns = MIN(s->pass_ns * 2, 4000 * MS);
	if (s->hurry)
		s->hurry--;
	s->last_pass_ns = h->now_ns;
}

static bool pass_is_due(const struct simhost *h, const struct simhost_guest *s)
{
	u64 wait = s->hurry ? 100 * MS : s->pass_ns;

	if (h->now_ns < h->alert_ns)
		wait = MIN(wait, ALERT_PASS_NS);
	return h->now_ns - s->last_pass_ns >= wait;
}

bool simhost_run(struct simhost *h, u64 until_ns)
{
	bool running = true;

	while (h->now_ns < until_ns && running) {
		h->now_ns += MS;
		running = false;
		for (u32 i = 0; i < h->n; i++) {
			struct simhost_guest *s = &h->guest[i];

			while (s->t_ns < h->now_ns && (!s->end || s->done < s->end))
				run_guest(h, i);
			running |= !s->end || s->done < s->end;
			if (pass_is_due(h, s))
				pass_guest(h, i);
			h->b.vm[s->vm].quota.held = s->g.resident;
		}
		if (!h->fixed && balance_due(&h->b, h->now_ns))
			balance_step(&h->b, h->now_ns, h->frames - simhost_held(h));
	}
	return running;
}
