/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/ages.c mm/curve.c mm/curve_sleep.c mm/divide.c mm/balance.c mm/balance_qos.c tools/oracle.c tools/simguest.c tools/simhost.c */
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

/*
 * A file is read round and round for the first time, beside a guest that sleeps on what it once touched: frames move during
 * the first round, when no curve knows yet that there will be a second. A stream that is longer than the memory gets nothing.
 */
static void a_first_round_is_believed(void **state)
{
	struct simhost h;
	struct trace loop, idle, stream;
	u32 a, b, first;

	(void)state;
	trace_loop(&loop, TOTAL * 3 / 4, TOTAL * 3 / 4);
	trace_loop(&stream, TOTAL * 3, TOTAL * 3);
	trace_zipf(&idle, TOTAL / 2, TOTAL * 4, 0.9, 1);
	for (u32 streaming = 0; streaming < 2; streaming++) {
		simhost_init(&h, TOTAL, STEP);
		b = simhost_add(&h, &idle, &any, 20000, 20000);
		run_to(&h, 5 * S);
		h.guest[b].hit_ns = IDLE_NS;
		run_to(&h, 60 * S);
		a = simhost_add(&h, streaming ? &stream : &loop, &any, BUSY_NS, MS);
		while (h.guest[a].done < loop.pages)
			run_to(&h, h.now_ns + 100 * MS);
		first = target(&h, a);
		if (!streaming) {
			u64 cold = h.guest[a].misses;

			assert_true(first >= loop.pages);
			while (h.guest[a].done < 2 * loop.pages)
				run_to(&h, h.now_ns + 100 * MS);
			print_message("first round: %u misses again\n", (u32)(h.guest[a].misses - cold));
			assert_true(h.guest[a].misses - cold < loop.pages / 20);
		} else {
			while (h.guest[a].done < stream.pages)
				run_to(&h, h.now_ns + 100 * MS);
			run_to(&h, h.now_ns + 20 * S);
			assert_true(target(&h, b) >= h.b.vm[h.guest[b].vm].why.floor);
		}
		simhost_free(&h);
	}
	trace_free(&loop);
	trace_free(&stream);
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

/* It touches all it can as fast as it can; its neighbours use their shares. */
static void hostile_keeps_to_its_share(void **state)
{
	struct simhost h;
	struct trace all, own;
	u32 bad, fair = TOTAL / 4;

	(void)state;
	trace_loop(&all, TOTAL, TOTAL);
	trace_zipf(&own, TOTAL / 4 - TOTAL / 32, TOTAL * 8, 0.2, 1);
	simhost_init(&h, TOTAL, STEP);
	bad = simhost_add(&h, &all, &any, 1000, 200000);
	for (u32 i = 0; i < 3; i++)
		simhost_add(&h, &own, &any, BUSY_NS, MS);
	run_to(&h, 20 * S);
	for (u32 i = 0; i < 30; i++) {
		run_to(&h, h.now_ns + S);
		assert_true(target(&h, bad) <= fair + TOTAL / 6);
		for (u32 j = 0; j < 4; j++)
			if (j != bad)
				assert_true(target(&h, j) >= own.pages * 9 / 10);
	}
	print_message("hostile: target %u, fair %u, neighbours use %u, have %u\n", target(&h, bad),
		      fair, own.pages, target(&h, 1));
	simhost_free(&h);
	trace_free(&all);
	trace_free(&own);
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

/* A coarse curve: a target moves by 2 % of itself or not at all, a fine one by 1 %; and for twice the saving. */
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
		for (u32 k = 0; k < 1000; k++) /* 2 steps more, 1.6 % of 8192, would save 1000 misses a second */
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
		cmocka_unit_test(a_first_round_is_believed),
		cmocka_unit_test(phase_change),
		cmocka_unit_test(steady_is_still),
		cmocka_unit_test(hostile_keeps_to_its_share),
		cmocka_unit_test(qos_is_obeyed),
		cmocka_unit_test(coarse_is_careful),
		cmocka_unit_test(empty_and_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
