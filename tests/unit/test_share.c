/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_share.c - no guest can take others' CPU: who pays for the turns of the main loop, when sleepers wake,
 * when queues wait, and what a busy guest keeps beside three that try all of it.
 */
#include "tests/unit/kernel_env.h"

#define US 1000ull /* ticks: the fake clock runs at 1 GHz */
#define MS 1000000ull
#define GRID (200 * US)

static struct {
	u64 ran[ENV_VMS];      /* ticks in guest mode */
	u64 awake;             /* a sleeper's ticks until it halts again */
	u64 rearm;             /* a sleeper sets a one-shot timer that much later; 0: its timer is periodic */
	u64 least_slice;       /* of guest 0, from entry to exit */
	u64 completion;        /* ticks of the interrupt handler */
	u32 every;             /* guest 0 is interrupted that often, us; 0: never */
	struct vm *completed;
	bool quiet, once;      /* the completion asks for nothing; is the only one */
	bool looks;            /* it brings guest 0 something too */
	/* interrupts were let in by the main loop, which said that they had been off */
	u32 looks_away;
	u32 wakes;             /* slices of sleepers */
	u64 wake_at[16];
} w;

static u32 index_of(const struct vcpu_hw *v) { return (u32)(v - env.hw); }

static void start(u32 i)
{
	env.vm[i].state = VM_RUNNING;
	env.hw[i].regs.rflags = REGS_IF | 2;
}

/* Guest 0 computes; the others halt as soon as they can, and sleep until their timers. */
static void enter(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	u32 i = index_of(v);
	u64 from = fake_tsc, until = MAX(deadline, from + 1);

	x->kind = VMEXIT_TIMER;
	if (i && w.awake) {
		fake_tsc = MIN(until, from + w.awake);
		x->kind = VMEXIT_HLT;
		x->insn_len = 1;
		if (w.rearm)
			env.board[i].deadline = fake_tsc + w.rearm;
		if (w.wakes < ARRAY_SIZE(w.wake_at))
			w.wake_at[w.wakes] = from;
		w.wakes++;
	} else if (w.every && until > from + w.every * US) {
		fake_tsc = from + w.every * US;
		x->kind = VMEXIT_INTR;
	} else {
		fake_tsc = until;
	}
	w.ran[i] += fake_tsc - from;
	if (!i)
		w.least_slice = MIN(w.least_slice, fake_tsc - from);
}

static void interrupt(void)
{
	w.looks_away += env_away && !pcpu_this()->current;
	assert_true(!pcpu_this()->current || !env_away);
	if (!w.completed || pcpu_this()->current != &env.vm[0].vcpu)
		return;
	fake_tsc += w.completion;
	env.vm[0].vcpu.look |= w.looks;
	if (w.quiet)
		vdev_worked(w.completed);
	else
		pager_wake(&w.completed->mem);
	if (!w.once)
		return;
	env.board[w.completed->id].pending = 0x31;
	vdev_wake(w.completed);
	w.completed = NULL;
}

static int setup(void **state)
{
	memset(&w, 0, sizeof(w));
	w.least_slice = ~0ull;
	fake_irq_hook = interrupt;
	(void)env_setup(state);
	env.enter = enter;
	pcpu_this()->mark = fake_tsc;
	return 0;
}

static int teardown(void **state)
{
	fake_irq_hook = NULL;
	return env_teardown(state);
}

static void sleeper(u32 i, u64 first, u64 period)
{
	start(i);
	env.vm[i].vcpu.state = VCPU_HALTED;
	env.board[i].deadline = first;
	env.board[i].period = period;
}

static void loop_for(u64 ticks)
{
	u64 end = fake_tsc + ticks;

	while (fake_tsc < end)
		loop_once();
}

/* ---- timers of sleepers ---- */

