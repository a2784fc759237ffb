/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_vmx.c - the CPU behind tests/fake/vmx/vmx_insn.h; see fake_vmx.h.
 */
#include <assert.h>
#include <string.h>
#include "arch/x86_64/msr.h"
#include "tests/fake/fake_vmx.h"
#include "vmx/vmcs.h"

#define VMCS_MAX 8
#define FIELD_MAX 0x6c20
#define MSR_MAX 64
#define EXTENDED_OFFSET 160 /* XMM0 in the XSAVE area */

struct fake_vmx fake_vmx;

static struct fake_vmcs { u64 at; u64 field[FIELD_MAX]; } vmcs[VMCS_MAX];
static struct fake_vmcs *current;
static struct { u32 msr; u64 value; } msrs[MSR_MAX];
static u8 gdt[64];

static const struct { u32 msr; u64 value; } power_on[] = {
	{ MSR_IA32_FEATURE_CONTROL, 0 },
	{ MSR_IA32_VMX_BASIC, 0x2b | (u64)MEMORY_TYPE_WB << 50 | VMX_BASIC_TRUE_CONTROLS },
	{ MSR_IA32_VMX_MISC, VMX_MISC_SAVES_LMA | 5 },
	{ MSR_IA32_VMX_TRUE_PINBASED_CTLS, 0x0000007f00000016ull },
	{ MSR_IA32_VMX_TRUE_PROCBASED_CTLS, 0xfff9fffe04006172ull },
	{ MSR_IA32_VMX_PROCBASED_CTLS2, 0x001fffff00000000ull },
	{ MSR_IA32_VMX_TRUE_EXIT_CTLS, 0x007fffff00036dfbull },
	{ MSR_IA32_VMX_TRUE_ENTRY_CTLS, 0x0000ffff000011fbull },
	{ MSR_IA32_VMX_EPT_VPID_CAP, ~0ull },
	{ MSR_IA32_VMX_CR0_FIXED0, 0x80000021 },
	{ MSR_IA32_VMX_CR0_FIXED1, 0xffffffff },
	{ MSR_IA32_VMX_CR4_FIXED0, CR4_VMXE },
	{ MSR_IA32_VMX_CR4_FIXED1, 0x3f77ff },
};

void fake_vmx_reset(void)
{
	memset(&fake_vmx, 0, sizeof(fake_vmx));
	memset(vmcs, 0, sizeof(vmcs));
	memset(msrs, 0, sizeof(msrs));
	current = NULL;
	fake_vmx.cr0 = 0x80000033;
	fake_vmx.cr4 = CR4_PAE | CR4_OSFXSR;
	for (size_t i = 0; i < ARRAY_SIZE(power_on); i++)
		fake_vmx_wrmsr(power_on[i].msr, power_on[i].value);
}

u64 fake_vmx_read(u64 field)
{
	assert(current && field < FIELD_MAX);
	return current->field[field];
}

void fake_vmx_write(u64 field, u64 v)
{
	assert(current && field < FIELD_MAX);
	current->field[field] = v;
	fake_vmx.writes++;
}

static struct fake_vmcs *vmcs_at(hpa_t region)
{
	for (int i = 0; i < VMCS_MAX; i++)
		if (vmcs[i].at == region.a || !vmcs[i].at) {
			vmcs[i].at = region.a;
			return &vmcs[i];
		}
	assert(!"too many VMCSs");
	return NULL;
}

bool fake_vmx_vmxon(hpa_t region)
{
	assert(region.a && (fake_vmx.cr4 & CR4_VMXE) && (fake_vmx.cr0 & CR0_NE));
	fake_vmx.on = !fake_vmx.vmxon_fails;
	return fake_vmx.on;
}

bool fake_vmx_vmclear(hpa_t region)
{
	struct fake_vmcs *v = vmcs_at(region);

	assert(fake_vmx.on);
	if (current == v)
		current = NULL;
	memset(v->field, 0, sizeof(v->field));
	return true;
}

bool fake_vmx_vmptrld(hpa_t region)
{
	assert(fake_vmx.on);
	current = vmcs_at(region);
	return true;
}

void fake_vmx_vmxoff(void)
{
	assert(fake_vmx.on);
	fake_vmx.on = false;
	current = NULL;
}

void fake_vmx_invept(u64 type, u64 eptp)
{
	assert(type == INVEPT_SINGLE_CONTEXT);
	fake_vmx.invepts++;
	fake_vmx.invept_eptp = eptp;
}

void fake_vmx_invvpid(u64 type, u16 vpid)
{
	assert(type == INVVPID_SINGLE_CONTEXT && vpid);
	fake_vmx.invvpids++;
	fake_vmx.invvpid_vpid = vpid;
}

void fake_vmx_unblock_nmi(void) { fake_vmx.nmi_unblocks++; }
u64 fake_vmx_selector(void) { return 0x10; }
u64 fake_vmx_rdtsc(void) { return fake_vmx.tsc; }
u16 fake_vmx_str(void) { return 0x18; }

void fake_vmx_sgdt(struct cpu_dtr *d)
{
	static const u8 tss[16] = { 0x67, 0, 0x11, 0x22, 0x33, 0x8b, 0, 0x44, 0x55, 0x66, 0x77, 0x88 };

	memcpy(gdt + 0x18, tss, sizeof(tss));
	d->limit = sizeof(gdt) - 1;
	d->base = (u64)(uintptr_t)gdt;
}

u64 fake_vmx_rdmsr(u32 msr)
{
	for (int i = 0; i < MSR_MAX; i++)
		if (msrs[i].msr == msr)
			return msrs[i].value;
	return 0;
}

void fake_vmx_wrmsr(u32 msr, u64 v)
{
	int i = 0;

	while (msrs[i].msr && msrs[i].msr != msr)
		assert(++i < MSR_MAX);
	msrs[i].msr = msr;
	msrs[i].value = v;
}

void fake_vmx_xsetbv(u32 n, u64 v)
{
	assert(n == 0 && (v & 1));
	fake_vmx.xcr0 = v;
	fake_vmx.xsetbvs++;
}

/* All of the mask must be enabled, or a component would be left behind. */
void fake_vmx_xsave(void *area, u64 mask)
{
	assert((fake_vmx.xcr0 & mask) == mask && ((uintptr_t)area & 63) == 0);
	fake_vmx_fxsave(area);
}

void fake_vmx_xrstor(const void *area, u64 mask)
{
	assert((fake_vmx.xcr0 & mask) == mask && ((uintptr_t)area & 63) == 0);
	fake_vmx_fxrstor(area);
}

void fake_vmx_fxsave(void *area)
{
	memcpy((u8 *)area + EXTENDED_OFFSET, fake_vmx.extended, sizeof(fake_vmx.extended));
}

void fake_vmx_fxrstor(const void *area)
{
	memcpy(fake_vmx.extended, (const u8 *)area + EXTENDED_OFFSET, sizeof(fake_vmx.extended));
}

int vmx_run(struct vcpu_hw *v)
{
	int failed;

	assert(current && fake_vmx.on);
	fake_vmx.entries++;
	fake_vmx.entered_event = (u32)current->field[VMCS_ENTRY_INTR_INFO];
	current->field[VMCS_EXIT_INTR_INFO] = current->field[VMCS_IDT_VECTORING_INFO] = 0;
	failed = fake_vmx.guest ? fake_vmx.guest(v) : 0;
	if (!failed)
		current->field[VMCS_ENTRY_INTR_INFO] &= ~(u64)INTR_INFO_VALID;
	return failed;
}

void vmx_run_exit(void) {}
