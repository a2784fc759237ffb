/* SPDX-License-Identifier: GPL-2.0-only */
/* SRCS: svm/cpu.c svm/vmcb.c svm/npt.c svm/event.c svm/entry.c svm/exit.c svm/reg.c svm/vcpu.c arch/x86_64/virt/vcontext.c arch/x86_64/virt/vrules.c tests/fake/fake_svm.c tests/fake/fake_cpu.c kernel/lib/fmt.c kernel/lib/parse.c */
/*
 * test_svm_exit.c - exits decoded from a VMCB, instruction lengths, events delivered and delivered again,
 * the timer, MSR rules, lazily switched state, clean bits and flushes.
 */
#include "tests/unit/svm_env.h"

static struct vcpu_hw *v;
static struct vmexit x;

/* What the next exit leaves in the VMCB. */
static struct { u32 code; u64 info1, info2, intinfo, nrip; } leave;

static void guest(struct vmcb *b)
{
	b->exit_code = leave.code;
	b->exit_info1 = leave.info1;
	b->exit_info2 = leave.info2;
	b->exit_int_info = leave.intinfo;
	b->nrip = leave.nrip;
}

static void exit_with(u32 code, u64 info1, u64 info2, u64 intinfo)
{
	leave.code = code;
	leave.info1 = info1;
	leave.info2 = info2;
	leave.intinfo = intinfo;
	svm_ops.enter(v, 0, &x);
}

static int setup(void **state)
{
	(void)state;
	env_xcr0 = 7;
	env_cpuid_reset();
	env_cpu_on();
	v = env_vcpu(VIRT_ENTRY_LONG64);
	fake_svm.guest = guest;
	memset(&leave, 0, sizeof(leave));
	leave.code = EXIT_CPUID;
	memset(&x, 0xee, sizeof(x));
	return 0;
}

/* After every test: no field changed behind a clean bit. */
static int teardown(void **state)
{
	(void)state;
	return fake_svm.stale;
}

static void bytes(const void *b, u32 n)
{
	memset(fake_svm.insn, 0x90, sizeof(fake_svm.insn));
	memcpy(fake_svm.insn, b, n);
	fake_svm.insn_bytes = 15;
}