static void test_sleepers_wake_together(void **state)
{
	(void)state;
	w.awake = 5 * US;
	sleeper(1, 1050 * US, 0);
	sleeper(2, 1110 * US, 0);
	sleeper(3, 1190 * US, 0);
	loop_once();
	assert_int_equal(fake_tsc, 1200 * US); /* one wait for the three */
	for (u32 i = 0; i < 3; i++)
		loop_once();
	assert_int_equal(w.wakes, 3);
	assert_int_equal(fake_tsc, 1215 * US);
}

/* A one-shot timer of 1 us, set again by each interrupt. */
static void test_sleeper_wakes_on_the_grid(void **state)
{
	(void)state;
	w.awake = 5 * US;
	w.rearm = 1 * US;
	sleeper(1, 10 * US, 0);
	loop_for(100 * MS);
	assert_in_range(w.wakes, 495, 501);
	for (u32 i = 1; i < ARRAY_SIZE(w.wake_at); i++)
		assert_int_equal(w.wake_at[i] - w.wake_at[i - 1], GRID);
}

/* A period of 4 ms and one of 300 us: nothing is lost, and nothing drifts. */
static void test_periods_keep_their_phase(void **state)
{
	(void)state;
	w.awake = 5 * US;
	sleeper(1, 70 * US, 4 * MS);
	sleeper(2, 90 * US, 300 * US);
	loop_for(1200 * MS);
	assert_in_range(env.hw[1].entries, 299, 301);
	assert_in_range(env.hw[2].entries, 3995, 4001);
	assert_int_equal((env.board[1].deadline - 70 * US) % (4 * MS), 0);
}

/* The timer of a guest that runs is its own affair. */
static void test_own_timer_is_exact(void **state)
{
	(void)state;
	start(0);
	env.board[0].deadline = 1234567;
	loop_once();
	assert_int_equal(env.board[0].taken, 0xec);
	assert_int_equal(w.least_slice, 1234567 - 1000);
}

/* ---- who pays ---- */

#define CREDIT (TURN_SLICE_MS * MS / 2) /* what a guest that sleeps keeps of its share: sched.c */

static void halting(u32 i)
{
	start(i);
	w.awake = 10 * US;
}

static void test_who_halts_pays(void **state)
{
	(void)state;
	halting(1);
	env.vm[0].vcpu.vruntime = 21 * MS; /* 1 goes first */
	start(0);
	env.turn_ticks = 7000;
	loop_once();
	assert_int_equal(env.vm[1].vcpu.vruntime, 10 * US);
	loop_once();
	assert_true(w.ran[0] > 0);
	/* it comes back a credit before the place of who runs */
	assert_int_equal(env.vm[1].vcpu.vruntime, 21 * MS - CREDIT + 7000);
	assert_int_equal(env.vm[0].vcpu.vruntime, 21 * MS + w.ran[0]);
}

static void test_who_sleeps_pays(void **state)
{
	u64 before;

	(void)state;
	start(0);
	pcpu_this()->vruntime = env.vm[0].vcpu.vruntime = 20 * MS;
	sleeper(1, 3 * MS, 0);
	env.turn_ticks = 7000;
	loop_once(); /* guest 0, until 1 would be preferred */
	before = env.vm[0].vcpu.vruntime;
	w.awake = 10 * US;
	loop_once();
	assert_int_equal(w.wakes, 1);
	/* from the time of who ran */
	assert_int_equal(env.vm[1].vcpu.vruntime, before - CREDIT + 7000 + 10 * US);
	assert_int_equal(env.vm[0].vcpu.vruntime, before);
}

/* The wait that a timer ends is nobody's, the turn behind it the sleeper's. */
static void test_who_ends_a_wait_pays(void **state)
{
	(void)state;
	sleeper(1, 3 * MS, 0);
	w.awake = 10 * US;
	env.turn_ticks = 7000;
	loop_once();
	assert_int_equal(pcpu_this()->own_ticks, 7000);
	assert_true(pcpu_this()->idle_ticks > 2 * MS);
	loop_once();
	assert_int_equal(pcpu_this()->own_ticks, 7000);
	assert_int_equal(env.vm[1].vcpu.vruntime, 7000 + 10 * US);
}

