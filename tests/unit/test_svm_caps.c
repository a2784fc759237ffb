/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: svm/cpu.c svm/vmcb.c svm/npt.c svm/event.c svm/entry.c svm/exit.c svm/reg.c svm/vcpu.c arch/x86_64/virt/vcontext.c arch/x86_64/virt/vrules.c tests/fake/fake_svm.c tests/fake/fake_cpu.c kernel/lib/fmt.c kernel/lib/parse.c */
/*
 * test_svm_caps.c - which CPUs are refused, in which words, and what the VMCB and the permission maps get.
 */
#include "tests/unit/svm_env.h"

static char why[256];

static void expect_refusal(const char *words)
{
	assert_int_equal(svm_ops.probe(why, sizeof(why)), E_NOTSUP);
	assert_string_equal(why, words);
}

static int setup(void **state)
{
	(void)state;
	fake_svm_reset();
	memset(&svm_cpu, 0, sizeof(svm_cpu));
	env_next = 1;
	env_xcr0 = 7;
	env_cpuid_reset();
	return 0;
}

static void test_good_cpu(void **state)
{
	(void)state;
	assert_int_equal(svm_ops.probe(why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(svm_caps.asids, 16);
	assert_false(svm_caps.nrips || svm_caps.flush_by_asid);
	assert_true(svm_ops.has(VIRT_RDTSCP));
	assert_false(svm_ops.has(VIRT_INVPCID));
	assert_int_equal(vcontext_caps.xcr0, 7);
	env_svm.edx |= SVM_EDX_NRIPS | SVM_EDX_FLUSH_BY_ASID;
	assert_int_equal(svm_ops.probe(why, sizeof(why)), 0);
	assert_true(svm_caps.nrips && svm_caps.flush_by_asid);
	assert_false(svm_caps.virq);
	env_hypervisor = (struct arch_cpuid){ 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d }; /* KVMKVMKVM */
	assert_int_equal(svm_ops.probe(why, sizeof(why)), 0);
	assert_false(svm_caps.virq);
	env_hypervisor = (struct arch_cpuid){ 0x40000001, 0x54474354, 0x43544743, 0x47435447 };
	assert_int_equal(svm_ops.probe(why, sizeof(why)), 0);
	assert_true(svm_caps.virq);
}

static void test_no_svm(void **state)
{
	(void)state;
	env_ext.ecx = 0;
	expect_refusal("this CPU has no SVM (CPUID.80000001h:ECX.2 is 0)");
}

static void test_locked_off(void **state)
{
	(void)state;
	fake_cpu_wrmsr(MSR_AMD_VM_CR, VM_CR_SVMDIS | BIT64(3));
	expect_refusal("SVM is locked off by the firmware (VM_CR.SVMDIS): enable it in its setup");
	env_svm.edx |= SVM_EDX_LOCK;
	expect_refusal("SVM is locked off by the firmware (VM_CR.SVMDIS, with a key)");
	/* The line is cut, never overrun. */
	assert_int_equal(svm_ops.probe(why, 20), E_NOTSUP);
	assert_int_equal(strlen(why), 19);
}

static void test_off_but_not_locked(void **state)
{
	(void)state;
	fake_cpu_wrmsr(MSR_AMD_VM_CR, VM_CR_SVMDIS);
	assert_int_equal(svm_ops.probe(why, sizeof(why)), 0);
	assert_int_equal(svm_ops.cpu_on(why, sizeof(why)), 0);
	assert_int_equal(fake_cpu_rdmsr(MSR_AMD_VM_CR), 0);
}

static void test_missing(void **state)
{
	(void)state;
	env_svm.edx = 0;
	expect_refusal("SVM lacks: nested paging (CPUID.8000000Ah:EDX.0 is 0)");
	env_svm.edx = SVM_EDX_NP;
	env_svm.ebx = 1;
	expect_refusal("SVM lacks: an ASID for guests (CPUID.8000000Ah:EBX)");
}

static const u8 *io_map(const struct vcpu_hw *v) { return (const u8 *)(uintptr_t)v->vmcb->iopm; }
static const u8 *msr_map(const struct vcpu_hw *v) { return (const u8 *)(uintptr_t)v->vmcb->msrpm; }

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
	struct vcpu_hw *v;
	const u8 *map;

	(void)state;
	env_cpu_on();
	assert_true(fake_cpu_rdmsr(MSR_IA32_EFER) & EFER_SVME);
	assert_int_equal(fake_cpu_rdmsr(MSR_AMD_VM_HSAVE_PA), 0x1000);
	assert_int_equal(fake_svm.vmsaved, 0x2000);
	assert_true(fake_cpu.cr4 & CR4_OSXSAVE);
	v = env_vcpu(VIRT_ENTRY_LONG64);
	assert_int_equal(v->vmcb->iopm & PAGE_MASK, 0);
	assert_int_equal(v->vmcb->msrpm & PAGE_MASK, 0);
	assert_int_equal(io_map(v)[0x80 / 8], 0xfe);
	assert_int_equal(open_bits(io_map(v), 3 * PAGE_SIZE), 1); /* not even a wide access at port FFFFh */
	map = msr_map(v);
	assert_int_equal(map[0x10 / 4], 0xff);                /* TSC */
	assert_int_equal(map[0x174 / 4] & 0x3f, 0);           /* SYSENTER, both ways */
	assert_int_equal(map[2048 + 0x80 / 4], 0x03);         /* STAR.., but not EFER */
	assert_int_equal(map[2048 + 0x84 / 4], 0xfc);
	assert_int_equal(map[2048 + 0x100 / 4], 0x00);        /* bases, TSC_AUX */
	assert_int_equal(map[4096 + 0x114 / 4], 0xff);        /* VM_CR */
	assert_int_equal(open_bits(map, 2 * PAGE_SIZE), 2 * (3 + 4 + 4)); /* no other */
	svm_ops.cpu_off();
	assert_false(fake_cpu_rdmsr(MSR_IA32_EFER) & EFER_SVME);
}

static void test_no_frames(void **state)
{
	(void)state;
	env_cpu_on();
	env_next = ENV_APIC_FRAME - 1;
	assert_null(svm_ops.vcpu_create((pfn_t){ 40 }, (pfn_t){ ENV_APIC_FRAME }, 0));
	assert_int_equal(env_puts, 1);
	assert_int_equal(svm_ops.cpu_on(why, sizeof(why)), E_NOMEM);
}

static bool intercepted(const struct vcpu_hw *v, u32 code)
{
	return v->vmcb->intercept[code / 32] & BIT(code % 32);
}

static void test_intercepts(void **state)
{
	static const u8 on[] = { 0x41,          0x51,         0x52,
				 EXIT_INTR,     EXIT_NMI,     EXIT_SMI,
				 EXIT_INIT,     EXIT_CPUID,   EXIT_HLT,
				 EXIT_INVD,     EXIT_IOIO,    EXIT_MSR,
				 EXIT_SHUTDOWN, EXIT_VMRUN,   EXIT_VMMCALL,
				 EXIT_VMLOAD,   EXIT_VMSAVE,  EXIT_STGI,
				 EXIT_CLGI,     EXIT_SKINIT,  EXIT_INVLPGA,
				 EXIT_WBINVD,   EXIT_MONITOR, EXIT_MWAIT,
				 EXIT_XSETBV,   EXIT_RDPMC,   EXIT_TASK_SWITCH };
	struct vcpu_hw *v;

	(void)state;
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	for (size_t i = 0; i < sizeof(on); i++)
		assert_true(intercepted(v, on[i]));
	for (u32 code = 0; code < 0x40; code++) /* control and debug registers are the guest's */
		assert_false(intercepted(v, code));
	assert_false(intercepted(v, 0x4e) || intercepted(v, EXIT_VINTR) || intercepted(v, 0x77));
	assert_int_equal(v->vmcb->int_ctl, INT_V_MASKING);
	assert_int_equal(v->vmcb->nested_ctl, 1);
	assert_int_equal(v->vmcb->n_cr3, 40 << 12);
	assert_int_equal(v->vmcb->tsc_offset, 0);
}

static void test_vmcb_long64(void **state)
{
	struct guest_mode m;
	struct vcpu_hw *v;

	(void)state;
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	assert_int_equal(v->vmcb->cs.attr, 0xa9b);
	assert_int_equal(v->vmcb->ldtr.attr & 0x80, 0); /* not present */
	assert_int_equal(v->vmcb->tr.attr, 0x8b);
	assert_int_equal(v->vmcb->gdtr.base, 0x500);
	assert_int_equal(v->vmcb->gdtr.limit, 0x1f);
	assert_int_equal(v->vmcb->efer, EFER_LME | EFER_LMA | EFER_SVME);
	svm_ops.mode(v, &m);
	assert_int_equal(m.cr0, CR0_PG | CR0_PE | CR0_ET);
	assert_int_equal(m.cr4, CR4_PAE);
	assert_int_equal(m.efer, EFER_LME | EFER_LMA); /* SVME is not its business */
	assert_int_equal(m.cs.sel, 0x10);
	assert_int_equal(m.cs.attr, 0xa09b);
	assert_int_equal(m.ds.sel, 0x18);
	assert_int_equal(m.ds.attr, 0xc093);
	assert_int_equal(m.cpl, 0);
	assert_int_equal(m.cr3, 0x9000);
	assert_int_equal(svm_ops.regs(v)->gpr[REG_RSI], 0x90000);
}

static void test_vmcb_real(void **state)
{
	struct virt_entry e = { .mode = VIRT_ENTRY_REAL, .rip = 0xfffffff0 };
	struct guest_mode m;
	struct vcpu_hw *v;

	(void)state;
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	svm_ops.vcpu_reset(v, &e);
	svm_ops.mode(v, &m);
	assert_int_equal(m.cs.sel, 0xf000);
	assert_int_equal(m.cs.base, 0xffff0000);
	assert_int_equal(svm_ops.regs(v)->rip, 0xfff0);
	assert_int_equal(m.cr0, CR0_CD | CR0_NW | CR0_ET);
	assert_int_equal(m.efer, 0);
	assert_int_equal(v->vmcb->clean, 0);
}

/* More vCPUs than ASIDs: none is the host's 0 or beyond the last, and every switch flushes. */
static void test_asids(void **state)
{
	struct vcpu_hw *v, *w;
	struct vmexit x;

	(void)state;
	env_svm.ebx = 3;
	env_cpu_on();
	v = svm_ops.vcpu_create((pfn_t){ 40 }, (pfn_t){ ENV_APIC_FRAME }, 1);
	assert_false(svm_cpu.asids_shared);
	w = svm_ops.vcpu_create((pfn_t){ 40 }, (pfn_t){ ENV_APIC_FRAME }, 3);
	assert_true(svm_cpu.asids_shared);
	assert_int_equal(v->vmcb->asid, 2);
	assert_int_equal(w->vmcb->asid, 2);
	svm_ops.enter(v, 0, &x);
	svm_ops.enter(w, 0, &x);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_tlb, TLB_FLUSH_ALL);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_tlb, TLB_DO_NOTHING);
}

static void test_format(void **state)
{
	(void)state;
	assert_ptr_equal(svm_ops.slat, &svm_slat);
	assert_int_equal(svm_slat.leaf, 5);
	assert_int_equal(svm_slat.table, 7);
	assert_false(svm_ops.apic_virtualized);
	assert_null(svm_ops.apic_access_page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_cpu, setup),
		cmocka_unit_test_setup(test_no_svm, setup),
		cmocka_unit_test_setup(test_locked_off, setup),
		cmocka_unit_test_setup(test_off_but_not_locked, setup),
		cmocka_unit_test_setup(test_missing, setup),
		cmocka_unit_test_setup(test_cpu_on, setup),
		cmocka_unit_test_setup(test_no_frames, setup),
		cmocka_unit_test_setup(test_intercepts, setup),
		cmocka_unit_test_setup(test_vmcb_long64, setup),
		cmocka_unit_test_setup(test_vmcb_real, setup),
		cmocka_unit_test_setup(test_asids, setup),
		cmocka_unit_test_setup(test_format, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
