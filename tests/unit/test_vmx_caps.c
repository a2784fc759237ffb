/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vmx/caps.c vmx/cpu.c vmx/bitmap.c vmx/ept.c vmx/vmcs.c vmx/context.c vmx/event.c vmx/entry.c vmx/exit.c vmx/cr.c vmx/msr.c vmx/vcpu.c arch/x86_64/virt/vcontext.c arch/x86_64/virt/vrules.c tests/fake/fake_vmx.c tests/fake/fake_cpu.c kernel/lib/fmt.c kernel/lib/parse.c */
/*
 * test_vmx_caps.c - which CPUs are refused, in which words, and what VMXON and the VMCS get.
 */
#include "tests/unit/vmx_env.h"

static char why[256];

static void expect_refusal(const char *words)
{
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), E_NOTSUP);
	assert_string_equal(why, words);
}

static int setup(void **state)
{
	(void)state;
	fake_vmx_reset();
	memset(&vmx_cpu, 0, sizeof(vmx_cpu));
	env_next = 1;
	env_xcr0 = 7;
	env_leaf1.ecx = CPUID_1_ECX_VMX;
	return 0;
}

static void clear_allowed(u32 msr, u32 bits)
{
	fake_cpu_wrmsr(msr, fake_cpu_rdmsr(msr) & ~((u64)bits << 32));
}

static void test_good_cpu(void **state)
{
	(void)state;
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(vmx_caps.revision, 0x2b);
	assert_int_equal(vmx_caps.timer_shift, 5);
	assert_true(vmx_caps.ctl[CTL_PROC2] & PROC2_APIC_REGISTERS);
	assert_false(vmx_caps.ctl[CTL_PROC2] & PROC2_VIRTUAL_INTR_DELIVERY);
	assert_false(vmx_caps.ctl[CTL_PROC] & (PROC_CR3_LOAD_EXITING | PROC_PAUSE_EXITING));
	assert_false(vmx_caps.ctl[CTL_EXIT] & EXIT_ACK_INTERRUPT);
	assert_true(vmx_caps.rdtscp);
	assert_int_equal(vcontext_caps.xcr0, 7);
}

static void test_no_vmx(void **state)
{
	(void)state;
	env_leaf1.ecx = 0;
	expect_refusal("this CPU has no VMX (CPUID.1:ECX.5 is 0)");
}

static void test_locked_off(void **state)
{
	(void)state;
	fake_cpu_wrmsr(MSR_IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCKED);
	expect_refusal("VMX is locked off by the firmware (IA32_FEATURE_CONTROL)");
}

static void test_missing_named(void **state)
{
	(void)state;
	clear_allowed(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_UNRESTRICTED_GUEST);
	fake_cpu_wrmsr(MSR_IA32_VMX_EPT_VPID_CAP, ~EPT_CAP_AD);
	expect_refusal("VMX lacks: unrestricted guest, EPT accessed and dirty flags");
}

static void test_no_secondary(void **state)
{
	(void)state;
	clear_allowed(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, PROC_SECONDARY);
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), E_NOTSUP);
	assert_non_null(strstr(why, "secondary controls, EPT, VPID, unrestricted guest"));
	/* The line is cut, never overrun. */
	assert_int_equal(vmx_ops.probe(why, 20), E_NOTSUP);
	assert_int_equal(strlen(why), 19);
}

static void test_must_be_off(void **state)
{
	(void)state;
	fake_cpu_wrmsr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
		       fake_cpu_rdmsr(MSR_IA32_VMX_TRUE_PROCBASED_CTLS) | PROC_CR3_LOAD_EXITING);
	expect_refusal("VMX cannot do without: CR3-load exiting");
}

static void test_wanted_may_miss(void **state)
{
	(void)state;
	clear_allowed(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_APIC_REGISTERS | PROC2_RDTSCP | PROC2_INVPCID);
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), 0);
	assert_false(vmx_caps.ctl[CTL_PROC2] & (PROC2_APIC_REGISTERS | PROC2_RDTSCP));
	assert_false(vmx_caps.rdtscp);
}

static void test_xcr0_fits(void **state)
{
	(void)state;
	env_xcr0 = 0xe7; /* our fake AVX-512 ends past the area */
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), 0);
	assert_int_equal(vcontext_caps.xcr0, 7);
	env_xcr0 = 0x600e7 & ~0xe0u; /* AMX is never offered */
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), 0);
	assert_int_equal(vcontext_caps.xcr0, 7);
}

/* Ports, or MSRs by reads and writes, that a guest reaches without an exit. */
static u32 open_bits(const void *map, u32 bytes)
{
	const u8 *p = map;
	u32 n = 0;

	while (bytes--)
		n += 8u - (u32)__builtin_popcount(*p++);
	return n;
}

