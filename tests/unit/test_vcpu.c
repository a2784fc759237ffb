/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_vcpu.c - the main loop and the hot path over a scripted backend: fair shares, halting and
 * waking, parking, interrupts and windows, deadlines.
 */
#include "tests/unit/kernel_env.h"

#define MS 1000000ull /* ticks: the fake clock runs at 1 GHz */

static void exit_kind(struct vmexit *x, u8 kind, u8 len)
{
	x->kind = kind;
	x->insn_len = len;
}

/* Runs until the deadline. */
static void enter_busy(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	fake_tsc = MAX(fake_tsc + 1, deadline);
	exit_kind(x, VMEXIT_TIMER, 0);
}

static void start(u32 i)
{
	env.vm[i].state = VM_RUNNING;
	env.hw[i].regs.rflags = REGS_IF | 2;
}

static void test_fair(void **state)
{
	u64 a, b, c;

	(void)state;
	for (u32 i = 0; i < 3; i++)
		start(i);
	env.vm[2].weight = 200;
	env.enter = enter_busy;
	for (u32 i = 0; i < 400; i++)
		loop_once();
	a = env.vm[0].vcpu.run_ticks;
	b = env.vm[1].vcpu.run_ticks;
	c = env.vm[2].vcpu.run_ticks;
	assert_in_range(a, b - 11 * MS, b + 11 * MS);
	assert_in_range(c, 2 * a - 25 * MS, 2 * a + 25 * MS);
	assert_in_range(a + b + c, 3900 * MS, 4100 * MS); /* slices of 10 ms */
	assert_true(env.hw[0].puts > 50);
}

static u32 script;

static void enter_cpuid(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	(void)deadline;
	fake_tsc += 1000;
	script++;
	exit_kind(x, VMEXIT_CPUID, 2);
	if (fake_tsc >= deadline)
		exit_kind(x, VMEXIT_TIMER, 0);
}

static void test_hot_path(void **state)
{
	(void)state;
	start(0);
	script = 0;
	env.enter = enter_cpuid;
	loop_once();
	/* One round of the main loop, thousands of entries: until the slice ended. */
	assert_int_equal(pcpu_this()->loops, 1);
	assert_in_range(script, 49950, 50050);
	assert_int_equal(env.hw[0].regs.rip, 2 * (script - 1));
	assert_int_equal(env.vm[0].vcpu.exits[VMEXIT_CPUID], script - 1);
}

static void enter_hlt(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	(void)deadline;
	fake_tsc += 1000;
	exit_kind(x, VMEXIT_HLT, 1);
}

static void test_halt(void **state)
{
	(void)state;
	start(0);
	env.enter = enter_hlt;
	env.board[0].deadline = 5 * MS;
	loop_once();
	assert_int_equal(env.vm[0].vcpu.state, VCPU_HALTED);
	assert_int_equal(env.hw[0].regs.rip, 1);
	assert_int_equal(env.hw[0].entries, 1);
	loop_once(); /* idle until the deadline */
	assert_int_equal(fake_tsc, 5 * MS);
	assert_int_equal(env.hw[0].entries, 1);
	loop_once();
	assert_int_equal(env.board[0].ticks, 1);
	assert_int_equal(env.hw[0].wakes, 1);
	assert_int_equal(env.hw[0].irq, 0xec);
	assert_int_equal(env.board[0].taken, 0xec);
	assert_int_equal(env.hw[0].entries, 2);
	/* With IF=0 it sleeps for good. */
	env.hw[0].regs.rflags = 2;
	env.board[0].pending = 0x31;
	loop_once();
	assert_int_equal(env.hw[0].entries, 2);
}

static void test_halt_with_pending(void **state)
{
	struct vmexit x = { .kind = VMEXIT_HLT };

	(void)state;
	start(0);
	env.board[0].pending = 0x31;
	assert_int_equal(exit_table[VMEXIT_HLT](&env.vm[0].vcpu, &x), V_NEXT);
	assert_int_equal(env.vm[0].vcpu.state, VCPU_RUNNABLE);
}

static void enter_window(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	script++;
	if (script == 1) {
		assert_true(v->window);
		assert_int_equal(v->irq, -1);
		v->can_take = true;
		exit_kind(x, VMEXIT_IRQ_WINDOW, 0);
		return;
	}
	assert_int_equal(v->irq, 0x41);
	assert_false(v->window);
	enter_busy(v, deadline, x);
}

static void test_window(void **state)
{
	(void)state;
	start(0);
	script = 0;
	env.hw[0].can_take = false;
	env.board[0].pending = 0x41;
	env.enter = enter_window;
	loop_once();
	assert_int_equal(script, 2);
	assert_int_equal(env.board[0].taken, 0x41);
}

