/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ports.c - the calls that run upward: what pager, device models and backends need from above. They
 * come from exit handlers and from interrupt windows, so they only note what the main loop or the next
 * entry has to do; none of them calls back into its caller's room.
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/console/console.h"
#include "kernel/lib/lib.h"
#include "mm/pager/pager.h"
#include "kernel/pcpu.h"
#include "kernel/turn.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "vdev/ports.h"

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

void vdev_wake(struct vm *vm)
{
	vm->vcpu.look = true;
	if (pcpu_this()->current != &vm->vcpu)
		pcpu_kick_for(vm);
}

void vdev_again(struct vm *vm)
{
	if (vm->retry_board)
		return;
	vm->retry_board = true;
	pcpu_kick_for(vm);
}

void vdev_worked(struct vm *vm)
{
	pcpu_blame(vm);
}

void vdev_uart_tx(struct vm *vm, u8 byte)
{
	console_guest_tx(vm, byte);
	if (console_holds(vm))
		pcpu_kick_for(vm);
}

void vdev_power(struct vm *vm, enum vdev_power what)
{
	if (what == VDEV_RESET)
		vm->reset_wanted = true;
	else
		vm->off_wanted = true;
	pcpu_kick_for(vm);
}

pfn_t virt_frame_get(void)
{
	return frame_get(FRAME_NO_VM, FRAME_HYP, true);
}

void virt_frame_put(pfn_t pfn)
{
	frame_put(pfn);
}
