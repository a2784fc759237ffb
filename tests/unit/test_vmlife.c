/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_vmlife.c - start, pause, reset, power-off and failure of guests: each waits for what it needs
 * and leaves its neighbours alone.
 */
#include "tests/unit/kernel_env.h"
#include "boot/boot_info.h"

static struct boot_module kernel;
static char why[128];

/* A multiboot image with load addresses: header at 0, loaded to 1 MiB. */
static void make_kernel(u32 i)
{
	static const u32 header[] = { 0x1badb002, 0x10000, 0u - 0x1badb002u - 0x10000u, 0x100000, 0x100000,
				      0x101000, 0x101000, 0x100020 };

	memcpy(arch_direct_map + 512 * PAGE_SIZE, header, sizeof(header));
	kernel = (struct boot_module){ .start = { 512 * PAGE_SIZE }, .size = PAGE_SIZE };
	env.vm[i].kernel = &kernel;
	env.config[i].kind = CONFIG_MULTIBOOT;
	env.config[i].ram = 16 * MIB;
	env.config[i].cmdline = "";
	env.vm[i].state = VM_STARTING;
}

static void test_start(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	env.room = false;
	vm_service();
	assert_int_equal(vm->state, VM_STARTING); /* waits for frames */
	assert_int_equal(env.loads, 0);
	env.room = true;
	vm_service();
	assert_string_equal(vm->reason, "");
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(env.hw[0].entry.mode, VIRT_ENTRY_PROT32);
	assert_int_equal(env.hw[0].entry.rip, 0x100020);
	assert_int_equal(env.hw[0].entry.rax, 0x2badb002);
	assert_true(env.loads > 1);
	assert_int_equal(vm->vcpu.state, VCPU_RUNNABLE);
	assert_int_equal(vm->vcpu.xcr0, 1);
}

static void test_frames_run_out(void **state)
{
	(void)state;
	make_kernel(0);
	env.load = E_NOMEM;
	vm_service();
	assert_int_equal(env.vm[0].state, VM_STARTING);
	assert_false(env.vm[0].clean); /* what was loaded is thrown away first */
	env.load = 0;
	vm_service();
	assert_int_equal(env.vm[0].state, VM_RUNNING);
}

/* Each try waits for more; in the end it is clear that its max is in the way. */
static void test_does_not_fit(void **state)
{
	struct vm *vm = &env.vm[0];
	u32 tries;

	(void)state;
	make_kernel(0);
	env.load = E_NOMEM;
	for (tries = 0; vm->state == VM_STARTING && tries < 100; tries++)
		vm_service();
	assert_in_range(tries, 5, 30);
	assert_non_null(strstr(vm->reason, "of memory, but its max is 16 MiB"));
	vm_service();
	assert_int_equal(vm->state, VM_FAILED);
}

/* A kernel that leaves at once pays for its loads: its neighbour gets on. */
static void test_load_is_charged(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	env.load_ticks = 1000000;
	vm_service();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_true(vm->vcpu.vruntime >= 1000000);
}

/* So it is for what empties it, which takes longer the more pages it has. */
static void test_reset_is_charged(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	vm_service();
	env.reset_ticks = 1000000;
	vm->vcpu.vruntime = 0;
	vdev_power(vm, VDEV_RESET);
	vm_service();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_in_range(vm->vcpu.vruntime, 1000000, 1010000);
	vdev_power(vm, VDEV_POWER_OFF);
	vm_service();
	assert_int_equal(vm->state, VM_OFF);
	assert_in_range(vm->vcpu.vruntime, 2000000, 2010000);
	assert_int_equal(env.vm[1].vcpu.vruntime, 0);
}

