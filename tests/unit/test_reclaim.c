/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @pager kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_reclaim.c - guests that pay for others: how far they go, and in what pieces.
 */
#include "tests/unit/pager_env.h"

#define DISK0 8000u

static u32 lowest;

static void note(const struct vm_mem *m)
{
	lowest = MIN(lowest, vmmem_held(m));
}

/* b holds 301 dirty pages, 300 by right; a wants all there is. */
static struct vm_mem *one_above_its_min(u32 frames, struct vm_mem **b)
{
	struct vm_mem *a;

	env_start(frames, 1400);
	a = env_vm(0, 1800, 1800, DISK0, 1000);
	*b = env_vm(1, 600, 600, DISK0 + 1000, 1000);
	for (u32 g = 0; g < 301; g++)
		fill_page_with(*b, g, 1 + g * 8);
	squeeze(*b, vmmem_held(*b) - MIN(vmmem_held(*b), 301u));
	lowest = vmmem_held(*b);
	(*b)->min = (*b)->target = lowest - 1;
	return a;
}

static void who_pays_for_a_fault_keeps_its_min(void **s)
{
	struct vm_mem *a, *b;

	(void)s;
	a = one_above_its_min(1600, &b);
	for (u32 g = 0; g < 1800; g++) {
		fill_page_with(a, g, 2 + g * 8);
		note(b);
	}
	assert_int_equal(lowest, b->min);
	assert_true(a->n.swap_writes > 300);
	env_check();
	for (u32 g = 0; g < 301; g++)
		expect_page(b, g, 1 + g * 8);
	env_end();
}

static void who_makes_room_keeps_its_min(void **s)
{
	struct vm_mem *a, *b;

	(void)s;
	a = one_above_its_min(1600, &b);
	a->min = a->target = 1800;
	for (u32 g = 0; g < 1000; g++)
		fill_page_with(a, g, 2 + g * 8);
	for (u32 i = 0; i < 50; i++) {
		pager_make_room(500);
		pager_chore();
		note(b);
		disk_run();
		note(b);
	}
	assert_int_equal(lowest, b->min);
	env_check();
	env_end();
}

/* Its max was lowered to its min. */
static void a_lower_max_takes_no_more_than_it_says(void **s)
{
	struct vm_mem *m;

	(void)s;
	env_start(1600, 1400);
	m = env_vm(0, 600, 600, DISK0, 1000);
	for (u32 g = 0; g < 600; g++)
		fill_page_with(m, g, 1 + g * 8);
	m->max = m->min = m->target = 333;
	for (u32 i = 0; i < 1000 && vmmem_held(m) > 333; i++)
		if (!disk_one())
			pager_chore();
	disk_run();
	assert_int_equal(vmmem_held(m), 333);
	env_end();
}

/* Far above its min, a payer's dirty pages go by whole swap writes, a flush to two of them. */
static void others_pay_by_the_batch(void **s)
{
	struct vm_mem *a, *b;
	u32 flushes;

	(void)s;
	env_start(1600, 1400);
	a = env_vm(0, 900, 900, DISK0, 1000);
	b = env_vm(1, 1400, 1400, DISK0 + 1000, 1000);
	b->min = 200;
	b->target = 500;
	for (u32 g = 0; g < 1400; g++)
		fill_page_with(b, g, 1 + g * 8);
	env.submitted = 0;
	flushes = env.flushes[1];
	for (u32 g = 0; g < 800; g++)
		fill_page_with(a, g, 2 + g * 8);
	assert_int_equal(a->n.swap_writes, 0);
	assert_in_range(vmmem_held(b), 500, 700);
	assert_true(b->n.swap_writes > 600);
	assert_true(env.submitted <= b->n.swap_writes / 30);
	assert_true(env.flushes[1] - flushes <= b->n.softened / PAYER_BATCH + 1);
	env_check();
	env_end();
}

/* While a guest's last I/O drains, others' need starts none for it. */
static void nothing_new_is_written_of_one_that_drains(void **s)
{
	struct vm_mem *a, *b;
	struct guest_io io;
	u64 writes;

	(void)s;
	env_start(1600, 1400);
	a = env_vm(0, 1400, 1400, DISK0, 1000);
	b = env_vm(1, 900, 900, DISK0 + 1000, 1000);
	a->target = 500;
	for (u32 g = 0; g < 1400; g++)
		fill_page_with(a, g, 1 + g * 8);
	disk_run();
	io_make(&io, a, GUEST_IO_READ, 0, 8, 0);
	env_submit(&io);
	assert_int_equal(env.nqueue, 1);
	assert_int_equal(pager_drain(a), E_AGAIN);
	writes = a->n.swap_writes;
	for (u32 g = 0; g < 300; g++)
		cpu_touch(b, g, true);
	pager_make_room(100);
	for (u32 i = 0; i < 100; i++)
		pager_chore();
	assert_int_equal(a->n.swap_writes, writes);
	env_check();
	disk_run();
	assert_int_equal(pager_drain(a), 0);
	assert_int_equal(pager_reset(a), 0);
	for (u32 g = 0; g < 800; g++)
		fill_page_with(b, g, 2 + g * 8);
	env_end();
}

