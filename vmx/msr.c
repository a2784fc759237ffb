/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msr.c - the guest's MSRs that live in the VMCS or in the CPU: one row each, with the check
 * that WRMSR makes. All others are kernel/'s (E_NOENT).
 * Source: Intel SDM vol. 4, "Architectural MSRs"; vol. 2, "WRMSR".
 */
#include "vmx/vmx.h"

#define CHECK_EFER 0xff /* has its own */

#define CONTEXT(i) (0x80000000u | (i)) /* not a VMCS field: vmx_context_msrs[i] */

static const struct msr_row { u32 msr; u32 where; u8 check; } rows[] = {
	{ MSR_IA32_EFER, VMCS_GUEST_EFER, CHECK_EFER },
	{ MSR_IA32_FS_BASE, VMCS_GUEST_FS_BASE, VRULES_CANONICAL },
	{ MSR_IA32_GS_BASE, VMCS_GUEST_GS_BASE, VRULES_CANONICAL },
	{ MSR_IA32_PAT, VMCS_GUEST_PAT, VRULES_PAT },
	{ MSR_IA32_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS, VRULES_LOW32 },
	{ MSR_IA32_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP, VRULES_CANONICAL },
	{ MSR_IA32_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP, VRULES_CANONICAL },
	{ MSR_IA32_STAR, CONTEXT(0), VRULES_ANY },
	{ MSR_IA32_LSTAR, CONTEXT(1), VRULES_CANONICAL },
	{ MSR_IA32_CSTAR, CONTEXT(2), VRULES_CANONICAL },
	{ MSR_IA32_FMASK, CONTEXT(3), VRULES_LOW32 },
	{ MSR_IA32_KERNEL_GS_BASE, CONTEXT(4), VRULES_CANONICAL },
	{ MSR_IA32_TSC_AUX, CONTEXT(5), VRULES_LOW32 },
};
_Static_assert(VMX_MSR_COUNT == 6, "CONTEXT rows follow vmx_context_msrs");

static const struct msr_row *row_of(u32 msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].msr == msr && (msr != MSR_IA32_TSC_AUX || vmx_caps.rdtscp))
			return &rows[i];
	return NULL;
}

static int check_efer(struct vcpu_hw *v, u64 *value)
{
	u64 old = vmread(VMCS_GUEST_EFER);
	int err = vrules_efer(old, vmread(VMCS_GUEST_CR0) & CR0_PG, value);

	if (!err && ((*value ^ old) & EFER_NXE))
		v->todo |= TODO_FLUSH_VPID;
	return err;
}

int vmx_msr_read(struct vcpu_hw *v, u32 msr, u64 *value)
{
	const struct msr_row *r = row_of(msr);

	if (!r)
		return E_NOENT;
	vmx_use(v);
	if (!(r->where & CONTEXT(0)))
		*value = vmread(r->where);
	else
		*value = vmx_cpu.owner == v ? cpu_rdmsr(msr) : v->msr[r->where & ~CONTEXT(0)];
	return 0;
}

int vmx_msr_write(struct vcpu_hw *v, u32 msr, u64 value)
{
	const struct msr_row *r = row_of(msr);

	if (!r)
		return E_NOENT;
	vmx_use(v);
	if (r->check == CHECK_EFER ? check_efer(v, &value) : vrules_msr(r->check, value))
		return E_INVAL;
	if (!(r->where & CONTEXT(0)))
		vmwrite(r->where, value);
	else if (vmx_cpu.owner == v)
		cpu_wrmsr(msr, value);
	else
		v->msr[r->where & ~CONTEXT(0)] = value;
	return 0;
}