static void test_plain_exits(void **state)
{
	static const struct {
		u32 code;
		u8 kind, len;
	} rows[] = {
		{ EXIT_CPUID, VMEXIT_CPUID, 2 },
		{ EXIT_HLT, VMEXIT_HLT, 1 },
		{ EXIT_INTR, VMEXIT_INTR, 0 },
		{ EXIT_NMI, VMEXIT_NMI, 0 },
		{ EXIT_INIT, VMEXIT_INIT, 0 },
		{ EXIT_VINTR, VMEXIT_IRQ_WINDOW, 0 },
		{ EXIT_SHUTDOWN, VMEXIT_TRIPLE, 0 },
		{ EXIT_XSETBV, VMEXIT_XSETBV, 3 },
		{ EXIT_WBINVD, VMEXIT_WBINVD, 2 },
		{ EXIT_INVD, VMEXIT_WBINVD, 2 },
		{ EXIT_VMMCALL, VMEXIT_VIRT_INSN, 0 },
		{ EXIT_CLGI, VMEXIT_VIRT_INSN, 0 },
		{ EXIT_MWAIT, VMEXIT_VIRT_INSN, 0 },
		{ EXIT_TASK_SWITCH, VMEXIT_BAD, 0 },
		{ EXIT_EXCEPTION + VECTOR_MC, VMEXIT_MCE, 0 },
		{ 0x10, VMEXIT_BAD, 0 },
		{ 0x3ff, VMEXIT_BAD, 0 },
		{ 0x402, VMEXIT_BAD, 0 },
		{ EXIT_INVALID, VMEXIT_BAD, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		svm_ops.regs(v)->rip = 0x1000 + i;
		svm_ops.regs(v)->gpr[REG_RAX] = i;
		exit_with(rows[i].code, 0, 0, 0);
		assert_int_equal(x.kind, rows[i].kind);
		assert_int_equal(x.insn_len, rows[i].len);
		assert_int_equal(x.raw, rows[i].code);
		assert_int_equal(v->regs.rip, 0x1000 + i);
		assert_int_equal(v->regs.gpr[REG_RAX], i);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	/* prefixes count, in 64-bit code REX too */
	bytes("\x66\xf3\x48\x0f\xa2", 5);
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(x.insn_len, 5);
	v->vmcb->cs.attr = 0xc9b; /* 32-bit: 48h is DEC */
	v->vmcb->clean &= ~BIT(8);
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(x.insn_len, 4);
	bytes("\xf4", 1);
	exit_with(EXIT_HLT, 0, 0, 0);
	assert_int_equal(x.insn_len, 1);
	memset(fake_svm.insn, 0x66, 15); /* never longer than an instruction can be */
	exit_with(EXIT_MSR, 0, 0, 0);
	assert_int_equal(x.insn_len, 15);
	fake_svm.insn_bytes = 1;
	exit_with(EXIT_MSR, 1, 0, 0);
	assert_int_equal(x.insn_len, 3);
	assert_int_equal(x.kind, VMEXIT_WRMSR);
	/* a processor that says it is believed, and nobody looks */
	svm_caps.nrips = true;
	fake_svm.fetches = 0;
	v->regs.rip = 0x5000;
	leave.nrip = 0x5007;
	exit_with(EXIT_MSR, 0, 0, 0);
	assert_int_equal(x.insn_len, 7);
	assert_int_equal(x.kind, VMEXIT_RDMSR);
	assert_int_equal(fake_svm.fetches, 0);
}

static void test_io(void **state)
{
	(void)state;
	v->regs.rip = 0x2000;
	exit_with(EXIT_IOIO, 0x03f80011, 0x2001, 0);
	assert_true(x.kind == VMEXIT_IO && x.io.port == 0x3f8 && x.io.size == 1 && x.io.in);
	assert_false(x.io.string || x.io.rep);
	assert_int_equal(x.insn_len, 1);
	exit_with(EXIT_IOIO, 0x0cfc004c, 0x2003, 0);
	assert_true(x.io.port == 0xcfc && x.io.size == 4 && !x.io.in && x.io.string && x.io.rep);
	assert_int_equal(x.insn_len, 3);
}

static void test_slat(void **state)
{
	(void)state;
	exit_with(EXIT_NPF, 0x100000006ull, 0x12345678, 0);
	assert_int_equal(x.kind, VMEXIT_SLAT);
	assert_int_equal(x.slat.gpa.a, 0x12345678);
	assert_true(x.slat.write && !x.slat.read && !x.slat.fetch && !x.slat.in_walk && !x.slat.gla_valid);
	exit_with(EXIT_NPF, 0x200000007ull, 0x1000, 0);
	assert_true(x.slat.in_walk && x.slat.write);
	exit_with(EXIT_NPF, 0x100000014ull, 0x1000, 0);
	assert_true(x.slat.fetch && !x.slat.read && !x.slat.write);
	exit_with(EXIT_NPF, 0x100000004ull, 0x1000, 0);
	assert_true(x.slat.read);
}

static void test_decode_assists(void **state)
{
	u8 got[15];

	(void)state;
	svm_ops.enter(v, 0, &x);
	v->vmcb->fetched = 6;
	memcpy(v->vmcb->insn, "\x89\x87\xb0\x00\x00\x00", 6);
	exit_with(EXIT_NPF, 0x100000006ull, 0xfee000b0, 0);
	assert_int_equal(svm_ops.insn_bytes(v, got), 0); /* not offered: never looked at */
	svm_caps.decode_assists = true;
	assert_int_equal(svm_ops.insn_bytes(v, got), 6);
	assert_memory_equal(got, "\x89\x87\xb0\x00\x00\x00", 6);
	v->vmcb->fetched = 0xff; /* a field wider than the bytes */
	assert_int_equal(svm_ops.insn_bytes(v, got), 15);
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(svm_ops.insn_bytes(v, got), 0);
}

static void test_exceptions(void **state)
{
	(void)state;
	v->vmcb->dr6 = 0xffff4ff1;
	v->vmcb->clean &= ~CLEAN_DR;
	exit_with(EXIT_EXCEPTION + VECTOR_DB, 0, 0, 0);
	assert_true(x.kind == VMEXIT_EXCEPTION && x.exc.vector == 1 && !x.exc.has_code);
	assert_int_equal(x.exc.qual, 0xffff4ff1);
	exit_with(EXIT_EXCEPTION + VECTOR_AC, 0, 0, 0);
	assert_true(x.exc.vector == 17 && x.exc.has_code && x.exc.code == 0);
	exit_with(EXIT_RDPMC, 0, 0, 0);
	assert_true(x.kind == VMEXIT_EXCEPTION && x.exc.vector == 13 && x.exc.has_code);
	/* a machine check in a guest that has CR4.MCE off comes as shutdown */
	fake_cpu_wrmsr(MSR_IA32_MCG_STATUS, 4);
	exit_with(EXIT_SHUTDOWN, 0, 0, 0);
	assert_int_equal(x.kind, VMEXIT_MCE);
}

static void smi_then_hlt(struct vmcb *b)
{
	b->exit_code = fake_svm.entries == 1 ? EXIT_SMI : EXIT_HLT;
}

static void test_smi(void **state)
{
	(void)state;
	fake_svm.guest = smi_then_hlt;
	svm_ops.enter(v, 0, &x);
	assert_int_equal(x.kind, VMEXIT_HLT);
	assert_int_equal(fake_svm.entries, 2);
}

static void test_bad_vmcb(void **state)
{
	char line[400];

	(void)state;
	v->vmcb->cr0 = CR0_PE | CR0_PG | CR0_NW;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(x.kind, VMEXIT_BAD);
	svm_ops.describe(v, line, sizeof(line));
	assert_non_null(strstr(line, "VMRUN refused an invalid VMCB"));
	assert_non_null(strstr(line, "cs:rip 10:100200"));
}

static void test_timer(void **state)
{
	(void)state;
	fake_cpu.tsc = 1000;
	leave.code = EXIT_INTR;
	svm_ops.enter(v, 1001, &x);
	assert_int_equal(fake_svm.armed, 1001);
	assert_int_equal(x.kind, VMEXIT_INTR); /* the host takes its interrupt first */
	fake_cpu.tsc = 1001;
	fake_svm.entries = 0;
	v->regs.rip = 0x7777;
	svm_ops.enter(v, 1001, &x);
	assert_int_equal(x.kind, VMEXIT_TIMER);
	assert_int_equal(x.insn_len, 0);
	assert_int_equal(fake_svm.entries, 0);
	assert_int_equal(v->regs.rip, 0x7777);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.armed, 0);
	assert_int_equal(fake_svm.entries, 1);
}

static void test_inject_irq(void **state)
{
	struct guest_regs *r = svm_ops.regs(v);

	(void)state;
	assert_false(svm_ops.can_take_irq(v)); /* IF = 0 */
	r->rflags |= RFLAGS_IF;
	assert_true(svm_ops.can_take_irq(v));
	v->vmcb->int_shadow = INT_SHADOW;
	assert_false(svm_ops.can_take_irq(v));
	svm_ops.wake_from_hlt(v);
	assert_true(svm_ops.can_take_irq(v));
	svm_ops.inject_irq(v, 0x41);
	assert_false(svm_ops.can_take_irq(v));
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_event, 0x80000041);
	assert_int_equal(fake_svm.entered_virq, 0);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_event & EVENT_VALID, 0); /* once */
	svm_ops.want_irq_window(v, true);
	assert_true(v->vmcb->intercept[3] & BIT(4));
	assert_int_equal(v->vmcb->int_ctl, INT_V_MASKING | INT_V_IRQ | INT_V_IGN_TPR | INT_V_PRIO);
	svm_ops.enter(v, 0, &x);
	svm_ops.want_irq_window(v, false);
	assert_false(v->vmcb->intercept[3] & BIT(4));
	assert_int_equal(v->vmcb->int_ctl, INT_V_MASKING);
	svm_ops.enter(v, 0, &x);
}

