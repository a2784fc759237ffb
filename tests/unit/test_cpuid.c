/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: @kernel */
/*
 * test_cpuid.c - what guests see of a host like a Haswell: hidden features, overrides, topology,
 * XSAVE sizes, bits that follow the guest's state.
 */
#include "tests/unit/kernel_env.h"

static struct arch_cpuid haswell(u32 leaf, u32 sub)
{
	switch (leaf) {
	case 0: return (struct arch_cpuid){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 };
	case 1: return (struct arch_cpuid){ 0x306c3, 0x03100800, 0xffffffff, 0xffffffff };
	case 4: return (struct arch_cpuid){ sub < 3 ? 0x1c004120u + sub + 1 : 0, 0x1c0003f, 0x3f, 0 };
	case 7: return (struct arch_cpuid){ 0, 0xffffffff, 0xffffffff, 0xffffffff };
	case 0xd:
		if (sub == 0)
			return (struct arch_cpuid){ 7, 832, 832, 0 };
		if (sub == 1)
			return (struct arch_cpuid){ 0xf, 0, 0, 0 };
		return sub == 2 ? (struct arch_cpuid){ 256, 576, 0, 0 } : (struct arch_cpuid){ 0, 0, 0, 0 };
	case 0x80000000: return (struct arch_cpuid){ 0x80000008, 0, 0, 0 };
	case 0x80000001: return (struct arch_cpuid){ 0, 0, 0xffffffff, 0xffffffff };
	case 0x80000008: return (struct arch_cpuid){ 0x3027, 0, 0, 0 };
	default: return (struct arch_cpuid){ 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff };
	}
}

static struct arch_cpuid amd(u32 leaf, u32 sub)
{
	if (leaf == 0)
		return (struct arch_cpuid){ 0xd, 0x68747541, 0x444d4163, 0x69746e65 };
	return haswell(leaf, sub);
}

static const u64 *ask(u32 leaf, u32 sub)
{
	struct vmexit x = { .kind = VMEXIT_CPUID };
	u64 *r = env.hw[0].regs.gpr;

	for (int i = 0; i < 4; i++)
		r[i] = ~0ull; /* upper halves must be cleared */
	r[REG_RAX] = leaf;
	r[REG_RCX] = sub;
	assert_int_equal(exit_cpuid(&env.vm[0].vcpu, &x), V_NEXT);
	return r;
}

static int setup(void **state)
{
	env_setup(state);
	fake_cpuid = haswell;
	fake_xcr0 = 7;
	exit_cpuid_init(50000000);
	return 0;
}

static void test_hidden(void **state)
{
	const u64 *r = ask(1, 0);

	(void)state;
	/* DTES64 MONITOR DSCPL VMX SMX EST TM2 xTPR PDCM PCID x2APIC */
	assert_int_equal(r[REG_RCX] & 0x0022c1fc, 0);
	assert_true(r[REG_RCX] & BIT(31));
	assert_true(r[REG_RCX] & BIT(24));
	/* DS ACPI HTT TM PBE */
	assert_int_equal(r[REG_RDX] & 0xb0600000, 0);
	assert_int_equal(r[REG_RBX], 0x00010800);
	assert_int_equal(r[REG_RAX], 0x306c3);
	r = ask(7, 0);
	assert_int_equal(r[REG_RBX] & (BIT(4) | BIT(10) | BIT(11) | BIT(14) | BIT(16)), 0);
	assert_true(r[REG_RBX] & BIT(9));
	assert_int_equal(ask(0xa, 0)[REG_RAX], 0);
	assert_int_equal(ask(6, 0)[REG_RAX], 4);
	assert_int_equal(ask(5, 0)[REG_RCX], 0);
	assert_int_equal(ask(0x14, 0)[REG_RAX], 0);
	assert_int_equal(ask(0x8000001f, 0)[REG_RAX], 0);
	assert_int_equal(ask(0x80000001, 0)[REG_RDX] & BIT(27), 0);
	assert_int_equal(ask(0x80000001, 0)[REG_RCX] & BIT(2), 0);
	assert_int_equal(ask(0xffffffff, 0)[REG_RBX], 0);
}

static void test_backend_features(void **state)
{
	(void)state;
	env.has_rdtscp = env.has_invpcid = true;
	exit_cpuid_init(50000000);
	assert_true(ask(1, 0)[REG_RCX] & BIT(17));
	assert_true(ask(7, 0)[REG_RBX] & BIT(10));
	assert_true(ask(0x80000001, 0)[REG_RDX] & BIT(27));
}

