/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.c - a guest's processor and the hot path. Contract: vcpu.h.
 *
 * vcpu_run() is the hot path: enter, handle, enter again. It looks at timers and interrupts only when v->look
 * says that they may have changed. Only here RIP is advanced.
 */
#include "kernel/vcpu.h"
#include "arch/x86_64/arch.h"
#include "kernel/exit/exit.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"

void vcpu_block(struct vcpu *v)
{
	if (v->woken) /* it came while the exit was handled: try again */
		return;
	v->state = VCPU_BLOCKED;
	v->blocked_since = arch_tsc();
	pcpu_kick_for(v->vm);
}

void vcpu_reset(struct vcpu *v, const struct virt_entry *e)
{
	backend->vcpu_reset(v->hw, e);
	v->regs = backend->regs(v->hw);
	v->state = VCPU_RUNNABLE;
	v->xcr0 = 1;
	v->look = true;
	v->woken = v->window = v->ready = false;
	v->entered_at = arch_tsc();
}

/* ---- before an entry ---- */

/* Whose timers set the end of the slice pay for the turn, unless another event ended it before. */
static void slice_over(void)
{
	if (pcpu_this()->work)
		return;
	pcpu_this()->work = true;
	pcpu_this()->causes = pcpu_this()->ends_for;
}

/* Fires timers that are due and offers the highest interrupt. Returns when to come back, TSC. */
static u64 vcpu_look(struct vcpu *v)
{
	struct vboard *b = v->vm->board;
	u64 now = arch_tsc(), deadline = vboard_deadline(b);
	bool want = false;
	int vector;

	v->look = false;
	if (deadline && deadline <= now) {
		vboard_tick(b, now);
		deadline = vboard_deadline(b);
	}
	if (now >= pcpu_this()->slice_end)
		slice_over();
	vector = vboard_irq_pending(b);
	if (vector >= 0) {
		want = !backend->can_take_irq(v->hw);
		if (!want) {
			vboard_irq_taken(b, (u8)vector);
			backend->inject_irq(v->hw, (u8)vector);
		}
	}
	if (want != v->window) {
		backend->want_irq_window(v->hw, want);
		v->window = want;
	}
	v->look = false; /* what the board just did needs no second look */
	return deadline && deadline < pcpu_this()->slice_end ? deadline : pcpu_this()->slice_end;
}

void vcpu_run(struct vcpu *v)
{
	const struct virt_ops *ops = backend;
	struct vm_mem *m = &v->vm->mem;
	enum verdict verdict;
	struct vmexit x;
	u64 deadline = vcpu_look(v);

	while (!pcpu_this()->work) {
		if (unlikely(m->slat.stale))
			pager_flush(m);
		ops->enter(v->hw, deadline, &x);
		v->exits[x.kind]++;
		v->woken = false;
		verdict = exit_table[x.kind](v, &x);
		if (unlikely(pcpu_this()->work) && x.kind != VMEXIT_INTR)
			pcpu_blame(v->vm); /* its own instruction asks for the turn */
		if (likely(verdict == V_NEXT)) {
			if (x.insn_len)
				ops->skip(v->hw, x.insn_len);
		} else if (verdict == V_BLOCK) {
			vcpu_block(v);
		} else if (verdict == V_KILL) {
			pcpu_kick_for(v->vm);
		} else if (arch_tsc() >= pcpu_this()->slice_end) {
			/* The delivery of an event can exit again and again before any instruction, and then
			 * the backend's timer never gets its turn. */
			slice_over();
		}
		/* One that halts or parks looks when it is woken. */
		if (v->look && v->state == VCPU_RUNNABLE)
			deadline = vcpu_look(v);
	}
}