static void test_whose_slice_ended_pays(void **state)
{
	(void)state;
	start(0);
	start(1);
	for (u32 i = 0; i < 4; i++)
		loop_once();
	assert_ptr_equal(pcpu_this()->last, &env.vm[1].vcpu);
	env.turn_ticks = 7000;
	loop_once();
	assert_ptr_equal(pcpu_this()->last, &env.vm[0].vcpu);
	assert_int_equal(env.vm[0].vcpu.vruntime, w.ran[0]);
	assert_int_equal(env.vm[1].vcpu.vruntime, w.ran[1] + 7000);
}

static void test_two_share_a_turn(void **state)
{
	(void)state;
	sleeper(1, 1050 * US, 0);
	sleeper(2, 1110 * US, 0);
	w.awake = 10 * US;
	loop_once();
	env.turn_ticks = 7000;
	loop_once();
	assert_int_equal(env.vm[1].vcpu.vruntime + env.vm[2].vcpu.vruntime, 7000 + 10 * US);
	assert_int_equal(env.vm[2].vcpu.vruntime, 3500);
}

/* A completion in another's slice: the handler's time and the turn are its guest's, who runs is
 * not charged. */
static void test_whose_completion_pays(void **state)
{
	(void)state;
	start(0);
	sleeper(1, 0, 0);
	w.every = 100;
	w.completion = 9000;
	w.completed = &env.vm[1];
	loop_once();
	assert_int_equal(w.ran[0], 100 * US);
	assert_int_equal(env.vm[0].vcpu.vruntime, 100 * US);
	assert_int_equal(env.vm[0].vcpu.run_ticks, 100 * US);
	assert_int_equal(env.vm[1].vcpu.vruntime, 9000);
	w.completed = NULL;
	w.every = 0;
	env.turn_ticks = 7000;
	loop_once();
	assert_int_equal(env.vm[1].vcpu.vruntime, 9000 + 7000);
}

/* A handler that takes longer than the slice: the turn is still its guest's. */
static void test_whose_late_completion_pays(void **state)
{
	(void)state;
	start(0);
	sleeper(1, 0, 0);
	w.every = 100;
	w.completion = 60 * MS;
	w.completed = &env.vm[1];
	w.looks = true;
	loop_once();
	w.completed = NULL;
	env.turn_ticks = 7000;
	loop_once();
	assert_int_equal(env.vm[0].vcpu.vruntime, w.ran[0]);
}

/* The host's own work is between two looks at the disks, and they know that none was taken meanwhile. Guests'
 * slices are one long look. */
static void test_looks_at_disks(void **state)
{
	(void)state;
	start(0);
	w.every = 100;
	loop_once();
	w.looks_away = 0;
	for (u32 i = 1; i <= 3; i++) {
		loop_once();
		assert_int_equal(w.looks_away, 2 * i);
		assert_true(env_away);
	}
	env.vm[0].state = VM_PAUSED;
	w.looks_away = 0;
	loop_once(); /* the third is arch_idle()'s, which looks all the time */
	assert_int_equal(w.looks_away, 2);
}

/* The same when the guest wants no interrupt: nothing ends the slice, and it pays. */
static void test_quiet_completions_pay(void **state)
{
	(void)state;
	start(0);
	sleeper(1, 0, 0);
	w.every = 100;
	w.completion = 9000;
	w.completed = &env.vm[1];
	w.quiet = true;
	loop_once();
	assert_int_equal(pcpu_this()->loops, 1);
	assert_true(w.ran[0] > 9 * MS);
	assert_int_equal(env.vm[0].vcpu.vruntime, w.ran[0]);
	assert_int_equal(env.vm[1].vcpu.vruntime, w.ran[0] / (100 * US) * 9000);
	env.turn_ticks = 7000;
	loop_once(); /* the turn is guest 0's: its slice ended */
	assert_int_equal(env.vm[0].vcpu.vruntime, w.ran[0] + 7000);
}