static void enter_fault(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	(void)deadline;
	fake_tsc += 1000;
	exit_kind(x, VMEXIT_SLAT, 0);
	x->slat.gpa.a = 0x5000;
}

static void test_block(void **state)
{
	(void)state;
	start(0);
	env.enter = enter_fault;
	env.fault_verdict = V_BLOCK;
	loop_once();
	assert_int_equal(env.vm[0].vcpu.state, VCPU_BLOCKED);
	assert_int_equal(env.hw[0].entries, 1);
	env.board[0].pending = 0x41; /* an interrupt does not wake it */
	loop_once();
	assert_int_equal(env.hw[0].entries, 1);
	fake_tsc += 3 * MS;
	pager_wake(&env.vm[0].mem);
	assert_int_equal(env.vm[0].vcpu.state, VCPU_RUNNABLE);
	assert_true(env.vm[0].mem.n.stall_ticks >= 3 * MS);
	loop_once();
	assert_int_equal(env.board[0].retries, 1);
	assert_int_equal(env.hw[0].entries, 2);
}

/* The page came while the fault was handled: no wake-up is lost. */
static void test_block_woken(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;

	(void)state;
	start(0);
	v->woken = true;
	vcpu_block(v);
	assert_int_equal(v->state, VCPU_RUNNABLE);
}

static void test_flush(void **state)
{
	(void)state;
	start(0);
	env.enter = enter_busy;
	env.vm[0].mem.slat.stale = true;
	loop_once();
	assert_int_equal(env.hw[0].flushes, 1);
	assert_false(env.vm[0].mem.slat.stale);
}

/* A sleeper that had less than its share ends the other's slice when its timer does, and runs at once. */
static void test_wake_preempts(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.enter = enter_busy;
	env.vm[1].vcpu.state = VCPU_HALTED;
	env.vm[0].vcpu.vruntime = 50 * MS;
	env.board[1].deadline = fake_tsc + 2 * MS;
	loop_once();
	assert_int_equal(fake_tsc, 2200 * MS / 1000); /* on the grid of 200 us */
	assert_int_equal(env.hw[1].entries, 0);
	loop_once();
	assert_true(env.hw[1].entries > 0);
	assert_int_equal(env.hw[1].irq, 0xec);
}

static void enter_reset(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	(void)deadline;
	fake_tsc += 1000;
	exit_kind(x, VMEXIT_TRIPLE, 0);
}

static void test_triple(void **state)
{
	(void)state;
	start(0);
	env.enter = enter_reset;
	env.drain = E_AGAIN;
	loop_once();
	assert_int_equal(env.hw[0].entries, 1);
	assert_true(env.vm[0].reset_wanted);
	loop_once();
	assert_int_equal(env.vm[0].state, VM_STARTING);
	assert_int_equal(env.hw[0].entries, 1);
}

static void enter_bad(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	(void)deadline;
	exit_kind(x, VMEXIT_BAD, 0);
	x->raw = 33;
}

static void test_bad(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.enter = enter_bad;
	loop_once();
	assert_int_equal(env.vm[0].state, VM_STOPPING);
	env.enter = enter_busy;
	loop_once();
	assert_int_equal(env.vm[0].state, VM_FAILED);
	assert_int_equal(env.vm[1].state, VM_RUNNING); /* no other guest notices */
	assert_int_equal(env.hw[1].entries, 1);
}

static void enter_no_progress(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	(void)v;
	(void)deadline;
	fake_tsc += 1000;
	exit_kind(x, VMEXIT_SLAT, 0);
}

/* A guest that leaves again before its first instruction, and the timer never fires. */
static void test_no_progress(void **state)
{
	(void)state;
	start(0);
	env.enter = enter_no_progress;
	loop_once();
	assert_in_range(env.hw[0].entries, 10000, 50010);
}

static void test_halted_for_good(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.vm[1].vcpu.state = VCPU_HALTED;
	env.hw[1].regs.rflags = 2; /* IF=0: no timer wakes it */
	env.board[1].deadline = fake_tsc + 20000;
	env.enter = enter_busy;
	loop_once();
	assert_true(fake_tsc >= 10 * MS);
}

/* What it prints waits for the wire; the others do not. */
static void test_console_holds(void **state)
{
	u32 before;

	(void)state;
	start(0);
	start(1);
	env.enter = enter_busy;
	loop_once();
	loop_once();
	assert_true(env.hw[0].entries && env.hw[1].entries);
	env.held[0] = true;
	before = env.hw[0].entries;
	for (u32 i = 0; i < 10; i++)
		loop_once();
	assert_int_equal(env.hw[0].entries, before);
	assert_true(env.hw[1].entries > 5);
	pcpu_this()->work = false;
	vdev_uart_tx(&env.vm[0], 'x');
	assert_true(pcpu_this()->work); /* its slice ends */
}

