/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * context.c - the state that VM entries and exits do not switch: x87/SSE/AVX registers, XCR0,
 * CR2, DR0-DR3, DR6 and the MSRs that guests write without an exit.
 *
 * The hypervisor uses none of it (it is built with -mgeneral-regs-only), so it stays in the
 * CPU across exits and moves only when another vCPU is entered: vmx_cpu.owner tells whose it is.
 * All components of XCR0 that a guest may ever enable are saved and loaded, enabled or not, so
 * that none leaks to the next one.
 * Source: Intel SDM vol. 1, "Managing State Using the XSAVE Feature Set".
 */
#include "kernel/lib/lib.h"
#include "vmx/vmx.h"

const u32 vmx_context_msrs[VMX_MSR_COUNT] = {
	MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE,
	MSR_IA32_TSC_AUX, /* last: not every CPU has it */
};

#define XCR0_X87 BIT64(0)
#define XCR0_SSE BIT64(1)
#define XCR0_AVX BIT64(2)
#define XCR0_AVX512 (7ull << 5)
#define FCW_RESET 0x37f
#define FCW_OFFSET 0
#define MXCSR_RESET 0x1f80
#define MXCSR_OFFSET 24
#define DR6_RESET 0xffff0ff0ull

static u32 msr_count(void)
{
	return vmx_caps.rdtscp ? VMX_MSR_COUNT : VMX_MSR_COUNT - 1;
}

static void extended_save(struct vcpu_hw *v)
{
	if (!vmx_caps.xcr0) {
		cpu_fxsave(v->xsave);
		return;
	}
	if (v->xcr0 != vmx_caps.xcr0)
		cpu_xsetbv(0, vmx_caps.xcr0);
	if (vmx_caps.xsaveopt)
		cpu_xsaveopt(v->xsave, vmx_caps.xcr0);
	else
		cpu_xsave(v->xsave, vmx_caps.xcr0);
}

static void extended_load(struct vcpu_hw *v)
{
	if (!vmx_caps.xcr0) {
		cpu_fxrstor(v->xsave);
		return;
	}
	cpu_xsetbv(0, vmx_caps.xcr0);
	cpu_xrstor(v->xsave, vmx_caps.xcr0);
	if (v->xcr0 != vmx_caps.xcr0)
		cpu_xsetbv(0, v->xcr0);
}

void vmx_context_save(struct vcpu_hw *v)
{
	if (vmx_cpu.owner != v)
		return;
	extended_save(v);
	for (u32 i = 0; i < msr_count(); i++)
		v->msr[i] = cpu_rdmsr(vmx_context_msrs[i]);
	v->dr[0] = cpu_read_dr0();
	v->dr[1] = cpu_read_dr1();
	v->dr[2] = cpu_read_dr2();
	v->dr[3] = cpu_read_dr3();
	v->dr6 = cpu_read_dr6();
	v->regs.cr2 = cpu_read_cr2();
	v->todo |= TODO_SWITCH;
	vmx_cpu.owner = NULL;
}

void vmx_context_load(struct vcpu_hw *v)
{
	if (vmx_cpu.owner)
		vmx_context_save(vmx_cpu.owner);
	extended_load(v);
	for (u32 i = 0; i < msr_count(); i++)
		cpu_wrmsr(vmx_context_msrs[i], v->msr[i]);
	cpu_write_dr0(v->dr[0]);
	cpu_write_dr1(v->dr[1]);
	cpu_write_dr2(v->dr[2]);
	cpu_write_dr3(v->dr[3]);
	cpu_write_dr6(v->dr6);
	cpu_write_cr2(v->regs.cr2);
	vmx_cpu.owner = v;
}

void vmx_context_reset(struct vcpu_hw *v)
{
	if (vmx_cpu.owner == v)
		vmx_cpu.owner = NULL; /* what the CPU holds is nobody's */
	v->todo |= TODO_SWITCH;
	memset(v->xsave, 0, sizeof(v->xsave)); /* XSTATE_BV = 0: every component as after reset */
	*(u16 *)(v->xsave + FCW_OFFSET) = FCW_RESET;
	*(u32 *)(v->xsave + MXCSR_OFFSET) = MXCSR_RESET;
	memset(v->msr, 0, sizeof(v->msr));
	memset(v->dr, 0, sizeof(v->dr));
	v->dr6 = DR6_RESET;
	v->xcr0 = XCR0_X87;
}

int vmx_context_write_xcr0(struct vcpu_hw *v, u64 value)
{
	u64 avx512 = value & XCR0_AVX512;

	if (!(value & XCR0_X87) || (value & ~vmx_caps.xcr0))
		return E_INVAL;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return E_INVAL;
	if (avx512 && (avx512 != XCR0_AVX512 || !(value & XCR0_AVX)))
		return E_INVAL;
	v->xcr0 = value;
	if (vmx_cpu.owner == v)
		cpu_xsetbv(0, value);
	return 0;
}
