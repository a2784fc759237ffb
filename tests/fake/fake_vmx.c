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

struct fake_vmx fake_vmx;

static struct fake_vmcs { u64 at; u64 field[FIELD_MAX]; } vmcs[VMCS_MAX];
static struct fake_vmcs *current;

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
	fake_cpu_reset();
	current = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(power_on); i++)
		fake_cpu_wrmsr(power_on[i].msr, power_on[i].value);
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
	assert(region.a && (fake_cpu.cr4 & CR4_VMXE) && (fake_cpu.cr0 & CR0_NE));
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
