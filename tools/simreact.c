/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * simreact.c - reaction and stability of targets. Contract: simreact.h.
 */
#include "tools/simreact.h"

#include <string.h>

#include "tools/simhost.h"

#define MS 1000000ull
#define S 1000000000ull
#define TOTAL 16384u
#define STEP 64u
#define BUSY_NS 20000ull /* a reference, with the work between two */
#define IDLE_NS (20 * MS)
#define LOOK_NS (10 * MS)
#define FINAL_NS (30 * S)

static const struct qos any = { .max_frames = TOTAL, .weight = 100 };

struct scene {
	struct simhost h;
	struct trace work, rest, small;
	u32 a, b; /* b is the one that wants more */
};

/* Up to the moment of the change, which is made. */
static void set_scene(struct scene *s, enum simreact_change what, u64 miss_ns)
{
	struct simhost *h = &s->h;

	if (what == REACT_LOOP)
		trace_loop(&s->work, TOTAL * 3 / 4, TOTAL * 3 / 4);
	else
		trace_zipf(&s->work, TOTAL * 3 / 4, TOTAL * 8, 0.6, 1);
	trace_zipf(&s->rest, 200, 5000, 0.9, 1);
	trace_zipf(&s->small, TOTAL / 4, TOTAL * 8, 0.6, 2);
	simhost_init(h, TOTAL, STEP);
	s->a = simhost_add(h, &s->work, &any, BUSY_NS, miss_ns);
	s->b = simhost_add(h, &s->work, &any, BUSY_NS, miss_ns);
	simhost_run(h, 60 * S);
	simhost_switch(h, s->b, what == REACT_GROW ? &s->small : &s->rest,
		       what == REACT_GROW ? BUSY_NS : IDLE_NS);
	simhost_run(h, 100 * S);
	if (what != REACT_SWAP) {
		simhost_switch(h, s->a, &s->rest, IDLE_NS);
		simhost_run(h, 110 * S + 300 * MS); /* not at the moment of a scan or a decision */
	} else {
		simhost_run(h, 100 * S + 300 * MS);
		simhost_switch(h, s->a, &s->rest, IDLE_NS);
	}
	simhost_switch(h, s->b, &s->work, BUSY_NS);
}

static void end_scene(struct scene *s)
{
	simhost_free(&s->h);
	trace_free(&s->work);
	trace_free(&s->rest);
	trace_free(&s->small);
}

static u32 target(const struct scene *s)
{
	return s->h.b.vm[s->h.guest[s->b].vm].quota.target;
}

void simreact_run(enum simreact_change what, u64 miss_ns, struct simreact *r)
{
	static const char *const name[] = { "wake", "swap", "grow", "loop" };
	static struct scene s;
	u64 start, misses;
	u32 held;

	*r = (struct simreact){ .name = name[what] };
	set_scene(&s, what, miss_ns);
	simhost_run(&s.h, s.h.now_ns + FINAL_NS);
	r->after = target(&s);
	end_scene(&s);
	set_scene(&s, what, miss_ns); /* the same again, to see when it came near that */
	start = s.h.now_ns;
	misses = s.h.guest[s.b].misses;
	r->before = target(&s);
	held = MAX(s.h.guest[s.b].g.resident, r->before);
	while (s.h.now_ns < start + FINAL_NS && !(r->first_ns && r->settled_ns)) {
		simhost_run(&s.h, s.h.now_ns + LOOK_NS);
		if (!r->first_ns && s.h.guest[s.b].g.resident > held && target(&s) > r->before)
			r->first_ns = s.h.now_ns - start;
		if (!r->settled_ns && target(&s) >= r->after - r->after / 20) {
			r->settled_ns = s.h.now_ns - start;
			r->misses = s.h.guest[s.b].misses - misses;
		}
	}
	end_scene(&s);
}

/* ---- without a change ---- */

const char *simreact_load_name(enum simreact_load what)
{
	static const char *const name[] = { "zipf", "loops", "mixed", "noise" };

	return name[what];
}

/* Guests' traces; returns how many. */
static u32 load_of(enum simreact_load what, struct trace *t)
{
	switch (what) {
	case STEADY_ZIPF:
		trace_zipf(&t[0], TOTAL * 3 / 4, TOTAL * 16, 0.8, 1);
		trace_zipf(&t[1], TOTAL / 2, TOTAL * 16, 1.0, 2);
		trace_zipf(&t[2], TOTAL / 2, TOTAL * 16, 0.5, 3);
		return 3;
	case STEADY_LOOPS:
		trace_loop(&t[0], TOTAL / 2, TOTAL / 2);
		trace_loop(&t[1], TOTAL * 3 / 4, TOTAL * 3 / 4);
		trace_zipf(&t[2], TOTAL / 8, TOTAL * 16, 0.9, 3);
		return 3;
	default:
		trace_zipf(&t[0], TOTAL / 2, TOTAL * 16, 0.7, 1);
		trace_zipf(&t[1], TOTAL / 2 + 100, TOTAL * 16, 0.7, 2);
		trace_hot_scan(&t[2], TOTAL / 8, TOTAL / 2, TOTAL * 16, 4, 3);
		if (what == STEADY_MIXED)
			return 3;
		trace_zipf(&t[3], TOTAL / 8, TOTAL * 4, 0.6, 4);
		return 4;
	}
}

static u32 count_turns(const struct simhost *h)
{
	u32 n = 0;

	for (u32 i = 0; i < h->n; i++)
		n += h->b.vm[h->guest[i].vm].turns;
	return n;
}

/* The last guest works for 20 to 220 ms and rests for as long, by chance. */
static void run_noisy(struct simhost *h, u64 until, bool noise)
{
	u64 seed = 7;

	while (h->now_ns < until) {
		if (noise)
			h->guest[h->n - 1].hit_ns = h->guest[h->n - 1].hit_ns == BUSY_NS ? 5 * MS : BUSY_NS;
		simhost_run(h, MIN(until, h->now_ns + (20 + oracle_random(&seed) % 200) * MS));
	}
}

u32 simreact_turns(enum simreact_load what, u64 miss_ns, u32 seconds)
{
	static struct simhost h;
	struct trace t[4];
	u32 n = load_of(what, t), before;

	simhost_init(&h, TOTAL, STEP);
	for (u32 i = 0; i < n; i++)
		simhost_add(&h, &t[i], &any, BUSY_NS, miss_ns);
	run_noisy(&h, 60 * S, what == STEADY_NOISE);
	before = count_turns(&h);
	run_noisy(&h, 60 * S + seconds * S, what == STEADY_NOISE);
	before = count_turns(&h) - before;
	simhost_free(&h);
	for (u32 i = 0; i < n; i++)
		trace_free(&t[i]);
	return before;
}
