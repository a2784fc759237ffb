/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pager_ports.c - what the pager needs from above (mm/pager/pager.h, "Upward ports"). It comes from exit
 * handlers and from interrupt windows, so this only notes what the main loop or the next entry has to do.
 */
#include "arch/x86_64/arch.h"
#include "kernel/pcpu.h"
#include "mm/pager/pager.h"

void pager_wake(struct vm_mem *m)
{
	struct vm *vm = m->vm;
	struct vcpu *v = &vm->vcpu;

	pcpu_blame(vm);
	v->woken = true;
	if (!vm->retry_board || v->state == VCPU_BLOCKED)
		pcpu_kick();
	vm->retry_board = true;
	if (v->state == VCPU_BLOCKED) {
		u64 stalled = arch_tsc() - v->blocked_since;

		v->state = VCPU_RUNNABLE;
		m->n.stall_ticks += stalled;
		curve_note_stall(&m->curve, arch_tsc_to_ns(stalled) / 1000);
	}
}

void pager_again(struct vm_mem *m)
{
	if (m->vm->io_more)
		return; /* it waits for its turn: another turn of the loop would bring nothing */
	m->vm->io_more = true;
	pcpu_kick_for(m->vm);
}

void pager_worked(struct vm_mem *m)
{
	pcpu_blame(m->vm);
}

void pager_failed(struct vm_mem *m, const char *reason)
{
	vm_fail(m->vm, "%s", reason);
}

void pager_flush(struct vm_mem *m)
{
	if (m->vm->vcpu.hw)
		backend->flush(m->vm->vcpu.hw);
	slat_flushed(&m->slat);
	m->n.flushes++;
}