/* ---- queues ---- */

static void refill(struct vm *vm)
{
	fake_tsc += MS / 10;
	vdev_again(vm);
}

/* Who was woken and is behind runs before the queues of one who is ahead; they get what it leaves. */
static void test_woken_goes_before_queues(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.retry = refill;
	env.enter = enter_busy;
	env.vm[0].vcpu.state = env.vm[1].vcpu.state = VCPU_HALTED;
	env.vm[0].vcpu.vruntime = env.vm[1].vcpu.vruntime = pcpu_this()->vruntime = 50 * MS;
	env.vm[1].vcpu.vruntime += 3 * MS;
	vdev_again(&env.vm[1]);
	loop_once();
	assert_int_equal(env.board[1].retries, 1); /* nobody else wants the CPU */
	env.board[0].pending = 0x31;
	loop_once();
	assert_int_equal(env.board[1].retries, 1);
	assert_int_equal(env.hw[0].irq, 0x31);
	assert_int_equal(env.hw[0].entries, 1);
}

/* A turn of the loop has time for one long go: the guests' queues take turns. */
static void test_queues_take_turns(void **state)
{
	(void)state;
	env.retry = refill;
	for (u32 i = 0; i < 3; i++) {
		start(i);
		env.vm[i].vcpu.state = VCPU_HALTED;
		vdev_again(&env.vm[i]);
	}
	env.vm[2].weight = 200;
	for (u32 i = 0; i < 40; i++)
		loop_once();
	assert_int_equal(env.board[0].retries + env.board[1].retries + env.board[2].retries, 40);
	assert_in_range(env.board[0].retries, 9, 11);
	assert_in_range(env.board[2].retries, 19, 21);
}

/* A disk's tick, or a queue's go, may leave a completion to block_poll(), which has been in this turn. */
static void test_completions_are_not_slept_over(void **state)
{
	u64 before = fake_tsc;

	(void)state;
	env.deferred = BIT64(1);
	loop_once();
	assert_int_equal(fake_tsc, before); /* not idle */
	start(0);
	env.enter = enter_busy;
	before = fake_tsc;
	loop_once();
	assert_int_equal(fake_tsc - before, TURN_GRID_NS);
	env.deferred = 0;
	loop_once();
	assert_true(fake_tsc - before > 10 * MS);
}

/* Who pays for the turn that a slice was cut short for: whose completion it was. */
static void test_completions_left_are_paid_for(void **state)
{
	u64 before = fake_tsc;

	(void)state;
	start(0);
	env.enter = enter_busy;
	env.turn_ticks = MS / 40;
	env.deferred = BIT64(1);
	while (fake_tsc < before + 100 * MS)
		loop_once();
	assert_in_range(env.vm[0].vcpu.vruntime, env.vm[0].vcpu.run_ticks,
			env.vm[0].vcpu.run_ticks + MS / 10);
	assert_true(pcpu_this()->own_ticks < MS / 10); /* nor nobody: 25 us of each 225 are the other's */
	assert_true(env.vm[0].vcpu.run_ticks < 90 * MS);
}

static void refill_short(struct vm *vm)
{
	if (vm->id)
		return;
	fake_tsc += MS / 20;
	vdev_again(vm);
}

/* All the work of guest 0 is its queue's, which never ends; guest 1 computes, or its vCPU only asks for
 * pages. */
static void queue_beside(void (*enter)(struct vcpu_hw *v, u64 deadline, struct vmexit *x), u32 weight,
			 u32 turns)
{
	u64 from = fake_tsc;
	u32 went = 0;

	start(0);
	start(1);
	env.vm[0].vcpu.state = VCPU_HALTED;
	env.vm[0].weight = weight;
	env.retry = refill_short;
	env.fault_verdict = V_BLOCK;
	env.enter = enter;
	vdev_again(&env.vm[0]);
	for (u32 i = 0; i < turns; i++) {
		went += !env.vm[1].io_more;
		pager_again(&env.vm[1].mem); /* its own transfers never end either */
		pager_wake(&env.vm[1].mem);
		loop_once();
	}
	assert_true(went > turns / 50); /* they go on, if not in each turn */
	if (enter == enter_busy)
		assert_in_range(env.board[0].retries * (MS / 20) * 100 / (fake_tsc - from), 45, 55);
}

static void test_queue_has_its_share(void **state)
{
	queue_beside(enter_busy, 100, 20000);
	env_setup(state);
	queue_beside(enter_fault, 100, 20000);
	env_setup(state);
	queue_beside(enter_fault, 1600, 20000);
}

