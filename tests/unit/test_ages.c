/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: mm/share/ages.c tools/oracle.c */
/*
 * test_ages.c - ages from accessed bits: the scan loop, counts, order, distances.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/share/ages.h"
#include "tools/oracle.h"

#define A BIT64(8)
#define PRESENT 7ull

struct model {
	struct ages a;
	u64 entry[4 * AGES_LEAF];
	u8 age[4 * AGES_LEAF];
	u32 stamp[4 * AGES_LEAF];
	u32 last[4 * AGES_LEAF]; /* pass of the last touch, by the test's own book */
};

static void pass(struct model *m)
{
	ages_begin_pass(&m->a);
	for (u32 i = 0; i < 4; i++)
		ages_scan_leaf(&m->a, m->entry + i * AGES_LEAF, m->age + i * AGES_LEAF, A);
	ages_end_pass(&m->a);
}

static struct model *fresh(void)
{
	struct model *m = calloc(1, sizeof(*m));

	ages_reset(&m->a);
	memset(m->age, AGE_NONE, sizeof(m->age));
	return m;
}

static void map(struct model *m, u32 p)
{
	m->entry[p] = (u64)p << 12 | PRESENT | A;
	ages_arrive(&m->a, &m->age[p]);
}

static void check_pop(struct model *m)
{
	u32 pop[AGES_N] = { 0 }, resident = 0;

	for (u32 p = 0; p < 4 * AGES_LEAF; p++) {
		assert_int_equal(!m->entry[p], m->age[p] == AGE_NONE);
		if (!m->entry[p])
			continue;
		pop[m->age[p]]++;
		resident++;
	}
	assert_memory_equal(pop, m->a.pop, sizeof(pop));
	assert_int_equal(resident, m->a.resident);
}

static void scan_ages_linearly(void **state)
{
	struct model *m = fresh();

	(void)state;
	for (u32 p = 0; p < 700; p++)
		map(m, p);
	for (u32 i = 1; i <= AGE_LINEAR; i++) {
		pass(m);
		check_pop(m);
		assert_int_equal(m->age[0], i);
		assert_int_equal(m->age[699], i);
		assert_int_equal(m->entry[5] & A, 0);
		assert_int_equal(m->a.w1, i == 1 ? 700 : 0);
	}
	m->entry[3] |= A | BIT64(9);
	pass(m);
	assert_int_equal(m->age[3], AGE_TOUCHED);
	assert_int_equal(m->entry[3], 3ull << 12 | PRESENT | BIT64(9));
	assert_int_equal(m->a.touch[AGE_LINEAR], 1);
	assert_int_equal(m->age[800], AGE_NONE); /* not resident */
	free(m);
}

/* Against a plain loop: every mix of holes, touched and ages. */
static void scan_equals_plain_loop(void **state)
{
	struct model *m = fresh();
	u64 seed = 7;

	(void)state;
	for (u32 round = 0; round < 400; round++) {
		u32 touched = 0;
		u8 want[4 * AGES_LEAF];
		u32 shape = oracle_random(&seed) % 5;

		for (u32 p = 0; p < 4 * AGES_LEAF; p++) {
			u32 r = oracle_random(&seed) % 16;

			if (!m->entry[p] && (shape == 0 || r == 0))
				map(m, p);
			else if (m->entry[p] && shape == 1 && r == 1) {
				ages_drop(&m->a, &m->age[p]);
				m->entry[p] = 0;
			}
			if (m->entry[p] && (shape == 2 || (shape == 3 && r < 3)))
				m->entry[p] |= A;
		}
		ages_begin_pass(&m->a);
		for (u32 p = 0; p < 4 * AGES_LEAF; p++) {
			bool hit = m->entry[p] & A;

			touched += hit;
			want[p] = !m->entry[p] ? m->age[p] :
				  hit ? AGE_TOUCHED : m->age[p] + (m->age[p] <= m->a.merge);
		}
		for (u32 i = 0; i < 4; i++)
			if (shape == 4 && !touched)
				ages_skip_leaf(&m->a, m->age + i * AGES_LEAF);
			else
				ages_scan_leaf(&m->a, m->entry + i * AGES_LEAF,
					       m->age + i * AGES_LEAF, A);
		ages_end_pass(&m->a);
		assert_int_equal(m->a.w1, touched);
		assert_memory_equal(want, m->age, sizeof(want));
		check_pop(m);
	}
	free(m);
}