/* Leaf 15h has 32 bits for a crystal that is the TSC itself: a faster one is halved. */
static void test_quick_crystal(void **state)
{
	const u64 *r;

	(void)state;
	exit_cpuid_init(5000000000ull);
	r = ask(0x15, 0);
	assert_int_equal(r[REG_RAX], 1);
	assert_int_equal(r[REG_RBX], 2);
	assert_int_equal(r[REG_RCX], 2500000000u);
}

static void test_leaves(void **state)
{
	const u64 *r;

	(void)state;
	assert_int_equal(ask(0, 0)[REG_RAX], 0x16);
	r = ask(4, 1);
	assert_int_equal(r[REG_RAX], 0x122); /* one thread, one core */
	assert_int_equal(r[REG_RBX], 0x1c0003f);
	assert_int_equal(ask(4, 3)[REG_RAX], 0);
	assert_int_equal(ask(4, 77)[REG_RBX], 0);
	r = ask(0xb, 0);
	assert_int_equal(r[REG_RBX], 1);
	assert_int_equal(r[REG_RCX], 0x100);
	assert_int_equal(ask(0xb, 1)[REG_RCX], 0x201);
	assert_int_equal(ask(0xb, 5)[REG_RCX], 5);
	r = ask(0x15, 0);
	assert_int_equal(r[REG_RAX], 1);
	assert_int_equal(r[REG_RBX], 1);
	assert_int_equal(r[REG_RCX], 50000000);
	assert_int_equal(ask(0x16, 0)[REG_RAX], 50);
	r = ask(0x40000000, 0);
	assert_memory_equal(&r[REG_RBX], "VMMB", 4);
	assert_memory_equal(&r[REG_RCX], "VMMB", 4);
	assert_int_equal(r[REG_RBX] >> 32, 0);
	assert_int_equal(ask(0x80000007, 0)[REG_RDX], 0x100);
	assert_int_equal(ask(0x80000008, 0)[REG_RAX], 0x3027);
	/* A leaf without sub-leaves does not look at ECX. */
	assert_int_equal(ask(6, 99)[REG_RAX], 4);
}

static void test_xsave(void **state)
{
	(void)state;
	assert_int_equal(ask(0xd, 0)[REG_RAX], 7);
	assert_int_equal(ask(0xd, 0)[REG_RBX], 576);
	assert_int_equal(ask(0xd, 0)[REG_RCX], 832);
	env.vm[0].vcpu.xcr0 = 7;
	assert_int_equal(ask(0xd, 0)[REG_RBX], 832);
	assert_int_equal(ask(0xd, 1)[REG_RAX], 7); /* no XSAVES */
	assert_int_equal(ask(0xd, 1)[REG_RBX], 832);
	assert_int_equal(ask(0xd, 2)[REG_RAX], 256);
	assert_int_equal(ask(0xd, 5)[REG_RAX], 0);
	fake_xcr0 = 0;
	exit_cpuid_init(50000000);
	assert_int_equal(ask(0xd, 0)[REG_RAX], 0);
	assert_int_equal(ask(1, 0)[REG_RCX] & (BIT(26) | BIT(28)), 0);
}

static void test_dynamic(void **state)
{
	(void)state;
	assert_int_equal(ask(1, 0)[REG_RCX] & BIT(27), 0);
	env.hw[0].mode.cr4 |= BIT64(18);
	assert_true(ask(1, 0)[REG_RCX] & BIT(27));
	assert_true(ask(1, 0)[REG_RDX] & BIT(9));
	env.board[0].apic_base = 0xfee00100;
	assert_int_equal(ask(1, 0)[REG_RDX] & BIT(9), 0);
}

static void test_amd(void **state)
{
	(void)state;
	fake_cpuid = amd;
	exit_cpuid_init(50000000);
	assert_int_equal(ask(0, 0)[REG_RAX], 0xd);
	assert_int_equal(ask(1, 0)[REG_RCX] & BIT(24), BIT(24)); /* a deadline timer all the same */
	assert_false(exit_cpuid_tells_tsc());
	assert_int_equal(ask(0x15, 0)[REG_RCX], 0);
}

#define cpuid_test(f) cmocka_unit_test_setup_teardown(f, setup, env_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cpuid_test(test_hidden), cpuid_test(test_backend_features),
		cpuid_test(test_leaves), cpuid_test(test_quick_crystal),
		cpuid_test(test_xsave),  cpuid_test(test_dynamic),
		cpuid_test(test_amd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
