/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c tools/oracle.c tools/simguest.c */
/*
 * test_curve.c - the curve against the exact LRU stack, on generated traces and
 * on those in the directory TRACES; replacement against exact LRU and MIN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/share/curve.h"
#include "tools/oracle.h"
#include "tools/simguest.h"

#define SIZES 65
#define MS 1000000ull

/* Mean error of the miss ratio at sizes from W1 on; frames ~0 sees no eviction. */
static double curve_error(const struct trace *t, double w1, u32 frames)
{
	u64 *exact = oracle_lru_curve(t);
	struct simguest g;
	double error = 0, last = 1e18;
	u32 floor;

	simguest_init(&g, t, frames, simguest_interval(t, w1), 0);
	for (u32 i = 0; i < t->refs; i++)
		simguest_step(&g);
	simguest_pass(&g);
	floor = (u32)(g.w1_sum / g.passes);
	for (u32 i = 0; i < SIZES; i++) {
		u32 m = floor + (u32)((u64)(t->pages - floor) * i / (SIZES - 1));
		double misses = simguest_misses(&g, m);

		assert_true(misses <= last);
		last = misses;
		error += fabs(misses - (double)exact[m]) / t->refs / SIZES;
	}
	simguest_free(&g);
	free(exact);
	return error;
}

static u64 misses_with(const struct trace *t, u32 frames)
{
	struct simguest g;
	u64 misses;

	simguest_init(&g, t, frames, simguest_interval(t, 0.02), 0);
	for (u32 i = 0; i < t->refs; i++)
		simguest_step(&g);
	misses = g.misses;
	simguest_free(&g);
	return misses;
}

static void generate(struct trace *t, u32 kind)
{
	switch (kind) {
	case 0:
		trace_zipf(t, 2000, 100000, 0.9, 1);
		break;
	case 1:
		trace_loop(t, 1000, 50000);
		break;
	case 2:
		trace_hot_scan(t, 500, 1500, 100000, 4, 1);
		break;
	default:
		trace_phases(t, 800, 4, 100000, 1);
	}
}

static void generated_traces(void **state)
{
	(void)state;
	for (u32 kind = 0; kind < 4; kind++) {
		struct trace t;
		double all, half;

		generate(&t, kind);
		all = curve_error(&t, 0.02, ~0u);
		half = curve_error(&t, 0.02, t.pages / 2);
		print_message("%-16s mae %.5f, with half the frames %.5f\n", t.name, all, half);
		assert_true(all <= 0.01);
		assert_true(half <= 0.012); /* joined: half of it comes from evicted pages */
		trace_free(&t);
	}
}

static void real_traces(void **state)
{
	static const char *const name[] = { "cpp", "cs", "multi1", "multi2", "sprite", "gcc",
					    "swim", "loop", "scan", "cloudphysics" };
	const char *dir = getenv("TRACES");

	(void)state;
	if (!dir || !*dir) {
		print_message("TRACES is not set: rows on real traces are skipped\n");
		skip();
	}
	for (u32 i = 0; i < ARRAY_SIZE(name); i++) {
		char path[600];
		struct trace t;
		double error;

		snprintf(path, sizeof(path), "%.500s/%s.gz", dir, name[i]);
		if (!trace_load(&t, path)) {
			print_message("%s: skipped\n", path);
			continue;
		}
		error = curve_error(&t, 0.02, ~0u);
		print_message("%-16s mae %.5f\n", t.name, error);
		assert_true(error <= 0.01);
		trace_free(&t);
	}
}

static void replacement(void **state)
{
	(void)state;
	for (u32 kind = 0; kind < 4; kind++) {
		struct trace t;
		u64 *exact;

		generate(&t, kind);
		exact = oracle_lru_curve(&t);
		for (u32 part = 1; part <= 3; part++) {
			u32 frames = t.pages * part / 4;
			u64 got = misses_with(&t, frames), min = oracle_min_misses(&t, frames);
			double ratio = (double)got / (double)exact[frames];

			assert_true(got >= min);
			assert_true(ratio <= 1.02);
			if (kind == 1 && part > 1)
				assert_true(ratio <= 0.8);
		}
		free(exact);
		trace_free(&t);
	}
}

