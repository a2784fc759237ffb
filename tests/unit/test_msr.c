/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_msr.c - RDMSR, WRMSR, control registers and XSETBV, by policy.
 */
#include "tests/unit/kernel_env.h"

static struct vmexit x;

static enum verdict rd(u32 msr, u64 *value)
{
	u64 *r = env.hw[0].regs.gpr;
	enum verdict v;

	env.hw[0].exc = -1;
	r[REG_RCX] = msr;
	r[REG_RAX] = r[REG_RDX] = ~0ull;
	v = exit_rdmsr(&env.vm[0].vcpu, &x);
	*value = r[REG_RAX] | r[REG_RDX] << 32;
	return v;
}

static enum verdict wr(u32 msr, u64 value)
{
	u64 *r = env.hw[0].regs.gpr;

	env.hw[0].exc = -1;
	r[REG_RCX] = msr;
	r[REG_RAX] = 0xffffffff00000000ull | (u32)value; /* the upper half is ignored */
	r[REG_RDX] = value >> 32;
	return exit_wrmsr(&env.vm[0].vcpu, &x);
}

static void test_values(void **state)
{
	u64 v;

	(void)state;
	assert_int_equal(rd(0xfe, &v), V_NEXT);
	assert_int_equal(v, 0x108);
	assert_int_equal(wr(0xfe, 1), V_RETRY);
	assert_int_equal(env.hw[0].exc, 13);
	assert_int_equal(env.hw[0].exc_code, 0);
	assert_int_equal(rd(0x2ff, &v), V_NEXT);
	assert_int_equal(v, 0xc06);
	assert_int_equal(wr(0x2ff, 0), V_NEXT);
	assert_int_equal(rd(0x26c, &v), V_NEXT);
	assert_int_equal(v, 0x0606060606060606ull);
	assert_int_equal(rd(0x20f, &v), V_NEXT);
	assert_int_equal(rd(0x1a0, &v), V_NEXT);
	assert_int_equal(v, 0x1801);
	assert_int_equal(rd(0x3a, &v), V_NEXT);
	assert_int_equal(v, 1); /* locked, VMX off */
	assert_int_equal(wr(0x3a, 5), V_RETRY);
	fake_tsc = 0x123456789abcull;
	assert_int_equal(rd(0x10, &v), V_NEXT);
	assert_int_equal(v, 0x123456789abcull);
}

static void test_unknown(void **state)
{
	static const u32 unknown[] = {
		0x34, 0xce, 0x140, 0x10a, 0x480, 0x802, 0xda0, 0xc0010114, 0xdeadbeef
	};
	u64 v;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++) {
		assert_int_equal(rd(unknown[i], &v), V_RETRY);
		assert_int_equal(env.hw[0].exc, 13);
		assert_int_equal(wr(unknown[i], 0), V_RETRY);
		assert_int_equal(env.hw[0].exc, 13);
	}
}

static void test_backend(void **state)
{
	u64 v;

	(void)state;
	assert_int_equal(wr(0xc0000080, 0xd01), V_NEXT);
	assert_int_equal(rd(0xc0000080, &v), V_NEXT);
	assert_int_equal(v, 0xd01);
	assert_int_equal(wr(0xc0000080, 0xbad), V_RETRY);
	assert_int_equal(env.hw[0].exc, 13);
}

static void test_board(void **state)
{
	u64 v;

	(void)state;
	env.vm[0].vcpu.look = false;
	assert_int_equal(wr(0x6e0, 0x1122334455ull), V_NEXT);
	assert_true(env.vm[0].vcpu.look);
	assert_int_equal(env.board[0].tsc_deadline, 0x1122334455ull);
	assert_int_equal(rd(0x1b, &v), V_NEXT);
	assert_int_equal(v, 0xfee00900);
	assert_int_equal(wr(0x1b, 0), V_RETRY);
	assert_int_equal(env.hw[0].exc, 13);
}

static void test_cr(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;
	struct vmexit e = { .kind = VMEXIT_CR, .cr = { .cr = 4, .gpr = REG_RBX } };

	(void)state;
	v->regs->gpr[REG_RBX] = 0x20;
	assert_int_equal(exit_cr(v, &e), V_NEXT);
	assert_int_equal(env.hw[0].mode.cr4, 0x20);
	v->regs->gpr[REG_RBX] = 0xbad;
	assert_int_equal(exit_cr(v, &e), V_RETRY);
	assert_int_equal(env.hw[0].exc, 13);
	e.cr.has_value = true;
	e.cr.value = 0x30;
	assert_int_equal(exit_cr(v, &e), V_NEXT);
	assert_int_equal(env.hw[0].mode.cr4, 0x30);
	e = (struct vmexit){ .kind = VMEXIT_CR, .cr = { .cr = 4, .gpr = REG_RSP, .read = true } };
	assert_int_equal(exit_cr(v, &e), V_NEXT);
	assert_int_equal(v->regs->gpr[REG_RSP], 0x30);
	assert_true(v->regs->dirty);
	/* CR8 is the task priority. */
	e = (struct vmexit){ .kind = VMEXIT_CR, .cr = { .cr = 8, .gpr = REG_RCX } };
	v->regs->gpr[REG_RCX] = 9;
	assert_int_equal(exit_cr(v, &e), V_NEXT);
	assert_int_equal(env.board[0].last_addr, 0x80);
	assert_int_equal(env.board[0].last_value, 0x90);
	v->regs->gpr[REG_RCX] = 16;
	assert_int_equal(exit_cr(v, &e), V_RETRY);
}

static void test_xsetbv(void **state)
{
	struct vcpu *v = &env.vm[0].vcpu;

	(void)state;
	v->regs->gpr[REG_RAX] = 7;
	assert_int_equal(exit_xsetbv(v, &x), V_NEXT);
	assert_int_equal(v->xcr0, 7);
	v->regs->gpr[REG_RAX] = 2;
	assert_int_equal(exit_xsetbv(v, &x), V_RETRY);
	assert_int_equal(v->xcr0, 7);
	v->regs->gpr[REG_RAX] = 7;
	v->regs->gpr[REG_RCX] = 1;
	assert_int_equal(exit_xsetbv(v, &x), V_RETRY);
	v->regs->gpr[REG_RCX] = 0;
	env.hw[0].mode.cpl = 3;
	assert_int_equal(exit_xsetbv(v, &x), V_RETRY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		env_test(test_values), env_test(test_unknown), env_test(test_backend), env_test(test_board),
		env_test(test_cr), env_test(test_xsetbv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
