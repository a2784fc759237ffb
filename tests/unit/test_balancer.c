/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/balancer.c kernel/resting.c mm/share/scan_clock.c mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c mm/frame.c boot/config.c boot/config_keys.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c kernel/trace/trace.c kernel/trace/trace_note.c mm/share/payer.c mm/share/promise.c */
/*
 * test_balancer.c - the clockwork around the division: scan periods, targets, the operator's atomic QoS,
 * guests that take turns when they thrash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "kernel/pcpu.h"
#include "kernel/balancer.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "mm/share/scan_clock.h"
#include "kernel/vm.h"
#include "mm/pager/swap.h"
#include "tests/fake/fake_arch.h"

#define FRAMES 40000u
#define SLOTS 120000u
#define SEC 1000000000ull

struct vm *vm_all[VM_MAX];
u32 vm_count;
struct pcpu pcpu_boot;
void (*pager_miss_hook)(struct vm_mem *m);
static struct vm vms[VM_MAX];
static u32 scans, scan_cost;
static u32 scans_of[VM_MAX], cost_of[VM_MAX]; /* 0: scan_cost */
static u32 rate_of[VM_MAX]; /* pages it touches a second; 0: W1 stays as it is set */
static u64 scan_time, pass_started[VM_MAX];
static char why[224];

const char *vm_state_name(enum vm_state s) { return s == VM_REFUSED ? "refused" : "?"; }
u32 pager_guest_frames(void) { return FRAMES; }
u32 swap_slots(void) { return SLOTS; }
void block_share(u32 owner, u32 weight, u32 iops, u64 bps)
{
	(void)owner;
	(void)weight;
	(void)iops;
	(void)bps;
}

void pager_scan(struct vm_mem *m)
{
	u32 cost = cost_of[m->id] ? cost_of[m->id] : scan_cost;

	scans++;
	scans_of[m->id]++;
	if (rate_of[m->id])
		m->ages.w1_avg = (u32)MIN(rate_of[m->id] * (fake_tsc - pass_started[m->id]) / SEC,
					  (u64)m->ages.resident);
	pass_started[m->id] = fake_tsc;
	scan_time += cost;
	fake_tsc += cost;
}

static int setup(void **state)
{
	const struct boot_range ram = { 0, 8192 * PAGE_SIZE, true };

	(void)state;
	fake_arena(8192);
	assert_int_equal(frame_init(&ram, 1, NULL, 0), 0);
	fake_tsc = SEC;
	scans = 0;
	scan_cost = 1000;
	scan_time = 0;
	memset(scans_of, 0, sizeof(scans_of));
	memset(cost_of, 0, sizeof(cost_of));
	memset(rate_of, 0, sizeof(rate_of));
	memset(vms, 0, sizeof(vms));
	assert_int_equal(balancer_init(0), 0);
	vm_count = 2;
	for (u32 i = 0; i < VM_MAX; i++) {
		struct vm *vm = &vms[i];
		u32 points = 400;

		vm_all[i] = vm;
		vm->id = (u8)i;
		fmt(vm->name, sizeof(vm->name), "g%u", i);
		vm->state = VM_RUNNING;
		vm->weight = 100;
		vm->mem.vm = vm;
		vm->mem.id = (u8)i;
		vm->mem.npages = 65536;
		vm->mem.min = 4096;
		vm->mem.max = 65536;
		vm->mem.page = (struct gpage *)vms;
		ages_reset(&vm->mem.ages);
		assert_int_equal(curve_init(&vm->mem.curve, CURVE_STEP_FRAMES, points,
					    pfn_ptr(frame_get_run(
						    (u32)(curve_bytes(points) / PAGE_SIZE + 1))),
					    fake_tsc),
				 0);
		if (i < vm_count)
			balancer_started(vm);
	}
	return 0;
}

static void run_for(u64 ns)
{
	u64 end = fake_tsc + ns;

	while (fake_tsc < end) {
		fake_tsc = MAX(fake_tsc + 1000, MIN(balancer_due(), end));
		balancer_poll(fake_tsc);
	}
}