/* ---- the curve itself ---- */

static void make(struct curve *c, u32 step, u32 points)
{
	assert_int_equal(curve_init(c, step, points, calloc(1, curve_bytes(points)), 0), E_OK);
}

static void pass_at(struct curve *c, u64 ns)
{
	static struct ages none;

	ages_reset(&none);
	curve_pass(c, &none, ns);
}

static void rates_and_decay(void **state)
{
	struct curve c;
	u64 cost;

	(void)state;
	make(&c, 256, 64);
	curve_set_half_life(&c, 10000);
	for (u32 i = 0; i < 10000; i++)
		curve_note_distance(&c, CURVE_DISC, 10 * 256);
	c.time_us = 1000000;
	assert_int_equal(curve_misses_at(&c, 0), 10000000);
	assert_int_equal(curve_misses_at(&c, 10 * 256), 10000000);
	assert_int_equal(curve_misses_at(&c, 10 * 256 + 128), 5000000);
	assert_int_equal(curve_misses_at(&c, 11 * 256), 0);
	cost = curve_cost_at(&c, 0);
	assert_int_equal(cost, 10000ull * 6000);
	curve_fade(&c, 3); /* rates stay, evidence shrinks */
	assert_in_range(curve_misses_at(&c, 0), 9990000, 10010000);
	curve_note_stall(&c, 1000000); /* time waited does not count */
	pass_at(&c, 3000 * MS); /* 2^-0.2 */
	assert_in_range(c.hits[10], 1086 * CURVE_ONE, 1090 * CURVE_ONE);
	assert_in_range(c.time_us, 2100000, 2120000);
	for (u32 i = 1; i < 5; i++)
		pass_at(&c, (3000 + i * 1000) * MS);
	assert_true(curve_misses_at(&c, 0) < 30000); /* went quiet: forgotten at once */
	for (u32 i = 5; i < 200; i++)
		pass_at(&c, (3000 + i * 1000) * MS);
	assert_true(curve_misses_at(&c, 0) < 10);
	assert_in_range(c.time_us, 14000000, 16000000); /* half-life / ln 2, by second steps */
	free(c.hits);
}

/* The far half of a working set is left alone: its claim falls, the near half's does not. */
static void quiet_bands(void **state)
{
	struct curve c;
	u64 far, near, t = 0;

	(void)state;
	make(&c, 256, 64);
	for (u32 i = 0; i < 20; i++) {
		for (u32 k = 0; k < 100; k++) {
			curve_note_distance(&c, CURVE_DISC, 1000);
			curve_note_distance(&c, CURVE_DISC, 12000);
		}
		pass_at(&c, t += 1000 * MS);
	}
	far = curve_misses_at(&c, 8192);
	near = curve_misses_at(&c, 0) - far;
	assert_in_range(far, 90000, 110000);
	for (u32 i = 0; i < 6; i++) {
		for (u32 k = 0; k < 100; k++)
			curve_note_distance(&c, CURVE_DISC, 1000);
		pass_at(&c, t += 1000 * MS);
	}
	assert_true(curve_misses_at(&c, 8192) < far / 6);
	assert_true(curve_misses_at(&c, 8192) > far / 50); /* not forgotten */
	assert_in_range(curve_misses_at(&c, 0) - curve_misses_at(&c, 8192), near * 9 / 10,
			near * 11 / 10);
	free(c.hits);
}

/* 100 a second at 1000 frames, 8000 at 12000: within a second those 8000, within 100 ms 810 of them at the
 * most. */
