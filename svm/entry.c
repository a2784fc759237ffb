/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.c - one entry of a guest, up to the exit that somebody else must handle. Called with
 * IF=0; comes back with IF=0 and a host interrupt, if that was the reason, still pending.
 *
 * SVM has no timer of its own: the host's ends the run, its interrupt is taken in
 * arch_irq_window() as every other, and the next call finds the deadline passed.
 */
#include "arch/x86_64/irq.h"
#include "svm/enter.h"
#include "svm/svm.h"

_Static_assert(offsetof(struct vcpu_hw, regs.gpr) == VCPU_GPR, "enter.S");
_Static_assert(offsetof(struct vcpu_hw, vmcb_pa) == VCPU_VMCB, "enter.S");
_Static_assert(REG_RSP == 4 && REG_RDI == 7 && REG_R15 == 15, "enter.S");

#define COLD __attribute__((noinline, cold))
#define APIC_TPR 0x80
#define WINDOW_NS 5000

void svm_entry_put(struct vcpu_hw *v)
{
	if (svm_cpu.owner != v)
		return;
	vcontext_save(&v->context);
	if (svm_caps.rdtscp)
		v->tsc_aux = cpu_rdmsr(MSR_IA32_TSC_AUX);
	v->todo |= TODO_SWITCH;
	svm_cpu.owner = NULL;
}

static void take_cpu(struct vcpu_hw *v)
{
	if (svm_cpu.owner)
		svm_entry_put(svm_cpu.owner);
	vcontext_load(&v->context);
	if (svm_caps.rdtscp)
		cpu_wrmsr(MSR_IA32_TSC_AUX, v->tsc_aux);
	svm_cpu.owner = v;
	if (svm_cpu.asids_shared)
		v->todo |= TODO_FLUSH;
}

/* False: the guest cannot go on. */
COLD static bool do_todo(struct vcpu_hw *v, struct vmexit *x)
{
	if (v->todo & TODO_TRIPLE) {
		x->kind = VMEXIT_TRIPLE;
		x->insn_len = 0;
		x->raw = EXIT_SHUTDOWN;
		return false;
	}
	if (svm_cpu.owner != v)
		take_cpu(v);
	if (v->todo & TODO_FLUSH)
		v->vmcb->tlb_control = svm_caps.flush_by_asid ? TLB_FLUSH_ASID : TLB_FLUSH_ALL;
	if (v->todo & TODO_EVENT) {
		svm_event_deliver(v);
		v->event = 0;
	}
	v->todo = 0;
	return true;
}

/* CR8 inside the guest is V_TPR: both are the local APIC's task priority. */
static inline void tpr_in(struct vcpu_hw *v)
{
	struct vmcb *b = v->vmcb;
	u32 tpr = v->apic_page[APIC_TPR] >> 4;

	if (unlikely((b->int_ctl & INT_V_TPR) != tpr)) {
		b->int_ctl = (b->int_ctl & ~INT_V_TPR) | tpr;
		b->clean &= ~CLEAN_TPR;
	}
}

static inline void tpr_out(struct vcpu_hw *v)
{
	u32 tpr = v->vmcb->int_ctl & INT_V_TPR;

	if (unlikely(v->apic_page[APIC_TPR] >> 4 != tpr))
		v->apic_page[APIC_TPR] = (u8)(tpr << 4);
}

/* Enough for the guest to take an interrupt, before the deadline if there is one. */
static u64 soon(u64 deadline_tsc)
{
	u64 t = cpu_rdtsc() + arch_ns_to_tsc(WINDOW_NS);

	return deadline_tsc && (s64)(deadline_tsc - t) < 0 ? deadline_tsc : t;
}

void svm_entry_enter(struct vcpu_hw *v, u64 deadline_tsc, struct vmexit *x)
{
	struct vmcb *b = v->vmcb;

	do {
		if (unlikely(deadline_tsc && (s64)(deadline_tsc - cpu_rdtsc()) <= 0)) {
			x->kind = VMEXIT_TIMER;
			x->insn_len = 0;
			x->raw = EXIT_INTR;
			return;
		}
		if (unlikely(v->todo) && !do_todo(v, x))
			return;
		if (unlikely(v->window_waits))
			arch_timer_arm(soon(deadline_tsc));
		else
			arch_timer_arm(deadline_tsc);
		tpr_in(v);
		b->rax = v->regs.gpr[REG_RAX];
		b->rsp = v->regs.gpr[REG_RSP];
		b->rip = v->regs.rip;
		b->rflags = v->regs.rflags | RFLAGS_FIXED;
		v->regs.dirty = false;
		svm_run(v, pfn_hpa(svm_cpu.host).a);
		tpr_out(v);
	} while (unlikely(svm_exit_decode(v, x)));
}