static void test_start(void **state)
{
	(void)state;
	assert_in_range(vms[0].mem.target, FRAMES / 2 - 300, FRAMES / 2);
	assert_int_equal(vms[0].mem.target, vms[1].mem.target);
	assert_non_null(balancer_vm(&vms[0]));
	assert_null(balancer_vm(&vms[2])); /* not started */
	run_for(10 * SEC);
	assert_true(scans > 4);
	assert_true(balancer_state()->decisions > 5);
	balancer_stopped(&vms[1]);
	assert_null(balancer_vm(&vms[1]));
	assert_int_equal(vms[1].mem.target, 0);
	run_for(5 * SEC);
	assert_in_range(vms[0].mem.target, FRAMES - 600, FRAMES);
}

/* A burst is heard at once, but guests that make nothing else do not buy divisions without end. */
static void test_bursts(void **state)
{
	u64 end;
	u32 before;

	(void)state;
	run_for(3 * SEC);
	before = balancer_state()->decisions;
	for (end = fake_tsc + SEC; fake_tsc < end; run_for(SEC / 500))
		for (u32 i = 0; i < 40; i++)
			pager_miss_hook(&vms[fake_tsc / (SEC / 8) % 2].mem); /* each has windows of its own */
	assert_in_range(balancer_state()->decisions - before, 3, 6);
}

static void touches(struct vm *vm, u32 w1, u32 resident)
{
	vm->mem.ages.w1 = vm->mem.ages.w1_avg = w1;
	vm->mem.ages.resident = resident;
}

static struct scan_state scan_of(u32 i)
{
	struct scan_state s;

	scan_clock_state(i, fake_tsc, &s);
	return s;
}

/* The period follows W1 while that is cheap; the budget wins: 0.5 % less a sixteenth and a scan of 20 ms for
 * each of two are 8.5 s. */
static void test_scan_period(void **state)
{
	(void)state;
	touches(&vms[0], 20000, 20000);
	touches(&vms[1], 20000, 20000);
	run_for(5 * SEC);
	assert_int_equal(scan_of(0).period_ns, SEC / 10);
	assert_int_equal(scan_of(0).limit, SCAN_SHORTEST);
	assert_int_equal(scan_of(0).w1_permille, 1000);
	touches(&vms[0], 400, 20000); /* 2 %: it is right as it is */
	run_for(2 * SEC);
	assert_int_equal(scan_of(0).period_ns, SEC / 10);
	assert_int_equal(scan_of(0).limit, SCAN_AS_WANTED);
	touches(&vms[0], 20000, 20000);
	scan_cost = 20000000;
	run_for(100 * SEC);
	assert_in_range(scan_of(0).period_ns, 83 * SEC / 10, 86 * SEC / 10);
	assert_int_equal(scan_of(0).limit, SCAN_BY_BUDGET);
	assert_int_equal(scan_of(0).wanted_ns, SEC / 10);
	/* One that needs few passes leaves its share to the other. */
	cost_of[1] = 1000;
	run_for(40 * SEC);
	assert_in_range(scan_of(0).period_ns, 4 * SEC, 45 * SEC / 10);
	/* Paused, it keeps none of it. */
	cost_of[1] = 0;
	run_for(100 * SEC);
	assert_in_range(scan_of(0).period_ns, 83 * SEC / 10, 86 * SEC / 10);
	vms[1].state = VM_PAUSED;
	run_for(60 * SEC);
	assert_in_range(scan_of(0).period_ns, 4 * SEC, 45 * SEC / 10);
	scan_cost = 1000;
	touches(&vms[0], 0, 20000); /* idle: seldom is enough */
	run_for(60 * SEC);
	assert_int_equal(scan_of(0).period_ns, 4 * SEC);
}