static void test_cpu_on(void **state)
{
	u8 *map;

	(void)state;
	env_cpu_on();
	assert_true(fake_vmx.on);
	assert_int_equal(fake_cpu_rdmsr(MSR_IA32_FEATURE_CONTROL), 5);
	assert_true(fake_cpu.cr4 & CR4_OSXSAVE);
	map = pfn_ptr(vmx_bitmaps.io_a);
	assert_int_equal(map[0x80 / 8], 0xfe);
	assert_int_equal(open_bits(map, PAGE_SIZE), 1);
	assert_int_equal(open_bits(pfn_ptr(vmx_bitmaps.io_b), PAGE_SIZE), 0);
	map = pfn_ptr(vmx_bitmaps.msr);
	assert_int_equal(map[0x10 / 8], 0xff);                /* TSC */
	assert_int_equal(map[0x174 / 8] & 0x70, 0);           /* SYSENTER, read */
	assert_int_equal(map[2048 + 0x174 / 8] & 0x70, 0);    /* and written */
	assert_int_equal(map[1024 + 0x80 / 8], 0xe1);         /* STAR.., but not EFER */
	assert_int_equal(map[3072 + 0x100 / 8], 0xf0);        /* bases, TSC_AUX */
	assert_int_equal(open_bits(map, PAGE_SIZE), 2 * (3 + 4 + 4)); /* no other */
	vmx_ops.cpu_off();
	assert_false(fake_vmx.on || (fake_cpu.cr4 & CR4_VMXE));
}

static void test_vmxon_refused(void **state)
{
	(void)state;
	assert_int_equal(vmx_ops.probe(why, sizeof(why)), 0);
	fake_vmx.vmxon_fails = true;
	assert_int_equal(vmx_ops.cpu_on(why, sizeof(why)), E_NOTSUP);
	assert_string_equal(why, "VMXON failed: is another hypervisor in charge?");
	env_next = ENV_FRAMES;
	assert_int_equal(vmx_ops.cpu_on(why, sizeof(why)), E_NOMEM);
}

static void test_no_frames_no_vcpu(void **state)
{
	(void)state;
	env_cpu_on();
	env_next = ENV_FRAMES - 1;
	assert_null(vmx_ops.vcpu_create((pfn_t){ 40 }, (pfn_t){ 41 }, 0));
	assert_int_equal(env_puts, 1);
}

static void test_vmcs_long64(void **state)
{
	struct vcpu_hw *v;
	struct guest_mode m;

	(void)state;
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	assert_int_equal(fake_vmx_read(VMCS_HOST_TR_BASE), 0x8877665544332211ull);
	assert_int_equal(fake_vmx_read(VMCS_EPTP), 40 << 12 | 0x5e);
	assert_int_equal(fake_vmx_read(VMCS_EXCEPTION_BITMAP), 1 << 1 | 1 << 17 | 1 << 18);
	assert_true(fake_vmx_read(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_CR4), CR4_PAE | CR4_VMXE | CR4_MCE);
	vmx_ops.mode(v, &m);
	assert_int_equal(m.cr0, CR0_PG | CR0_PE | CR0_ET);
	assert_int_equal(m.cr4, CR4_PAE);
	assert_int_equal(m.efer, EFER_LME | EFER_LMA);
	assert_int_equal(m.cs.sel, 0x10);
	assert_int_equal(m.cs.attr, 0xa09b);
	assert_int_equal(m.ds.sel, 0x18);
	assert_int_equal(m.cpl, 0);
	assert_int_equal(m.cr3, 0x9000);
	assert_int_equal(vmx_ops.regs(v)->gpr[REG_RSI], 0x90000);
}

static void test_vmcs_real(void **state)
{
	struct virt_entry e = { .mode = VIRT_ENTRY_REAL, .rip = 0xfffffff0 };
	struct vcpu_hw *v;
	struct guest_mode m;

	(void)state;
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	vmx_ops.vcpu_reset(v, &e);
	vmx_ops.mode(v, &m);
	assert_int_equal(m.cs.sel, 0xf000);
	assert_int_equal(m.cs.base, 0xffff0000);
	assert_int_equal(vmx_ops.regs(v)->rip, 0xfff0);
	assert_int_equal(m.cr0, CR0_CD | CR0_NW | CR0_ET);
	assert_int_equal(m.efer, 0);
	assert_false(fake_vmx_read(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_CR0), CR0_ET | CR0_NE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_cpu, setup),
		cmocka_unit_test_setup(test_no_vmx, setup),
		cmocka_unit_test_setup(test_locked_off, setup),
		cmocka_unit_test_setup(test_missing_named, setup),
		cmocka_unit_test_setup(test_no_secondary, setup),
		cmocka_unit_test_setup(test_must_be_off, setup),
		cmocka_unit_test_setup(test_wanted_may_miss, setup),
		cmocka_unit_test_setup(test_xcr0_fits, setup),
		cmocka_unit_test_setup(test_cpu_on, setup),
		cmocka_unit_test_setup(test_vmxon_refused, setup),
		cmocka_unit_test_setup(test_no_frames_no_vcpu, setup),
		cmocka_unit_test_setup(test_vmcs_long64, setup),
		cmocka_unit_test_setup(test_vmcs_real, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
