/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: vmx/caps.c vmx/cpu.c vmx/bitmap.c vmx/ept.c vmx/vmcs.c vmx/context.c vmx/event.c vmx/entry.c vmx/exit.c vmx/cr.c vmx/msr.c vmx/vcpu.c arch/x86_64/virt/vcontext.c arch/x86_64/virt/vrules.c tests/fake/fake_vmx.c tests/fake/fake_cpu.c kernel/lib/fmt.c kernel/lib/parse.c */
/*
 * test_vmx_exit.c - exits decoded from a fake VMCS, events delivered and delivered again,
 * CR and MSR rules, lazily switched state.
 */
#include "tests/unit/vmx_env.h"

static struct vcpu_hw *v;
static struct vmexit x;

static int setup(void **state)
{
	(void)state;
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	memset(&x, 0xee, sizeof(x));
	return 0;
}

#define enter_exit(...) do { env_exits_with(__VA_ARGS__); vmx_ops.enter(v, 0, &x); } while (0)

static void test_plain_exits(void **state)
{
	static const struct {
		u32 reason;
		u8 kind, len;
	} rows[] = {
		{ EXIT_REASON_CPUID, VMEXIT_CPUID, 2 },
		{ EXIT_REASON_HLT, VMEXIT_HLT, 2 },
		{ EXIT_REASON_EXTERNAL_INTERRUPT, VMEXIT_INTR, 0 },
		{ EXIT_REASON_TRIPLE_FAULT, VMEXIT_TRIPLE, 0 },
		{ EXIT_REASON_INTR_WINDOW, VMEXIT_IRQ_WINDOW, 0 },
		{ EXIT_REASON_RDMSR, VMEXIT_RDMSR, 2 },
		{ EXIT_REASON_WRMSR, VMEXIT_WRMSR, 2 },
		{ EXIT_REASON_PREEMPTION_TIMER, VMEXIT_TIMER, 0 },
		{ EXIT_REASON_XSETBV, VMEXIT_XSETBV, 2 },
		{ EXIT_REASON_INVD, VMEXIT_WBINVD, 2 },
		{ EXIT_REASON_VMCALL, VMEXIT_VIRT_INSN, 2 },
		{ EXIT_REASON_MWAIT, VMEXIT_VIRT_INSN, 2 },
		{ EXIT_REASON_TASK_SWITCH, VMEXIT_BAD, 0 },
		{ EXIT_REASON_EPT_MISCONFIGURATION, VMEXIT_BAD, 0 },
		{ 35, VMEXIT_BAD, 0 },
		{ 1000, VMEXIT_BAD, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enter_exit({ VMCS_EXIT_REASON, rows[i].reason }, { VMCS_EXIT_INSN_LEN, 2 },
			   { VMCS_GUEST_RIP, 0x1000 + i }, { VMCS_GUEST_RSP, 0x2000 },
			   { VMCS_GUEST_RFLAGS, 0x202 });
		assert_int_equal(x.kind, rows[i].kind);
		assert_int_equal(x.insn_len, rows[i].len);
		assert_int_equal(x.raw, rows[i].reason);
		assert_int_equal(v->regs.rip, 0x1000 + i);
		assert_int_equal(v->regs.gpr[REG_RSP], 0x2000);
	}
	assert_true(v->launched);
}

static void test_io(void **state)
{
	(void)state;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_IO_INSTRUCTION }, { VMCS_EXIT_QUALIFICATION, 0x03f80008 });
	assert_true(x.kind == VMEXIT_IO && x.io.port == 0x3f8 && x.io.size == 1 && x.io.in);
	assert_false(x.io.string || x.io.rep);
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_IO_INSTRUCTION }, { VMCS_EXIT_QUALIFICATION, 0x0cfc0033 });
	assert_true(x.io.port == 0xcfc && x.io.size == 4 && !x.io.in && x.io.string && x.io.rep);
}

static void test_slat(void **state)
{
	(void)state;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_EXIT_QUALIFICATION, 0x82 },
		   { VMCS_GUEST_PHYSICAL_ADDR, 0x7654321 }, { VMCS_GUEST_LINEAR_ADDR, 0x1234 });
	assert_true(x.kind == VMEXIT_SLAT && x.slat.write && !x.slat.read && x.slat.in_walk &&
		    x.slat.gla_valid);
	assert_int_equal(x.slat.gpa.a, 0x7654321);
	assert_int_equal(x.slat.gla, 0x1234);
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_EXIT_QUALIFICATION, 0x185 });
	assert_true(x.slat.read && x.slat.fetch && !x.slat.in_walk);
}

