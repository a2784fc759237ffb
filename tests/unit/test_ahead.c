/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_ahead.c - what is read back unasked: neighbours on the disk, and all of it while a guest wakes up.
 */
#include "mm/pager/ahead.h"
#include "tests/unit/pager_env.h"

#define DISK0 8000u
#define MS 1000000ull

/* Page order that has nothing to do with numbers: a walk by a step that is prime to n. */
static u32 shuffled(u32 i, u32 n) { return i * 77 % n; }

static void tick(u64 ms)
{
	fake_tsc += arch_ns_to_tsc(ms * MS);
}

/* n pages written and evicted in the order of shuffled(), so that this is their order in the swap area. */
static struct vm_mem *swapped_out(u32 n)
{
	env_start(4096, 1024);
	struct vm_mem *m = env_vm(0, 1024, 1024, DISK0, 4000);

	for (u32 i = 0; i < n; i++) {
		fill_page_with(m, shuffled(i, n), shuffled(i, n) * 8);
		if (i % 16 == 15) {
			evict_all(m);
			/* what is resident now would be evicted in the order of numbers */
		}
	}
	evict_all(m);
	for (u32 g = 0; g < n; g++)
		assert_int_equal(m->page[g].state, GPAGE_SWAP);
	return m;
}

static void a_run_is_what_lies_together_on_the_disk(void **s)
{
	struct vm_mem *m = swapped_out(320);
	struct ahead_run r;

	(void)s;
	for (u32 g = 0; g < 320; g++) {
		ahead_run(m, g, 1 + g % 40, &r);
		assert_in_range(r.n, 1, AHEAD_MOST);
		assert_true(r.n <= 1 + g % 40);
		assert_int_equal(r.g[r.at], g);
		for (u32 i = 0; i < r.n; i++)
			assert_int_equal(m->page[r.g[i]].loc, r.loc + i);
	}
	/* It ends where a page is back. */
	ahead_run(m, shuffled(40, 320), AHEAD_MOST, &r);
	assert_int_equal(r.n, AHEAD_MOST);
	expect_page(m, r.g[r.at + 1], r.g[r.at + 1] * 8);
	env_end();
}

static void reading_in_disk_order_takes_few_requests(void **s)
{
	struct vm_mem *m = swapped_out(320);
	u32 before = env.submitted, order[320], n = 0;

	(void)s;
	for (u32 slot = 0; slot < 1024; slot++) {
		u32 g = swap_page_at(slot, m->id);

		if (g != NO_GPFN.n && m->page[g].state == GPAGE_SWAP && m->page[g].loc == slot)
			order[n++] = g;
	}
	assert_int_equal(n, 320);
	for (u32 i = 0; i < n; i++) {
		expect_page(m, order[i], order[i] * 8);
		tick(400); /* never awake enough for the background */
	}
	assert_true(env.submitted - before < 320 / 12);
	assert_int_equal(m->n.ahead_background, 0);
	assert_int_equal(m->n.ahead + m->n.demand_reads, 320);
	env_end();
}

/* Blocks of the guest's own disk, in pages in another order. */
static void clean_pages_come_in_the_order_of_their_blocks(void **s)
{
	struct vm_mem *m;
	struct guest_io io;
	u32 before;

	(void)s;
	env_start(4096, 512);
	m = env_vm(0, 1024, 1024, DISK0, 4000);
	for (u32 b = 0; b < 64; b++)
		fill_block(DISK0 + b * 8, 5000 + b * 8);
	io_make(&io, m, GUEST_IO_READ, 0, 512, 0);
	io.nsegs = 64;
	for (u32 b = 0; b < 64; b++)
		io.segs[b] = (struct guest_seg_io){ { (u64)(900 - b * 3) * PAGE_SIZE }, PAGE_SIZE };
	assert_int_equal(io_now(&io), 0);
	evict_all(m);
	before = env.submitted;
	for (u32 b = 0; b < 64; b++)
		expect_page(m, 900 - b * 3, 5000 + b * 8);
	assert_true(env.submitted - before <= 4); /* 8, 16, 32 and the rest */
	env_end();
}

