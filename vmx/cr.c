/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cr.c - CR0 and CR4 as the guest sees them.
 *
 * The guest owns every bit whose effect stays inside it, so that paging, long mode and PDPTEs
 * are the processor's work and it makes the checks. Held back are CR0.NE (VMX needs it), CD and
 * NW (they would act on the host's caches) and, in CR4, VMXE, MCE and what guests do not have.
 * A write that differs in such a bit exits; then only the read shadow changes and the guest runs
 * the same instruction again, which this time does not exit.
 * Source: Intel SDM vol. 3, "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
#include "arch/x86_64/arch.h"
#include "vmx/vmx.h"

#define CR0_HELD (CR0_NE | CR0_CD | CR0_NW)
#define CR4_PAGING (CR4_PAE | CR4_PSE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP)
#define APIC_TPR 0x80

void vmx_cr_reset(u64 cr0, u64 cr4)
{
	vmwrite(VMCS_CR0_MASK, CR0_HELD);
	vmwrite(VMCS_CR0_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR0, (cr0 & ~CR0_HELD) | CR0_NE);
	vmwrite(VMCS_CR4_MASK, ~vmx_caps.cr4_guest);
	vmwrite(VMCS_CR4_SHADOW, cr4);
	vmwrite(VMCS_GUEST_CR4, (cr4 & vmx_caps.cr4_guest) | vmx_caps.cr4_host);
}

static int check_held(u8 cr, u64 value)
{
	if (cr == 0)
		return (value & CR0_NW) && !(value & CR0_CD) ? E_INVAL : 0;
	return value & ~(vmx_caps.cr4_guest | (vmx_caps.cr4_host & CR4_MCE)) ? E_INVAL : 0;
}

/* Outside 64-bit mode MOV to CR takes 32 bits. */
static bool in_64bit_mode(void)
{
	return (vmread(VMCS_GUEST_EFER) & EFER_LMA) && (vmread(VMCS_GUEST_AR(SEG_CS)) & SEG_AR_LONG);
}

bool vmx_cr_exit(struct vcpu_hw *v, const struct vmexit *x)
{
	u64 value = x->cr.value;

	/* Nothing else is held back: were it to come, it is for the kernel to say. */
	if (x->cr.read || x->cr.has_value || (x->cr.cr != 0 && x->cr.cr != 4))
		return false;
	if (!in_64bit_mode())
		value = (u32)value;
	if (check_held(x->cr.cr, value))
		vmx_event_inject_exception(v, VECTOR_GP, true, 0);
	else
		vmwrite(x->cr.cr == 0 ? VMCS_CR0_SHADOW : VMCS_CR4_SHADOW, value);
	return true;
}

static u64 seen(u32 real, u32 mask, u32 shadow)
{
	u64 m = vmread(mask);

	return (vmread(real) & ~m) | (vmread(shadow) & m);
}

u64 vmx_cr_read(struct vcpu_hw *v, u8 cr)
{
	vmx_use(v);
	switch (cr) {
	case 0: return seen(VMCS_GUEST_CR0, VMCS_CR0_MASK, VMCS_CR0_SHADOW);
	case 2: return vmx_cpu.owner == v ? cpu_read_cr2() : v->regs.cr2;
	case 3: return vmread(VMCS_GUEST_CR3);
	case 4: return seen(VMCS_GUEST_CR4, VMCS_CR4_MASK, VMCS_CR4_SHADOW);
	case 8: return ((const u8 *)pfn_ptr(v->apic_page))[APIC_TPR] >> 4;
	default: return 0;
	}
}

static int write_cr0(struct vcpu_hw *v, u64 value)
{
	if (value >> 32 || check_held(0, value))
		return E_INVAL;
	/* A change of mode has consequences (LMA, PDPTEs) that only the guest's own instruction has. */
	if ((value ^ vmx_cr_read(v, 0)) & (CR0_PE | CR0_PG))
		return E_NOTSUP;
	vmwrite(VMCS_CR0_SHADOW, value);
	vmwrite(VMCS_GUEST_CR0, (value & ~CR0_HELD) | CR0_ET | CR0_NE);
	v->todo |= TODO_FLUSH_VPID;
	return 0;
}

static int write_cr4(struct vcpu_hw *v, u64 value)
{
	if (check_held(4, value))
		return E_INVAL;
	if ((value ^ vmx_cr_read(v, 4)) & CR4_PAGING)
		return E_NOTSUP;
	vmwrite(VMCS_CR4_SHADOW, value);
	vmwrite(VMCS_GUEST_CR4, (value & vmx_caps.cr4_guest) | vmx_caps.cr4_host);
	return 0;
}

/* For completeness of the face: no exit of ours asks for it (vmx_cr_exit deals with them). */
int vmx_cr_write(struct vcpu_hw *v, u8 cr, u64 value)
{
	vmx_use(v);
	switch (cr) {
	case 0: return write_cr0(v, value);
	case 4: return write_cr4(v, value);
	case 3:
		vmwrite(VMCS_GUEST_CR3, value & ~BIT64(63));
		v->todo |= TODO_FLUSH_VPID;
		return 0;
	case 8:
		if (value > 15)
			return E_INVAL;
		((u8 *)pfn_ptr(v->apic_page))[APIC_TPR] = (u8)(value << 4);
		return 0;
	default: return E_INVAL;
	}
}