/* As virtual interrupts: the host's interrupt ends the run before the guest has taken its own. */
static void test_irq_comes_second(void **state)
{
	(void)state;
	svm_caps.virq = true;
	svm_ops.regs(v)->rflags |= RFLAGS_IF;
	svm_ops.inject_irq(v, 0x41);
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0x41);
	assert_int_equal(fake_svm.entered_event, 0);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_virq, 0); /* once */
	assert_int_equal(v->vmcb->int_ctl, INT_V_MASKING);
	svm_ops.inject_irq(v, 0x42);
	fake_svm.host_first = true;
	exit_with(EXIT_INTR, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0x42);
	assert_false(svm_ops.can_take_irq(v));
	fake_svm.host_first = false;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0x42);
	assert_true(svm_ops.can_take_irq(v));
	/* its delivery was interrupted, and a processor leaves the request where it was: one delivery all the
	 * same */
	svm_ops.inject_irq(v, 0x43);
	fake_svm.host_first = true;
	exit_with(EXIT_NPF, 0, 0x1000, 0x80000043);
	fake_svm.host_first = false;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0x43);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_virq, 0);
	/* QEMU calls it an exception that was interrupted, which EVENTINJ refuses to deliver with such a
	 * vector */
	svm_ops.inject_irq(v, 0x45);
	fake_svm.host_first = true;
	exit_with(EXIT_NPF, 0, 0x1000, 0x80000345);
	fake_svm.host_first = false;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0x45);
	assert_int_equal(fake_svm.entered_event, 0);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_virq, 0);
	assert_int_equal(fake_svm.entered_event, 0);
	/* should the guest have run CLI before it all the same, it waits for STI */
	svm_ops.inject_irq(v, 0x46);
	fake_svm.host_first = true;
	exit_with(EXIT_INTR, 0, 0, 0);
	svm_ops.regs(v)->rflags &= ~RFLAGS_IF;
	fake_svm.host_first = false;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_event, 0);
	assert_int_equal(fake_svm.entered_virq, 0);
	svm_ops.regs(v)->rflags |= RFLAGS_IF;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_int_equal(fake_svm.entered_event, 0);
	assert_int_equal(fake_svm.entered_virq, 0x46);
	/* a window that is wanted too comes at the next entry, which is not far */
	svm_ops.inject_irq(v, 0x44);
	svm_ops.want_irq_window(v, true);
	exit_with(EXIT_INTR, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0x44);
	assert_int_equal(fake_svm.entered_event, 0);
	assert_true(fake_svm.armed);
	assert_true(v->vmcb->intercept[3] & BIT(4));
	assert_int_equal(v->vmcb->int_ctl, INT_V_MASKING | INT_V_IRQ | INT_V_IGN_TPR | INT_V_PRIO);
	exit_with(EXIT_VINTR, 0, 0, 0);
	assert_int_equal(fake_svm.entered_virq, 0);
	assert_int_equal(fake_svm.armed, 0);
}

