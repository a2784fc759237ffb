/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c tools/oracle.c tools/simguest.c tools/simhost.c */
/*
 * test_balance.c - the balancer over time: guests made of traces share frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/simhost.h"

#define MS 1000000ull
#define S 1000000000ull
#define TOTAL 16384u
#define STEP 64u
#define BUSY_NS (20 * 1000ull) /* a reference, with the work between two */
#define IDLE_NS (20 * MS)
#define DISK_NS (5 * MS)

static const struct qos any = { .max_frames = TOTAL, .weight = 100 };

static u32 target(const struct simhost *h, u32 i)
{
	return h->b.vm[h->guest[i].vm].quota.target;
}

static void check_bounds(const struct simhost *h)
{
	u64 sum = 0;

	for (u32 i = 0; i < h->n; i++) {
		const struct quota *q = &h->b.vm[h->guest[i].vm].quota;

		assert_in_range(q->target, h->b.infeasible ? 0 : q->qos.min_frames,
				q->qos.max_frames);
		sum += q->target;
	}
	assert_true(sum <= h->b.frames);
}

static void run_to(struct simhost *h, u64 ns)
{
	while (h->now_ns < ns) {
		simhost_run(h, MIN(ns, h->now_ns + 100 * MS));
		check_bounds(h);
	}
}

static u32 turns(const struct simhost *h)
{
	u32 n = 0;

	for (u32 i = 0; i < h->n; i++)
		n += h->b.vm[h->guest[i].vm].turns;
	return n;
}

/* One loops over more than its half, the other does next to nothing. */
static void starved_beside_idle(void **state)
{
	struct simhost h;
	struct trace loop, idle;
	u32 a, b, before;
	u64 misses;

	(void)state;
	trace_loop(&loop, TOTAL * 3 / 4, TOTAL * 3 / 4);
	trace_zipf(&idle, TOTAL / 2, TOTAL * 4, 0.9, 1);
	simhost_init(&h, TOTAL, STEP);
	a = simhost_add(&h, &loop, &any, BUSY_NS, DISK_NS);
	b = simhost_add(&h, &idle, &any, 50000, 20000);
	run_to(&h, 5 * S); /* the idle one fills its half, then rests */
	h.guest[b].hit_ns = IDLE_NS;
	h.guest[b].miss_ns = DISK_NS;
	run_to(&h, 160 * S);
	assert_true(target(&h, a) >= loop.pages);
	misses = h.guest[a].misses;
	before = turns(&h);
	run_to(&h, 200 * S);
	assert_int_equal(h.guest[a].misses, misses);
	assert_int_equal(turns(&h), before);
	print_message("starved: target %u of %u, misses %llu\n", target(&h, a), loop.pages,
		      (unsigned long long)misses);
	simhost_free(&h);
	trace_free(&loop);
	trace_free(&idle);
}

