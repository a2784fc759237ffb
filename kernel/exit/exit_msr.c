/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit_msr.c - RDMSR and WRMSR as one const table: what a read gives and what a write does.
 * MSRs that are in no row and that the backend does not know do not exist: #GP(0).
 * Sources: Intel SDM vol. 4, "Model-Specific Registers (MSRs)"; AMD APM vol. 2, "MSR Cross-Reference".
 */
#include "arch/x86_64/arch.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/virt/virt.h"
#include "kernel/exit/exit.h"

#define MSR_IA32_PLATFORM_ID 0x17
#define MSR_AMD_INT_PENDING 0xc0010055
#define MSR_AMD_DE_CFG 0xc0011029
#define MSR_AMD_PATCH_LEVEL_CFG 0xc0010058 /* MMIO configuration base */

enum policy {
	VALUE,   /* read: the row's value; write: dropped */
	FIXED,   /* read: the row's value; write: #GP unless it writes that value */
	TSC,     /* read: the counter; write: dropped (guests share the host's) */
	BOARD,   /* the local APIC's */
	BACKEND, /* in hardware state */
};

struct msr_row {
	u32 first, last;
	u8 policy;
	u64 value;
};

/* Fixed and variable ranges are off-limits, the default type is write-back: memory types are the host's
 * business under EPT. MTRRCAP: 8 variable ranges, fixed ranges, no WC. DEF_TYPE: on, fixed on, WB. */
#define MTRR_CAP 0x108u
#define MTRR_DEF_WB 0xc06u
#define MTRR_FIXED_WB 0x0606060606060606ull
/* Fast strings on; BTS and PEBS unavailable. */
#define MISC_ENABLE 0x1801u

/* Most used first. */
static const struct msr_row rows[] = {
	{ MSR_IA32_TSC_DEADLINE, MSR_IA32_TSC_DEADLINE, BOARD, 0 },
	{ MSR_IA32_FS_BASE, MSR_IA32_TSC_AUX, BACKEND, 0 },
	{ MSR_IA32_EFER, MSR_IA32_FMASK, BACKEND, 0 },
	{ MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP, BACKEND, 0 },
	{ MSR_IA32_APIC_BASE, MSR_IA32_APIC_BASE, BOARD, 0 },
	{ MSR_IA32_TSC, MSR_IA32_TSC, TSC, 0 },
	{ MSR_IA32_TSC_ADJUST, MSR_IA32_TSC_ADJUST, VALUE, 0 },
	{ MSR_IA32_PAT, MSR_IA32_PAT, BACKEND, 0 },
	{ MSR_IA32_MTRRCAP, MSR_IA32_MTRRCAP, FIXED, MTRR_CAP },
	{ MSR_IA32_MTRR_DEF_TYPE, MSR_IA32_MTRR_DEF_TYPE, VALUE, MTRR_DEF_WB },
	{ MSR_IA32_MTRR_PHYSBASE0, MSR_IA32_MTRR_PHYSBASE0 + 15, VALUE, 0 },
	{ MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX64K_00000, VALUE, MTRR_FIXED_WB },
	{ MSR_IA32_MTRR_FIX16K_80000, MSR_IA32_MTRR_FIX16K_A0000, VALUE, MTRR_FIXED_WB },
	{ MSR_IA32_MTRR_FIX4K_C0000, MSR_IA32_MTRR_FIX4K_F8000, VALUE, MTRR_FIXED_WB },
	{ MSR_IA32_PLATFORM_ID, MSR_IA32_PLATFORM_ID, FIXED, 0 },
	{ MSR_IA32_FEATURE_CONTROL, MSR_IA32_FEATURE_CONTROL, FIXED, FEATURE_CONTROL_LOCKED },
	{ MSR_IA32_BIOS_UPDT_TRIG, MSR_IA32_BIOS_UPDT_TRIG, VALUE, 0 },
	{ MSR_IA32_BIOS_SIGN_ID, MSR_IA32_BIOS_SIGN_ID, VALUE, 0 },
	{ MSR_IA32_MISC_ENABLE, MSR_IA32_MISC_ENABLE, VALUE, MISC_ENABLE },
	{ MSR_IA32_MCG_CAP, MSR_IA32_MCG_STATUS, VALUE, 0 },
	{ MSR_IA32_DEBUGCTL, MSR_IA32_DEBUGCTL, VALUE, 0 },
	{ MSR_AMD_SYSCFG, MSR_AMD_SYSCFG, VALUE, 0 },
	{ MSR_AMD_HWCR, MSR_AMD_HWCR, VALUE, 0 },
	{ MSR_AMD_PATCH_LEVEL_CFG, MSR_AMD_PATCH_LEVEL_CFG, VALUE, 0 },
	{ MSR_AMD_INT_PENDING, MSR_AMD_INT_PENDING, VALUE, 0 }, /* no C1E to wake from */
	{ MSR_AMD_DE_CFG, MSR_AMD_DE_CFG, VALUE, 2 }, /* LFENCE is serializing */
};

static const struct msr_row *row_of(u32 msr)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (msr >= rows[i].first && msr <= rows[i].last)
			return &rows[i];
	return NULL;
}

static int msr_read(struct vcpu *v, u32 msr, u64 *value)
{
	const struct msr_row *row = row_of(msr);

	switch (row ? row->policy : BACKEND) {
	case TSC:
		*value = arch_tsc();
		return 0;
	case BOARD:
		return vboard_read_msr(v->vm->board, msr, value);
	case BACKEND:
		return backend->read_msr(v->hw, msr, value);
	default:
		*value = row->value;
		return 0;
	}
}

static int msr_write(struct vcpu *v, u32 msr, u64 value)
{
	const struct msr_row *row = row_of(msr);

	switch (row ? row->policy : BACKEND) {
	case FIXED:
		return value == row->value ? 0 : E_INVAL;
	case BOARD:
		v->look = true;
		return vboard_write_msr(v->vm->board, msr, value);
	case BACKEND:
		return backend->write_msr(v->hw, msr, value);
	default:
		return 0;
	}
}

enum verdict exit_rdmsr(struct vcpu *v, struct vmexit *x)
{
	struct guest_regs *r = v->regs;
	u64 value = 0;

	(void)x;
	if (msr_read(v, (u32)r->gpr[REG_RCX], &value))
		return exit_gp(v);
	r->gpr[REG_RAX] = (u32)value;
	r->gpr[REG_RDX] = value >> 32;
	return V_NEXT;
}

enum verdict exit_wrmsr(struct vcpu *v, struct vmexit *x)
{
	const struct guest_regs *r = v->regs;

	(void)x;
	if (msr_write(v, (u32)r->gpr[REG_RCX], (u32)r->gpr[REG_RAX] | r->gpr[REG_RDX] << 32))
		return exit_gp(v);
	return V_NEXT;
}
