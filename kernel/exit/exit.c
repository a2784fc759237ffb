/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit.c - one const table from the kind of an exit to its handler, and the handlers that need no
 * file of their own.
 */
#include "kernel/exit/exit.h"
#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/guest_regs.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/trace/trace.h"
#include "kernel/turn.h"
#include "kernel/vm.h"

#define VECTOR_PF 14

static enum verdict exit_intr(struct vcpu *v, struct vmexit *x)
{
	(void)v;
	(void)x;
	turn_measure(arch_irq_window);
	return V_RETRY;
}

/* Nobody sends us NMIs: one is worth a line, not a guest. */
static enum verdict exit_nmi(struct vcpu *v, struct vmexit *x)
{
	(void)v;
	(void)x;
	log_warn("a host NMI arrived; ignored");
	return V_RETRY;
}

static enum verdict exit_mce(struct vcpu *v, struct vmexit *x)
{
	(void)x;
	panic("machine check while guest %s ran", v->vm->name);
}

static enum verdict exit_look(struct vcpu *v, struct vmexit *x)
{
	(void)x;
	v->look = true;
	return V_RETRY;
}

static enum verdict exit_next(struct vcpu *v, struct vmexit *x)
{
	(void)v;
	(void)x;
	return V_NEXT;
}

static enum verdict exit_retry(struct vcpu *v, struct vmexit *x)
{
	(void)v;
	(void)x;
	return V_RETRY;
}

static enum verdict exit_hlt(struct vcpu *v, struct vmexit *x)
{
	(void)x;
	v->look = true;
	if ((v->regs->rflags & REGS_IF) && vboard_irq_pending(v->vm->board) >= 0)
		return V_NEXT;
	v->state = VCPU_HALTED;
	v->halted_since = arch_tsc();
	pcpu_kick();
	return V_NEXT;
}

static enum verdict exit_slat(struct vcpu *v, struct vmexit *x)
{
	struct vm_mem *m = &v->vm->mem;
	u64 g = x->slat.gpa.a >> PAGE_SHIFT;
	enum verdict verdict;

	if (unlikely(g >= m->npages)) {
		if (!x->slat.fetch && !x->slat.in_walk)
			return exit_mmio(v, x, x->slat.gpa);
		vm_fail(v->vm, "%s at %llx, where there is no memory (RIP %llx)",
			x->slat.fetch ? "it ran code" : "its page tables lie",
			(unsigned long long)x->slat.gpa.a, (unsigned long long)v->regs->rip);
		return V_KILL;
	}
	if (unlikely(trace_on))
		trace_note_access(v->vm->id, (u32)g,
				  x->slat.in_walk ? TRACE_BY_WALK :
				  x->slat.fetch   ? TRACE_BY_FETCH :
				  x->slat.write   ? TRACE_BY_WRITE :
						    TRACE_BY_READ,
				  v->regs->rip);
	if (!exit_overwrite(v, x, &verdict))
		verdict = pager_fault(m, (gpfn_t){ (u32)g }, x->slat.write);
	if (unlikely(trace_on))
		trace_note_access(TRACE_NO_VM, 0, TRACE_BY_VMM, 0);
	return verdict;
}

/* What we intercept and do not want ourselves belongs to the guest. */
static enum verdict exit_exception(struct vcpu *v, struct vmexit *x)
{
	if (x->exc.vector == VECTOR_PF)
		v->regs->cr2 = x->exc.qual;
	backend->inject_exception(v->hw, x->exc.vector, x->exc.has_code, x->exc.code);
	return V_RETRY;
}

static enum verdict exit_virt_insn(struct vcpu *v, struct vmexit *x)
{
	(void)x;
	return exit_ud(v);
}

static enum verdict exit_triple(struct vcpu *v, struct vmexit *x)
{
	(void)x;
	vm_say(v->vm, "triple fault: reset");
	v->vm->reset_wanted = true;
	v->state = VCPU_HALTED; /* it must not run on until the main loop has reset it */
	pcpu_kick();
	return V_RETRY;
}

static enum verdict exit_bad(struct vcpu *v, struct vmexit *x)
{
	char state[160];

	backend->describe(v->hw, state, sizeof(state));
	log_err("%s: %s", v->vm->name, state);
	vm_fail(v->vm, "its processor state can't be run (reason %llx at RIP %llx)",
		(unsigned long long)x->raw, (unsigned long long)v->regs->rip);
	return V_KILL;
}

exit_fn *const exit_table[VMEXIT_KINDS] = {
	[VMEXIT_INTR] = exit_intr,
	[VMEXIT_NMI] = exit_nmi,
	[VMEXIT_MCE] = exit_mce,
	[VMEXIT_TIMER] = exit_look,
	[VMEXIT_IRQ_WINDOW] = exit_look,
	[VMEXIT_NMI_WINDOW] = exit_retry,
	[VMEXIT_CPUID] = exit_cpuid,
	[VMEXIT_HLT] = exit_hlt,
	[VMEXIT_PAUSE] = exit_next,
	[VMEXIT_IO] = exit_io,
	[VMEXIT_RDMSR] = exit_rdmsr,
	[VMEXIT_WRMSR] = exit_wrmsr,
	[VMEXIT_CR] = exit_cr,
	[VMEXIT_XSETBV] = exit_xsetbv,
	[VMEXIT_WBINVD] = exit_next,
	[VMEXIT_SLAT] = exit_slat,
	[VMEXIT_APIC_ACCESS] = exit_apic_access,
	[VMEXIT_APIC_WRITE] = exit_apic_write,
	[VMEXIT_EOI] = exit_eoi,
	[VMEXIT_EXCEPTION] = exit_exception,
	[VMEXIT_VIRT_INSN] = exit_virt_insn,
	[VMEXIT_TRIPLE] = exit_triple,
	[VMEXIT_INIT] = exit_retry,
	[VMEXIT_BAD] = exit_bad,
};