static void test_apic(void **state)
{
	(void)state;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_APIC_ACCESS }, { VMCS_EXIT_QUALIFICATION, 0x1380 });
	assert_true(x.kind == VMEXIT_APIC_ACCESS && x.apic.offset == 0x380 && x.apic.write);
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_APIC_ACCESS }, { VMCS_EXIT_QUALIFICATION, 0x2000 });
	assert_int_equal(x.kind, VMEXIT_BAD); /* code fetched from there */
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_APIC_WRITE }, { VMCS_EXIT_QUALIFICATION, 0xb0 });
	assert_true(x.kind == VMEXIT_APIC_WRITE && x.apic.offset == 0xb0 && x.insn_len == 0);
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_VIRTUALIZED_EOI }, { VMCS_EXIT_QUALIFICATION, 0x31 });
	assert_true(x.kind == VMEXIT_EOI && x.eoi.vector == 0x31);
}

static void test_exceptions(void **state)
{
	(void)state;
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000202 });
	assert_int_equal(x.kind, VMEXIT_NMI);
	assert_int_equal(fake_vmx.nmi_unblocks, 1);
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000312 });
	assert_int_equal(x.kind, VMEXIT_MCE);
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000b11 }, { VMCS_EXIT_INTR_CODE, 0 });
	assert_true(x.kind == VMEXIT_EXCEPTION && x.exc.vector == 17 && x.exc.has_code);
	/* #DB: DR6 as the exception would have left it, DR7.GD cleared */
	fake_cpu.dr6 = 0xffff0ff3;
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000301 },
		   { VMCS_EXIT_QUALIFICATION, 0x4001 }, { VMCS_GUEST_DR7, 0x2400 });
	assert_int_equal(x.exc.vector, 1);
	assert_int_equal(fake_cpu.dr6, 0xffff4ff1);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_DR7), 0x400);
	/* INT1 is a trap */
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000501 }, { VMCS_GUEST_RIP, 0x500 },
		   { VMCS_EXIT_INSN_LEN, 1 });
	assert_true(v->regs.rip == 0x501 && v->regs.dirty);
	/* Behind MOV SS, single-stepping: what the next entry is checked for. */
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000501 },
		   { VMCS_GUEST_INTERRUPTIBILITY, 10 }, { VMCS_GUEST_RFLAGS, 0x102 },
		   { VMCS_EXIT_INSN_LEN, 1 });
	assert_int_equal(fake_vmx_read(VMCS_GUEST_INTERRUPTIBILITY), 8);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_PENDING_DEBUG), 0);
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80000301 },
		   { VMCS_GUEST_INTERRUPTIBILITY, 2 }, { VMCS_GUEST_RFLAGS, 0x102 });
	assert_int_equal(fake_vmx_read(VMCS_GUEST_PENDING_DEBUG), 0x4000);
	/* RDPMC is a #GP(0) */
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_RDPMC });
	assert_true(x.kind == VMEXIT_EXCEPTION && x.exc.vector == 13 && x.exc.has_code && x.exc.code == 0);
}

static int refuse(struct vcpu_hw *w)
{
	(void)w;
	fake_vmx_write(VMCS_INSN_ERROR, 7);
	return 1;
}

static void test_bad_entries(void **state)
{
	char line[400];

	(void)state;
	enter_exit({ VMCS_EXIT_REASON, 0x80000021 });
	assert_int_equal(x.kind, VMEXIT_BAD);
	assert_false(v->launched);
	vmx_ops.describe(v, line, sizeof(line));
	assert_non_null(strstr(line, "entry failed: invalid guest state (33)"));
	fake_vmx.guest = refuse;
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(x.kind, VMEXIT_BAD);
	vmx_ops.describe(v, line, sizeof(line));
	assert_non_null(strstr(line, "entry refused: invalid control fields (7)"));
}

