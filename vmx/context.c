/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * context.c - the state that VM entries and exits do not switch: struct vcontext, CR2, DR6 and
 * the MSRs that guests write without an exit.
 *
 * The hypervisor uses none of it, so it stays in the CPU across exits and moves only when another
 * vCPU is entered: vmx_cpu.owner tells whose it is.
 */
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

static const u32 vmx_context_msrs[VMX_MSR_COUNT] = {
	MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE,
	MSR_IA32_TSC_AUX, /* last: not every CPU has it */
};

static u32 msr_count(void)
{
	return vmx_caps.rdtscp ? VMX_MSR_COUNT : VMX_MSR_COUNT - 1;
}

void vmx_context_save(struct vcpu_hw *v)
{
	if (vmx_cpu.owner != v)
		return;
	vcontext_save(&v->context);
	for (u32 i = 0; i < msr_count(); i++)
		v->msr[i] = cpu_rdmsr(vmx_context_msrs[i]);
	v->dr6 = cpu_read_dr6();
	v->regs.cr2 = cpu_read_cr2();
	v->todo |= TODO_SWITCH;
	vmx_cpu.owner = NULL;
}

void vmx_context_load(struct vcpu_hw *v)
{
	if (vmx_cpu.owner)
		vmx_context_save(vmx_cpu.owner);
	vcontext_load(&v->context);
	for (u32 i = 0; i < msr_count(); i++)
		cpu_wrmsr(vmx_context_msrs[i], v->msr[i]);
	cpu_write_dr6(v->dr6);
	cpu_write_cr2(v->regs.cr2);
	vmx_cpu.owner = v;
}

void vmx_context_reset(struct vcpu_hw *v)
{
	if (vmx_cpu.owner == v)
		vmx_cpu.owner = NULL; /* what the CPU holds is nobody's */
	v->todo |= TODO_SWITCH;
	vcontext_reset(&v->context);
	memset(v->msr, 0, sizeof(v->msr));
	v->dr6 = DR6_RESET;
}

int vmx_context_write_xcr0(struct vcpu_hw *v, u64 value)
{
	return vcontext_write_xcr0(&v->context, value, vmx_cpu.owner == v);
}