/* Where VMRUN forgets an interrupt shadow nothing goes in between STI and the instruction behind it, HLT most
 * often. */
static void test_shadow_is_kept(void **state)
{
	(void)state;
	svm_caps.virq = true;
	svm_ops.regs(v)->rflags |= RFLAGS_IF;
	exit_with(EXIT_CPUID, 0, 0, 0);
	v->vmcb->int_shadow = INT_SHADOW; /* as the processor leaves it at an exit between the two */
	exit_with(EXIT_INTR, 0, 0, 0);
	assert_false(svm_ops.can_take_irq(v));
	svm_ops.want_irq_window(v, true);
	/* No window either: it would exit before the guest moves, again and again. */
	assert_false(v->vmcb->intercept[3] & BIT(4));
	v->vmcb->int_shadow = 0; /* forgotten */
	exit_with(EXIT_INTR, 0, 0, 0);
	assert_true(fake_svm.armed);
	assert_false(svm_ops.can_take_irq(v));
	/* The instruction ran: now the window is open. */
	v->vmcb->int_shadow = 0;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_true(svm_ops.can_take_irq(v));
	assert_true(v->vmcb->intercept[3] & BIT(4));
	/* A window that was open before waits too. */
	v->vmcb->int_shadow = INT_SHADOW;
	exit_with(EXIT_INTR, 0, 0, 0);
	assert_false(v->vmcb->intercept[3] & BIT(4));
	v->vmcb->int_shadow = 0;
	exit_with(EXIT_CPUID, 0, 0, 0);
	assert_true(v->vmcb->intercept[3] & BIT(4));
	svm_ops.want_irq_window(v, false);
}

