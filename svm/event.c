/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event.c - what is delivered to the guest at the next entry: an interrupt, an exception, or
 * again the event whose delivery the last exit interrupted.
 *
 * One event at most is pending (v->event). An event that an exit interrupted takes the place
 * first; an exception injected by a handler replaces it or turns into a double fault, as if
 * the interrupted delivery itself had raised it. Guests get no NMIs, so there is no NMI window.
 * Source: AMD APM vol. 2, "Event Injection", "EXITINTINFO", "Virtual Interrupts".
 */
#include "svm/svm.h"

#define VIRQ (INT_V_IRQ | INT_V_PRIO | INT_V_IGN_TPR)

static void set_event(struct vcpu_hw *v, u64 event)
{
	v->event = event;
	v->todo |= TODO_EVENT;
}

/* INT n, INT3 and INTO run again instead: RIP is still at them, and injection would need their length. */
static bool runs_again(u64 info)
{
	u8 vector = (u8)(info & EVENT_VECTOR);

	return (info & EVENT_TYPE) == EVENT_SOFT ||
	       ((info & EVENT_TYPE) == EVENT_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF));
}

void svm_event_collect(struct vcpu_hw *v)
{
	u64 info = v->vmcb->exit_int_info;

	if (runs_again(info))
		return;
	if (!(info & EVENT_CODE_VALID))
		info &= 0xffffffffull;
	set_event(v, info & ~(u64)(0x7ffffu << 12));
}

bool svm_event_can_take_irq(struct vcpu_hw *v)
{
	return !v->event && (v->regs.rflags & RFLAGS_IF) && !(v->vmcb->int_shadow & INT_SHADOW);
}

void svm_event_inject_irq(struct vcpu_hw *v, u8 vector)
{
	set_event(v, EVENT_VALID | EVENT_INTR | vector);
}

void svm_event_inject_exception(struct vcpu_hw *v, u8 vector, bool has_code, u32 code)
{
	enum vrules_combined c = VRULES_SERIAL;

	if (v->event && (v->event & EVENT_TYPE) == EVENT_EXCEPTION)
		c = vrules_combine((u8)(v->event & EVENT_VECTOR), vector);
	if (c == VRULES_TRIPLE) {
		v->todo |= TODO_TRIPLE;
		return;
	}
	if (c == VRULES_DOUBLE) {
		vector = VECTOR_DF;
		has_code = true;
		code = 0;
	}
	if (vector == VECTOR_PF) {
		v->vmcb->cr2 = v->regs.cr2;
		v->vmcb->clean &= ~CLEAN_CR2;
	}
	/* In real mode no exception pushes an error code. */
	has_code = has_code && (v->vmcb->cr0 & CR0_PE);
	set_event(v, EVENT_VALID | EVENT_EXCEPTION | vector |
		  (has_code ? EVENT_CODE_VALID | (u64)code << 32 : 0));
}

/*
 * A virtual interrupt of highest priority that exits instead of being delivered. Where the processor forgets
 * an interrupt shadow it would exit before the instruction that the shadow covers, for ever: there the window
 * waits for the next exit, which is to come soon.
 */
void svm_event_want_irq_window(struct vcpu_hw *v, bool on)
{
	struct vmcb *b = v->vmcb;
	u32 bit = BIT(EXIT_VINTR % 32);

	v->window_waits = on && svm_caps.virq && b->int_shadow & INT_SHADOW;
	on = on && !v->window_waits;
	b->int_ctl = on ? b->int_ctl | VIRQ : b->int_ctl & ~VIRQ;
	b->intercept[EXIT_VINTR / 32] = on ? b->intercept[EXIT_VINTR / 32] | bit :
					     b->intercept[EXIT_VINTR / 32] & ~bit;
	b->clean &= ~(CLEAN_INTERCEPTS | CLEAN_TPR);
}

static bool window_wanted(const struct vmcb *b)
{
	return b->intercept[EXIT_VINTR / 32] & BIT(EXIT_VINTR % 32);
}

/*
 * By EVENTINJ. But QEMU's TCG keeps the vector of an interrupt that came that way and delivers it again, IF
 * or no IF, when the emulator stops the guest before another event (with -icount it often does). There it
 * goes in as a virtual one, which the processor takes before anything else. Of those there is one only: a
 * window that is wanted too waits until the next exit, which is to come soon.
 */
void svm_event_deliver(struct vcpu_hw *v)
{
	struct vmcb *b = v->vmcb;
	bool waits;

	if ((v->event & EVENT_TYPE) != EVENT_INTR || !svm_caps.virq) {
		b->event_inj = v->event;
		return;
	}
	waits = v->window_waits || window_wanted(b);
	svm_event_want_irq_window(v, false);
	v->window_waits = waits;
	b->int_vector = (u32)(v->event & EVENT_VECTOR);
	b->int_ctl |= VIRQ;
}

/*
 * QEMU's TCG tells of an interrupt shadow at an exit, but does not take it back at VMRUN. If then an
 * interrupt went in between STI and HLT, its guest would sleep for ever. So as long as nothing has run since
 * that exit, the shadow stands.
 */
static void keep_shadow(struct vcpu_hw *v)
{
	struct vmcb *b = v->vmcb;
	bool nothing_ran =
		b->rip == v->shadow_rip && (b->exit_code == EXIT_INTR || b->exit_code == EXIT_VINTR);

	if (nothing_ran)
		b->int_shadow |= INT_SHADOW;
	v->shadow_rip = b->int_shadow & INT_SHADOW ? b->rip : SVM_NO_RIP;
}

/*
 * After an exit: an interrupt of the host's may have come before a virtual one, or a nested page fault in the
 * midst of its delivery. Then EXITINTINFO has the vector (on QEMU as an exception's, with V_IRQ set besides):
 * one interrupt all the same.
 */
void svm_event_take_back(struct vcpu_hw *v)
{
	struct vmcb *b = v->vmcb;
	u64 info = b->exit_int_info;
	u32 vector = b->int_vector & EVENT_VECTOR;
	bool waits = v->window_waits;

	if (svm_caps.virq)
		keep_shadow(v);
	/* One that waited opens; one that was open waits for the shadow's end. */
	if (window_wanted(b) || (waits && !(b->int_ctl & INT_V_IGN_TPR)))
		svm_event_want_irq_window(v, true);
	if (!(b->int_ctl & INT_V_IGN_TPR) || window_wanted(b))
		return;
	if (b->int_ctl & INT_V_IRQ) {
		set_event(v, EVENT_VALID | EVENT_INTR | vector);
		if ((info & EVENT_VALID) && (info & EVENT_VECTOR) == vector)
			b->exit_int_info = 0;
	}
	svm_event_want_irq_window(v, waits);
}