static void test_registers_written_when_dirty(void **state)
{
	struct guest_regs *r = vmx_ops.regs(v);

	(void)state;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_CPUID });
	fake_vmx.guest = NULL;
	fake_vmx.writes = 0;
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_vmx.writes, 0); /* a plain exit and entry write nothing */
	r->rip = 0x1234;
	r->gpr[REG_RSP] = 0x5678;
	r->rflags = 0x200;
	r->dirty = true;
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_RIP), 0x1234);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_RSP), 0x5678);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_RFLAGS), 0x202);
}

static void test_timer(void **state)
{
	(void)state;
	fake_cpu.tsc = 1000;
	/* A step ends where the TSC is a multiple of 32: never before the deadline, at most two late. */
	for (u64 deadline = 1001; deadline < 1100; deadline++) {
		u64 fires;

		vmx_ops.enter(v, deadline, &x);
		fires = (1000 / 32 + fake_vmx_read(VMCS_PREEMPTION_TIMER)) * 32;
		assert_in_range(fires, deadline, deadline + 64);
	}
	vmx_ops.enter(v, 999, &x);
	assert_int_equal(fake_vmx_read(VMCS_PREEMPTION_TIMER), 0);
	vmx_ops.enter(v, 1ull << 50, &x);
	assert_int_equal(fake_vmx_read(VMCS_PREEMPTION_TIMER), UINT32_MAX);
}

static void test_inject_irq(void **state)
{
	struct guest_regs *r = vmx_ops.regs(v);

	(void)state;
	assert_false(vmx_ops.can_take_irq(v)); /* IF = 0 */
	r->rflags |= RFLAGS_IF;
	assert_true(vmx_ops.can_take_irq(v));
	fake_vmx_write(VMCS_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI);
	assert_false(vmx_ops.can_take_irq(v));
	vmx_ops.wake_from_hlt(v);
	assert_true(vmx_ops.can_take_irq(v));
	vmx_ops.inject_irq(v, 0x41);
	assert_false(vmx_ops.can_take_irq(v));
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_CPUID });
	assert_int_equal(fake_vmx.entered_event, 0x80000041);
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_vmx.entered_event & INTR_INFO_VALID, 0); /* once */
	vmx_ops.want_irq_window(v, true);
	assert_true(fake_vmx_read(VMCS_PROC_CONTROLS) & PROC_INTR_WINDOW);
	vmx_ops.want_irq_window(v, false);
	assert_false(fake_vmx_read(VMCS_PROC_CONTROLS) & PROC_INTR_WINDOW);
}

/* The event that an EPT violation interrupted comes back before anything else. */
static void test_redelivery(void **state)
{
	(void)state;
	vmx_ops.regs(v)->rflags |= RFLAGS_IF;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_IDT_VECTORING_INFO, 0x80000041 },
		   { VMCS_GUEST_RFLAGS, 0x202 });
	assert_false(vmx_ops.can_take_irq(v));
	/* a page fault with its code */
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_IDT_VECTORING_INFO, 0x80001b0e },
		   { VMCS_IDT_VECTORING_CODE, 6 });
	assert_int_equal(fake_vmx.entered_event, 0x80000041);
	/* a software interrupt with its length */
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_IDT_VECTORING_INFO, 0x80000480 },
		   { VMCS_EXIT_INSN_LEN, 2 });
	assert_int_equal(fake_vmx.entered_event, 0x80000b0e); /* undefined bit 12 is gone */
	assert_int_equal(fake_vmx_read(VMCS_ENTRY_EXCEPTION_CODE), 6);
	/* an NMI: unblocked, or it could not be injected */
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_IDT_VECTORING_INFO, 0x80000202 },
		   { VMCS_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_NMI });
	assert_int_equal(fake_vmx.entered_event, 0x80000480);
	assert_int_equal(fake_vmx_read(VMCS_ENTRY_INSN_LEN), 2);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_INTERRUPTIBILITY), 0);
	/* exits that cannot interrupt a delivery do not look */
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_CPUID }, { VMCS_IDT_VECTORING_INFO, 0x80000041 });
	assert_int_equal(fake_vmx.entered_event, 0x80000202);
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_vmx.entered_event & INTR_INFO_VALID, 0);
}

