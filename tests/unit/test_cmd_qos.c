/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: kernel/console/cmd.c kernel/console/cmd_qos.c kernel/console/cmd_why.c kernel/balancer.c kernel/trace/trace.c kernel/trace/trace_note.c mm/share/payer.c mm/share/promise.c kernel/resting.c mm/share/scan_clock.c mm/share/ages.c mm/share/curve.c mm/share/curve_sleep.c mm/share/divide.c mm/share/balance.c mm/share/balance_qos.c mm/frame.c boot/config.c boot/config_keys.c kernel/lib/err.c kernel/lib/fmt.c kernel/lib/log.c kernel/lib/parse.c tests/fake/fake_arch.c */
/*
 * test_cmd_qos.c - what an operator reads and types about shares: qos, why, scan, over the real balancer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "kernel/pcpu.h"
#include "kernel/balancer.h"
#include "kernel/console/cmd.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "mm/share/scan_clock.h"
#include "kernel/vm.h"
#include "mm/pager/swap.h"
#include "tests/fake/fake_arch.h"

#define FRAMES 40000u /* 156 MiB */
#define SLOTS 100000u
#define SEC 1000000000ull

struct vm *vm_all[VM_MAX];
u32 vm_count;
struct pcpu pcpu_boot;
void (*pager_miss_hook)(struct vm_mem *m);
const struct cmd_entry cmd_vm_table[] = { { NULL, NULL, NULL, NULL, 0, 0, NULL } };
const struct cmd_entry cmd_mem_table[] = { { NULL, NULL, NULL, NULL, 0, 0, NULL } };
const struct cmd_entry cmd_sys_table[] = { { NULL, NULL, NULL, NULL, 0, 0, NULL } };
const struct cmd_entry cmd_trace_table[] = { { NULL, NULL, NULL, NULL, 0, 0, NULL } };
static struct vm vms[3];
static char out[8192], logged[8192];
static u32 scan_cost;

const char *vm_state_name(enum vm_state s) { return s == VM_RUNNING ? "running" : "off"; }
u32 pager_guest_frames(void) { return FRAMES; }
u32 swap_slots(void) { return SLOTS; }

/* What the disks were told. */
static struct { u32 owner, weight, iops; u64 bps; } share;
void block_share(u32 owner, u32 weight, u32 iops, u64 bps)
{
	share.owner = owner;
	share.weight = weight;
	share.iops = iops;
	share.bps = bps;
}
void term_write(const char *bytes, u32 n)
{
	size_t len = strlen(out);

	assert_true(len + n < sizeof(out));
	memcpy(out + len, bytes, n);
	out[len + n] = 0;
}
void term_puts(const char *s) { term_write(s, (u32)strlen(s)); }

struct vm *vm_by_name(const char *name)
{
	for (u32 i = 0; i < vm_count; i++)
		if (!strcmp(vms[i].name, name))
			return &vms[i];
	return NULL;
}

void pager_scan(struct vm_mem *m)
{
	(void)m;
	fake_tsc += scan_cost;
}

static void sink(enum log_level level, const char *line)
{
	(void)level;
	assert_true(strlen(logged) + strlen(line) + 2 < sizeof(logged));
	strcat(strcat(logged, line), "\n");
}

