/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reg.c - control registers, and the MSRs that live in the VMCB: one row each, with the check that WRMSR
 * makes. All other MSRs are kernel/'s (E_NOENT).
 *
 * No access of the guest to a control register exits: with nested paging their whole effect stays inside it.
 * Its CR0.CD slows nobody but itself; its CR4.MCE is covered by the intercepts of #MC and shutdown.
 * Source: AMD APM vol. 2, "Nested Paging", "MSR Cross-Reference".
 */
#include "svm/svm.h"

#define APIC_TPR 0x80

#define ROW(msr, field, check) { msr, offsetof(struct vmcb, field), check }
static const struct { u32 msr; u16 at; u8 check; } rows[] = {
	ROW(MSR_IA32_FS_BASE, fs.base, VRULES_CANONICAL),
	ROW(MSR_IA32_GS_BASE, gs.base, VRULES_CANONICAL),
	ROW(MSR_IA32_PAT, g_pat, VRULES_PAT),
	ROW(MSR_IA32_SYSENTER_CS, sysenter_cs, VRULES_LOW32),
	ROW(MSR_IA32_SYSENTER_ESP, sysenter_esp, VRULES_CANONICAL),
	ROW(MSR_IA32_SYSENTER_EIP, sysenter_eip, VRULES_CANONICAL),
	ROW(MSR_IA32_STAR, star, VRULES_ANY),
	ROW(MSR_IA32_LSTAR, lstar, VRULES_CANONICAL),
	ROW(MSR_IA32_CSTAR, cstar, VRULES_CANONICAL),
	ROW(MSR_IA32_FMASK, sfmask, VRULES_LOW32),
	ROW(MSR_IA32_KERNEL_GS_BASE, kernel_gs_base, VRULES_CANONICAL),
};

static u64 *field_of(struct vcpu_hw *v, u32 msr, u8 *check)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].msr == msr) {
			*check = rows[i].check;
			return (u64 *)(void *)((u8 *)v->vmcb + rows[i].at);
		}
	return NULL;
}

int svm_reg_read_msr(struct vcpu_hw *v, u32 msr, u64 *value)
{
	u8 check;
	u64 *field = field_of(v, msr, &check);

	if (msr == MSR_IA32_EFER) /* that we are SVM is not the guest's business */
		*value = v->vmcb->efer & ~EFER_SVME;
	else if (msr == MSR_IA32_TSC_AUX && svm_caps.rdtscp)
		*value = svm_cpu.owner == v ? cpu_rdmsr(msr) : v->tsc_aux;
	else if (field)
		*value = *field;
	else
		return E_NOENT;
	return 0;
}

static int write_efer(struct vcpu_hw *v, u64 value)
{
	struct vmcb *b = v->vmcb;
	int err = vrules_efer(b->efer & ~EFER_SVME, b->cr0 & CR0_PG, &value);

	if (err)
		return err;
	if ((b->efer ^ value) & EFER_NXE)
		v->todo |= TODO_FLUSH;
	b->efer = value | EFER_SVME;
	b->clean &= ~CLEAN_CR;
	return 0;
}

static int write_tsc_aux(struct vcpu_hw *v, u64 value)
{
	if (vrules_msr(VRULES_LOW32, value))
		return E_INVAL;
	v->tsc_aux = value;
	if (svm_cpu.owner == v)
		cpu_wrmsr(MSR_IA32_TSC_AUX, value);
	return 0;
}

int svm_reg_write_msr(struct vcpu_hw *v, u32 msr, u64 value)
{
	u8 check;
	u64 *field = field_of(v, msr, &check);

	if (msr == MSR_IA32_EFER)
		return write_efer(v, value);
	if (msr == MSR_IA32_TSC_AUX && svm_caps.rdtscp)
		return write_tsc_aux(v, value);
	if (!field)
		return E_NOENT;
	if (vrules_msr(check, value))
		return E_INVAL;
	*field = value;
	v->vmcb->clean &= ~CLEAN_NP; /* PAT is part of it; VMLOAD's fields are never kept */
	return 0;
}

u64 svm_reg_read_cr(struct vcpu_hw *v, u8 cr)
{
	switch (cr) {
	case 0: return v->vmcb->cr0;
	case 2: return v->vmcb->cr2;
	case 3: return v->vmcb->cr3;
	case 4: return v->vmcb->cr4;
	case 8: return v->apic_page[APIC_TPR] >> 4;
	default: return 0;
	}
}

/* For completeness of the face: no exit of ours asks for it. A change of mode has consequences (LMA,
 * PDPTEs) that only the guest's own instruction has. */
int svm_reg_write_cr(struct vcpu_hw *v, u8 cr, u64 value)
{
	struct vmcb *b = v->vmcb;

	switch (cr) {
	case 0:
		if (value >> 32 || ((value & CR0_NW) && !(value & CR0_CD)))
			return E_INVAL;
		if ((value ^ b->cr0) & (CR0_PE | CR0_PG))
			return E_NOTSUP;
		b->cr0 = value | CR0_ET;
		break;
	case 3:
		b->cr3 = value & ~BIT64(63);
		break;
	case 8:
		if (value > 15)
			return E_INVAL;
		v->apic_page[APIC_TPR] = (u8)(value << 4);
		return 0;
	default:
		return E_NOTSUP;
	}
	b->clean &= ~CLEAN_CR;
	v->todo |= TODO_FLUSH;
	return 0;
}