static void test_nmi_unblocked_by_iret(void **state)
{
	(void)state;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_EXIT_QUALIFICATION, 0x1181 },
		   { VMCS_GUEST_INTERRUPTIBILITY, 0 });
	assert_int_equal(fake_vmx_read(VMCS_GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_NMI);
	enter_exit({ VMCS_EXIT_REASON, 0 }, { VMCS_EXIT_INTR_INFO, 0x80001311 },
		   { VMCS_GUEST_INTERRUPTIBILITY, 0 });
	assert_int_equal(fake_vmx_read(VMCS_GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_NMI);
}

/* {interrupted event, exception of the handler} -> what is delivered */
static void test_double_faults(void **state)
{
	static const struct { u32 first; u8 second; bool code; u32 delivered; } rows[] = {
		{ 0, 13, true, 0x80000b0d },
		{ 0x8000030b, 13, true, 0x80000b08 }, /* contributory twice: #DF */
		{ 0x80000b0e, 13, true, 0x80000b08 }, /* #PF, then contributory */
		{ 0x80000b0e, 14, true, 0x80000b08 },
		{ 0x8000030d, 14, true, 0x80000b0e }, /* contributory, then #PF: serial */
		{ 0x80000b0e, 17, true, 0x80000b11 }, /* benign: serial */
		{ 0x80000041, 13, true, 0x80000b0d },
		{ 0x8000040d, 13, true, 0x80000b0d }, /* INT 13 is no #GP */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION },
			   { VMCS_IDT_VECTORING_INFO, rows[i].first }, { VMCS_GUEST_CR0, CR0_PE });
		vmx_ops.inject_exception(v, rows[i].second, rows[i].code, 0);
		enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_CPUID });
		assert_int_equal(fake_vmx.entered_event, rows[i].delivered);
	}
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_EPT_VIOLATION }, { VMCS_IDT_VECTORING_INFO, 0x80000b08 });
	vmx_ops.inject_exception(v, 13, true, 0);
	fake_vmx.entries = 0;
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(x.kind, VMEXIT_TRIPLE);
	assert_int_equal(fake_vmx.entries, 0);
}

static void test_no_error_code_in_real_mode(void **state)
{
	(void)state;
	v = env_vcpu(VIRT_ENTRY_REAL);
	vmx_ops.inject_exception(v, 13, true, 0);
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_vmx.entered_event, 0x8000030d);
}

static void test_skip(void **state)
{
	(void)state;
	enter_exit({ VMCS_EXIT_REASON, EXIT_REASON_HLT }, { VMCS_GUEST_RIP, 0xffffffff },
		   { VMCS_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI },
		   { VMCS_GUEST_RFLAGS, 0x302 });
	vmx_ops.skip(v, 1);
	assert_int_equal(v->regs.rip, 0x100000000ull);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_RIP), 0x100000000ull);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_INTERRUPTIBILITY), INTERRUPTIBILITY_NMI);
	assert_int_equal(fake_vmx_read(VMCS_GUEST_PENDING_DEBUG), 0x4000); /* TF: single step */
	fake_vmx_write(VMCS_GUEST_AR(SEG_CS), 0xc09b);
	v->regs.rip = 0xffffffff;
	vmx_ops.skip(v, 1);
	assert_int_equal(v->regs.rip, 0); /* 32-bit code wraps */
}

/* The first exit of the test's guest is `MOV CR, RAX`; the second a CPUID. */
static u8 cr_number;
static int cr_guest(struct vcpu_hw *w)
{
	(void)w;
	fake_vmx_write(VMCS_EXIT_REASON, fake_vmx.entries == 1 ? EXIT_REASON_CR_ACCESS : EXIT_REASON_CPUID);
	fake_vmx_write(VMCS_EXIT_QUALIFICATION, cr_number);
	return 0;
}

static void mov_to_cr(u8 cr, u64 value)
{
	cr_number = cr;
	v->regs.gpr[REG_RAX] = value;
	fake_vmx.entries = 0;
	fake_vmx.guest = cr_guest;
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(x.kind, VMEXIT_CPUID); /* the write itself was dealt with inside */
	assert_int_equal(fake_vmx.entries, 2);
}