/* Two resets of its own a second; the machine may sleep while the third waits, and wakes for it. */
static void test_own_resets_wait(void **state)
{
	struct vm *vm = &env.vm[0];
	u64 first = fake_tsc;

	(void)state;
	make_kernel(0);
	vm_service();
	for (u32 i = 0; i < 2; i++) {
		vdev_power(vm, VDEV_RESET);
		vm_service();
		assert_int_equal(vm->state, VM_RUNNING); /* at once */
	}
	vdev_power(vm, VDEV_RESET);
	vm_service();
	assert_int_equal(vm->state, VM_STARTING);
	assert_true(vm->clean); /* its frames are free meanwhile */
	env.held[0] = true; /* once it runs */
	fake_tsc += 7000000; /* no multiple of the housekeeping's period is left */
	for (u32 i = 0; i < 100 && vm->state == VM_STARTING; i++) {
		u32 loads = env.loads;

		loop_once();
		assert_true(env.loads == loads || fake_tsc >= first + 1000000000);
	}
	assert_int_equal(vm->state, VM_RUNNING);
	assert_in_range(fake_tsc, first + 1000000000, first + 1000000000 + 10);
	assert_int_equal(vm->resets, 3);
}

/* Guest 0 falls over at its first instruction, guest 1 works. */
static void enter_fall(struct vcpu_hw *v, u64 deadline, struct vmexit *x)
{
	x->kind = v == &env.hw[0] ? VMEXIT_TRIPLE : VMEXIT_TIMER;
	fake_tsc = v == &env.hw[0] ? fake_tsc + 2000 : MAX(fake_tsc + 1, deadline);
}

static void test_neighbour_of_one_that_falls(void **state)
{
	u64 start = fake_tsc;

	(void)state;
	make_kernel(0);
	env.reset_ticks = 750000; /* 3 GiB */
	env.vm[1].state = VM_RUNNING;
	env.enter = enter_fall;
	while (fake_tsc - start < 5000000000)
		loop_once();
	assert_in_range(env.vm[0].resets, 8, 11);
	assert_true(env.vm[1].vcpu.run_ticks > (fake_tsc - start) / 100 * 95);
}

static u32 said, told;

static void count_lines(enum log_level level, const char *line)
{
	const char *more = strchr(line, ';');
	u32 n = 0;

	(void)level;
	said++;
	for (more = more ? more + 2 : ""; *more >= '0' && *more <= '9'; more++)
		n = n * 10 + (u32)(*more - '0');
	told += n;
}

/* The log and its wire are everybody's. */
static void test_says_one_line_a_second(void **state)
{
	struct vmexit x = { .kind = VMEXIT_TRIPLE };

	(void)state;
	said = told = 0;
	log_sink = count_lines;
	for (u32 i = 0; i < 4; i++) { /* a single reset is told whole */
		vm_say(&env.vm[0], "starts");
		assert_int_equal(said, i + 1);
	}
	for (u32 i = 0; i < 3000; i++) {
		(void)exit_table[VMEXIT_TRIPLE](&env.vm[0].vcpu, &x);
		fake_tsc += 10000000; /* 30 s */
	}
	assert_in_range(said, 32, 34);
	assert_int_equal(said + told + env.vm[0].unsaid, 3004);
	vm_say(&env.vm[1], "starts"); /* the neighbour's are its own */
	log_sink = NULL;
	assert_in_range(said, 33, 35);
	assert_int_equal(env.vm[1].unsaid, 0);
}

static void test_operators_resets_do_not_wait(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	vm_service();
	for (u32 i = 0; i < 5; i++) {
		if (i < 2)
			vdev_power(vm, VDEV_RESET);
		else
			assert_int_equal(vm_reset(vm, why, sizeof(why)), 0);
		vm_service();
		assert_int_equal(vm->state, VM_RUNNING);
	}
	vdev_power(vm, VDEV_RESET);
	vm_service();
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(vm_stop(vm, why, sizeof(why)), 0);
	vm_service();
	assert_int_equal(vm_reset(vm, why, sizeof(why)), 0);
	vm_service();
	assert_int_equal(vm->state, VM_RUNNING);
}

static void test_says_that_it_waits(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	env.room = false;
	vm_service();
	assert_true(vm->waits_since > 1);
	fake_tsc += 11000000000ull;
	vm_service();
	assert_int_equal(vm->waits_since, 1);
	assert_int_equal(vm->state, VM_STARTING);
}

static void test_bad_kernel(void **state)
{
	(void)state;
	make_kernel(0);
	memset(arch_direct_map + 512 * PAGE_SIZE, 0, 64);
	vm_service();
	vm_service();
	assert_int_equal(env.vm[0].state, VM_FAILED);
	assert_non_null(strstr(env.vm[0].reason, "can't be loaded"));
}