/* What is charged for a better reason is not charged as part of the turn too. */
static void test_nothing_twice(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.load_ticks = 100000;
	env.vm[2].state = VM_STARTING;
	loop_once();
	assert_int_equal(pcpu_this()->own_ticks, 0);
	assert_int_equal(env.vm[0].vcpu.vruntime + env.vm[1].vcpu.vruntime, w.ran[0] + w.ran[1]);
	assert_int_equal(env.vm[2].vcpu.vruntime, env.loads * 100000);
}

/* ---- who is served, and when ---- */

static void test_sleeper_does_not_save_up(void **state)
{
	(void)state;
	start(0);
	sleeper(1, 0, 0);
	env.turn_ticks = 100;
	loop_for(5000 * MS);
	/* It was parked for a page, paused, or halted: all the same. */
	env.vm[1].vcpu.state = VCPU_RUNNABLE;
	w.ran[0] = 0;
	loop_for(1000 * MS);
	assert_in_range(w.ran[0], 470 * MS, 530 * MS);
}

/* It is served once the other is a quarter of a slice ahead, not at the end of a slice of one that
 * was alone. */
static void test_woken_is_served_soon(void **state)
{
	u64 at;

	(void)state;
	start(0);
	sleeper(1, 0, 0);
	w.awake = 10 * US;
	w.once = true;
	for (u32 i = 0; i < 10; i++) {
		w.every = 0;
		loop_for(60 * MS);
		w.every = 1000;
		at = fake_tsc;
		w.completed = &env.vm[1];
		w.wakes = 0;
		while (!w.wakes)
			loop_once();
		assert_in_range(fake_tsc - at, 0, 10 * MS / 4 + 2 * MS);
	}
}

/* Three that want to wake each 200 us cut no slice of another shorter than that, nor one that is
 * behind them. */
static void test_slices_stay_whole(void **state)
{
	(void)state;
	start(0);
	w.awake = 150 * US;
	for (u32 i = 1; i < 4; i++)
		sleeper(i, i * 50 * US, GRID);
	loop_for(1000 * MS);
	assert_true(w.least_slice >= GRID);
	assert_true(env.hw[0].entries < 250); /* 25 % of 1 s, in pieces of more than 1 ms */
}

/* ---- queues ---- */

static u64 go_ticks;

/* A ring that requests refill. */
static void refill(struct vm *vm)
{
	fake_tsc += go_ticks;
	vdev_again(vm);
}

static void queue(u32 i)
{
	start(i);
	env.vm[i].vcpu.state = VCPU_HALTED;
	vdev_again(&env.vm[i]);
}

static void test_queue_waits_while_ahead(void **state)
{
	u32 before;

	(void)state;
	start(0);
	env.retry = refill;
	go_ticks = 1 * MS;
	queue(1);
	loop_for(2000 * MS);
	assert_in_range(w.ran[0], 980 * MS, 1020 * MS);
	assert_in_range(env.board[1].retries, 980, 1020);
	/* Nobody else can run: it goes on at once, and owes nothing for it later. */
	env.vm[0].vcpu.state = VCPU_BLOCKED;
	before = env.board[1].retries;
	loop_for(1000 * MS);
	assert_in_range(env.board[1].retries - before, 990, 1001);
	pager_wake(&env.vm[0].mem);
	before = env.board[1].retries;
	loop_for(200 * MS);
	assert_in_range(env.board[1].retries - before, 80, 120);
}

/* One that computes goes on with its own queue meanwhile. */
static void test_own_queue_goes_on(void **state)
{
	(void)state;
	start(0);
	env.retry = refill;
	go_ticks = GRID;
	vdev_again(&env.vm[0]);
	loop_for(1000 * MS);
	assert_in_range(w.ran[0], 300 * MS, 700 * MS); /* two goes a turn, or one */
	assert_true(w.least_slice >= GRID);
}

