/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c tools/oracle.c */
/*
 * test_divide.c - the division against brute force, its floors, goals and bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/share/divide.h"
#include "tools/oracle.h"

#define STEP 256u

static struct curve *new_curve(u32 points)
{
	struct curve *c = calloc(1, sizeof(*c));

	assert_int_equal(curve_init(c, STEP, points, calloc(1, curve_bytes(points)), 0), E_OK);
	c->time_us = 1000000;
	return c;
}

static void free_curve(const struct curve *c)
{
	free(c->hits);
	free((void *)c);
}

/* n misses a second whose distances all lie in step s. */
static void note(struct curve *c, u32 s, u32 n)
{
	while (n--)
		curve_note_distance(c, CURVE_DISC, s * STEP);
}

/* A few cliffs and slopes. */
static struct curve *random_curve(u64 *seed, u32 points)
{
	struct curve *c = new_curve(points);

	for (u32 i = oracle_random(seed) % 4; i-- > 0;)
		note(c, (u32)(oracle_random(seed) % points), (u32)(oracle_random(seed) % 500));
	if (oracle_random(seed) % 2)
		for (u32 s = 0; s < points; s++)
			note(c, s, (u32)(oracle_random(seed) % 40 / (s + 1)));
	return c;
}

static u32 breaths;

static void breathe(void)
{
	breaths++;
}

static int run(struct divide *d, struct divide_vm *vm, u32 n)
{
	size_t bytes = divide_scratch_bytes(n, d->frames, d->step_frames);
	void *scratch = malloc(bytes);
	int err = divide_run(d, vm, n, scratch, bytes);

	free(scratch);
	return err;
}

static u64 cost_of(const struct divide_vm *vm, u32 m)
{
	return curve_cost_at(vm->curve, m) * vm->weight;
}

/* All divisions of `left` whole steps above the floors. */
static u64 brute(const struct divide_vm *vm, u32 n, u32 i, u32 left)
{
	u64 best = ~0ull;

	if (i == n)
		return 0;
	for (u32 j = 0; j <= left; j++) {
		u32 m = MIN(vm[i].floor + j * STEP, vm[i].max);

		best = MIN(best, cost_of(&vm[i], m) + brute(vm, n, i + 1, left - j));
		if (m == vm[i].max)
			break;
	}
	return best;
}

static void equals_brute_force(void **state)
{
	u64 seed = 11;

	(void)state;
	for (u32 round = 0; round < 300; round++) {
		struct divide_vm vm[4] = { 0 };
		u32 n = 1 + oracle_random(&seed) % 4, floors = 0, sum = 0;
		struct divide d = { .frames = (10 + oracle_random(&seed) % 14) * STEP,
				    .step_frames = STEP, .max_ops = 1u << 24 };
		u64 got = 0, best;

		for (u32 i = 0; i < n; i++) {
			vm[i].min = (u32)(oracle_random(&seed) % (2 * STEP));
			vm[i].max = vm[i].min + (u32)(1 + oracle_random(&seed) % 16) * STEP;
			vm[i].weight = 50 + oracle_random(&seed) % 200;
			vm[i].w1 = (u32)(oracle_random(&seed) % (3 * STEP));
			vm[i].curve = random_curve(&seed, 20);
		}
		assert_int_equal(run(&d, vm, n), E_OK);
		assert_false(d.infeasible);
		for (u32 i = 0; i < n; i++) {
			assert_in_range(vm[i].target, vm[i].floor, vm[i].max);
			assert_true(vm[i].floor >= vm[i].min);
			sum += vm[i].target;
			floors += vm[i].floor;
			got += cost_of(&vm[i], vm[i].target);
		}
		assert_true(sum <= d.frames);
		best = brute(vm, n, 0, (d.frames - floors) / STEP);
		assert_true(got <= best + best / 1000);
		for (u32 i = 0; i < n; i++)
			free_curve(vm[i].curve);
	}
}