static void test_reset(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	vm_service();
	vdev_power(vm, VDEV_RESET);
	assert_int_equal(vm->state, VM_RUNNING); /* takes effect later */
	env.drain = E_AGAIN;
	vm_service();
	vm_service();
	assert_int_equal(vm->state, VM_STARTING);
	assert_int_equal(env.board[0].resets, 1); /* not while I/O is in flight */
	env.drain = 0;
	env.reset = E_AGAIN;
	vm_service();
	assert_int_equal(vm->state, VM_STARTING);
	env.reset = 0;
	vm_service();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->resets, 1);
	assert_int_equal(env.hw[0].resets, 2);
	assert_int_equal(env.started, 1);
}

static void test_power_off(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	vm_service();
	env.vm[1].state = VM_RUNNING;
	vdev_power(vm, VDEV_POWER_OFF);
	vm_service();
	assert_int_equal(vm->state, VM_OFF);
	assert_int_equal(env.stopped, 1);
	assert_int_equal(env.vm[1].state, VM_RUNNING);
	assert_string_equal(vm->reason, "powered off by itself");
	assert_int_equal(vm_reset(vm, why, sizeof(why)), 0); /* and on again */
	vm_service();
	assert_int_equal(vm->state, VM_RUNNING);
}

static void test_fail(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	make_kernel(0);
	vm_service();
	pager_failed(&vm->mem, "its swap can't be written");
	vm_fail(vm, "something else");
	assert_int_equal(vm->state, VM_STOPPING);
	assert_string_equal(vm->reason, "its swap can't be written");
	vm_service();
	assert_int_equal(vm->state, VM_FAILED);
	vm_fail(vm, "late");
	assert_int_equal(vm->state, VM_FAILED);
}

static void test_verbs(void **state)
{
	struct vm *vm = &env.vm[0];

	(void)state;
	assert_int_equal(vm_pause(vm, why, sizeof(why)), E_INVAL);
	assert_string_equal(why, "g0 is off: it can't be paused");
	assert_int_equal(vm_stop(vm, why, sizeof(why)), E_INVAL);
	make_kernel(0);
	assert_int_equal(vm_reset(vm, why, sizeof(why)), E_INVAL); /* is starting */
	vm_service();
	assert_int_equal(vm_pause(vm, why, sizeof(why)), 0);
	assert_int_equal(vm->state, VM_PAUSED);
	vm->mem.stuck_since_ns = 1;
	assert_int_equal(vm_resume(vm, why, sizeof(why)), 0);
	assert_int_equal(vm->mem.stuck_since_ns, 0);
	assert_int_equal(vm_resume(vm, why, sizeof(why)), E_INVAL);
	assert_int_equal(vm_stop(vm, why, sizeof(why)), 0);
	vm_service();
	assert_int_equal(vm->state, VM_OFF);
	vm->state = VM_REFUSED;
	assert_int_equal(vm_reset(vm, why, sizeof(why)), E_INVAL);
	assert_ptr_equal(vm_by_name("g2"), &env.vm[2]);
	assert_null(vm_by_name("nobody"));
}

static void test_uart(void **state)
{
	(void)state;
	vdev_uart_tx(&env.vm[0], 'x');
	assert_int_equal(env.tx[0], 'x');
	vdev_wake(&env.vm[1]);
	assert_true(env.vm[1].vcpu.look);
	assert_true(pcpu_this()->work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		env_test(test_start),
		env_test(test_frames_run_out),
		env_test(test_does_not_fit),
		env_test(test_load_is_charged),
		env_test(test_reset_is_charged),
		env_test(test_own_resets_wait),
		env_test(test_neighbour_of_one_that_falls),
		env_test(test_says_one_line_a_second),
		env_test(test_operators_resets_do_not_wait),
		env_test(test_says_that_it_waits),
		env_test(test_bad_kernel),
		env_test(test_reset),
		env_test(test_power_off),
		env_test(test_fail),
		env_test(test_verbs),
		env_test(test_uart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