/* The event that a nested page fault interrupted comes back before anything else. */
static void test_redelivery(void **state)
{
	(void)state;
	svm_ops.regs(v)->rflags |= RFLAGS_IF;
	exit_with(EXIT_NPF, 0, 0x1000, 0xdead000080000041);
	assert_false(svm_ops.can_take_irq(v));
	exit_with(EXIT_NPF, 0, 0x1000, 0x0000000680000b0e); /* a page fault with its code */
	assert_int_equal(fake_svm.entered_event, 0x80000041); /* no code: no upper half */
	exit_with(EXIT_NPF, 0, 0x1000, 0x80000480); /* INT 80h runs again by itself */
	assert_int_equal(fake_svm.entered_event, 0x0000000680000b0e);
	exit_with(EXIT_NPF, 0, 0x1000, 0x80000303); /* INT3 too */
	assert_int_equal(fake_svm.entered_event & EVENT_VALID, 0);
	exit_with(EXIT_NPF, 0, 0x1000, 0x80000202);
	assert_int_equal(fake_svm.entered_event & EVENT_VALID, 0);
	exit_with(EXIT_CPUID, 0, 0, 0x41); /* not valid */
	assert_int_equal(fake_svm.entered_event, 0x80000202);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_event & EVENT_VALID, 0);
}

/* {interrupted event, exception of the handler} -> what is delivered */
static void test_double_faults(void **state)
{
	static const struct { u64 first; u8 second; u64 delivered; } rows[] = {
		{ 0, 13, 0x80000b0d },
		{ 0x8000030b, 13, 0x80000b08 }, /* contributory twice: #DF */
		{ 0x80000b0e, 13, 0x80000b08 }, /* #PF, then contributory */
		{ 0x80000b0e, 14, 0x80000b08 },
		{ 0x8000030d, 14, 0x80000b0e }, /* contributory, then #PF: serial */
		{ 0x80000b0e, 17, 0x80000b11 }, /* benign: serial */
		{ 0x80000041, 13, 0x80000b0d },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		exit_with(EXIT_NPF, 0, 0x1000, rows[i].first);
		svm_ops.inject_exception(v, rows[i].second, true, 0);
		exit_with(EXIT_CPUID, 0, 0, 0);
		assert_int_equal(fake_svm.entered_event, rows[i].delivered);
	}
	exit_with(EXIT_NPF, 0, 0x1000, 0x80000b08);
	svm_ops.inject_exception(v, 13, true, 0);
	fake_svm.entries = 0;
	svm_ops.enter(v, 0, &x);
	assert_int_equal(x.kind, VMEXIT_TRIPLE);
	assert_int_equal(fake_svm.entries, 0);
}

