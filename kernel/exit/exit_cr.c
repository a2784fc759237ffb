/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_cr.c - control registers and XCR0. Their meaning is the backend's; CR8 is the local
 * APIC's task priority.
 * Source: Intel SDM vol. 3, "Control Registers", "Task Priority in IA-32e Mode"; vol. 2, "XSETBV".
 */
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"
#include "kernel/exit/guest_regs.h"

#define APIC_TPR 0x80

static enum verdict cr8(struct vcpu *v, const struct vmexit *x)
{
	struct vboard *b = v->vm->board;

	if (x->cr.read) {
		regs_put(v->regs, x->cr.gpr, 8, vboard_apic_read(b, APIC_TPR) >> 4 & 15);
		return V_NEXT;
	}
	if (v->regs->gpr[x->cr.gpr] > 15)
		return exit_gp(v);
	vboard_apic_write(b, APIC_TPR, (u32)v->regs->gpr[x->cr.gpr] << 4);
	v->look = true;
	return V_NEXT;
}

enum verdict exit_cr(struct vcpu *v, struct vmexit *x)
{
	u64 value;

	if (x->cr.cr == 8)
		return cr8(v, x);
	if (x->cr.read) {
		regs_put(v->regs, x->cr.gpr, 8, backend->read_cr(v->hw, x->cr.cr));
		return V_NEXT;
	}
	value = x->cr.has_value ? x->cr.value : v->regs->gpr[x->cr.gpr];
	return backend->write_cr(v->hw, x->cr.cr, value) ? exit_gp(v) : V_NEXT;
}

enum verdict exit_xsetbv(struct vcpu *v, struct vmexit *x)
{
	const struct guest_regs *r = v->regs;
	u64 value = (u32)r->gpr[REG_RAX] | r->gpr[REG_RDX] << 32;
	struct guest_mode m;

	(void)x;
	backend->mode(v->hw, &m);
	if (m.cpl || (u32)r->gpr[REG_RCX] || backend->write_xcr0(v->hw, value))
		return exit_gp(v);
	v->xcr0 = value;
	return V_NEXT;
}
