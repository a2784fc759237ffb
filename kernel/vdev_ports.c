/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdev_ports.c - what device models need from above (vdev/ports.h): guest memory and disks are the pager's;
 * the rest only notes what the main loop or the next entry has to do.
 */
#include "vdev/ports.h"
#include "kernel/console/console.h"
#include "kernel/pcpu.h"
#include "mm/pager/pager.h"

int guest_pin(struct vm *vm, gpa_t gpa, u32 len, bool write, void **out)
{
	return pager_pin(&vm->mem, gpa, len, write, out);
}

void guest_unpin(struct vm *vm, gpa_t gpa)
{
	pager_unpin(&vm->mem, gpa);
}

void guest_io_submit(struct guest_io *io)
{
	gio_submit(&io->vm->mem, io);
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