/* A guest that can't be helped is given up after some seconds of asking; those of a pause are not counted. */
static void a_pause_is_no_starving(void **s)
{
	struct vm_mem *m;
	u64 from;

	(void)s;
	env_start(1600, 0);
	m = env_vm(0, 900, 300, DISK0, 1000);
	for (u32 g = 0; g < 300; g++)
		fill_page_with(m, g, 1 + g * 8);
	assert_null(cpu_touch(m, 300, true));
	pager_chore();
	fake_tsc += arch_ns_to_tsc(60000000000ull); /* paused */
	pager_resumed(m);
	from = arch_ns();
	for (u32 i = 0; i < 100 && !m->dead; i++) {
		assert_null(cpu_touch(m, 300, true));
		pager_chore();
		fake_tsc += arch_ns_to_tsc(100000000ull);
	}
	assert_in_range(arch_ns() - from, 4000000000ull, 7000000000ull);
	assert_true(m->dead);
	env_end();
}

/* Eight ages of 1024 pages each, every eighth page of one age; 40 of the oldest can't be taken. About 3,200
 * go. */
static void pinned_pages_make_nobody_young_go(void **s)
{
	u32 gone[8] = { 0 }, got = 0;
	struct vm_mem *m;

	(void)s;
	env_start(16384, 4000);
	m = env_vm(0, 8192, 8192, 10000, 2000);
	m->no_cache = true;
	for (u32 g = 0; g < m->npages; g++)
		assert_non_null(cpu_page(m, g, true));
	for (u32 k = 0; k <= 8; k++) {
		for (u32 g = 0; g < m->npages; g++)
			if (g % 8 > k)
				assert_non_null(cpu_page(m, g, true));
		pager_scan(m);
		pager_flush(m);
	}
	for (u32 k = 0; k < 40; k++)
		m->page[k * 160].pins = 1;
	for (u32 tries = 0; got < 3000 && tries < 20000; tries++) {
		u32 before = vmmem_held(m);

		reclaim_take(m, 1);
		disk_run();
		got += before - vmmem_held(m);
	}
	for (u32 g = 0; g < m->npages; g++)
		gone[g % 8] += m->page[g].state != GPAGE_HOT;
	assert_int_equal(gone[0], 1024 - 40);
	for (u32 k = 1; k < 3; k++)
		assert_true(gone[k] >= 1000);
	assert_true(gone[4] + gone[5] + gone[6] + gone[7] <= 60);
	for (u32 k = 0; k < 40; k++)
		m->page[k * 160].pins = 0;
	env_end();
}

/* All that it may hold is on its way from the disk, and that transfer waits for its guest's turn: it is not
 * stuck. */
static void who_waits_for_a_turn_is_not_stuck(void **s)
{
	struct guest_io io;
	struct vm_mem *m;

	(void)s;
	env_start(5000, 512);
	m = env_vm(0, 2400, 2400, 5000, 15000);
	m->no_cache = true;
	io_make(&io, m, GUEST_IO_READ, 0, 136 * 8, 0);
	io_ended = 0;
	env_submit(&io);
	assert_true(env.again[0]);
	assert_int_equal(env.nqueue, 0);
	m->max = m->target = vmmem_held(m);
	for (u32 i = 0; i < 1000; i++) {
		assert_null(cpu_touch(m, 2300, true));
		fake_tsc += 10000000;
		(void)pager_chore();
	}
	assert_false(m->dead);
	m->max = m->target = 2400;
	disk_run();
	assert_int_equal(io_ended, 1);
	assert_int_equal(io_err, 0);
	env_end();
}

/* All that it may hold is pinned, and a transfer of its own can't get on: it is stopped after 5 s like one
 * that has none. */
static void a_transfer_saves_nobody(void **s)
{
	for (u32 with = 0; with < 3; with++) {
		struct guest_io io;
		struct vm_mem *m;
		u32 turns;

		(void)s;
		env_start(5000, 512);
		m = env_vm(0, 400, 400, 5000, 15000);
		m->no_cache = true;
		for (u32 g = 0; g < 100; g++)
			assert_non_null(cpu_page(m, g, true));
		for (u32 g = 0; g < m->npages; g++)
			m->page[g].pins = m->page[g].state == GPAGE_HOT;
		m->max = m->target = vmmem_held(m);
		io_make(&io, m, GUEST_IO_READ, 0, 8, 200 * PAGE_SIZE);
		if (with)
			env_submit(&io);
		for (turns = 0; turns < 1000 && !m->dead; turns++) {
			assert_null(cpu_touch(m, 300, true));
			fake_tsc += 10000000;
			(void)pager_chore();
			if (with < 2 || turns % 2) /* its vCPU may go first */
				(void)go_on();
		}
		assert_in_range(turns, 490, 515);
		for (u32 g = 0; g < m->npages; g++)
			m->page[g].pins = 0;
		disk_run();
		env_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_saves_nobody),
		cmocka_unit_test(who_waits_for_a_turn_is_not_stuck),
		cmocka_unit_test(pinned_pages_make_nobody_young_go),
		cmocka_unit_test(who_pays_for_a_fault_keeps_its_min),
		cmocka_unit_test(who_makes_room_keeps_its_min),
		cmocka_unit_test(a_lower_max_takes_no_more_than_it_says),
		cmocka_unit_test(others_pay_by_the_batch),
		cmocka_unit_test(a_pause_is_no_starving),
		cmocka_unit_test(nothing_new_is_written_of_one_that_drains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