/* Beyond max_ops the answer is still good: within 2 % of the exact one. */
static void coarse_then_fine(void **state)
{
	u64 seed = 23;

	(void)state;
	for (u32 round = 0; round < 10; round++) {
		struct divide_vm vm[8] = { 0 };
		struct divide d = { .frames = 900 * STEP, .step_frames = STEP, .max_ops = ~0u };
		u64 exact = 0, rough = 0;

		for (u32 i = 0; i < 8; i++) {
			struct curve *c = new_curve(300);

			for (u32 k = 0; k < 6; k++)
				note(c, (u32)(oracle_random(&seed) % 300),
				     (u32)(oracle_random(&seed) % 300));
			for (u32 s = 0; s < 300; s++)
				note(c, s, (u32)(oracle_random(&seed) % (1 + 100 / (s + 1))));
			vm[i] = (struct divide_vm){ .max = 300 * STEP, .weight = 100, .curve = c };
		}
		breaths = 0;
		divide_breathe = breathe;
		assert_int_equal(run(&d, vm, 8), E_OK);
		divide_breathe = NULL;
		assert_in_range(breaths, d.ops / 4096 + 8 * 4, d.ops / 2048 + 8 * 8);
		assert_true(breaths > 4);
		assert_int_equal(d.step_used, STEP);
		for (u32 i = 0; i < 8; i++)
			exact += cost_of(&vm[i], vm[i].target);
		d.max_ops = 30000;
		assert_int_equal(run(&d, vm, 8), E_OK);
		assert_true(d.step_used > STEP);
		assert_true(d.ops < 150000);
		for (u32 i = 0; i < 8; i++)
			rough += cost_of(&vm[i], vm[i].target);
		assert_true(rough <= exact + exact / 20);
		for (u32 i = 0; i < 8; i++)
			free_curve(vm[i].curve);
	}
}

/* A loop's cliff: all of it or nothing, which greedy never finds. */
static void finds_cliffs(void **state)
{
	struct curve *loop = new_curve(40), *flat = new_curve(40);
	struct divide_vm vm[2] = {
		{ .max = 40 * STEP, .weight = 100, .curve = loop, .now = 10 * STEP },
		{ .max = 40 * STEP, .weight = 100, .curve = flat, .now = 10 * STEP },
	};
	struct divide d = { .frames = 20 * STEP, .step_frames = STEP, .move_cost = 1000 };

	(void)state;
	note(loop, 15, 100);
	for (u32 s = 0; s < 20; s++)
		note(flat, s, 2);
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_int_equal(vm[0].target, 16 * STEP);
	assert_int_equal(vm[1].target, 4 * STEP);
	assert_true(vm[0].cost_now > 0 && vm[0].cost_then == 0);
	vm[0].max = 14 * STEP; /* it does not fit: nothing for it, then */
	vm[1].now = 10 * STEP;
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_true(vm[1].target >= 10 * STEP);
	free_curve(loop);
	free_curve(flat);
}

/* Flat curves: whoever has the frames keeps them. */
static void flat_stays(void **state)
{
	struct curve *c = new_curve(64);
	struct divide_vm vm[3] = {
		{ .max = 64 * STEP, .weight = 100, .curve = c, .now = 30 * STEP },
		{ .max = 64 * STEP, .weight = 900, .curve = c, .now = 3 * STEP + 17 },
		{ .max = 64 * STEP, .weight = 10, .curve = c, .now = 27 * STEP - 17 },
	};
	struct divide d = { .frames = 60 * STEP, .step_frames = STEP, .move_cost = 5000 };

	(void)state;
	assert_int_equal(run(&d, vm, 3), E_OK);
	for (u32 i = 0; i < 3; i++)
		assert_in_range(vm[i].target, vm[i].now - STEP, vm[i].now + STEP);
	free_curve(c);
}