static void test_page_fault(void **state)
{
	(void)state;
	svm_ops.enter(v, 0, &x);
	svm_ops.regs(v)->cr2 = 0x1234000;
	svm_ops.inject_exception(v, 14, true, 7);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_event, 0x0000000780000b0e);
	assert_int_equal(v->vmcb->cr2, 0x1234000);
	assert_int_equal(svm_ops.read_cr(v, 2), 0x1234000);
}

static void test_no_error_code_in_real_mode(void **state)
{
	(void)state;
	v = env_vcpu(VIRT_ENTRY_REAL);
	svm_ops.inject_exception(v, 13, true, 0);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_event, 0x8000030d);
}

static void test_skip(void **state)
{
	(void)state;
	exit_with(EXIT_HLT, 0, 0, 0);
	v->regs.rip = 0xffffffff;
	v->vmcb->int_shadow = INT_SHADOW;
	svm_ops.skip(v, 1);
	assert_int_equal(v->regs.rip, 0x100000000ull);
	assert_int_equal(v->vmcb->int_shadow, 0);
	v->regs.rflags |= RFLAGS_TF;
	svm_ops.skip(v, 1);
	assert_int_equal(v->vmcb->dr6, 0xffff4ff0); /* TF: single step */
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_event, 0x80000301);
	v->vmcb->cs.attr = 0xc9b;
	v->vmcb->clean &= ~BIT(8);
	v->regs.rflags &= ~RFLAGS_TF;
	v->regs.rip = 0xffffffff;
	svm_ops.skip(v, 1);
	assert_int_equal(v->regs.rip, 0); /* 32-bit code wraps */
}

static void lower_tpr(struct vmcb *b)
{
	b->exit_code = EXIT_HLT;
	assert_int_equal(b->int_ctl & INT_V_TPR, 7);
	b->int_ctl = (b->int_ctl & ~INT_V_TPR) | 2; /* MOV CR8 */
}

static void test_task_priority(void **state)
{
	(void)state;
	svm_ops.enter(v, 0, &x);
	v->apic_page[0x80] = 0x75;
	fake_svm.guest = lower_tpr;
	svm_ops.enter(v, 0, &x);
	assert_int_equal(v->apic_page[0x80], 0x20);
	assert_int_equal(svm_ops.read_cr(v, 8), 2);
	assert_int_equal(svm_ops.write_cr(v, 8, 7), 0);
	svm_ops.enter(v, 0, &x);
}

static void test_cr_ops(void **state)
{
	(void)state;
	svm_ops.enter(v, 0, &x);
	assert_int_equal(svm_ops.write_cr(v, 0, CR0_PG | CR0_PE | CR0_TS | CR0_NE), 0);
	assert_int_equal(svm_ops.read_cr(v, 0), CR0_PG | CR0_PE | CR0_TS | CR0_NE | CR0_ET);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(svm_ops.write_cr(v, 0, CR0_NW | CR0_PE | CR0_PG), E_INVAL);
	assert_int_equal(svm_ops.write_cr(v, 0, CR0_PE), E_NOTSUP);
	assert_int_equal(svm_ops.write_cr(v, 8, 16), E_INVAL);
	assert_int_equal(svm_ops.write_cr(v, 3, 0x7000), 0);
	assert_int_equal(svm_ops.read_cr(v, 3), 0x7000);
	assert_int_equal(svm_ops.read_cr(v, 4), CR4_PAE);
	svm_ops.enter(v, 0, &x);
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
		{ MSR_IA32_TSC_AUX, 5, 0 },
		{ 0x1b, 0, E_NOENT },
	};
	u64 got;

	(void)state;
	svm_ops.enter(v, 0, &x);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(svm_ops.write_msr(v, rows[i].msr, rows[i].value), rows[i].err);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(svm_ops.read_msr(v, MSR_IA32_EFER, &got), 0);
	assert_int_equal(got, EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
	assert_true(v->vmcb->efer & EFER_SVME);
	assert_int_equal(svm_ops.read_msr(v, MSR_IA32_LSTAR, &got), 0);
	assert_int_equal(got, 0xffffffff81000000);
	assert_int_equal(svm_ops.read_msr(v, MSR_IA32_TSC_AUX, &got), 0);
	assert_int_equal(got, 5);
	assert_int_equal(svm_ops.read_msr(v, 0x1b, &got), E_NOENT);
}