static void test_cr_writes(void **state)
{
	(void)state;
	/* NE: only the shadow changes, the instruction runs again */
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_ET | CR0_NE);
	assert_int_equal(fake_vmx.entered_event & INTR_INFO_VALID, 0);
	assert_true(vmx_ops.read_cr(v, 0) & CR0_NE);
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_ET | CR0_CD);
	assert_true(vmx_ops.read_cr(v, 0) & CR0_CD);
	assert_false(vmx_ops.read_cr(v, 0) & CR0_NE);
	assert_true(fake_vmx_read(VMCS_GUEST_CR0) & CR0_NE); /* the real one stays */
	assert_false(fake_vmx_read(VMCS_GUEST_CR0) & CR0_CD);
	mov_to_cr(0, CR0_PG | CR0_PE | CR0_NW); /* NW without CD: #GP(0) */
	assert_int_equal(fake_vmx.entered_event, 0x80000b0d);
	mov_to_cr(4, CR4_PAE | CR4_MCE);
	assert_int_equal(fake_vmx.entered_event & INTR_INFO_VALID, 0);
	assert_true(vmx_ops.read_cr(v, 4) & CR4_MCE);
	mov_to_cr(4, CR4_PAE | CR4_VMXE);
	assert_int_equal(fake_vmx.entered_event, 0x80000b0d);
	mov_to_cr(4, CR4_PAE | CR4_PKE);
	assert_int_equal(fake_vmx.entered_event, 0x80000b0d);
	/* outside 64-bit mode the upper half of RAX does not count */
	fake_vmx_write(VMCS_GUEST_AR(SEG_CS), 0xc09b);
	mov_to_cr(4, 0xffffffff00000000ull | CR4_PAE);
	assert_int_equal(fake_vmx.entered_event & INTR_INFO_VALID, 0);
}

static void test_cr_ops(void **state)
{
	(void)state;
	assert_int_equal(vmx_ops.write_cr(v, 0, CR0_PG | CR0_PE | CR0_TS | CR0_NE), 0);
	assert_int_equal(vmx_ops.read_cr(v, 0), CR0_PG | CR0_PE | CR0_TS | CR0_NE | CR0_ET);
	assert_int_equal(vmx_ops.write_cr(v, 0, CR0_NW | CR0_PE | CR0_PG), E_INVAL);
	assert_int_equal(vmx_ops.write_cr(v, 0, CR0_PE), E_NOTSUP);
	assert_int_equal(vmx_ops.write_cr(v, 4, CR4_PAE | CR4_OSFXSR), 0);
	assert_int_equal(vmx_ops.read_cr(v, 4), CR4_PAE | CR4_OSFXSR);
	assert_int_equal(vmx_ops.write_cr(v, 4, CR4_PAE | CR4_SMXE), E_INVAL);
	assert_int_equal(vmx_ops.write_cr(v, 8, 3), 0);
	assert_int_equal(vmx_ops.read_cr(v, 8), 3);
	assert_int_equal(vmx_ops.write_cr(v, 8, 16), E_INVAL);
	assert_int_equal(vmx_ops.write_cr(v, 3, 0x7000), 0);
	assert_int_equal(vmx_ops.read_cr(v, 3), 0x7000);
	assert_int_equal(vmx_ops.write_cr(v, 5, 0), E_INVAL);
}