/* It touches all it can and saves most by more: but its floor ends at its fair share. */
static void hostile_floor_is_capped(void **state)
{
	struct curve *greedy = new_curve(64), *meek = new_curve(64);
	struct divide_vm vm[2] = {
		{ .max = 64 * STEP, .weight = 100, .curve = greedy, .w1 = 60 * STEP },
		{ .max = 64 * STEP, .weight = 300, .curve = meek, .w1 = STEP, .used = 20 * STEP },
	};
	struct divide d = { .frames = 40 * STEP, .step_frames = STEP };

	(void)state;
	note(greedy, 38, 5000);
	note(meek, 19, 50);
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_int_equal(vm[0].fair, 10 * STEP);
	assert_int_equal(vm[0].floor, 10 * STEP);
	assert_true(vm[0].flags & DIVIDE_FAIR_CUT);
	assert_true(vm[1].target >= 20 * STEP); /* in use and within its share: kept */
	vm[1].used = STEP; /* not in use: it may go, down to min */
	vm[1].min = 1;
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_int_equal(vm[0].target, 39 * STEP);
	assert_int_equal(vm[1].target, STEP);
	free_curve(greedy);
	free_curve(meek);
}

static void mins_that_do_not_fit(void **state)
{
	struct curve *c = new_curve(64);
	struct divide_vm vm[2] = {
		{ .min = 30 * STEP, .max = 64 * STEP, .weight = 100, .curve = c },
		{ .min = 10 * STEP, .max = 64 * STEP, .weight = 100, .curve = c },
	};
	struct divide d = { .frames = 20 * STEP, .step_frames = STEP };

	(void)state;
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_true(d.infeasible);
	assert_int_equal(d.short_frames, 20 * STEP);
	assert_int_equal(vm[0].target, 15 * STEP);
	assert_int_equal(vm[0].short_frames, 15 * STEP);
	assert_true(vm[0].flags & vm[1].flags & DIVIDE_MIN_CUT);
	free_curve(c);
}

static void goals_by_weight(void **state)
{
	struct curve *c = new_curve(64), *busy = new_curve(64);
	struct divide_vm vm[3] = {
		{ .max = 64 * STEP, .weight = 100, .curve = c, .goal = 50000 },
		{ .max = 64 * STEP, .weight = 200, .curve = c, .goal = 50000 },
		{ .max = 64 * STEP, .weight = 5000, .curve = busy, .min = 4 * STEP },
	};
	struct divide d = { .frames = 60 * STEP, .step_frames = STEP };

	(void)state;
	note(c, 19, 100); /* 50/s takes 20 steps */
	note(busy, 30, 30000);
	assert_int_equal(run(&d, vm, 3), E_OK);
	assert_in_range(vm[0].target, 20 * STEP, 21 * STEP);
	assert_in_range(vm[1].target, 20 * STEP, 21 * STEP);
	assert_true(vm[0].flags & vm[1].flags & DIVIDE_GOAL_MET);
	d.frames = 34 * STEP;
	assert_int_equal(run(&d, vm, 3), E_OK);
	assert_true(vm[1].flags & DIVIDE_GOAL_MET);
	assert_true(vm[0].flags & DIVIDE_GOAL_UNMET);
	assert_int_equal(vm[0].target, 10 * STEP);
	assert_int_equal(vm[0].short_frames, 10 * STEP);
	free_curve(c);
	free_curve(busy);
}

/* First touches count: they make a goal dearer, or beyond the reach of any memory, which then takes none for
 * it. */
