/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.c - what is delivered to the guest at the next entry: an interrupt, an exception, or
 * again the event whose delivery the last exit interrupted.
 *
 * One event at most is pending (v->event). An event that an exit interrupted takes the place
 * first; an exception injected by a handler replaces it or turns into a double fault, as if
 * the interrupted delivery itself had raised it.
 * Source: Intel SDM vol. 3, "Event Injection", "Information for VM Exits That Occur During
 * Event Delivery", "Interrupt 8 - Double Fault Exception".
 */
#include "vmx/vmx.h"

#define INTERRUPT_SHADOW (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)
#define EVENT_MASK (INTR_INFO_VALID | INTR_INFO_CODE_VALID | INTR_INFO_TYPE | INTR_INFO_VECTOR)

static void set_event(struct vcpu_hw *v, u32 info, u32 code, u32 len)
{
	v->event = info;
	v->event_code = code;
	v->event_len = len;
	v->todo |= TODO_EVENT;
}

/* Software interrupts and exceptions push the address after their instruction. */
static bool has_length(u32 info)
{
	return (info & INTR_INFO_TYPE) >= INTR_TYPE_SW_INTERRUPT;
}

void vmx_event_collect(struct vcpu_hw *v)
{
	u32 info = (u32)vmread(VMCS_IDT_VECTORING_INFO), code = 0, len = 0;

	if (likely(!(info & INTR_INFO_VALID)))
		return;
	if (info & INTR_INFO_CODE_VALID)
		code = (u32)vmread(VMCS_IDT_VECTORING_CODE);
	if (has_length(info))
		len = (u32)vmread(VMCS_EXIT_INSN_LEN);
	/* The NMI that gets another chance must not block itself. */
	if ((info & INTR_INFO_TYPE) == INTR_TYPE_NMI)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(u64)INTERRUPTIBILITY_NMI);
	set_event(v, info & EVENT_MASK, code, len);
}

/* An IRET unblocked NMIs and then faulted: it will run again, so they are blocked until it does. */
void vmx_event_nmi_unblocked(struct vcpu_hw *v)
{
	if (!v->event)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

/* The processor clears the field's valid bit at the next exit. */
void vmx_event_deliver(struct vcpu_hw *v)
{
	if (v->event & INTR_INFO_CODE_VALID)
		vmwrite(VMCS_ENTRY_EXCEPTION_CODE, v->event_code);
	if (has_length(v->event))
		vmwrite(VMCS_ENTRY_INSN_LEN, v->event_len);
	vmwrite(VMCS_ENTRY_INTR_INFO, v->event);
	v->event = 0;
	v->todo &= ~TODO_EVENT;
}

bool vmx_event_can_take_irq(struct vcpu_hw *v)
{
	if (v->event || !(v->regs.rflags & RFLAGS_IF))
		return false;
	vmx_use(v);
	return !(vmread(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPT_SHADOW);
}

void vmx_event_inject_irq(struct vcpu_hw *v, u8 vector)
{
	set_event(v, INTR_INFO_VALID | INTR_TYPE_EXTERNAL | vector, 0, 0);
}

void vmx_event_inject_exception(struct vcpu_hw *v, u8 vector, bool has_code, u32 code)
{
	enum vrules_combined c = VRULES_SERIAL;

	vmx_use(v);
	if (v->event && (v->event & INTR_INFO_TYPE) == INTR_TYPE_HW_EXCEPTION)
		c = vrules_combine((u8)(v->event & INTR_INFO_VECTOR), vector);
	if (c == VRULES_TRIPLE) {
		v->todo |= TODO_TRIPLE;
		return;
	}
	if (c == VRULES_DOUBLE) {
		vector = VECTOR_DF;
		has_code = true;
		code = 0;
	}
	if (vector == VECTOR_PF && vmx_cpu.owner == v)
		cpu_write_cr2(v->regs.cr2);
	/* In real mode no exception pushes an error code. */
	has_code = has_code && (vmread(VMCS_GUEST_CR0) & CR0_PE);
	set_event(v, INTR_INFO_VALID | INTR_TYPE_HW_EXCEPTION | vector |
		  (has_code ? INTR_INFO_CODE_VALID : 0), code, 0);
}

void vmx_event_want_irq_window(struct vcpu_hw *v, bool on)
{
	u32 ctl = on ? v->proc_ctl | PROC_INTR_WINDOW : v->proc_ctl & ~PROC_INTR_WINDOW;

	if (ctl == v->proc_ctl)
		return;
	vmx_use(v);
	vmwrite(VMCS_PROC_CONTROLS, ctl);
	v->proc_ctl = ctl;
}