static void test_msrs(void **state)
{
	static const struct { u32 msr; u64 value; int err; } rows[] = {
		{ MSR_IA32_EFER, EFER_LME | EFER_SCE | EFER_NXE, 0 },
		{ MSR_IA32_EFER, EFER_SCE, E_INVAL }, /* LME while paging */
		{ MSR_IA32_EFER, EFER_LME | EFER_SVME, E_INVAL },
		{ MSR_IA32_PAT, 0x0007040600070406, 0 },
		{ MSR_IA32_PAT, 0x0207040600070406, E_INVAL },
		{ MSR_IA32_FS_BASE, 0xffff800000000000, 0 },
		{ MSR_IA32_GS_BASE, 0x0000800000000000, E_INVAL },
		{ MSR_IA32_LSTAR, 0xffffffff81000000, 0 },
		{ MSR_IA32_LSTAR, 0x8000000000000000, E_INVAL },
		{ MSR_IA32_SYSENTER_CS, 0x10, 0 },
		{ MSR_IA32_TSC_AUX, 1ull << 32, E_INVAL },
		{ 0x1b, 0, E_NOENT },
	};
	u64 got;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(vmx_ops.write_msr(v, rows[i].msr, rows[i].value), rows[i].err);
	assert_int_equal(vmx_ops.read_msr(v, MSR_IA32_EFER, &got), 0);
	assert_int_equal(got, EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
	assert_int_equal(vmx_ops.read_msr(v, MSR_IA32_LSTAR, &got), 0);
	assert_int_equal(got, 0xffffffff81000000);
	assert_int_equal(vmx_ops.read_msr(v, 0x1b, &got), E_NOENT);
}

static void test_xcr0(void **state)
{
	(void)state;
	assert_int_equal(vmx_ops.write_xcr0(v, 7), 0);
	assert_int_equal(vmx_ops.write_xcr0(v, 6), E_INVAL);
	assert_int_equal(vmx_ops.write_xcr0(v, 5), E_INVAL);
	assert_int_equal(vmx_ops.write_xcr0(v, 0xe7), E_INVAL);
}

/* Two vCPUs in turn: each finds its own state, and nothing moves while one stays. */
static void test_lazy_switch(void **state)
{
	struct vcpu_hw *w = env_vcpu(VIRT_ENTRY_LONG64);
	u64 got;

	(void)state;
	vmx_ops.enter(v, 0, &x);
	vmx_ops.write_xcr0(v, 7);
	fake_cpu.extended[0] = 0x1111;
	fake_cpu.cr2 = 0x2222;
	fake_cpu.dr0 = 0x3333;
	fake_cpu_wrmsr(MSR_IA32_KERNEL_GS_BASE, 0x4444);
	fake_cpu.xsetbvs = 0;
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.xsetbvs, 0);
	vmx_ops.enter(w, 0, &x);
	assert_int_equal(fake_cpu.extended[0] | fake_cpu.cr2 | fake_cpu.dr0, 0);
	assert_int_equal(fake_cpu_rdmsr(MSR_IA32_KERNEL_GS_BASE), 0);
	assert_int_equal(fake_cpu.xcr0, 1);
	assert_int_equal(vmx_ops.read_msr(v, MSR_IA32_KERNEL_GS_BASE, &got), 0);
	assert_int_equal(got, 0x4444);
	fake_cpu.extended[0] = 0x5555;
	vmx_ops.vcpu_put(w);
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.extended[0], 0x1111);
	assert_int_equal(fake_cpu.cr2, 0x2222);
	assert_int_equal(fake_cpu.dr0, 0x3333);
	assert_int_equal(fake_cpu.xcr0, 7);
	vmx_ops.enter(w, 0, &x);
	assert_int_equal(fake_cpu.extended[0], 0x5555);
	vmx_ops.vcpu_destroy(w);
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.extended[0], 0x1111);
}

static void test_flush_owed(void **state)
{
	(void)state;
	vmx_ops.enter(v, 0, &x); /* pays what the reset owed */
	assert_int_equal(fake_vmx.invvpids, 1);
	fake_vmx.invepts = 0;
	vmx_ops.flush(v);
	assert_int_equal(fake_vmx.invepts, 0);
	vmx_ops.enter(v, 0, &x);
	vmx_ops.enter(v, 0, &x);
	assert_int_equal(fake_vmx.invepts, 1);
	assert_int_equal(fake_vmx.invept_eptp, v->eptp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_plain_exits, setup),
		cmocka_unit_test_setup(test_io, setup),
		cmocka_unit_test_setup(test_slat, setup),
		cmocka_unit_test_setup(test_apic, setup),
		cmocka_unit_test_setup(test_exceptions, setup),
		cmocka_unit_test_setup(test_bad_entries, setup),
		cmocka_unit_test_setup(test_registers_written_when_dirty, setup),
		cmocka_unit_test_setup(test_timer, setup),
		cmocka_unit_test_setup(test_inject_irq, setup),
		cmocka_unit_test_setup(test_redelivery, setup),
		cmocka_unit_test_setup(test_nmi_unblocked_by_iret, setup),
		cmocka_unit_test_setup(test_double_faults, setup),
		cmocka_unit_test_setup(test_no_error_code_in_real_mode, setup),
		cmocka_unit_test_setup(test_skip, setup),
		cmocka_unit_test_setup(test_cr_writes, setup),
		cmocka_unit_test_setup(test_cr_ops, setup),
		cmocka_unit_test_setup(test_msrs, setup),
		cmocka_unit_test_setup(test_xcr0, setup),
		cmocka_unit_test_setup(test_lazy_switch, setup),
		cmocka_unit_test_setup(test_flush_owed, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