static void goals_and_cold_misses(void **state)
{
	struct curve *c = new_curve(64), *busy = new_curve(64);
	struct divide_vm vm[2] = {
		{ .max = 64 * STEP, .weight = 500, .curve = c, .goal = 120000 },
		{ .max = 64 * STEP, .weight = 100, .curve = busy },
	};
	struct divide d = { .frames = 40 * STEP, .step_frames = STEP };
	u32 frames;

	(void)state;
	note(c, 9, 100);
	note(c, 19, 100);
	note(busy, 39, 30000);
	assert_int_equal(run(&d, vm, 2), E_OK); /* 100/s remain with 10 steps */
	assert_int_equal(vm[0].need, 10 * STEP);
	assert_true(vm[0].flags & DIVIDE_GOAL_MET);
	for (u32 i = 0; i < 50; i++)
		curve_note_cold(c, CURVE_DISC);
	assert_int_equal(run(&d, vm, 2), E_OK); /* 70/s besides the first touches: all 20 */
	assert_int_equal(vm[0].need, 20 * STEP);
	assert_true(vm[0].target >= 20 * STEP);
	vm[0].goal = 50000; /* exactly what first touches cost */
	assert_false(divide_goal_frames(c, 50000, &frames));
	assert_int_equal(frames, 0);
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_true(vm[0].flags & DIVIDE_GOAL_COLD);
	assert_false(vm[0].flags & (DIVIDE_GOAL_MET | DIVIDE_GOAL_UNMET));
	assert_int_equal(vm[0].need, 0);
	assert_int_equal(vm[1].target, 40 * STEP); /* nothing is wasted on it */
	assert_true(divide_goal_frames(c, 50001, &frames)); /* just within reach: all that helps */
	assert_int_equal(frames, 20 * STEP);
	vm[0].goal = 60000;
	vm[0].max = 15 * STEP; /* its own max is in the way: said, with how much */
	assert_int_equal(run(&d, vm, 2), E_OK);
	assert_true(vm[0].flags & DIVIDE_GOAL_UNMET);
	assert_int_equal(vm[0].short_frames, 5 * STEP);
	free_curve(c);
	free_curve(busy);
}

/* Goals of 60 steps on 50: the heaviest have theirs, the lightest loses, and a guest without a goal keeps its
 * min. */
static void infeasible_goals(void **state)
{
	struct curve *c = new_curve(64);
	struct divide_vm vm[4] = {
		{ .max = 64 * STEP, .weight = 100, .curve = c, .goal = 10000 },
		{ .max = 64 * STEP, .weight = 300, .curve = c, .goal = 10000 },
		{ .max = 64 * STEP, .weight = 200, .curve = c, .goal = 10000 },
		{ .max = 64 * STEP, .min = 5 * STEP, .weight = 10, .curve = c },
	};
	struct divide d = { .frames = 50 * STEP, .step_frames = STEP };

	(void)state;
	note(c, 19, 100);
	assert_int_equal(run(&d, vm, 4), E_OK);
	assert_false(d.infeasible); /* the mins fit */
	assert_true(vm[1].flags & vm[2].flags & DIVIDE_GOAL_MET);
	assert_int_equal(vm[1].target, 20 * STEP);
	assert_int_equal(vm[2].target, 20 * STEP);
	assert_true(vm[0].flags & DIVIDE_GOAL_UNMET);
	assert_int_equal(vm[0].target, 5 * STEP);
	assert_int_equal(vm[0].short_frames, 15 * STEP);
	assert_int_equal(vm[3].target, 5 * STEP);
	assert_int_equal(vm[3].short_frames, 0);
	free_curve(c);
}

static void refuses_nonsense(void **state)
{
	struct curve *c = new_curve(4);
	struct divide_vm vm[1] = { { .max = STEP, .weight = 1, .curve = c } };
	struct divide d = { .frames = 10 * STEP, .step_frames = STEP };
	u64 little[4];

	(void)state;
	assert_int_equal(divide_run(&d, vm, 1, little, sizeof(little)), E_NOMEM);
	assert_int_equal(run(&d, vm, 0), E_INVAL);
	vm[0].weight = 0;
	assert_int_equal(run(&d, vm, 1), E_INVAL);
	vm[0].weight = 1;
	vm[0].min = 2 * STEP;
	assert_int_equal(run(&d, vm, 1), E_INVAL);
	vm[0].min = 0;
	assert_int_equal(run(&d, vm, 1), E_OK);
	assert_int_equal(vm[0].target, STEP);
	d.frames = 3; /* fewer than a step */
	assert_int_equal(run(&d, vm, 1), E_OK);
	assert_int_equal(vm[0].target, 3);
	free_curve(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_brute_force),
		cmocka_unit_test(coarse_then_fine),
		cmocka_unit_test(finds_cliffs),
		cmocka_unit_test(flat_stays),
		cmocka_unit_test(hostile_floor_is_capped),
		cmocka_unit_test(mins_that_do_not_fit),
		cmocka_unit_test(goals_by_weight),
		cmocka_unit_test(goals_and_cold_misses),
		cmocka_unit_test(infeasible_goals),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
