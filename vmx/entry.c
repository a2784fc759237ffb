/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.c - one entry of a guest, up to the exit that somebody else must handle. Called with
 * IF=0; comes back with IF=0 and a host interrupt, if that was the reason, still pending.
 * This is the hot path: it reads and writes no more of the VMCS than it must.
 */
#include "vmx/enter.h"
#include "vmx/vmx.h"

_Static_assert(offsetof(struct vcpu_hw, regs.gpr) == VCPU_GPR, "enter.S");
_Static_assert(offsetof(struct vcpu_hw, host_rsp) == VCPU_HOST_RSP, "enter.S");
_Static_assert(offsetof(struct vcpu_hw, launched) == VCPU_LAUNCHED, "enter.S");
_Static_assert(VMCS_HOST_RSP == 0x6c14, "enter.S");
_Static_assert(REG_RSP == 4 && REG_RDI == 7 && REG_R15 == 15, "enter.S");

#define COLD __attribute__((noinline, cold))

/* The timer counts steps of the TSC: two more than fit, so that it never fires before the
 * deadline. One that is too far away for 32 bits is clipped and fires early. */
static inline void set_timer(struct vcpu_hw *v, u64 deadline)
{
	u64 steps = UINT32_MAX;

	if (deadline) {
		s64 left = (s64)(deadline - cpu_rdtsc());

		steps = unlikely(left <= 0) ? 0 : ((u64)left >> vmx_caps.timer_shift) + 2;
		steps = MIN(steps, (u64)UINT32_MAX);
	} else if (v->timer == UINT32_MAX) {
		return; /* there already */
	}
	v->timer = (u32)steps;
	vmwrite(VMCS_PREEMPTION_TIMER, steps);
}

COLD static void write_regs(struct vcpu_hw *v)
{
	vmwrite(VMCS_GUEST_RSP, v->regs.gpr[REG_RSP]);
	vmwrite(VMCS_GUEST_RIP, v->regs.rip);
	vmwrite(VMCS_GUEST_RFLAGS, v->regs.rflags | RFLAGS_FIXED);
	v->regs.dirty = false;
}

/* False: the guest cannot go on. */
COLD static bool do_todo(struct vcpu_hw *v, struct vmexit *x)
{
	if (v->todo & TODO_TRIPLE) {
		x->kind = VMEXIT_TRIPLE;
		x->insn_len = 0;
		x->raw = EXIT_REASON_TRIPLE_FAULT;
		return false;
	}
	if (v->todo & TODO_SWITCH) {
		vmx_use(v);
		if (vmx_cpu.owner != v)
			vmx_context_load(v);
		v->todo &= ~TODO_SWITCH;
	}
	if (v->todo & (TODO_FLUSH_EPT | TODO_FLUSH_VPID))
		vmx_ept_flush_now(v);
	if (v->todo & TODO_EVENT)
		vmx_event_deliver(v);
	return true;
}

void vmx_entry_enter(struct vcpu_hw *v, u64 deadline_tsc, struct vmexit *x)
{
	do {
		if (unlikely(v->todo) && !do_todo(v, x))
			return;
		if (unlikely(v->regs.dirty))
			write_regs(v);
		set_timer(v, deadline_tsc);
		if (unlikely(vmx_run(v))) {
			vmx_exit_refused(v, x);
			return;
		}
	} while (unlikely(vmx_exit_decode(v, x)));
}