static void working_set(void **state)
{
	struct curve c;

	(void)state;
	make(&c, 256, 64);
	assert_int_equal(curve_working_set(&c, 4000), 0);
	c.time_us = 1000000;
	for (u32 k = 0; k < 8000; k++)
		curve_note_distance(&c, CURVE_DISC, 12000);
	for (u32 k = 0; k < 100; k++)
		curve_note_distance(&c, CURVE_DISC, 1000);
	assert_in_range(curve_working_set(&c, 1000), 8000 - 256, 8000);
	assert_in_range(curve_working_set(&c, 100), 800 - 256, 810);
	/* never more than it touches */
	assert_in_range(curve_working_set(&c, 100000), 12000 - 256, 12000 + 256);
	curve_reset(&c, 0);
	c.time_us = 1000000;
	/* evenly, twice a second each: all of them, or what would turn over faster than that */
	for (u32 k = 0; k < 8192; k++)
		for (u32 n = 0; n < 2; n++)
			curve_note_distance(&c, CURVE_DISC, k);
	assert_int_equal(curve_working_set(&c, 510), 8192);
	assert_in_range(curve_working_set(&c, 490), 4096 - 256, 4096);
	free(c.hits);
}

/* s seconds in which the near half is touched, and the far half so many times a second. */
static void seconds(struct curve *c, u64 *t, u32 s, u32 far)
{
	while (s--) {
		for (u32 k = 0; k < 100; k++)
			curve_note_distance(c, CURVE_DISC, 1000);
		for (u32 k = 0; k < far; k++)
			curve_note_distance(c, CURVE_DISC, 12000);
		pass_at(c, *t += 1000 * MS);
	}
}

/* The first nap is expected to be as long as it was awake, then charged for less and less; it wakes to what
 * it was; the next nap is expected to be as long as that. */
static void sleep_and_regret(void **state)
{
	struct curve c;
	u64 t = 0, last, out[65];
	u32 frame_us;

	(void)state;
	make(&c, 256, 64);
	seconds(&c, &t, 20, 1000);
	assert_int_equal(curve_regret(&c, 0, 64 * 256), 0); /* awake: its events speak for it */
	seconds(&c, &t, 3, 0);
	last = curve_regret(&c, 11 * 1024, 12 * 1024);
	frame_us = c.mix_us / 1024; /* us a second for each of 1024 frames: at most a miss each in a second */
	assert_in_range(last / 1024 / 1024, frame_us / 10, frame_us);
	assert_int_equal(curve_regret(&c, 0, 1024), 0);             /* the near half is awake */
	assert_int_equal(curve_regret(&c, 12 * 1024, 12 * 1024), 0); /* nothing is taken */
	assert_int_equal(curve_regret(&c, 13 * 1024, 12 * 1024), 0);
	memset(out, 0, sizeof(out));
	curve_add_regret(&c, 100, 300, 12 * 1024, out, 65);
	for (u32 i = 0; i < 65; i++)
		assert_int_equal(out[i], curve_regret(&c, 100 + 300 * i, 12 * 1024));
	seconds(&c, &t, 14, 0); /* 3 s are left, or 4 */
	assert_true(curve_regret(&c, 11 * 1024, 12 * 1024) > 2 * last);
	seconds(&c, &t, 5, 0); /* over */
	assert_true(curve_regret(&c, 11 * 1024, 12 * 1024) < last);
	last = curve_regret(&c, 11 * 1024, 12 * 1024);
	seconds(&c, &t, 4, 0); /* less and less, in 1/256 us */
	assert_true(curve_regret(&c, 11 * 1024, 12 * 1024) < last);
	last = curve_regret(&c, 11 * 1024, 12 * 1024);
	assert_true(last < c.mix_us * 1024ull / 20);
	assert_true(curve_misses_at(&c, 8192) < 100000); /* of 1000/s */
	seconds(&c, &t, 1, 1000);
	assert_in_range(curve_misses_at(&c, 8192), 800000, 1100000); /* at once, not by and by */
	assert_int_equal(curve_regret(&c, 0, 64 * 256), 0);
	seconds(&c, &t, 5, 1000);
	/* 26 s it slept: after 23 of the next nap a frame has to earn its miss in what is left, 3 s. */
	seconds(&c, &t, 3, 0);
	last = curve_regret(&c, 11 * 1024, 12 * 1024);
	seconds(&c, &t, 20, 0);
	assert_true(curve_regret(&c, 11 * 1024, 12 * 1024) > 3 * last);
	seconds(&c, &t, 20, 0); /* longer than the last one: as if it were the first */
	assert_true(curve_regret(&c, 11 * 1024, 12 * 1024) < last);
	curve_reset(&c, t);
	assert_int_equal(curve_regret(&c, 0, 64 * 256), 0);
	free(c.hits);
}

