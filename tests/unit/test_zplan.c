/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/pager/zplan.c mm/share/curve.c mm/share/curve_sleep.c mm/share/ages.c kernel/lib/fmt.c tests/fake/fake_arch.c */
/*
 * test_zplan.c - when a store of compressed pages pays, by curves of known form and costs of known disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/pager/zplan.h"

#define FRAMES 8192u
#define SEC 1000000000ull

static struct curve curve;
static struct ages ages;
static u64 storage[1200];

static void new_curve(void)
{
	memset(&ages, 0, sizeof(ages));
	ages_reset(&ages);
	memset(storage, 0, sizeof(storage));
	assert_true(curve_bytes(128) <= sizeof(storage));
	assert_int_equal(curve_init(&curve, 256, 128, storage, 0), 0);
}

/* Over a second, n touches spread evenly over distances [lo, hi) in frames. */
static void touches(u32 n, u32 lo, u32 hi)
{
	for (u32 i = 0; i < n; i++)
		curve_note_distance(&curve, CURVE_SWAP, lo + (u32)((u64)(hi - lo) * i / n));
}

static void a_second(void)
{
	curve_pass(&curve, &ages, SEC);
}

/* chunks a page that compresses; of ten pages so many do. */
static struct zplan plan(u64 read_us, u32 chunks, u32 of_ten, u64 try_us)
{
	struct zplan z = { .percent = ZPLAN_AUTO };

	for (u32 i = 0; i < 1000; i++)
		zplan_note_try(&z, i % 10 < of_ten ? chunks : 0, try_us * 1000);
	for (u32 i = 0; i < 100; i++)
		zplan_note_get(&z, try_us * 500);
	zplan_note_read(&z, 1000, read_us * 1000 * 1000);
	zplan_note_write(&z, 32, read_us * 1000);
	return z;
}

static void pays_where_it_reaches(void **s)
{
	struct zplan seek = plan(7000, 6, 10, 8), slow = plan(7000, 6, 10, 200), quick = plan(100, 6, 10, 8),
		     noise = plan(7000, 6, 0, 2);

	(void)s;
	new_curve();
	touches(2000, 0, 3 * FRAMES / 2);
	a_second();
	assert_true(zplan_choose(&seek, &curve, FRAMES, 0) >= FRAMES / 4);
	/* compressing takes longer than reading */
	assert_int_equal(zplan_choose(&slow, &curve, FRAMES, 0), 0);
	assert_int_equal(zplan_choose(&noise, &curve, FRAMES, 0), 0);
	/* nor beside a disk that does not seek */
	assert_int_equal(zplan_choose(&quick, &curve, FRAMES, 0), 0);
}

static void not_for_a_loop_out_of_reach(void **s)
{
	struct zplan z = plan(7000, 6, 10, 8);

	(void)s;
	new_curve();
	touches(2000, 3 * FRAMES, 3 * FRAMES + 10);
	a_second();
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), 0);
	new_curve(); /* one within reach of half the frames: 4096 + 4096 * 16 / 6 = 15018 */
	touches(2000, 14000, 14010);
	a_second();
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), FRAMES / 2);
}

/* A working set that fits by itself, and a few old pages: the store would take its place. */
static void not_at_the_cost_of_the_working_set(void **s)
{
	struct zplan z = plan(500, 6, 10, 8);

	(void)s;
	new_curve();
	touches(100000, FRAMES * 7 / 8, FRAMES - 1);
	touches(20, FRAMES, FRAMES * 2);
	a_second();
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), 0);
}

static void fresh_pages_count(void **s)
{
	struct zplan z = plan(500, 6, 10, 8);

	(void)s;
	new_curve();
	touches(200, FRAMES, FRAMES * 3 / 2);
	a_second();
	assert_true(zplan_choose(&z, &curve, FRAMES, 0) > 0);
	/* Ten thousand a second that are written once and pushed out. */
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 100000 * 1000), 0);
}