static void a_guess_tells_its_distance_when_it_is_touched(void **s)
{
	struct vm_mem *m = swapped_out(320);
	u32 g = shuffled(100, 320), other = NO_GPFN.n;

	(void)s;
	expect_page(m, g, g * 8);
	assert_int_equal(m->curve.total[CURVE_SWAP], 1); /* the one that was asked for */
	for (u32 h = 0; h < 320 && other == NO_GPFN.n; h++)
		if (h != g && m->page[h].state == GPAGE_HOT)
			other = h;
	assert_true(other != NO_GPFN.n && m->age[other] != AGE_NONE);
	assert_false(slat_get(&m->slat, (gpfn_t){ other }).accessed);
	env_check();
	expect_page(m, other, other * 8);
	pager_scan(m);
	assert_int_equal(m->curve.total[CURVE_SWAP], 1);
	assert_int_equal(m->n.ahead_used, 1);
	pager_scan(m);
	pager_scan(m);
	assert_int_equal(m->n.ahead_used + m->n.ahead_wasted, m->n.ahead);
	env_check();
	env_end();
}

static void wrong_guesses_make_it_read_less(void **s)
{
	struct vm_mem *m = swapped_out(1000);
	u32 first = 0, last = 0;

	(void)s;
	for (u32 i = 0; i < 60; i++) {
		u32 g = swap_page_at(i * 16 + 8, m->id);
		u64 before = m->n.ahead;

		if (m->page[g].state != GPAGE_SWAP)
			continue;
		expect_page(m, g, g * 8);
		tick(400);
		pager_scan(m);
		pager_scan(m);
		if (i < 5)
			first += (u32)(m->n.ahead - before);
		if (i >= 55)
			last += (u32)(m->n.ahead - before);
	}
	assert_true(first >= 20);
	assert_true(last * 3 < first);
	env_end();
}

/* A guest that was idle touches a few pages: the rest comes by itself, many a request, as long as there is
 * room. */
static void who_wakes_up_gets_all_of_it_back(void **s)
{
	struct vm_mem *m = swapped_out(960);
	u32 before = env.submitted, hot = 0;

	(void)s;
	for (u32 i = 0; i < 6; i++) {
		u32 g = shuffled(i * 150, 960);

		expect_page(m, g, g * 8);
		tick(5);
	}
	for (u32 i = 0; i < 2000; i++) {
		pager_chore();
		disk_one();
	}
	for (u32 g = 0; g < 960; g++)
		hot += m->page[g].state == GPAGE_HOT;
	assert_int_equal(hot, 960);
	assert_true(env.submitted - before < 960 / 10);
	assert_true(m->n.ahead_background > 800);
	env_check();
	for (u32 g = 0; g < 960; g++)
		expect_page(m, g, g * 8);
	env_end();
}

/* However few guests there are, and however many chores there were before: the next one serves who
 * wakes up. */
static void no_chore_passes_over_who_wakes_up(void **s)
{
	struct vm_mem *m = swapped_out(960);

	(void)s;
	for (u32 i = 0; i < 6; i++) {
		u32 g = shuffled(i * 150, 960);

		expect_page(m, g, g * 8);
		tick(5);
	}
	for (u32 i = 0; i < 20; i++) {
		assert_true(ahead_chore());
		disk_run();
	}
	env_end();
}

static void nothing_comes_back_for_one_that_sleeps_or_has_no_room(void **s)
{
	struct vm_mem *m = swapped_out(960);

	(void)s;
	for (u32 i = 0; i < 6; i++) {
		u32 g = shuffled(i * 150, 960);

		expect_page(m, g, g * 8);
		tick(400);
	}
	for (u32 i = 0; i < 100; i++) {
		pager_chore();
		disk_one();
	}
	assert_int_equal(m->n.ahead_background, 0);
	m->max = m->target = vmmem_held(m) + 100;
	for (u32 i = 6; i < 40; i++) {
		u32 g = shuffled(i * 20, 960);

		expect_page(m, g, g * 8);
		tick(1);
		pager_chore();
		assert_true(vmmem_held(m) <= m->max);
	}
	assert_int_equal(m->n.ahead_background, 0);
	env_check();
	env_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_is_what_lies_together_on_the_disk),
		cmocka_unit_test(reading_in_disk_order_takes_few_requests),
		cmocka_unit_test(clean_pages_come_in_the_order_of_their_blocks),
		cmocka_unit_test(a_guess_tells_its_distance_when_it_is_touched),
		cmocka_unit_test(wrong_guesses_make_it_read_less),
		cmocka_unit_test(who_wakes_up_gets_all_of_it_back),
		cmocka_unit_test(no_chore_passes_over_who_wakes_up),
		cmocka_unit_test(nothing_comes_back_for_one_that_sleeps_or_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