/* Over any span of 10 s: what was used, against the budget, its credit, and the one pass that may go over. */
static void hold_budget(u32 ppm, u64 dearest)
{
	enum { SPANS = 60 };
	u64 used[SPANS + 1], at[SPANS + 1];

	for (u32 t = 0; t <= SPANS; t++) {
		used[t] = scan_time;
		at[t] = fake_tsc;
		if (t < SPANS)
			run_for(SEC / 2 + SEC / 7 * (t % 3));
	}
	for (u32 i = 0; i < SPANS; i++)
		for (u32 j = i + 1; j <= SPANS; j++)
			assert_true(used[j] - used[i] <=
				    (at[j] - at[i] + SCAN_CREDIT_NS) / 1000000 * ppm + dearest);
}

/* 1 to 16 guests, whatever they touch and however unevenly their passes cost; what is shown is what
 * was used. */
static void test_scan_budget(void **state)
{
	static const u32 w1[] = { 0, 20, 400, 4000, 20000 },
			 budgets[] = { SCAN_BUDGET_DEFAULT, SCAN_BUDGET_MIN, 20000, SCAN_BUDGET_MAX };
	u64 dearest = 0, seed = 1;

	for (u32 n = 1; n <= VM_MAX; n++) {
		u32 ppm = budgets[n % 4];
		u64 before, from;

		setup(state);
		for (u32 i = 2; i < n; i++)
			balancer_started(&vms[i]);
		if (n == 1)
			balancer_stopped(&vms[1]);
		vms[1].state = n > 1 ? VM_RUNNING : VM_OFF;
		vm_count = MAX(n, 2u);
		assert_int_equal(scan_clock_set_budget(ppm, fake_tsc), 0);
		dearest = 0;
		for (u32 i = 0; i < n; i++) {
			touches(&vms[i], w1[(i + n) % 5], 20000);
			seed = seed * 6364136223846793005ull + 1;
			cost_of[i] = (u32)(100000 + (seed >> 33) % 20000000); /* 0.1 to 20 ms */
			dearest = MAX(dearest, cost_of[i]);
		}
		hold_budget(ppm, dearest);
		for (u32 i = 0; i < n; i++) /* phases change */
			touches(&vms[i], w1[(i + 2 * n + 1) % 5], 20000);
		hold_budget(ppm, dearest);
		from = fake_tsc;
		before = scan_time;
		run_for(SCAN_SHOWN_NS - 1 - from % SEC); /* to the end of a second, nearly */
		assert_in_range(scan_clock_used(fake_tsc), 0, ppm + 2 * dearest / 10000 + ppm / 2);
		assert_true((u64)scan_clock_used(fake_tsc) * 10000 >= (scan_time - before) * 9 / 10);
	}
}

/* Who touches everything takes no pass from those that are content with their share. */
static void test_scan_shares(void **state)
{
	(void)state;
	for (u32 i = 2; i < 4; i++)
		balancer_started(&vms[i]);
	vm_count = 4;
	cost_of[0] = 16000000;
	touches(&vms[0], 60000, 60000);
	for (u32 i = 1; i < 4; i++) {
		cost_of[i] = 1000000; /* 1 ms at 1 Hz: 0.1 %, below an equal share of 0.125 % */
		touches(&vms[i], 400, 20000);
		rate_of[i] = 400;
	}
	run_for(60 * SEC);
	memset(scans_of, 0, sizeof(scans_of));
	run_for(60 * SEC);
	for (u32 i = 1; i < 4; i++) {
		assert_int_equal(scan_of(i).limit, SCAN_AS_WANTED);
		assert_in_range(scans_of[i], 57, 60);
	}
	assert_int_equal(scan_of(0).limit, SCAN_BY_BUDGET);
	assert_in_range(scans_of[0], 5, 7); /* what is left: 0.17 % */
	assert_in_range(scan_clock_used(fake_tsc), 3000, SCAN_BUDGET_DEFAULT + 1600);
}

/* Two early passes after a burst; no more for those that make bursts all the time, and all within
 * the budget. */