/* One turn is bounded, however short a go is, and however long. */
static void test_queue_turn_is_bounded(void **state)
{
	u32 before;

	(void)state;
	env.retry = refill;
	queue(1);
	go_ticks = 10;
	loop_once();
	before = env.board[1].retries;
	assert_in_range(before, 1, 8);
	go_ticks = 300 * US;
	loop_once();
	assert_int_equal(env.board[1].retries, before + 1);
}

/* The same for transfers of the pager. */
static void drive_more(struct vm *vm)
{
	fake_tsc += go_ticks;
	pager_again(&vm->mem);
}

static void test_transfers_wait_too(void **state)
{
	(void)state;
	start(0);
	start(1);
	env.vm[1].vcpu.state = VCPU_HALTED;
	env.drive = drive_more;
	go_ticks = 1 * MS;
	pager_again(&env.vm[1].mem);
	assert_true(pcpu_this()->work);
	loop_for(2000 * MS);
	assert_in_range(w.ran[0], 980 * MS, 1020 * MS);
	assert_in_range(env.drives, 980, 1020);
	env.drive = NULL;
	loop_for(100 * MS);
	assert_false(env.vm[1].io_more);
}

/* ---- the share of a busy guest beside three ---- */

/* Its weight's share of what is run, in hundredths, that guest 0 gets in 10 s. */
static u64 share_of_0(u32 weight)
{
	env.vm[0].weight = weight;
	w.ran[0] = 0;
	loop_for(10000 * MS);
	return w.ran[0] * 100 / (10000 * MS * weight / (weight + 300));
}

static void test_share_beside_sleepers(void **state)
{
	(void)state;
	start(0);
	w.awake = 10 * US;
	env.turn_ticks = 60 * US;
	for (u32 i = 1; i < 4; i++)
		sleeper(i, i * 60 * US, GRID);
	assert_true(share_of_0(100) >= 90);
	assert_true(share_of_0(1000) >= 90);
	assert_true(share_of_0(10) >= 90);
}

static void test_share_beside_one_shots(void **state)
{
	(void)state;
	start(0);
	w.awake = 10 * US;
	w.rearm = 1 * US;
	env.turn_ticks = 60 * US;
	for (u32 i = 1; i < 4; i++)
		sleeper(i, i * 60 * US, 0);
	assert_true(share_of_0(100) >= 90);
}

static void test_share_beside_queues(void **state)
{
	(void)state;
	start(0);
	env.retry = refill;
	env.turn_ticks = 20 * US;
	go_ticks = 20 * MS;
	for (u32 i = 1; i < 4; i++)
		queue(i);
	assert_true(share_of_0(100) >= 90);
	assert_true(share_of_0(1000) >= 90);
}

static void test_share_beside_completions(void **state)
{
	(void)state;
	start(0);
	sleeper(1, 0, 0);
	sleeper(2, 1 * MS, GRID);
	queue(3);
	env.retry = refill;
	go_ticks = 2 * MS;
	w.awake = 20 * US;
	w.every = 200;
	w.completed = &env.vm[1];
	w.completion = 30 * US;
	env.turn_ticks = 40 * US;
	assert_true(share_of_0(100) >= 90);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_sleepers_wake_together),
		test(test_sleeper_wakes_on_the_grid),
		test(test_periods_keep_their_phase),
		test(test_own_timer_is_exact),
		test(test_who_halts_pays),
		test(test_who_sleeps_pays),
		test(test_who_ends_a_wait_pays),
		test(test_whose_slice_ended_pays),
		test(test_two_share_a_turn),
		test(test_whose_completion_pays),
		test(test_whose_late_completion_pays),
		test(test_quiet_completions_pay),
		test(test_looks_at_disks),
		test(test_nothing_twice),
		test(test_sleeper_does_not_save_up),
		test(test_woken_is_served_soon),
		test(test_slices_stay_whole),
		test(test_queue_waits_while_ahead),
		test(test_own_queue_goes_on),
		test(test_queue_turn_is_bounded),
		test(test_transfers_wait_too),
		test(test_share_beside_sleepers),
		test(test_share_beside_one_shots),
		test(test_share_beside_queues),
		test(test_share_beside_completions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