/* Who works changes: how long until the first frame moves, until it is settled? */
static void phase_change(void **state)
{
	struct simhost h;
	struct trace work, rest;
	u64 first = 0, settled = 0, start;
	u32 a, b, t0, end;

	(void)state;
	trace_zipf(&work, TOTAL * 3 / 4, TOTAL * 8, 0.6, 1);
	trace_zipf(&rest, 200, 5000, 0.9, 1);
	simhost_init(&h, TOTAL, STEP);
	a = simhost_add(&h, &work, &any, BUSY_NS, MS);
	b = simhost_add(&h, &work, &any, BUSY_NS, MS);
	run_to(&h, 60 * S);
	simhost_switch(&h, b, &rest, IDLE_NS);
	run_to(&h, 100 * S);
	assert_true(target(&h, a) > TOTAL * 6 / 10);
	simhost_switch(&h, a, &rest, IDLE_NS);
	run_to(&h, 110 * S + 300 * MS);
	simhost_switch(&h, b, &work, BUSY_NS);
	start = h.now_ns;
	t0 = target(&h, b);
	simhost_run(&h, start + 30 * S);
	end = target(&h, b);
	simhost_free(&h);

	/* the same again, to see when it came within 5 % of the end */
	simhost_init(&h, TOTAL, STEP);
	simhost_add(&h, &work, &any, BUSY_NS, MS);
	simhost_add(&h, &work, &any, BUSY_NS, MS);
	run_to(&h, 60 * S);
	simhost_switch(&h, b, &rest, IDLE_NS);
	run_to(&h, 100 * S);
	simhost_switch(&h, a, &rest, IDLE_NS);
	run_to(&h, 110 * S + 300 * MS);
	simhost_switch(&h, b, &work, BUSY_NS);
	for (u32 i = 0; i < 3000; i++) {
		simhost_run(&h, h.now_ns + 10 * MS);
		if (!first && target(&h, b) > t0)
			first = h.now_ns - start;
		if (!settled && target(&h, b) >= end - end / 20)
			settled = h.now_ns - start;
	}
	print_message("phase change: target %u -> %u, first after %llu ms, settled after %llu ms\n",
		      t0, end, (unsigned long long)(first / MS),
		      (unsigned long long)(settled / MS));
	assert_true(end > TOTAL * 6 / 10);
	assert_true(first && first <= S);
	assert_true(settled && settled <= 3 * S);
	simhost_free(&h);
	trace_free(&work);
	trace_free(&rest);
}

/* Steady loads: after they have settled no target turns round. */
static void steady_is_still(void **state)
{
	struct simhost h;
	struct trace z1, z2, hot;
	u32 before;

	(void)state;
	trace_zipf(&z1, TOTAL * 3 / 4, TOTAL * 16, 0.8, 1);
	trace_zipf(&z2, TOTAL / 2, TOTAL * 16, 1.0, 2);
	trace_hot_scan(&hot, TOTAL / 8, TOTAL / 2, TOTAL * 16, 4, 3);
	simhost_init(&h, TOTAL, STEP);
	simhost_add(&h, &z1, &any, BUSY_NS, MS);
	simhost_add(&h, &z2, &any, BUSY_NS, MS);
	simhost_add(&h, &hot, &any, BUSY_NS, MS);
	run_to(&h, 60 * S);
	before = turns(&h);
	for (u32 i = 0; i < 3; i++)
		print_message("steady: guest %u target %u, moves %u, turns %u\n", i, target(&h, i),
			      h.b.vm[i].moves, h.b.vm[i].turns);
	run_to(&h, 120 * S);
	assert_int_equal(turns(&h), before);
	simhost_free(&h);
	trace_free(&z1);
	trace_free(&z2);
	trace_free(&hot);
}

/* Misses of one guest that has this many frames to itself, in the seconds from..to. */
static u64 misses_alone(const struct trace *t, u32 frames, u64 hit_ns, u64 miss_ns, u64 from, u64 to)
{
	static struct simhost h;
	struct qos q = { .max_frames = frames, .weight = 100 };
	u64 misses;

	simhost_init(&h, frames, STEP);
	simhost_add(&h, t, &q, hit_ns, miss_ns);
	simhost_run(&h, from * S);
	misses = h.guest[0].misses;
	simhost_run(&h, to * S);
	misses = h.guest[0].misses - misses;
	simhost_free(&h);
	return misses;
}

/*
 * It touches all it can as fast as it can, beside n guests that use all of their weight-fair shares: they
 * miss what they would miss with their shares to themselves and a few per cent, it never holds more than its
 * max, nobody less than min. Nor does it ever hold more than its share and what they leave of theirs; but for
 * one step, in which frames are divided.
 */