/* A guest's vCPU is not kept out by its own queue, however long a go takes, beside others that compute. */
static u64 go_ticks, longest, last_run;

static void refill_of_0(struct vm *vm)
{
	if (vm->id)
		return;
	fake_tsc += go_ticks;
	vdev_again(vm);
}

static void enter_timed(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	if (v == env.vm[0].vcpu.hw) {
		longest = MAX(longest, fake_tsc - last_run);
		enter_busy(v, deadline, x);
		last_run = fake_tsc;
	} else {
		enter_busy(v, deadline, x);
	}
}

static void test_own_queue_leaves_the_vcpu_its_turn(void **state)
{
	static const u64 goes[] = { MS / 16, MS / 5, MS / 3, MS };

	for (u32 k = 0; k < ARRAY_SIZE(goes); k++) {
		u64 from;

		env_setup(state);
		for (u32 i = 0; i < 3; i++)
			start(i);
		go_ticks = goes[k];
		longest = 0;
		from = last_run = fake_tsc;
		env.retry = refill_of_0;
		env.enter = enter_timed;
		vdev_again(&env.vm[0]);
		while (fake_tsc < from + 5000 * MS)
			loop_once();
		assert_true(longest < 25 * MS);
	}
}

/* Who has computed alone for long is not kept out for that when another's queue wakes, nor when its vCPU
 * does. */
static void test_woken_takes_no_more_than_its_credit(void **state)
{
	for (u32 k = 0; k < 2; k++) {
		u64 from;

		env_setup(state);
		start(0);
		start(1);
		env.vm[1].vcpu.state = VCPU_HALTED;
		env.enter = enter_timed;
		from = fake_tsc;
		while (fake_tsc < from + 1000 * MS)
			loop_once();
		longest = 0;
		last_run = fake_tsc;
		env.retry = refill;
		if (k)
			env.board[1].pending = 0x31;
		else
			vdev_again(&env.vm[1]);
		for (u32 i = 0; i < 1000; i++)
			loop_once();
		/* half a slice, and until it is overtaken, or a whole one */
		assert_true(longest < (k ? 21 : 6) * MS);
	}
}

/* Virtual time of a light guest runs fast, and the machine for years. */
static void test_virtual_time_does_not_wrap(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.enter = enter_busy;
	env.vm[0].weight = 1;
	env.vm[0].vcpu.vruntime = env.vm[1].vcpu.vruntime = pcpu_this()->vruntime = BIT64(62) - 3000 * MS;
	for (u32 i = 0; i < 3000; i++)
		loop_once();
	assert_true(pcpu_this()->vruntime < BIT64(62));
	assert_in_range(env.vm[0].vcpu.run_ticks, 250 * MS, 350 * MS); /* a hundredth */
	assert_true(env.vm[1].vcpu.run_ticks > 29000 * MS);
}

/* Several queues asked for turns: each turn that goes to one of them is paid for. */
static void refill_none(struct vm *vm)
{
	(void)vm;
	fake_tsc += 60 * MS / 1000;
}

static void test_each_go_pays_for_its_turn(void **state)
{
	(void)state;
	env.retry = refill_none;
	for (u32 i = 0; i < 3; i++) {
		start(i);
		env.vm[i].vcpu.state = VCPU_HALTED;
	}
	env.turn_ticks = 60 * MS / 1000;
	for (u32 n = 0; n < 100; n++) {
		for (u32 i = 0; i < 3; i++)
			vdev_again(&env.vm[i]);
		for (u32 i = 0; i < 3; i++)
			loop_once();
	}
	assert_int_equal(env.board[0].retries + env.board[1].retries + env.board[2].retries, 300);
	assert_true(pcpu_this()->own_ticks <= MS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		env_test(test_fair),
		env_test(test_hot_path),
		env_test(test_halt),
		env_test(test_halt_with_pending),
		env_test(test_window),
		env_test(test_block),
		env_test(test_block_woken),
		env_test(test_flush),
		env_test(test_wake_preempts),
		env_test(test_triple),
		env_test(test_bad),
		env_test(test_no_progress),
		env_test(test_halted_for_good),
		env_test(test_console_holds),
		env_test(test_woken_goes_before_queues),
		env_test(test_queues_take_turns),
		env_test(test_completions_are_not_slept_over),
		env_test(test_completions_left_are_paid_for),
		env_test(test_queue_has_its_share),
		env_test(test_own_queue_leaves_the_vcpu_its_turn),
		env_test(test_each_go_pays_for_its_turn),
		env_test(test_virtual_time_does_not_wrap),
		env_test(test_woken_takes_no_more_than_its_credit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