static int setup(void **state)
{
	static const char *const name[] = { "web", "db", "off" };
	const struct boot_range ram = { 0, 8192 * PAGE_SIZE, true };

	(void)state;
	fake_arena(8192);
	assert_int_equal(frame_init(&ram, 1, NULL, 0), 0);
	fake_tsc = SEC;
	scan_cost = 1000;
	memset(vms, 0, sizeof(vms));
	log_sink = sink;
	logged[0] = 0;
	assert_int_equal(balancer_init(0), 0);
	vm_count = 3;
	for (u32 i = 0; i < 3; i++) {
		struct vm *vm = vm_all[i] = &vms[i];

		vm->id = vm->mem.id = (u8)i;
		str_copy(vm->name, sizeof(vm->name), name[i]);
		vm->state = i == 2 ? VM_OFF : VM_RUNNING;
		vm->weight = 100;
		vm->mem.vm = vm;
		vm->mem.npages = 32768; /* 128 MiB */
		vm->mem.min = 2048;
		vm->mem.max = 32768;
		vm->mem.page = (struct gpage *)vms;
		ages_reset(&vm->mem.ages);
		assert_int_equal(curve_init(&vm->mem.curve, CURVE_STEP_FRAMES, 200,
					    pfn_ptr(frame_get_run((u32)(curve_bytes(200) / PAGE_SIZE + 1))),
					    fake_tsc),
				 0);
		if (i < 2)
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

/* Runs the line; what it printed. */
static const char *type(const char *line)
{
	char buf[256];

	assert_true(str_copy(buf, sizeof(buf), line));
	out[0] = 0;
	cmd_run(buf);
	return out;
}

#define says(line, what) do {                                                   \
		const char *said_ = type(line);                                 \
		if (!strstr(said_, what))                                       \
			fail_msg("%s says: %s; wanted: %s", line, said_, what); \
	} while (0)

/* One line, an error, and the advice that every error ends in. */
static void refused(const char *line, const char *what)
{
	const char *said = type(line), *end = strchr(said, '\n');

	if (strncmp(said, "error: ", 7) || !end || end[1] || !strstr(said, what) ||
	    !strstr(said, "nothing changed"))
		fail_msg("%s says: %s", line, said);
}

static void test_scan(void **state)
{
	static const char *const bad[] = { "scan budget=",
					   "scan budget=0.5",
					   "scan budget=0%",
					   "scan budget=20.0001%",
					   "scan budget=99999999999999999999%",
					   "scan budget=-1%",
					   "scan budget=%n%s%",
					   "scan budget=0.00001%" };

	(void)state;
	says("scan", "budget 0.5 % of the CPU");
	says("scan", "web ");
	assert_null(strstr(out, "off "));
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i], "0.01% to 20%");
	refused("scan banana", "no such word");
	assert_int_equal(scan_clock_budget(), SCAN_BUDGET_DEFAULT);
	says("scan budget=1.25%", "0.5 % -> 1.25 %");
	says("scan -j", "{\"budget_ppm\":12500,\"used_ppm\":");
	says("scan budget=0.5%", "-> 0.5 %");
	/* Passes of 50 ms: each guest one in 21 s, and that is what `scan` says. */
	scan_cost = 50000000;
	for (u32 i = 0; i < 2; i++) {
		vms[i].mem.ages.w1_avg = 5000;
		vms[i].mem.ages.resident = 20000;
	}
	run_for(120 * SEC);
	says("scan", "by the budget");
	says("scan -j", "\"limit\":\"by the budget\"");
	assert_in_range(scan_clock_used(fake_tsc), 0, 5000 + 5000);
}

/* The budget keeps the curve coarse: `why` says so with the numbers, or else whose fault it is. */
static void test_coarse(void **state)
{
	(void)state;
	vms[0].mem.ages.w1_avg = 5000;
	vms[0].mem.ages.resident = 20000;
	vms[0].mem.curve.coarse = true; /* as curve_pass() would find */
	run_for(5 * SEC);
	says("why web", "touches 25.0 % of what it holds");
	says("why web", "is the shortest period there is");
	assert_null(strstr(type("why db"), "coarse"));
	scan_cost = 50000000;
	run_for(60 * SEC);
	says("why web", "the scan budget is the reason: 0.5 % of the CPU");
	says("why -j web", "\"scan_limit\":\"budget\"");
	says("why -j web", "\"w1_permille\":250");
	vms[0].mem.curve.coarse = false;
	run_for(2 * SEC);
	assert_null(strstr(type("why web"), "coarse"));
	refused("why off", "takes no part");
	refused("why nobody", "no guest of that name");
}

/* n misses a second that `frames` frames would avoid. */
static void wants(struct vm *vm, u32 frames, u32 n)
{
	curve_reset(&vm->mem.curve, fake_tsc);
	vm->mem.curve.time_us = 1000000;
	while (n--)
		curve_note_distance(&vm->mem.curve, CURVE_DISC, frames - CURVE_STEP_FRAMES);
}

