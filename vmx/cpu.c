/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu.c - VMX operation of this CPU: on, off, and whose VMCS is current.
 *
 * vmx_cpu_on needs virt_frame_get() (a VMXON region, the shared bitmaps). File-scope state,
 * since there is one host CPU: it becomes part of struct pcpu with the second.
 * Source: Intel SDM vol. 3, "Introduction to Virtual Machine Extensions".
 */
#include "arch/x86_64/arch.h"
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

struct vmx_cpu vmx_cpu;

static int refuse(char *why, size_t size, const char *text, int err)
{
	str_copy(why, size, text);
	return err;
}

/* CR0 and CR4 as VMX operation demands; CR4 also as the lazy switch of guest state needs. */
static void fix_control_registers(void)
{
	u64 cr0 = cpu_read_cr0(), cr4 = cpu_read_cr4();

	cr0 |= cpu_rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	cr0 &= cpu_rdmsr(MSR_IA32_VMX_CR0_FIXED1) & ~(CR0_TS | CR0_EM);
	cr4 |= cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED0) | CR4_VMXE | CR4_OSFXSR;
	if (vcontext_caps.xcr0)
		cr4 |= CR4_OSXSAVE;
	cr4 &= cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	cpu_write_cr0(cr0);
	cpu_write_cr4(cr4);
}

int vmx_cpu_on(char *why, size_t size)
{
	u64 fc = cpu_rdmsr(MSR_IA32_FEATURE_CONTROL);
	int err = vmx_bitmap_init();

	vmx_cpu.vmxon = virt_frame_get();
	if (err || pfn_none(vmx_cpu.vmxon))
		return refuse(why, size, "no memory for the VMXON region and bitmaps", E_NOMEM);
	if (!(fc & FEATURE_CONTROL_LOCKED))
		cpu_wrmsr(MSR_IA32_FEATURE_CONTROL,
			  fc | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	fix_control_registers();
	*(u32 *)pfn_ptr(vmx_cpu.vmxon) = vmx_caps.revision;
	if (!vmx_insn_vmxon(pfn_hpa(vmx_cpu.vmxon)))
		return refuse(why, size, "VMXON failed: is another hypervisor in charge?", E_NOTSUP);
	return 0;
}

void vmx_cpu_off(void)
{
	if (vmx_cpu.loaded)
		vmx_insn_vmclear(pfn_hpa(vmx_cpu.loaded->vmcs));
	vmx_cpu.loaded = NULL;
	vmx_insn_vmxoff();
	cpu_write_cr4(cpu_read_cr4() & ~CR4_VMXE);
}

void vmx_cpu_load(struct vcpu_hw *v)
{
	/* Fails only for a region that is none: our own bug. */
	BUG_ON(!vmx_insn_vmptrld(pfn_hpa(v->vmcs)));
	if (vmx_cpu.loaded)
		vmx_cpu.loaded->todo |= TODO_SWITCH;
	vmx_cpu.loaded = v;
}