static void hostile_beside(u32 n, const u32 *weight, u32 own_pages, u32 max)
{
	enum { FROM = 20, TO = 60 };
	static struct simhost h;
	struct trace all, own;
	u64 before[SIMHOST_MAX], weights = weight[0], sum = 0, alone = 0;
	struct qos bad = { .max_frames = max, .min_frames = TOTAL / 64, .weight = weight[0] };
	u32 most = 0, theirs = 0, bad_one;

	trace_loop(&all, TOTAL, TOTAL);
	trace_zipf(&own, own_pages, TOTAL * 8, 0.2, 1);
	simhost_init(&h, TOTAL, STEP);
	for (u32 i = 1; i <= n; i++) {
		struct qos q = { .max_frames = TOTAL, .min_frames = TOTAL / 16, .weight = weight[i] };

		simhost_add(&h, &own, &q, BUSY_NS, MS);
		weights += weight[i];
	}
	run_to(&h, FROM * S); /* they have and use their shares when it starts */
	bad_one = simhost_add(&h, &all, &bad, 1000, 200000);
	for (u32 i = 1; i <= n; i++)
		before[i] = h.guest[i - 1].misses;
	while (h.now_ns < TO * S) {
		run_to(&h, h.now_ns + S / 2);
		most = MAX(most, h.guest[bad_one].g.resident);
		for (u32 i = 1; i <= n; i++)
			assert_true(h.guest[i - 1].g.resident >= TOTAL / 16);
	}
	assert_true(most <= max);
	for (u32 i = 1; i <= n; i++) {
		sum += h.guest[i - 1].misses - before[i];
		theirs += MIN(own_pages, (u32)(TOTAL * weight[i] / weights));
		alone += misses_alone(&own, (u32)(TOTAL * weight[i] / weights), BUSY_NS, MS, FROM, TO);
	}
	print_message("hostile (weight %u of %llu): holds %u at most; %u neighbours miss %llu, alone with "
		      "their shares %llu\n",
		      weight[0], (unsigned long long)weights, most, n, (unsigned long long)sum,
		      (unsigned long long)alone);
	assert_true(sum <= alone + alone / 20 + 100);
	assert_true(most <= TOTAL - theirs + STEP);
	simhost_free(&h);
	trace_free(&all);
	trace_free(&own);
}

static void hostile_keeps_to_its_share(void **state)
{
	static const u32 equal[] = { 100, 100, 100, 100 }, heavy[] = { 100, 300 },
			 mixed[] = { 200, 100, 100 };
	static const u32 strong[] = { 300, 100, 100 }, giant[] = { 1000, 100 };

	(void)state;
	/* what they use fits their shares, just */
	hostile_beside(3, equal, TOTAL / 4 - TOTAL / 64, TOTAL);
	hostile_beside(3, equal, TOTAL / 4 + TOTAL / 32, TOTAL);      /* and does not quite */
	hostile_beside(1, equal, TOTAL / 2 - TOTAL / 64, TOTAL);
	hostile_beside(1, heavy, TOTAL * 3 / 4 - TOTAL / 64, TOTAL);
	hostile_beside(2, mixed, TOTAL / 4 - TOTAL / 64, TOTAL);
	hostile_beside(2, mixed, TOTAL / 4 - TOTAL / 64, TOTAL / 4);  /* its own max is below its share */
	hostile_beside(1, strong, TOTAL / 4 - TOTAL / 64, TOTAL);     /* owed three times as much itself */
	hostile_beside(1, strong, TOTAL / 4 + TOTAL / 64, TOTAL);
	hostile_beside(2, strong, TOTAL / 5 - TOTAL / 64, TOTAL);
	hostile_beside(2, strong, TOTAL / 4 - TOTAL / 64, TOTAL);
	hostile_beside(1, giant, TOTAL / 11 - TOTAL / 64, TOTAL);
	hostile_beside(1, giant, TOTAL / 11 + TOTAL / 64, TOTAL);
}

/*
 * They start together, so that the hostile one has taken most before the other has touched its share twice.
 * Though it waits for its disk most of the time, what it touches again shows all that it would use, and it
 * gets that.
 */