/* A guest that only scans, or was never busy there, leaves nothing behind that would speak for its frames. */
static void scans_are_not_regretted(void **state)
{
	struct curve c;
	u64 t = 0;

	(void)state;
	make(&c, 256, 64);
	for (u32 s = 0; s < 20; s++) {
		for (u32 k = 0; k < 1000; k++)
			curve_note_cold(&c, CURVE_DISC);
		pass_at(&c, t += 1000 * MS);
	}
	seconds(&c, &t, 10, 0);
	assert_int_equal(curve_regret(&c, 2048, 64 * 256), 0);
	free(c.hits);
}

static void classes_cold_and_goals(void **state)
{
	struct curve c;
	u64 out[65];

	(void)state;
	make(&c, 256, 64);
	c.time_us = 1000000;
	for (u32 i = 0; i < 100; i++) {
		curve_note_distance(&c, CURVE_SWAP, 5 * 256);
		curve_note_distance(&c, CURVE_SOFT, 20 * 256);
		curve_note_cold(&c, CURVE_DISC);
		curve_note_distance(&c, CURVE_DISC, 1u << 30); /* beyond: can't be avoided */
	}
	assert_int_equal(curve_misses_at(&c, 0), 200000);
	assert_int_equal(curve_cold_misses(&c), 200000);
	assert_int_equal(c.total[CURVE_DISC], 200);
	assert_int_equal(c.total_cold, 100);
	assert_int_equal(c.total_cost_us, 100 * (8000 + 2 + 6000 + 6000));
	/* a soft hit would have cost a real miss */
	assert_true(curve_cost_at(&c, 10 * 256) > 100 * 5000);
	assert_int_equal(curve_frames_for(&c, 100000), 6 * 256);
	assert_int_equal(curve_frames_for(&c, 0), 21 * 256);
	assert_int_equal(curve_frames_for(&c, 200000), 0);
	curve_fill_cost(&c, 100, 300, out, 65);
	for (u32 i = 0; i < 65; i++)
		assert_int_equal(out[i], curve_cost_at(&c, 100 + 300 * i));
	curve_reset(&c, 5 * MS);
	assert_int_equal(curve_misses_at(&c, 0), 0);
	assert_int_equal(c.time_us, 0);
	free(c.hits);
}

static void spreads_conserve(void **state)
{
	struct curve c;
	u64 seed = 5;

	(void)state;
	make(&c, 256, 100);
	for (u32 i = 0; i < 2000; i++) {
		struct ages_range r = { (u32)(oracle_random(&seed) % 30000), 0 };
		u64 sum;

		r.hi = r.lo + (u32)(oracle_random(&seed) % 9000);
		curve_note_range(&c, CURVE_DISC, &r);
		sum = c.cold_hits;
		for (u32 s = 0; s < c.points; s++)
			sum += c.hits[s];
		assert_int_equal(sum, (i + 1) * CURVE_ONE);
	}
	assert_int_equal(curve_init(&c, 0, 5, &c, 0), E_INVAL);
	assert_int_equal(curve_init(&c, 256, CURVE_POINTS_MAX + 1, c.hits, 0), E_INVAL);
	assert_int_equal(curve_step_for(65536, 4096), 256);
	assert_int_equal(curve_step_for(1u << 22, 4096), 1024);
	free(c.hits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_traces),
		cmocka_unit_test(real_traces),
		cmocka_unit_test(replacement),
		cmocka_unit_test(rates_and_decay),
		cmocka_unit_test(quiet_bands),
		cmocka_unit_test(working_set),
		cmocka_unit_test(sleep_and_regret),
		cmocka_unit_test(scans_are_not_regretted),
		cmocka_unit_test(classes_cold_and_goals),
		cmocka_unit_test(spreads_conserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