static void test_xcr0(void **state)
{
	(void)state;
	assert_int_equal(svm_ops.write_xcr0(v, 7), 0);
	assert_int_equal(svm_ops.read_xcr0(v), 7);
	assert_int_equal(svm_ops.write_xcr0(v, 6), E_INVAL);
	assert_int_equal(svm_ops.write_xcr0(v, 5), E_INVAL);
	assert_int_equal(svm_ops.write_xcr0(v, 0xe7), E_INVAL);
	/* An XSETBV that did not exit counts all the same. */
	svm_ops.enter(v, 0, &x);
	fake_cpu.xcr0 = 3;
	assert_int_equal(svm_ops.read_xcr0(v), 3);
	svm_ops.vcpu_put(v);
	fake_cpu.xcr0 = 1;
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.xcr0, 3);
}

/* Two vCPUs in turn: each finds its own state, and nothing moves while one stays. */
static void test_lazy_switch(void **state)
{
	struct vcpu_hw *w;
	u64 got;

	(void)state;
	env_pkru = 1; /* switched, though no guest is offered it */
	vcontext_probe();
	assert_int_equal(vcontext_caps.switched, 0x207);
	assert_int_equal(vcontext_caps.xcr0, 7);
	w = env_vcpu(VIRT_ENTRY_LONG64);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(svm_ops.write_xcr0(v, 7), 0);
	fake_cpu.extended[0] = 0x1111;
	fake_cpu.dr0 = 0x3333;
	fake_cpu_wrmsr(MSR_IA32_TSC_AUX, 0x4444);
	fake_cpu.xsetbvs = 0;
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.xsetbvs, 0);
	svm_ops.enter(w, 0, &x);
	assert_int_equal(fake_cpu.extended[0] | fake_cpu.dr0, 0);
	assert_int_equal(fake_cpu_rdmsr(MSR_IA32_TSC_AUX), 0);
	assert_int_equal(fake_cpu.xcr0, 1);
	assert_int_equal(svm_ops.read_msr(v, MSR_IA32_TSC_AUX, &got), 0);
	assert_int_equal(got, 0x4444);
	fake_cpu.extended[0] = 0x5555;
	svm_ops.vcpu_put(w);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.extended[0], 0x1111);
	assert_int_equal(fake_cpu.dr0, 0x3333);
	assert_int_equal(fake_cpu.xcr0, 7);
	svm_ops.enter(w, 0, &x);
	assert_int_equal(fake_cpu.extended[0], 0x5555);
	svm_ops.vcpu_destroy(w);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_cpu.extended[0], 0x1111);
}

static void test_flush_owed(void **state)
{
	(void)state;
	svm_ops.enter(v, 0, &x); /* pays what the reset owed */
	assert_int_equal(fake_svm.entered_tlb, TLB_FLUSH_ALL);
	fake_svm.flushes = 0;
	svm_ops.flush(v);
	svm_ops.enter(v, 0, &x);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.flushes, 1);
	svm_caps.flush_by_asid = true;
	svm_ops.flush(v);
	svm_ops.enter(v, 0, &x);
	assert_int_equal(fake_svm.entered_tlb, TLB_FLUSH_ASID);
	assert_int_equal(fake_svm.entered_asid, v->vmcb->asid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain_exits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_io, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decode_assists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exceptions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_smi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_vmcb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inject_irq, setup, teardown),
		cmocka_unit_test_setup_teardown(test_irq_comes_second, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shadow_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redelivery, setup, teardown),
		cmocka_unit_test_setup_teardown(test_double_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_page_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_error_code_in_real_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_skip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_task_priority, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cr_ops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msrs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_xcr0, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lazy_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flush_owed, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