static u32 lines_logged(const char *what)
{
	u32 n = 0;

	for (const char *p = logged; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* What a goal takes and whether it can be had is answered at once; qos, why and one log line say
 * who loses. */
static void test_goals(void **state)
{
	(void)state;
	run_for(3 * SEC);
	wants(&vms[0], 25600, 100); /* 100 MiB */
	wants(&vms[1], 20480, 100); /* 80 MiB, of 156 for both */
	says("qos web miss=50/s", "miss none -> 50/s");
	assert_non_null(strstr(out, "goal met: it needs 100 MiB"));
	assert_true(balancer_vm(&vms[0])->why.wanted >= 25600); /* it goes there by steps */
	says("qos db miss=20/s", "goal unmet: it needs 80 MiB, ");
	assert_non_null(strstr(out, " short"));
	assert_non_null(strstr(out, "24320 KiB short"));
	says("qos", "goal met: it needs 100 MiB");
	says("qos", "goal unmet: it needs 80 MiB, 24320 KiB short");
	says("qos -j", "\"goal_needs\":83886080");
	says("why db", "its miss goal needs 80 MiB by its curve");
	says("why db", "24320 KiB more would be needed");
	assert_int_equal(lines_logged("db loses"), 0); /* not before it has lasted */
	run_for(20 * SEC);
	assert_int_equal(lines_logged("db loses 24320 KiB of the 80 MiB that its miss goal needs"), 1);
	/* By weight: now the other one loses. */
	wants(&vms[0], 25600, 100);
	wants(&vms[1], 20480, 100);
	says("qos db weight=300", "goal met: it needs 80 MiB");
	says("qos web", "goal unmet: it needs 100 MiB");
	run_for(20 * SEC);
	assert_int_equal(lines_logged("db loses"), 1);
	assert_int_equal(lines_logged("web loses"), 1);
	says("qos web miss=none", "miss 50/s -> none");
	run_for(20 * SEC);
	assert_int_equal(lines_logged("web loses"), 1);
	assert_int_equal(lines_logged("met again"), 1);
	assert_null(strstr(type("qos web"), "goal"));
}

static void test_goals_out_of_reach(void **state)
{
	(void)state;
	run_for(3 * SEC);
	wants(&vms[0], 25600, 100);
	for (u32 i = 0; i < 30; i++)
		curve_note_cold(&vms[0].mem.curve, CURVE_DISC);
	says("qos web miss=30/s", "no memory can reach it, first touches alone miss 30/s");
	says("why web", "no memory can reach its miss goal");
	says("qos web miss=31/s", "goal met: it needs 100 MiB");
	says("qos web miss=1000/s", "goal met: it needs 0 B"); /* it is met with nothing */
	refused("qos web miss=0/s", "out of range");
	refused("qos web miss=50", "not understood");
	refused("qos web miss=1/s miss=2/s", "given twice");
	assert_int_equal(vms[0].miss_goal, 1000000);
	/* max counts the cache: above ram it may be, up to what guests share (156 MiB); ram here is 128. */
	says("qos web max=150M", "max 128 MiB -> 150 MiB");
	refused("qos web max=157M", "above all that guests share");
	refused("qos web max=18446744073709551615K", "out of range");
	assert_int_equal(vms[0].mem.max, 150 * 256);
}

/* Limits of a guest's disks, and its weight there: told to the disks at once, shown in text and JSON. */
static void test_disk_limits(void **state)
{
	(void)state;
	assert_null(strstr(type("qos web"), "iops"));
	says("qos -j web", "\"iops\":0,\"bps\":0");
	says("qos web iops=500 bps=20M", "iops none -> 500, bps none -> 20 MiB");
	assert_int_equal(share.owner, vms[0].id);
	assert_int_equal(share.weight, 100);
	assert_int_equal(share.iops, 500);
	assert_int_equal(share.bps, 20 * MIB);
	says("qos web", "disks: iops=500 bps=20 MiB");
	says("qos -j web", "\"iops\":500,\"bps\":20971520");
	says("qos web weight=300", "weight 100 -> 300");
	assert_int_equal(share.weight, 300);
	assert_int_equal(share.iops, 500);
	says("qos web iops=none", "iops 500 -> none, bps 20 MiB -> 20 MiB");
	assert_int_equal(share.iops, 0);
	refused("qos web iops=0", "out of range");
	refused("qos web iops=10000001", "out of range");
	refused("qos web iops=5/s", "not understood");
	refused("qos web bps=63K", "out of range");
	refused("qos web bps=1025G", "out of range");
	refused("qos web bps=20", "not understood");
	refused("qos web iops=1 iops=2", "given twice");
	/* All or nothing. */
	refused("qos web iops=7 min=999G", "nothing changed");
	assert_int_equal(vms[0].iops, 0);
	assert_int_equal(vms[0].bps, 20 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_scan, setup),
		cmocka_unit_test_setup(test_coarse, setup),
		cmocka_unit_test_setup(test_goals, setup),
		cmocka_unit_test_setup(test_goals_out_of_reach, setup),
		cmocka_unit_test_setup(test_disk_limits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