static void nothing_known_nothing_done(void **s)
{
	struct zplan z = { .percent = ZPLAN_AUTO };

	(void)s;
	new_curve();
	touches(2000, FRAMES, FRAMES * 3 / 2);
	a_second();
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), 0);
	for (u32 i = 0; i < 100; i++)
		zplan_note_try(&z, 5, 8000);
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), 0); /* what a read costs is not known */
	zplan_note_write(&z, 32, 7000000);
	zplan_note_read(&z, 100, 100 * 7000000ull);
	assert_true(zplan_choose(&z, &curve, FRAMES, 0) > 0);
	assert_in_range(zplan_choose(&z, &curve, 100, 0), 0, 50); /* the guest shrank */
}

/* The first that leave, before anything has come back. */
static void starts_where_compressing_is_quick(void **s)
{
	struct zplan z = { .percent = ZPLAN_AUTO }, noise = z, slow = z;

	(void)s;
	new_curve();
	a_second();
	for (u32 i = 0; i < 100; i++) {
		zplan_note_try(&z, 5, 8000);
		zplan_note_try(&noise, i % 3 ? 0 : 5, 8000);
		zplan_note_try(&slow, 5, 700000);
	}
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), 0); /* the disk is not known */
	for (u32 i = 0; i < 5; i++) {
		zplan_note_write(&z, 32, 2000000 + i % 2 * 3000000);
		zplan_note_write(&noise, 32, 2000000);
		zplan_note_write(&slow, 32, 2000000);
	}
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), FRAMES / 8);
	assert_int_equal(zplan_choose(&noise, &curve, FRAMES, 0), 0);
	assert_int_equal(zplan_choose(&slow, &curve, FRAMES, 0), 0);
	/* They do not come back, and more and more of them leave. */
	zplan_note_read(&z, 100, 100 * 7000000ull);
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 5000 * 1000), 0);
}

static void keeps_what_it_has(void **s)
{
	struct zplan z = plan(7000, 6, 10, 8);
	u32 first;

	(void)s;
	new_curve();
	touches(2000, 0, 2 * FRAMES);
	a_second();
	first = zplan_choose(&z, &curve, FRAMES, 0);
	for (u32 i = 0; i < 5; i++) {
		z.read_ns += z.read_ns / 200; /* half a per cent */
		assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), first);
	}
}

static void fixed(void **s)
{
	struct zplan z = { .percent = 25 };

	(void)s;
	new_curve();
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), FRAMES / 4);
	z.percent = 0;
	assert_int_equal(zplan_choose(&z, &curve, FRAMES, 0), 0);
}

/* Any numbers: no overflow, no division by zero, never more than half. */
static void any_numbers(void **s)
{
	u64 x = 1;

	(void)s;
	for (u32 i = 0; i < 20000; i++) {
		struct zplan z = { .percent = ZPLAN_AUTO };
		u64 *field[] = { &z.tried, &z.stored,  &z.chunks, &z.try_ns,   &z.gets,      &z.get_ns,
				 &z.reads, &z.read_ns, &z.writes, &z.write_ns, &z.request_ns };
		u32 frames;

		for (u32 k = 0; k < ARRAY_SIZE(field); k++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			*field[k] = x >> (x >> 58);
		}
		z.stored = MIN(z.stored & 4095, z.tried &= 4095);
		z.chunks = z.stored * (1 + x % 12);
		frames = (u32)(x >> 40);
		if (i % 100 == 0) {
			new_curve();
			touches((u32)(x >> 33) % 3000, (u32)(x % 20000), 20000 + (u32)(x % 10000));
			a_second();
		}
		assert_true(zplan_choose(&z, &curve, frames, x >> 20) <= frames / 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pays_where_it_reaches),
		cmocka_unit_test(not_for_a_loop_out_of_reach),
		cmocka_unit_test(not_at_the_cost_of_the_working_set),
		cmocka_unit_test(fresh_pages_count),
		cmocka_unit_test(nothing_known_nothing_done),
		cmocka_unit_test(starts_where_compressing_is_quick),
		cmocka_unit_test(keeps_what_it_has),
		cmocka_unit_test(fixed),
		cmocka_unit_test(any_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