static void share_is_won_back(void **state)
{
	static struct simhost h;
	struct trace all, own;

	(void)state;
	trace_loop(&all, TOTAL, TOTAL);
	trace_zipf(&own, TOTAL / 2 - TOTAL / 64, TOTAL * 8, 0.2, 1);
	simhost_init(&h, TOTAL, STEP);
	simhost_add(&h, &all, &any, 1000, 200000);
	simhost_add(&h, &own, &any, BUSY_NS, MS);
	run_to(&h, 60 * S);
	print_message("won back: target %u, holds %u of %u that it uses\n", target(&h, 1),
		      h.guest[1].g.resident, own.pages);
	assert_true(target(&h, 1) >= own.pages * 49 / 50);
	assert_true(h.guest[1].g.resident >= own.pages * 49 / 50);
	simhost_free(&h);
	trace_free(&all);
	trace_free(&own);
}

/* The same beside a guest that idles: then taking is right, down to the other's min. */
static void hostile_takes_what_idles(void **state)
{
	static struct simhost h;
	struct trace all, work, rest;
	struct qos idle = { .max_frames = TOTAL, .min_frames = TOTAL / 8, .weight = 1000 };

	(void)state;
	trace_loop(&all, TOTAL * 13 / 16, TOTAL * 13 / 16);
	trace_zipf(&work, TOTAL / 2, TOTAL * 4, 0.5, 1);
	trace_zipf(&rest, 200, 5000, 0.9, 1);
	simhost_init(&h, TOTAL, STEP);
	simhost_add(&h, &all, &any, 1000, 200000);
	simhost_add(&h, &work, &idle, BUSY_NS, MS);
	run_to(&h, 20 * S);
	assert_true(h.guest[1].g.resident >= work.pages * 19 / 20); /* it uses what it has */
	simhost_switch(&h, 1, &rest, IDLE_NS);
	run_to(&h, 40 * S);
	assert_true(target(&h, 0) >= all.pages);
	assert_true(target(&h, 1) >= TOTAL / 8);
	assert_in_range(h.guest[1].g.resident, TOTAL / 8, TOTAL / 4);
	simhost_free(&h);
	trace_free(&all);
	trace_free(&work);
	trace_free(&rest);
}

static void qos_is_obeyed(void **state)
{
	struct simhost h;
	struct trace z;
	struct qos q = any;
	u32 i;

	(void)state;
	trace_zipf(&z, TOTAL * 3 / 4, TOTAL * 8, 0.5, 1);
	simhost_init(&h, TOTAL, STEP);
	for (i = 0; i < 2; i++)
		simhost_add(&h, &z, &any, BUSY_NS, MS);
	run_to(&h, 30 * S);
	q.max_frames = TOTAL / 8;
	balance_set_qos(&h.b, 0, &q, h.now_ns);
	assert_true(target(&h, 0) <= TOTAL / 8);
	run_to(&h, 32 * S);
	check_bounds(&h);
	q = any;
	q.min_frames = TOTAL * 7 / 8;
	balance_set_qos(&h.b, 0, &q, h.now_ns);
	check_bounds(&h);
	assert_true(target(&h, 0) >= q.min_frames);
	run_to(&h, 35 * S);
	q.min_frames = TOTAL;
	balance_set_qos(&h.b, 1, &q, h.now_ns); /* not possible: said, and shared out */
	run_to(&h, 38 * S);
	assert_true(h.b.infeasible);
	assert_int_equal(h.b.short_frames, TOTAL * 7 / 8);
	assert_true(h.b.vm[0].why.flags & DIVIDE_MIN_CUT);
	balance_set_qos(&h.b, 0, &any, h.now_ns);
	balance_set_qos(&h.b, 1, &any, h.now_ns);
	run_to(&h, 40 * S);
	assert_false(h.b.infeasible);
	q = any;
	q.weight = 1000;
	balance_set_qos(&h.b, 1, &q, h.now_ns);
	run_to(&h, 70 * S);
	assert_true(target(&h, 1) > target(&h, 0) * 3 / 2);
	balance_set_frames(&h.b, TOTAL / 2, h.now_ns);
	check_bounds(&h);
	balance_remove(&h.b, 0, h.now_ns);
	simhost_free(&h);
	trace_free(&z);
}

/* A coarse curve: a target moves by 2 % of itself or not at all, a fine one by 1 %; and for twice
 * the saving. */