/* However long it runs, ages keep the order of last touches and no age grows fat. */
static void order_is_kept_for_ever(void **state)
{
	struct model *m = fresh();
	u64 seed = 3;
	u32 n = 4 * AGES_LEAF, fat = 0;

	(void)state;
	for (u32 p = 0; p < n; p++)
		map(m, p);
	for (u32 t = 1; t < 3000; t++) {
		for (u32 i = 0; i < 3; i++) {
			u32 p = (u32)(oracle_random(&seed) % n * (oracle_random(&seed) % n) / n);

			m->entry[p] |= A;
			m->last[p] = t;
		}
		pass(m);
	}
	for (u32 p = 1; p < n; p++)
		for (u32 q = 0; q < p; q++)
			if (m->last[p] > m->last[q])
				assert_true(m->age[p] <= m->age[q]);
	for (u32 k = 2; k < AGES_N; k++) {
		u32 pages = 0;

		for (u32 p = 0; p < n; p++) /* those of the first pass share an age for ever */
			pages += m->last[p] && m->age[p] == k;
		fat = MAX(fat, pages);
	}
	assert_true(fat <= n / 50);
	free(m);
}

/* Evicted pages keep their place: distances bound the exact stack distance. */
static void distances_of_evicted_pages(void **state)
{
	struct model *m = fresh();
	struct ages_range r;
	u32 n = 1000;

	(void)state;
	for (u32 p = 0; p < n; p++) {
		map(m, p);
		if (p % 20 == 19)
			pass(m);
	}
	/* page p has n - 1 - p pages above it on the stack */
	for (u32 p = 0; p < n; p += 7) {
		m->stamp[p] = ages_evict(&m->a, &m->age[p]);
		m->entry[p] = 0;
	}
	check_pop(m);
	for (u32 p = 0; p < n; p += 7) {
		ages_distance(&m->a, m->stamp[p], &r);
		assert_in_range(n - 1 - p, r.lo, r.hi);
		assert_true(r.hi - r.lo <= 60);
	}
	for (u32 i = 0; i < 10; i++)
		pass(m); /* nothing touched: nothing moves */
	ages_return(&m->a, m->stamp[0], &m->age[0], &r);
	m->entry[0] = PRESENT | A;
	assert_in_range(n - 1, r.lo, r.hi);
	ages_distance(&m->a, m->stamp[7], &r); /* page 0 is above it now */
	assert_in_range(n - 1 - 7 + 1, r.lo, r.hi);
	pass(m);
	assert_int_equal(m->age[0], AGE_TOUCHED);
	assert_int_equal(m->a.touch[AGE_NEW], 1);
	assert_int_equal(m->a.touched, 0); /* its return was noted already */
	ages_forget(&m->a, m->stamp[14]);
	check_pop(m);
	free(m);
}

static void hand_touch(void **state)
{
	struct model *m = fresh();
	struct ages_range r;

	(void)state;
	for (u32 p = 0; p < 100; p++) {
		map(m, p);
		pass(m);
	}
	assert_true(ages_touch(&m->a, &m->age[50], &r));
	assert_in_range(49, r.lo, r.hi);
	assert_int_equal(m->age[50], AGE_NEW);
	assert_false(ages_touch(&m->a, &m->age[50], &r));
	check_pop(m);
	pass(m);
	assert_int_equal(m->age[50], 1); /* counted as arrived, not as touched twice */
	assert_int_equal(m->a.w1, 0);
	free(m);
}

static void threshold_and_choice(void **state)
{
	struct model *m = fresh();
	struct ages_choice ch;
	u32 t, n = 0;

	(void)state;
	for (u32 p = 0; p < 300; p++) {
		map(m, p);
		if (p % 30 == 29)
			pass(m);
	}
	t = ages_threshold(&m->a, 60);
	for (u32 p = 0; p < 300; p++)
		n += m->age[p] >= t;
	assert_int_equal(n, 60);
	ages_choose(&m->a, 61, &ch);
	assert_int_equal(ch.pages, 90);
	assert_true(ages_chosen(&ch, m->age[0]));
	assert_true(ages_chosen(&ch, m->age[89]));
	assert_false(ages_chosen(&ch, m->age[90]));
	assert_int_equal(ages_threshold(&m->a, 301), 0);
	assert_int_equal(ages_used(&m->a, 2), 60);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_ages_linearly),
		cmocka_unit_test(scan_equals_plain_loop),
		cmocka_unit_test(order_is_kept_for_ever),
		cmocka_unit_test(distances_of_evicted_pages),
		cmocka_unit_test(hand_touch),
		cmocka_unit_test(threshold_and_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
