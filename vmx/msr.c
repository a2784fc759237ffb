/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msr.c - the guest's MSRs that live in the VMCS or in the CPU: one row each, with the check
 * that WRMSR makes. All others are kernel/'s (E_NOENT).
 * Source: Intel SDM vol. 4, "Architectural MSRs"; vol. 2, "WRMSR".
 */
#include "arch/x86_64/arch.h"
#include "vmx/vmx.h"

enum check { ANY, LOW32, CANONICAL, PAT, EFER };

#define CONTEXT(i) (0x80000000u | (i)) /* not a VMCS field: vmx_context_msrs[i] */

static const struct msr_row { u32 msr; u32 where; u8 check; } rows[] = {
	{ MSR_IA32_EFER, VMCS_GUEST_EFER, EFER },
	{ MSR_IA32_FS_BASE, VMCS_GUEST_FS_BASE, CANONICAL },
	{ MSR_IA32_GS_BASE, VMCS_GUEST_GS_BASE, CANONICAL },
	{ MSR_IA32_PAT, VMCS_GUEST_PAT, PAT },
	{ MSR_IA32_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS, LOW32 },
	{ MSR_IA32_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP, CANONICAL },
	{ MSR_IA32_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP, CANONICAL },
	{ MSR_IA32_STAR, CONTEXT(0), ANY },
	{ MSR_IA32_LSTAR, CONTEXT(1), CANONICAL },
	{ MSR_IA32_CSTAR, CONTEXT(2), CANONICAL },
	{ MSR_IA32_FMASK, CONTEXT(3), LOW32 },
	{ MSR_IA32_KERNEL_GS_BASE, CONTEXT(4), CANONICAL },
	{ MSR_IA32_TSC_AUX, CONTEXT(5), LOW32 },
};
_Static_assert(VMX_MSR_COUNT == 6, "CONTEXT rows follow vmx_context_msrs");

static const struct msr_row *row_of(u32 msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].msr == msr && (msr != MSR_IA32_TSC_AUX || vmx_caps.rdtscp))
			return &rows[i];
	return NULL;
}

static bool is_canonical(u64 a)
{
	return (u64)((s64)(a << 16) >> 16) == a;
}

/* Eight memory types: UC, WC, WT, WP, WB, UC-. */
static bool is_pat(u64 v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		if ((v & 0xff) > 7 || (v & 0xff) == 2 || (v & 0xff) == 3)
			return false;
	return true;
}

/* Keeps LMA, which only the processor changes; LME is fixed while paging is on. */
static int check_efer(struct vcpu_hw *v, u64 *value)
{
	u64 old = vmread(VMCS_GUEST_EFER);
	u64 can = EFER_SCE | EFER_LME | EFER_LMA;

	if (arch_cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_NX)
		can |= EFER_NXE;
	if (*value & ~can)
		return E_INVAL;
	if (((*value ^ old) & EFER_LME) && (vmread(VMCS_GUEST_CR0) & CR0_PG))
		return E_INVAL;
	*value = (*value & ~EFER_LMA) | (old & EFER_LMA);
	if ((*value ^ old) & EFER_NXE)
		v->todo |= TODO_FLUSH_VPID;
	return 0;
}

static int check(struct vcpu_hw *v, enum check c, u64 *value)
{
	switch (c) {
	case LOW32: return *value >> 32 ? E_INVAL : 0;
	case CANONICAL: return is_canonical(*value) ? 0 : E_INVAL;
	case PAT: return is_pat(*value) ? 0 : E_INVAL;
	case EFER: return check_efer(v, value);
	default: return 0;
	}
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
	if (check(v, r->check, &value))
		return E_INVAL;
	if (!(r->where & CONTEXT(0)))
		vmwrite(r->where, value);
	else if (vmx_cpu.owner == v)
		cpu_wrmsr(msr, value);
	else
		v->msr[r->where & ~CONTEXT(0)] = value;
	return 0;
}