static void coarse_is_careful(void **state)
{
	static struct balance b;
	static struct curve c[2];
	static struct ages a;
	static u64 scratch[100000], storage[2][4096];

	(void)state;
	for (u32 coarse = 0; coarse < 2; coarse++) {
		ages_reset(&a);
		balance_init(&b, TOTAL, scratch, sizeof(scratch), 0);
		b.cfg.step_frames = STEP;
		for (u32 i = 0; i < 2; i++) {
			assert_int_equal(curve_init(&c[i], STEP, TOTAL / STEP, storage[i], 0), E_OK);
			c[i].time_us = 1000000;
			assert_int_equal(balance_add(&b, &any, &c[i], &a, 0), i);
		}
		balance_step(&b, S, 0); /* what QoS changed is settled */
		/* 2 steps more, 1.6 % of 8192, would save 1000 misses a second */
		for (u32 k = 0; k < 1000; k++)
			curve_note_distance(&c[0], CURVE_DISC, TOTAL / 2 + STEP);
		c[0].coarse = coarse;
		balance_step(&b, 2 * S, 0);
		assert_int_equal(b.vm[0].quota.target, TOTAL / 2 + (coarse ? 0 : 2 * STEP));
		assert_int_equal(b.vm[0].why.reason, coarse ? BALANCE_KEEP : BALANCE_GROW);
		for (u32 k = 0; k < 1000; k++) /* and 8 steps, 6 % */
			curve_note_distance(&c[0], CURVE_DISC, TOTAL / 2 + 7 * STEP);
		balance_step(&b, 3 * S, 0);
		assert_int_equal(b.vm[0].quota.target, TOTAL / 2 + 8 * STEP);
		/* 10 steps more save a miss of 6 ms a second, 60 ms in 10 s; moving them costs 22 ms. */
		for (u32 i = 0; i < 2; i++) {
			curve_reset(&c[i], 0);
			c[i].time_us = 1000000;
		}
		c[0].coarse = coarse;
		curve_note_distance(&c[0], CURVE_DISC, TOTAL / 2 + 17 * STEP);
		b.cfg.move_us = 35;
		balance_step(&b, 20 * S, 0);
		assert_int_equal(b.vm[0].quota.target, TOTAL / 2 + (coarse ? 8 : 18) * STEP);
		assert_int_equal(b.vm[0].why.reason, coarse ? BALANCE_SMALL : BALANCE_GROW);
	}
}

static void empty_and_full(void **state)
{
	static struct balance b;
	static struct curve c;
	static struct ages a;
	static u64 scratch[100000], storage[4096];
	u64 now = 0;

	(void)state;
	assert_int_equal(curve_init(&c, 256, 64, storage, 0), E_OK);
	ages_reset(&a);
	balance_init(&b, TOTAL, scratch, sizeof(scratch), 0);
	b.cfg.step_frames = STEP;
	assert_int_equal(balance_step(&b, now += S, 0), 0);
	for (u32 i = 0; i < BALANCE_VMS_MAX; i++) {
		assert_int_equal(balance_add(&b, &any, &c, &a, now), i);
		balance_step(&b, now += S, 0);
	}
	assert_int_equal(balance_add(&b, &any, &c, &a, now), E_NOMEM);
	for (u32 i = 0; i < BALANCE_VMS_MAX; i += 2)
		balance_remove(&b, i, now);
	balance_step(&b, now += S, 0);
	assert_int_equal(balance_add(&b, &any, &c, &a, now), 0);
	for (u32 r = 0; r < 8; r++)
		assert_string_not_equal(balance_reason_str(r), "?");
	assert_string_equal(balance_reason_str(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starved_beside_idle),
		cmocka_unit_test(phase_change),
		cmocka_unit_test(steady_is_still),
		cmocka_unit_test(hostile_keeps_to_its_share),
		cmocka_unit_test(share_is_won_back),
		cmocka_unit_test(hostile_takes_what_idles),
		cmocka_unit_test(qos_is_obeyed),
		cmocka_unit_test(coarse_is_careful),
		cmocka_unit_test(empty_and_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