static void test_scan_hurry(void **state)
{
	(void)state;
	touches(&vms[0], 1, 20000); /* nearly idle: scanned each 4 s */
	touches(&vms[1], 1, 20000);
	run_for(30 * SEC);
	assert_int_equal(scan_of(0).period_ns, 4 * SEC);
	run_for(scan_clock_due(0) + SEC - fake_tsc);
	memset(scans_of, 0, sizeof(scans_of));
	for (u32 i = 0; i < 16; i++)
		pager_miss_hook(&vms[0].mem);
	run_for(SEC / 4);
	assert_int_equal(scans_of[0], 2);
	run_for(3 * SEC);
	assert_in_range(scans_of[1], 5, 6); /* has the other stopped? */
	assert_in_range(scans_of[0], 6, 8);
	run_for(9 * SEC / 10);
	assert_in_range(scans_of[1], 5, 7);
	memset(scans_of, 0, sizeof(scans_of));
	for (u32 t = 0; t < 150; t++) {
		for (u32 i = 0; i < 40; i++)
			pager_miss_hook(&vms[0].mem);
		run_for(SEC / 50);
	}
	assert_in_range(scans_of[0], 2, 10);
	scan_cost = 10000000;
	run_for(60 * SEC);
	hold_budget(SCAN_BUDGET_DEFAULT, scan_cost);
}

/* A new budget holds at once: what is owed is paid at the new rate. */
static void test_scan_set(void **state)
{
	u32 before;

	(void)state;
	scan_cost = 50000000;
	touches(&vms[0], 20000, 20000);
	touches(&vms[1], 20000, 20000);
	run_for(100 * SEC);
	assert_in_range(scan_of(0).period_ns, 20 * SEC, 22 * SEC);
	assert_int_equal(scan_clock_set_budget(0, fake_tsc), E_RANGE);
	assert_int_equal(scan_clock_set_budget(SCAN_BUDGET_MAX + 1, fake_tsc), E_RANGE);
	assert_int_equal(scan_clock_budget(), SCAN_BUDGET_DEFAULT);
	before = scans;
	assert_int_equal(scan_clock_set_budget(100000, fake_tsc), 0);
	run_for(10 * SEC);
	assert_in_range(scans - before, 17, 21); /* 10 % of 10 s */
}

static void test_qos(void **state)
{
	struct qos_change q[2] = { { .vm = &vms[0], .set_min = true, .min = 64 * MIB },
				   { .vm = &vms[1], .set_max = true, .max = 32 * MIB } };

	(void)state;
	assert_int_equal(balancer_set_qos(q, 2, why, sizeof(why)), 0);
	assert_int_equal(vms[0].mem.min, 64 * 256);
	assert_int_equal(vms[1].mem.max, 32 * 256);
	run_for(5 * SEC);
	assert_true(vms[1].mem.target <= 32 * 256);
	assert_true(vms[0].mem.target >= 64 * 256);
	/* All or nothing. */
	q[0].min = 80 * MIB;
	q[1].max = 1000 * MIB;
	assert_int_equal(balancer_set_qos(q, 2, why, sizeof(why)), E_INVAL);
	assert_non_null(strstr(why, "nothing changed"));
	assert_int_equal(vms[0].mem.min, 64 * 256);
	/* Mins that do not fit together: 40,000 frames are 156 MiB. */
	q[0].min = 150 * MIB;
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), E_INVAL);
	assert_non_null(strstr(why, "nothing changed"));
	assert_int_equal(vms[0].mem.min, 64 * 256);
	q[0] = (struct qos_change){ .vm = &vms[0], .set_weight = true, .weight = 0 };
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), E_INVAL);
	q[0] = (struct qos_change){
		.vm = &vms[0], .set_weight = true, .weight = 300, .set_miss = true, .miss_goal = 50000
	};
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), 0);
	assert_int_equal(vms[0].weight, 300);
	assert_int_equal(vms[0].miss_goal, 50000);
	vms[2].mem.page = NULL;
	vms[2].state = VM_REFUSED;
	q[0].vm = &vms[2];
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), E_INVAL);
	assert_non_null(strstr(why, "refused"));
}

