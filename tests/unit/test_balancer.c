/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/balancer.c kernel/resting.c kernel/trace.c kernel/trace_note.c mm/ages.c mm/curve.c mm/divide.c mm/balance.c mm/balance_qos.c mm/frame.c boot/config.c boot/config_keys.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
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

#include "kernel/balancer.h"
#include "kernel/lib/lib.h"
#include "kernel/pager.h"
#include "kernel/vcpu.h"
#include "tests/fake/fake_arch.h"

#define FRAMES 40000u
#define SEC 1000000000ull

struct vm *vm_all[VM_MAX];
u32 vm_count;
struct vcpu_sched vcpu_sched;
void (*pager_miss_hook)(struct vm_mem *m);
static struct vm vms[3];
static u32 scans, scan_cost;
static char why[224];

const char *vm_state_name(enum vm_state s) { return s == VM_REFUSED ? "refused" : "?"; }
u32 pager_guest_frames(void) { return FRAMES; }

void pager_scan(struct vm_mem *m)
{
	(void)m;
	scans++;
	fake_tsc += scan_cost;
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
	memset(vms, 0, sizeof(vms));
	assert_int_equal(balancer_init(), 0);
	vm_count = 2;
	for (u32 i = 0; i < 3; i++) {
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
					    pfn_ptr(frame_get_run((u32)(curve_bytes(points) / PAGE_SIZE + 1))), fake_tsc), 0);
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

/* The budget wins: a scan of 20 ms a guest comes each 2 s at the most, whatever is touched. */
static void test_scan_budget(void **state)
{
	(void)state;
	vms[0].mem.ages.w1_avg = vms[1].mem.ages.w1_avg = 20000;
	vms[0].mem.ages.resident = vms[1].mem.ages.resident = 20000;
	run_for(5 * SEC);
	assert_int_equal(balancer_scan_period_ns(&vms[0]), SEC / 10);
	scan_cost = 20000000;
	run_for(5 * SEC);
	assert_int_equal(balancer_scan_period_ns(&vms[0]), 2 * SEC);
	scan_cost = 1000;
	vms[0].mem.ages.w1_avg = 0; /* idle: seldom is enough */
	run_for(20 * SEC);
	assert_int_equal(balancer_scan_period_ns(&vms[0]), 4 * SEC);
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
	q[0] = (struct qos_change){ .vm = &vms[0], .set_weight = true, .weight = 300, .set_miss = true, .miss_goal = 50000 };
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), 0);
	assert_int_equal(vms[0].weight, 300);
	assert_int_equal(vms[0].miss_goal, 50000);
	vms[2].mem.page = NULL;
	vms[2].state = VM_REFUSED;
	q[0].vm = &vms[2];
	assert_int_equal(balancer_set_qos(q, 1, why, sizeof(why)), E_INVAL);
	assert_non_null(strstr(why, "refused"));
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
		for (u32 i = 0; i < 2; i++)
			rested[i] += vms[i].state == VM_RESTING;
		together += balancer_resting() > 1;
	}
	assert_true(rested[0] > 5);
	assert_true(rested[1] > 5);
	assert_int_equal(together, 0);
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
		cmocka_unit_test_setup(test_start, setup), cmocka_unit_test_setup(test_bursts, setup),
		cmocka_unit_test_setup(test_scan_budget, setup),
		cmocka_unit_test_setup(test_qos, setup), cmocka_unit_test_setup(test_turns, setup),
		cmocka_unit_test_setup(test_innocent, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