/* 256 MiB of RAM each, half as much of memory and 468 MiB of swap: what a max keeps out of memory must fit
 * the swap area. */
static void test_qos_needs_swap(void **state)
{
	struct qos_change q[2] = { { .vm = &vms[0], .set_max = true, .max = 20 * MIB },
				   { .vm = &vms[1], .set_max = true, .max = 20 * MIB } };

	(void)state;
	assert_int_equal(balancer_set_qos(q, 2, why, sizeof(why)), E_INVAL);
	assert_string_equal(why, "guests' ram above their max would need 472.5 MiB of swap of 480000 KiB "
				 "there are; nothing changed; "
				 "try a larger max");
	assert_int_equal(vms[0].mem.max, 65536);
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), 0);
	assert_int_equal(balancer_set_qos(q + 1, 1, why, sizeof(why)), E_INVAL);
	q[1].max = 24 * MIB;
	assert_int_equal(balancer_set_qos(q + 1, 1, why, sizeof(why)), 0);
	assert_int_equal(vms[1].mem.max, 24 * 256);
}

/* A min above the guest's RAM is for its cache, which others' RAM can't have then. */
static void test_qos_min_above_ram(void **state)
{
	struct qos_change q = { .vm = &vms[0], .set_min = true, .min = 130 * MIB };

	(void)state;
	vms[0].mem.npages = 4096;
	vms[1].mem.npages = FRAMES + SLOTS - 20000;
	vms[1].mem.max = vms[1].mem.npages;
	assert_int_equal(balancer_set_qos(&q, 1, why, sizeof(why)), E_INVAL);
	assert_string_equal(why, "guests would be promised 693120 KiB, but there are 160000 KiB of memory + "
				 "480000 KiB of swap; nothing "
				 "changed; try a smaller min");
	assert_int_equal(vms[0].mem.min, 4096);
	q.min = 78 * MIB;
	assert_int_equal(balancer_set_qos(&q, 1, why, sizeof(why)), 0);
	/* What is promised already is no reason to refuse what makes it no worse. */
	vms[1].mem.npages += 20000;
	q.min = 70 * MIB;
	assert_int_equal(balancer_set_qos(&q, 1, why, sizeof(why)), 0);
	q = (struct qos_change){ .vm = &vms[1], .set_weight = true, .weight = 200 };
	assert_int_equal(balancer_set_qos(&q, 1, why, sizeof(why)), 0);
}

/* Both touch all there is and wait most of the time: they take turns. */
static void test_turns(void **state)
{
	u32 rested[2] = { 0, 0 }, together = 0;

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		vms[i].mem.ages.w1 = vms[i].mem.ages.w1_avg = 30000;
		vms[i].mem.ages.resident = 20000;
	}
	for (u32 t = 0; t < 60; t++) {
		for (u32 i = 0; i < 2; i++)
			vms[i].mem.n.stall_ticks += SEC * 9 / 10;
		run_for(SEC);
		for (u32 i = 0; i < 2; i++) {
			bool rests = vms[i].state == VM_RESTING;

			rested[i] += rests;
			if (rests)
				vms[i].mem.stuck_since_ns = 1;
			else
				/* it did not starve while it rested */
				assert_int_equal(vms[i].mem.stuck_since_ns, 0);
		}
		together += balancer_resting() > 1;
	}
	assert_true(rested[0] > 5);
	assert_true(rested[1] > 5);
	assert_int_equal(together, 0);
}

static void misses(struct vm *vm, u32 n, u32 pages)
{
	for (u32 k = 0; k < n; k++)
		curve_note_distance(&vm->mem.curve, CURVE_SWAP, k * 7919u % pages);
}

static void pass(struct vm *vm)
{
	curve_pass(&vm->mem.curve, &vm->mem.ages, fake_tsc);
}

/* Seconds in which guest i misses within n[i] pages, those that run. */
static void work(u32 seconds, const u32 n[2])
{
	for (u32 t = 0; t < seconds; t++) {
		for (u32 i = 0; i < 2; i++)
			if (vms[i].state == VM_RUNNING)
				misses(&vms[i], n[i] / 10, n[i]);
		run_for(SEC);
		for (u32 i = 0; i < 2; i++)
			if (vms[i].state == VM_RUNNING)
				pass(&vms[i]);
	}
}

/* What a paused guest does not use is for others; when it is back it counts for as much as before. */
static void test_paused(void **state)
{
	static const u32 quiet[2] = { 30000, 3000 }, busy[2] = { 30000, 33000 };
	u64 known;
	u32 had;

	(void)state;
	work(20, quiet);
	had = vms[0].mem.target;
	assert_true(had > 25000);
	known = curve_misses_at(&vms[0].mem.curve, 15000);
	assert_true(known > 0);
	vms[0].state = VM_PAUSED;
	balancer_away(&vms[0]);
	run_for(SEC / 10);
	assert_int_equal(balancer_vm(&vms[0])->why.reason, BALANCE_AWAY);
	assert_false(balancer_vm(&vms[0])->why.flags & DIVIDE_CAPPED);
	work(20, busy);
	assert_int_equal(vms[0].mem.target, vms[0].mem.min);
	assert_true(vms[1].mem.target > 33000);
	work(3600, quiet);
	assert_int_equal(vms[0].mem.target, vms[0].mem.min);
	balancer_back(&vms[0]);
	vms[0].state = VM_RUNNING;
	pass(&vms[0]);
	assert_in_range(curve_misses_at(&vms[0].mem.curve, 15000), known * 9 / 10, known);
	work(3, quiet);
	assert_true(vms[0].mem.target > had * 9 / 10);
}

/* The others have what one that rests leaves. */
static void test_rest_makes_room(void **state)
{
	u32 rests = 0, most = 0;

	(void)state;
	for (u32 i = 0; i < 2; i++)
		touches(&vms[i], 30000, 20000);
	for (u32 t = 0; t < 600; t++) {
		for (u32 i = 0; i < 2; i++)
			if (vms[i].state == VM_RUNNING) {
				vms[i].mem.n.stall_ticks += SEC / 10;
				misses(&vms[i], 50, 30000);
			}
		run_for(SEC / 10);
		for (u32 i = 0; i < 2; i++) {
			if (vms[i].state == VM_RUNNING)
				pass(&vms[i]);
			if (vms[i].state != VM_RESTING || fake_tsc - vms[i].rested_at < 2 * SEC)
				continue;
			rests++;
			most = MAX(most, vms[i].mem.target);
			assert_true(vms[!i].mem.target > 29000);
		}
	}
	assert_true(rests > 50);
	assert_int_equal(most, vms[0].mem.min);
}

/* One that keeps to its share does not rest for the other's sake. */
static void test_innocent(void **state)
{
	(void)state;
	vms[0].mem.ages.w1 = vms[0].mem.ages.w1_avg = 10000;
	vms[1].mem.ages.w1 = vms[1].mem.ages.w1_avg = 50000;
	for (u32 t = 0; t < 40; t++) {
		for (u32 i = 0; i < 2; i++)
			vms[i].mem.n.stall_ticks += SEC * 9 / 10;
		run_for(SEC);
		assert_int_equal(vms[0].state, VM_RUNNING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start, setup),
		cmocka_unit_test_setup(test_bursts, setup),
		cmocka_unit_test_setup(test_scan_period, setup),
		cmocka_unit_test_setup(test_scan_budget, setup),
		cmocka_unit_test_setup(test_scan_shares, setup),
		cmocka_unit_test_setup(test_scan_set, setup),
		cmocka_unit_test_setup(test_scan_hurry, setup),
		cmocka_unit_test_setup(test_qos, setup),
		cmocka_unit_test_setup(test_qos_needs_swap, setup),
		cmocka_unit_test_setup(test_qos_min_above_ram, setup),
		cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_innocent, setup),
		cmocka_unit_test_setup(test_paused, setup),
		cmocka_unit_test_setup(test_rest_makes_room, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
